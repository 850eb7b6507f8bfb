"""Shells on hosts: `shell.*`.  Each is one more channel on the connection for commands, belongs to the session that opened it, and ends with it.

What is typed is not kept: the audit log tells who opened a shell where, and how it ended.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, field, replace

import asyncssh

from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.facts import SessionEnded
from guardian_tui.engine.fleet.asked import host_asked
from guardian_tui.engine.fleet.inventory import Inventory, command_target
from guardian_tui.engine.remote.connections import Remote
from guardian_tui.engine.remote.failures import words_of
from guardian_tui.engine.remote.target import ConnectFailed, Target
from guardian_tui.engine.remote.terminal import Terminal
from guardian_tui.protocol import shells as wire
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import (
    AuditUnavailable,
    Conflict,
    HostUnavailable,
    NotFound,
    TooManyRequests,
)

log = logging.getLogger(__name__)

MOST_SHELLS = 64
MOST_OF_A_SESSION = 4
READ_SECONDS = 15.0
"""A read that has nothing to tell is answered after so long."""
UNREAD_SECONDS = 60.0
"""A shell that nobody reads is closed: its terminal is gone."""


@dataclass(slots=True, eq=False)
class _Shell:
    call: Call
    host_id: str
    host: str
    terminal: Terminal = field(default_factory=Terminal)
    read_at: float = field(default_factory=time.monotonic)
    readers: int = 0
    why: str = ""
    task: asyncio.Task[None] | None = None

    @property
    def session_id(self) -> str:
        return self.call.principal.session_id if self.call.principal else ""


class Shells:
    """Handlers of shells, and the shells that are open.

    Args:
        allowed: whether any is opened at all.
    """

    def __init__(self, inventory: Inventory, remote: Remote, *, allowed: bool) -> None:
        self._inventory = inventory
        self._remote = remote
        self._allowed = allowed
        self._open: dict[str, _Shell] = {}

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "shell.open": self.open, "shell.read": self.read, "shell.write": self.write, "shell.resize": self.resize,
            "shell.close": self.close,
        }  # fmt: skip

    def session_ended(self, fact: SessionEnded) -> None:
        """A session is over or locked, and its shells are (bus subscriber)."""
        for shell in self._open.values():
            if shell.session_id == fact.session_id:
                _end(shell, f"the session was {'locked' if fact.reason == 'locked' else 'ended'}")

    async def stop(self) -> None:
        """Close all, and have their ends recorded."""
        tasks = [shell.task for shell in self._open.values() if shell.task is not None]
        for shell in self._open.values():
            _end(shell, "the engine stops")
        await asyncio.gather(*tasks, return_exceptions=True)

    async def open(self, call: Call, request: wire.OpenShell) -> wire.Shell:
        """`shell.open`."""
        host = host_asked(self._inventory, call, request.host)
        if not self._allowed:
            raise Conflict("Shells are switched off in the settings of this engine: `shells` of [fleet].")
        target = command_target(host)
        if target is None:
            raise Conflict(
                "It is the engine's own machine: a shell there would be the engine's own account. Log in to it as yourself."
            )
        id, shell = secrets.token_hex(8), _Shell(call, host.id, host.spec.name)
        if len(self._open) >= MOST_SHELLS:
            raise TooManyRequests("The engine has as many shells open as it bears.", retry_after_seconds=5)
        theirs = [one for one in self._open.values() if not one.terminal.ended.is_set()]
        if sum(one.session_id == shell.session_id for one in theirs) >= MOST_OF_A_SESSION:
            raise TooManyRequests(
                f"This session has {MOST_OF_A_SESSION} shells open: close one first.", retry_after_seconds=5
            )
        self._open[id] = shell
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        shell.task = asyncio.create_task(
            self._keep(id, shell, target, request, opened), name=f"shell on {host.spec.name}"
        )
        call.body["as"] = target.user
        try:
            await asyncio.shield(opened)
        except asyncio.CancelledError:
            _end(shell, "it was given up")
            raise
        return wire.Shell(id=id, host=host.spec.name, user=target.user)

    async def _keep(
        self, id: str, shell: _Shell, target: Target, request: wire.OpenShell, opened: asyncio.Future[None]
    ) -> None:
        """Hold the connection for as long as the shell is open."""
        began = time.monotonic()
        try:
            async with self._remote.borrowed(target) as connection:
                await shell.terminal.open(connection, request.terminal, (request.columns, request.lines))
                opened.set_result(None)
                await _over(shell)
        except ConnectFailed as error:
            opened.set_exception(HostUnavailable(f"No shell on {shell.host}: {error.detail}"))
            return
        except (asyncssh.Error, OSError, TimeoutError) as error:
            words = words_of(error) or "it did not answer in time"
            more = "Its sshd may say PermitTTY no, or the key may run one command alone."
            opened.set_exception(Conflict(f"{shell.host} gives no shell in a terminal: {words}. {more}"))
            return
        finally:
            shell.terminal.close()
            if opened.cancelled() or not opened.done() or opened.exception() is not None:
                self._open.pop(id, None)
        await self._record_end(shell, time.monotonic() - began)
        # what it wrote last is still there for who reads it
        asyncio.get_running_loop().call_later(UNREAD_SECONDS, self._open.pop, id, None)

    async def _record_end(self, shell: _Shell, seconds: float) -> None:
        terminal = shell.terminal
        body = {
            "seconds": round(seconds), "typed_bytes": terminal.typed_bytes, "written_bytes": terminal.written_bytes, "why": _why(shell),
        }  # fmt: skip
        try:
            await shell.call.audit.record(
                replace(shell.call.entry("ok", target=shell.host, body=body), action="shell.end")
            )
        except AuditUnavailable:
            log.error("the end of a shell on %s could not be recorded", shell.host)

    def _mine(self, call: Call, id: str) -> _Shell:
        shell = self._open.get(id)
        if shell is not None and call.principal is not None and shell.session_id == call.principal.session_id:
            host = self._inventory.hosts.get(shell.host_id)
            if host is not None and call.sees(host.labels):
                return shell
            # it has other labels since, or they have other grants
            _end(shell, "the host is no longer theirs to see")
        raise NotFound("There is no such shell of yours: it has ended.")

    async def read(self, call: Call, request: wire.ShellRef) -> wire.ShellOutput:
        """`shell.read`: waits until there is something."""
        shell = self._mine(call, request.shell)
        shell.readers += 1
        try:
            data, ended = await shell.terminal.read(READ_SECONDS)
        finally:
            shell.readers -= 1
            shell.read_at = time.monotonic()
        if ended:
            self._open.pop(request.shell, None)
        return wire.ShellOutput(data=data, ended=ended, words=_why(shell) if ended else "")

    async def write(self, call: Call, request: wire.ShellInput) -> Done:
        """`shell.write`."""
        shell = self._mine(call, request.shell)
        if not shell.terminal.write(request.data):
            raise Conflict(
                f"{shell.host} takes nothing any more of what is typed: it hangs, or the way there does."
            )
        return Done()

    async def resize(self, call: Call, request: wire.ShellSize) -> Done:
        """`shell.resize`."""
        self._mine(call, request.shell).terminal.resize(request.columns, request.lines)
        return Done()

    async def close(self, call: Call, request: wire.ShellRef) -> Done:
        """`shell.close`."""
        _end(self._mine(call, request.shell), "it was closed")
        return Done()


def _end(shell: _Shell, why: str) -> None:
    shell.why = shell.why or why
    shell.terminal.close()


def _why(shell: _Shell) -> str:
    if shell.why:
        return shell.why
    status = shell.terminal.exit_status
    return "the connection was cut" if status is None else f"the shell ended with status {status}"


async def _over(shell: _Shell) -> None:
    """Wait until a shell has ended, or nobody reads it any more."""
    while not shell.terminal.ended.is_set():
        try:
            async with asyncio.timeout(UNREAD_SECONDS / 4):
                await shell.terminal.ended.wait()
        except TimeoutError:
            if not shell.readers and time.monotonic() - shell.read_at > UNREAD_SECONDS:
                _end(shell, "nobody read it any more")
