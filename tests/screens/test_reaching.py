"""Who hears of an alert, on screen: silences made beforehand and ended, rules in force, channels that are tried."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from guardian_tui.app import GuardianApp
from guardian_tui.protocol import alerts
from guardian_tui.protocol.alerts import AddSilence, Channel, ChannelList, EndSilence, Silence
from screens.choice import ChoiceDialog
from screens.dialogs import ConfirmDialog
from screens.reports import ReportDialog
from tests.screens.test_console import dialog, words_of
from tests.support.canned import canned
from tests.support.console import until
from tests.widgets.fleet_app import NOW
from widgets.hosts_table import HostsTable

pytestmark = pytest.mark.timeout(240)
HELD = Silence("s1", "cpu_busy", "web-eu-12", "", "load test", "ada", NOW - 60, NOW + 1800)


def choices(app: GuardianApp) -> str:
    assert isinstance(app.screen, ChoiceDialog)
    return "\n".join(f"{words} {help}" for _, words, help in app.screen._choices)


async def test_a_silence_is_found_and_ended_and_a_quiet_host_is_silenced_before_its_work_begins() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        app.run_line("silences")
        await until(lambda: "Nothing is silent" in words_of(app))
        app.world.silences = {"s1": HELD, "old": replace(HELD, id="old", until=NOW - 1)}
        app.run_line("silences")
        await dialog(app, ChoiceDialog)
        assert "cpu_busy on web-eu-12" in choices(app) and "30m more, by ada: load test" in choices(app)
        assert choices(app).count("\n") == 0
        await pilot.press("enter")
        await dialog(app, ConfirmDialog)
        await pilot.press("y")
        await until(lambda: client.orders[-1:] == [("silences.end", EndSilence(silence="s1"))])
        quiet = next(
            one for one in app.world.hosts.values() if one.state == "up" and not app.world.alerts_of(one.id)
        )
        app.screen.query_one(HostsTable).move_to(quiet.id)
        client.answers["silences.add"] = replace(HELD, rule="", host=quiet.name)
        app.run_line("silence 2h moving house")
        order = AddSilence(host=quiet.name, reason="moving house", seconds=7200)
        await until(lambda: client.orders[-1:] == [("silences.add", order)])
        await until(lambda: f"all alerts on {quiet.name}: silent until" in words_of(app))


async def test_rules_are_read_and_channels_are_tried() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        app.run_line("rules")
        await dialog(app, ReportDialog)
        assert isinstance(app.screen, ReportDialog) and len(app.screen._lines) > 2
        await pilot.press("escape")
        app.run_line("rules no-such-rule")
        await dialog(app, ReportDialog)
        assert isinstance(app.screen, ReportDialog) and "No rule has" in app.screen._lines[0][0]
        await pilot.press("escape")
        client.answers["channels.list"] = ChannelList(channels=())
        app.run_line("channels")
        await until(lambda: "No channel is set up" in words_of(app))
        failing = Channel(
            "ops", "webhook", "https://hooks.example/x", "failing", NOW - 3600, "refused\x1b[2J", 3
        )
        client.answers["channels.list"] = ChannelList(channels=(failing,))
        app.run_line("channels")
        await dialog(app, ChoiceDialog)
        assert "failing, https://hooks.example/x, last told 60m ago, 3 wait; refused" in choices(app)
        await pilot.press("enter")
        await until(lambda: client.orders[-1:] == [("channels.test", alerts.TestChannel(channel="ops"))])


async def test_planned_work_says_until_when() -> None:
    async with canned((120, 40)) as (app, _pilot, _client):
        table = app.screen.query_one(HostsTable)
        row = next(iter(app.world.hosts.values()))
        at_work = replace(row, state="maintenance", why="new disks", until=NOW + 3600, since=NOW)
        table.apply([at_work], [], NOW)
        assert "new disks until 09:00" in "".join(text for text, _ in table.line(row.id, table.width))
        table.apply([replace(at_work, until=NOW + 86400)], [], NOW)
        assert (
            "until" in (words := "".join(text for text, _ in table.line(row.id, table.width)))
            and "08:00" in words
        )
