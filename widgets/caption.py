"""Words in the upper border of a box: its title and a figure at the left, a note at the right."""

from __future__ import annotations

from textual import events
from textual.content import Content

from guardian_tui.text import safe
from widgets.painting import Painted


class Captioned(Painted):
    """A box with a caption; everything in it is taken as plain text, never as markup."""

    _caption: tuple[str, str, str, str] = ("", "", "", "muted")

    def set_caption(self, title: str, figure: str = "", note: str = "", note_paint: str = "muted") -> None:
        """Show a title, a figure beside it, and a note at the right end in the paint ``note_paint``."""
        caption = (safe(title, 200), safe(figure, 100), safe(note, 200), note_paint)
        if caption != self._caption:
            self._caption = caption
            self._draw_caption()

    @property
    def caption(self) -> str:
        """The words of the caption."""
        return "  ".join(part for part in self._caption[:3] if part)

    def _draw_caption(self) -> None:
        title, figure, note, note_paint = self._caption
        left = Content.assemble((title, "$g-accent"), (f" {figure}" if figure else "", "$g-text"))
        # the border takes a corner, a line and a blank at each end; two more blanks stand around the line before the note
        room = self.outer_size.width - 6 - left.cell_length - 2
        right = Content(note)
        if note and right.cell_length + 2 <= room:
            line = "$g-meter" if self.has_focus else "$g-border"
            dashes = "─" * (room - right.cell_length)
            left = Content.assemble(left, " ", (dashes, line), " ", (note, f"$g-{note_paint}"))
        self.border_title = left

    def on_resize(self, event: events.Resize) -> None:
        """Another width: the note moves."""
        self._draw_caption()

    def on_focus(self) -> None:
        """The border has another colour."""
        self._draw_caption()

    def on_blur(self) -> None:
        """The border has another colour."""
        self._draw_caption()
