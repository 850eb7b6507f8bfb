"""All checks: what is looked at, and what came of it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from guardian_tui import filter as filters
from guardian_tui.protocol.checks import CheckRow
from guardian_tui.rows import check_columns, check_text
from guardian_tui.world import Change
from screens.base import GuardianScreen
from widgets.checks_list import ChecksList
from widgets.live_list import LiveList


class ChecksScreen(GuardianScreen):
    """The checks, over the whole width."""

    CONTEXT: ClassVar[str] = "checks"
    DEFAULT_CSS = "ChecksScreen #checks { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._filter = filters.parse("")

    def content(self) -> ComposeResult:
        """One list."""
        yield ChecksList(id="checks")

    def on_mount(self) -> None:
        """Focus it."""
        self.query_one(ChecksList).focus()

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The filter is part of where we are."""
        return ("checks", f"/{self._filter.text}") if self._filter.text.strip() else ("checks",)

    @property
    def check_id(self) -> str:
        """The check under the cursor."""
        return self.query_one(ChecksList).cursor_id

    @property
    def checks_shown(self) -> list[CheckRow]:
        """What passes the filter."""
        rows = self.console.world.checks_by_trouble()
        return [row for row in rows if self._filter.matches(check_columns(row), check_text(row))]

    def world_changed(self, change: Change) -> None:
        """Draw."""
        if change.checks or change.complete:
            self.query_one(ChecksList).show(self.checks_shown, self.console.world.now())

    def tick(self, now: float) -> None:
        """Ages tick, and what is too old moves up."""
        super().tick(now)
        self.query_one(ChecksList).show(self.checks_shown, now)

    def filter_typed(self, text: str, *, done: bool) -> None:
        """Filter as it is typed."""
        wanted = self.parsed_filter(text, done=done)
        if wanted is None:
            return
        self._filter = wanted
        self.world_changed(Change(checks=True))

    def give_back_focus(self) -> None:
        """Back to the list."""
        self.query_one(ChecksList).focus()

    def command_open(self, arguments: tuple[str, ...]) -> None:
        """Open the check under the cursor."""
        if self.check_id:
            self.console.open_check(self.check_id)

    def on_live_list_chosen(self, event: LiveList.Chosen) -> None:
        """A double click opens."""
        self.console.open_check(event.id)

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Undo the filter, then back to the fleet."""
        if self._filter.text.strip():
            self.filter_typed("", done=True)
        else:
            self.console.go("fleet")
