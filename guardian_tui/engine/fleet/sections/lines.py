"""What the sections of services, security and storage share: rows by kind, and times as programs write them.

The probe runs under TZ=UTC0 and LC_ALL=C, so every time that a program on the host writes is English and UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from guardian_tui.engine.fleet.sections.base import cell, figure, number
from guardian_tui.engine.fleet.sections.raw import Raw

_SPANS = {
    "y": 31557600.0, "year": 31557600.0, "years": 31557600.0, "month": 2629800.0, "months": 2629800.0, "w": 604800.0, "week": 604800.0,
    "weeks": 604800.0, "d": 86400.0, "day": 86400.0, "days": 86400.0, "h": 3600.0, "min": 60.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6,
}  # fmt: skip
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\s*")


def of_kind(raw: Raw, kind: str, cells: int = 1) -> Iterator[list[str]]:
    """The rows of a kind without it; one with fewer cells is a problem."""
    for row in raw.rows:
        if row[0] == kind:
            if len(row) > cells:
                yield row[1:]
            else:
                raw.problem(f"not understood: {cell(' '.join(row), 60)}")


def texts(raw: Raw, kind: str) -> Iterator[str]:
    """The lines that a program wrote, of one kind."""
    return (" ".join(row) for row in of_kind(raw, kind))


def uptime(raw: Raw) -> float | None:
    """Seconds since boot, of the row ``B``."""
    for text in texts(raw, "B"):
        try:
            return number(text.split()[0])
        except (ValueError, IndexError):
            raw.problem(f"no uptime: {cell(text, 60)}")
    return None


def now(raw: Raw) -> float | None:
    """The host's own clock, of the row ``D``."""
    return next((figure(text) for text in texts(raw, "D")), None)


def fixed(raw: Raw, kind: str, cells: int) -> list[list[str]]:
    """The rows of a kind that have so many cells, without it."""
    return [row[:cells] for row in of_kind(raw, kind, cells)]


def span(words: str) -> float | None:
    """Seconds of ``1d 2h 3min 4.5s`` as systemd writes it; None: it is no span."""
    total, place = 0.0, 0
    text = words.strip()
    if not text:
        return None
    while place < len(text):
        match = _SPAN.match(text, place)
        if match is None or match[2] not in _SPANS or len(match[1]) > 20:
            return None
        total += float(match[1]) * _SPANS[match[2]]
        place = match.end()
    return total


def moment(words: str, *patterns: str) -> float | None:
    """Unix seconds of a time in UTC by the first pattern that fits; None: it is none."""
    text = " ".join(words.removesuffix(" UTC").removesuffix(" GMT").split())
    for pattern in patterns:
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC).timestamp()
        except (ValueError, OverflowError):
            continue
    return None
