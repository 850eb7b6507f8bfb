"""Runs the stages that an adapter of a backup engine made, as whoever runs them on a host would, and has it judge them."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from guardian_tui.engine.backups.engines.base import (
    Adapter,
    Capabilities,
    Event,
    Judgement,
    Place,
    Stage,
    StageEnd,
    Stream,
    Summary,
    Warned,
)
from guardian_tui.protocol.backups import JobSpec, Operation, Progress, RepositorySpec

TAIL_LINES = 20
NOT_FOUND = 127
SIGNALLED = 128

_LINE = re.compile(rb"(?<=[\r\n])")

OnLine = Callable[["subprocess.Popen[bytes]", bytes, Stream], None]
"""Called with each line of a stage's own command while it runs: to signal it at a known point.  The process leads a process group."""


@dataclass
class Ran:
    """What came of running stages.

    Attributes:
        ends: of the stages that ran, in order.
        events: all that the adapter read, progress too.
        out: the bytes that each stage wrote to its standard output.
        err: the same of standard error, the source's too.
    """

    ends: list[StageEnd] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    out: dict[str, bytes] = field(default_factory=dict)
    err: dict[str, bytes] = field(default_factory=dict)
    judgement: Judgement = field(default_factory=lambda: Judgement("failed", "not judged"))

    @property
    def verdict(self) -> str:
        return self.judgement.verdict

    @property
    def words(self) -> str:
        """All that a person is told."""
        return f"{self.judgement.words} {self.judgement.advice}"

    @property
    def summaries(self) -> list[Summary]:
        return [event for event in self.events if isinstance(event, Summary)]

    @property
    def summary(self) -> Summary:
        """The only one."""
        (summary,) = self.summaries
        return summary

    @property
    def warnings(self) -> list[str]:
        return [event.words for event in self.events if isinstance(event, Warned)]

    @property
    def told(self) -> bytes:
        """Standard output of all stages."""
        return b"".join(self.out.values())

    def __str__(self) -> str:
        return f"{self.judgement}\n{self.ends}\n" + "\n".join(
            f"{name}:\n{self.out[name][-2000:]!r}\n{self.err[name][-2000:]!r}" for name in self.out
        )


class Runner:
    """Runs an adapter's stages on this machine.

    Args:
        adapter: whose stages they are.
        secrets: environment variables that hold secrets, or point to what does; the runner hands them to each stage.
        home: home folder (caches of the engines) and the place where stages without a folder run.
        user: who runs them; empty: whoever runs the tests.
        env: more of the environment.
    """

    def __init__(
        self,
        adapter: Adapter,
        home: Path,
        secrets: Mapping[str, str] | None = None,
        *,
        user: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.adapter = adapter
        self.home = home
        self.secrets = dict(secrets or {})
        self.user = user
        self.env = dict(env or {})

    def place(
        self,
        location: str | Path,
        *,
        name: str = "repo",
        lock_wait_seconds: float = 0.0,
        able: Capabilities | None = None,
        **spec: object,
    ) -> Place:
        """A repository at ``location``.

        Args:
            able: what the program can do; it is asked where that is not known.
            spec: more of its :class:`RepositorySpec`.
        """
        if able is None:
            probed = subprocess.run(
                self.adapter.probe(), env=self._env({}), capture_output=True, check=False, timeout=30
            )
            able = self.adapter.capabilities(probed.returncode, probed.stdout.decode())
        assert able.version, able.words
        repository = RepositorySpec(
            name=name, engine=self.adapter.name, location=str(location), host="", **spec
        )
        return Place(repository, able, lock_wait_seconds)

    def run(
        self,
        operation: Operation,
        stages: Sequence[Stage],
        job: JobSpec | None = None,
        *,
        on_line: OnLine | None = None,
        timeout: float = 90.0,
    ) -> Ran:
        """Run ``stages`` as the contract says: a failed one ends the run but for those that run always; then judge."""
        ran = Ran()
        failed = False
        for stage in stages:
            if failed and not stage.always:
                continue
            end = self._stage(operation, stage, ran, on_line, timeout)
            ran.ends.append(end)
            failed = failed or end.exit_code not in stage.exit_codes
            failed = failed or (end.source_code != 0 and not stage.source_may_fail)
        kept = [event for event in ran.events if not isinstance(event, Progress)]
        ran.judgement = self.adapter.verdict(operation, job, ran.ends, kept)
        return ran

    def _env(self, more: Mapping[str, str]) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TZ": "America/New_York",  # nobody may take local time for UTC
            **self.env,
            **more,
            **self.secrets,
        }

    def _start(
        self, argv: Sequence[str], stage: Stage, stdin: int | IO[bytes]
    ) -> subprocess.Popen[bytes] | None:
        env = self._env(stage.env)
        program = shutil.which(argv[0], path=env["PATH"])
        if program is None:
            return None
        return subprocess.Popen(
            argv,
            executable=program,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd=stage.folder or self.home,
            user=self.user or None,
            group=self.user or None,
            extra_groups=() if self.user else None,
            start_new_session=True,
            # as on a host: a shell's background jobs, of which the tests may be one, ignore it
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )

    def _stage(
        self, operation: Operation, stage: Stage, ran: Ran, on_line: OnLine | None, timeout: float
    ) -> StageEnd:
        source = self._start(stage.source, stage, subprocess.DEVNULL) if stage.source else None
        if stage.source and source is None:
            ran.out[stage.name] = ran.err[stage.name] = b""
            return StageEnd(stage.name, 0, NOT_FOUND, f"{stage.source[0]}: not found")
        process = self._start(stage.argv, stage, source.stdout if source else subprocess.DEVNULL)
        if source is not None:
            assert source.stdout is not None
            source.stdout.close()  # or a source whose reader died would never notice
        if process is None:
            ran.out[stage.name] = ran.err[stage.name] = b""
            return StageEnd(stage.name, NOT_FOUND, 0, f"{stage.argv[0]}: not found")
        lines: queue.Queue[tuple[Stream, bytes, bool] | None] = queue.Queue()
        readers = [
            _reader(process.stdout, "out", True, lines),
            _reader(process.stderr, "err", True, lines),
            *([_reader(source.stderr, "err", False, lines)] if source else []),
        ]
        out, err, left = [], [], len(readers)
        try:
            while left:
                item = lines.get(timeout=timeout)
                if item is None:
                    left -= 1
                    continue
                stream, line, own = item
                (out if stream == "out" else err).append(line)
                if own and on_line is not None:
                    on_line(process, line, stream)
                if own and stage.told:
                    event = self.adapter.parse(operation, stage.name, line.rstrip(b"\r\n"), stream)
                    ran.events += [event] if event is not None else []
            code = process.wait(timeout)
            source_code = source.wait(timeout) if source else 0
        finally:
            for one in (process, *([source] if source else [])):
                one.kill()
                one.wait()
        ran.out[stage.name] = ran.out.get(stage.name, b"") + b"".join(out)
        ran.err[stage.name] = ran.err.get(stage.name, b"") + b"".join(err)
        tail = b"".join(err[-TAIL_LINES:]).decode("utf-8", "backslashreplace")
        return StageEnd(stage.name, _as_shell(code), _as_shell(source_code), tail)


def _as_shell(code: int) -> int:
    """A death by signal, as a shell counts it."""
    return code if code >= 0 else SIGNALLED - code


def _reader(
    pipe: IO[bytes] | None,
    stream: Stream,
    own: bool,
    lines: queue.Queue[tuple[Stream, bytes, bool] | None],
) -> threading.Thread:
    assert pipe is not None

    def read() -> None:
        left = b""
        with pipe:
            # a program that tells how far it is ends lines with a return: they are heard when they are written
            while data := os.read(pipe.fileno(), 1 << 16):
                *whole, left = _LINE.split(left + data)
                for line in whole:
                    lines.put((stream, line, own))
        if left:
            lines.put((stream, left, own))
        lines.put(None)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread
