"""The console by its keys: the real app, a real engine behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from guardian_tui.app import GuardianApp
from guardian_tui.protocol.alerts import Alert
from screens.alert import AlertScreen
from screens.alerts import AlertsScreen
from screens.audit import AuditScreen
from screens.chart_pane import ChartPane
from screens.dialogs import CodeDialog, ConfirmDialog, TextDialog
from screens.edit_host import EditHostDialog
from screens.first_start import FirstStartScreen
from screens.fleet import FleetScreen
from screens.host import HostScreen
from screens.lock import LockScreen
from screens.login import LoginScreen
from screens.reports import ReportDialog
from tests.support.console import PASSWORD, House, house, until
from widgets.banner import Banner
from widgets.hosts_table import HostsTable
from widgets.prompt import Prompt

pytestmark = pytest.mark.timeout(240)


@asynccontextmanager
async def console(
    one: House, size: tuple[int, int] = (120, 40)
) -> AsyncIterator[tuple[GuardianApp, Pilot[int]]]:
    """The app, logged in with the first admin's session."""
    app = one.app()
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.hello is not None)
        assert one.enrolled is not None
        app.begin(one.enrolled.session)
        await until(lambda: isinstance(app.screen, FleetScreen) and app.world.hosts and app.world.status)
        yield app, pilot
        await app.shut()


def words_of(app: GuardianApp) -> str:
    """All notices that are shown."""
    return " ".join(str(note.message) for note in app._notifications)


async def go(app: GuardianApp, pilot: Pilot[int], line: str) -> None:
    """Type a `:` line."""
    await pilot.press(":")
    await until(lambda: app.screen.query_one(Prompt).display)
    app.screen.query_one(Prompt).query_one(Input).value = line
    await pilot.press("enter")
    await pilot.pause()


async def dialog(app: GuardianApp, kind: type) -> None:
    await until(lambda: isinstance(app.screen, kind))
    await until(lambda: app._held is None)


async def test_screens_are_reached_by_keys_lines_and_back(tmp_path: Path) -> None:
    async with house(tmp_path) as one, console(one) as (app, pilot):
        await pilot.press("g", "2")
        await until(lambda: isinstance(app.screen, AlertsScreen))
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, FleetScreen))
        await go(app, pilot, "audit setup")
        await until(lambda: isinstance(app.screen, AuditScreen) and app.screen._filter == "setup")
        await pilot.press("escape", "escape")
        await until(lambda: isinstance(app.screen, FleetScreen))
        await pilot.press("minus")
        await until(lambda: isinstance(app.screen, AuditScreen))
        await pilot.press("V")
        await until(lambda: "hold" in words_of(app))
        await go(app, pilot, "nonsense")
        await until(lambda: "no command" in words_of(app))
        await pilot.press("question_mark")
        await dialog(app, ReportDialog)
        await pilot.press("escape")
        await go(app, pilot, "theme guardian-light")
        await until(lambda: app.theme == "guardian-light")
        await go(app, pilot, "theme pink")
        await until(lambda: "no theme" in words_of(app))


async def test_a_host_is_added_opened_edited_and_removed(tmp_path: Path) -> None:
    async with house(tmp_path) as one, console(one) as (app, pilot):
        await go(app, pilot, "add web-1 127.0.0.1")
        await dialog(app, EditHostDialog)
        app.screen.query_one("#port", Input).value = "no"
        await pilot.press("ctrl+s")
        assert isinstance(app.screen, EditHostDialog)
        app.screen.query_one("#port", Input).value = "1"
        await pilot.press("ctrl+s")
        await until(lambda: app.world.host_named("web-1") is not None)
        row = app.world.host_named("web-1")
        assert row is not None
        await until(lambda: "refuses" in (app.world.hosts[row.id].why))
        await go(app, pilot, "host web-1")
        await until(lambda: isinstance(app.screen, HostScreen))
        await pilot.press("t")
        await dialog(app, ReportDialog)
        await pilot.press("escape")
        await pilot.press("e")
        await dialog(app, EditHostDialog)
        app.screen.query_one("#labels", Input).value = "role=web"
        await pilot.press("ctrl+s")
        await until(lambda: app.world.hosts[row.id].labels == {"role": "web"})
        await until(lambda: isinstance(app.screen, HostScreen))
        await pilot.press("w")
        await until(lambda: app.world.hosts[row.id].state == "maintenance")
        await pilot.press("w")
        await until(lambda: app.world.hosts[row.id].state != "maintenance")
        await pilot.press("delete")
        await dialog(app, ConfirmDialog)
        app.screen.query_one("#typed", Input).value = "web-2"
        await pilot.press("enter")
        assert isinstance(app.screen, ConfirmDialog)
        app.screen.query_one("#typed", Input).value = "web-1"
        await pilot.press("enter")
        await until(lambda: row.id not in app.world.hosts)


async def test_a_host_page_charts_and_moves_in_time(tmp_path: Path) -> None:
    async with house(tmp_path) as one, console(one) as (app, pilot):
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, HostScreen))
        page = app.screen
        assert isinstance(page, HostScreen)
        chart = page.query_one(ChartPane)
        await until(lambda: chart.has_values)
        for key in ("plus", "m", "left_square_bracket", "right_square_bracket", "underscore", "m", "m"):
            await pilot.press(key)
        await go(app, pilot, "chart cpu_busy_ratio")
        await until(lambda: chart.caption.startswith("cpu") and chart.has_values)
        # nobody knows yet what is typical of this machine, and the rule's limit is known
        assert not chart.border_subtitle
        await until(lambda: "95 %" in "".join(chart.render_line(y).text for y in range(chart.size.height)))
        await pilot.press("left", "left")
        await until(lambda: chart.cursor is not None)
        await pilot.press("x", "c")
        await until(lambda: "30 min" in chart.caption and "a day before" in str(chart.border_subtitle))
        await go(app, pilot, "compare off")
        await until(lambda: not chart.border_subtitle)
        await pilot.press("left_square_bracket", "full_stop")
        assert chart.follows
        await go(app, pilot, "chart load1")
        await until(lambda: "load1" in chart.caption)
        await pilot.press("z", "z", "escape")
        await until(lambda: isinstance(app.screen, FleetScreen))


async def test_the_fleet_filters_sorts_marks_zooms_and_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_documents_dir", lambda: str(tmp_path))
    async with house(tmp_path) as one, console(one) as (app, pilot):
        table = app.screen.query_one(HostsTable)
        await pilot.press("/")
        await until(lambda: app.screen.query_one(Prompt).display)
        await pilot.press("x", "y", "z", "q")
        await until(lambda: not table.shown)
        await pilot.press("escape")
        await until(lambda: len(table.shown) == 1)
        await go(app, pilot, "filter cpu>=0")
        await until(lambda: len(table.shown) == 1)
        await pilot.press("escape")
        for key in (
            "N",
            "N",
            "C",
            "M",
            "D",
            "S",
            "exclamation_mark",
            "exclamation_mark",
            "space",
            "v",
            "escape",
        ):
            await pilot.press(key)
        await pilot.press("2", "z", "z", "4", "1", "tab", "tab", "tab")
        await pilot.press("P")
        await until(lambda: "Paused" in str(app.screen.query_one(Banner)._words))
        await pilot.press("P")
        for kind in ("csv", "jsonl", "svg", "pdf"):
            await go(app, pilot, f"save {kind}")
        await until(lambda: "csv, jsonl or svg" in words_of(app))
        saved = {path.suffix: path for path in tmp_path.glob("guardian-*")}
        assert set(saved) == {".csv", ".jsonl", ".svg"}
        assert "save&#160;svg" not in saved[".svg"].read_text(), (
            "the line in which it was asked for is in the picture"
        )


async def test_on_a_narrow_terminal_panes_fold_and_it_survives_20_by_5(tmp_path: Path) -> None:
    async with house(tmp_path) as one, console(one, (80, 24)) as (app, pilot):
        assert not app.screen.query_one("#side").display
        await pilot.press("2")
        assert app.screen.query_one("#side").display
        await pilot.press("1")
        await pilot.resize_terminal(20, 5)
        await pilot.pause()
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert app.screen.query_one("#side").display


async def test_an_alert_is_opened_acknowledged_and_silenced(tmp_path: Path) -> None:
    async with house(tmp_path) as one, console(one) as (app, pilot):
        await go(app, pilot, "add gone 127.0.0.1")
        await dialog(app, EditHostDialog)
        app.screen.query_one("#port", Input).value = "1"
        await pilot.press("ctrl+s")
        await until(lambda: app.world.alerts)
        alert: Alert = next(iter(app.world.alerts.values()))
        await pilot.press("g", "2")
        await until(lambda: isinstance(app.screen, AlertsScreen))
        await pilot.press("home", "enter")
        await until(lambda: isinstance(app.screen, AlertScreen))
        await pilot.press("a")
        await until(lambda: app.world.alerts[alert.id].acknowledged_by == "ada")
        await pilot.press("a")
        await until(lambda: app.world.alerts[alert.id].acknowledged_by == "")
        await pilot.press("s")
        await dialog(app, TextDialog)
        app.screen.query_one("#text", Input).value = "2h new disk"
        await pilot.press("enter")
        await until(lambda: app.world.alerts[alert.id].silenced_until)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, HostScreen))
        await pilot.press("escape", "escape")
        await until(lambda: isinstance(app.screen, AlertsScreen))


async def test_locking_hides_the_picture_until_password_and_code(tmp_path: Path) -> None:
    async with house(tmp_path) as one, console(one) as (app, pilot):
        await pilot.press("ctrl+l")
        await until(lambda: isinstance(app.screen, LockScreen) and app.screen.query("#password"))
        app.screen.query_one("#password", Input).value = PASSWORD
        app.screen.query_one("#code", Input).value = "00000000"
        await pilot.press("enter")
        await until(lambda: app.screen.query_one("#code", Input).value == "")
        app.screen.query_one("#code", Input).value = one.recovery_code()
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, FleetScreen))


async def test_a_locked_console_keeps_its_engine_watching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardian_tui.app.STAY_SECONDS", 0.1)
    async with house(tmp_path) as one, console(one) as (app, pilot):
        await pilot.press("ctrl+l")
        await until(lambda: isinstance(app.screen, LockScreen) and not len(one.engine.streams))
        for _ in range(2):
            heard = one.engine._last_request
            await until(lambda heard=heard: one.engine._last_request > heard)  # type: ignore[misc]  # bound now


async def test_login_waits_for_the_engine_and_a_wrong_code_says_how_long_to_wait(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        app = one.app()
        async with app.run_test(size=(100, 30)) as pilot:
            await until(lambda: app.hello is not None)
            screen = app.screen
            assert isinstance(screen, LoginScreen)
            # the engine was there before the screen: its answer may come while the screen is being made
            await until(lambda: "Ready." in str(screen.query_one("#words").render()))
            await pilot.press("a", "d", "a", "enter")
            screen.query_one("#password", Input).value = PASSWORD
            screen.query_one("#code", Input).value = "123456"
            screen.query_one("#code", Input).focus()
            await pilot.pause()
            await pilot.press("enter")
            await until(lambda: "comes in" in str(screen.query_one("#words").render()))
            screen.query_one("#code", Input).value = one.recovery_code()
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, FleetScreen))
            await app.shut()


async def test_a_dangerous_order_asks_for_a_fresh_code(tmp_path: Path) -> None:
    async with house(tmp_path) as one, console(one) as (app, pilot):
        known = next(iter(one.engine.access._sessions._known.values()))
        known.fresh_until = 0.0
        await go(app, pilot, "invite eve viewer role=web")
        await dialog(app, CodeDialog)
        app.screen.query_one("#code", Input).value = one.recovery_code()
        await pilot.press("enter")
        await dialog(app, ReportDialog)
        await pilot.press("escape")
        await go(app, pilot, "invite")
        await until(lambda: "Write :invite" in words_of(app))


async def test_a_lost_engine_is_said_and_it_comes_back_by_itself(tmp_path: Path) -> None:
    async with house(tmp_path) as one, console(one) as (app, _pilot):
        one.engine.stop()
        await until(lambda: app.follower.trouble)
        app._tick()
        assert "s old" in app.banner_words()
        await one.running
        async with house(tmp_path, set_up=False):
            await until(lambda: not app.follower.trouble and app.world.connected)


async def test_first_start_makes_an_admin(tmp_path: Path) -> None:
    import pyotp

    async with house(tmp_path, set_up=False) as one:
        app = one.app()
        async with app.run_test(size=(80, 24)) as pilot:
            await until(lambda: isinstance(app.screen, FirstStartScreen))
            screen = app.screen
            assert isinstance(screen, FirstStartScreen)
            # nothing was there that could be filled in and lost: nobody could log in
            await until(lambda: screen.query("#again"))
            assert not app.login_screen.query_one("#name").parent.display  # type: ignore[union-attr]  # it has one
            for field, value in (("name", "ada"), ("password", PASSWORD), ("again", "mistyped")):
                screen.query_one(f"#{field}", Input).value = value
            screen.query_one("#password", Input).focus()
            await pilot.pause()
            await pilot.press("enter")
            await until(lambda: "differ" in str(screen.query_one("#words").render()))
            await until(lambda: screen.focused is screen.query_one("#again"))
            for field, value in (("name", "ada"), ("password", "short"), ("again", "short")):
                screen.query_one(f"#{field}", Input).value = value
            screen.query_one("#again", Input).focus()
            await pilot.pause()
            await pilot.press("enter")
            await until(lambda: "12" in str(screen.query_one("#words").render()))
            await until(lambda: screen.focused is screen.query_one("#password"))
            for field in ("password", "again"):
                screen.query_one(f"#{field}", Input).value = PASSWORD
            screen.query_one("#again", Input).focus()
            await until(lambda: screen.focused is screen.query_one("#again"))
            await pilot.press("enter")
            await until(lambda: screen.query("#secret") and screen.query("#code"))
            await until(lambda: screen.focused is screen.query_one("#code"))
            # esc is a step back, not the way out; the name is kept
            await pilot.press("escape")
            await until(lambda: screen.query("#password") and screen.focused is screen.query_one("#password"))
            assert screen.query_one("#name", Input).value == "ada" and app.is_running
            for field in ("password", "again"):
                screen.query_one(f"#{field}", Input).value = PASSWORD
            screen.query_one("#again", Input).focus()
            await until(lambda: screen.focused is screen.query_one("#again"))
            await pilot.press("enter")
            await until(lambda: screen.query("#code") and screen.focused is screen.query_one("#code"))
            assert screen._enrolment is not None
            screen.query_one("#code", Input).value = pyotp.TOTP(screen._enrolment.secret).now()
            await pilot.press("enter")
            await until(lambda: screen.query("#codes"))
            await pilot.press("enter")
            await until(lambda: isinstance(app.screen, FleetScreen))
            app.leave_to_login("You are logged out.")
            await until(lambda: isinstance(app.screen, LoginScreen) and app.screen.query("#name"))
            await until(lambda: app.screen.query_one("#name").display and not app.screen.has_class("-nobody"))
            await app.shut()


async def test_a_crash_prints_no_locals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with house(tmp_path) as one:
        app = one.app()
        with pytest.raises(ZeroDivisionError):
            async with app.run_test(size=(80, 24)):
                password = "hunter2-in-a-local"
                app.call_later(lambda: 1 / len(password[:0]))
                await asyncio.sleep(5)
        out = capsys.readouterr()
        assert "hunter2" not in out.out + out.err


async def test_an_engine_that_was_replaced_by_another_version_is_not_followed_but_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path) as one, console(one) as (app, _):
        for module in ("following", "meeting"):
            monkeypatch.setattr(f"guardian_tui.{module}.PROTOCOL_VERSION", 99)
        one.engine.streams.close()
        await until(lambda: isinstance(app.screen, LoginScreen))
        # the screen is in front before its widgets are
        await until(
            lambda: any(
                "this console is" in str(words.render()) for words in app.login_screen.query("#words")
            )
        )
        assert app.session is None
