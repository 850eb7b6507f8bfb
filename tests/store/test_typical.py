"""What is typical at an hour of the week: bad weeks don't move it, gaps and clock changes don't break it, too little is said as nothing."""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import Layout, Sample
from guardian_tui.engine.store.chunk_rows import HOUR
from guardian_tui.engine.store.codec import Columns
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.packing import QUARTER
from guardian_tui.engine.store.tables import chunks
from guardian_tui.engine.store.typical import (
    LEAST_WEEKS,
    WEEK,
    TypicalBands,
    Week,
    hour_of_week,
    week_of,
    with_band,
)
from guardian_tui.protocol.fleet import History

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
figures = st.floats(0.0, 1e9)


def quarters(*weeks: list[float], start: float = MONDAY) -> Columns:
    """Quarter hours of the first hour of each week."""
    times = [start + n * WEEK + q * QUARTER for n, week in enumerate(weeks) for q in range(len(week))]
    values = [value for week in weeks for value in week]
    return Columns(times, {"m": (values, values, values)})


def band(week: Week, at: float = MONDAY) -> tuple[float, float]:
    typical = week[hour_of_week(at, UTC)]
    return typical.centre - typical.half_width, typical.centre + typical.half_width


def chart(start: float, *, columns: int = 4, step: float = QUARTER, metric: str = "m") -> History:
    nothing = (None,) * columns
    return History(metric=metric, start=start, step_seconds=step, mean=nothing, low=nothing, high=nothing)


@settings(max_examples=150, deadline=None)
@given(
    good=st.lists(st.lists(figures, min_size=1, max_size=4), min_size=3, max_size=7),
    bad=st.lists(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=4), max_size=2),
)
def test_weeks_that_went_wrong_never_move_the_middle_beyond_the_good_ones(
    good: list[list[float]], bad: list[list[float]]
) -> None:
    bad = bad[: (len(good) - 1) // 2]
    typical = week_of([quarters(*good, *bad)], "m", "bytes", UTC)[0]
    flat = [value for week in good for value in week]
    assert min(flat) <= typical.centre <= max(flat)
    assert typical.half_width <= max(4.5 * (max(flat) - min(flat)), 0.05 * max(flat), 1 << 20) * 1.001


@settings(max_examples=100, deadline=None)
@given(
    value=st.floats(0, 1e12),
    unit=st.sampled_from(["ratio", "bytes", "seconds", "count", "per_second", "bytes_per_second"]),
)
def test_a_constant_series_has_a_band_with_some_width_around_it(value: float, unit: str) -> None:
    low, high = band(week_of([quarters([value] * 4, [value] * 4, [value] * 4)], "m", unit, UTC))
    assert low < value < high


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.one_of(st.floats(), st.just(math.nan)), max_size=40), start=st.floats(0, 4e9))
def test_any_gaps_and_any_numbers_give_bands_or_none(values: list[float], start: float) -> None:
    times = [start + place * 7 * QUARTER * 96 for place in range(len(values))]
    for typical in week_of([Columns(times, {"m": (values,)})], "m", "ratio", UTC).values():
        assert math.isfinite(typical.centre) and typical.half_width >= 0.02


def test_two_weeks_are_too_few_and_so_are_weeks_with_gaps_at_that_hour() -> None:
    assert LEAST_WEEKS == 3
    assert week_of([quarters([1.0], [1.0])], "m", "count", UTC) == {}
    assert week_of([quarters([1.0], [math.nan], [1.0])], "m", "count", UTC) == {}
    assert week_of([quarters([1.0], [1.0], [1.0])], "m", "flag", UTC) == {}


def test_a_week_with_few_values_counts_as_much_as_a_whole_one() -> None:
    low, high = band(week_of([quarters([9e9] * 4, [100.0], [101.0])], "m", "count", UTC))
    assert low < 100 < high < 200


def test_the_hour_is_that_of_the_clock_on_the_wall_through_a_clock_change() -> None:
    # summer time begins on 29 March 2026: nine o'clock on Monday is an hour earlier in the world's time after it
    nine = [datetime(2026, 3, day, 9, 15, tzinfo=BERLIN).timestamp() for day in (16, 23, 30)]
    assert nine[2] - nine[1] == WEEK - HOUR
    columns = Columns(nine, {"m": ([50.0, 51.0, 50.0],)})
    week = week_of([columns], "m", "count", BERLIN)
    assert list(week) == [9]
    april = datetime(2026, 4, 6, 9, 0, tzinfo=BERLIN).timestamp()
    low = with_band(chart(april), week, "count", BERLIN).typical_low
    assert None not in low and len(low) == 4
    assert with_band(chart(april + HOUR), week, "count", BERLIN).typical_low == (None,) * 4


def test_the_hour_that_comes_twice_when_the_clock_is_put_back_is_one_hour_of_that_week() -> None:
    twice = datetime(2026, 10, 25, 2, 0, tzinfo=BERLIN).timestamp()
    times = [twice - 2 * WEEK, twice - WEEK, twice, twice + HOUR]
    week = week_of([Columns(times, {"m": ([1.0, 1.0, 7.0, 9.0],)})], "m", "count", BERLIN)
    assert list(week) == [6 * 24 + 2] and week[6 * 24 + 2].centre == 1.0


def test_no_band_is_below_zero_or_above_the_whole() -> None:
    week = week_of([quarters([0.99], [1.0], [0.98])], "m", "ratio", UTC)
    shown = with_band(chart(MONDAY), week, "ratio", UTC)
    assert set(shown.typical_high) == {1.0}
    week = week_of([quarters([0.0], [0.01], [0.0])], "m", "ratio", UTC)
    assert set(with_band(chart(MONDAY), week, "ratio", UTC).typical_low) == {0.0}
    below = week_of([quarters([-0.2], [-0.2], [-0.2])], "m", "seconds", UTC)
    assert all(
        low is not None and low < -0.2 for low in with_band(chart(MONDAY), below, "seconds", UTC).typical_low
    )


LAYOUT = Layout(("cpu_busy_ratio", "cpu_user_ratio"))


async def weeks(store: Store, end: float, values: list[float]) -> None:
    """An hour in each of the weeks before ``end``, the oldest first, closed."""
    for back, value in zip(range(len(values), 0, -1), values, strict=True):
        start = end - back * WEEK
        store.metrics.add([Sample("h1", start + n * 60, LAYOUT, [value, 0.5]) for n in range(60)], "fast")
        await store.metrics.flush()
        await store.metrics.close_host("h1", start + 2 * HOUR)


async def test_the_band_of_a_chart_comes_from_the_same_hour_of_earlier_weeks(
    store: Store, clock: ManualClock
) -> None:
    end = clock.now() // HOUR * HOUR
    await weeks(store, end, [0.2, 0.21, 0.95, 0.2])
    bands = TypicalBands(store.metrics, UTC)
    shown = await bands.add_to(chart(end, metric="cpu_busy_ratio"), "h1")
    assert all(low is not None and 0.1 < low < 0.2 for low in shown.typical_low)
    assert all(high is not None and 0.2 < high < 0.4 for high in shown.typical_high)
    before = await bands.add_to(chart(end - 2 * HOUR, metric="cpu_busy_ratio"), "h1")
    assert set(before.typical_low) == {None}
    unknown = await bands.add_to(chart(end, metric="check_ok{x}"), "h1")
    assert set(unknown.typical_low) == {None} and len(unknown.typical_low) == 4


async def test_a_band_is_read_once_an_hour_and_what_is_kept_is_bounded(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardian_tui.engine.store.typical._KEPT_BANDS", 3)
    end = clock.now() // HOUR * HOUR
    await weeks(store, end, [0.2, 0.2, 0.2])
    bands, asked = TypicalBands(store.metrics, UTC), []
    read = store.metrics.rollups

    async def counted(*query: object) -> list[Columns]:
        asked.append(query)
        return await read(*query)  # type: ignore[arg-type]  # handed on as they are

    monkeypatch.setattr(store.metrics, "rollups", counted)
    for minutes in (0, 5, 40):
        await bands.add_to(chart(end + minutes * 60 - HOUR, metric="cpu_busy_ratio"), "h1")
    assert len(asked) == 1
    await bands.add_to(chart(end + HOUR, metric="cpu_busy_ratio"), "h1")
    assert len(asked) == 2
    for hours in range(9):
        await bands.add_to(chart(end + hours * HOUR, metric="cpu_user_ratio"), "h1")
    assert len(bands._kept) == 3


async def test_a_damaged_week_is_left_out_of_the_band(store: Store, clock: ManualClock) -> None:
    end = clock.now() // HOUR * HOUR
    await weeks(store, end, [0.2, 0.2, 0.2])
    broken = (chunks.c.resolution == QUARTER) & (chunks.c.start <= end - 3 * WEEK)
    async with store.metrics._transaction() as conn:
        await conn.execute(update(chunks).where(broken).values(data=b"no chunk"))
    shown = await TypicalBands(store.metrics, UTC).add_to(chart(end, metric="cpu_busy_ratio"), "h1")
    assert set(shown.typical_low) == {None}
    assert store.metrics.damaged_chunks == 1
