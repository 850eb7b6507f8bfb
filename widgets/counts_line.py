"""On a narrow terminal, one line of counts in place of the side panes; a digit opens each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.strip import Strip

from widgets.painting import Painted, Piece, clip, paint_css


@dataclass(frozen=True, slots=True)
class Count:
    """A key, words and their paint."""

    key: str
    words: str
    paint: str


class CountsLine(Painted):
    """Draws counts side by side."""

    DEFAULT_CSS = "CountsLine { height: 1; background: $g-background; }\n" + paint_css("CountsLine")

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._counts: tuple[Count, ...] = ()

    def show(self, counts: Sequence[Count]) -> None:
        """Show other counts."""
        if tuple(counts) != self._counts:
            self._counts = tuple(counts)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        pieces: list[Piece] = [(" ", "text")]
        for count in self._counts:
            pieces += [(count.key, "title"), (f" {count.words}   ", count.paint)]
        width = self.size.width
        return (
            Strip(self.segments(clip(pieces, width))).adjust_cell_length(width).apply_style(self.rich_style)
        )
