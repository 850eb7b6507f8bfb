"""Checks on screen: the real app, a real engine, a real HTTP server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from guardian_tui.protocol.base import Done
from guardian_tui.protocol.checks import CheckDetail, CheckFigure, CheckRow, CheckSpec, Range
from guardian_tui.protocol.events import Delta
from screens.chart_views import Limits
from screens.check import CheckScreen
from screens.check_figures import figure_lines, view_of_figure
from screens.checks import ChecksScreen
from screens.dialogs import ConfirmDialog
from screens.edit_check import EditCheckDialog, params_line, read_params_line
from screens.fleet import FleetScreen
from tests.checks.lab import http, server
from tests.cli.test_cli import guardian, login
from tests.screens.test_charts import text_of
from tests.screens.test_console import console, dialog, go, words_of
from tests.support.canned import NOW, canned
from tests.support.console import house, until
from widgets.box import Box
from widgets.checks_list import ChecksList

pytestmark = pytest.mark.timeout(240)


class Site:
    status = 200

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http(status=self.status))


def lines(shown: ChecksList | Box) -> str:
    """What a widget shows."""
    return "\n".join(shown.render_line(y).text for y in range(shown.size.height))


async def test_a_check_is_added_seen_to_fail_to_be_an_alert_and_to_be_well_again(tmp_path: Path) -> None:
    site = Site()
    async with server(site.serve) as port, house(tmp_path) as one, console(one) as (app, pilot):
        await pilot.press("g", "5")
        await until(lambda: isinstance(app.screen, ChecksScreen) and app.screen.composed)
        await pilot.press("n")
        await dialog(app, EditCheckDialog)
        form = app.screen
        assert "url*" in str(form.query_one("#kinds").render())
        form.query_one("#name", Input).value = "shop"
        form.query_one("#params", Input).value = f"url=http://127.0.0.1:{port}/ staus=200"
        form.query_one("#period_seconds", Input).value = "1s"
        await pilot.press("ctrl+s")
        await until(lambda: "staus" in str(form.query_one("#words").render()))
        form.query_one("#params", Input).value = f"url=http://127.0.0.1:{port}/"
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(app.screen, ChecksScreen) and app.world.checks)
        shown = app.screen.query_one(ChecksList)
        await until(lambda: "● ok" in lines(shown) and "shop" in lines(shown), "it is well")
        site.status = 503
        await until(lambda: "✖ failed" in lines(shown) and "status 503, wanted less than 400" in lines(shown))
        await until(lambda: any(a.rule == "http_check_failed" for a in app.world.alerts.values()), "an alert")
        (alert,) = [a for a in app.world.alerts.values() if a.rule == "http_check_failed"]
        assert alert.instance == "shop" and "status 503" in alert.why and alert.severity == "critical"
        await pilot.press("enter")
        await until(lambda: isinstance(app.screen, CheckScreen))
        page = app.screen
        await until(lambda: "in a row" in lines(page.query_one("#words", Box)))
        await until(lambda: "first byte" in lines(page.query_one("#figures", Box)))
        for key in ("m", "m", "plus", "underscore"):
            await pilot.press(key)
        site.status = 200
        await until(
            lambda: app.world.alerts[alert.id].state == "resolved" if alert.id in app.world.alerts else True
        )
        await pilot.press("r")
        await until(lambda: "shop: ok" in words_of(app))
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, ChecksScreen))
        await pilot.press("e")
        await dialog(app, EditCheckDialog)
        app.screen.query_one("#params", Input).value = f"url=http://127.0.0.1:{port}/ text='no such words'"
        await pilot.press("ctrl+s")
        await until(lambda: "the body lacks" in lines(shown))
        await pilot.press("o")
        await until(lambda: "◼ off" in lines(shown))
        await go(app, pilot, "filter !off")
        await until(lambda: "shop" not in lines(shown))
        await pilot.press("escape")
        await until(lambda: "shop" in lines(shown))
        await pilot.press("delete")
        await dialog(app, ConfirmDialog)
        await pilot.press("y")
        await until(lambda: not app.world.checks)
        await pilot.press("escape")
        await until(lambda: isinstance(app.screen, FleetScreen))


async def test_checks_without_a_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIAN_HOME", str(tmp_path))
    async with server(Site().serve) as port, house(tmp_path) as one:
        await login(one)
        added = await guardian(
            "checks",
            "add",
            "--name",
            "web",
            "--kind",
            "http",
            "--params",
            f"url=http://127.0.0.1:{port}/",
            "--json",
        )
        assert added.exit_code == 0 and json.loads(added.output)["where"] == "engine", added.output
        done = await guardian("checks", "run", "web", "--json")
        assert json.loads(done.output)["row"]["state"] == "ok"
        edited = await guardian(
            "checks", "edit", "web", "--params", "status=418", "--period-seconds", "7", "--json"
        )
        assert json.loads(edited.output)["period_seconds"] == 7, edited.output
        assert (
            json.loads((await guardian("checks", "run", "web", "--json")).output)["row"]["state"] == "failed"
        )
        assert "status 200, wanted 418" in (await guardian("checks", "list", "--filter", "failed")).output
        wrong = await guardian("checks", "add", "--name", "x", "--kind", "dns")
        assert wrong.exit_code == 1 and "name" in wrong.output
        assert (await guardian("checks", "remove", "web")).output == "Done.\n"
        told = json.loads((await guardian("audit", "list", "--json")).output)["events"]
    actions = [(event["action"], event["target"], event["outcome"]) for event in told]
    assert ("checks.add", "web", "ok") in actions and ("checks.run", "web", "intent") in actions


def test_a_line_of_parameters_is_read_as_it_is_written() -> None:
    from guardian_tui.protocol.checks import CheckSpec

    spec = CheckSpec(
        name="x", kind="http", params={"url": "http://x/", "text": "two 'words'", "status": [200, 204]}
    )
    assert read_params_line(params_line(spec)) == {
        "url": "http://x/",
        "text": "two 'words'",
        "status": "200,204",
    }


ROW = CheckRow(
    id="c1", name="root-disk", host_id="lab-7", host="lab-7", kind="nagios", where="host", state="warning", since=NOW - 900, words="DISK WARNING", measured_at=NOW - 5,
)  # fmt: skip
DETAIL = CheckDetail(
    row=ROW, spec=CheckSpec(name="root-disk", kind="nagios", host="lab-7", params={"plugin": "check_disk"}),
    figures=(
        CheckFigure(series="check_perfdata{root-disk//}", value=40e9, unit="bytes", warning=Range(high=32e9), critical=Range(high=48e9), least=0, most=64e9),
        CheckFigure(series="check_perfdata{root-disk/pl}", value=0.8, unit="ratio", warning=Range(high=0.2), critical=Range(high=0.6)),
        CheckFigure(series="check_perfdata{root-disk/procs}", value=12, unit="count", warning=Range(low=1, high=100)),
        CheckFigure(series="check_perfdata{root-disk/inodes}", value=7, unit="count"),
    ),
)  # fmt: skip


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_a_plugin_s_values_stand_beside_its_thresholds_and_their_lines_in_the_chart(
    size: tuple[int, int],
) -> None:
    async with canned(size) as (app, pilot, client):
        client.answers["checks.show"] = DETAIL
        app._changed(Delta(seq=99, checks=(ROW,)))
        app.open_check("c1")
        await until(lambda: isinstance(app.screen, CheckScreen) and app.screen.composed)
        page = app.screen
        assert isinstance(page, CheckScreen)
        await until(lambda: "37.3 GiB" in lines(page.query_one("#figures", Box)))
        shown = lines(page.query_one("#figures", Box)).splitlines()
        assert "▲ > 29.8 GiB" in shown[0] and "80 %  pl" in shown[1] and "✖ > 60 %" in shown[1]
        assert "▲ < 1" in shown[2] and shown[3].strip() == "7  inodes"
        if size[0] >= 120:
            assert "✖ > 44.7 GiB" in shown[0] and "▲ > 20 %" in shown[1] and "or > 100" in shown[2]
        assert figure_lines(DETAIL, 90)[0][-1] == ("  of 59.6 GiB", "faint")
        await pilot.press("m", "m")
        chart = page.chart
        await until(lambda: chart.view.series == "check_perfdata{root-disk//}" and chart.has_values)
        assert chart.view.top == 64e9
        await until(lambda: "> 44.7 GiB" in "\n".join(text_of(chart)))
        drawn = "\n".join(text_of(chart))
        assert "─" in drawn and "╌" in drawn and " 60G " in drawn


@pytest.mark.parametrize(
    ("range", "words", "lines"),
    [
        (Range(high=10), "> 10", (10,)), (Range(low=10), "< 10", (10,)), (Range(low=None, high=5), "> 5", (5,)), (Range(low=10, high=20), "< 10 or > 20", (10, 20)),
        (Range(low=10, high=20, inside=True), "10–20", (10, 20)), (Range(high=5, inside=True), "0–5", (5,)), (Range(low=None, high=5, inside=True), "≤ 5", (5,)),
        (Range(low=5, inside=True), "≥ 5", (5,)), (Range(low=None), "", ()), (Range(low=None, inside=True), "any", ()), (Range(), "< 0", (0,)),
    ],
)  # fmt: skip
def test_a_range_is_said_in_words_and_drawn_where_it_ends(
    range: Range, words: str, lines: tuple[float, ...]
) -> None:
    figure = CheckFigure(series="x", value=7, unit="count", critical=range)
    view = view_of_figure(figure)
    assert view.limits == Limits(lines, (), words)


async def test_marked_checks_are_made_switched_off_and_removed_together() -> None:
    rows = [replace(ROW, id=f"c{place}", name=f"disk-{place}", measured_at=NOW) for place in range(7)]
    async with canned((100, 30)) as (app, pilot, client):
        client.answers |= {"checks.run": DETAIL, "checks.edit": ROW, "checks.remove": Done()}
        app._changed(Delta(seq=2, checks=tuple(rows)))
        app.run_line("checks")
        await until(
            lambda: isinstance(app.screen, ChecksScreen) and app.screen.composed and app.screen.listing.ids
        )  # type: ignore[attr-defined]  # since it is one
        await pilot.press("space", "space", "r")
        await until(lambda: "2 checks made: 2 warning." in words_of(app))
        # of several it is said first which they are
        await pilot.press("o")
        await dialog(app, ConfirmDialog)
        assert app.screen._lines[:2] == ["disk-0", "disk-1"]  # type: ignore[attr-defined]  # it is one
        await pilot.press("y")
        await until(lambda: "2 checks are switched off; their alerts end." in words_of(app))
        await pilot.press("home", "space", "space", "end", "v", "delete")
        await dialog(app, ConfirmDialog)
        wanted = app.screen._typed  # type: ignore[attr-defined]  # it is one
        assert int(wanted) == len(app.screen._lines) - 3 > 5  # type: ignore[attr-defined]  # it is one
        app.screen.query_one("#typed", Input).value = wanted
        await pilot.press("enter")
        await until(lambda: f"{wanted} checks are no longer made." in words_of(app))
        assert len([name for name, _ in client.orders if name == "checks.remove"]) == int(wanted)
