"""Moments and sizes as people write them."""

from __future__ import annotations

import time

from guardian_tui.moments import parse_moment, parse_size


def local(*fields: int) -> float:
    return time.mktime((*fields, 0, 0, -1) if len(fields) == 6 else (*fields, 0, 0, 0, -1))  # type: ignore[arg-type]  # nine of them


def test_an_hour_is_the_last_one_or_where_it_lies_ahead_the_next() -> None:
    now = local(2026, 11, 28, 14, 30, 0)
    assert parse_moment("18:00", now) == local(2026, 11, 27, 18, 0, 0)
    assert parse_moment("18:00", now, ahead=True) == local(2026, 11, 28, 18, 0, 0)
    assert parse_moment("9:00", now, ahead=True) == local(2026, 11, 29, 9, 0, 0)
    assert parse_moment("today 9:00", now, ahead=True) == local(2026, 11, 28, 9, 0, 0)


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
