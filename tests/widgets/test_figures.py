"""Figures keep their widths and units, whatever they are given."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets import figures


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0s"), (41.9, "41s"), (99, "99s"), (100, "1m"), (5999, "99m"), (6000, "1h"), (47 * 3600, "47h"), (48 * 3600, "2d"), (1e12, "9999d")],
)  # fmt: skip
def test_ages(seconds: float, words: str) -> None:
    assert figures.age(seconds) == words


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (0, "14:05"),
        (1, "Wed 14:05"),
        (-4, "Fri 14:05"),
        (20, "Mon 01 Feb 14:05"),
        (-20, "Wed 23 Dec 2026 14:05"),
    ],
)
def test_a_moment_of_another_day_names_its_day(day: int, words: str) -> None:
    now = time.mktime((2027, 1, 12, 20, 0, 0, 0, 0, -1))
    assert figures.clock(time.mktime((2027, 1, 12 + day, 14, 5, 0, 0, 0, -1)), now) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ""),
        (-1, "0"),
        (0, "0"),
        (999, "999"),
        (1023, "1.0K"),
        (2_300_000, "2.2M"),
        (441_000, "431K"),
        (1e10, "9.3G"),
        (1e20, "88818P"),
    ],
)
def test_amounts(value: float | None, words: str) -> None:
    assert figures.amount(value) == words


@given(st.floats(0, 1e17))
def test_amounts_fit_their_column(value: float) -> None:
    assert len(figures.amount(value)) <= 4


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (34e9, "31.7 GiB"),
        (3e17, "266 PiB"),
        (4e18, "3553 PiB"),
    ],
)
def test_sizes(value: float, words: str) -> None:
    assert figures.size(value) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "ratio", "–"), (0.5, "ratio", "50 %"), (0.051, "ratio", "5.1 %"), (0, "ratio", "0 %"), (2048, "bytes", "2.0 KiB"), (2048, "bytes_per_second", "2.0 KiB/s"),
        (0.012, "seconds", "12 ms"), (-0.0002, "seconds", "0 ms"), (5, "seconds", "5.0 s"), (600, "seconds", "10m"), (7.2, "per_second", "7/s"), (1.5, "", "1.5"), (2, "load", "2"),
        (0, "flag", "no"), (1, "flag", "yes"), (0.3, "flag", "yes for 30 %"), (0.001, "flag", "yes for 1 %"), (2.0, "level", "critical"), (0.9, "level", "warning"), (0, "level", "well"),
    ],
)  # fmt: skip
def test_quantities(value: float | None, unit: str, words: str) -> None:
    assert figures.quantity(value, unit) == words


def test_percents() -> None:
    assert (figures.percent(None), figures.percent(0.956), figures.percent(-1)) == ("", "96", "0")


def test_sparks_show_gaps_and_keep_their_width() -> None:
    assert figures.spark((0, -1, 50, 100), 6) == "  ▁ ▄█"
    assert figures.spark((), 3) == "   "


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 40))
def test_meters_keep_their_width(ratio: float, width: int) -> None:
    filled, rest = figures.meter(ratio, width)
    assert len(filled + rest) == width
    if ratio > 0.02:
        assert filled
