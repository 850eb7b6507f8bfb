"""Named paints: every colour that a widget uses comes from the theme under one of these names."""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.widget import Widget

from guardian_tui.protocol.fleet import HostState

PAINTS: dict[str, str] = {
    "text": "color: $g-text;",
    "strong": "color: $g-text; text-style: bold;",
    "muted": "color: $g-muted;",
    "faint": "color: $g-faint;",
    "accent": "color: $g-accent;",
    "title": "color: $g-accent; text-style: bold;",
    "ok": "color: $g-ok;",
    "warning": "color: $g-warning; text-style: $g-warning-style;",
    "critical": "color: $g-critical; text-style: $g-critical-style;",
    "mark": "color: $g-mark;",
    "meter": "color: $g-meter;",
    "rest": "color: $g-rest;",
    "cursor": "background: $g-cursor; text-style: $g-cursor-style;",
    "bar": "background: $g-bar;",
    "prod": "color: $g-on-badge; background: $g-prod; text-style: $g-badge-style;",
    "staging": "color: $g-on-badge; background: $g-staging; text-style: $g-badge-style;",
    "other": "color: $g-on-badge; background: $g-other; text-style: $g-badge-style;",
}

STATE_GLYPHS: dict[HostState, tuple[str, str]] = {
    "up": ("●", "ok"),
    "degraded": ("▲", "warning"),
    "down": ("✖", "critical"),
    "unreachable": ("◇", "muted"),
    "unknown": ("◌", "muted"),
    "maintenance": ("◼", "mark"),
}
"""Glyph and paint of a state; the word always stands beside it."""

SEVERITY_GLYPHS: dict[str, tuple[str, str]] = {
    "critical": ("✖", "critical"),
    "warning": ("▲", "warning"),
    "info": ("·", "muted"),
}

LEVEL_SIGNS = {"critical": "✖", "warning": "▲"}
"""What stands beside a figure or a line in one of these paints, so that it reads without colour; a blank beside any other."""

Piece = tuple[str, str]
"""Text and the name of its paint."""


def paint_css(widget: str) -> str:
    """Component styles of all paints, for a widget's DEFAULT_CSS."""
    return "\n".join(f"{widget} > .paint--{name} {{ {rules} }}" for name, rules in PAINTS.items())


PAINT_CLASSES = {f"paint--{name}" for name in PAINTS}


class Painted(Widget):
    """A widget that draws with named paints."""

    COMPONENT_CLASSES = PAINT_CLASSES
    DEFAULT_CSS = paint_css("Painted")

    _styles: dict[tuple[str, bool], Style] | None = None

    def paint(self, name: str, *, cursor: bool = False) -> Style:
        """The style of a paint, on the cursor's ground if ``cursor``."""
        if self._styles is None:
            self._styles = {}
        style = self._styles.get((name, cursor))
        if style is None:
            full = self.get_component_rich_style(f"paint--{name}", partial=True)
            if cursor:
                ground = self.get_component_rich_style("paint--cursor", partial=True)
                if ground.reverse:
                    # one bar: each ink reversed would be a row of patches
                    ink = self.get_component_rich_style("paint--text", partial=True)
                    full = Style(
                        color=ink.color,
                        bgcolor=ground.bgcolor,
                        reverse=True,
                        bold=full.bold,
                        underline=full.underline,
                    )
                else:
                    full += Style(bgcolor=ground.bgcolor)
            elif full.bgcolor is None:
                # a line that is drawn by hand gets no ground from Textual
                full += Style(bgcolor=self.rich_style.bgcolor)
            style = self._styles[name, cursor] = full
        return style

    def notify_style_update(self) -> None:
        """The theme has changed: paints are mixed anew."""
        self._styles = None
        super().notify_style_update()

    def segments(self, pieces: Iterable[Piece], *, cursor: bool = False) -> list[Segment]:
        """Pieces as segments."""
        return [Segment(text, self.paint(name, cursor=cursor)) for text, name in pieces if text]


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Text in exactly ``width`` cells: cut with ``…``, filled with blanks."""
    if width <= 0:
        return ""
    if text.isascii():
        if len(text) > width:
            return text[: width - 1] + "…"
        return text.rjust(width) if right else text.ljust(width)
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - size) + text if right else text + " " * (width - size)


def width_of(pieces: Iterable[Piece]) -> int:
    """Cells that pieces take."""
    return sum(len(text) if text.isascii() else cell_len(text) for text, _ in pieces)


def clip(pieces: Iterable[Piece], width: int) -> list[Piece]:
    """Pieces cut to ``width`` cells."""
    kept: list[Piece] = []
    room = width
    for text, name in pieces:
        size = len(text) if text.isascii() else cell_len(text)
        if size > room:
            if room > 0:
                kept.append((fit(text, room), name))
            return kept
        kept.append((text, name))
        room -= size
    return kept
