"""What a host's page opens, with a real engine behind it: processes, signals, logs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from screens.log import LogScreen
from screens.section import SectionScreen
from tests.screens.test_console import console, go, words_of
from tests.support.console import house, until
from widgets.log_list import LogList
from widgets.section_list import SectionList
from widgets.state_line import StateLine


async def test_a_process_is_found_signalled_and_gone(tmp_path: Path) -> None:
    child = subprocess.Popen(["sleep", "271"])
    try:
        async with house(tmp_path) as one, console(one) as (app, pilot):
            await pilot.press("p")
            await until(
                lambda: (
                    isinstance(app.screen, SectionScreen)
                    and app.screen.composed
                    and app.screen.rows.count > 3
                )
            )
            screen = app.screen
            assert isinstance(screen, SectionScreen)
            await go(app, pilot, "filter sleep")
            screen.filter_typed("sleep 271", done=True)
            await until(lambda: screen.rows.ids == [str(child.pid)])
            assert screen.rows.row(str(child.pid))["parent"] == os.getpid()
            await pilot.press("t")
            assert screen.rows.order.tree
            await go(app, pilot, "signal nope")
            await until(lambda: "There is no signal NOPE; there are TERM, KILL" in words_of(app))
            await go(app, pilot, "signal TERM")
            await until(lambda: app.screen is not screen)
            await pilot.press("y")
            await until(lambda: child.poll() is not None)
            assert child.returncode == -15
            await until(lambda: "SIGTERM was sent" in words_of(app))
            await until(lambda: screen.rows.ids == [])
            await pilot.press("escape", "escape")
            await until(lambda: not isinstance(app.screen, SectionScreen))
    finally:
        child.kill()
        child.wait()


async def test_a_section_is_sorted_read_at_another_pace_and_saved(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("platformdirs.user_documents_dir", lambda: str(tmp_path))
    async with house(tmp_path) as one, console(one) as (app, pilot):
        await go(app, pilot, "section tasks")
        await until(
            lambda: isinstance(app.screen, SectionScreen) and app.screen.composed and app.screen.rows.count
        )
        screen = app.screen
        assert isinstance(screen, SectionScreen)
        await pilot.press("S")
        assert screen.query_one(SectionList).order.column == "state"
        await pilot.press("R")
        assert screen.rows.order.falling
        before = screen.rows.caption
        await pilot.press("greater_than_sign")
        assert screen.rows.caption != before
        await pilot.press("W")
        await until(lambda: "Nothing is withheld" in words_of(app))
        await go(app, pilot, "save csv")
        await until(lambda: list(tmp_path.glob("guardian-*.csv")))
        (saved,) = tmp_path.glob("guardian-*.csv")
        assert saved.read_text().startswith("state,count")
        await go(app, pilot, "section nonsense")
        await until(lambda: "no section nonsense" in words_of(app))


async def test_a_log_is_followed_searched_and_its_trouble_said(tmp_path: Path) -> None:
    log = Path(f"/var/log/guardian-screen-{os.getpid()}.log")
    log.write_text("".join(f"line {n} quiet\n" for n in range(100)) + "line loud \x1b]52;c;aGk=\x07\n")
    try:
        async with house(tmp_path) as one, console(one) as (app, pilot):
            await go(app, pilot, f"log file:{log}")
            await until(
                lambda: isinstance(app.screen, LogScreen) and app.screen.composed and app.screen.lines.ids
            )
            screen = app.screen
            assert isinstance(screen, LogScreen)
            lines = screen.query_one(LogList)
            await until(lambda: lines.cursor_id == lines.ids[-1])
            assert "]52;" in lines.lines[-1].line.text and lines.lines[-1].line.text.isprintable()
            with log.open("a") as more:
                more.write("line new loud\n")
            await until(lambda: lines.lines[-1].line.text == "line new loud")
            screen.filter_typed("loud !new", done=True)
            assert len(lines.ids) == 1
            screen.filter_typed("priority<4", done=True)
            assert lines.ids == []
            screen.filter_typed("~lou.$ !new", done=True)
            assert lines.ids == []
            screen.filter_typed("(~", done=False)
            screen.filter_typed("~lou", done=True)
            assert len(lines.ids) == 2
            await pilot.press("f")
            assert not lines.following
            await pilot.press("enter")
            await until(lambda: app.screen is not screen)
            await pilot.press("escape", "escape", "escape")
            await until(lambda: not isinstance(app.screen, LogScreen))
            await go(app, pilot, "log file:/var/log/there-is-none")
            await until(
                lambda: (
                    isinstance(app.screen, LogScreen)
                    and app.screen.composed
                    and "can't be read" in str(app.screen.query_one(StateLine)._left)
                )
            )
    finally:
        log.unlink()
