"""A section as a table: its order, its tree, its words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.protocol.section_kinds import Column, SectionKind
from guardian_tui.protocol.sections import SECTIONS
from tests.widgets.test_small_widgets import OneWidget
from widgets.section_list import Order, SectionList, arranged, branches, cell_words, first_order

KIND = SectionKind(
    "t", "t", "Test.", (Column("pid", "pid", "number"), Column("parent", "parent", "number"), Column("cpu", "cpu", "ratio"), Column("name", "name")),
    sort="-cpu", parent="parent",
)  # fmt: skip
ROWS = ((1.0, 0.0, 0.0, "init"), (7.0, 1.0, 0.5, "shell"), (9.0, 7.0, None, "sleep"), (8.0, 1.0, 0.9, "work"))


def names(order: Order) -> list[tuple[object, int]]:
    return [(row[3], depth) for row, depth in arranged(ROWS, KIND, order)]


def test_the_greatest_stand_first_and_what_is_not_known_last_either_way() -> None:
    assert names(first_order(KIND)) == [("work", 0), ("shell", 0), ("init", 0), ("sleep", 0)]
    assert names(Order("cpu")) == [("init", 0), ("shell", 0), ("work", 0), ("sleep", 0)]
    assert names(Order("name", True)) == [("work", 0), ("sleep", 0), ("shell", 0), ("init", 0)]


def test_as_a_tree_children_stand_below_their_parents_in_the_order_chosen() -> None:
    assert names(Order("cpu", True, True)) == [("init", 0), ("work", 1), ("shell", 1), ("sleep", 2)]


def test_parents_in_a_circle_lose_no_row() -> None:
    rows = ((1.0, 2.0, 0.1, "a"), (2.0, 1.0, 0.2, "b"), (3.0, 3.0, 0.3, "c"))
    assert {row[3] for row, _ in arranged(rows, KIND, Order("cpu", True, True))} == {"a", "b", "c"}


numbers = st.one_of(st.none(), st.integers(0, 8).map(float))


@given(
    st.lists(st.tuples(st.integers(0, 8).map(float), numbers, numbers, st.text(max_size=3)), max_size=12),
    st.booleans(),
    st.booleans(),
)
def test_no_order_loses_or_doubles_a_row_whose_key_is_its_own(rows: list, falling: bool, tree: bool) -> None:
    own = list({row[0]: row for row in rows}.values())
    found = [row for row, _ in arranged(own, KIND, Order("cpu", falling, tree))]
    assert sorted(map(repr, found)) == sorted(map(repr, own))


def test_cells_are_read_with_their_units() -> None:
    now = 1_700_000_000.0
    assert cell_words(None, "count", now) == "–"
    assert cell_words(0.983, "ratio", now) == "98" and cell_words(0.004, "ratio", now) == "0.4"
    assert cell_words(1.2 * 2**30, "bytes", now) == "1.2G"
    assert cell_words(7200.0, "seconds", now) == "2h" and cell_words(-60.0, "seconds", now) == "-60s"
    assert cell_words(21211.0, "number", now) == "21211"
    assert len(cell_words(now - 3 * 86400, "time", now)) == 10 and len(cell_words(now - 60, "time", now)) == 8


def test_every_section_s_first_order_names_a_column_of_it() -> None:
    for kind in SECTIONS.values():
        assert first_order(kind).column in ("", *(column.name for column in kind.columns))


def test_a_tree_has_lines_from_each_parent_to_its_last_child() -> None:
    rows = [
        ((name,), depth) for name, depth in (("init", 0), ("a", 1), ("a1", 2), ("a2", 2), ("b", 1), ("b1", 2))
    ]
    assert branches(rows) == ["", "├ ", "│ ├ ", "│ └ ", "└ ", "  └ "]


def test_great_counts_and_short_spans_are_written_so_that_they_fit() -> None:
    assert cell_words(33_902_134.0, "count", 0.0) == "34M" and cell_words(9000.0, "count", 0.0) == "9000"
    assert cell_words(0.0009, "seconds", 0.0) == "0.9ms" and cell_words(0.34, "seconds", 0.0) == "340ms"
    assert cell_words(0.0, "seconds", 0.0) == "0s"


@pytest.mark.parametrize("width", [24, 60, 80, 120, 200])
async def test_a_figure_is_never_cut_however_narrow_the_screen(width: int) -> None:
    """Texts give way first, then the last columns are left out, which the headings say."""
    kind = SECTIONS["cgroups"]
    listed = SectionList(kind)
    row = (
        "/system.slice/docker-" + "a" * 64,
        1.7,
        0.12,
        2.0**34,
        2.0**35,
        0.5,
        0.123,
        0.456,
        38_000.0,
        9000.0,
        123_456_789.0,
    )
    async with OneWidget(listed).run_test(size=(width, 10)):
        # before the first rows too
        assert len("".join(text for text, _ in listed.titles(width))) <= width
        listed.show([row], 0.0)
        heading = "".join(text for text, _ in listed.titles(width))
        line = "".join(text for text, _ in listed.line(listed.ids[0], width))
        assert len(heading) <= width and len(line) <= width
        whole = [
            cell_words(value, column.unit, 0.0)
            for value, column in zip(row[1:], kind.columns[1:], strict=True)
        ]
        shown = line.split()[1:]
        assert shown == whole[: len(shown)]
        assert heading.endswith("…") == (len(shown) < len(whole))
        assert (width >= 120) == (len(shown) == len(whole))


@pytest.mark.parametrize(
    ("section", "row", "name"),
    [
        (
            "unit_list",
            (
                "gunicorn-api.service",
                "loaded",
                "active",
                "running",
                7e5,
                5e7,
                1.0,
                0.0,
                "Gunicorn of the API",
            ),
            "gunicorn-api.service",
        ),
        (
            "processes",
            (9433.0, 1.0, "postgres", "S", 0.059, 1.6e8, 4.0, 7e5, "postgres: checkpointer of main"),
            "postgres: checkpointer",
        ),
    ],
)
async def test_at_80_columns_a_row_is_known_by_its_name(section: str, row: tuple, name: str) -> None:
    listed = SectionList(SECTIONS[section])
    async with OneWidget(listed).run_test(size=(80, 10)):
        listed.show([row], 0.0)
        heading = "".join(text for text, _ in listed.titles(listed.width))
        line = "".join(text for text, _ in listed.line(listed.ids[0], listed.width))
        assert name in line and heading.endswith("…") and len(line) < listed.width
        # beside the cursor's edge there is room for the sign that more is left out
        assert listed.render_line(0).text.rstrip().endswith("…")
