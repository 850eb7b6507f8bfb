"""A box of lines made of pieces: gauges, file systems, facts, whatever has a handful of lines."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from textual.geometry import Size
from textual.strip import Strip

from guardian_tui.protocol.fleet import FileSystem, Nic
from guardian_tui.text import safe
from widgets import figures
from widgets.caption import Captioned
from widgets.painting import LEVEL_SIGNS, Piece, clip, fit, paint_css

Line = list[Piece]

WIDE = 50
"""Cells inside a box from which its lines have room for words beside the figures."""


class Box(Captioned):
    """Draws lines; its title stands in the border."""

    DEFAULT_CSS = (
        "Box { border: round $g-border; border-title-color: $g-accent; border-subtitle-color: $g-muted; background: $g-background; }\n"
        + paint_css("Box")
    )

    def __init__(self, title: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._title = title
        self.set_caption(title)

    def show(self, lines: Sequence[Line], title: str = "", note: str = "", note_paint: str = "muted") -> None:
        """Show other lines."""
        before, self._lines = self._lines, list(lines)
        self._title = title or self._title
        self.set_caption(self._title, "", note, note_paint)
        if self._lines != before:
            # a box that is as high as its lines needs its room anew
            self.refresh(layout=len(self._lines) != len(before))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are."""
        return max(1, len(self._lines))

    def render_line(self, y: int) -> Strip:
        """One line."""
        width = self.size.width
        pieces: Line = [(" ", "text"), *self._lines[y]] if y < len(self._lines) else []
        return (
            Strip(self.segments(clip(pieces, width))).adjust_cell_length(width).apply_style(self.rich_style)
        )


def folded(label: str, words: str, room: int, paint: str = "text", label_paint: str = "muted") -> list[Line]:
    """A label and words of any length: as many lines as they take, the words below each other."""
    found = wrap(words, max(10, room - len(label)), break_on_hyphens=False) or [""]
    return [
        [(label if not place else " " * len(label), label_paint), (line, paint)]
        for place, line in enumerate(found)
    ]


def gauge(
    label: str,
    ratio: float | None,
    words: str,
    *,
    warning: float = 0.85,
    critical: float = 0.95,
    bar: int = 12,
) -> Line:
    """A label, a thin bar and its value."""
    if ratio is None:
        return [(fit(label, 13), "muted"), ("─" * bar, "rest"), ("  –", "faint")]
    filled, rest = figures.meter(ratio, bar)
    paint = "critical" if ratio >= critical else "warning" if ratio >= warning else "meter"
    return [
        (fit(label, 13), "muted"),
        (filled, paint),
        (rest, "rest"),
        (f"{LEVEL_SIGNS.get(paint, ' ')} {words}", "text" if paint == "meter" else paint),
    ]


def file_system_lines(rooms: Sequence[FileSystem], most: int, width: int = WIDE) -> list[Line]:
    """A line per mount: bar, share, what is left, and when it is full."""
    lines: list[Line] = []
    label, bar, free = (14, 10, " free") if width >= WIDE else (10, 5, "")
    for room in sorted(rooms, key=lambda r: -r.used_ratio)[:most]:
        filled, rest = figures.meter(room.used_ratio, bar)
        paint = "critical" if room.used_ratio >= 0.95 else "warning" if room.used_ratio >= 0.9 else "meter"
        sign = LEVEL_SIGNS.get(paint, " ")
        line: Line = [
            (fit(safe(room.mount, 200), label) + " ", "text"), (filled, paint), (rest, "rest"),
            (f"{sign}{figures.percent(room.used_ratio):>3} %", "text" if paint == "meter" else paint),
            (f"  {figures.size(room.available_bytes)}{free}", "muted"),
        ]  # fmt: skip
        if room.hours_to_full is not None and room.hours_to_full < 24 * 90:
            left = figures.age(room.hours_to_full * 3600)
            line.append((f" →{left}", "critical" if room.hours_to_full < 24 else "muted"))
        if room.read_only:
            line.append((" ro", "warning"))
        lines.append(line)
    return lines


def nic_lines(nics: Sequence[Nic], most: int, width: int = WIDE) -> list[Line]:
    """A line per interface: in, out, errors."""
    lines: list[Line] = []
    label, gap = (14, "  ") if width >= WIDE else (10, " ")
    for nic in sorted(
        nics, key=lambda n: -(n.receive_bytes_per_second or 0) - (n.transmit_bytes_per_second or 0)
    )[:most]:
        down, up = figures.amount(nic.receive_bytes_per_second), figures.amount(nic.transmit_bytes_per_second)
        bad = (nic.error_ratio or 0) > 0.01
        lines.append(
            [
                (fit(safe(nic.name, 40), label) + " ", "text"), (f"↓ {down or '–':>5}{gap}↑ {up or '–':>5}", "muted"),
                (f"  errors {figures.percent(nic.error_ratio)} %" if bad else "", "critical"),
            ]
        )  # fmt: skip
    return lines
