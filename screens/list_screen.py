"""A screen that is one list: filtered as it is typed, opened by its rows, left by ``esc``.

To make one: give ``CONTEXT``, ``LIST`` (the widget, made without arguments but ``id="list"``), :meth:`ListScreen.draw`, which shows the rows that pass
:attr:`ListScreen.wanted`, and :meth:`ListScreen.open_row`; say in :meth:`ListScreen.concerns` which changes of the world it draws.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.content import Content

from guardian_tui import filter as filters
from guardian_tui.protocol.views import ViewScreen
from guardian_tui.world import Change
from screens.base import GuardianScreen, filter_crumb
from widgets.live_list import LiveList


class ListScreen(GuardianScreen):
    """One list over the whole width."""

    LIST: ClassVar[type[LiveList]]
    NOTHING: ClassVar[str] = ""
    """What the list says when there is no row at all, and what to do next."""
    DEFAULT_CSS = "ListScreen #list { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.wanted = filters.parse("")

    def content(self) -> ComposeResult:
        """The list."""
        yield self.LIST(id="list")

    def on_mount(self) -> None:
        """Focus it."""
        self.give_back_focus()

    @property
    def listing(self) -> LiveList:
        """The list that is shown."""
        return self.query_one("#list", LiveList)

    @property
    def nothing(self) -> str:
        """What an empty list says."""
        return self.NOTHING

    # --- for subclasses ------------------------------------------------------------------------

    def draw(self, now: float) -> None:
        """Show the rows that pass the filter."""
        raise NotImplementedError

    def open_row(self, id: str) -> None:
        """Open a row."""
        raise NotImplementedError

    def concerns(self, change: Change) -> bool:
        """Whether a change of the world may change a row."""
        raise NotImplementedError

    # --- the rest is the same for all ------------------------------------------------------------

    @property
    def kept_view(self) -> dict[str, object] | None:
        """Its filter."""
        known = self.CONTEXT in typing.get_args(ViewScreen)
        return {"screen": self.CONTEXT, "filter": self.wanted.text.strip()} if known else None

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The filter is part of where we are."""
        text = self.wanted.text.strip()
        return (self.CONTEXT, filter_crumb(text)) if text else (self.CONTEXT,)

    def world_changed(self, change: Change) -> None:
        """Draw what an event changed."""
        if change.complete or self.concerns(change):
            self._draw(self.console.world.now())

    def _draw(self, now: float) -> None:
        filtered = bool(self.wanted.text.strip())
        self.listing.say_nothing("Nothing passes the filter; esc shows all." if filtered else self.nothing)
        self.draw(now)

    def tick(self, now: float) -> None:
        """Ages tick."""
        super().tick(now)
        self._draw(now)

    def filter_typed(self, text: str, *, done: bool) -> None:
        """Filter as it is typed."""
        wanted = self.parsed_filter(text, done=done)
        if wanted is not None:
            self.wanted = wanted
            self.listing.expect_filtered()
            self._draw(self.console.world.now())
            self.refresh_frame()

    def give_back_focus(self) -> None:
        """Back to the list."""
        self.listing.focus()

    def command_open(self, arguments: tuple[str, ...]) -> None:
        """Open the row under the cursor."""
        if self.listing.cursor_id:
            self.open_row(self.listing.cursor_id)

    def on_live_list_chosen(self, event: LiveList.Chosen) -> None:
        """A double click opens."""
        self.open_row(event.id)

    def command_mark(self, arguments: tuple[str, ...]) -> None:
        """Mark the row."""
        self.listing.toggle_mark()

    def command_range(self, arguments: tuple[str, ...]) -> None:
        """Mark from the last mark to here."""
        self.listing.mark_range()

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Undo the marks, then the filter, then back to the fleet."""
        if self.listing.clear_marks():
            return
        if self.wanted.text.strip():
            self.filter_typed("", done=True)
        else:
            self.console.go("fleet")


class ListsScreen(ListScreen):
    """Several lists, one of which has the room; a digit goes from one to the other.

    To make one: yield the lists in ``content``, each with its name as id, and say in ``FIRST`` with which it begins, and
    in ``NOTHINGS`` what each says when it is empty.
    """

    FIRST: ClassVar[str]
    TABS: ClassVar[Sequence[str]] = ()
    """Names of the lists in the order of their digits, which stand in the lower border of the one that is shown; none: they stand in the footer."""
    NOTHINGS: ClassVar[Mapping[str, str]] = {}
    """What each list says when there is no row at all."""
    DEFAULT_CSS = "ListsScreen LiveList { height: 1fr; display: none; border-subtitle-align: left; } ListsScreen LiveList.shown { display: block; }"

    def __init__(self) -> None:
        super().__init__()
        self.view = self.FIRST

    def on_mount(self) -> None:
        """Begin with the first."""
        self.go_view(self.view)

    @property
    def listing(self) -> LiveList:
        """The list that is shown."""
        return self.query_one(f"#{self.view}", LiveList)

    @property
    def nothing(self) -> str:
        """What the list that is shown says when it is empty."""
        return self.NOTHINGS.get(self.view, "")

    def go_view(self, view: str) -> None:
        """Give the room to another list."""
        self.view = view
        for one in self.query(LiveList):
            one.set_class(one.id == view, "shown")
        if self.TABS:
            self.listing.border_subtitle = tabs_line(self.TABS, view)
        self._draw(self.console.world.now())
        self.give_back_focus()
        self.refresh_frame()


def tabs_line(names: Sequence[str], shown: str) -> Content:
    """``1 jobs  2 hosts``: the lists by their digits, the one that is shown in the accent."""
    return Content.assemble(*(
        part
        for place, name in enumerate(names, 1)
        for part in ((f"{'' if place == 1 else '  '}{place} ", "$g-accent"), (name, "bold $g-text" if name == shown else "$g-muted"))
    ))  # fmt: skip
