"""File systems that are soon full, for a test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, mebibytes: int = 2) -> Iterator[Path]:
    """A file system of a few MiB that every user may write in, mounted on a new folder; the test is skipped where we may not mount."""
    folder.mkdir()
    options = f"size={mebibytes}m,mode=1777"
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("may not mount a file system here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on a small disk; answers the file that takes it, and makes room again when it is removed."""
    ballast = disk / "ballast"
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as out:
        while True:
            out.write(b"x" * 4096)
    return ballast
