"""The real screens over a world that stands still: at every size nothing that matters is cut, and a few pictures of the whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from guardian_tui.app import GuardianApp
from guardian_tui.config import Paths, Settings
from guardian_tui.protocol.access import Enrolled, Enrolment
from screens.dialogs import ConfirmDialog
from screens.edit_host import EditHostDialog
from screens.first_start import FirstStartScreen
from screens.fleet import FleetScreen
from screens.lock import LockScreen
from screens.login import LoginScreen
from screens.reports import ReportDialog
from tests.support.canned import NOW, SESSION, canned, standing_still
from tests.support.console import until
from widgets.prompt import Prompt

SIZES = ((80, 24), (120, 40), (200, 50))
sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def picture(app: GuardianApp) -> list[str]:
    """What stands on the terminal, line by line."""
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


def line_with(app: GuardianApp, words: str) -> str:
    return next((line for line in picture(app) if words in line), "")


async def shown(app: GuardianApp, *words: str) -> None:
    """Wait until all these words are on the terminal."""
    await until(lambda: all(any(word in line for line in picture(app)) for word in words), str(words), 20)


@sizes
async def test_the_fleet_says_why_and_since_when_at_every_size(size: tuple[int, int]) -> None:
    async with canned(size) as (app, _, _):
        await shown(app, "34 behind jump-", "no route to host", "lab-7")
        assert re.search(r"degraded .* disk /srv 91 % +27h", line_with(app, "files-2"))
        assert re.search(r"degraded .* 96 .* 71 .* 93 .*cpu 96 %  ?12m", line_with(app, "web-eu-12"))
        header = picture(app)[0]
        assert "prod" in header and "⚑ 8" in header and "08:00" in header
        # no title of a column is cut
        assert "…" not in line_with(app, " state ").split("│")[1]
        # more columns, not wider gaps
        assert any("fullest" in line for line in picture(app)) == (size[0] >= 160)


@sizes
async def test_a_host_s_page_cuts_no_figure(size: tuple[int, int]) -> None:
    async with canned(size) as (app, _, _):
        app.open_host("web-eu-12")
        await shown(app, "23 of 32 GiB", "3.1 GiB", "→7h", "936 GiB", "eno1", "unit failed", "cpu pressure")
        if size[0] >= 110:
            await shown(app, "php-fpm: pool www", "412", "shop 4.18.0 → 4.19.0  by ci", "upstream timed out")
        await shown(app, "php8.2-fpm", "failed 9m 3×", "1 failed")
        crumbs = picture(app)[0]
        assert re.search(r"› web-eu-12 +● 39", crumbs) and re.search(r"⚑ 8 ", crumbs)


@sizes
async def test_alerts_and_the_audit_log_have_room_for_words(size: tuple[int, int]) -> None:
    async with canned(size) as (app, _, _):
        app.run_line("alerts")
        await shown(app, "ops-1 has it", "cpu > 95 % for 12m", "jump host down")
        app.open_alert("a1")
        await shown(app, "96 %, threshold 95 %", "nobody; a takes it")
        if size[0] >= 110:
            await shown(app, "what changed before", "shop 4.18.0 → 4.19.0  by ci")
        app.pop_screen()
        app.run_line("audit")
        await shown(app, "alert.acknowledge unit failed", "denied", "failed", '"undo":false')


@sizes
async def test_forms_and_dialogs_fit(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    async with canned(size, login=False) as (app, pilot, _):
        assert isinstance(app.screen, LoginScreen)
        await shown(app, "Name", "Password", "six digits, or a recovery code", "Ready.", "esc leave")
        app.begin(SESSION)
        await until(lambda: isinstance(app.screen, FleetScreen) and app.screen.composed)
        app.run_line("key")
        await until(lambda: isinstance(app.screen, ConfirmDialog))
        await shown(
            app, "fingerprint  SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDFyYqVvVPqPhPmZRE", "y or ⏎ yes · n or esc no"
        )
        await leave(app, pilot)
        app.run_line("add web-9 10.0.0.9")
        await until(lambda: isinstance(app.screen, EditHostDialog))
        await shown(app, "web-9", "10.0.0.9", "Labels", "esc not now")
        await leave(app, pilot)
        app.run_line("help")
        await until(lambda: isinstance(app.screen, ReportDialog))
        await shown(
            app, "Opens the host's page, the alert, or the event.", "Filter this list  :filter [FILTER]"
        )
        await leave(app, pilot)
        app.show_lock()
        await until(lambda: isinstance(app.screen, LockScreen))
        await shown(app, "ops-1 is logged in; hosts are watched meanwhile.", "unlock", "^q log out and leave")
        # whoever can't unlock it is not locked in
        left: list[bool] = []

        async def leave_console() -> None:
            left.append(True)

        monkeypatch.setattr(app, "shut", leave_console)
        await pilot.press("ctrl+q")
        await until(lambda: bool(left))


async def leave(app: GuardianApp, pilot: Pilot[int]) -> None:
    await until(lambda: app._held is None)
    await pilot.press("escape")
    await until(lambda: isinstance(app.screen, FleetScreen))


@sizes
async def test_the_first_start_fits(size: tuple[int, int]) -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    async with canned(size, login=False) as (app, _, _):
        screen = FirstStartScreen()
        app.push_screen(screen)
        await shown(app, "Yours will be the first", "12 characters or more", "1 of 3")
        await screen._show_code(
            Enrolment(token="t", secret=secret, uri=f"otpauth://totp/G:ada?secret={secret}")
        )
        await shown(app, "JBSW Y3DP EHPK 3PXP", "six digits", "2 of 3")
        codes = tuple(f"abcd-{place:04d}-wxyz" for place in range(10))
        key = "-".join(["ABCD", "EFGH", "JKLM", "NPQR"] * 3)
        await screen._show_keepsakes(Enrolled(session=SESSION, recovery_codes=codes, recovery_key=key))
        await shown(app, codes[-1], key, "I have written them down", "3 of 3")


@sizes
async def test_the_command_line_shows_what_it_could_become(size: tuple[int, int]) -> None:
    async with canned(size) as (app, pilot, _):
        await pilot.press("colon", "h", "o")
        await shown(app, "host  hosts")
        await pilot.press("s", "t", "space", "w", "e", "b")
        # a fleet of names is cut to what there is room for, and what is typed stays in sight
        await shown(app, "web-eu-", " …")
        assert line_with(app, ":host web").rstrip().endswith(" …")
        app.screen.query_one(Prompt).query_one(Input).value = ""
        await pilot.press("escape", "ctrl+p")
        await shown(app, "Acknowledge", "Says that you have it")


@pytest.mark.parametrize(
    ("line", "size"),
    [("hosts", (80, 24)), ("host web-eu-12", (80, 24)), ("host web-eu-12", (120, 40))],
    ids=["fleet-80", "host-80", "host-120"],
)
def test_the_whole_picture(snap_compare: Callable[..., bool], line: str, size: tuple[int, int]) -> None:
    nowhere = Path("/nonexistent")
    with standing_still():
        app = GuardianApp(
            Paths(nowhere, nowhere, nowhere), Settings(), theme="guardian-dark", clock=lambda: NOW
        )

        async def begin(pilot: Pilot[int]) -> None:
            await until(lambda: app.hello is not None)
            app.begin(SESSION)
            await until(
                lambda: isinstance(app.screen, FleetScreen) and app.screen.composed and app.world.hosts
            )
            app.run_line(line)
            await shown(app, "web-eu-12")
            if "web" in line:
                await shown(app, "23 of 32 GiB")
            app.screen.refresh_frame()  # type: ignore[attr-defined]  # both screens have one
            await pilot.pause()

        assert snap_compare(app, terminal_size=size, run_before=begin)
