"""Names stand in the order in which people count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.text import in_order


def test_web_2_stands_before_web_10() -> None:
    names = ["web-10", "Web-1", "web-2", "10.0.0.10", "10.0.0.2", "db"]
    assert sorted(names, key=in_order) == ["10.0.0.2", "10.0.0.10", "db", "Web-1", "web-2", "web-10"]


@given(st.lists(st.text(alphabet="a1٣².-", max_size=30), max_size=8))
def test_any_names_can_be_ordered(names: list[str]) -> None:
    assert sorted(sorted(names, key=in_order), key=in_order) == sorted(names, key=in_order)


def test_a_name_of_a_thousand_digits_is_one_like_any_other() -> None:
    assert in_order("9" * 5000) > in_order("1")
