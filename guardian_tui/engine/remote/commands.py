"""Commands on hosts, and on this machine, in one way: run to the end, bounded in time and in what they write."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import IO

from guardian_tui.engine.remote.connections import Completed, Remote
from guardian_tui.engine.remote.followed import Ending, Hear, Stop, follow_here, follow_on
from guardian_tui.engine.remote.handed_over import HandedOver, Side, hand_over
from guardian_tui.engine.remote.here import CHUNK_BYTES, begin, ended_of, feed, reading, signal_all
from guardian_tui.engine.remote.target import ConnectFailed, Target

ERROR_LIMIT_BYTES = 1 << 16
GONE_SECONDS = 2.0
"""What was killed is waited for so long."""


class Commands:
    """Runs commands."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    async def run(
        self, target: Target | None, command: str, *, timeout: float, limit_bytes: int = 1 << 20, stdin: bytes = b""
    ) -> Completed:  # fmt: skip
        """Run a command to its end.

        Args:
            target: the way for commands; None: this machine.
            command: for the shell there; join argument lists with :func:`shlex.join`.
            timeout: seconds for all of it.
            limit_bytes: most output that is read; more ends the command.
            stdin: what it is fed.

        Raises:
            ConnectFailed: the host can't be reached, or the command did not end in time.
        """
        if target is None:
            return await run_here(command, timeout=timeout, limit_bytes=limit_bytes, stdin=stdin)
        async with self._remote.borrowed(target) as connection:
            return await connection.run(command, timeout=timeout, limit_bytes=limit_bytes, stdin=stdin)

    async def follow(
        self, target: Target | None, command: str, *, seconds: float, hear: Hear, stop: Stop, stdin: bytes = b""
    ) -> Ending:  # fmt: skip
        """Run a command, and hand on its output as it comes.

        Args:
            target: the way for commands; None: this machine.
            command: for the shell there.
            seconds: after so long it is told to end.
            hear: takes output; answers for how many seconds no more is read.
            stop: ends it before its time.
            stdin: what it is fed.

        Raises:
            ConnectFailed: the host can't be reached; nothing was run.
        """
        if target is None:
            return await follow_here(command, seconds=seconds, stdin=stdin, hear=hear, stop=stop)
        async with self._remote.borrowed(target) as connection:
            return await follow_on(connection, command, seconds=seconds, stdin=stdin, hear=hear, stop=stop)

    async def hand_over(
        self, source: Side, sink: Side, *, told: Callable[[int], None], stop: asyncio.Event
    ) -> HandedOver:
        """Run a command on one host, and hand what it writes over to one on another; see :func:`hand_over`.

        Raises:
            ConnectFailed: a host can't be reached.
        """
        return await hand_over(self._remote, source, sink, told, stop)


async def run_here(command: str, *, timeout: float, limit_bytes: int, stdin: bytes = b"") -> Completed:
    """Run a command on this machine; it and what it started are killed when its time is over.

    Raises:
        ConnectFailed: it did not end in time.
    """
    process = begin(command, LC_ALL="C")
    ended = ended_of(process)
    feeding = asyncio.create_task(feed(process.stdin, stdin))
    complaints = asyncio.create_task(_drained(process.stderr))
    try:
        async with asyncio.timeout(timeout):
            out, cut = await _read(process.stdout, limit_bytes)
            if cut:
                signal_all(process.pid)
            err = await complaints
            if not cut:
                await ended.wait()
    except TimeoutError as error:
        raise ConnectFailed("timeout", f"The command did not end in {timeout:g} s.") from error
    finally:
        # and all that it started
        signal_all(process.pid)
        for task in (feeding, complaints):
            task.cancel()
        await asyncio.gather(feeding, complaints, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GONE_SECONDS):
                await ended.wait()
    return Completed(None if cut else process.returncode, out, err, cut)


async def _read(pipe: IO[bytes] | None, limit: int) -> tuple[bytes, bool]:
    kept = bytearray()
    async with reading(pipe) as reader:
        while data := await reader.read(CHUNK_BYTES):
            kept += data[: limit - len(kept)]
            if len(kept) >= limit:
                return bytes(kept), True
    return bytes(kept), False


async def _drained(pipe: IO[bytes] | None) -> bytes:
    """The beginning of what it complains of; the rest is read too, or it would wait for somebody who does."""
    kept = bytearray()
    async with reading(pipe) as reader:
        while data := await reader.read(CHUNK_BYTES):
            kept += data[: ERROR_LIMIT_BYTES - len(kept)]
    return bytes(kept)
