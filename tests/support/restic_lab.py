"""A real restic with a repository, a folder to save and an adapter that drives it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from guardian_tui.protocol.backups import CheckLevel
from tests.support.lab import PASSWORD, EngineLab, wait_for
from tests.support.restic_key import make_cheap
from tests.support.stages import Ran

PROGRAMS = ["restic", *filter(None, os.environ.get("GUARDIAN_RESTICS", "").split(":"))]
"""The installed one, and those of other versions whose paths are named there."""


def words(program: str) -> str:
    """Name of a test's variant."""
    return (
        program
        if program == "restic"
        else subprocess.check_output([program, "version"], text=True).split()[1]
    )


class Lab(EngineLab):
    """Where one test of restic works."""

    engine = package = "restic"
    secret = "RESTIC_PASSWORD"

    def keep(self, kept: Path) -> None:
        """Copy the new repository, from now on with a password that is cheap to try."""
        make_cheap(self.repository, PASSWORD)
        self.own(self.repository)
        super().keep(kept)

    def check(self, level: CheckLevel = "structure", part: tuple[int, int] = (1, 1)) -> Ran:
        return self.run("check", self.adapter.check(self.place, level, part))

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
