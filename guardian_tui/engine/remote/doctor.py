"""The connection doctor: why a host can or can't be reached, step by step, and what to do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping

from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.connections import Connection, Remote, failed
from guardian_tui.engine.remote.credentials import Offer
from guardian_tui.engine.remote.target import ConnectFailed, Kind, Target
from guardian_tui.protocol.fleet import DoctorReport, DoctorStep
from guardian_tui.text import safe

STEP_SECONDS = 10.0
BANNER_LIMIT = 255

ADVICE: Mapping[Kind, str] = {
    "dns": "Check the address (e edits the host). The engine's machine resolves it: try getent hosts there, or give an IP address.",
    "refused": "Start sshd on the host (systemctl status ssh) and check the port (e). Behind a jump host its sshd must allow it: AllowTcpForwarding, PermitOpen.",
    "no_route": "Check the address (e) and the network between: ping and traceroute from the engine's machine.",
    "timeout": "A firewall drops the packets, or the host is off or hangs: look at its console, and at the firewall's rules for the engine's address.",
    "not_ssh": "Something else listens there: check the port (e).",
    "algorithms": "Update the host's sshd: OpenSSH 7.2 (2016) and later will do.",
    "key_unknown": "Compare the fingerprint with one from the host itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then accept it with K.",
    "key_changed": "If the host was set up anew, compare and accept with K. If not, somebody stands between: do not accept.",
    "key_revoked": "Give the host a new key, or have its certificate signed anew by the authority that is pinned. Do not go round it.",
    "certificate": "Have the host's key signed again, for the name we connect to: ssh-keygen -s CA -I HOST -h -n NAME -V +52w ssh_host_ed25519_key.pub.",
    "no_credential": "Attach with an ssh-agent, or edit the host (e) and give it a key file or a secret of the vault; K answers what is asked for.",
    "vault_locked": "Log in once: that opens the vault. A keyring or credential slot opens it at the start (guardian-tui vault).",
    "auth": "Check the user (e), and that our public key stands in its ~/.ssh/authorized_keys, which nobody else may write to. sshd's log on the host says why.",
    "jump": "Mend the way to the jump host first: t on its row tests it.",
    "loop": "Edit the jump hosts (e): they lead in a circle, or there are too many of them.",
    "closed": "Look at sshd's log on the host (journalctl -u ssh): MaxStartups, DenyUsers, a full disk; or a firewall that cuts connections.",
    "no_probe": "The account must run commands in a shell: look for a forced command (authorized_keys, ForceCommand) or a login shell such as nologin.",
    "engine": "A fault of Guardian's own: the engine's log has its cause. Try again; if it stays, report it with that log.",
}
"""What to do about each kind of failure."""


class Doctor:
    """Tests a way to a host without touching the connection that is in use.

    Args:
        remote, live: the engine's.
        probe: has a connection answer as the poll wants it; answers in words, or raises ConnectFailed.
    """

    def __init__(self, remote: Remote, live: Live, probe: Callable[[Connection], Awaitable[str]]) -> None:
        self._remote = remote
        self._live = live
        self._probe = probe

    async def examine(self, target: Target) -> DoctorReport:
        """Name, port, banner, key and login, probe; stops at the first that fails."""
        steps: list[DoctorStep] = []
        open_: list[Connection] = []
        ways: list[tuple[str, Callable[[], Awaitable[str]]]] = [
            ("key and login", lambda: self._login(target, open_)),
            ("probe", lambda: self._probe(open_[0])),
        ]
        if target.jump:
            ways.insert(0, ("jump hosts", lambda: self._jumps(target)))
        else:
            ways[:0] = [("name", lambda: _resolve(target)), ("port and banner", lambda: _banner(target))]
        error: ConnectFailed | None = None
        try:
            for name, work in ways:
                step, error = await _step(target, name, work)
                steps.append(step)
                if error is not None:
                    break
        finally:
            for connection in open_:
                connection.close()
        return DoctorReport(
            ok=error is None, steps=tuple(steps), advice=ADVICE[error.kind] if error else "",
            reason=error.kind if error else "", question=self._live.questions.get(f"{target.host_id}-key"),
        )  # fmt: skip

    async def _jumps(self, target: Target) -> str:
        await self._remote.connection(target.jump[-1])
        return " → ".join(hop.name for hop in target.jump)

    async def _login(self, target: Target, open_: list[Connection]) -> str:
        parent = await self._remote.connection(target.jump[-1]) if target.jump else None
        connection = await self._remote.open(target, parent)
        open_.append(connection)
        return f"logged in as {target.user}, key {connection.fingerprint}"


async def _step(
    target: Target, name: str, work: Callable[[], Awaitable[str]]
) -> tuple[DoctorStep, ConnectFailed | None]:
    started = asyncio.get_running_loop().time()
    error: ConnectFailed | None = None
    try:
        async with asyncio.timeout(STEP_SECONDS + 5):
            words = await work()
    except ConnectFailed as failure:
        error = failure
    except (TimeoutError, OSError) as failure:
        error = failed(target, failure, Offer(), STEP_SECONDS)
    seconds = asyncio.get_running_loop().time() - started
    if error is not None:
        words = error.detail
    return DoctorStep(name=name, ok=error is None, words=words, seconds=round(seconds, 3)), error


async def _resolve(target: Target) -> str:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(STEP_SECONDS):
        found = await loop.getaddrinfo(target.address, target.port, type=socket.SOCK_STREAM)
    return ", ".join(sorted({str(entry[4][0]) for entry in found})[:4])


async def _banner(target: Target) -> str:
    async with asyncio.timeout(STEP_SECONDS):
        reader, writer = await asyncio.open_connection(target.address, target.port, limit=4096)
        try:
            line = await reader.readline()
        except ValueError:
            line = b"(a line without end)"
        finally:
            writer.close()
    if not line:
        raise ConnectFailed(
            "closed", f"what answers on port {target.port} closes the connection without a word"
        )
    if not line.startswith(b"SSH-2.0-"):
        raise ConnectFailed(
            "not_ssh", f"what answers on port {target.port} is no SSH server: {safe(line[:BANNER_LIMIT], 80)}"
        )
    return safe(line.strip(), 80)
