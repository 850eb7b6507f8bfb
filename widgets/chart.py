"""Charts in braille: an area under the mean, axes, the threshold as a line, marks for what happened."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from textual.strip import Strip

from guardian_tui.protocol.fleet import History
from widgets import figures
from widgets.caption import Captioned
from widgets.painting import Piece, clip, paint_css

_LABEL = 7
# bits of the four dots of a braille cell's left and right column, from the bottom up (Unicode 2800–28FF)
_LEFT = (0x40, 0x04, 0x02, 0x01)
_RIGHT = (0x80, 0x20, 0x10, 0x08)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened: a glyph at a time."""

    at: float
    glyph: str
    paint: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class ChartData:
    """All that a chart shows.  ``top`` fixes the axis' end; None: from the values."""

    title: str
    unit: str
    history: History | None
    threshold: float | None = None
    top: float | None = None
    marks: Sequence[Mark] = ()
    words: str = ""


def nice_top(value: float) -> float:
    """A round number at or above a value, for the end of an axis."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1.0, 2.0, 2.5, 5.0, 10.0) if step * power >= value * 0.999999)


def columns_of(width: int) -> int:
    """How many columns of values a chart of this width can show: two a cell."""
    return max(1, (width - _LABEL - 1) * 2)


def render(data: ChartData, width: int, height: int) -> list[list[Piece]]:
    """The chart's lines as pieces; the last line is the time axis."""
    history = data.history
    rows = max(1, height - 1)
    cells = max(1, width - _LABEL - 1)
    if history is None or not any(value is not None for value in history.mean):
        words = data.words or "no values in this span"
        return [
            clip([(" " * _LABEL, "muted"), (words if place == rows // 2 else "", "muted")], width)
            for place in range(height)
        ]
    known = [value for value in history.high if value is not None]
    top = data.top if data.top is not None else nice_top(max([*known, data.threshold or 0.0]))
    heights = _heights(history, cells * 2, top, rows * 4)
    threshold_row = None
    if data.threshold is not None and 0 <= data.threshold <= top * 1.0001:
        threshold_row = rows - 1 - min(rows - 1, int(data.threshold / top * rows - 1e-9))
    lines = []
    for row in range(rows):
        lines.append(_row(data, row, rows, cells, heights, top, threshold_row))
    lines.append(_axis(history, cells))
    return [clip(line, width) for line in lines[-height:]]


def _heights(history: History, columns: int, top: float, dots: int) -> list[int]:
    """Dots filled in each column; -1 for a gap.  Fewer values than columns are drawn wide."""
    count = len(history.mean)
    heights = []
    for column in range(columns):
        value = history.mean[min(count - 1, column * count // columns)]
        heights.append(
            -1 if value is None else max(1, min(dots, round(value / top * dots))) if value > 0 else 0
        )
    return heights


def _row(
    data: ChartData,
    row: int,
    rows: int,
    cells: int,
    heights: list[int],
    top: float,
    threshold_row: int | None,
) -> list[Piece]:
    label = ""
    if row == 0:
        label = figures.quantity(top, data.unit)
    elif row == rows - 1:
        label = "0"
    elif rows >= 6 and row == rows // 2:
        label = figures.quantity(top * (rows - row - 0.5) / rows, data.unit) if top else ""
    pieces: list[Piece] = [(f"{label:>{_LABEL - 1}} "[-_LABEL:], "muted")]
    base = (rows - 1 - row) * 4
    text, paint = "", "accent"
    for cell in range(cells):
        bits = 0
        for dot in range(4):
            bits |= _LEFT[dot] if heights[2 * cell] > base + dot else 0
            bits |= _RIGHT[dot] if heights[2 * cell + 1] > base + dot else 0
        char, wanted = chr(0x2800 + bits), "accent"
        if not bits:
            char = " "
            if row == threshold_row:
                char, wanted = "─", "critical"
        if wanted != paint:
            pieces.append((text, paint))
            text, paint = "", wanted
        text += char
    pieces.append((text, paint))
    return _with_marks(pieces, data, cells) if row == rows - 1 else pieces


def _with_marks(pieces: list[Piece], data: ChartData, cells: int) -> list[Piece]:
    history = data.history
    assert history is not None  # noqa: S101  # by render
    span = history.step_seconds * len(history.mean)
    flat = [(char, paint) for text, paint in pieces for char in text]
    for mark in data.marks:
        place = math.floor((mark.at - history.start) / span * cells) if span else -1
        if 0 <= place < cells and _LABEL + place < len(flat):
            flat[_LABEL + place] = (mark.glyph, mark.paint)
    return flat


def _axis(history: History, cells: int) -> list[Piece]:
    span = history.step_seconds * len(history.mean)
    form = "%H:%M" if span <= 2 * 86400 else "%a %d"
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
    return [(" " * _LABEL, "muted"), ("".join(line), "muted")]


class Chart(Captioned, can_focus=True):
    """Draws :class:`ChartData` in a box; its title and newest value stand in the border."""

    DEFAULT_CSS = (
        "Chart { border: round $g-border; border-title-color: $g-accent; border-subtitle-color: $g-muted; background: $g-background; }\n"
        "Chart:focus { border: round $g-meter; }\n" + paint_css("Chart")
    )

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._data = ChartData("", "", None, words="reading…")
        self._lines: list[list[Piece]] = []
        self._drawn_size = (0, 0)

    def show(self, data: ChartData, note: str = "") -> None:
        """Show other values; ``note`` stands at the right end of the border."""
        self._data = data
        newest = (
            next((v for v in reversed(data.history.mean) if v is not None), None) if data.history else None
        )
        figure = figures.quantity(newest, data.unit) if newest is not None else ""
        self.set_caption(data.title, figure, note)
        self._drawn_size = (0, 0)
        self.refresh()

    @property
    def columns(self) -> int:
        """How many columns of values are worth asking for."""
        return columns_of(self.size.width)

    def render_line(self, y: int) -> Strip:
        """One line."""
        size = (self.size.width, self.size.height)
        if size != self._drawn_size:
            self._drawn_size, self._lines = size, render(self._data, *size)
        pieces = self._lines[y] if y < len(self._lines) else []
        return Strip(self.segments(pieces)).adjust_cell_length(size[0]).apply_style(self.rich_style)
