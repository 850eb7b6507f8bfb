"""One line of a page: its state at the left, facts at the right."""

from __future__ import annotations

from textual.strip import Strip

from widgets.painting import Painted, Piece, clip, paint_css, width_of


class StateLine(Painted):
    """Draws pieces at both ends; what is at the right falls away first."""

    DEFAULT_CSS = "StateLine { height: 1; background: $g-background; }\n" + paint_css("StateLine")

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._left: list[Piece] = []
        self._right: list[Piece] = []

    def show(self, left: list[Piece], right: list[Piece]) -> None:
        """Show other words."""
        if (left, right) != (self._left, self._right):
            self._left, self._right = left, right
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        right = self._right if width_of(self._left) + width_of(self._right) + 3 <= width else []
        left = clip([(" ", "text"), *self._left], width - width_of(right))
        gap = " " * max(0, width - width_of(left) - width_of(right))
        return (
            Strip(self.segments([*left, (gap, "text"), *right]))
            .adjust_cell_length(width)
            .apply_style(self.rich_style)
        )
