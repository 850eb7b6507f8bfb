"""Themes on the running console: chosen by the terminal, changed by a file, and none at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guardian_tui.app import GuardianApp
from guardian_tui.config import Paths, Settings
from guardian_tui.remembered import remembered_theme
from screens.fleet import FleetScreen
from tests.support.canned import NOW, SESSION, canned, standing_still
from tests.support.console import until
from tests.support.painting import PaintingDriver
from themes.loader import DEFAULT, load_themes
from widgets.painting import Painted


def theme_text(**changes: str) -> str:
    colours = load_themes().themes[DEFAULT].colours | changes
    return 'name = "mine"\n[colours]\n' + "\n".join(f'{key} = "{value}"' for key, value in colours.items())


def ground(app: GuardianApp) -> tuple[int, int, int]:
    return app.screen.styles.background.rgb


def notices(app: GuardianApp) -> str:
    return " ".join(str(note.message) for note in app._notifications)


async def test_a_person_s_theme_is_painted_anew_when_its_file_changes(tmp_path: Path) -> None:
    themes = tmp_path / "themes"
    themes.mkdir()
    (themes / "mine.toml").write_text(theme_text(background="#102030"))
    with standing_still():
        app = GuardianApp(Paths(tmp_path, tmp_path, tmp_path), Settings(), theme="mine", clock=lambda: NOW)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(lambda: app.hello is not None)
            app.begin(SESSION)
            await until(lambda: isinstance(app.screen, FleetScreen) and app.world.hosts)
            assert ground(app) == (16, 32, 48)
            (themes / "mine.toml").write_text(theme_text(background="#302010"))
            await until(lambda: ground(app)[0] > 40)
            # lines that are drawn by hand are mixed anew too
            painted = app.screen.query_one("#header", Painted)
            await until(lambda: painted.paint("text").bgcolor is not None)
            # a broken file is told, and what was painted stays
            (themes / "mine.toml").write_text("nonsense")
            await until(lambda: "mine.toml" in notices(app))
            assert app.theme == "mine" and ground(app)[0] > 40
            (themes / "other.toml").write_text(theme_text().replace("mine", "other"))
            await until(lambda: "other" in app.themes.themes)
            app.run_line("theme other")
            await until(lambda: app.theme == "other")
            assert remembered_theme(app.paths, app.themes.themes) == "other"
            await pilot.pause()


async def test_no_color_in_the_environment_leaves_no_colour_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with canned((80, 24), "", paints=True) as (app, pilot, _):
        assert app.theme == "none"
        await until(lambda: "files-2" in "".join(PaintingDriver.painted))
        await pilot.pause()
    styles = {
        part
        for found in re.findall(r"\x1b\[([0-9;]*)m", "".join(PaintingDriver.painted))
        for part in found.split(";")
    }
    # bold and reversed, the terminal's own ink and ground, and nothing else
    assert "7" in styles and "1" in styles
    assert styles <= {"", "0", "1", "2", "3", "4", "7", "39", "49"}


async def test_a_theme_that_is_asked_for_and_not_there_is_told_at_the_login() -> None:
    async with canned((80, 24), theme="pink", login=False) as (app, _, _):
        assert app.theme == DEFAULT
        assert any("no theme 'pink'" in words for words in app.problems)
