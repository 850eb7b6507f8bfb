"""The engine's own page: canned figures at both sizes; and a real engine's, on screen and headless."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from textual.containers import VerticalScroll

from guardian_tui.protocol.engine_figures import EngineFigures
from screens.engine import EngineScreen
from screens.engine_lines import groups
from tests.screens.test_console import console
from tests.support.canned import FIGURES, STATUS, canned
from tests.support.console import house, until
from tests.widgets.test_small_widgets import text_of
from widgets.box import Box

pytestmark = pytest.mark.timeout(240)


def shown(page: EngineScreen) -> str:
    return "\n".join(line for box in page.query(Box) for line in text_of(box))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_what_is_wrong_is_marked_and_nothing_is_cut(size: tuple[int, int]) -> None:
    async with canned(size) as (app, pilot, _):
        await pilot.press("g", "9")
        await until(lambda: isinstance(app.screen, EngineScreen) and "updates" in shown(app.screen))
        page = app.screen
        assert isinstance(page, EngineScreen)
        words = shown(page)
        for part in (
            "median 2 ms, p99 34 ms, worst 34 ms",
            "1920 polls in 2 min",
            "312 MiB",
            "! 1",
            "12×",
            "engine.fleet.watch",
            "db-eu-1",
            "9.4 s",
        ):
            assert part in words, part
        assert "…" not in words
        assert page.query_one(VerticalScroll).has_focus
        await pilot.press("escape")
        await until(lambda: not isinstance(app.screen, EngineScreen))


async def test_only_a_box_whose_figures_changed_is_drawn_again() -> None:
    async with canned((120, 40)) as (app, pilot, client):
        await pilot.press("g", "9")
        await until(lambda: isinstance(app.screen, EngineScreen) and "updates" in shown(app.screen))
        page = app.screen
        assert isinstance(page, EngineScreen)
        drawn: list[str] = []
        for box in page.query(Box):
            box.show = lambda *_, box=box, **__: drawn.append(str(box.id))  # type: ignore[method-assign]  # watched
        await page.read()
        assert drawn == []
        client.answers["engine.figures"] = msgspec.structs.replace(FIGURES, queued_samples=50_000)
        await page.read()
        assert drawn == ["what-waits"]


def test_trouble_of_every_kind_is_marked() -> None:
    status = msgspec.structs.replace(
        STATUS, store_problem="disk full", store_mended=("metrics.db set aside",), audit_ok=False, dropped_samples=3, late_polls=2, slowed_hosts=1,
    )  # fmt: skip
    found = msgspec.structs.replace(FIGURES, status=status, store_bytes=None)
    bad = {figure.label for of in groups(found).values() for figure in of if figure.bad}
    assert bad == {
        "problem",
        "mended",
        "audit chain",
        "samples dropped",
        "late polls",
        "slowed down",
        "damaged chunks",
    }
    assert "not known" in str(groups(found)["store"])


async def test_a_real_engine_tells_of_itself_on_screen_and_over_its_api(tmp_path: Path) -> None:
    async with house(tmp_path) as one, console(one) as (app, pilot):
        await pilot.press("g", "9")
        await until(lambda: isinstance(app.screen, EngineScreen) and "MiB" in shown(app.screen))
        found = await app.client.call("engine.figures", EngineFigures)
        assert found.status.memory_bytes > 10 << 20 and found.cpu_seconds > 0 and found.open_files > 3
        assert found.store == "sqlite" and found.store_bytes
        assert json.loads(msgspec.json.encode(found))["waves"]["waves"] >= 0
