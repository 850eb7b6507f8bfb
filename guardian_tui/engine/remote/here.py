"""Commands of this machine: begun, fed, read and waited for, with nothing of the engine's left open in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO

from guardian_tui.engine.environment import for_commands

CHUNK_BYTES = 1 << 16


def begin(command: str, **more: str) -> subprocess.Popen[bytes]:
    """Begin a command in a session of its own.

    Not asyncio's own: that tells of an end only when the pipes are empty, and who left the group may hold them for ever; and uvloop's leaves its ends
    of the pipes open in the command, so that whatever the command leaves running holds them, wherever its output goes.

    Args:
        command: for /bin/sh.
        more: further variables of its environment.
    """
    return subprocess.Popen(  # noqa: S603  # the command of whoever may run it
        ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, bufsize=0,
        env=for_commands(**more),
    )  # fmt: skip


def ended_of(process: subprocess.Popen[bytes]) -> asyncio.Event:
    """Set once it has ended; a thread waits for it."""
    told = asyncio.Event()
    threading.Thread(target=_reap, args=(process, asyncio.get_running_loop(), told), daemon=True).start()
    return told


def _reap(process: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop, told: asyncio.Event) -> None:
    process.wait()
    with contextlib.suppress(RuntimeError):
        # the loop may be closed by now
        loop.call_soon_threadsafe(told.set)


class Given:
    """An end of a pipe that a loop has from here on, and closes.

    uvloop closes the number that it was given, and then the object once more: by then another thread may have opened a file under that number, of the
    database say, and lost it.  So the object that it closes does nothing, and nobody else has one of that number.

    Args:
        pipe: closed here; a duplicate goes on.
    """

    def __init__(self, pipe: IO[bytes] | None) -> None:
        assert pipe is not None  # noqa: S101  # a pipe, by its maker
        self._number = os.dup(pipe.fileno())
        pipe.close()
        self._ours = isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop)

    def fileno(self) -> int:
        """The kernel's number of it."""
        return self._number

    def close(self) -> None:
        """Close it, if the loop leaves that to us."""
        number, self._number = self._number, -1
        if self._ours and number >= 0:
            os.close(number)


async def feed(pipe: IO[bytes] | None, data: bytes) -> None:
    """Write its input, and end it."""
    transport, _ = await asyncio.get_running_loop().connect_write_pipe(asyncio.BaseProtocol, Given(pipe))
    transport.write(data)
    # what is buffered is written before it is closed
    transport.close()


class Input:
    """The input of a command, written a chunk at a time, as fast as it takes it."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def write(self, data: bytes) -> None:
        """Write, or hold it until there is room.

        Raises:
            BrokenPipeError: the command takes no more.
        """
        if self._writer.is_closing():
            raise BrokenPipeError("the command takes no more")
        self._writer.write(data)

    async def drain(self) -> None:
        """Wait until not too much is held.

        Raises:
            OSError: the command takes no more.
        """
        await self._writer.drain()

    def write_eof(self) -> None:
        """End it; what is held is written before."""
        self._writer.close()


@asynccontextmanager
async def writing(pipe: IO[bytes] | None) -> AsyncIterator[Input]:
    """What is fed to it, as long as somebody feeds it."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(
        lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()), Given(pipe)
    )
    try:
        yield Input(asyncio.StreamWriter(transport, protocol, None, loop))
    finally:
        # one that is closing writes what it holds, or finds that nobody reads it
        if not transport.is_closing():
            transport.abort()


@asynccontextmanager
async def reading(pipe: IO[bytes] | None) -> AsyncIterator[asyncio.StreamReader]:
    """What it writes, as long as somebody reads."""
    reader = asyncio.StreamReader(limit=CHUNK_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), Given(pipe)
    )
    try:
        yield reader
    finally:
        transport.close()


def signal_all(group: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Signal a command, and all that it started and that did not leave its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
