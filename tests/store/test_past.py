"""By what time things are old: a clock that jumps takes nothing with it, an engine that was away catches up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.store import database
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.past import CATCH_UP, Past

DAY = 86400.0
YEAR = 365 * DAY


def test_it_is_the_clock_s_while_that_goes_as_time_does() -> None:
    clock = ManualClock()
    past = Past(clock)
    for _ in range(10):
        clock.advance(DAY)
        assert past.now() == clock.now()


def test_a_clock_that_is_set_forward_is_followed_slowly_and_one_that_is_set_back_at_once() -> None:
    clock = ManualClock()
    past, began = Past(clock), clock.now()
    clock.jump(YEAR)
    assert past.now() == began
    clock.advance(DAY)
    assert past.now() == began + CATCH_UP * DAY
    clock.jump(-YEAR)
    assert past.now() == clock.now() == began + DAY
    clock.jump(-YEAR)
    assert past.now() == clock.now()
    clock.jump(YEAR)
    assert past.now() == began + DAY - YEAR
    clock.advance(YEAR)
    assert past.now() == clock.now()


async def test_it_outlives_the_engine_which_catches_up(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WATCH_SECONDS", 0.02)
    clock = ManualClock()
    settings = StoreSettings(url=store_url)

    async def marked(least: int) -> None:
        async with asyncio.timeout(60):
            while store.commits < least:
                await asyncio.sleep(0.01)

    store = await Store.open(settings, tmp_path, clock)
    assert store.past.now() == clock.now()
    await marked(1)
    await store.close()
    began = clock.now()
    # the clock was years ahead while the machine was started
    clock.jump(10 * YEAR)
    store = await Store.open(settings, tmp_path, clock)
    assert store.past.now() == began
    await marked(1)
    await store.close()
    store = await Store.open(settings, tmp_path, clock)
    assert store.past.now() == began
    clock.jump(3 * DAY - 10 * YEAR)
    clock.advance(DAY)
    assert store.past.now() == clock.now()
    await store.close()
