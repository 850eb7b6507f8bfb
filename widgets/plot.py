"""What a chart looks like, as pieces of text: an area or a line in braille, what is typical behind it, a second line, limits, marks, axes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from guardian_tui.protocol.fleet import History
from guardian_tui.text import safe
from widgets import figures
from widgets.painting import Piece, clip, width_of

LABEL = 7
# bits of the four dots of a braille cell's left and right column, from the bottom up (Unicode 2800–28FF)
_LEFT = (0x40, 0x04, 0x02, 0x01)
_RIGHT = (0x80, 0x20, 0x10, 0x08)
BAND_GLYPH, OTHER_GLYPH, CURSOR_GLYPH = "░", "○", "│"
"""Each layer has a glyph of its own: without colours it reads the same."""
_CRITICAL: Piece = ("─", "critical")
_WARNING: Piece = ("╌", "warning")
"""The lines of limits."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened: a glyph at a time."""

    at: float
    glyph: str
    paint: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class ChartData:
    """All that a chart shows.  ``top`` fixes the axis' end; None: from the values.

    ``threshold`` are the gravest limits, ``warning`` milder ones; ``limit_words`` stand on the topmost line of the first.  ``other`` is a
    second line of as many columns, ``other_words`` say whose.
    """

    title: str
    unit: str
    history: History | None
    threshold: tuple[float, ...] = ()
    top: float | None = None
    marks: Sequence[Mark] = ()
    words: str = ""
    warning: tuple[float, ...] = ()
    limit_words: str = ""
    other: History | None = None
    other_words: str = ""

    @property
    def has_band(self) -> bool:
        """Whether what is typical is known for any column."""
        return self.history is not None and any(value is not None for value in self.history.typical_high)


LEAST_TOP = 1e-300
"""What is smaller has no power of ten of its own."""


def nice_top(value: float) -> float:
    """A round number at or above a value, for the end of an axis."""
    if value < LEAST_TOP or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= value * 0.999999)


def axis_label(value: float, unit: str) -> str:
    """A figure beside the axis; bytes in few characters where their words have no room: ``60G``."""
    words = figures.quantity(value, unit)
    if len(words) < LABEL:
        return words
    # levels are known by their first letters
    return (
        figures.amount(value)
        if unit in ("bytes", "bytes_per_second")
        else words[:4]
        if unit == "level"
        else words
    )


def columns_of(width: int) -> int:
    """How many columns of values a chart of this width can show: two a cell."""
    return max(1, (width - LABEL - 1) * 2)


def cells_of(width: int) -> int:
    """How many cells of a chart of this width hold values."""
    return max(1, width - LABEL - 1)


def column_at(history: History, at: float) -> int | None:
    """The column of a moment; None outside."""
    if history.step_seconds <= 0:
        return None
    column = math.floor((at - history.start) / history.step_seconds)
    return column if 0 <= column < len(history.mean) else None


def cell_at(history: History, at: float, width: int) -> int | None:
    """The cell of a moment, counted from the chart's left edge; None outside."""
    column = column_at(history, at)
    if column is None:
        return None
    span = history.step_seconds * len(history.mean)
    return LABEL + min(cells_of(width) - 1, math.floor((at - history.start) / span * cells_of(width)))


def moment_at(history: History, cell: int, width: int) -> float | None:
    """The moment in the middle of a cell; None where no value stands."""
    place = cell - LABEL
    if not 0 <= place < cells_of(width):
        return None
    return history.start + history.step_seconds * len(history.mean) * (place + 0.5) / cells_of(width)


def render(data: ChartData, width: int, height: int, cursor: float | None = None) -> list[list[Piece]]:
    """The chart's lines as pieces; the last line is the time axis, or what is under the ``cursor``."""
    history = data.history
    rows = max(1, height - 1)
    cells = cells_of(width)
    if history is None or not any(value is not None for value in history.mean):
        words = data.words or "no values in this span"
        return [
            clip([(" " * LABEL, "muted"), (words if place == rows // 2 else "", "muted")], width)
            for place in range(height)
        ]
    plot = _Plot(data, history, rows, cells)
    place = None if cursor is None else cell_at(history, cursor, width)
    lines = [plot.row(row, None if place is None else place - LABEL) for row in range(rows)]
    if place is None or cursor is None:
        lines.append(_axis(history, cells))
    else:
        lines.append(_under_cursor(data, cursor, place - LABEL, cells))
    return [clip(line, width) for line in lines[-height:]]


class _Plot:
    """One chart at one size: everything in dots and rows."""

    def __init__(self, data: ChartData, history: History, rows: int, cells: int) -> None:
        self.data, self.history, self.rows, self.cells = data, history, rows, cells
        known = [value for value in history.high if value is not None]
        if data.other is not None:
            known += [value for value in data.other.mean if value is not None]
        self.top = (
            data.top if data.top is not None else nice_top(max([*known, *data.threshold, *data.warning, 0.0]))
        )
        self.heights = self._dots(history.mean, cells * 2)
        self.as_line = data.has_band
        low, high = history.typical_low, history.typical_high
        self.band_low = self._rows_of(low) if data.has_band else []
        self.band_high = self._rows_of(high) if data.has_band else []
        self.other = self._rows_of(data.other.mean) if data.other is not None else []
        self.threshold_rows, self.warning_rows = (
            self._limit_rows(data.threshold),
            self._limit_rows(data.warning),
        )
        self.worded_row = (
            min(self.threshold_rows or self.warning_rows, default=-1) if data.limit_words else -1
        )
        span = history.step_seconds * len(history.mean)
        self.marks = {
            place: mark
            for mark in data.marks
            if span > 0 and 0 <= (place := math.floor((mark.at - history.start) / span * cells)) < cells
        }

    def _limit_rows(self, limits: tuple[float, ...]) -> set[int]:
        """The rows of those limits that the chart reaches."""
        return {
            self.rows - 1 - min(self.rows - 1, max(0, int(limit / self.top * self.rows - 1e-9)))
            for limit in limits
            if 0 <= limit <= self.top * 1.0001
        }

    def _dots(self, values: Sequence[float | None], columns: int) -> list[int]:
        """Dots filled in each column; -1 for a gap.  Fewer values than columns are drawn wide."""
        count, dots = len(values), self.rows * 4
        found = (values[min(count - 1, column * count // columns)] for column in range(columns))
        return [
            -1 if value is None else max(1, min(dots, round(value / self.top * dots))) if value > 0 else 0
            for value in found
        ]

    def _rows_of(self, values: Sequence[float | None]) -> list[int]:
        """The row of each cell's value, the top one being 0; -1 for a gap."""
        dots = self._dots(values, self.cells)
        return [-1 if dot < 0 else self.rows - 1 - max(0, dot - 1) // 4 for dot in dots]

    def row(self, row: int, cursor: int | None) -> list[Piece]:
        """One line of the plot."""
        label = ""
        if row == 0:
            label = axis_label(self.top, self.data.unit)
        elif row == self.rows - 1:
            label = axis_label(0.0, self.data.unit) if self.data.unit in ("flag", "level") else "0"
        elif self.rows >= 6 and row == self.rows // 2 and self.data.unit != "flag":
            # the line of the half lies in this cell or at its edge
            label = axis_label(self.top / 2, self.data.unit)
        chars = [self._cell(row, cell, cursor) for cell in range(self.cells)]
        if row == self.worded_row:
            self._write_limit(chars, *(_CRITICAL if row in self.threshold_rows else _WARNING))
        pieces: list[Piece] = [(f"{label:>{LABEL - 1}} "[-LABEL:], "muted")]
        text, paint = "", "accent"
        for char, wanted in chars:
            if wanted != paint:
                pieces.append((text, paint))
                text, paint = "", wanted
            text += char
        pieces.append((text, paint))
        return pieces

    def _write_limit(self, chars: list[Piece], glyph: str, paint: str) -> None:
        """Words on the line of a limit, as far to the right as they take no value's place."""
        words = f" {self.data.limit_words} "
        line = "".join(char for char, _ in chars)
        start = line.rfind(glyph * (len(words) + 1))
        if start >= 0:
            chars[start : start + len(words)] = [(char, paint) for char in words]

    def _cell(self, row: int, cell: int, cursor: int | None) -> Piece:
        mark = self.marks.get(cell)
        if mark is not None and row == self.rows - 1:
            return mark.glyph, mark.paint
        here = cell == cursor
        if self.other and self.other[cell] == row:
            return OTHER_GLYPH, "strong" if here else "mark"
        bits = self._bits(row, cell)
        if bits:
            return chr(0x2800 + bits), "strong" if here else "accent"
        if here:
            return CURSOR_GLYPH, "strong"
        if row in self.threshold_rows:
            return _CRITICAL
        if row in self.warning_rows:
            return _WARNING
        if self.as_line and 0 <= self.band_high[cell] <= row <= self.band_low[cell]:
            return BAND_GLYPH, "faint"
        return " ", "accent"

    def _bits(self, row: int, cell: int) -> int:
        base = (self.rows - 1 - row) * 4
        bits = 0
        for column, side in ((2 * cell, _LEFT), (2 * cell + 1, _RIGHT)):
            height = self.heights[column]
            if not self.as_line:
                bits |= sum(side[dot] for dot in range(4) if height > base + dot)
            elif height >= 0:
                # from where the line came, so that it does not break
                before = self.heights[column - 1] if column and self.heights[column - 1] >= 0 else height
                last, first = max(1, height), max(1, before)
                low, high = (first + 1, last) if first < last else (last, max(last, first - 1))
                bits |= sum(side[dot] for dot in range(4) if low <= base + dot + 1 <= high)
        return bits


def _time_form(history: History) -> str:
    span = history.step_seconds * len(history.mean)
    return "%H:%M" if span <= 2 * 86400 else "%a %d"


def _axis(history: History, cells: int) -> list[Piece]:
    span = history.step_seconds * len(history.mean)
    form = _time_form(history)
    line = [" "] * cells
    wanted = max(2, cells // 18)
    free = 0
    for place in range(wanted):
        at = history.start + span * place / (wanted - 1)
        word = time.strftime(form, time.localtime(at))
        middle = round((cells - 1) * place / (wanted - 1))
        start = max(0, min(cells - len(word), middle - (len(word) // 2 if place else 0)))
        # a chart too narrow for two times shows one, or none
        if start >= free and start + len(word) <= cells:
            line[start : start + len(word)] = word
            free = start + len(word) + 1
    return [(" " * LABEL, "muted"), ("".join(line), "muted")]


def between(low: float, high: float, unit: str) -> str:
    """``20–40 %``: two figures, their unit once where it is the same."""
    first, last = figures.quantity(low, unit), figures.quantity(high, unit)
    if first == last:
        return last
    number, blank, own = first.rpartition(" ")
    return f"{number if blank and last.endswith(' ' + own) else first}–{last}"


def readout(data: ChartData, at: float) -> list[Piece]:
    """What is known of the column at a moment: time, value, lowest and highest, the other line, what happened, what is typical."""
    history = data.history
    column = column_at(history, at) if history is not None else None
    if history is None or column is None:
        return []
    form = _time_form(history)
    form = "%a %d %H:%M" if form != "%H:%M" else form if history.step_seconds >= 60 else "%H:%M:%S"
    pieces: list[Piece] = [(time.strftime(form, time.localtime(at)), "strong")]
    value, low, high = history.mean[column], history.low[column], history.high[column]
    if value is None:
        pieces.append(("  no value", "muted"))
    else:
        pieces.append((f"  {figures.quantity(value, data.unit)}", "accent"))
        if low is not None and high is not None and low != high:
            pieces.append((f" ({between(low, high, data.unit)})", "muted"))
    if data.other is not None and column < len(data.other.mean):
        pieces.append((f"  {OTHER_GLYPH} {figures.quantity(data.other.mean[column], data.unit)}", "mark"))
    near = [mark for mark in data.marks if mark.words and column_at(history, mark.at) == column]
    pieces += [(f"  {mark.glyph} {safe(mark.words, 100)}", mark.paint) for mark in near]
    if data.has_band:
        usual_low, usual_high = history.typical_low[column], history.typical_high[column]
        if usual_low is not None and usual_high is not None:
            pieces.append((f"  typical {between(usual_low, usual_high, data.unit)}", "muted"))
    return pieces


def _under_cursor(data: ChartData, at: float, place: int, cells: int) -> list[Piece]:
    """The readout near its column; what does not fit is left out from its end, never cut in the middle."""
    pieces = readout(data, at)
    while len(pieces) > 1 and width_of(pieces) > cells:
        pieces.pop()
    start = max(0, min(place, cells - width_of(pieces)))
    return [(" " * (LABEL + start), "muted"), *clip(pieces, cells)]


def legend(data: ChartData) -> list[Piece]:
    """What the glyphs of a chart mean, of those that it shows."""
    shown: list[Piece] = []
    if data.other is not None:
        shown.append((f"{OTHER_GLYPH} {safe(data.other_words, 60)}", "mark"))
    if data.has_band:
        shown.append((f"{BAND_GLYPH} typical", "muted"))
    return shown
