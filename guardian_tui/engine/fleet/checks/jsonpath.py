"""Conditions on JSON: ``data.items[0].name=web``, ``queue.length<100``, ``ready``."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from guardian_tui.text import safe

_CONDITION = re.compile(r"^([^=!<>]+?)(?:(!=|=|<|>)(.*))?$")
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d{1,9})\]")
_MISSING = object()


def unmet(document: Any, condition: str) -> str:  # Any: JSON
    """Why a condition does not hold, in words; empty when it does."""
    match = _CONDITION.match(condition.strip())
    if match is None:
        return f"{safe(condition, 60)!r} is no condition"
    path, operator, wanted = match[1].strip(), match[2], (match[3] or "").strip()
    value = _walk(document, path.removeprefix("$"))
    if value is _MISSING:
        return f"JSON has no {safe(path, 60)}"
    if not operator or _holds(value, operator, wanted):
        return ""
    return f"{safe(path, 60)} is {safe(_text(value), 60)}, wanted {operator if operator != '=' else ''}{safe(wanted, 60)}"


def _walk(value: Any, path: str) -> Any:  # Any: JSON
    place = 0
    while place < len(path):
        step = _STEP.match(path, place)
        if step is None:
            return _MISSING
        place = step.end()
        if step[1] is not None:
            value = value.get(step[1], _MISSING) if isinstance(value, dict) else _MISSING
        else:
            index = int(step[2])
            value = (
                value[index] if isinstance(value, list) and -len(value) <= index < len(value) else _MISSING
            )
        if value is _MISSING:
            return _MISSING
    return value


def _text(value: Any) -> str:  # Any: JSON
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _holds(value: Any, operator: str, wanted: str) -> bool:  # Any: JSON
    if operator in ("=", "!="):
        same = _text(value) == wanted
        return same if operator == "=" else not same
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        limit = float(wanted)
    except ValueError:
        return False
    return value < limit if operator == "<" else value > limit
