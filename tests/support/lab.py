"""Where a test of an adapter works: a real program, a repository, a folder to save, and the adapter that drives it."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Capabilities, Place, RestoreOrder, Stage
from guardian_tui.protocol.backups import JobSpec, Operation, Snapshot
from tests.support.sshd import SshUser
from tests.support.stages import OnLine, Ran, Runner

SECONDS = 30.0
PASSWORD = "correct horse"
_ABLE: dict[str, Capabilities] = {}
"""What a program can do: Borg takes a third of a second to say it."""
_MADE: dict[str, Path] = {}
"""A new repository and what its program remembers of it, by program."""


class EngineLab:
    """Where one test works.

    Attributes:
        folder: readable by everybody, so that an unprivileged user can work in it.
        source: a folder with three files.
        repository: path of a repository that was made.
        user: who runs the stages; empty: whoever runs the tests.
    """

    engine: ClassVar[str]
    package: ClassVar[str]
    secret: ClassVar[str]
    """The variable that holds the password."""
    repository_name: ClassVar[str] = "repo"

    def __init__(self, program: str, user: SshUser | None = None) -> None:
        found = shutil.which(program)
        if found is None:
            raise RuntimeError(f"{self.engine} is not installed (Debian: apt-get install {self.package})")
        self.program = os.path.realpath(found)
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.engine}-"))
        self.source, self.repository = self.folder / "data", self.folder / self.repository_name
        self.user = user.name if user is not None and os.geteuid() == 0 else ""
        shims, home = self.folder / "bin", self.folder / "home"
        for folder in (shims, home, self.source, self.source / "sub"):
            folder.mkdir()
        (shims / self.engine).symlink_to(found)
        for name in ("one", "two", "sub/three"):
            (self.source / name).write_text(f"{name}\n")
        if user is not None:
            for folder in (self.folder, home, self.source, self.source / "sub"):
                shutil.chown(folder, user.name)
        self.runner = Runner(
            adapter(self.engine), home, {self.secret: PASSWORD}, user=self.user, env={"PATH": f"{shims}:{os.environ['PATH']}"}
        )  # fmt: skip
        self.place = self.runner.place(
            self.repository, secrets={self.secret: "secret:r"}, able=_ABLE.get(self.program)
        )
        _ABLE[self.program] = self.place.capabilities
        self.adapter = self.runner.adapter
        self._make_repository()

    def _make_repository(self) -> None:
        """The first one of each program is made by the adapter; the others are its copies, since each takes a second of work."""
        if self.program in _MADE:
            self.take(_MADE[self.program])
            return
        ran = self.run("init", self.adapter.init(self.place))
        assert ran.verdict == "ok", ran
        kept = Path(tempfile.mkdtemp(prefix=f"{self.engine}-new-"))
        atexit.register(shutil.rmtree, kept, ignore_errors=True)
        self.keep(kept)
        _MADE[self.program] = kept

    def keep(self, kept: Path) -> None:
        """Copy the new repository."""
        shutil.copytree(self.repository, kept / "repo")

    def take(self, kept: Path) -> None:
        """Have a copy of the new repository as our own."""
        shutil.copytree(kept / "repo", self.repository)
        self.own(self.repository)

    def own(self, top: Path) -> None:
        """Give a folder to whoever runs the stages."""
        if self.user:
            for folder, _, files in os.walk(top):
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

    def unlock(self) -> Ran:
        return self.run("unlock", self.adapter.unlock(self.place))

    def snapshots(self, place: Place | None = None) -> list[Snapshot]:
        place = place or self.place
        ran = self.run("list", self.adapter.list(place))
        assert ran.verdict == "ok", ran
        return list(self.adapter.snapshots(place, ran.told))


def wait_for(done: Callable[[], object], seconds: float = SECONDS) -> None:
    """Until ``done()`` is true."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
