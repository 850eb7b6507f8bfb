"""Moments, durations and sizes as people write them: ``14:05``, ``yesterday 9:00``, ``2h ago``, ``26h``, ``10G``."""

from __future__ import annotations

import re
import time
from datetime import datetime

DAY = 86400.0
FORMS = "14:05 · 14:05:30 · yesterday 9:00 · 2026-11-28 14:05 · 2h ago"
_CLOCK = re.compile(
    r"(?:(today|yesterday|\d{4}-\d{2}-\d{2})\s+)?(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,6})?)?\Z"
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_AGO = re.compile(r"(\d+\s*[smhdw]) ago\Z")
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h|d|w)$")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY, "w": 7 * DAY}
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*(?:([kmgtp])i?)?b?$")


def parse_duration(text: str) -> float | None:
    """Seconds of ``90s``, ``30m``, ``2h``, ``1d``, ``1w``; None when it is not a duration."""
    match = _DURATION.match(text.strip().lower())
    return float(match[1]) * _UNITS[match[2]] if match else None


def parse_size(text: str) -> int | None:
    """Bytes of ``4096``, ``512M``, ``10G``, ``1.5TiB`` (in steps of 1024); None when it is no size."""
    match = _SIZE.match(text.strip().lower())
    return int(float(match[1]) * 1024 ** (" kmgtp".index(match[2] or " "))) if match else None


def written_size(size: int) -> str:
    """A size as :func:`parse_size` takes it, to the byte: ``2T``, ``1500G``, ``4097``."""
    power = 0
    while power < 5 and size and size % 1024 == 0:
        size, power = size // 1024, power + 1
    return f"{size}{' KMGTP'[power].strip()}"


def parse_moment(text: str, now: float, *, ahead: bool = False) -> float | None:
    """Unix seconds of a moment on the person's clock; None: it can't be understood.

    Args:
        text: one of `FORMS`, a date alone (its midnight), ISO 8601 with its zone, or ``now``.
        now: Unix seconds.
        ahead: an hour without a day is the next one, not the last.
    """
    words = " ".join(text.lower().split())
    if words == "now":
        return now
    if ago := _AGO.match(words):
        seconds = parse_duration(ago[1].replace(" ", ""))
        return None if seconds is None else now - seconds
    if found := _CLOCK.match(words):
        return _on_the_clock(found, now, ahead=ahead)
    if not _DATE.match(words):
        return None
    try:
        return datetime.fromisoformat(text.strip().upper()).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _on_the_clock(found: re.Match[str], now: float, *, ahead: bool) -> float | None:
    day, hour, minute, second, rest = found.groups()
    date = time.localtime(now)[:3]
    if day == "yesterday":
        # not 24 hours ago: a day on which clocks are changed has 23 or 25
        date = time.localtime(time.mktime((*date[:2], date[2] - 1, 12, 0, 0, 0, 0, -1)))[:3]
    if day and day[0].isdigit():
        year, month, number = day.split("-")
        date = (int(year), int(month), int(number))
    if int(hour) > 23 or int(minute) > 59 or int(second or 0) > 59:
        return None

    def at(days: int) -> float:
        fields = (*date[:2], date[2] + days, int(hour), int(minute), int(second or 0), 0, 0)
        # when clocks go back an hour comes twice, when they go forward one is left out
        moments = sorted({time.mktime((*fields, summer)) for summer in (0, 1)})
        there = [
            moment + float(rest or 0)
            for moment in moments
            if time.localtime(moment)[3:5] == (int(hour), int(minute))
        ]
        if ahead:
            return next((moment for moment in there if moment > now), there[-1])
        return next((moment for moment in reversed(there) if moment <= now), there[0])

    try:
        found_at = at(0)
        if time.localtime(found_at)[:3] != tuple(date):
            return None
        if not day and ahead and found_at <= now:
            return at(1)
        if not day and not ahead and found_at > now:
            return at(-1)
    except (OverflowError, ValueError, IndexError):
        return None
    return found_at
