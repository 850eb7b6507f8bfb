"""Days as a calendar: a column a week, a row a day of the week; the worst of each day, readable without colour."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from widgets.box import Line

CELLS: Mapping[str, tuple[str, str]] = {
    "ok": ("■", "ok"), "partial": ("▲", "warning"), "locked": ("▲", "warning"), "cancelled": ("○", "muted"),
}  # fmt: skip
"""Glyph and paint by verdict; all others are bad."""
BAD = ("✖", "critical")
NONE = ("·", "faint")
_DAYS = ("Mo", "  ", "We", "  ", "Fr", "  ", "Su")


def heat_map(days: Mapping[str, str], today: datetime.date, weeks: int) -> list[Line]:
    """The lines of the last weeks.

    Args:
        days: ``2026-11-25`` → the worst verdict of the day.
        today: the last day.
        weeks: how many columns.
    """
    first = today - datetime.timedelta(days=today.weekday() + 7 * (weeks - 1))
    lines = [_months(first, weeks)]
    for weekday in range(7):
        line: Line = [(f"{_DAYS[weekday]} ", "muted")]
        for week in range(weeks):
            day = first + datetime.timedelta(days=7 * week + weekday)
            verdict = days.get(day.isoformat())
            glyph, paint = (
                (" ", "text") if day > today else NONE if verdict is None else CELLS.get(verdict, BAD)
            )
            line.append((f"{glyph} ", paint))
        lines.append(line)
    return lines


def day_strip(days: Mapping[str, str], today: datetime.date, count: int) -> Line:
    """The last days in one line, today at its right end: where there is no room for the calendar."""
    line: Line = []
    for back in range(count - 1, -1, -1):
        verdict = days.get((today - datetime.timedelta(days=back)).isoformat())
        line.append(NONE if verdict is None else CELLS.get(verdict, BAD))
    return line


def _months(first: datetime.date, weeks: int) -> Line:
    """The names of the months above the weeks in which they begin."""
    text, shown = "   ", 0
    for week in range(weeks):
        day = first + datetime.timedelta(days=7 * week)
        if day.month != shown and len(text) <= 3 + 2 * week:
            text = text.ljust(3 + 2 * week) + day.strftime("%b")
        shown = day.month
    return [(text, "muted")]
