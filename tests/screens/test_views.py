"""How a list is looked at: columns, saved views, how often it is drawn, pause."""

from __future__ import annotations

import pytest
from msgspec.structs import asdict, replace

from guardian_tui.app import GuardianApp
from guardian_tui.picture import EVERY_SECONDS
from guardian_tui.protocol.events import Delta
from guardian_tui.protocol.views import SaveView, View, ViewList
from guardian_tui.world import EVERYTHING, Change
from screens.alerts import AlertsScreen
from screens.choice import ChoiceDialog
from screens.dialogs import TextDialog
from screens.fleet import FleetScreen
from screens.host import HostScreen
from tests.screens.test_console import dialog, words_of
from tests.support.canned import canned
from tests.support.console import until
from tests.widgets.fleet_app import row
from widgets.hosts_table import HostsTable, Looks

pytestmark = pytest.mark.timeout(240)


async def test_a_view_keeps_filter_order_and_columns_and_opens_from_anywhere() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        table = app.screen.query_one(HostsTable)
        for line in (
            "columns disk label:role",
            "sort name",
            "sort name",
            "problems",
            "filter none-has-this",
            "view-save odd shared",
        ):
            app.run_line(line)
        odd = SaveView(
            name="odd", filter="none-has-this", sort="name", reverse=True, problems=True, columns=("disk", "label:role"), shared=True
        )  # fmt: skip
        await until(lambda: client.orders[-1:] == [("views.save", odd)])
        app.run_line("alerts critical")
        await until(lambda: isinstance(app.screen, AlertsScreen) and app.screen.wanted.text == "critical")
        client.answers["views.list"] = ViewList(views=())
        await pilot.press("apostrophe")
        await dialog(app, ChoiceDialog)
        await pilot.press("end", "enter")
        await dialog(app, TextDialog)
        await pilot.press("g", "enter")
        grave = SaveView(name="g", screen="alerts", filter="critical")
        await until(lambda: client.orders[-1:] == [("views.save", grave)])
        kept = [View(**asdict(one), owner="ops-1") for one in (odd, grave)]
        client.answers["views.list"] = ViewList(views=tuple(kept))
        app.run_line("filter x")
        app.run_line("view odd")
        looks = Looks("name", reverse=True, problems=True, columns=("disk", "label:role"))
        await until(
            lambda: isinstance(app.screen, FleetScreen) and app.screen.crumbs == ("fleet", "/none-has-this")
        )
        assert table.looked_at == looks
        await pilot.press("apostrophe")
        await dialog(app, ChoiceDialog)
        # behind the two views stands how it was
        await pilot.press("down", "down", "enter")
        await until(lambda: table.looked_at == Looks() and app.screen.crumbs == ("fleet",))
        app.run_line("view g")
        await until(lambda: isinstance(app.screen, AlertsScreen) and app.screen.wanted.text == "critical")


async def test_what_can_not_be_kept_opened_or_forgotten_says_why() -> None:
    async with canned((120, 40)) as (app, _pilot, client):
        theirs = View(name="theirs", screen="audit", owner="bob", mine=False, shared=True)
        client.answers["views.list"] = ViewList(views=(theirs,))
        assert app.session is not None
        app.session = replace(app.session, permissions=("hosts.see",))
        for line, words in (
            ("view nobody", "There is no view nobody"), ("view bob/theirs", "a view of audit, which you may not see"),
            ("view-save", "write :view-save NAME"), ("view-save ../x", "letters"), ("view-remove", "Write :view-remove"),
            ("view-remove theirs", "is forgotten"),
        ):  # fmt: skip
            app.run_line(line)
            await until(lambda words=words: words in words_of(app))
        app.push_screen(HostScreen(next(iter(app.world.hosts))))
        await until(lambda: isinstance(app.screen, HostScreen))
        app.run_line("view-save page")
        await until(lambda: "no list on this screen" in words_of(app))


async def test_columns_are_picked_one_by_one_and_labels_of_the_hosts_are_offered() -> None:
    async with canned((120, 40)) as (app, pilot, _):
        table = app.screen.query_one(HostsTable)
        await pilot.press("c")
        await dialog(app, ChoiceDialog)
        await pilot.press("enter")
        await until(lambda: "cpu" not in table.columns_chosen)
        await dialog(app, ChoiceDialog)
        await pilot.press("end", "enter")
        await until(lambda: not table.looked_at.columns)
        app.run_line("columns cpu nonsense")
        await until(lambda: "There is no column nonsense" in words_of(app))


def shown(app: GuardianApp, id: str) -> float | None:
    row = app.screen.query_one(HostsTable).row(id)
    return row.cpu if row else None


async def test_a_picture_that_is_drawn_less_often_holds_news_but_not_what_is_lost() -> None:
    async with canned((120, 40)) as (app, pilot, _):
        id = next(id for id, one in app.world.hosts.items() if one.state == "up")
        for cpu in (0.11, 0.12):
            app._changed(Delta(seq=2, hosts=(replace(app.world.hosts[id], cpu=cpu),)))
        assert shown(app, id) == 0.12
        for _ in EVERY_SECONDS:
            await pilot.press(">")
        assert app.picture.every_seconds == EVERY_SECONDS[-1] and "drawn every 30 s" in app.footer_note()
        app._changed(Delta(seq=3, hosts=(replace(app.world.hosts[id], cpu=0.13),)))
        app._changed(Delta(seq=4, hosts=(replace(app.world.hosts[id], cpu=0.14),)))
        app._tick()
        assert shown(app, id) == 0.12
        # what must be known at once does not wait, and takes the rest with it
        app._lost()
        assert shown(app, id) == 0.14
        for _ in EVERY_SECONDS:
            await pilot.press("<")
        assert not app.picture.every_seconds and "drawn" not in app.footer_note()


async def test_a_pause_holds_the_picture_and_all_that_came_meanwhile_is_drawn_after_it() -> None:
    async with canned((120, 40)) as (app, pilot, _):
        told: list[Change] = []
        app.screen.world_changed = told.append  # type: ignore[method-assign]  # to hear what it is told
        await pilot.press("P")
        assert "Paused" in app.banner_words()
        app._changed(Delta(seq=2, hosts=(row("new"),)))
        assert not told
        await pilot.press("P")
        assert told == [EVERYTHING] and not app.banner_words()


def test_two_changes_in_one_are_the_newest_of_each() -> None:
    old, new = row("a", cpu=0.1), row("a", cpu=0.2)
    both = Change(hosts=(old, row("b")), alerts=True).and_then(
        Change(hosts=(new,), hosts_gone=(row("b").id,))
    )
    assert both.hosts == (new,) and both.hosts_gone == (row("b").id,) and both.alerts
    back = Change(hosts_gone=(old.id,)).and_then(Change(hosts=(new,), orders=True))
    assert back.hosts == (new,) and not back.hosts_gone and back.orders
