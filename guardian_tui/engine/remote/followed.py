"""Commands whose output is handed on as it comes, and which can be ended: on hosts, and on this machine.

A command has no terminal and an empty input, so that one that asks for something ends by itself.  How it ended is told apart from how the connection
fared: an exit status of 255 is the command's own, and a link that is cut leaves no status at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Literal

import asyncssh

from guardian_tui.engine.remote.connections import Connection
from guardian_tui.engine.remote.failures import words_of
from guardian_tui.engine.remote.here import CHUNK_BYTES, begin, ended_of, feed, reading, signal_all

GRACE_SECONDS = 5.0
"""Between TERM and KILL, and from there until it is given up."""
LINGER_SECONDS = 2.0
"""What a command left running may hold its output open: it is not listened to any longer than that."""
UNDER_WAY_BYTES = 8 << 20
"""Of what a command that has ended wrote, so much may still be under way while its output is held back; what it left running may write for ever."""
_LOOK_SECONDS = 0.1
WINDOW_BYTES = 256 << 10
"""Held of a command whose output is not read fast enough."""

Stream = Literal["out", "err"]
Hear = Callable[[Stream, bytes], float]
"""Takes output; answers how many seconds nothing more is read.  Then it is asked again, with no output at all."""
Why = Literal["exited", "signalled", "timeout", "stopped", "cut"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended.

    Attributes:
        exit_status: its own; None where it told none.
        signal: which one ended it, without ``SIG``.
        lingering: it left something running that holds its output.
        words: why the connection ended before it.
        left: it was told to end and gave no answer: it may still run.
    """

    why: Why
    exit_status: int | None = None
    signal: str = ""
    lingering: bool = False
    words: str = ""
    left: bool = False


class Stop:
    """Asks a command to end; one for as many as share their fate."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def ask(self) -> None:
        """End it."""
        self.asked.set()


class _Listening:
    """Hands output on, and knows when whoever takes it can take no more for a while.

    Args:
        hear: takes it.
    """

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._loop = asyncio.get_running_loop()
        self._held_until = 0.0
        self._bytes = 0

    def hear(self, stream: Stream, data: bytes) -> float:
        """Output; answers for how many seconds no more is to be read."""
        self._bytes += len(data)
        pause = self._hear(stream, data)
        self._held_until = max(self._held_until, self._loop.time() + pause)
        return pause

    async def to_the_end(self, ended: asyncio.Event, stop: Stop) -> None:
        """The command has ended: wait for what is under way, and no longer for what it left running.

        Time in which output is held back doesn't count: a flood from many hosts would lose its end.
        """
        left, most = LINGER_SECONDS, self._bytes + UNDER_WAY_BYTES
        while left > 0 and self._bytes <= most and not stop.asked.is_set():
            began, slice_seconds = self._loop.time(), min(_LOOK_SECONDS, left)
            if await _soon(ended, slice_seconds):
                return
            if self._held_until <= began:
                left -= slice_seconds


async def follow_on(
    connection: Connection, command: str, *, seconds: float, stdin: bytes, hear: Hear, stop: Stop
) -> Ending:
    """Run a command on a host.

    Args:
        connection: the host's.
        command: for the host's shell.
        seconds: after so long it is told to end.
        stdin: what it is fed before its input ends.
        hear: takes its output.
        stop: ends it before its time.
    """
    listening = _Listening(hear)
    session = _Hearing(listening.hear)
    try:
        async with asyncio.timeout(seconds):
            channel = await connection.open_channel(session, command, WINDOW_BYTES)
    except TimeoutError:
        return Ending("cut", words=f"the host did not begin it in {seconds:g} s")
    except (asyncssh.Error, OSError) as error:
        return Ending("cut", words=words_of(error))
    session.channel = channel
    try:
        with contextlib.suppress(asyncssh.Error, OSError):
            channel.write(stdin)
            channel.write_eof()
        why = await _wait(listening, session.ended, session.told, stop, seconds)
        if why == "exited":
            return session.ending()
        for name in ("TERM", "KILL"):
            with contextlib.suppress(asyncssh.Error, OSError):
                channel.send_signal(name)
            if await _soon(session.ended, GRACE_SECONDS) or session.status is not None or session.signal:
                return Ending(why, session.status, session.signal)
        return Ending(why, left=True)
    finally:
        channel.abort()


async def follow_here(command: str, *, seconds: float, stdin: bytes, hear: Hear, stop: Stop) -> Ending:
    """Run a command on this machine; see :func:`follow_on`."""
    process = begin(command)
    told, ended, listening = ended_of(process), asyncio.Event(), _Listening(hear)
    pumps = [
        asyncio.create_task(_pump(process.stdout, "out", listening.hear)),
        asyncio.create_task(_pump(process.stderr, "err", listening.hear)),
    ]
    feeding = asyncio.create_task(feed(process.stdin, stdin))
    listened = asyncio.create_task(_all_of(pumps, ended))
    try:
        why = await _wait(listening, ended, told, stop, seconds)
        if why == "exited":
            return _own(process.returncode, lingering=not ended.is_set())
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal_all(process.pid, number)
            if await _soon(told, GRACE_SECONDS):
                own = _own(process.returncode)
                return Ending(why, own.exit_status, own.signal)
        return Ending(why, left=True)
    finally:
        if not told.is_set():
            signal_all(process.pid)
        tasks = (feeding, listened, *pumps)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _own(code: int, *, lingering: bool = False) -> Ending:
    if code < 0:
        return Ending("signalled", signal=signal.Signals(-code).name[3:], lingering=lingering)
    return Ending("exited", code, lingering=lingering)


async def _wait(
    listening: _Listening, ended: asyncio.Event, told: asyncio.Event, stop: Stop, seconds: float
) -> Why:
    """Wait until a command ends, is to end, or its time is over; one that has ended is waited for a little while more, for its output."""
    over = asyncio.create_task(told.wait())
    stopped = asyncio.create_task(stop.asked.wait())
    try:
        await asyncio.wait((over, stopped), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if told.is_set():
            await listening.to_the_end(ended, stop)
            return "exited"
        return "stopped" if stop.asked.is_set() else "timeout"
    finally:
        over.cancel()
        stopped.cancel()


async def _soon(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()


async def _all_of(pumps: Sequence[asyncio.Task[None]], ended: asyncio.Event) -> None:
    await asyncio.wait(pumps)
    ended.set()


async def _pump(pipe: IO[bytes] | None, stream: Stream, hear: Hear) -> None:
    async with reading(pipe) as reader:
        while data := await reader.read(CHUNK_BYTES):
            pause = hear(stream, data)
            while pause:
                await asyncio.sleep(pause)
                pause = hear(stream, b"")


class _Hearing(asyncssh.SSHClientSession[bytes]):
    """Hands output on."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self.channel: asyncssh.SSHClientChannel[bytes] | None = None
        self.status: int | None = None
        self.signal = ""
        self.words = ""
        self.told = asyncio.Event()
        """It said how it ended, or the channel is closed."""
        self.ended = asyncio.Event()

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Output; more is read when it can be taken."""
        pause = self._hear("err" if datatype else "out", data)
        if pause and self.channel is not None:
            self.channel.pause_reading()
            asyncio.get_running_loop().call_later(pause, self._resume)

    def _resume(self) -> None:
        if self.channel is None or self.ended.is_set():
            return
        if pause := self._hear("out", b""):
            asyncio.get_running_loop().call_later(pause, self._resume)
        else:
            self.channel.resume_reading()

    def exit_status_received(self, status: int) -> None:
        """The command's own word."""
        self.status = status
        self.told.set()

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        """A signal ended it."""
        self.signal = signal
        self.told.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed."""
        if exc is not None:
            self.words = words_of(exc)
        self.told.set()
        self.ended.set()

    def ending(self) -> Ending:
        """How it ended, by what was heard."""
        lingering = not self.ended.is_set()
        if self.signal:
            return Ending("signalled", signal=self.signal, lingering=lingering)
        if self.status is not None:
            return Ending("exited", self.status, lingering=lingering)
        return Ending("cut", words=self.words or "the channel was closed")
