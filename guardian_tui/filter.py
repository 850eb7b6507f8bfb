"""The filter grammar of every list: words, ``!not``, ``label=value``, ``label~regex``, ``~regex``, ``col>90``; all must hold.

The same on screen, in the CLI and in the API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import re2

from guardian_tui.protocol.errors import InvalidRequest

MOST_TERMS = 20
_SPLIT = re.compile(r"([^<>=~]+)(>=|<=|>|<|=|~)(.*)\Z", re.DOTALL)
# columns that a person reads as percent
_PERCENT = frozenset({"cpu", "memory", "disk"})
LEAST_SIZE = 1000.0
"""What is called memory or disk is a share below this, and bytes from there on."""
_UNITS = {
    "%": 0.01, "K": 1024.0, "M": 1024.0**2, "G": 1024.0**3, "T": 1024.0**4, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0
}  # fmt: skip
"""Behind a number: percent, a size, or a span."""
_ALIASES = {
    "mem": "memory",
    "net": "receive_bytes_per_second",
    "load": "load_per_core",
    "up": "uptime_seconds",
    "uptime": "uptime_seconds",
}

Row = Mapping[str, Any]  # Any: the row's values
Term = Callable[[Row, str], bool]


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter."""

    text: str
    terms: tuple[Term, ...]

    def matches(self, row: Row, haystack: str) -> bool:
        """Whether a row passes.

        Args:
            row: its columns by name; ``labels`` holds a mapping.
            haystack: its text in which words and patterns are looked for, in lower case.
        """
        return all(term(row, haystack) for term in self.terms)


def parse(text: str) -> Filter:
    """A filter from its text.

    Raises:
        InvalidRequest: a pattern or number can't be read; says which, and at which character.
    """
    words = text.split()
    if len(words) > MOST_TERMS:
        raise InvalidRequest(f"A filter has at most {MOST_TERMS} words.", field="filter")
    terms, place = [], 0
    for word in words:
        place = text.index(word, place)
        terms.append(_term(word, place))
        place += len(word)
    return Filter(text, tuple(terms))


def _term(word: str, place: int) -> Term:
    if word.startswith("!") and len(word) > 1:
        inner = _term(word[1:], place + 1)
        return lambda row, haystack: not inner(row, haystack)
    if word.startswith("~") and len(word) > 1:
        return _pattern(word[1:], place)
    split = _SPLIT.match(word)
    if split is not None:
        key, operator, value = split.groups()
        if operator == "~":
            return _value_pattern(key, value, place + len(key))
        return _label(key, value.lower()) if operator == "=" else _comparison(key, operator, value, place)
    wanted = word.lower().lstrip("/")
    return lambda row, haystack: wanted in haystack


def _pattern(pattern: str, place: int) -> Term:
    compiled = _compiled(pattern, place)
    return lambda row, haystack: compiled.search(haystack) is not None


def _value_pattern(key: str, pattern: str, place: int) -> Term:
    compiled = _compiled(pattern, place)
    return lambda row, haystack: any(compiled.search(value) is not None for value in _values(row, key))


def _compiled(pattern: str, place: int) -> Any:  # Any: re2 has no types
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise InvalidRequest(
            f"At character {place + 1}: {pattern!r} is no pattern ({error}).", field="filter"
        ) from error


def _comparison(column: str, operator: str, number: str, place: int) -> Term:
    name = _ALIASES.get(column.lower(), column.lower())
    unit = number[-1:]
    try:
        limit = float(number[:-1]) * _UNITS[unit] if unit in _UNITS else float(number)
    except ValueError as error:
        raise InvalidRequest(f"At character {place + 1}: {number!r} is no number.", field="filter") from error
    percent = name in _PERCENT and unit not in _UNITS

    def holds(row: Row, haystack: str) -> bool:
        value = row.get(name)
        if not isinstance(value, int | float):
            return False
        if percent and abs(value) < LEAST_SIZE:
            value *= 100
        return {">": value > limit, "<": value < limit, ">=": value >= limit, "<=": value <= limit}[operator]

    return holds


def _label(key: str, value: str) -> Term:
    if key == "group":
        # half a group's name is another group
        return lambda row, haystack: any(value == found.lower() for found in _values(row, key))
    return lambda row, haystack: any(value in found.lower() for found in _values(row, key))


def _values(row: Row, key: str) -> list[str]:
    """What a row has under a name: a label, a column, its groups."""
    found = (row.get("labels") or {}).get(key, row.get(key))
    values = [] if found is None else [str(found)]
    return values + list(row.get("groups") or ()) if key == "group" else values
