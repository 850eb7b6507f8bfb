"""Prometheus' text format, version 0.0.4: a parser of ours that leaves out what it can't read.

Format: Prometheus documentation, "Exposition formats".
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

LINE_LIMIT = 4000
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*\"")
_ESCAPES = {"n": "\n", "\\": "\\", '"': '"'}


@dataclass(frozen=True, slots=True)
class Value:
    """One sample."""

    name: str
    labels: tuple[tuple[str, str], ...]
    value: float

    @property
    def series(self) -> str:
        """Name and labels as one word, fit for the instance of a series."""
        words = ",".join(f"{name}={_plain(value)}" for name, value in self.labels)
        return f"{self.name}[{words}]" if words else self.name


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() and char not in "{}[]," else "_" for char in text)[:80]


def parse_exposition(text: str) -> tuple[list[Value], int]:
    """All samples, and how many lines could not be read."""
    found, bad = [], 0
    for line in text.split("\n"):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        value = parse_line(line) if len(line) <= LINE_LIMIT else None
        if value is None:
            bad += 1
        else:
            found.append(value)
    return found, bad


def parse_line(line: str) -> Value | None:
    """One sample; None for a line that is none."""
    match = _NAME.match(line)
    if match is None:
        return None
    place = match.end()
    labels: list[tuple[str, str]] = []
    if line[place : place + 1] == "{":
        read = _labels(line, place + 1)
        if read is None:
            return None
        labels, place = read
    words = line[place:].split()
    # a timestamp may follow; ours counts
    if not 1 <= len(words) <= 2 or (place == match.end() and not line[place : place + 1].isspace()):
        return None
    value = _value(words[0])
    return None if value is None else Value(match[0], tuple(labels), value)


def _labels(line: str, place: int) -> tuple[list[tuple[str, str]], int] | None:
    labels: list[tuple[str, str]] = []
    while True:
        rest = line[place:].lstrip(" \t,")
        place = len(line) - len(rest)
        if rest.startswith("}"):
            return labels, place + 1
        match = _LABEL.match(line, place)
        if match is None:
            return None
        value, place = _quoted(line, match.end())
        if place < 0:
            return None
        labels.append((match[1], value))


def _quoted(line: str, place: int) -> tuple[str, int]:
    out: list[str] = []
    while place < len(line):
        char = line[place]
        if char == '"':
            return "".join(out), place + 1
        if char == "\\" and place + 1 < len(line):
            place += 1
            char = _ESCAPES.get(line[place], "\\" + line[place])
        out.append(char)
        place += 1
    return "", -1


def _value(text: str) -> float | None:
    lowered = text.lower()
    if lowered in ("nan", "+inf", "-inf", "inf"):
        return float(lowered)
    if len(text) > 60 or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def matches(name: str, wanted: tuple[str, ...]) -> bool:
    """Whether a metric is one of these; ``*`` stands for any end."""
    return any(name.startswith(one[:-1]) if one.endswith("*") else name == one for one in wanted)


def chosen(values: list[Value], wanted: tuple[str, ...]) -> Iterator[Value]:
    """Samples of these metrics whose values can be charted."""
    return (value for value in values if math.isfinite(value.value) and matches(value.name, wanted))
