"""The probe on this machine: a child process that answers as any host's does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from guardian_tui.engine.fleet import probe
from guardian_tui.engine.remote.starting import started

ANSWER_LIMIT_BYTES = 4 << 20
GONE_SECONDS = 2.0
"""What was killed is waited for so long."""


class OwnProbe:
    """Asks this machine's probe, one question at a time.

    Args:
        kept: whether the process waits for the next question; else it ends with the answer.  To start one costs the engine more than to
            read many answers.
    """

    def __init__(self, *, kept: bool = False) -> None:
        self._kept = kept
        self._process: asyncio.subprocess.Process | None = None
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
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            process = await self._start()
        whole = False
        try:
            answer = await self._answer(process, request, timeout_seconds)
            whole = True
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise OSError("this machine's probe gave no whole answer") from error
        finally:
            if whole and self._kept:
                self._process = process
            else:
                await _ended(process)
        return answer

    async def _answer(
        self, process: asyncio.subprocess.Process, request: str, timeout_seconds: float
    ) -> bytes:
        assert process.stdin is not None and process.stdout is not None  # noqa: S101  # both are pipes
        self._seq += 1
        head, end = b"=%d 1\n" % self._seq, b".%d\n" % self._seq
        async with asyncio.timeout(timeout_seconds):
            process.stdin.write(b"%d %s\n" % (self._seq, request.encode()))
            answer = await process.stdout.readuntil(b"\n" + end)
        return answer.removeprefix(head).removesuffix(end)

    async def _start(self) -> asyncio.subprocess.Process:
        start = asyncio.create_subprocess_exec(
            "/bin/sh", "-c", probe.command(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL, start_new_session=True, env={"PATH": _PATH}, cwd="/", limit=ANSWER_LIMIT_BYTES,
        )  # fmt: skip
        return await started(start, _ended)

    def close(self) -> None:
        """End the process that waits."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    _end(process)
    assert process.stdout is not None  # noqa: S101  # a pipe
    # its end is told only once its pipe is empty
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GONE_SECONDS):
            while await process.stdout.read(1 << 16):
                pass
            await process.wait()


def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
