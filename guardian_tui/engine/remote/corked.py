"""A TCP way for asyncssh that sends what is written in one turn of the loop with one system call.

asyncssh writes an IGNORE packet before every packet, each on its own: two system calls for every request of a poll, which are half of
what a poll costs us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast


class CorkedTransport(asyncio.Transport):
    """Gathers writes until the loop's next turn, then hands them on in one piece."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, soon."""
        if not self._waiting:
            self._loop.call_soon(self._uncork)
        self._waiting.append(bytes(data))

    def _uncork(self) -> None:
        waiting = self._waiting
        if waiting and not self._transport.is_closing():
            self._transport.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))
        waiting.clear()

    def abort(self) -> None:
        """End at once."""
        self._waiting.clear()
        self._transport.abort()

    def close(self) -> None:
        """Send what waits, and end."""
        self._uncork()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it has ended or is about to."""
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # Any: as asyncio has it
        """What the system knows of the connection."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Take no more until :meth:`resume_reading`."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on after :meth:`pause_reading`."""
        self._transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Bytes that wait to be sent."""
        return self._transport.get_write_buffer_size() + sum(map(len, self._waiting))


class _Introducer(asyncio.Protocol):
    """Hands its connection a corked transport, and leaves."""

    def __init__(self, connection: asyncio.Protocol, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._loop = loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The way is open."""
        real = cast(asyncio.Transport, transport)
        real.set_protocol(self._connection)
        self._connection.connection_made(CorkedTransport(real, self._loop))


class CorkedTcp:
    """Opens TCP connections; what asyncssh calls a tunnel."""

    async def create_connection(
        self, factory: Callable[[], asyncio.Protocol], host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        """Connect, and let what ``factory`` makes speak.

        Raises:
            OSError: it could not be reached.
        """
        loop = asyncio.get_running_loop()
        connection = factory()
        transport, _ = await loop.create_connection(lambda: _Introducer(connection, loop), host, port)
        return transport, connection
