"""Conditions: read or refused with a place, and never good when something is not known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.runbooks.documents.expressions import BadExpression, parse_expression
from guardian_tui.engine.runbooks.documents.judging import (
    Value,
    Verdict,
    command_values,
    judge,
    wanted_series,
)
from guardian_tui.engine.runbooks.documents.units import Quantity, read_quantity, read_seconds


@pytest.mark.parametrize(
    ("text", "values", "holds"),
    [
        ("", {"exit": 0}, True), ("", {"exit": 1}, False), ("", {"exit": None}, None), ("", {}, None),
        ("used < 80%", {"used": "83"}, False), ("used < 80%", {"used": "73%"}, True), ("80% > used", {"used": "73"}, True),
        ("used < 80", {"used": "73"}, True), ("used < 80%", {"used": "much"}, None), ("used < 80%", {"used": ""}, None),
        ("free >= 5G", {"free": "5GiB"}, True), ("free >= 5G", {"free": "5000MB"}, False), ("free >= 5G", {"free": "6s"}, None),
        ("output contains 'ok'", {"output": "all ok\n"}, True), ("output not contains \"a\\nb\"", {"output": "a\nb"}, False),
        ("output matches '^b$'", {"output": "a\nb\nc"}, True), ("output not matches 'b.*'", {"output": "a"}, True),
        ("output matches wanted", {"output": "a", "wanted": "("}, None), ("output == 'a'", {"output": "a"}, True),
        ("state in ('up', 'degraded')", {"state": "degraded"}, True), ("state not in ('up')", {"state": "up"}, False),
        ("n in (1, 2, 3)", {"n": "2"}, True), ("a == b", {"a": "x", "b": "x"}, True), ("a != b", {"a": "1", "b": "1.0"}, False),
        ("exit == 0 and output contains 'x'", {"exit": 0, "output": ""}, False), ("exit == 1 or output contains 'x'", {"exit": 0, "output": "x"}, True),
        ("not exit == 0", {"exit": 0}, False), ("not (exit == 0 or exit == 2)", {"exit": 1}, True), ("not not exit == 0", {"exit": 0}, True),
        ("exit == 0 or gone == 1", {"exit": 0}, True), ("exit == 0 and gone == 1", {"exit": 0}, None), ("exit == 0 and gone == 1", {"exit": 1}, False),
        ("not gone == 1", {}, None), ("load1 < 5", {"load1": math.nan}, None), ("load1 < 5", {"load1": 4.0}, True),
        ("cpu_busy_ratio < 50%", {"cpu_busy_ratio": 0.4}, True), ("cpu_busy_ratio < 0.5", {"cpu_busy_ratio": 0.6}, False),
        ("uptime_seconds < 10m", {"uptime_seconds": 90.0}, True), ("uptime_seconds < 10m", {"uptime_seconds": 900.0}, False),
        ("filesystem_used_ratio{mount} < 90%", {"mount": "/var", "filesystem_used_ratio{/var}": 0.93}, False),
        ("filesystem_used_ratio{'/var'} < 90%", {"filesystem_used_ratio{/var}": 0.83}, True), ("filesystem_used_ratio{mount} < 90%", {}, None),
        ("seconds < 1h30m", {"seconds": Quantity(5399, "seconds")}, True), ("seconds < 5G", {"seconds": Quantity(1, "seconds")}, None),
        ("lines == 2", {"lines": 2}, True), ("exit in (0, -1)", {"exit": -1}, True), ("output == ''", {"output": ""}, True),
    ],
)  # fmt: skip
def test_a_condition_holds_does_not_or_can_not_be_told(
    text: str, values: dict[str, Value | None], holds: bool | None
) -> None:
    verdict = judge(text, values)
    assert verdict.holds is holds and verdict.why


def test_a_verdict_says_what_was_found_and_what_was_wanted() -> None:
    assert judge("used < 80% and exit == 0", {"used": "83", "exit": 0}) == Verdict(
        False, "used is 83, wanted < 80%"
    )
    assert judge("load1 < 5", {}) == Verdict(None, "load1 is not known")
    assert (
        judge("cpu_busy_ratio < 50%", {"cpu_busy_ratio": 0.734}).why
        == "cpu_busy_ratio is 73.4%, wanted < 50%"
    )
    assert judge(
        "filesystem_available_bytes{m} > 5G", {"m": "/", "filesystem_available_bytes{/}": 1e9}
    ).why == ("filesystem_available_bytes{m} is 1e+09B, wanted > 5G")


def test_a_verdict_shows_no_control_characters_of_a_host() -> None:
    why = judge("output contains 'ok'", {"output": "\x1b]52;c;x\x07" + "y" * 500}).why
    assert why.isprintable() and len(why) < 150


@pytest.mark.parametrize(
    ("text", "offset", "words"),
    [
        ("exit = 0", 5, "Write =="), ("exit", 4, "comparison is missing"), ("exit <", 6, "value is missing"), ("exit < 'x'", 5, "no order"),
        ("5 < 6", 2, "Two numbers"), ("a matches '('", 2, "no pattern"), ("a == 'x", 5, "not closed"), ("(a == 1", 7, "A ) is missing"),
        ("a == 1 b == 2", 7, "can't follow"), ("a ~ b", 2, "no meaning"), ("a in 5", 5, "A ( is missing"), ("5x == a", 0, "no number"),
        ("a{5} == 1", 0, "braces"), ("a == 1 && b == 2", 7, "and, or"), ("(" * 50 + "a == 1", 21, "nest deeper"), ("not " * 50 + "a == 1", 88, "Too many"),
        ("a == 1 or " * 200 + "a == 1", 0, "more than"), ("a == and", 5, "value is missing"), ("a not == 1", 6, "comparison is missing"),
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused_with_its_place(text: str, offset: int, words: str) -> None:
    with pytest.raises(BadExpression, match=words.replace("(", r"\(").replace(")", r"\)")) as refused:
        parse_expression(text)
    assert refused.value.offset == offset


def test_a_wait_says_which_series_it_needs() -> None:
    text = "load1 < 5 and filesystem_used_ratio{mount} < 90% and state == 'up' and disk_busy_ratio{'sda'} < 1 and unit_failed{u} == 0"
    assert wanted_series(text, {"mount": "/var"}) == (
        "load1",
        "filesystem_used_ratio{/var}",
        "disk_busy_ratio{sda}",
    )


def test_what_a_command_left_behind_has_names() -> None:
    values = command_values(3, "a\nb\n", "no", 1.5)
    assert judge(
        "exit == 3 and lines == 2 and errors == 'no' and seconds < 2s and output contains 'b'", values
    ).holds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("2d", 172800),
        ("1w", 604800),
        ("", None),
        ("5", None),
        ("400d", None),
        ("1h 30m", None),
        ("-1s", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert read_seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "value", "dimension"),
    [("83%", 0.83, "ratio"), (" 5 G ", 5 * 2**30, "bytes"), ("1kB", 1000, "bytes"), ("1K", 1024, "bytes"), ("1MB", 1e6, "bytes"), ("2m", 120, "seconds"), ("-3.5", -3.5, "")],
)  # fmt: skip
def test_quantities(text: str, value: float, dimension: str) -> None:
    read = read_quantity(text)
    assert read is not None and read.value == pytest.approx(value) and read.dimension == dimension
    assert read_quantity(text + "x") is None


_NAMES = st.sampled_from(["a", "b", "exit"])
_OPERANDS = st.one_of(
    _NAMES, st.integers(-99, 99).map(str), st.sampled_from(["'x'", '"y\\n"', "80%", "5G", "1h30m"])
)
_COMPARISONS = st.tuples(_NAMES, st.sampled_from(["==", "!=", "contains", "not contains"]), _OPERANDS).map(
    " ".join
)
_EXPRESSIONS = st.recursive(
    _COMPARISONS,
    lambda inner: st.one_of(
        inner.map("not ({})".format), st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map(lambda parts: f"({''.join(parts)})")
    ),
    max_leaves=8,
)  # fmt: skip
_VALUES = st.dictionaries(_NAMES, st.none() | st.text(max_size=20) | st.integers(-99, 99) | st.floats())


@settings(max_examples=300, deadline=None)
@given(_EXPRESSIONS, _VALUES)
def test_any_condition_can_be_judged_and_its_opposite_is_the_opposite(
    text: str, values: dict[str, Value | None]
) -> None:
    verdict, opposite = judge(text, values), judge(f"not ({text})", values)
    assert verdict.holds in (True, False, None) and isinstance(verdict.why, str)
    assert opposite.holds == (None if verdict.holds is None else not verdict.holds)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text("ab()<>=!'\"{},0%and ornt", max_size=60))
def test_any_text_is_a_condition_or_refused_within_itself(text: str) -> None:
    try:
        parse_expression(text)
    except BadExpression as refused:
        assert 0 <= refused.offset <= len(text) and refused.detail
