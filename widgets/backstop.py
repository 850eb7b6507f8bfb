"""The last door before the terminal: whatever a widget drew, no control character leaves.

Text from outside goes through ``safe()`` long before; this catches what was forgotten, and what a person or an import put
into an input field, which Textual draws as it is.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from widgets.plain_signs import in_plain_signs


class Backstop(LineFilter):
    """Takes characters that are not printable out of a line; its width in cells stays as it was.

    Args:
        encoding: of the terminal, where that has few signs: the others are drawn by those; empty: it has all.
    """

    def __init__(self, encoding: str = "") -> None:
        super().__init__()
        self._encoding = encoding

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments, unless one holds something that must not leave."""
        if self._encoding:
            segments = [
                Segment(in_plain_signs(segment.text, self._encoding), segment.style, segment.control)
                for segment in segments
            ]
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [
            segment
            if segment.text.isprintable()
            else Segment("".join(map(_harmless, segment.text)), segment.style, segment.control)
            for segment in segments
        ]


def _harmless(char: str) -> str:
    return char if char.isprintable() else " " * cell_len(char)
