"""What makes backups on a host already: read from its own files, observed by one key."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from guardian_tui.protocol.backups import RepositoryRow
from guardian_tui.protocol.discovery import (
    DiscoverBackups,
    FoundBackups,
    FoundRepository,
    ObserveFound,
    TakeSecrets,
)
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.text import safe
from screens.base import GuardianScreen
from screens.reports import ReportDialog
from screens.work import begin
from widgets.found_list import FoundDetails, FoundList, lines_of
from widgets.live_list import LiveList
from widgets.state_line import StateLine


class FoundScreen(GuardianScreen):
    """Lists what was found on one host.

    Args:
        host: its name.
    """

    CONTEXT: ClassVar[str] = "found"
    DEFAULT_CSS = """
    FoundScreen #state { height: 1; } FoundScreen #found { height: 1fr; } FoundScreen #details { height: 11; }
    """

    def __init__(self, host: str) -> None:
        super().__init__()
        self._host = host
        self._found: FoundBackups | None = None

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The host."""
        return ("backups", "found", safe(self._host, 100))

    def content(self) -> ComposeResult:
        """What is going on, the lines, what is known of one."""
        yield StateLine(id="state")
        yield FoundList(id="found")
        yield FoundDetails("set-up", id="details")

    @property
    def listing(self) -> FoundList:
        """The lines."""
        return self.query_one(FoundList)

    def on_mount(self) -> None:
        """Look."""
        self.listing.focus()
        self._look()

    def _look(self) -> None:
        self.query_one(StateLine).show(
            [(f"reading the configurations of {safe(self._host, 100)}…", "muted")], []
        )
        begin(self, self._read, exclusive=True, group="found")

    async def _read(self) -> None:
        try:
            found = await self.console.ask("backups.discover", FoundBackups, DiscoverBackups(host=self._host))
        except GuardianError as error:
            self.query_one(StateLine).show([(safe(error.detail or error.title, 300), "critical")], [])
            return
        self._found = found
        lines = lines_of(found)
        open_ones = sum(1 for line in lines if line.repository and not line.repository.observed)
        words = (
            f"{open_ones} not observed yet"
            if open_ones
            else "all of it is observed"
            if lines
            else "nothing that makes backups was found"
        )
        note = f"{len(found.unread)} unread: W" if found.unread else ""
        self.query_one(StateLine).show(
            [(f"{words}, read as {safe(found.user, 60)}", "text")],
            [(", ".join(safe(p, 60) for p in found.programs), "muted")],
        )
        self.listing.show(lines, note, self.console.world.now())
        self._tell()

    def _tell(self) -> None:
        self.query_one(FoundDetails).tell(
            self.listing.found(self.listing.cursor_id), self.console.world.now()
        )

    def tick(self, now: float) -> None:
        """Ages tick."""
        super().tick(now)
        self.listing.tick(now)

    def on_live_list_highlighted(self, event: LiveList.Highlighted) -> None:
        """Another line."""
        self._tell()

    def give_back_focus(self) -> None:
        """Back to the lines."""
        self.listing.focus()

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Back to the backups."""
        self.console.pop_screen()

    def _repository(self) -> FoundRepository | None:
        line = self.listing.found(self.listing.cursor_id)
        if line is None or line.repository is None:
            self.console.say("Put the cursor on a repository first.", severity="warning")
            return None
        return line.repository

    def command_found_observe(self, arguments: tuple[str, ...]) -> None:
        """`o`: the repository is looked at from now on; of its password only where it will be is known."""
        one = self._repository()
        if one is None:
            return
        if one.observed:
            self.console.say(f"It is observed already, as {one.observed}.", severity="warning")
            return

        def added(row: RepositoryRow) -> None:
            next_ = ""
            if one.takes:
                next_ = " Its password is still on its host: T seals it here."
            elif one.wants:
                next_ = f" Give it its password: :repository-edit {row.name}"
            self.console.say(f"{row.name} is looked at from now on.{next_}")
            self._look()

        self.console.order(
            "repositories.observe", RepositoryRow, ObserveFound(host=self._host, found=one.id), added
        )

    def command_found_take(self, arguments: tuple[str, ...]) -> None:
        """`T`: reads the password on the host and seals it; shows it to nobody."""
        one = self._repository()
        if one is None:
            return
        if not one.observed:
            self.console.say(
                "Observe it first (o): a password is sealed for a repository.", severity="warning"
            )
            return
        order = TakeSecrets(repository=one.observed)
        self.console.order(
            "repositories.take_secrets",
            RepositoryRow,
            order,
            f"{one.observed}: its password is sealed, and it is read now.",
        )

    def command_found_unread(self, arguments: tuple[str, ...]) -> None:
        """`W`: what could not be read, and why."""
        unread = self._found.unread if self._found else ()
        lines = [(line, "error") for line in unread] or [
            ("Everything that was looked for could be read.", "good")
        ]
        self.console.push_screen(ReportDialog("what could not be read", lines))
