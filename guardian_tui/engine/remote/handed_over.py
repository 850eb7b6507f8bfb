"""What a command on one host writes, handed over as the input of a command on another: a chunk at a time, as fast as the slower one takes it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import asyncssh

from guardian_tui.engine.remote.connections import Remote
from guardian_tui.engine.remote.failures import words_of
from guardian_tui.engine.remote.here import CHUNK_BYTES, begin, ended_of, reading, signal_all, writing
from guardian_tui.engine.remote.target import Target

WINDOW_BYTES = 1 << 20
"""Held of a command whose output is not taken fast enough."""
STALLED_SECONDS = 900.0
"""Either side may take so long for a chunk: a repository's index is read before its first byte comes."""
END_SECONDS = 300.0
"""A command that has nothing more to read or to write may take so long to end: a disk has to take what is still in memory."""
SAID_BYTES = 1 << 14


@dataclass(frozen=True, slots=True)
class Side:
    """A command on a host.

    Attributes:
        target: the way for commands; None: this machine.
        command: for the shell there.
        first: what it is fed before anything else.
        last: what it is fed after all.
    """

    target: Target | None
    command: str
    first: bytes = b""
    last: bytes = b""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """How both ended.

    Attributes:
        source: the exit status of what wrote; None: it told none, for its link was cut or a signal ended it.
        sink: the same of what was given it.
        refused: the sink took no more before all was written.
        words: why a link failed, or what took too long.
        out: what the sink wrote.
        source_said: the end of what one complained about.
        sink_said: and the other.
    """

    source: int | None
    sink: int | None
    refused: bool
    words: str
    out: bytes
    source_said: bytes
    sink_said: bytes


class _Reads(Protocol):
    async def read(self, n: int = -1, /) -> bytes: ...


class _Writes(Protocol):
    def write(self, data: bytes, /) -> None: ...

    async def drain(self) -> None: ...

    def write_eof(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Running:
    stdin: _Writes
    stdout: _Reads
    stderr: _Reads
    ended: Callable[[], Awaitable[int | None]]
    end: Callable[[], None]


@asynccontextmanager
async def _running(remote: Remote, side: Side) -> AsyncIterator[_Running]:
    """A command, ended when it is left."""
    if side.target is None:
        process = begin(side.command, LC_ALL="C")
        told = ended_of(process)

        async def over() -> int | None:
            await told.wait()
            return process.returncode

        try:
            async with (
                writing(process.stdin) as stdin,
                reading(process.stdout) as stdout,
                reading(process.stderr) as stderr,
            ):
                yield _Running(stdin, stdout, stderr, over, lambda: signal_all(process.pid, signal.SIGTERM))
        finally:
            signal_all(process.pid)
        return
    async with remote.borrowed(side.target) as connection:
        far: asyncssh.SSHClientProcess[bytes] = await connection.ssh.create_process(
            side.command, encoding=None, window=WINDOW_BYTES
        )

        async def ended() -> int | None:
            await far.wait_closed()
            return far.exit_status

        try:
            yield _Running(far.stdin, far.stdout, far.stderr, ended, far.terminate)
        finally:
            far.channel.abort()


async def hand_over(
    remote: Remote, source: Side, sink: Side, told: Callable[[int], None], stop: asyncio.Event
) -> HandedOver:
    """Run both to their ends, and hand over what one writes to the other.

    Args:
        remote: the connections.
        source: what writes.
        sink: what is given that as its input.
        told: called with the size of each chunk that was handed over.
        stop: ends both.

    Raises:
        ConnectFailed: a host can't be reached.
    """
    async with _running(remote, source) as one, _running(remote, sink) as other:
        moving = asyncio.create_task(_move((one, source), (other, sink), told))
        said = [asyncio.create_task(_end_of(pipe)) for pipe in (one.stderr, other.stderr, other.stdout)]
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait((moving, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not moving.done():
                moving.cancel()
                await asyncio.gather(moving, return_exceptions=True)
            refused, words = (False, "") if moving.cancelled() else moving.result()
            if refused or words or stop.is_set():
                # what is nobody's any more must not write on
                with contextlib.suppress(asyncssh.Error, OSError):
                    one.end()
            # what it wrote meanwhile is read and dropped: a channel that holds something is not closed
            said.append(asyncio.create_task(_end_of(one.stdout)))
            codes = [await _code(running) for running in (one, other)]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS):
                    await asyncio.wait(said)
            texts = [task.result() if task.done() and not task.exception() else b"" for task in said]
        finally:
            for task in (moving, stopped, *said):
                task.cancel()
            await asyncio.gather(moving, stopped, *said, return_exceptions=True)
    return HandedOver(codes[0], codes[1], refused, words, texts[2], texts[0], texts[1])


async def _move(
    source: tuple[_Running, Side], sink: tuple[_Running, Side], told: Callable[[int], None]
) -> tuple[bool, str]:
    """Whether the sink took no more before the end, and why nothing more came."""
    (one, wrote), (other, given) = source, sink
    try:
        one.stdin.write(wrote.first + wrote.last)
        one.stdin.write_eof()
        if not await _taken(other, given.first):
            return True, ""
        while data := await _chunk(one):
            if not await _taken(other, data):
                return True, ""
            told(len(data))
        if not await _taken(other, given.last):
            return True, ""
    except TimeoutError:
        return False, f"nothing was handed over for {STALLED_SECONDS:.0f} s"
    except (asyncssh.Error, OSError) as error:
        return False, words_of(error)
    finally:
        with contextlib.suppress(asyncssh.Error, OSError):
            other.stdin.write_eof()
    return False, ""


async def _chunk(one: _Running) -> bytes:
    async with asyncio.timeout(STALLED_SECONDS):
        return await one.stdout.read(CHUNK_BYTES)


async def _taken(other: _Running, data: bytes) -> bool:
    """Whether what reads took a chunk; not where it has ended."""
    try:
        other.stdin.write(data)
        async with asyncio.timeout(STALLED_SECONDS):
            await other.stdin.drain()
    except TimeoutError:
        raise
    except (asyncssh.Error, OSError):
        return False
    return True


async def _code(running: _Running) -> int | None:
    with contextlib.suppress(TimeoutError, asyncssh.Error, OSError):
        async with asyncio.timeout(END_SECONDS):
            code = await running.ended()
            return code if code is None or code >= 0 else None
    return None


async def _end_of(pipe: _Reads) -> bytes:
    kept = b""
    with contextlib.suppress(asyncssh.Error, OSError):
        while data := await pipe.read(CHUNK_BYTES):
            kept = (kept + data)[-SAID_BYTES:]
    return kept
