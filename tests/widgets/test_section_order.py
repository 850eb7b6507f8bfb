"""In which order a person finds addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.fleet.section_orders import sort_key
from guardian_tui.protocol.section_kinds import Column
from guardian_tui.protocol.section_order import address_key, rank
from guardian_tui.protocol.sections import SECTIONS
from widgets.section_list import Order, arranged

IN_ORDER = [
    "0.0.0.0:0", "9.9.9.9:443", "10.0.0.2:22", "10.0.0.10:9", "10.0.0.10:22", "10.0.0.10:1024", "192.0.2.7", "::ffff:192.0.2.8", "[::]:0",
    "[fe80::9]:22", "[fe80::10]:22", "[fe80::10]:443", "filer.example.org", "tty1",
]  # fmt: skip


def connections(addresses: list[str]) -> list[tuple[str | float | None, ...]]:
    return [("10.0.0.1:22", address, "tcp", "established", 1.0, "sshd", 0.0) for address in addresses]


@pytest.mark.parametrize("falling", [False, True])
def test_connections_stand_by_the_numbers_of_their_addresses_on_screen_and_in_the_answer(
    falling: bool,
) -> None:
    kind = SECTIONS["connections"]
    expected = IN_ORDER[::-1] if falling else IN_ORDER
    rows = connections(sorted(IN_ORDER))
    assert [row[1] for row, _ in arranged(rows, kind, Order("remote", falling))] == expected
    answered = sorted(rows, key=sort_key(kind.columns, "-remote" if falling else "remote"))
    assert [row[1] for row in answered] == expected


@pytest.mark.parametrize(
    ("section", "column"),
    [
        ("connections", "local"), ("connections", "remote"), ("listening", "address"), ("sessions", "from"), ("accounts", "from"),
        ("logins", "source"), ("clock_sync", "server"),
    ],
)  # fmt: skip
def test_every_column_of_addresses_is_known_as_one(section: str, column: str) -> None:
    assert next(one for one in SECTIONS[section].columns if one.name == column).address


def test_words_that_only_look_like_addresses_are_names() -> None:
    words = [
        "10.0.0.10:22",
        "10.0.0.9:ssh",
        "10.0.0.8:123456",
        "10.0.0.7:²",
        "[fe80::1",
        "[]:1",
        "256.1.1.1:1",
    ]
    names = [word for word in words if address_key(word).startswith("7")]
    assert names == ["10.0.0.9:ssh", "10.0.0.8:123456", "10.0.0.7:²", "[]:1", "256.1.1.1:1"]


@given(st.lists(st.one_of(st.none(), st.text(max_size=20), st.sampled_from(IN_ORDER))), st.booleans())
def test_what_a_hostile_host_calls_an_address_stands_somewhere_and_nothing_is_last_but_what_is_not_known(
    cells: list[str | None], falling: bool
) -> None:
    column = Column("from", "from", address=True)
    found = sorted(cells, key=lambda cell: rank(cell, column, falling=falling))
    known = [cell for cell in found if cell is not None]
    assert found == known + [None] * (len(cells) - len(known))
