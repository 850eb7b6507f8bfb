"""A shell in a terminal on a host: what it writes is held until somebody reads it, and no more than fits."""

from __future__ import annotations

import asyncio

import asyncssh

from guardian_tui.engine.remote.connections import Connection

HELD_BYTES = 256 << 10
"""Written and not read yet: then the host has to wait."""
READ_BYTES = 64 << 10
TYPED_AHEAD_BYTES = 1 << 20
"""Typed and not taken by the host yet."""
OPEN_SECONDS = 20.0


class Terminal(asyncssh.SSHClientSession[bytes]):
    """One end of it."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._news = asyncio.Event()
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._paused = False
        self.ended = asyncio.Event()
        self.exit_status: int | None = None
        self.written_bytes = 0
        self.typed_bytes = 0

    async def open(self, connection: Connection, name: str, size: tuple[int, int]) -> None:
        """Start the shell.

        Raises:
            asyncssh.Error, OSError, TimeoutError: it could not be started.
        """
        async with asyncio.timeout(OPEN_SECONDS):
            self._channel = await connection.open_terminal(self, name, size, HELD_BYTES)

    # --- called by asyncssh ------------------------------------------------------------------------

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """It has written."""
        self._held += data
        self.written_bytes += len(data)
        self._news.set()
        if len(self._held) >= HELD_BYTES and self._channel is not None and not self._paused:
            self._paused = True
            self._channel.pause_reading()

    def exit_status_received(self, status: int) -> None:
        """The shell's own word."""
        self.exit_status = status

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self.ended.set()
        self._news.set()

    # --- called by who uses it -----------------------------------------------------------------------

    async def read(self, seconds: float) -> tuple[bytes, bool]:
        """What was written since, waited for at most so long, and whether that was all."""
        if not self._held and not self.ended.is_set():
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                return b"", False
        data = bytes(self._held[:READ_BYTES])
        del self._held[:READ_BYTES]
        if self._paused and self._channel is not None and len(self._held) < HELD_BYTES // 2:
            self._paused = False
            self._channel.resume_reading()
        return data, self.ended.is_set() and not self._held

    def write(self, data: bytes) -> bool:
        """Type; False: the host takes nothing any more of what was typed before."""
        if self._channel is None or self.ended.is_set():
            return True
        if self._channel.get_write_buffer_size() > TYPED_AHEAD_BYTES:
            return False
        self.typed_bytes += len(data)
        self._channel.write(data)
        return True

    def resize(self, columns: int, lines: int) -> None:
        """The terminal has another size."""
        if self._channel is not None and not self.ended.is_set():
            self._channel.change_terminal_size(columns, lines)

    def close(self) -> None:
        """Hang up."""
        if self._channel is not None:
            self._channel.abort()
        self.connection_lost(None)
