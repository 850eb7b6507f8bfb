"""The connection doctor: why a host can or can't be reached, step by step, and what to do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping

import asyncssh

from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.connections import Connection, Remote, accepted, failed
from guardian_tui.engine.remote.credentials import Offer
from guardian_tui.engine.remote.kexinit import offered_by, unshared
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
    "key_file": "Check the path (e) and the file: the engine's user must be able to read it (chmod 600, and its folders), and it must be a private key.",
    "agent": "ssh-add a key and attach again (ssh-add -l says what the agent holds), or edit the host (e) and give it a key file or a secret.",
    "vault_locked": "Log in once: that opens the vault. A keyring or credential slot opens it at the start (guardian-tui vault).",
    "auth": "Check the user (e), and that our public key stands in its ~/.ssh/authorized_keys, which nobody else may write to. sshd's log on the host says why.",
    "auth_method": "Give what it takes: a key file or agent for publickey, secret:NAME or ask for a password (e). Or allow the other in sshd_config, then sshd -t.",
    "too_many_keys": "Name the one key that it knows (e: key:PATH) instead of the agent with all of its keys, or raise MaxAuthTries in sshd_config.",
    "banned": "Look whether the engine's address is banned (fail2ban-client status sshd, hosts.deny, nft list ruleset), or MaxStartups is used up (who connects?).",
    "sessions": "Look who uses up the sessions (ss -tp on the host), or raise MaxSessions in sshd_config: 10 is usual, and 0 allows none.",
    "no_shell": "Give the account a shell (chsh -s /bin/sh USER), or use one that has it (e). nologin, false and git-shell run no probe.",
    "jump": "Mend the way to the jump host first: t on its row tests it.",
    "loop": "Edit the jump hosts (e): they lead in a circle, or there are too many of them.",
    "closed": "Look at sshd's log on the host (journalctl -u ssh): MaxStartups, DenyUsers, a full disk; or a firewall that cuts connections.",
    "no_probe": "The account must run commands in a shell: look for a forced command (authorized_keys, ForceCommand) or a login shell such as nologin.",
    "engine": "A fault of Guardian's own: the engine's log has its cause. Try again; if it stays, report it with that log.",
}
"""What to do about each kind of failure."""


_NO_SHELL = ("This account is currently not available", "git-shell", "git shell")
"""What nologin and git-shell say to any command; false says nothing."""


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
            ("probe", lambda: self._ask_probe(open_[0])),
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
        try:
            connection = await self._remote.open(target, parent)
        except ConnectFailed as error:
            if error.kind == "closed" and not target.jump and (words := await _unshared(target)):
                raise ConnectFailed("algorithms", f"No algorithm in common: {words}.") from error
            if error.kind == "auth":
                raise await self._what_it_takes(target, parent, error) from error
            raise
        open_.append(connection)
        return f"logged in as {target.user}, key {connection.fingerprint}"

    async def _what_it_takes(
        self, target: Target, parent: Connection | None, error: ConnectFailed
    ) -> ConnectFailed:
        """A refused login, with the ways that the server offers."""
        try:
            methods = await self._remote.auth_methods(target, parent)
        except (asyncssh.Error, OSError, TimeoutError):
            return error
        words = f"{error.detail} It takes {', '.join(methods) or 'nothing'}."
        by_password = target.credential == "ask" or "the password" in error.detail
        wanted = {"password", "keyboard-interactive"} if by_password else {"publickey"}
        return ConnectFailed("auth" if wanted & set(methods) else "auth_method", words)

    async def _ask_probe(self, connection: Connection) -> str:
        """Ask the probe; when something else answers, find out what."""
        try:
            return await self._probe(connection)
        except ConnectFailed as error:
            if error.kind != "no_probe":
                raise
            raise await _what_runs(connection, error) from error


async def _unshared(target: Target) -> str:
    """Algorithms of which the server shares none with us, in words: it may have closed the connection over that."""
    try:
        async with asyncio.timeout(STEP_SECONDS):
            return unshared(await offered_by(target.address, target.port), accepted())
    except (OSError, TimeoutError):
        return ""


async def _what_runs(connection: Connection, error: ConnectFailed) -> ConnectFailed:
    """Whether it is the shell that is missing, or a forced command that stands in the way."""
    try:
        done = await connection.run("echo guardian-$((6*7))", timeout=STEP_SECONDS, limit_bytes=4096)
    except ConnectFailed:
        return error
    said = safe((done.out.strip() or done.err.strip()).split(b"\n")[0], 120)
    if done.out.strip() == b"guardian-42":
        return error
    if done.exit_status and (not said or any(sign in said for sign in _NO_SHELL)):
        words = f"No shell runs there: a command ends with {done.exit_status}" + (
            f" and {said!r}" if said else ""
        )
        return ConnectFailed("no_shell", f"{words}. {error.detail}")
    return ConnectFailed("no_probe", f"{error.detail} Another command is forced: it answers {said!r} to any.")


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
    except (TimeoutError, OSError, UnicodeError) as failure:
        # of a name whose part is longer than a name's part may be, Python says that it can't be encoded
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
        except ConnectionResetError as error:
            raise ConnectFailed(
                "banned", f"what answers on port {target.port} resets the connection before a word"
            ) from error
        finally:
            writer.close()
    if not line:
        raise ConnectFailed(
            "closed", f"what answers on port {target.port} closes the connection without a word"
        )
    if line.startswith((b"Exceeded MaxStartups", b"Not allowed at this time")):
        raise ConnectFailed("banned", f"its sshd turns us away before the login: {safe(line.strip(), 80)}")
    if not line.startswith((b"SSH-2.0-", b"SSH-1.99-")):
        raise ConnectFailed(
            "not_ssh", f"what answers on port {target.port} is no SSH server: {safe(line[:BANNER_LIMIT], 80)}"
        )
    return safe(line.strip(), 80)
