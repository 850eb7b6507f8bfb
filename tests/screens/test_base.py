"""What all screens share, while they come up."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.widgets._toast import Toast, ToastRack

from screens.alerts import AlertsScreen
from screens.base import GuardianScreen
from screens.fleet import FleetScreen
from screens.host import HostScreen
from screens.runbooks import RunbooksScreen
from screens.work import begin
from tests.screens.test_pictures import picture
from tests.support.canned import canned
from tests.support.console import until
from themes import load_themes
from widgets.alerts_list import AlertsList
from widgets.footer import Footer


class SlowPane(Vertical):
    """A pane whose widgets come late, as on a busy machine."""

    def __init__(self, gate: asyncio.Event) -> None:
        super().__init__()
        self._gate = gate

    async def on_compose(self) -> None:
        await self._gate.wait()

    def compose(self) -> ComposeResult:
        yield AlertsList(id="alerts")


class SlowScreen(GuardianScreen):
    def __init__(self, gate: asyncio.Event) -> None:
        super().__init__()
        self._gate = gate

    def content(self) -> ComposeResult:
        yield SlowPane(self._gate)


class Bare(App[None]):
    session = None

    def __init__(self) -> None:
        super().__init__()
        for one in load_themes().textual_themes():
            self.register_theme(one)
        self.theme = "guardian-dark"


async def test_a_screen_is_drawn_on_only_when_the_widgets_in_its_panes_are_there_too() -> None:
    gate = asyncio.Event()
    app = Bare()
    async with app.run_test():
        screen = SlowScreen(gate)
        pushed = asyncio.ensure_future(app.push_screen(screen))
        await until(lambda: bool(screen.query(Footer)))
        early = screen.composed
        gate.set()
        await pushed
        assert not early
        await until(lambda: screen.composed)
        assert screen.query(AlertsList)


async def test_work_that_would_fail_without_a_word_is_refused_aloud() -> None:
    app = Bare()
    done: list[str] = []

    async def work(word: str = "plain") -> None:
        done.append(word)

    async with app.run_test():
        with pytest.raises(TypeError, match="no async def"):
            begin(app, lambda: work("lambda"))
        begin(app, work)
        begin(app, partial(work, "partial"))
        await until(lambda: done == ["plain", "partial"])


async def test_from_a_page_of_any_screen_its_list_is_one_key_away() -> None:
    async with canned((80, 24)) as (app, pilot, _client):
        row = next(iter(app.world.hosts.values()))

        async def there(kind: type[GuardianScreen]) -> None:
            await until(lambda: isinstance(app.screen, kind) and app.screen.composed, kind.__name__)

        for key, kind in (("1", FleetScreen), ("7", RunbooksScreen)):
            await pilot.press("g", key)
            await there(kind)
            app.open_host(row.id)
            await there(HostScreen)
            await pilot.press("g", key)
            await there(kind)
            assert len(app.screen_stack) == 1
        # whoever comes from elsewhere finds the page that was left open; to filter the list it is left
        app.go("alerts")
        app.open_host(row.id)
        await there(HostScreen)
        app.go("fleet")
        await there(FleetScreen)
        app.go("alerts")
        await there(HostScreen)
        app.go("fleet")
        await there(FleetScreen)
        app.run_line("alerts critical")
        await there(AlertsScreen)
        await until(lambda: "critical" in "\n".join(picture(app)))


@pytest.mark.parametrize(("size", "covers"), [((80, 24), False), ((120, 30), False), ((120, 40), True)])
async def test_where_there_are_few_rows_a_notice_hides_none_of_them(
    size: tuple[int, int], covers: bool
) -> None:
    async with canned(size, notices=True) as (app, _pilot, _client):
        app.say("Nothing was done. " * 40, severity="error")
        app.say("The last one is what can be read.", severity="warning")
        shown = app.screen.query_one("#hosts")
        await until(
            lambda: len(app.screen.query(Toast)) == 2 and app.screen.query(Toast).last().region.height
        )
        rack = app.screen.query_one(ToastRack).region
        await until(lambda: (shown.region.bottom > app.screen.query_one(ToastRack).region.y) == covers)
        assert shown.region.height > 10
        if not covers:
            assert rack.height <= 4
            await until(lambda: "The last one is what can be read." in "\n".join(picture(app)))
            assert rack.bottom == app.screen.query_one(Footer).region.y
        app.clear_notifications()
        await until(lambda: not app.screen.query(Toast))
        await until(lambda: shown.region.bottom >= size[1] - 2)
