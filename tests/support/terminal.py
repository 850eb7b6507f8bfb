"""A real terminal: tmux on a socket of its own."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

WAIT_SECONDS = 60.0
KEY_SECONDS = 0.25
"""Between what is typed into one field and the next: a person is no faster."""


class Terminal:
    """A program in a terminal; keys go in, the screen comes out."""

    def __init__(
        self, socket: Path, command: str, width: int, height: int, environment: dict[str, str]
    ) -> None:
        if shutil.which("tmux") is None:
            raise RuntimeError("tmux is not installed (Debian: apt-get install tmux)")
        self._socket = socket
        settings = [word for key, value in environment.items() for word in ("-e", f"{key}={value}")]
        self._tmux(
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            str(width),
            "-y",
            str(height),
            *settings,
            f"unset COLUMNS LINES; {command}; echo ended $?; sleep 600",
        )

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self._socket), *words], capture_output=True, text=True, timeout=30, check=False
        )
        if done.returncode:
            raise RuntimeError(f"tmux {words[0]}: {done.stderr}")
        return done.stdout

    def screen(self, *, colours: bool = False) -> str:
        """What the screen shows now."""
        return self._tmux("capture-pane", "-p", *(["-e"] if colours else []))

    def type(self, text: str) -> None:
        """Type text."""
        self._tmux("send-keys", "-l", "--", text)
        time.sleep(KEY_SECONDS)

    def press(self, *keys: str) -> None:
        """Press keys, by tmux's names."""
        for key in keys:
            self._tmux("send-keys", key)
            time.sleep(KEY_SECONDS)

    def wait_for(self, *texts: str, seconds: float = WAIT_SECONDS) -> str:
        """Wait until the screen shows all of these texts; answers the screen."""
        deadline = time.monotonic() + seconds
        while True:
            shown = self.screen()
            if all(text in shown for text in texts):
                return shown
            if time.monotonic() > deadline:
                raise AssertionError(f"the screen never showed {texts}:\n{shown}")
            time.sleep(0.1)

    def wait_until_gone(self, text: str, seconds: float = WAIT_SECONDS) -> str:
        """Wait until the screen no longer shows a text."""
        deadline = time.monotonic() + seconds
        while text in (shown := self.screen()):
            if time.monotonic() > deadline:
                raise AssertionError(f"the screen still shows {text!r}:\n{shown}")
            time.sleep(0.1)
        return shown

    def resize(self, width: int, height: int) -> None:
        """Another size, as when a window is dragged."""
        self._tmux("resize-window", "-x", str(width), "-y", str(height))
        time.sleep(KEY_SECONDS)

    def close(self) -> None:
        """End the program and the terminal."""
        subprocess.run(
            ["tmux", "-S", str(self._socket), "kill-server"], capture_output=True, timeout=30, check=False
        )
