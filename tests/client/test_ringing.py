"""Notices of the desktop: the right sequence for the terminal, and nothing in it that a host could have put there."""

from __future__ import annotations

from pathlib import Path

from guardian_tui.config import Paths
from guardian_tui.remembered import remember_theme, remembered_theme
from guardian_tui.ringing import desktop_notice


def test_a_notice_of_the_desktop_is_one_sequence_whatever_a_host_is_called() -> None:
    assert desktop_notice("off", "host down, web-1", {}) == ""
    assert desktop_notice("osc9", "host down, web-1", {}) == "\x1b]9;guardian: host down, web-1\x07"
    assert desktop_notice("osc777", "a;b", {}) == "\x1b]777;notify;guardian;a,b\x07"
    hostile = desktop_notice("osc9", "web\x07\x1b]52;c;aGk=\x07\x9b31m", {})
    assert hostile.count("\x1b") == 1 and hostile.count("\x07") == 1 and "\x9b" not in hostile


def test_inside_tmux_a_notice_goes_on_to_the_terminal_outside() -> None:
    notice = desktop_notice("osc9", "x", {"TMUX": "/tmp/tmux-1/default,1,0"})
    assert notice == "\x1bPtmux;\x1b\x1b]9;guardian: x\x07\x1b\\"


def test_the_theme_that_was_chosen_last_is_remembered_where_that_can_be(tmp_path: Path) -> None:
    paths, known = Paths(tmp_path, tmp_path / "state", tmp_path), ("guardian-dark", "guardian-light")
    remember_theme(paths, "guardian-light")
    assert remembered_theme(paths, known) == ""
    paths.state.mkdir()
    remember_theme(paths, "guardian-light")
    assert remembered_theme(paths, known) == "guardian-light"
    assert remembered_theme(paths, ("guardian-dark",)) == ""
    (paths.state / "theme").write_bytes(b"\xff\xfe")
    assert remembered_theme(paths, known) == ""
