"""Performance data of Nagios plugins: ``'label'=value[UOM];[warn];[crit];[min];[max]``.

Format: Monitoring Plugins Development Guidelines, "Performance data" and "Threshold and ranges".  What can't be read is left out, alone.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from guardian_tui.protocol.checks import Range

_NUMBER = r"[-+]?(?:\d{1,40}(?:[.,]\d{0,40})?|[.,]\d{1,40})(?:[eE][-+]?\d{1,4})?"
_VALUE = re.compile(rf"^({_NUMBER})([^\d;\s]{{0,10}})$")
_NUMBERS = re.compile(rf"^{_NUMBER}$")
LABEL_LIMIT = 80
OUTPUT_LINES = 500

_SCALES: dict[str, tuple[float, str]] = {
    "us": (1e-6, "seconds"), "ms": (1e-3, "seconds"), "s": (1.0, "seconds"), "ns": (1e-9, "seconds"),
    "b": (1.0, "bytes"), "kb": (1024.0, "bytes"), "mb": (1024.0**2, "bytes"), "gb": (1024.0**3, "bytes"), "tb": (1024.0**4, "bytes"),
    "kib": (1024.0, "bytes"), "mib": (1024.0**2, "bytes"), "gib": (1024.0**3, "bytes"), "tib": (1024.0**4, "bytes"),
    "%": (0.01, "ratio"), "c": (1.0, "count"), "": (1.0, ""),
}  # fmt: skip
"""Units of measurement, as what they are in base units."""


@dataclass(frozen=True, slots=True)
class Perf:
    """One value, in base units; thresholds are scaled with it."""

    label: str
    value: float
    unit: str = ""
    warning: Range | None = None
    critical: Range | None = None
    least: float | None = None
    most: float | None = None


def parse_output(text: str) -> tuple[str, list[Perf]]:
    """A plugin's first line of text, and all its performance data (of later lines too)."""
    lines = text.replace("\0", "").splitlines()[:OUTPUT_LINES]
    if not lines:
        return "", []
    first, _, data = lines[0].partition("|")
    parts = [data]
    for number, line in enumerate(lines[1:], 1):
        _, bar, rest = line.partition("|")
        if bar:
            # from the second bar on, all that follows is performance data
            parts += [rest, *lines[number + 1 :]]
            break
    return first.strip(), parse_perfdata(" ".join(parts))


def parse_perfdata(text: str) -> list[Perf]:
    """All values that can be read; of two with one label the last."""
    found: dict[str, Perf] = {}
    for label, value in _pairs(text):
        perf = _perf(label, value)
        if perf is not None:
            found[perf.label] = perf
    return list(found.values())


def _pairs(text: str) -> list[tuple[str, str]]:
    """Labels and values; a label may be quoted, and then hold blanks and doubled quotes."""
    pairs, place = [], 0
    while place < len(text):
        if text[place].isspace():
            place += 1
            continue
        if text[place] == "'":
            label, place = _quoted(text, place + 1)
        else:
            sign = text.find("=", place)
            blank = next((p for p in range(place, len(text)) if text[p].isspace()), len(text))
            end = sign if 0 <= sign < blank else blank
            label, place = text[place:end], end
        if place < len(text) and text[place] == "=":
            end = place
            while end < len(text) and not text[end].isspace():
                end += 1
            pairs.append((label, text[place + 1 : end]))
            place = end
    return pairs


def _quoted(text: str, place: int) -> tuple[str, int]:
    label: list[str] = []
    while place < len(text):
        if text[place] == "'":
            if text[place + 1 : place + 2] != "'":
                return "".join(label), place + 1
            place += 1
        label.append(text[place])
        place += 1
    return "".join(label), place


def _perf(label: str, text: str) -> Perf | None:
    first, *rest = text.split(";")
    match = _VALUE.match(first)
    name = "".join(char if char.isprintable() and char not in "{}" else "_" for char in label.strip())[
        :LABEL_LIMIT
    ]
    if match is None or not name:
        return None
    scale, unit = _SCALES.get(match[2].lower(), (1.0, match[2]))
    value = _number(match[1])
    if value is None or not math.isfinite(value * scale):
        return None
    fields = [*rest, "", "", "", ""][:4]
    least, most = (_scaled(_number(field), scale) for field in fields[2:])
    return Perf(
        name, value * scale, unit, parse_range(fields[0], scale), parse_range(fields[1], scale), least, most
    )


def parse_range(text: str, scale: float = 1.0) -> Range | None:
    """A threshold: ``10``, ``10:``, ``~:10``, ``10:20``, ``@10:20``; None where there is none or it can't be read."""
    inside, text = text.startswith("@"), text.removeprefix("@").strip()
    if not text:
        return None
    low, _, high = text.rpartition(":")
    bottom = 0.0 if not low else None if low == "~" else _number(low)
    top = _number(high) if high else None
    if (bottom is None and low != "~") or (top is None and high):
        return None
    bottom, top = _scaled(bottom, scale), _scaled(top, scale)
    if bottom is not None and top is not None and bottom > top:
        return None
    return Range(low=bottom, high=top, inside=inside)


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None or not math.isfinite(value * scale) else value * scale


def _number(text: str) -> float | None:
    if not _NUMBERS.match(text):
        return None
    value = float(text.replace(",", "."))
    return value if math.isfinite(value) else None
