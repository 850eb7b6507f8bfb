"""A real Borg with a repository, a folder to save and an adapter that drives it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.lab import PASSWORD, EngineLab, wait_for
from tests.support.stages import Ran

PROGRAMS = ["borg", *filter(None, os.environ.get("GUARDIAN_BORGS", "").split(":"))]
"""The installed one, and those of other versions whose paths are named there."""
KNOWN = Path(".config/borg/security")
"""What Borg remembers of repositories, below the home folder."""


class Lab(EngineLab):
    """Where one test of Borg works."""

    engine = "borg"
    package = "borgbackup"
    secret = "BORG_PASSPHRASE"
    repository_name = "repo of mine"

    def keep(self, kept: Path) -> None:
        """Copy the new repository, and what Borg remembers of it."""
        super().keep(kept)
        shutil.copytree(self.runner.home / KNOWN, kept / "known")

    def take(self, kept: Path) -> None:
        """Have a copy of the new repository as our own."""
        super().take(kept)
        shutil.copytree(kept / "known", self.runner.home / KNOWN)
        # where it was seen last: Borg asks when it finds it elsewhere
        (place,) = (self.runner.home / KNOWN).glob("*/location")
        place.write_text(str(self.repository))
        self.own(self.runner.home / ".config")

    def check(self, level: str = "structure") -> Ran:
        return self.run("check", self.adapter.check(self.place, level, (1, 1)))

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
            env={**os.environ, "BORG_PASSPHRASE": PASSWORD, "HOME": str(self.folder / "home")},
        )  # fmt: skip
        try:
            wait_for((self.repository / "lock.exclusive").exists)
            yield process
        finally:
            os.killpg(process.pid, 9)
            process.wait()
