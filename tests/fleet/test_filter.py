"""The filter of every list: what passes, and what is said of a filter that can't be read."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.filter import MOST_TERMS, parse
from guardian_tui.protocol.errors import InvalidRequest

ROW = {
    "name": "web-1",
    "state": "down",
    "cpu": 0.93,
    "memory": None,
    "load_per_core": 1.5,
    "labels": {"team": "Shop"},
    "groups": ("web", "prod"),
}


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("", True), ("web", True), ("WEB", True), ("/web", True), ("db", False), ("!db", True), ("!web", False), ("!!web", True),
        ("web down", True), ("web up", False), ("team=shop", True), ("team=sho", True), ("team=ops", False), ("state=down", True),
        ("colour=red", False), ("~web-[0-9]", True), ("~^web-2", False), ("cpu>90", True), ("cpu>90%", True), ("cpu>=93", True),
        ("cpu<90", False), ("cpu<=93", True), ("mem>1", False), ("load>1", True), ("!load>1", False), ("nothing>1", False), ("name>1", False),
        ("group=web", True), ("group=we", False), ("group=WEB", True), ("!group=db", True), ("group~^we", True), ("team~^sho", True),
        ("team~^hop", False), ("state~down|up", True), ("colour~.", False), ("name~a=b", False),
        ("!", False), ("~", False), ("=x", False), (">5", False),
    ],
)  # fmt: skip
def test_what_passes(text: str, passes: bool) -> None:
    assert parse(text).matches(ROW, "web-1 down shop") is passes


@pytest.mark.parametrize(("text", "place"), [("web ~[", 5), ("team~[", 5), ("cpu>much", 1), ("a !cpu>", 4)])
def test_what_can_not_be_read_is_pointed_at(text: str, place: int) -> None:
    with pytest.raises(InvalidRequest, match=f"At character {place}:"):
        parse(text)


def test_a_filter_is_bounded() -> None:
    with pytest.raises(InvalidRequest):
        parse("a " * (MOST_TERMS + 1))


@given(st.text(max_size=80))
def test_no_filter_raises_anything_else(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        parse(text).matches(ROW, "web-1")
