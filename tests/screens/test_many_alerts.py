"""Alerts of many at once, keys as a person has them, and lists that become files: what is said first, and what is written."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from guardian_tui.app import GuardianApp
from guardian_tui.commands import Registry
from guardian_tui.ordinary.saving import _csv, _json_lines
from guardian_tui.own_keys import remap
from guardian_tui.protocol.alerts import Acknowledge, AddSilence, Alert, Silence
from guardian_tui.protocol.errors import Conflict
from screens.alert import AlertScreen
from screens.dialogs import ConfirmDialog, TextDialog
from screens.list_screen import ListScreen
from tests.screens.test_console import dialog, words_of
from tests.screens.test_pictures import picture, shown
from tests.support.canned import NOW, SESSION, CannedClient, canned
from tests.support.console import until

pytestmark = pytest.mark.timeout(240)


def orders(client: CannedClient, name: str) -> list[object]:
    return [order for route, order in client.orders if route == name]


async def at_the_alerts(app: GuardianApp) -> list[Alert]:
    app.run_line("alerts")
    await until(lambda: isinstance(app.screen, ListScreen) and app.screen.composed and app.screen.listing.ids)
    return [app.world.alerts[id] for id in app.screen.listing.ids]  # type: ignore[attr-defined]  # a list, since above


async def test_of_several_alerts_it_is_said_how_many_before_they_are_taken_and_what_was_not_done() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        first, second, *_ = await at_the_alerts(app)
        client.answers["alerts.acknowledge"] = replace(first, acknowledged_by=SESSION.account)
        await pilot.press("space", "space", "a")
        await dialog(app, ConfirmDialog)
        assert "acknowledge 2 alerts?" in app.screen._title and len(app.screen._lines) == 2  # type: ignore[attr-defined]  # it is one
        assert not orders(client, "alerts.acknowledge")
        await pilot.press("n")
        await pilot.pause()
        assert not orders(client, "alerts.acknowledge")
        await pilot.press("a")
        await dialog(app, ConfirmDialog)
        await pilot.press("y")
        await until(lambda: "2 alerts: yours." in words_of(app))
        assert [order.alert for order in orders(client, "alerts.acknowledge") if isinstance(order, Acknowledge)] == [first.id, second.id]  # fmt: skip

        real = client.call

        async def refuses_the_second(name: str, kind: type, request: object = None) -> object:
            if isinstance(request, AddSilence) and request.host == second.host:
                raise Conflict("It is over.")
            return await real(name, kind, request)

        client.call = refuses_the_second  # type: ignore[assignment, method-assign]  # one refusal
        client.answers["silences.add"] = Silence(
            "s1", first.rule, first.host, "", "", "ada", NOW, NOW + 3 * 86400
        )
        app.run_line("silence 3d new disks")
        # for several it is asked, with what was typed
        await dialog(app, TextDialog)
        assert app.screen._value == "3d new disks" and "2 alerts" in app.screen._words  # type: ignore[attr-defined]  # it is one
        await pilot.press("enter")
        await until(lambda: "It is over." in words_of(app))
        assert "silent until" in words_of(app) and "1 of 2 not done" in str([one[2] for one in app.said])


async def test_an_alert_s_page_names_the_keys_that_this_person_has() -> None:
    async with canned((100, 40)) as (app, pilot, _):
        await at_the_alerts(app)
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, AlertScreen) and app.screen.composed)
        await shown(app, "nobody; a takes it")
        assert "a acknowledge · s silence · r runbook" in "\n".join(picture(app))
        app.registry, _problems = remap(Registry(), {"alert.acknowledge": "x", "chart.closer": "f5"})
        app.screen.tick(NOW)
        await shown(app, "nobody; x takes it", "x acknowledge · s silence")
        app.session = replace(SESSION, permissions=("hosts.see", "alerts.see"))
        app.screen.tick(NOW)
        await until(lambda: "acknowledge" not in "\n".join(picture(app)))
        assert "takes it" not in "\n".join(picture(app))


def test_several_values_of_a_cell_are_words_in_csv_and_stay_values_in_json_lines() -> None:
    names, rows = (
        ["name", "labels", "groups", "cpu"],
        [("web-1", {"role": "web", "site": "eu"}, ("a", "b"), None)],
    )
    assert _csv(names, rows).splitlines() == ["name,labels,groups,cpu", "web-1,role=web; site=eu,a; b,"]
    assert json.loads(_json_lines(names, rows)) == {
        "name": "web-1",
        "labels": {"role": "web", "site": "eu"},
        "groups": ["a", "b"],
        "cpu": None,
    }


async def test_every_list_can_be_saved_and_an_empty_one_says_that_it_is() -> None:
    async with canned((120, 40)) as (app, _, _client):
        found = {}
        for line, words in (
            ("alerts", "cpu busy"),
            ("audit", "previous"),
            ("people", "sup-2"),
            ("checks", "Nothing is checked"),
        ):
            app.run_line(line)
            await shown(app, words)
            table = app.screen.table_shown  # type: ignore[attr-defined]  # a screen of ours
            assert table is not None
            found[line] = table
        assert "rule" in found["alerts"][0] and len(found["alerts"][1]) == len(app.world.firing())
        assert "outcome" in found["audit"][0] and found["audit"][1]
        assert ("sup-2", "active") in [row[:2] for row in found["people"][1]]
        assert found["checks"][1] == [] and "kind" in found["checks"][0]
        app.run_line("save csv")
        await until(lambda: "The list is empty" in words_of(app))


async def test_an_order_that_the_hosts_do_not_have_is_refused_with_those_that_there_are() -> None:
    async with canned((120, 40)) as (app, _, _client):
        app.run_line("sort colour")
        await until(
            lambda: (
                "There is no order by colour; there are state, name, cpu, memory, disk, load, net, up."
                in words_of(app)
            )
        )
        app.run_line("sort mem")
        await shown(app, "by memory")
