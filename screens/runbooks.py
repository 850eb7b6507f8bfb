"""Runbooks at a glance: the library, the runs, and where words were found in them; a digit goes from one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from msgspec.structs import replace
from textual.app import ComposeResult

from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.runbooks import (
    RunbookList,
    RunbookMatch,
    RunbookMatches,
    RunbookRow,
    RunbookRun,
    RunbookRunList,
    RunbookRunsQuery,
    RunbooksQuery,
    SearchRunbooks,
)
from guardian_tui.rows import runbook_columns, runbook_run_columns, runbook_run_text, runbook_text
from guardian_tui.text import safe
from guardian_tui.world import Change
from screens.list_screen import ListsScreen
from screens.work import begin
from widgets.live_list import LiveList
from widgets.runbooks_list import MatchesList, RunbookRunsList, RunbooksList

NEAR_THE_END = 20
"""Of what was found: so many rows before the last it is looked further."""
MOST_MATCHES = 2000
"""As many are shown."""


class RunbooksScreen(ListsScreen):
    """Three lists, one of which is shown."""

    CONTEXT: ClassVar[str] = "runbooks"
    FIRST: ClassVar[str] = "library"
    NOTHINGS: ClassVar[Mapping[str, str]] = {
        "library": "No runbook can be read: where they are looked for stands in docs/runbooks.md, guardian-tui runbooks lint FILE says what is wrong with one.",
        "runs": "No run yet. r on a runbook starts one; r on an alert offers those that fit it.",
        "found": "f looks for words in what all runs wrote.",
    }

    def __init__(self) -> None:
        super().__init__()
        self._problem = ""
        self._old: dict[str, RunbookRun] = {}
        """Runs that the stream no longer brings."""
        self._words = ""
        """What is looked for."""
        self._look = 0
        """How often it was looked."""
        self._searching = False
        self._matches: list[RunbookMatch] = []
        self._older_than = ""
        """The run from which to look further; empty: all were looked through."""

    def content(self) -> ComposeResult:
        """All three; one has the room."""
        yield RunbooksList(id="library")
        yield RunbookRunsList(id="runs")
        yield MatchesList(id="found")

    def on_screen_resume(self) -> None:
        """Read what the stream does not bring."""
        super().on_screen_resume()
        if self.composed:
            begin(self, self._read, group="lists")

    async def _read(self) -> None:
        client = self.console.client
        try:
            self._problem = (await client.call("runbooks.list", RunbookList, RunbooksQuery())).problem
            found = await client.call("runbooks.runs", RunbookRunList, RunbookRunsQuery())
        except GuardianError as error:
            # the banner speaks for an engine that is gone
            if error.status != 503:
                self.console.say_error(error)
            return
        self._old = {run.id: run for run in found.runs}
        self.draw(self.console.world.now())

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Which of the lists it is."""
        first, *rest = super().crumbs
        return (first, *rest) if self.view == "library" else (first, self.view, *rest)

    @property
    def nothing(self) -> str:
        """Of a search, that it found nothing."""
        if self.view == "found" and self._searching:
            return f"Looks for “{safe(self._words, 60)}” in what all runs wrote."
        if self.view == "found" and self._words:
            return f"No run has “{safe(self._words, 60)}” in it. f looks for other words."
        return super().nothing

    @property
    def runbook(self) -> RunbookRow | None:
        """The runbook under the cursor."""
        return self.console.world.runbooks.get(self.listing.cursor_id) if self.view == "library" else None

    @property
    def run_id(self) -> str:
        """The run under the cursor; of a runbook, its newest."""
        if self.view == "runs":
            return self.listing.cursor_id
        if self.view == "found":
            match = self.query_one(MatchesList).match(self.listing.cursor_id)
            return match.run if match else ""
        row = self.runbook
        return row.last_run if row else ""

    def concerns(self, change: Change) -> bool:
        """Runbooks."""
        return change.runbooks

    def draw(self, now: float) -> None:
        """Show what passes the filter."""
        world, wanted = self.console.world, self.wanted
        if self.view == "library":
            rows = sorted(world.runbooks.values(), key=lambda row: (bool(row.problems), row.title))
            kept = [row for row in rows if wanted.matches(runbook_columns(row), runbook_text(row))]
            self.query_one(RunbooksList).show(kept, self._problem, now)
        elif self.view == "runs":
            runs = sorted(
                {**self._old, **world.runbook_runs}.values(),
                key=lambda run: (run.state == "ended", -run.started_at),
            )
            shown = [run for run in runs if wanted.matches(runbook_run_columns(run), runbook_run_text(run))]
            self.query_one(RunbookRunsList).show(shown, now)
        else:
            text = wanted.text.strip().lower()
            matches = [
                one
                for one in self._matches
                if text in f"{one.runbook} {one.step} {one.host} {one.line}".lower()
            ]
            self.query_one(MatchesList).show(matches, self._words, self._further)

    def open_row(self, id: str) -> None:
        """A runbook's page, a run, or the place in its transcript."""
        console = self.console
        if self.view == "library":
            row = console.world.runbooks.get(id)
            if row is not None and row.problems:
                console.command_runbook_problems(())
            else:
                console.open_runbook(id)
        elif self.view == "runs":
            console.open_runbook_run(id)
        elif match := self.query_one(MatchesList).match(id):
            console.open_transcript(match.run, match.line)

    def command_runbooks_library(self, arguments: tuple[str, ...]) -> None:
        """`1`."""
        self.go_view("library")

    def command_runbooks_runs(self, arguments: tuple[str, ...]) -> None:
        """`2`."""
        self.go_view("runs")

    def command_runbooks_found(self, arguments: tuple[str, ...]) -> None:
        """`3`."""
        self.go_view("found")

    def find(self, words: str) -> None:
        """Look for words in all runs."""
        self._words, self._matches = words, []
        self._search("")
        self.go_view("found")

    def on_live_list_highlighted(self, event: LiveList.Highlighted) -> None:
        """Look further near the end of what was found."""
        if (
            isinstance(event.list, MatchesList)
            and event.id in event.list.ids[-NEAR_THE_END:]
            and self._further == "more below"
        ):
            self._search(self._older_than)

    def _search(self, older_than: str) -> None:
        """Look through runs that are older than this one; empty: from the newest on."""
        self._look += 1
        self._searching = True
        begin(self, partial(self._read_on, self._look, older_than), group="search", exclusive=True)

    async def _read_on(self, look: int, older_than: str) -> None:
        order = SearchRunbooks(text=self._words, older_than=older_than)
        try:
            while True:
                answer = await self.console.ask("runbooks.search", RunbookMatches, order)
                self._matches += answer.matches
                self._older_than = answer.older_than if answer.more else ""
                # a look that took long may have found little yet
                if not self._older_than or len(self._matches) >= NEAR_THE_END:
                    break
                self._draw(self.console.world.now())
                order = replace(order, older_than=self._older_than)
        except GuardianError as error:
            self.console.say_error(error)
            if not self._matches:
                self._words = ""
        finally:
            # another look may have begun meanwhile
            self._searching = self._searching and look != self._look
        self._draw(self.console.world.now())

    @property
    def _further(self) -> str:
        """Whether there may be more than is shown."""
        if self._searching:
            return "looks further"
        if not self._older_than:
            return ""
        return "more below" if len(self._matches) < MOST_MATCHES else "older ones are not shown"
