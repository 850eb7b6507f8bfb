"""The probe on this machine: a child process that answers as any host's does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from guardian_tui.engine.fleet import probe

ANSWER_LIMIT_BYTES = 4 << 20


class OwnProbe:
    """Asks this machine's probe one question; the process ends with the answer."""

    async def ask(self, request: str, timeout_seconds: float) -> bytes:
        """The answer's body.

        Raises:
            TimeoutError: it did not answer in time.
            OSError: it could not be started, or sent more than is taken.
        """
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", probe.command(), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL, start_new_session=True, env={"PATH": _PATH}, cwd="/", limit=ANSWER_LIMIT_BYTES,
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None  # noqa: S101  # both are pipes
        try:
            async with asyncio.timeout(timeout_seconds):
                process.stdin.write(f"1 {request}\n".encode())
                answer = await process.stdout.readuntil(b".1\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise OSError("this machine's probe gave no whole answer") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        return answer.removeprefix(b"=1 1\n").removesuffix(b".1\n")


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
