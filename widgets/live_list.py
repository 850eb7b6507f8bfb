"""A list that draws only what is seen: the base of the hosts table and of the alerts and audit lists.

Rows are known by id.  A line of the screen is drawn again only if what decides its look (row, cursor, mark, width) is other than when it was drawn;
so a change of what is not seen costs nothing, and a new order only the lines that show another row.  The cursor stays on its row.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from textwrap import wrap
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from widgets.painting import PAINT_CLASSES, Piece, clip, paint_css, width_of
from widgets.scrolled import Scrolled

CACHED_STRIPS = 1024
SETTLING_SECONDS = 3.0
"""After its first rows a list takes so long to be whole."""
REST_SECONDS, LONG_REST_SECONDS = 30.0, 600.0
"""So long after the last key a cursor that nobody has moved, or any, goes to the top again when rows change their order: what has come up there
must not stay out of sight all night."""
_NEVER = ("never drawn",)


@lru_cache(maxsize=4096)
def _segment(text: str, style: Style) -> Segment:
    return Segment(text, style)


def _never_idle() -> float:
    return 0.0


class LiveList(Scrolled, can_focus=True):
    """Lines by id, a cursor, marks, an optional line of column titles on top."""

    COMPONENT_CLASSES = PAINT_CLASSES
    DEFAULT_CSS = (
        "LiveList { background: $g-background; border: round $g-border; border-title-color: $g-accent;"
        " border-subtitle-color: $g-muted; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; overflow-x: hidden; }\n"
        "LiveList:focus { border: round $g-meter; }\n" + paint_css("LiveList")
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("home", "jump(0)", show=False),
        Binding("end", "jump(-1)", show=False),
    ]

    class Highlighted(Message):
        """The cursor is on another row."""

        def __init__(self, sender: LiveList, id: str) -> None:
            super().__init__()
            self.list = sender
            self.id = id

        @property
        def control(self) -> LiveList:
            """The list."""
            return self.list

    class Chosen(Message):
        """A row was clicked twice."""

        def __init__(self, sender: LiveList, id: str) -> None:
            super().__init__()
            self.list = sender
            self.id = id

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._order: list[str] = []
        self._place: dict[str, int] = {}
        self._cursor_id = ""
        self._cursor_place = 0
        self.marked: dict[str, None] = {}
        self._mark_from = ""
        self._touched = False
        """Whether a person has put the cursor somewhere."""
        self._filtered = False
        self._first_at = 0.0
        self.idle_seconds: Callable[[], float] = _never_idle
        """How long ago the last key was pressed."""
        # what each line of the screen was drawn from, and what was drawn of late
        self._drawn: dict[int, tuple[object, ...] | None] = {}
        self._strips: LRUCache[tuple[object, ...], Strip] = LRUCache(CACHED_STRIPS)
        self.lines_drawn = 0
        """Lines that were drawn anew: tests count them."""

    # --- for subclasses ------------------------------------------------------------------------

    def titles(self, width: int) -> list[Piece] | None:
        """The line of column titles; None for no such line."""
        return None

    def look(self, id: str, width: int) -> object:
        """All that decides how a row looks, as something that can be compared and hashed."""
        raise NotImplementedError

    def line(self, id: str, width: int) -> list[Piece]:
        """A row's pieces, at most ``width`` cells."""
        raise NotImplementedError

    # --- rows ------------------------------------------------------------------------------------

    nothing = ""
    """What an empty list says: why there is nothing, and what to do next."""

    more = ""
    """What stands below the last of a few rows: what to do next."""

    def say_nothing(self, words: str, more: str = "") -> None:
        """Say other words where there is no row, or below the last."""
        if (words, more) != (self.nothing, self.more):
            self.nothing, self.more = words, more
            self.redraw_all()

    head = 0
    """Lines that the titles take."""

    @property
    def width(self) -> int:
        """Cells for a row's pieces."""
        return max(0, self.scrollable_content_region.width)

    def set_order(self, ids: Sequence[str]) -> None:
        """Show these rows, in this order; the cursor stays on its row, or near where that was."""
        filtered, self._filtered = self._filtered, False
        if list(ids) == self._order:
            return
        longer = len(ids) != len(self._order)
        self._order = list(ids)
        self._place = {id: place for place, id in enumerate(self._order)}
        for id in [id for id in self.marked if id not in self._place]:
            del self.marked[id]
        self.say_marks()
        if longer:
            self.virtual_size = Size(self.width, len(self._order) + self.head)
        if self._order and (not self._settled() or self._left_alone()):
            # the first rows come one after another: until then the cursor is at the top, not on whichever came first
            self._put_cursor(0)
            if self.is_mounted:
                self._keep_in_view()
        elif self._cursor_id in self._place:
            moved = self._place[self._cursor_id] - self._cursor_place
            self._cursor_place = self._place[self._cursor_id]
            if moved and self.is_mounted:
                self._keep_in_view()
        elif self._order:
            self._put_cursor(0 if filtered else min(self._cursor_place, len(self._order) - 1))
            if filtered and self.is_mounted:
                self._keep_in_view()
        else:
            self._cursor_id, self._cursor_place = "", 0
        self.redraw_changed()

    def expect_filtered(self) -> None:
        """Other rows are about to pass a filter: if that under the cursor does not, the cursor goes to the first that does, not to where it was."""
        self._filtered = True

    def _settled(self) -> bool:
        """Whether a person has put the cursor somewhere, or had the time to see where it is."""
        now = time.monotonic()
        self._first_at = self._first_at or now
        return self._touched or now - self._first_at > SETTLING_SECONDS

    def _left_alone(self) -> bool:
        """Whether nobody has this list in hand: no key for long, and nothing marked."""
        rest = LONG_REST_SECONDS if self._touched else REST_SECONDS
        return not self.marked and self.idle_seconds() > rest

    def redraw_changed(self) -> None:
        """Draw again the lines on screen that look otherwise than when they were drawn."""
        if not self.is_mounted:
            return
        width = self.width
        for line in range(max(0, self.size.height - self.head)):
            if self._drawn.get(line, _NEVER) != self._key(line, width):
                # below the titles; relative to the widget's content
                self.refresh(Region(0, line + self.head, self.size.width, 1))

    def _key(self, line: int, width: int) -> tuple[object, ...] | None:
        """All that decides how a line below the titles looks; None: blank."""
        place = line + self.scroll_offset.y
        if place >= len(self._order):
            return None
        id = self._order[place]
        cursor = place == self._cursor_place and (self.show_cursor_always or self.has_focus)
        return (id, self.look(id, width), width, cursor, id in self.marked)

    def redraw_all(self) -> None:
        """Draw everything again."""
        self._strips.clear()
        self.refresh()

    @property
    def ids(self) -> list[str]:
        """Ids in the order shown."""
        return self._order

    # --- cursor and marks ----------------------------------------------------------------------

    @property
    def cursor_id(self) -> str:
        """Id of the row under the cursor; empty when there is none."""
        return self._cursor_id

    @property
    def chosen_ids(self) -> list[str]:
        """The marked rows, or else the one under the cursor: what a command acts on."""
        return [id for id in self._order if id in self.marked] or (
            [self._cursor_id] if self._cursor_id else []
        )

    def move_to(self, id: str) -> None:
        """Put the cursor on a row."""
        if id in self._place:
            self._touched = True
            self._put_cursor(self._place[id])
            self._keep_in_view()

    def action_move(self, by: int) -> None:
        """Cursor up or down."""
        if self._order:
            self._touched = True
            self._put_cursor(max(0, min(len(self._order) - 1, self._cursor_place + by)))
            self._keep_in_view()

    def action_page(self, by: int) -> None:
        """A page up or down."""
        self.action_move(by * max(1, self.size.height - self.head - 1))

    def action_jump(self, to: int) -> None:
        """First or last row."""
        self.action_move(-len(self._order) if to == 0 else len(self._order))

    def _put_cursor(self, place: int) -> None:
        self._cursor_place, self._cursor_id = place, self._order[place]
        self.redraw_changed()
        self.post_message(self.Highlighted(self, self._cursor_id))

    def _keep_in_view(self) -> None:
        height = max(1, self.size.height - self.head)
        top = self.scroll_offset.y
        if self._cursor_place < top:
            self.scroll_to(y=self._cursor_place, animate=False, immediate=True)
        elif self._cursor_place >= top + height:
            self.scroll_to(y=self._cursor_place - height + 1, animate=False, immediate=True)

    def toggle_mark(self) -> None:
        """Mark or unmark the row under the cursor, and go on to the next."""
        if not self._cursor_id:
            return
        if self._cursor_id in self.marked:
            del self.marked[self._cursor_id]
        else:
            self.marked[self._cursor_id] = None
            self._mark_from = self._cursor_id
        self.say_marks()
        self.action_move(1)
        self.redraw_changed()

    def mark_range(self) -> None:
        """Mark everything from the last mark to the cursor."""
        start = self._place.get(self._mark_from, self._cursor_place)
        low, high = sorted((start, self._cursor_place))
        self.marked |= dict.fromkeys(self._order[low : high + 1])
        self.say_marks()
        self.redraw_changed()

    def clear_marks(self) -> bool:
        """Unmark all; False if nothing was marked."""
        had = bool(self.marked)
        self.marked.clear()
        self.say_marks()
        self.redraw_changed()
        return had

    def say_marks(self) -> None:
        """How many a command would act on, in the border."""
        words = f"{len(self.marked)} marked" if self.marked else ""
        if words != self.said_first:
            self.said_first = words
            self._draw_caption()

    # --- drawing ---------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """One line of the screen."""
        width = self.scrollable_content_region.width
        if y < self.head:
            return self._strip(self.titles(width) or [], width, cursor=False, marked=False)
        key = self._drawn[y - self.head] = self._key(y - self.head, width)
        if key is None:
            words = self.more if self._order else self.nothing
            lines = wrap(words, max(1, width - 3))
            place = y - self.head - (len(self._order) + 1 if self._order else 0)
            if 0 <= place < len(lines):
                return self._strip(
                    [(" ", "text"), (lines[place], "muted")], width, cursor=False, marked=False
                )
            return Strip.blank(width, self.rich_style)
        strip = self._strips.get(key)
        if strip is None:
            self.lines_drawn += 1
            id, _, _, cursor, marked = key
            strip = self._strip(self.line(str(id), width), width, cursor=bool(cursor), marked=bool(marked))
            self._strips[key] = strip
        return strip

    show_cursor_always = False

    def _strip(self, pieces: list[Piece], width: int, *, cursor: bool, marked: bool) -> Strip:
        edge: Piece = ("╋" if marked else "▌", "accent") if cursor else ("+" if marked else " ", "mark")
        kept = clip([edge, *pieces], width)
        kept.append((" " * (width - width_of(kept)), "text"))
        merged: list[Piece] = []
        for text, name in kept:
            # each change of style costs the terminal some forty bytes, and a blank has no colour but its ground
            if merged and (name == merged[-1][1] or text.isspace()):
                merged[-1] = (merged[-1][0] + text, merged[-1][1])
            elif merged and merged[-1][0].isspace():
                merged[-1] = (merged[-1][0] + text, name)
            elif text:
                merged.append((text, name))
        return Strip([_segment(text, self.paint(name, cursor=cursor)) for text, name in merged], width)

    def notify_style_update(self) -> None:
        """The theme has changed."""
        self._strips.clear()
        super().notify_style_update()

    def on_resize(self, event: events.Resize) -> None:
        """Another width: other columns."""
        super().on_resize(event)
        self._strips.clear()
        self._drawn.clear()
        self.virtual_size = Size(self.width, len(self._order) + self.head)
        if self._order:
            self._keep_in_view()

    def on_click(self, event: events.Click) -> None:
        """A click puts the cursor; a second one opens."""
        place = event.y - self.gutter.top - self.head + self.scroll_offset.y
        if 0 <= place < len(self._order):
            self._touched = True
            self._put_cursor(place)
            if event.chain == 2:
                self.post_message(self.Chosen(self, self._order[place]))
