"""Checks on screen: the real app, a real engine, a real HTTP server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from textual.widgets import Input

from screens.check import CheckScreen
from screens.checks import ChecksScreen
from screens.dialogs import ConfirmDialog
from screens.edit_check import EditCheckDialog, params_line, read_params_line
from screens.fleet import FleetScreen
from tests.checks.lab import http, server
from tests.cli.test_cli import guardian, login
from tests.screens.test_console import console, dialog, go, words_of
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
