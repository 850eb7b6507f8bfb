"""Commands on hosts, and on this machine, in one way: run to the end, bounded in time and in what they write."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from guardian_tui.engine.environment import for_commands
from guardian_tui.engine.remote.connections import Completed, Remote
from guardian_tui.engine.remote.followed import Ending, Hear, Stop, follow_here, follow_on
from guardian_tui.engine.remote.starting import started
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


async def run_here(command: str, *, timeout: float, limit_bytes: int, stdin: bytes = b"") -> Completed:
    """Run a command on this machine; it and what it started are killed when its time is over.

    Raises:
        ConnectFailed: it did not end in time.
    """
    process = await _started(command)
    assert process.stdin and process.stdout and process.stderr  # noqa: S101  # pipes, by the lines above
    complaints = asyncio.create_task(_read(process.stderr, ERROR_LIMIT_BYTES))
    try:
        async with asyncio.timeout(timeout):
            with contextlib.suppress(ConnectionError):
                process.stdin.write(stdin)
                process.stdin.write_eof()
            out, cut = await _read(process.stdout, limit_bytes)
            if cut:
                _kill(process.pid)
            err, _ = await complaints
            status = None if cut else await process.wait()
    except TimeoutError as error:
        raise ConnectFailed("timeout", f"The command did not end in {timeout:g} s.") from error
    finally:
        complaints.cancel()
        await _end(process)
    return Completed(status, out, err, cut)


async def _started(command: str) -> asyncio.subprocess.Process:
    start = asyncio.create_subprocess_exec(
        "/bin/sh", "-c", command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True, env=for_commands(LC_ALL="C"),
    )  # fmt: skip
    return await started(start, _end)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it, and all that it started."""
    assert process.stdin and process.stdout and process.stderr  # noqa: S101  # it was started with pipes
    _kill(process.pid)
    process.stdin.close()
    # its end is told only once its pipes are empty; who left the group may hold them for ever
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GONE_SECONDS):
            await asyncio.gather(_drain(process.stdout), _drain(process.stderr))
            await process.wait()


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass


async def _read(stream: asyncio.StreamReader, limit: int) -> tuple[bytes, bool]:
    kept = bytearray()
    while data := await stream.read(1 << 16):
        kept += data[: limit - len(kept)]
        if len(kept) >= limit:
            return bytes(kept), True
    return bytes(kept), False
