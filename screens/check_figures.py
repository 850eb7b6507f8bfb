"""Figures of a check in words and as charts, by the thresholds that whoever measured them told; values in, values out."""

from __future__ import annotations

from guardian_tui.protocol.checks import CheckDetail, CheckFigure, Range
from guardian_tui.text import safe
from screens.chart_views import Limits, View
from widgets import figures
from widgets.box import Line
from widgets.painting import fit
from widgets.plot import between

MOST_FIGURES = 40
_VALUE = 10
_LEAST_NAME = 8
_WIDE, _WIDEST = 50, 70
"""Cells from which there is room for both thresholds, and for what the most is."""
_KNOWN_UNITS = ("ratio", "bytes", "seconds", "bytes_per_second", "per_second", "count")
_LEVELS = {"": "text", "warning": "warning", "critical": "critical"}


def view_of_figure(figure: CheckFigure) -> View:
    """It as a chart: its axis ends at the most that it can be, and its thresholds are lines."""
    top = 1.0 if figure.unit in ("ratio", "flag") else None
    if figure.most is not None and figure.most > 0:
        top = max(figure.most, figure.value)
    return View(figure.series, figure.series, figure.unit, top, _limits(figure))


def _limits(figure: CheckFigure) -> Limits | None:
    if figure.warning is None and figure.critical is None:
        return None
    gravest = figure.critical or figure.warning
    return Limits(
        _bounds(figure.critical),
        _bounds(figure.warning),
        range_words(gravest, figure.unit) if gravest else "",
    )


def _bounds(range: Range | None) -> tuple[float, ...]:
    """Where a range begins and ends; the zero below which nothing is counted is no line."""
    if range is None:
        return ()
    low = None if range.low == 0 and range.high is not None else range.low
    return tuple(bound for bound in (low, range.high) if bound is not None)


def range_words(range: Range, unit: str) -> str:
    """For which values a range alerts: ``> 20 %``, ``< 10 %``, ``< 10 % or > 20 %``, ``10–20 %``."""
    low = "" if range.low is None else figures.quantity(range.low, unit)
    high = "" if range.high is None else figures.quantity(range.high, unit)
    if range.inside:
        if range.low is not None and range.high is not None:
            return between(range.low, range.high, unit)
        return f"≤ {high}" if high else f"≥ {low}" if low else "any"
    if not high:
        return f"< {low}" if low else ""
    return f"> {high}" if not low or range.low == 0 else f"< {low} or > {high}"


def figure_lines(detail: CheckDetail, width: int) -> list[Line]:
    """A line for each figure: value, name, thresholds, the most it can be; a value that is beyond one has its colour and glyph."""
    shown = detail.figures[:MOST_FIGURES]
    names = {figure.series: _name(detail, figure) for figure in shown}
    told = any(figure.warning or figure.critical or figure.most is not None for figure in shown)
    room = min(max(map(len, names.values()), default=0), max(_LEAST_NAME, width // 3)) if told else 120
    lines = [_line(figure, names[figure.series], room, width) for figure in shown]
    left = len(detail.figures) - MOST_FIGURES
    if left > 0:
        lines.append([(f"{'':>{_VALUE}}  {left} more", "faint")])
    return lines or [[("none yet", "muted")]]


def _line(figure: CheckFigure, name: str, room: int, width: int) -> Line:
    value = "yes" if figure.value else "no"
    if figure.unit not in ("flag", "level"):
        value = figures.quantity(figure.value, figure.unit)
        value += "" if figure.unit in _KNOWN_UNITS else f" {figure.unit}"
    line: Line = [
        (f"{safe(value, 40):>{_VALUE}}  ", _LEVELS[figure.level]),
        (fit(safe(name, 120), room) if room < 120 else safe(name, 120), "muted"),
    ]
    told = [
        (f"  {glyph} {words}", paint if range.alerts(figure.value) else "muted")
        for glyph, paint, range in (("▲", "warning", figure.warning), ("✖", "critical", figure.critical))
        if range is not None and (words := range_words(range, figure.unit))
    ]
    # where there is room for one, it is the gravest that is passed, or else the first that would be
    line += told if width >= _WIDE else (told[::-1] if figure.level == "critical" else told)[:1]
    if figure.most is not None and width >= _WIDEST:
        least = f"{figures.quantity(figure.least, figure.unit)} to " if figure.least else "of "
        line.append((f"  {least}{figures.quantity(figure.most, figure.unit)}", "faint"))
    return line


def _name(detail: CheckDetail, figure: CheckFigure) -> str:
    metric, _, rest = figure.series.partition("{")
    label = rest[:-1].removeprefix(detail.row.name).removeprefix("/")
    return label or metric.removeprefix("check_").removesuffix(f"_{figure.unit}").replace("_", " ")
