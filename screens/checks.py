"""All checks: what is looked at, and what came of it."""

from __future__ import annotations

from typing import ClassVar

from guardian_tui.protocol.checks import CheckRow
from guardian_tui.rows import Table, check_columns, check_text, table_of
from guardian_tui.world import Change
from screens.list_screen import ListScreen
from widgets.checks_list import ChecksList


class ChecksScreen(ListScreen):
    """The checks, over the whole width."""

    CONTEXT: ClassVar[str] = "checks"
    LIST = ChecksList
    NOTHING = "Nothing is checked yet. n adds a check of a site, a port, a database, a log or by a command."

    @property
    def check_id(self) -> str:
        """The check under the cursor."""
        return self.listing.cursor_id

    @property
    def check_ids(self) -> list[str]:
        """The marked checks, or that under the cursor."""
        return self.listing.chosen_ids

    @property
    def checks_shown(self) -> list[CheckRow]:
        """What passes the filter."""
        rows = self.console.world.checks_by_trouble()
        return [row for row in rows if self.wanted.matches(check_columns(row), check_text(row))]

    @property
    def table_shown(self) -> Table:
        """What `^s` saves: the checks, as they are filtered."""
        return table_of(CheckRow, self.checks_shown, {"id", "host_id"})

    def concerns(self, change: Change) -> bool:
        """Checks."""
        return change.checks

    def draw(self, now: float) -> None:
        """Show them; what is too old moves up."""
        self.query_one(ChecksList).show(self.checks_shown, now)

    def open_row(self, id: str) -> None:
        """Open a check."""
        self.console.open_check(id)
