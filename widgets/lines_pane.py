"""Lines that scroll: prose, a plan, output as it comes; only what is seen is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from widgets.box import Line
from widgets.painting import PAINT_CLASSES, clip, paint_css
from widgets.scrolled import Scrolled


class LinesPane(Scrolled, can_focus=True):
    """A box of lines; while its end is in view it stays in view as lines are added.

    Args:
        following: begin at the end.
    """

    COMPONENT_CLASSES = PAINT_CLASSES
    DEFAULT_CSS = (
        "LinesPane { background: $g-background; border: round $g-border; border-title-color: $g-accent;"
        " border-subtitle-color: $g-muted; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; overflow-x: hidden; }\n"
        "LinesPane:focus { border: round $g-meter; }\n" + paint_css("LinesPane")
    )

    class Resized(Message):
        """It has another width: lines that were wrapped for the old one are to be wrapped anew."""

    def __init__(self, id: str | None = None, *, following: bool = False) -> None:
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._following = following
        self._found = -1
        self._wide = 0
        self._since = 0
        self._at: int | None = None
        """The line that is to be in view, also once there is more or less room."""

    @property
    def width(self) -> int:
        """Cells of a line, beside a blank at each side; while it is hidden, as many as it had before."""
        found = self.scrollable_content_region.width - 2
        return found if found > 0 else max(1, self._wide)

    @property
    def lines(self) -> list[Line]:
        """What is in it."""
        return self._lines

    def show(
        self,
        lines: Sequence[Line],
        title: str,
        figure: str = "",
        note: str = "",
        note_paint: str = "muted",
        *,
        at: int | None = None,
        since: int | None = None,
    ) -> None:
        """Show other lines; ``at``: one that is to be in view, and as much as there is room for of those before it from ``since`` on."""
        self.set_caption(title, figure, note, note_paint)
        if list(lines) != self._lines:
            ending = self._following and self.scroll_offset.y >= self._last_top()
            self._lines = list(lines)
            self._found = -1
            self.virtual_size = Size(self.scrollable_content_region.width, len(self._lines))
            self.refresh()
            if ending:
                self.call_after_refresh(self._to_the_end)
        if at is not None:
            self._at, self._since = at, at if since is None else since
            self.call_after_refresh(self._reveal, at)

    def fits(self, most: int) -> int:
        """Its height for all of its lines, border and all; ``most`` at most."""
        return min(most, len(self._lines) + self.gutter.height)

    def _last_top(self) -> int:
        return len(self._lines) - self.size.height

    def _to_the_end(self) -> None:
        self.scroll_to(y=max(0, self._last_top()), animate=False, immediate=True)

    def _reveal(self, line: int) -> None:
        top, height = self.scroll_offset.y, max(1, self.size.height)
        # some lines after it, so that one sees where it goes on
        after = min(3, height - 1)
        since = self._since if line == self._at else line
        if since < line:
            # what is said before it is read first
            wanted = min(since, line) if line + after - since < height else line + after + 1 - height
            if not wanted <= top <= since or line + after >= top + height:
                self.scroll_to(y=max(0, wanted), animate=False, immediate=True)
        elif line < top or line + after >= top + height:
            self.scroll_to(y=max(0, line - height // 2), animate=False, immediate=True)

    def find(self, words: str, *, back: bool = False) -> int:
        """Go to the next line that has these words; answers its number from 1, 0 if none has."""
        count, wanted = len(self._lines), words.lower()
        step = -1 if back else 1
        for turn in range(1, count + 1):
            place = (self._found + step * turn) % count
            if wanted in "".join(text for text, _ in self._lines[place]).lower():
                self._found = place
                self._reveal(place)
                self.refresh()
                return place + 1
        return 0

    def render_line(self, y: int) -> Strip:
        """One line."""
        width = self.scrollable_content_region.width
        place = y + self.scroll_offset.y
        pieces: Line = [(" ", "text"), *self._lines[place]] if place < len(self._lines) else []
        cursor = place == self._found
        kept = clip(pieces, width)
        strip = Strip(self.segments(kept, cursor=cursor))
        return strip.adjust_cell_length(width, self.paint("text", cursor=cursor)).apply_style(self.rich_style)

    def on_resize(self, event: events.Resize) -> None:
        """Another width."""
        super().on_resize(event)
        self.virtual_size = Size(self.scrollable_content_region.width, len(self._lines))
        if self._at is not None:
            self.call_after_refresh(self._reveal, self._at)
        elif self._following:
            self.call_after_refresh(self._to_the_end)
        if self.scrollable_content_region.width > 2 and self._wide != self.width:
            self._wide = self.width
            self.post_message(self.Resized())
