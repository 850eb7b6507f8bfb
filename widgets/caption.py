"""Words in the upper border of a box: its title and a figure at the left, a note at the right."""

from __future__ import annotations

from textual import events
from textual.content import Content

from guardian_tui.text import safe
from widgets.painting import Painted


class Captioned(Painted):
    """A box with a caption; everything in it is taken as plain text, never as markup."""

    _caption: tuple[str, str, str, str] = ("", "", "", "muted")

    said_first = ""
    """Words that stand before the note, and have room when that has none."""

    def set_caption(self, title: str, figure: str = "", note: str = "", note_paint: str = "muted") -> None:
        """Show a title, a figure beside it, and a note at the right end in the paint ``note_paint``."""
        caption = (safe(title, 200), safe(figure, 100), safe(note, 200), note_paint)
        if caption != self._caption:
            self._caption = caption
            self._draw_caption()

    @property
    def caption(self) -> str:
        """The words of the caption."""
        title, figure, note, _ = self._caption
        return "  ".join(part for part in (title, figure, self.said_first, note) if part)

    def _draw_caption(self) -> None:
        title, figure, note, note_paint = self._caption
        left = Content.assemble((title, "$g-accent"), (f" {figure}" if figure else "", "$g-text"))
        # the border takes a corner, a line and a blank at each end; two more blanks stand around the line before the note
        room = self.outer_size.width - 6 - left.cell_length - 2
        first = Content.assemble((self.said_first, "$g-mark"), " · " if note and self.said_first else "")
        right = Content.assemble(first, (note, f"$g-{note_paint}"))
        if right.cell_length + 2 > room:
            right = Content.assemble((self.said_first, "$g-mark"))
        if right and right.cell_length + 2 <= room:
            line = "$g-meter" if self.has_focus else "$g-border"
            dashes = "─" * (room - right.cell_length)
            left = Content.assemble(left, " ", (dashes, line), " ", right)
        self.border_title = left

    def on_resize(self, event: events.Resize) -> None:
        """Another width: the note moves."""
        self._draw_caption()

    def watch_has_focus(self, has_focus: bool) -> None:
        """The border has another colour: told when it is so, where the event of losing the keys comes before it is."""
        super().watch_has_focus(has_focus)
        self._draw_caption()
