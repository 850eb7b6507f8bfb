"""Figures as people read them: narrow, whole, with fixed units."""

from __future__ import annotations

import time

_BLOCKS = " ▁▂▃▄▅▆▇█"
_UNITS = ("", "K", "M", "G", "T", "P")
_NAMED_DAYS_SECONDS = 6 * 86400.0
"""A day within so long is known by its name alone."""


def age(seconds: float) -> str:
    """``41s``, ``12m``, ``3h``, ``2d``: one unit, never more than four characters."""
    seconds = max(0.0, seconds)
    if seconds < 100:
        return f"{int(seconds)}s"
    if seconds < 100 * 60:
        return f"{int(seconds / 60)}m"
    if seconds < 48 * 3600:
        return f"{int(seconds / 3600)}h"
    return f"{min(9999, int(seconds / 86400))}d"


def span(seconds: float) -> str:
    """As an age, and below a second in milliseconds: ``0.9ms``, ``340ms``."""
    if 0 < seconds < 0.9995:
        return f"{seconds * 1000:.1f}ms" if seconds < 0.00995 else f"{seconds * 1000:.0f}ms"
    return age(seconds)


def clock(at: float, now: float) -> str:
    """The minute of a moment: ``14:05``; with its day where that is another, ``Tue 14:05``, and its date where that is far: ``Tue 12 Jan 14:05``."""
    there, here = time.localtime(at), time.localtime(now)
    if there[:3] == here[:3]:
        form = "%H:%M"
    elif there.tm_year != here.tm_year and abs(at - now) > _NAMED_DAYS_SECONDS:
        form = "%a %d %b %Y %H:%M"
    else:
        form = "%a %H:%M" if abs(at - now) < _NAMED_DAYS_SECONDS else "%a %d %b %H:%M"
    return time.strftime(form, there)


def amount(value: float | None, *, base: float = 1024.0) -> str:
    """``2.2M``, ``431K``: bytes or bytes a second in five characters; empty when not known."""
    if value is None:
        return ""
    value = max(0.0, value)
    for unit in _UNITS:
        if value < 999.5 or unit == _UNITS[-1]:
            return f"{value:.1f}{unit}" if unit and value < 9.95 else f"{value:.0f}{unit}"
        value /= base
    return ""


def size(value: float) -> str:
    """``3.1 GiB``: a size in words."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1023.5 or unit == "PiB":
            return f"{value:.0f} {unit}" if value >= 99.5 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return ""


def share_of(part: float, whole: float) -> str:
    """``23 of 32 GiB``: how much of a size, in the unit of the whole."""
    number, unit = size(whole).split()
    scale = float(number) / whole if whole else 0.0
    share, total = part * scale, float(number)
    return f"{share:.0f} of {total:.0f} {unit}" if total >= 9.95 else f"{share:.1f} of {total:.1f} {unit}"


def percent(ratio: float | None) -> str:
    """A share as whole percent; empty when not known."""
    return "" if ratio is None else f"{max(0.0, ratio) * 100:.0f}"


LEVELS = ("well", "warning", "critical")
"""What the levels 0, 1 and 2 of a trouble are called."""


def quantity(value: float | None, unit: str) -> str:
    """A metric's value with its unit."""
    if value is None:
        return "–"
    if unit == "ratio":
        return f"{value * 100:.0f} %" if value >= 0.0995 or value == 0 else f"{value * 100:.1f} %"
    if unit == "bytes":
        return size(value)
    if unit == "bytes_per_second":
        return f"{size(value)}/s"
    if unit == "seconds":
        return (
            # a minus before nothing is none
            f"{round(value * 1000) or 0} ms"
            if abs(value) < 1
            else f"{value:.1f} s"
            if abs(value) < 120
            else age(value)
        )
    if unit == "per_second":
        # one in a minute is not none
        return f"{value:.2g}/s" if 0 < abs(value) < 0.95 else f"{value:.0f}/s"
    if unit == "flag":
        # of a span in which it was both, for how much of it
        return "no" if value <= 0 else "yes" if value >= 1 else f"yes for {max(1, round(value * 100))} %"
    if unit == "level":
        return LEVELS[max(0, min(len(LEVELS) - 1, round(value)))]
    return f"{value:.2f}".rstrip("0").rstrip(".")


def spark(points: tuple[int, ...], width: int) -> str:
    """The last ``width`` percents as block characters; a gap is a blank."""
    shown = points[-width:]
    marks = "".join(" " if p < 0 else _BLOCKS[max(1, min(8, (p * 8 + 99) // 100))] for p in shown)
    return marks.rjust(width)


def meter(ratio: float, width: int) -> tuple[str, str]:
    """A thin bar: its filled and its empty part, told apart without colour too."""
    filled = max(0, min(width, round(max(0.0, min(1.0, ratio)) * width)))
    if ratio > 0.02:
        filled = max(1, filled)
    return "━" * filled, "─" * (width - filled)
