"""The connection doctor: why a host can or can't be reached, step by step, and what to do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.connections import Remote, words_of
from guardian_tui.engine.remote.target import ConnectFailed, Target
from guardian_tui.protocol.fleet import DoctorReport, DoctorStep
from guardian_tui.text import safe

STEP_SECONDS = 10.0
BANNER_LIMIT = 255

_ADVICE = {
    "key_unknown": "Compare the fingerprint with one from the host itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then accept it with K.",
    "key_changed": "If the host was set up anew, compare and accept with K. If not, somebody stands between: do not accept.",
    "no_credential": "Attach with an ssh-agent, or edit the host (e) and give it a key file or a secret of the vault.",
    "auth": "Check the user, and that our public key stands in its ~/.ssh/authorized_keys.",
    "vault_locked": "Log in once: that opens the vault.",
}


class Doctor:
    """Tests a way to a host without touching the connection that is in use."""

    def __init__(self, remote: Remote, live: Live) -> None:
        self._remote = remote
        self._live = live

    async def examine(self, target: Target) -> DoctorReport:
        """Name, port, banner, key and login, shell; stops at the first that fails."""
        steps: list[DoctorStep] = []
        advice = ""

        async def step(name: str, work: Callable[[], Awaitable[str]]) -> bool:
            nonlocal advice
            started = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(STEP_SECONDS + 5):
                    words, ok = await work(), True
            except ConnectFailed as error:
                words, ok, advice = error.detail, False, _ADVICE.get(error.kind, "")
            except TimeoutError:
                words, ok = "no answer in time: a firewall, or the host hangs", False
            except OSError as error:
                words, ok = words_of(error), False
            seconds = asyncio.get_running_loop().time() - started
            steps.append(DoctorStep(name=name, ok=ok, words=words, seconds=round(seconds, 3)))
            return ok

        direct = not target.jump
        ok = True
        if direct:
            ok = await step("name", lambda: _resolve(target))
            ok = ok and await step("port and banner", lambda: _banner(target))
        else:
            ok = await step("jump hosts", lambda: self._jumps(target))
        if ok:
            ok = await step("key and login", lambda: self._login(target))
        question = self._live.questions.get(f"{target.host_id}-key")
        return DoctorReport(ok=ok, steps=tuple(steps), advice=advice, question=question)

    async def _jumps(self, target: Target) -> str:
        await self._remote.connection(target.jump[-1])
        return " → ".join(hop.name for hop in target.jump)

    async def _login(self, target: Target) -> str:
        parent = await self._remote.connection(target.jump[-1]) if target.jump else None
        connection = await self._remote.open(target, parent)
        try:
            done = await connection.run("echo guardian", timeout=STEP_SECONDS, limit_bytes=4096)
            if done.out.strip() != b"guardian":
                return f"logged in as {target.user}; its shell does not run commands (a forced command?)"
        finally:
            connection.close()
        return f"logged in as {target.user}, key {connection.fingerprint}"


async def _resolve(target: Target) -> str:
    loop = asyncio.get_running_loop()
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
    if not line.startswith(b"SSH-2.0-"):
        raise ConnectFailed(
            "not_ssh", f"what answers on port {target.port} is no SSH server: {safe(line[:BANNER_LIMIT], 80)}"
        )
    return safe(line.strip(), 80)
