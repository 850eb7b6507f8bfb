"""The console without its terminal: it ends, it does not stay and turn in circles."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.support.engine import QUIET, ROOT


def test_a_console_whose_terminal_is_gone_ends_though_nobody_hung_up_on_it(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text(QUIET)
    ours, theirs = pty.openpty()
    # no controlling terminal: the kernel hangs up on nobody
    console = subprocess.Popen(
        [sys.executable, "-m", "guardian_tui"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, cwd=ROOT,
        env={**os.environ, "GUARDIAN_HOME": str(tmp_path), "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(theirs)
    painted, deadline = b"", time.monotonic() + 90
    while b"welcome" not in painted:
        assert time.monotonic() < deadline, painted[-500:]
        painted += os.read(ours, 65536)
    os.close(ours)
    try:
        console.wait(60)
    finally:
        console.kill()
        lock = tmp_path / "state" / "engine.lock"
        os.kill(int(lock.read_text()), signal.SIGTERM)
