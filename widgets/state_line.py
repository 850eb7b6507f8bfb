"""One line of a page: its state at the left, facts at the right."""

from __future__ import annotations

from textual.strip import Strip

from widgets.painting import Painted, Piece, clip, paint_css, width_of


class StateLine(Painted):
    """Draws pieces at both ends; where there is no room, what is at the right falls away first, from its left, all but its last ``kept`` pieces."""

    DEFAULT_CSS = "StateLine { height: 1; background: $g-background; }\n" + paint_css("StateLine")

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._left: list[Piece] = []
        self._right: list[Piece] = []
        self._kept = 0

    def show(self, left: list[Piece], right: list[Piece], kept: int = 0) -> None:
        """Show other words."""
        if (left, right, kept) != (self._left, self._right, self._kept):
            self._left, self._right, self._kept = left, right, kept
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        right = list(self._right)
        while len(right) > self._kept and width_of(self._left) + width_of(right) + 3 > width:
            right.pop(0)
        left = clip([(" ", "text"), *self._left], max(0, width - width_of(right) - (2 if right else 0)))
        gap = " " * max(0, width - width_of(left) - width_of(right))
        return (
            Strip(self.segments([*left, (gap, "text"), *right]))
            .adjust_cell_length(width)
            .apply_style(self.rich_style)
        )
