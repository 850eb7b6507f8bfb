"""Makes the pictures of these pages from a running demo, as a person at its console would see it: `make pictures`."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from guardian_tui.demo.backstage import Backstage
from guardian_tui.demo.console import DemoApp
from screens.base import GuardianScreen
from screens.chart_pane import ChartPane
from screens.section import SectionScreen

HERE = Path(__file__).parent
SIZE = (120, 40)
HOSTS, SPEED = 40, 60.0
THEME = "guardian-dark"
FAULTS = ("jump", "cpu", "crash-loop")
"""What has gone wrong on the first pictures; names that try to take over the terminal come after them."""
WAIT_SECONDS = 180.0
HISTORY_SECONDS = 60.0
"""How long the demo has run before charts and sparklines are worth a picture."""


@asynccontextmanager
async def demo() -> AsyncIterator[DemoApp]:
    """The console of a demo, logged in, with its faults alerted."""
    # as on a terminal of today, whatever this runs on
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    os.environ.pop("NO_COLOR", None)
    backstage = Backstage(HOSTS, SPEED, FAULTS)
    try:
        app = DemoApp(backstage, theme=THEME)
        async with app.run_test(size=SIZE, notifications=True):
            begun = time.monotonic()
            for rule in ("host_down", "cpu_busy"):
                await until(lambda rule=rule: host_of(app, rule), f"the alert {rule}")
            await asyncio.sleep(max(0.0, begun + HISTORY_SECONDS - time.monotonic()))
            yield app
            await app.shut()
    finally:
        backstage.close()


async def until(check: Callable[[], object], what: str) -> None:
    """Wait until something is so."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while not check():
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise SystemExit(f"{what} did not come within {WAIT_SECONDS:.0f} s") from error


def host_of(app: DemoApp, rule: str) -> str:
    """Id of the host of which an alert of this rule fires; empty while there is none."""
    return next((a.host_id for a in app.world.alerts.values() if a.rule == rule and a.state == "firing"), "")


async def photograph(app: DemoApp, name: str) -> None:
    """Write what is on screen, without what the demo said."""
    app.clear_notifications()
    if isinstance(app.screen, GuardianScreen):
        app.screen.refresh_frame()
    await asyncio.sleep(1.5)
    (HERE / f"{name}.svg").write_text(app.export_screenshot(title="guardian"), encoding="utf-8")
    print(f"{name}.svg")


async def main() -> None:
    """All of them, in the order in which a day brings them."""
    async with demo() as app:
        await photograph(app, "fleet")

        app.open_host(host_of(app, "cpu_busy"))
        await until(
            lambda: (page := app.screen.query(ChartPane)) and page.first().has_values, "the chart of a host"
        )
        await photograph(app, "host")
        app.run_line("processes")
        await until(
            lambda: isinstance(app.screen, SectionScreen) and app.screen.composed and app.screen.rows.rows,
            "its processes",
        )
        await photograph(app, "processes")
        app.pop_screen()
        app.pop_screen()

        app.go("checks")
        await until(lambda: any(row.state == "failed" for row in app.world.checks.values()), "a failed check")
        await photograph(app, "checks")
        app.go("fleet")

        app.run_line("trouble hostile")
        await until(lambda: host_of(app, "disk_low"), "the alert disk_low")
        await photograph(app, "demo")
        app.open_host(host_of(app, "disk_low"))
        await until(
            lambda: (page := app.screen.query(ChartPane)) and page.first().has_values, "the chart of a host"
        )
        await photograph(app, "demo-hostile")


if __name__ == "__main__":
    asyncio.run(main())
