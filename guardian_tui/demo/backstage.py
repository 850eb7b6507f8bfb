"""A running demo, as whoever shows it has it in hand: its stage is a child on a leash, its folder is thrown away."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from guardian_tui.config import Paths

CLOSE_SECONDS = 20.0
"""A stage that has not gone by then is ended; its engine ends with it."""
SHORT_PATH = 80
"""Longest folder in which a Unix socket's path still fits (108 bytes on Linux, 104 elsewhere)."""


class Backstage:
    """Starts a demo's stage at once, and ends it with all that belongs to it.

    However this process ends, the stage notices by the end of its input.

    Args:
        hosts: how many simulated hosts.
        speed: minutes of the story in a minute.
        faults: what goes wrong from the start, in place of the script.
    """

    def __init__(self, hosts: int, speed: float, faults: Sequence[str] = ()) -> None:
        self.hosts = hosts
        self.speed = speed
        self.folder = Path(tempfile.mkdtemp(prefix="guardian-demo-"))
        if len(str(self.folder)) > SHORT_PATH:
            self.folder.rmdir()
            self.folder = Path(
                tempfile.mkdtemp(prefix="guardian-demo-", dir="/tmp")
            )  # made 0700, by its own name
        words = [
            sys.executable, "-m", "guardian_tui.demo.stage", str(self.folder), "--hosts", str(hosts), "--speed", str(speed),
        ]  # fmt: skip
        for fault in faults:
            words += ["--fault", fault]
        with (self.folder / "stage.err").open("wb") as err:
            # in a session of its own: a ctrl-c is ours alone, and it is ended in good order
            self.stage = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, start_new_session=True
            )

    @property
    def paths(self) -> Paths:
        """Where the demo's files lie."""
        return Paths(self.folder / "config", self.folder / "state", self.folder / "run")

    def order(self, trouble: str) -> None:
        """Let a trouble begin, or end, now."""
        assert self.stage.stdin is not None  # noqa: S101  # a pipe, as started
        self.stage.stdin.write(json.dumps({"trouble": trouble}).encode() + b"\n")
        self.stage.stdin.flush()

    def last_words(self) -> str:
        """What the stage or its engine said before it ended."""
        for file in (self.folder / "stage.err", self.folder / "state" / "engine.err"):
            try:
                lines = file.read_text(errors="replace").strip().splitlines()
            except OSError:
                continue
            if lines:
                return lines[-1]
        return "nothing"

    def wait_for_the_end(self, say: Callable[[str], object]) -> int:
        """Without a console: say how to attach, then what happens, until we are interrupted."""
        ended, by_itself = threading.Event(), threading.Event()

        def end(number: int, frame: FrameType | None) -> None:
            ended.set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, end)
        reading = threading.Thread(target=self._read_aloud, args=(say, ended, by_itself), daemon=True)
        reading.start()
        ended.wait()
        return 1 if by_itself.is_set() else 0

    def _read_aloud(
        self, say: Callable[[str], object], ended: threading.Event, by_itself: threading.Event
    ) -> None:
        assert self.stage.stdout is not None  # noqa: S101  # a pipe, as started
        for line in self.stage.stdout:
            told: dict[str, Any] = json.loads(line)  # Any: JSON of our own child
            if admin := told.get("admin"):
                import pyotp

                say(f"GUARDIAN_HOME={self.folder} guardian-tui")
                say(
                    f"name {admin['name']}, password {admin['password']!r}, authenticator secret {admin['secret']}"
                )
                say(f"a code: {pyotp.TOTP(admin['secret']).now()}")
            elif scene := told.get("scene"):
                say(scene["words"])
        if not ended.is_set():
            by_itself.set()
            say(f"The demo ended by itself. It said: {self.last_words()}")
        ended.set()

    def close(self) -> None:
        """End everything, and remove the folder."""
        assert self.stage.stdin is not None  # noqa: S101  # a pipe, as started
        # it may be gone already
        with contextlib.suppress(BrokenPipeError):
            self.stage.stdin.close()
        try:
            self.stage.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.stage.kill()
            self.stage.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
