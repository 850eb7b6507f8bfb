"""A real Borg with a repository, a folder to save and an adapter that drives it."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Capabilities, Place, RestoreOrder, Stage
from guardian_tui.protocol.backups import JobSpec, Operation, Snapshot
from tests.support.sshd import SshUser
from tests.support.stages import OnLine, Ran, Runner

PROGRAMS = ["borg", *filter(None, os.environ.get("GUARDIAN_BORGS", "").split(":"))]
"""The installed one, and those of other versions whose paths are named there."""
PASSPHRASE = "correct horse"
_ABLE: dict[str, Capabilities] = {}
"""What a program can do: to ask it takes a third of a second."""
_MADE: dict[str, Path] = {}
"""A new repository and what Borg remembers of it, by program."""


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
            raise RuntimeError("Borg is not installed (Debian: apt-get install borgbackup)")
        self.folder = Path(tempfile.mkdtemp(prefix="borg-"))
        self.source, self.repository = self.folder / "data", self.folder / "repo of mine"
        self.user = user.name if user is not None and os.geteuid() == 0 else ""
        shims, home = self.folder / "bin", self.folder / "home"
        for folder in (shims, home, self.source, self.source / "sub"):
            folder.mkdir()
        (shims / "borg").symlink_to(shutil.which(program) or program)
        for name in ("one", "two", "sub/three"):
            (self.source / name).write_text(f"{name}\n")
        if user is not None:
            for folder in (self.folder, home, self.source, self.source / "sub"):
                shutil.chown(folder, user.name)
        self.runner = Runner(
            adapter("borg"), home, {"BORG_PASSPHRASE": PASSPHRASE}, user=self.user,
            env={"PATH": f"{shims}:{os.environ['PATH']}"},
        )  # fmt: skip
        self.program = os.path.realpath(shutil.which(program) or "")
        self.place = self.runner.place(
            self.repository, secrets={"BORG_PASSPHRASE": "secret:b"}, able=_ABLE.get(self.program)
        )
        _ABLE[self.program] = self.place.capabilities
        self.adapter = self.runner.adapter
        self._make_repository()

    def _make_repository(self) -> None:
        """The first one of each version is made by the adapter; the others are its copies, since each takes Borg half a second of work."""
        known = Path(".config/borg/security")
        home, kept = self.runner.home, _MADE.get(self.program)
        if kept is None:
            ran = self.run("init", self.adapter.init(self.place))
            assert ran.verdict == "ok", ran
            kept = Path(tempfile.mkdtemp(prefix="borg-new-"))
            atexit.register(shutil.rmtree, kept, ignore_errors=True)
            shutil.copytree(self.repository, kept / "repo")
            shutil.copytree(home / known, kept / "known")
            _MADE[self.program] = kept
            return
        shutil.copytree(kept / "repo", self.repository)
        shutil.copytree(kept / "known", home / known)
        # where it was seen last: Borg asks when it finds it elsewhere
        (place,) = (home / known).glob("*/location")
        place.write_text(str(self.repository))
        if self.user:
            for top in (self.repository, home / ".config"):
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

    def check(self, level: str = "structure") -> Ran:
        return self.run("check", self.adapter.check(self.place, level, (1, 1)))

    def unlock(self) -> Ran:
        return self.run("unlock", self.adapter.unlock(self.place))

    def snapshots(self, place: Place | None = None) -> list[Snapshot]:
        place = place or self.place
        ran = self.run("list", self.adapter.list(place))
        assert ran.verdict == "ok", ran
        return list(self.adapter.snapshots(place, ran.told))

    def paths(self, snapshot: str, folder: str = "") -> list[str]:
        ran = self.run("files", self.adapter.files(self.place, snapshot, folder))
        assert ran.verdict == "ok", ran
        return [entry.path for entry in self.adapter.entries(ran.told)]

    @property
    def segments(self) -> list[Path]:
        return sorted((self.repository / "data/0").iterdir(), key=lambda path: int(path.name))

    @contextmanager
    def locked(self) -> Iterator[subprocess.Popen[bytes]]:
        """Somebody who holds the repository's lock until he is killed."""
        process = subprocess.Popen(
            [str(self.folder / "bin/borg"), "with-lock", str(self.repository), "sleep", "600"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "BORG_PASSPHRASE": PASSPHRASE, "HOME": str(self.folder / "home")},
        )  # fmt: skip
        try:
            wait_for((self.repository / "lock.exclusive").exists)
            yield process
        finally:
            os.killpg(process.pid, 9)
            process.wait()


def wait_for(done: object, seconds: float = 30.0) -> None:
    """Until ``done()`` is true."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
