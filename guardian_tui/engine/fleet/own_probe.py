"""The probe on this machine: a child process that answers as any host's does."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from dataclasses import dataclass

from guardian_tui.engine.fleet import probe
from guardian_tui.engine.remote.here import Given, ended_of, signal_all

ANSWER_LIMIT_BYTES = 4 << 20
GONE_SECONDS = 2.0
"""What was killed is waited for so long."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class _Child:
    """A probe that runs, and what is said to and by it."""

    process: subprocess.Popen[bytes]
    ended: asyncio.Event
    questions: asyncio.WriteTransport
    answers: asyncio.StreamReader
    _heard: asyncio.ReadTransport

    @classmethod
    async def begin(cls) -> _Child:
        """Begin one, in a session of its own; as :func:`~guardian_tui.engine.remote.here.begin` does, and for the same reasons."""
        process = subprocess.Popen(  # noqa: ASYNC220, S603  # our own program, begun in a few milliseconds
            ["/bin/sh", "-c", probe.command()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True, bufsize=0, env={"PATH": _PATH}, cwd="/",
        )  # fmt: skip
        loop, ended, answers = (
            asyncio.get_running_loop(),
            ended_of(process),
            asyncio.StreamReader(limit=ANSWER_LIMIT_BYTES),
        )
        try:
            heard, _ = await loop.connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(answers), Given(process.stdout)
            )
            try:
                questions, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, Given(process.stdin))
            except BaseException:
                heard.close()
                raise
        except BaseException:
            signal_all(process.pid)
            raise
        return cls(process, ended, questions, answers, heard)

    def end(self) -> None:
        """Kill it, and all that it started."""
        if not self.ended.is_set():
            signal_all(self.process.pid)
        self.questions.close()
        self._heard.close()


class OwnProbe:
    """Asks this machine's probe, one question at a time.

    Args:
        kept: whether the process waits for the next question; else it ends with the answer.  To start one costs the engine more than to
            read many answers.
    """

    def __init__(self, *, kept: bool = False) -> None:
        self._kept = kept
        self._child: _Child | None = None
        self._seq = 0

    async def ask_patiently(self, request: str, name: str, seconds: float) -> bytes | None:
        """The answer's body; None if there is none in time."""
        try:
            return await self.ask(request, seconds)
        except (TimeoutError, OSError):
            return None

    async def ask(self, request: str, timeout_seconds: float) -> bytes:
        """The answer's body.

        Raises:
            TimeoutError: it did not answer in time.
            OSError: it could not be started, or sent more than is taken.
        """
        child, self._child = self._child, None
        if child is not None and child.ended.is_set():
            child.end()
            child = None
        child = child or await _Child.begin()
        whole = False
        try:
            answer = await self._answer(child, request, timeout_seconds)
            whole = True
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise OSError("this machine's probe gave no whole answer") from error
        finally:
            if whole and self._kept:
                self._child = child
            else:
                child.end()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(GONE_SECONDS):
                        await child.ended.wait()
        return answer

    async def _answer(self, child: _Child, request: str, timeout_seconds: float) -> bytes:
        self._seq += 1
        head, end = b"=%d 1\n" % self._seq, b".%d\n" % self._seq
        async with asyncio.timeout(timeout_seconds):
            child.questions.write(b"%d %s\n" % (self._seq, request.encode()))
            answer = await child.answers.readuntil(b"\n" + end)
        return answer.removeprefix(head).removesuffix(end)

    def close(self) -> None:
        """End the process that waits."""
        child, self._child = self._child, None
        if child is not None:
            child.end()
