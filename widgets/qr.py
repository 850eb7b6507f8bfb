"""A QR code in half blocks: two modules a cell, with the quiet zone that scanners need."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

_QUIET = 1
# dark on light whatever the theme: scanners want it so
_STYLE = Style(color="#000000", bgcolor="#ffffff")


class QrCode(Widget):
    """Draws the code of a text; at 80×24 an otpauth URI fills the height."""

    DEFAULT_CSS = "QrCode { width: auto; height: auto; }"

    def __init__(self, text: str) -> None:
        super().__init__()
        import segno  # only the set-up needs it

        self._rows = [
            [bool(module) for module in row] for row in segno.make(text, error="l", micro=False).matrix
        ]

    @property
    def _span(self) -> int:
        return len(self._rows) + 2 * _QUIET

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """Cells wide."""
        return self._span

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Lines high."""
        return (self._span + 1) // 2

    def _dark(self, x: int, y: int) -> bool:
        x, y = x - _QUIET, y - _QUIET
        return 0 <= y < len(self._rows) and 0 <= x < len(self._rows) and self._rows[y][x]

    def render_line(self, y: int) -> Strip:
        """Two rows of modules."""
        cells = [" ▀▄█"[self._dark(x, 2 * y) + 2 * self._dark(x, 2 * y + 1)] for x in range(self._span)]
        return Strip([Segment("".join(cells), _STYLE)], self._span)
