"""The filter grammar, the same in every list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui import filter as filters
from guardian_tui.protocol.errors import InvalidRequest

ROW = {
    "name": "web-1",
    "state": "up",
    "cpu": 0.93,
    "memory": None,
    "load_per_core": 1.5,
    "environment": "prod",
    "labels": {"role": "web", "rack": "a1"},
}
TEXT = "web-1 up @prod role=web rack=a1"


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", True), ("web", True), ("WEB prod", True), ("web db", False), ("!db", True), ("!web", False), ("!!web", True), ("/web", True), ("@prod", True),
        ("role=web", True), ("role=db", False), ("!role=db", True), ("environment=prod", True), ("nothing=x", False), ("~^web-[0-9]", True), ("~^db", False),
        ("cpu>90", True), ("cpu>95", False), ("cpu>=93%", True), ("cpu<95", True), ("mem>1", False), ("load<=1.5", True), ("nothing>1", False), ("name>1", False),
        ("web cpu>90 role=web !down", True),
    ],
)  # fmt: skip
def test_what_a_person_types_finds_what_they_mean(text: str, passes: bool) -> None:
    assert filters.parse(text).matches(ROW, TEXT) is passes


@pytest.mark.parametrize(("text", "place"), [("~(", 1), ("web ~[", 5), ("cpu>many", 1), ("web !cpu>x", 6)])
def test_what_can_t_be_read_is_refused_with_its_place(text: str, place: int) -> None:
    with pytest.raises(InvalidRequest, match=f"At character {place}:"):
        filters.parse(text)


def test_too_many_words_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        filters.parse("a " * 21)


def test_a_pattern_that_explodes_in_other_engines_ends_at_once() -> None:
    assert not filters.parse("~(a+)+$").matches({}, "a" * 50_000 + "!")


@given(st.text(max_size=60))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        found = filters.parse(text)
    except InvalidRequest:
        return
    assert found.matches(ROW, TEXT) in (True, False)
