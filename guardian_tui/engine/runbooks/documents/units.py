"""Numbers with units, as people and programs write them: ``80%``, ``5G``, ``1h30m``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

Dimension = Literal["", "ratio", "bytes", "seconds"]

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_LETTERS = "KMGTP"
_BYTES = {
    "B": 1.0,
    "kB": 1000.0,
    **{letter: 1024.0**n for n, letter in enumerate(_LETTERS, 1)},
    **{f"{letter}iB": 1024.0**n for n, letter in enumerate(_LETTERS, 1)},
    **{f"{letter}B": 1000.0**n for n, letter in enumerate(_LETTERS, 1) if letter != "K"},
}
UNITS: dict[str, tuple[Dimension, float]] = {
    "%": ("ratio", 0.01),
    **{name: ("seconds", factor) for name, factor in _SECONDS.items()},
    **{name: ("bytes", factor) for name, factor in _BYTES.items()},
}
"""Unit → what it measures, and its size in ratio 1, seconds or bytes.  ``K`` to ``P`` are 1024s, as ``df -h`` has them."""

NUMBER = r"[-+]?\d{1,18}(?:\.\d{1,9})?"
_QUANTITY = re.compile(rf"({NUMBER})\s*([A-Za-z]{{1,3}}|%)?")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)(ms|s|min|m|h|d|w)")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number in base units: a ratio, bytes, seconds, or of no dimension."""

    value: float
    dimension: Dimension = ""
    factor: float = 1.0
    """Size of the unit that it was written with."""


def read_quantity(text: str) -> Quantity | None:
    """The number that a text is, as a whole; None when it is none."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        return None
    dimension, factor = UNITS.get(match[2], ("", math.nan)) if match[2] else ("", 1.0)
    return None if math.isnan(factor) else Quantity(float(match[1]) * factor, dimension, factor)


def read_seconds(text: str) -> float | None:
    """Seconds of ``90s``, ``1h30m``, ``2d``; None when it is no duration or longer than a year."""
    rest, seconds = text.strip(), 0.0
    while rest:
        match = _DURATION.match(rest)
        if match is None:
            return None
        seconds += float(match[1]) * _SECONDS[match[2]]
        rest = rest[match.end() :]
    return seconds if text.strip() and seconds <= 366 * 86400 else None
