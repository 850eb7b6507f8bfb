"""A real restic with a repository, a folder to save and an adapter that drives it."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Place, RestoreOrder, Stage
from guardian_tui.protocol.backups import CheckLevel, JobSpec, Operation, Snapshot
from tests.support.restic_key import make_cheap
from tests.support.sshd import SshUser
from tests.support.stages import OnLine, Ran, Runner

PROGRAMS = ["restic", *filter(None, os.environ.get("GUARDIAN_RESTICS", "").split(":"))]
"""The installed one, and those of other versions whose paths are named there."""
PASSWORD = "correct horse"
SECONDS = 30.0
_MADE: dict[tuple[str, str], Path] = {}
"""A new repository, by program and user."""


def words(program: str) -> str:
    """Name of a test's variant."""
    return (
        program
        if program == "restic"
        else subprocess.check_output([program, "version"], text=True).split()[1]
    )


class Lab:
    """Where one test works.

    Attributes:
        folder: readable by everybody, so that an unprivileged user can work in it.
        source: a folder with three files.
        repository: path of a repository that was made.
        user: who runs the stages; empty: whoever runs the tests.
    """

    def __init__(self, program: str, user: SshUser | None = None) -> None:
        if shutil.which(program) is None:
            raise RuntimeError("restic is not installed (Debian: apt-get install restic)")
        self.folder = Path(tempfile.mkdtemp(prefix="restic-"))
        self.source, self.repository = self.folder / "data", self.folder / "repo"
        self.user = user.name if user is not None and os.geteuid() == 0 else ""
        shims, home = self.folder / "bin", self.folder / "home"
        for folder in (shims, home, self.source, self.source / "sub"):
            folder.mkdir()
        (shims / "restic").symlink_to(shutil.which(program) or program)
        for name in ("one", "two", "sub/three"):
            (self.source / name).write_text(f"{name}\n")
        if user is not None:
            for folder in (self.folder, home, self.source, self.source / "sub"):
                shutil.chown(folder, user.name)
        self.runner = Runner(
            adapter("restic"), home, {"RESTIC_PASSWORD": PASSWORD}, user=self.user,
            env={"PATH": f"{shims}:{os.environ['PATH']}"},
        )  # fmt: skip
        self.place = self.runner.place(self.repository, secrets={"RESTIC_PASSWORD": "secret:r"})
        self.adapter = self.runner.adapter
        self._make_repository()

    def _make_repository(self) -> None:
        """The first one of each version and user is made by the adapter; the others are its copies, since each takes restic a second of work."""
        key = str(Path(shutil.which("restic", path=str(self.folder / "bin")) or "").resolve()), self.user
        if key in _MADE:
            shutil.copytree(_MADE[key], self.repository)
        else:
            assert self.run("init", self.adapter.init(self.place)).verdict == "ok"
            make_cheap(self.repository, PASSWORD)
            kept = Path(tempfile.mkdtemp(prefix="restic-new-"))
            atexit.register(shutil.rmtree, kept, ignore_errors=True)
            _MADE[key] = Path(shutil.copytree(self.repository, kept / "repo"))
        if self.user:
            for folder, _, files in os.walk(self.repository):
                for path in (folder, *(os.path.join(folder, name) for name in files)):
                    shutil.chown(path, self.user)

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def job(self, **more: object) -> JobSpec:
        """One that saves :attr:`source`."""
        known = {"name": "web", "host": "web1", "repository": "repo", "sources": (str(self.source),)}
        return JobSpec(**{**known, **more})

    def run(
        self, operation: Operation, stages: Sequence[Stage], job: JobSpec | None = None, **more: OnLine
    ) -> Ran:
        return self.runner.run(operation, stages, job, **more)

    def backup(self, job: JobSpec | None = None, run_id: str = "r1", **more: OnLine) -> Ran:
        job = job or self.job()
        return self.run("backup", self.adapter.backup(self.place, job, run_id), job, **more)

    def restore(self, snapshot: str, *includes: str, target: Path | None = None) -> Ran:
        order = RestoreOrder(snapshot, includes, str(target or self.folder / "restored"))
        return self.run("restore", self.adapter.restore(self.place, order))

    def check(self, level: CheckLevel = "structure", part: tuple[int, int] = (1, 1)) -> Ran:
        return self.run("check", self.adapter.check(self.place, level, part))

    def unlock(self) -> Ran:
        return self.run("unlock", self.adapter.unlock(self.place))

    def snapshots(self, place: Place | None = None) -> list[Snapshot]:
        place = place or self.place
        ran = self.run("list", self.adapter.list(place))
        assert ran.verdict == "ok", ran
        return list(self.adapter.snapshots(place, ran.told))

    def restic(self, *argv: str) -> str:
        """Run it by hand."""
        return subprocess.run(
            [str(self.folder / "bin/restic"), f"--repo={self.repository}", *argv], check=True, capture_output=True, text=True,
            env={**os.environ, "RESTIC_PASSWORD": PASSWORD, "HOME": str(self.folder / "home")},
        ).stdout  # fmt: skip

    @contextmanager
    def locked(self) -> Iterator[subprocess.Popen[bytes]]:
        """A backup that goes on until it is killed, and holds its lock."""
        process = subprocess.Popen(
            [str(self.folder / "bin/restic"), f"--repo={self.repository}", "backup", "--stdin"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "RESTIC_PASSWORD": PASSWORD, "HOME": str(self.folder / "home")},
        )  # fmt: skip
        try:
            wait_for(lambda: any((self.repository / "locks").iterdir()))
            yield process
        finally:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


def wait_for(done: Callable[[], object], seconds: float = SECONDS) -> None:
    """Until ``done()`` is true."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
