"""Charts: gaps, the threshold's line, marks, axes, and any size at all."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.protocol.fleet import History
from widgets.painting import width_of
from widgets.plot import (
    LABEL,
    ChartData,
    Mark,
    cell_at,
    cells_of,
    columns_of,
    legend,
    moment_at,
    nice_top,
    readout,
    render,
)

START = 1_800_000_000.0


def history(*values: float | None, step: float = 60.0) -> History:
    """A series with these means."""
    return History(metric="m", start=START, step_seconds=step, mean=values, low=values, high=values)


def drawn(data: ChartData, width: int = 47, height: int = 9) -> list[str]:
    """The chart as text."""
    return ["".join(text for text, _ in line) for line in render(data, width, height)]


def test_an_area_grows_with_its_values_and_a_gap_stays_empty() -> None:
    lines = drawn(ChartData("cpu", "ratio", history(*[0.1] * 20, *[None] * 20, *[1.0] * 40), top=1.0))
    plot = [line[7:] for line in lines[:-1]]
    assert plot[0] == " " * 19 + "⢸" + "⣿" * 19
    assert plot[-1][:9].strip() and plot[-1][11:19].strip() == ""
    assert lines[0].startswith(" 100 %") and lines[-2].strip().startswith("0")


def test_the_threshold_is_a_line_where_the_area_is_not() -> None:
    data = ChartData("cpu", "ratio", history(*[0.1] * 40), threshold=(0.95,), top=1.0)
    first = render(data, 47, 9)[0]
    assert ("─" * 39, "critical") in first
    assert "─" not in "".join(drawn(ChartData("cpu", "ratio", history(0.1), threshold=(2.0,), top=1.0)))


def test_the_axis_reaches_the_threshold_when_values_do_not() -> None:
    assert "100" in drawn(ChartData("load", "", history(1.0, 2.0), threshold=(80,)))[0]


def test_the_axis_of_what_is_so_or_not_and_of_a_trouble_has_words() -> None:
    yes = [line[:7].strip() for line in drawn(ChartData("failed", "flag", history(0.0, 1.0), top=1.0))[:-1]]
    assert [word for word in yes if word] == ["yes", "no"]
    level = [line[:7].strip() for line in drawn(ChartData("check", "level", history(0.0, 2.0), top=2.0))[:-1]]
    assert [word for word in level if word] == ["crit", "warn", "well"]


def test_marks_stand_at_their_time_and_those_outside_are_left_out() -> None:
    marks = [Mark(START + 600, "⚑", "warning"), Mark(START - 9, "x", "ok"), Mark(START + 99999, "y", "ok")]
    low = drawn(ChartData("cpu", "ratio", history(*[0.5] * 20), top=1.0, marks=marks))[-2]
    assert low.index("⚑") == 7 + 19
    assert "x" not in low and "y" not in low
    assert "⚑" not in "".join(drawn(ChartData("c", "", history(1.0, step=0.0), marks=marks)))


def test_without_values_it_says_so() -> None:
    assert "reading…" in "".join(drawn(ChartData("cpu", "ratio", None, words="reading…")))
    assert "no values in this span" in "".join(drawn(ChartData("cpu", "ratio", history(None, None))))


def test_the_time_axis_names_days_over_long_spans() -> None:
    short, long = (drawn(ChartData("c", "", history(*[1.0] * 60, step=step)))[-1] for step in (60.0, 86400.0))
    assert ":" in short and ":" not in long and long.strip()


def test_a_tall_chart_has_a_label_half_way() -> None:
    assert any(
        "50 %" in line[:7] or "56 %" in line[:7] or "5" in line[:7]
        for line in drawn(ChartData("c", "ratio", history(0.5), top=1.0), height=12)[2:9]
    )


@pytest.mark.parametrize(
    ("value", "top"),
    [
        (0, 1),
        (-3, 1),
        (float("inf"), 1),
        (5e-324, 1),
        (0.93, 1),
        (1, 1),
        (1.1, 2),
        (2.1, 2.5),
        (3, 5),
        (51, 100),
        (101, 200),
    ],
)
def test_axes_end_at_round_numbers(value: float, top: float) -> None:
    assert nice_top(value) == pytest.approx(top)


def test_columns_are_two_a_cell() -> None:
    assert columns_of(48) == 80 and columns_of(0) == 1


@settings(max_examples=80, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.floats(-10, 1e15)), min_size=1, max_size=90), width=st.integers(1, 120), height=st.integers(1, 30),
    threshold=st.lists(st.floats(-5, 1e9), max_size=2), at=st.floats(START - 100, START + 6000),
)  # fmt: skip
def test_any_values_are_drawn_at_any_size(
    values: list[float | None], width: int, height: int, threshold: list[float], at: float
) -> None:
    data = ChartData(
        "x", "bytes", history(*values), threshold=tuple(threshold), marks=[Mark(at, "◆", "mark")]
    )
    lines = render(data, width, height)
    assert len(lines) == height
    for line in lines:
        assert all(text.isprintable() for text, _ in line)
        assert width_of(line) <= width


def banded(*values: float | None, low: float = 0.2, high: float = 0.4) -> History:
    """A series, and what is typical of it in its second half."""
    half = len(values) // 2
    unknown = (None,) * half
    known = len(values) - half
    return History(
        metric="m", start=START, step_seconds=60.0, mean=values, low=values, high=values, typical_low=(*unknown, *(low,) * known),
        typical_high=(*unknown, *(high,) * known),
    )  # fmt: skip


def test_what_is_typical_lies_behind_a_line_and_is_left_empty_where_nothing_is_known() -> None:
    lines = drawn(ChartData("cpu", "ratio", banded(*[0.9] * 80), top=1.0))
    shaded = [line[7:] for line in lines if "░" in line]
    assert 2 <= len(shaded) <= 3
    assert all(set(row[:19]) == {" "} and set(row[20:39]) == {"░"} for row in shaded)
    line = next(row for row in lines if any("⠀" < char <= "⣿" for char in row))
    assert "⣿" not in line and all("⠀" < char <= "⣿" for char in line[7:46])


def test_a_second_line_has_glyphs_of_its_own_and_moves_the_axis() -> None:
    data = ChartData("load", "count", history(*[1.0] * 40), other=history(*[4.0] * 40), other_words="web-2")
    lines = drawn(data)
    assert "5" in lines[0][:7] and sum("○" in line for line in lines) == 1
    assert legend(data) == [("○ web-2", "mark")]
    lone = drawn(ChartData("load", "count", history(1.0), other=history(None)))
    assert not any("○" in line for line in lone)


def test_the_readout_names_what_is_under_the_cursor() -> None:
    marks = [Mark(START + 600, "◆", "mark", "shop 4.19"), Mark(START + 1200, "◆", "mark", "later")]
    data = ChartData("cpu", "ratio", banded(*[0.3] * 40), top=1.0, marks=marks, other=history(*[0.5] * 40))

    def words(at: float) -> str:
        return "".join(text for text, _ in readout(data, at))

    assert (
        "30 %" in words(START + 600)
        and "◆ shop 4.19" in words(START + 630)
        and "later" not in words(START + 630)
    )
    assert "typical" not in words(START + 600) and "typical 20–40 %" in words(START + 1800)
    assert "○ 50 %" in words(START + 600)
    assert words(START - 1) == "" and "no value" in "".join(
        text for text, _ in readout(ChartData("c", "", history(None, 1.0)), START)
    )


@settings(max_examples=80, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.floats(-10, 1e15)), min_size=2, max_size=90), width=st.integers(1, 120), height=st.integers(1, 30),
    at=st.floats(START - 100, START + 6000), low=st.floats(-1e3, 1e9), high=st.floats(-1e3, 1e15),
)  # fmt: skip
def test_bands_and_second_lines_are_drawn_at_any_size(
    values: list[float | None], width: int, height: int, at: float, low: float, high: float
) -> None:
    data = ChartData(
        "x",
        "bytes",
        banded(*values, low=low, high=high),
        (1e6,),
        warning=(low,),
        limit_words="> 1 MiB",
        other=history(*values[::-1]),
    )
    lines = render(data, width, height, at)
    assert len(lines) == height
    for line in lines:
        assert all(text.isprintable() for text, _ in line)
        assert width_of(line) <= width


@settings(max_examples=80, deadline=None)
@given(width=st.integers(9, 200), cell=st.integers(0, 200), count=st.integers(1, 400))
def test_a_cell_s_moment_is_in_that_cell(width: int, cell: int, count: int) -> None:
    shown = history(*[1.0] * count)
    at = moment_at(shown, cell, width)
    assert (at is None) == (not LABEL <= cell < LABEL + cells_of(width))
    if at is not None:
        assert cell_at(shown, at, width) == cell
