"""rclone as a server on loopback: of restic's REST protocol, and of S3, each in front of a folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

from tests.support.sshd import free_port

Kind = Literal["restic", "s3"]
ADDRESS = "127.0.0.1"
START_SECONDS = 60.0


def program() -> str:
    """Where rclone is; it comes with what the tests need."""
    own = Path(sys.executable).parent / "rclone"
    found = str(own) if own.exists() else shutil.which("rclone")
    if found is None:
        raise RuntimeError("rclone is not installed: make test does it (requirements-dev.txt)")
    return found


class Served:
    """A server that is started, goes away, and comes back under its address.

    Args:
        kind: what it speaks.
        folder: where what it is given lies, as restic keeps it on a disk.
        who: name and password, or the key's id and the key.
    """

    def __init__(self, kind: Kind, folder: Path, who: tuple[str, str]) -> None:
        self.kind, self.folder, self.who = kind, folder, who
        self.port = free_port(ADDRESS)
        folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to answer."""
        name, password = self.who
        given = (
            {"RCLONE_USER": name, "RCLONE_PASS": password}
            if self.kind == "restic"
            else {"RCLONE_AUTH_KEY": f'"{name},{password}"'}
        )
        # what a test does in the folder is seen at once
        fresh = ["--dir-cache-time=1ms"] if self.kind == "s3" else []
        log = (self.folder.parent / f"{self.kind}.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [program(), "serve", self.kind, f"--addr={ADDRESS}:{self.port}", *fresh, str(self.folder)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **given, "RCLONE_CONFIG": "/dev/null", "XDG_CACHE_HOME": str(self.folder.parent / "cache")},
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self.folder.parent / f"{self.kind}.log").read_text()
            assert time.monotonic() < deadline, "rclone does not answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        with socket.socket() as one:
            return one.connect_ex((ADDRESS, self.port)) == 0

    def stop(self) -> None:
        """Be gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
