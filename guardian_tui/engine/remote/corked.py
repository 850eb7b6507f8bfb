"""What makes asyncssh cheaper to send with: one system call for all that is written in one turn of the loop, and no packets that say nothing.

asyncssh writes an IGNORE packet before every packet, to be encrypted, sent, decrypted and dropped: a quarter of what a request costs us, and a
packet more for every host.  It guards against guessed initialisation vectors (RFC 4251, 9.3.1), which only CBC ciphers have; we offer none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import asyncssh

_MSG_IGNORE = 2
"""RFC 4253, 12."""


def say_no_more_than_needed(conn: asyncssh.SSHClientConnection) -> None:
    """Send no IGNORE packets on this connection; all ciphers that it may use must be ones that need none."""
    send = conn.send_packet

    # Any: handed on as it came
    def send_packet(pkttype: int, *args: bytes, **more: Any) -> None:
        if pkttype != _MSG_IGNORE:
            send(pkttype, *args, **more)

    conn.send_packet = send_packet  # type: ignore[method-assign]  # asyncssh makes its connections itself


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

    def write_at_once(self, data: bytes) -> None:
        """Send now what is likely to be all of this turn; behind what waits."""
        if self._waiting or self._transport.is_closing():
            self.write(data)
        else:
            self._transport.write(data)

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
        # told first: it may choose another way to receive, which the transport asks for once
        self._connection.connection_made(CorkedTransport(real, self._loop))
        real.set_protocol(self._connection)


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
