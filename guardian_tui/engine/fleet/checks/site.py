"""Where a check is made: how it gets to a port, runs a command, and learns a secret."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from guardian_tui.engine.clock import Clock
from guardian_tui.engine.fleet.checks.result import Failed, Unsure
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.connections import Completed, Remote
from guardian_tui.engine.remote.forward import Forward, forwarded
from guardian_tui.engine.remote.target import ConnectFailed, Target
from guardian_tui.protocol.checks import Where
from guardian_tui.text import safe

READ_LIMIT_BYTES = 1 << 16
OUTPUT_LIMIT_BYTES = 1 << 20
ERROR_LIMIT_BYTES = 1 << 16
GONE_SECONDS = 2.0
"""How long a command that was killed is waited for."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Way:
    """The way to one port: straight there, or through a Unix socket that a forward serves."""

    address: str
    port: int
    forward: Forward | None = None

    @property
    def path(self) -> str | None:
        """The Unix socket to connect to instead of the address."""
        return str(self.forward.path) if self.forward else None

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None = None, name: str = "") -> AsyncIterator[Stream]:
        """A connection, closed at the end; ``name`` is the server's for TLS."""
        server_hostname = (name or self.address) if tls else None
        if self.path:
            reader, writer = await asyncio.open_unix_connection(
                self.path, ssl=tls, server_hostname=server_hostname, limit=READ_LIMIT_BYTES
            )
            # our end stands at once; it is the host's end that counts
            assert self.forward is not None  # noqa: S101  # there is a path
            await self.forward.settled.wait()
            if self.forward.refused:
                writer.transport.abort()
                raise ConnectionRefusedError(self.forward.refused)
        else:
            reader, writer = await asyncio.open_connection(
                self.address, self.port, ssl=tls, server_hostname=server_hostname, limit=READ_LIMIT_BYTES
            )
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


@dataclass(slots=True)
class Site:
    """All that a run is given of the outside.

    Attributes:
        address: the host's own, for kinds that name none.
        target: the way to the host by SSH; None for the engine's own machine.
        command_target: the way to it for commands, which may log in with another credential.
        memory: what the check remembers from run to run (JSON values); kept over restarts.
        reaching: we are still on the way to the host: silence now is no answer of what is checked.
    """

    address: str
    target: Target | None
    command_target: Target | None
    where: Where
    timeout_seconds: float
    remote: Remote
    resolve: Callable[[str], Awaitable[str]]
    clock: Clock
    plugin_folders: tuple[str, ...] = ()
    memory: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
    reaching: bool = False

    def default_address(self, given: str) -> str:
        """The address to connect to: the one given, else the host's own (its loopback through a forward)."""
        if given:
            return given
        return "127.0.0.1" if self.where == "forward" else self.address

    async def secret(self, reference: str) -> str:
        """The secret that a reference names; empty for none."""
        return await self.resolve(reference) if reference else ""

    @asynccontextmanager
    async def way(self, address: str, port: int, *, name: str = "port") -> AsyncIterator[Way]:
        """The way to a port, for as long as the block lasts.

        Raises:
            Failed: nobody listens there, as the host's side says.
            Unsure: the host's sshd does not let us through.
            ConnectFailed: the host itself can't be reached.
        """
        if self.where != "forward" or self.target is None:
            yield Way(address, port)
            return
        self.reaching = True
        connection = await self.remote.connection(self.target)
        self.reaching = False
        async with forwarded(connection, address, port, name=name) as forward:
            try:
                yield Way(address, port, forward)
            except (TimeoutError, asyncio.CancelledError):
                raise
            except Exception as error:
                # our end only sees a connection that closes
                if forward.prohibited:
                    raise Unsure(f"the host does not forward it: {forward.refused}") from error
                if forward.refused:
                    raise Failed(forward.refused) from error
                raise

    async def run(
        self, command: str, *, stdin: bytes = b"", limit_bytes: int = OUTPUT_LIMIT_BYTES
    ) -> Completed:
        """Run a command on the host by its shell.

        Raises:
            Unsure: it did not end in time.
            ConnectFailed: the host can't be reached.
        """
        self.reaching = True
        try:
            return await Commands(self.remote).run(
                self.command_target,
                command,
                timeout=self.timeout_seconds,
                limit_bytes=limit_bytes,
                stdin=stdin,
            )
        except ConnectFailed as error:
            if self.command_target is None:
                raise Unsure(error.detail) from error
            raise


async def read_some(reader: asyncio.StreamReader, limit: int = READ_LIMIT_BYTES) -> bytes:
    """What comes next, at most ``limit`` bytes; empty at the end."""
    return await reader.read(limit)


async def read_line(reader: asyncio.StreamReader) -> bytes:
    """A line without its end.

    Raises:
        Failed: the line is too long, or the connection was closed before one came.
    """
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.LimitOverrunError as error:
        raise Failed("it sends a line without an end") from error
    except asyncio.IncompleteReadError as error:
        if error.partial:
            return error.partial.rstrip(b"\r\n")
        raise Failed("it closed the connection without a word") from error
    return line.rstrip(b"\r\n")


def ended_well(done: Completed, what: str) -> str:
    """The output of a command that must succeed, as text.

    Raises:
        Unsure: it failed; says how.
    """
    if done.exit_status != 0:
        words = safe(done.err or done.out, 200).strip() or f"exit status {done.exit_status}"
        raise Unsure(f"{what} failed: {words}")
    return done.out.decode("utf-8", "replace")


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """So far."""
        return time.perf_counter() - self._began
