"""Moments and sizes as people write them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest

from guardian_tui.moments import parse_moment, parse_size
from widgets.snapshots_list import when


def local(*fields: int) -> float:
    return time.mktime((*fields, 0, 0, -1) if len(fields) == 6 else (*fields, 0, 0, 0, -1))  # type: ignore[arg-type]  # nine of them


def test_an_hour_is_the_last_one_or_where_it_lies_ahead_the_next() -> None:
    now = local(2026, 11, 28, 14, 30, 0)
    assert parse_moment("18:00", now) == local(2026, 11, 27, 18, 0, 0)
    assert parse_moment("18:00", now, ahead=True) == local(2026, 11, 28, 18, 0, 0)
    assert parse_moment("9:00", now, ahead=True) == local(2026, 11, 29, 9, 0, 0)
    assert parse_moment("today 9:00", now, ahead=True) == local(2026, 11, 28, 9, 0, 0)


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Clocks that went forward at 2 on 29 March 2026, and back at 3 on 25 October."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_an_hour_that_comes_twice_is_the_nearest_and_one_that_is_left_out_is_none(berlin: None) -> None:
    def moment(text: str) -> float:
        return datetime.fromisoformat(text).timestamp()

    summer, winter = moment("2026-10-25T02:30+02:00"), moment("2026-10-25T02:30+01:00")
    assert parse_moment("02:30", winter + 60) == winter
    assert parse_moment("02:30", winter - 60) == summer
    assert parse_moment("02:30", summer + 60, ahead=True) == winter
    assert parse_moment("02:30", summer - 60, ahead=True) == summer
    assert parse_moment("2026-10-25 02:30", moment("2026-11-03T12:00+01:00")) == winter
    # 24 hours before the first half hour of the day after lies the day before
    after = moment("2026-03-30T00:30+02:00")
    assert parse_moment("yesterday 01:30", after) == moment("2026-03-29T01:30+01:00")
    assert parse_moment("yesterday 02:30", after) is None
    assert parse_moment("yesterday 12:00", moment("2026-10-26T23:30+01:00")) == moment(
        "2026-10-25T12:00+01:00"
    )
    assert when(moment("2026-03-29T12:00+02:00"), after) == "yesterday 12:00"
    assert when(moment("2026-03-28T23:45+01:00"), after) == "Sat 28 Mar 23:45"


def test_dates_and_iso_are_moments_and_numbers_alone_are_none() -> None:
    now = local(2026, 11, 28, 14, 30, 0)
    assert parse_moment(" now ", now) == now and parse_moment("2w ago", now) == now - 14 * 86400
    assert parse_moment("2026-11-02", now) == local(2026, 11, 2, 0, 0, 0)
    assert parse_moment("2026-11-02T01:02:03Z", now) == 1793581323
    assert parse_moment("2026-11-02t01:02:03+01:00", now) == 1793581323 - 3600
    for text in ("20261102", "2026-13-01", "2026-11-02T99:00", "9999999999999-01-01", "soon"):
        assert parse_moment(text, now) is None, text


def test_sizes_go_in_steps_of_1024() -> None:
    assert [parse_size(text) for text in ("4096", "512M", "1.5 GiB", "10g", "2TB", "7B")] == [
        4096, 512 << 20, 3 << 29, 10 << 30, 2 << 40, 7,
    ]  # fmt: skip
    assert [parse_size(text) for text in ("", "x", "-1", "1.5.2G", "10 apples")] == [None] * 5
