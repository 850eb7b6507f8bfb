"""Samples come back as charts: from the open hour, from chunks, from rollups; after a restart too."""

from __future__ import annotations

import asyncio
import math
from pathlib import Path

import pytest
from sqlalchemy import event, text, update

from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import Layout, Sample
from guardian_tui.engine.store import metrics as module
from guardian_tui.engine.store.chunk_rows import DAY, HOUR
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import chunks, waves
from guardian_tui.engine.store.waves import bit_of, part_of

LAYOUT = Layout(("cpu", "fs{/}"))


def hour_of(start: float, host: str = "h1", every: float = 10.0, layout: Layout = LAYOUT) -> list[Sample]:
    return [
        Sample(host, start + n * every, layout, [float(n)] * len(layout.names))
        for n in range(int(HOUR / every))
    ]


async def fill(store: Store, *hours: float) -> None:
    for start in hours:
        store.metrics.add(hour_of(start), "fast")
    async with asyncio.timeout(60):
        await store.metrics.flush()


async def test_the_open_hour_is_served_from_the_hot_table_with_gaps_as_none(
    store: Store, clock: ManualClock
) -> None:
    start = clock.now()
    store.metrics.add(
        [Sample("h1", start, LAYOUT, [1.0, math.nan]), Sample("h1", start + 20, LAYOUT, [3.0, 4.0])], "fast"
    )
    await store.metrics.flush()
    cpu = await store.metrics.history("h1", "cpu", start, start + 30, 3)
    disk = await store.metrics.history("h1", "fs{/}", start, start + 30, 3)
    assert cpu.mean == (1.0, None, 3.0) and disk.mean == (None, None, 4.0)
    assert await store.metrics.last_values("h1") == {"cpu": 3.0, "fs{/}": 4.0}
    assert await store.metrics.last_values("nobody") == {}


async def test_closing_an_hour_twice_changes_nothing_and_the_chart_stays_the_same(
    store: Store, clock: ManualClock
) -> None:
    start = clock.now()
    await fill(store, start)
    before = await store.metrics.history("h1", "cpu", start, start + HOUR, 360)
    assert await store.metrics.close_due_hours(start + 2 * HOUR) == 1
    assert await store.metrics.close_due_hours(start + 2 * HOUR) == 0
    await store.metrics.close_host("h1", start + 2 * HOUR)
    assert await store.metrics.history("h1", "cpu", start, start + HOUR, 360) == before
    counts = await store.metrics.counts()
    assert (counts["hot"], counts["chunks"], counts["layouts"]) == (0, 3, 1)


async def test_the_coarsest_resolution_that_fills_the_columns_is_read(
    store: Store, clock: ManualClock
) -> None:
    start = clock.now()
    await fill(store, start)
    await store.metrics.close_host("h1", start + HOUR)
    minute = await store.metrics.history("h1", "cpu", start, start + HOUR, 60)
    assert (minute.mean[0], minute.low[0], minute.high[0]) == (2.5, 0.0, 5.0)
    quarter = await store.metrics.history("h1", "cpu", start, start + HOUR, 4)
    assert (quarter.mean[3], quarter.low[3], quarter.high[3]) == (314.5, 270.0, 359.0)


async def test_hours_of_one_day_share_a_chunk_of_quarter_hours(store: Store, clock: ManualClock) -> None:
    start = clock.now() // DAY * DAY
    await fill(store, start, start + HOUR, start + 2 * HOUR)
    await store.metrics.close_host("h1", start + 3 * HOUR)
    assert (await store.metrics.counts())["chunks"] == 3 + 3 + 1
    chart = await store.metrics.history("h1", "cpu", start, start + 3 * HOUR, 12)
    assert None not in chart.mean


async def test_hours_of_many_hosts_that_wait_are_closed_in_a_handful_of_statements(
    store: Store, clock: ManualClock
) -> None:
    start = clock.now()
    hosts = [name for number in range(2000) if part_of(name := f"h{number}") == part_of("h1")][:40]
    for host in hosts:
        for hour in (start, start + HOUR):
            store.metrics.add(hour_of(hour, host, every=600.0), "fast")
    async with asyncio.timeout(60):
        await store.metrics.flush()
    asked: list[str] = []

    @event.listens_for(store.metrics._engine.sync_engine, "before_cursor_execute")
    def note(conn: object, cursor: object, statement: str, *more: object) -> None:
        asked.append(statement)

    await store.metrics.close_host("h1", start + 2 * HOUR)
    # 40 hosts, two hours, five chunks each: the day's is shared
    assert len(asked) <= 10 and (await store.metrics.counts())["chunks"] == 200
    day = await store.metrics.history(hosts[-1], "cpu", start, start + 2 * HOUR, 8)
    assert None not in day.mean and len(day.mean) == 8


async def test_a_late_sample_of_a_closed_hour_is_merged_into_it(store: Store, clock: ManualClock) -> None:
    start = clock.now()
    await fill(store, start)
    await store.metrics.close_host("h1", start + HOUR)
    # the clock was set back: the same hour is written a second time, out of order
    store.metrics.add([Sample("h1", start + 3, LAYOUT, [1000.0, 0.0])], "fast")
    await store.metrics.flush()
    await store.metrics.close_host("h1", start + HOUR)
    chart = await store.metrics.history("h1", "cpu", start, start + 10, 2)
    assert chart.high == (1000.0, None)


async def test_a_damaged_chunk_is_named_and_the_rest_is_served(store: Store, clock: ManualClock) -> None:
    start = clock.now()
    await fill(store, start, start + HOUR)
    await store.metrics.close_host("h1", start + 2 * HOUR)
    async with store.metrics._engine.begin() as conn:
        await conn.execute(update(chunks).where(chunks.c.start == start).values(data=b"rubbish"))
    chart = await store.metrics.history("h1", "cpu", start, start + 2 * HOUR, 720)
    assert chart.mean[0] is None and chart.mean[400] is not None
    assert any("damaged" in words for words in chart.problems)


async def test_layouts_survive_a_restart_and_a_damaged_one_is_written_again(
    store_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    start = clock.now()
    settings = StoreSettings(url=store_url)
    first = await Store.open(settings, tmp_path, clock)
    await fill(first, start)
    await first.close()
    second = await Store.open(settings, tmp_path, clock)
    assert (await second.metrics.history("h1", "cpu", start, start + HOUR, 360)).mean[359] == 359.0
    async with second.metrics._engine.begin() as conn:
        await conn.execute(text("UPDATE layouts SET names = :b"), {"b": b"rubbish"})
    await second.close()
    third = await Store.open(settings, tmp_path, clock)
    third.metrics.add([Sample("h1", start + HOUR, LAYOUT, [7.0, 7.0])], "fast")
    await third.metrics.flush()
    assert (await third.metrics.history("h1", "cpu", start, start + HOUR, 360)).mean[359] == 359.0
    await third.close()


async def test_when_the_disk_does_not_keep_up_the_oldest_samples_go_and_are_counted(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "QUEUE_SAMPLES", 10)
    start = clock.now()
    store.metrics.add(hour_of(start)[:25], "fast")
    await store.metrics.flush()
    assert store.metrics.dropped == 15
    assert (await store.metrics.history("h1", "cpu", start, start + 250, 25)).mean[:16] == (None,) * 15 + (
        15.0,
    )


async def test_retention_takes_raw_first_and_the_chart_falls_back_to_rollups(
    store: Store, clock: ManualClock
) -> None:
    start = clock.now()
    await fill(store, start)
    await store.metrics.close_host("h1", start + HOUR)
    assert await store.metrics.retain(start + 9 * DAY, 7, 60, 400) == 1
    chart = await store.metrics.history("h1", "cpu", start, start + HOUR, 360)
    assert chart.mean[0] == 2.5
    assert await store.metrics.retain(start + 500 * DAY, 7, 60, 400) == 2


async def test_a_removed_host_leaves_nothing(store: Store, clock: ManualClock) -> None:
    start = clock.now()
    await fill(store, start, start + HOUR)
    await store.metrics.close_host("h1", start + HOUR)
    await store.metrics.forget_host("h1")
    counts = await store.metrics.counts()
    assert (counts["hot"], counts["chunks"]) == (0, 0)


async def test_values_beyond_float32_and_series_beyond_512_cost_only_themselves(
    store: Store, clock: ManualClock
) -> None:
    start = clock.now()
    wide = Layout(tuple(f"m{n}" for n in range(600)))
    store.metrics.add([Sample("h1", start, wide, [1e300] + [2.0] * 599)], "fast")
    await store.metrics.flush()
    last = await store.metrics.last_values("h1")
    assert "m0" not in last and last["m511"] == 2.0 and "m512" not in last


@pytest.mark.parametrize("step", [-1200.0, -30.0, 1200.0])
async def test_a_clock_that_steps_within_an_hour_costs_no_sample_and_keeps_the_chart_in_order(
    store: Store, clock: ManualClock, step: float
) -> None:
    start = clock.now()
    samples = hour_of(start)[:300]
    # from the middle on, all is measured by another clock
    stepped = [Sample(s.host_id, s.at + step, s.layout, s.values) for s in samples[150:]]
    store.metrics.add([*samples[:150], *stepped], "fast")
    await store.metrics.flush()
    end = start + HOUR + 1800
    open_hour = await store.metrics.history("h1", "cpu", start, end, 540)
    await store.metrics.close_host("h1", start + 3 * HOUR)
    closed = await store.metrics.history("h1", "cpu", start, end, 540)
    assert closed.mean == open_hour.mean and not closed.problems
    assert max(value for value in closed.high if value is not None) == 299.0
    shown = [index for index, value in enumerate(closed.mean) if value is not None]
    assert shown[0] == 0 and shown[-1] == int((samples[-1].at + step - start) // 10)


async def test_charts_are_read_whole_while_retention_takes_what_is_beneath_them(
    store: Store, clock: ManualClock
) -> None:
    start = clock.now()
    hours = [start + n * HOUR for n in range(6)]
    await fill(store, *hours)
    await store.metrics.close_host("h1", start + 7 * HOUR)

    async def read() -> tuple[int, tuple[str, ...]]:
        chart = await store.metrics.history("h1", "cpu", start, start + 6 * HOUR, 360)
        return sum(value is not None for value in chart.mean), chart.problems

    reading = [asyncio.create_task(read()) for _ in range(20)]
    taken = await store.metrics.retain(start + 9 * DAY, 7, 60, 400)
    reading += [asyncio.create_task(read()) for _ in range(20)]
    assert taken == 6
    # raw or rollup, every minute is there, and nobody is told of a fault
    assert {await one for one in reading} == {(360, ())}


async def test_an_hour_that_is_closed_for_some_hosts_is_not_closed_twice_after_a_restart(
    store_url: str, tmp_path: Path
) -> None:
    layout, settings, folder = Layout(("load1",)), StoreSettings(url=store_url), tmp_path / "state"
    start = 1_800_000_000.0 // HOUR * HOUR
    clock = ManualClock(start)
    first = await Store.open(settings, folder, clock)
    assert part_of("a") != part_of("b")
    for n in range(10):
        first.metrics.add([Sample(host, start + n, layout, [float(n)]) for host in ("a", "b")], "fast")
        await first.metrics.flush()
    first.metrics.add([Sample(host, start + HOUR + 1, layout, [99.0]) for host in ("a", "b")], "fast")
    await first.metrics.flush()
    await first.metrics.close_host("a", start + HOUR)
    # all but the first row of a stand behind one of b that is open: they are still there, and the mark of a
    assert (await first.metrics.counts())["hot"] == 22
    await first.close()
    again = await Store.open(settings, folder, clock)
    try:
        await again.metrics.close_host("a", start + HOUR)
        history = await again.metrics.history("a", "load1", start, start + 10, 10)
        assert history.mean == tuple(float(n) for n in range(10))
        await again.metrics.close_host("b", start + HOUR)
        # two open rows, and the marks behind them
        assert (await again.metrics.counts())["hot"] == 2 + 3
        for host in ("a", "b"):
            assert (await again.metrics.last_values(host)) == {"load1": 99.0}
            await again.metrics.close_host(host, start + 2 * HOUR)
        assert (await again.metrics.counts())["hot"] == 0
        history = await again.metrics.history("b", "load1", start, start + HOUR + 10, 361)
        assert [value for value in history.mean if value is not None][-1] == 99.0
    finally:
        await again.close()


async def test_hosts_that_share_rows_are_charted_closed_and_forgotten_apart(
    store: Store, clock: ManualClock
) -> None:
    start = clock.now()
    # by thousands some share a part, and a few of those even the bit that stands for them
    hosts = [name for name in (f"host-{n}" for n in range(3000)) if part_of(name) == part_of("h1")][:90]
    assert len({bit_of(name) for name in hosts}) < len(hosts)
    for n in range(3):
        wave = [Sample(name, start + n, LAYOUT, [float(k), 0.0]) for k, name in enumerate(hosts)]
        store.metrics.add(wave, "fast")
        await store.metrics.flush()
    assert (await store.metrics.counts())["hot"] == 3
    for k, name in enumerate(hosts[:5]):
        assert await store.metrics.last_values(name) == {"cpu": float(k), "fs{/}": 0.0}
    await store.metrics.forget_host(hosts[0])
    assert await store.metrics.last_values(hosts[0]) == {}
    await store.metrics.close_host(hosts[1], start + HOUR)
    assert (await store.metrics.counts())["hot"] == 0
    chart = await store.metrics.history(hosts[2], "cpu", start, start + 3, 3)
    assert chart.mean == (2.0, 2.0, 2.0)
    assert (await store.metrics.history(hosts[0], "cpu", start, start + 3, 3)).mean == (None, None, None)


async def test_a_damaged_row_of_the_open_hour_costs_only_itself(store: Store, clock: ManualClock) -> None:
    start = clock.now()
    for n in range(3):
        store.metrics.add([Sample("h1", start + n, LAYOUT, [float(n), 0.0])], "fast")
        await store.metrics.flush()
    async with store.metrics._engine.begin() as conn:
        await conn.execute(update(waves).where(waves.c.first == start + 1).values(data=b"rubbish"))
    chart = await store.metrics.history("h1", "cpu", start, start + 3, 3)
    assert chart.mean == (0.0, None, 2.0) and store.metrics.damaged_chunks == 1
    await store.metrics.close_host("h1", start + HOUR)
    assert (await store.metrics.history("h1", "cpu", start, start + 3, 3)).mean == (0.0, None, 2.0)
