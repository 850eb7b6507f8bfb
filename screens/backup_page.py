"""A page of one thing of the backups: words above, below them lists of which one has the keys."""

from __future__ import annotations

from typing import ClassVar

from guardian_tui.commands import Command
from guardian_tui.protocol.backups import RunRow
from screens.base import GuardianScreen
from widgets.backups_list import is_going
from widgets.live_list import LiveList


class BackupPage(GuardianScreen):
    """What a job's page and a repository's have in common: going from list to list, opening, ending what goes on."""

    PANES: ClassVar[tuple[str, ...]] = ()
    """Ids of the lists; the first of them has the keys at the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.pane = self.PANES[0]
        """The list on which commands act."""

    @property
    def run(self) -> RunRow | None:
        """The run under the cursor, else the one that is under way."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Focus the first list."""
        self.query_one(f"#{self.PANES[0]}", LiveList).focus()

    def in_footer(self, command: Command) -> bool:
        """What is over can't be ended."""
        return super().in_footer(command) and (command.name != "backup.cancel" or is_going(self.run))

    def on_descendant_focus(self, event: object) -> None:
        """The list in focus is the one that commands act on."""
        if self.focused is not None and self.focused.id in self.PANES:
            self.pane = self.focused.id

    def command_pane_next(self, arguments: tuple[str, ...]) -> None:
        """The other list."""
        self.pane = self.PANES[(self.PANES.index(self.pane) + 1) % len(self.PANES)]
        self.query_one(f"#{self.pane}", LiveList).focus()

    def command_open(self, arguments: tuple[str, ...]) -> None:
        """What is under the cursor."""
        raise NotImplementedError

    def on_live_list_chosen(self, event: LiveList.Chosen) -> None:
        """A double click opens."""
        self.pane = event.list.id or self.PANES[0]
        self.command_open(())

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Back to where it was opened."""
        self.console.pop_screen()
