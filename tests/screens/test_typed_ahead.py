"""What is typed faster than the screen can follow goes where it was meant to go."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

from guardian_tui.app import GuardianApp
from screens.alerts import AlertsScreen
from screens.edit_host import EditHostDialog
from screens.fleet import FleetScreen
from tests.support.canned import canned
from tests.support.console import until


def typed(app: GuardianApp, *keys: str) -> None:
    """All of them at once, as one packet brings them."""
    for key in keys:
        app.post_message(events.Key(key, key if len(key) == 1 else None))


def value(app: GuardianApp, name: str) -> str:
    """What a field holds; empty while it is not there."""
    return "".join(entry.value for entry in app.screen.query(f"#{name}").results(Input))


async def test_fields_filled_in_one_go_each_get_their_own() -> None:
    async with canned((80, 24)) as (app, _, _):
        typed(
            app,
            "n",
            *"web-1",
            "enter",
            *"127.0.0.2",
            "enter",
            "end",
            *("backspace",) * 2,
            *"2222",
            "enter",
            *"ada",
        )
        await until(
            lambda: isinstance(app.screen, EditHostDialog) and value(app, "user") == "ada", seconds=60
        )
        assert [value(app, name) for name in ("name", "address", "port")] == ["web-1", "127.0.0.2", "2222"]
        typed(app, "escape")
        await until(lambda: isinstance(app.screen, FleetScreen))


async def test_what_follows_a_line_is_for_the_screen_that_it_opens() -> None:
    async with canned((120, 40)) as (app, _, _):
        typed(app, "colon", *"alerts", "enter", "slash", *"web", "enter")
        await until(
            lambda: isinstance(app.screen, AlertsScreen) and app.screen.wanted.text == "web",
            seconds=60,
        )


async def test_what_is_typed_on_after_tab_is_for_the_next_field() -> None:
    """Else a password stood in the clear behind the name."""
    async with canned((80, 24)) as (app, _, _):
        app.push_screen(EditHostDialog())
        await until(lambda: isinstance(app.screen.focused, Input))
        typed(app, *"web-1", "tab", *"127.0.0.2", "tab", "shift+tab", "tab", "tab", *"ada")
        await until(lambda: value(app, "user") == "ada", seconds=60)
        assert [value(app, name) for name in ("name", "address", "port")] == ["web-1", "127.0.0.2", "22"]
