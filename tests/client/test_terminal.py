"""The console without its terminal: it ends, it does not stay and turn in circles."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guardian_tui.terminal import encoding_of
from tests.support.engine import QUIET, ROOT


@pytest.mark.parametrize(
    ("encoding", "ascii", "few"),
    [
        ("utf-8", False, ""),
        ("UTF8", False, ""),
        ("iso-8859-1", False, "iso-8859-1"),
        ("utf-8", True, "ascii"),
    ],
)
def test_a_terminal_whose_locale_is_not_utf_8_has_few_signs(encoding: str, ascii: bool, few: str) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    assert encoding_of(terminal, ascii=ascii) == few
    assert encoding_of(None, ascii=ascii) == ("ascii" if ascii else "")


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
    # bytes that are no UTF-8 are no key, and end nothing
    os.write(ours, b"\xe4\xff")
    deadline = time.monotonic() + 90
    while b"nobody-else" not in painted:
        assert time.monotonic() < deadline, painted[-500:]
        os.write(ours, b"\x15nobody-else")
        for _ in range(4):
            if select.select([ours], [], [], 0.5)[0]:
                painted += os.read(ours, 65536)
    os.close(ours)
    try:
        console.wait(60)
    finally:
        console.kill()
        lock = tmp_path / "state" / "engine.lock"
        os.kill(int(lock.read_text()), signal.SIGTERM)
