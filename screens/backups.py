"""Backups at a glance: jobs, hosts that could be restored tonight, repositories, runs, copies; a digit goes from one to the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult

from guardian_tui.commands import Command
from guardian_tui.protocol.backups import (
    BackupsQuery,
    CopiesReport,
    CopiesRow,
    JobRow,
    ReadinessRow,
    RepositoryRow,
    RunRow,
)
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.rows import (
    copies_columns,
    copies_text,
    job_columns,
    job_text,
    readiness_columns,
    readiness_text,
    repository_columns,
    repository_text,
    run_columns,
    run_text,
    table_of,
)
from guardian_tui.text import safe
from guardian_tui.world import Change, World
from screens.list_screen import ListsScreen
from screens.reports import ReportDialog
from screens.work import begin
from widgets.backups_list import JobsList, ReadinessList, RepositoriesList, RunsList, is_going, progress_facts
from widgets.box import Box, Line, folded
from widgets.copies_list import CopiesList, copies_lines
from widgets.live_list import LiveList
from widgets.painting import fit
from widgets.room_words import growth_words

Sort = tuple[str, Callable[[Any], Any] | None]
"""Its name, and what decides about a row's place."""
COPIES_SECONDS = 5.0
"""The report of copies is asked for again at most so often."""
IN_FOOTER: Mapping[str, Collection[str]] = {
    "backup.run": ("jobs", "copies"), "backup.restore": ("jobs", "copies"), "backup.drill": ("jobs", "copies"), "backup.cancel": ("jobs", "runs"),
    "backup.add": ("jobs", "hosts"), "backups.discover": ("jobs", "hosts", "repositories"), "repository.add": ("repositories",),
    "repository.read": ("repositories",), "repository.check": ("repositories",), "repository.make": ("repositories",), "backup.edit": ("repositories",),
}  # fmt: skip
"""Command → the lists below which it is told; any where it is not named."""
NO_CELLS = frozenset({"run", "labels", "progress", "timer", "held", "mismatches"})


class BackupsScreen(ListsScreen):
    """Five lists, one of which is shown."""

    CONTEXT: ClassVar[str] = "backups"
    FIRST: ClassVar[str] = "jobs"
    TABS: ClassVar[Sequence[str]] = ("jobs", "hosts", "repositories", "runs", "copies")
    DEFAULT_CSS = "BackupsScreen #about { border: none; height: 2; padding: 0 1; }"
    NOTHINGS: ClassVar[Mapping[str, str]] = {
        "jobs": "Nothing is backed up yet. N adds a repository, n what goes into it. O reads what a host's own programs back up already.",
        "hosts": "No host yet: g 1, then n adds one.",
        "repositories": "No repository yet. N adds one that is there or is to be made. O finds those that hosts fill already.",
        "runs": "Nothing ran in the last day, and nothing waits. r on a job backs up now.",
        "copies": "No job yet, so there is nothing to have copies of: 1, then n adds one.",
    }

    def __init__(self) -> None:
        super().__init__()
        self._copies: tuple[CopiesRow, ...] = ()
        self._asked_at = 0.0
        self._sorts: dict[str, int] = {}

    def content(self) -> ComposeResult:
        """All five; one has the room."""
        yield JobsList(id="jobs")
        yield ReadinessList(id="hosts")
        yield RepositoriesList(id="repositories")
        yield RunsList(id="runs")
        yield CopiesList(id="copies")
        yield Box(id="about")

    def in_footer(self, command: Command) -> bool:
        """What acts on the rows of the list that is shown."""
        if command.name == "backup.cancel" and not is_going(self.run):
            return False
        return super().in_footer(command) and self.view in IN_FOOTER.get(command.name, (self.view,))

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Which of the lists it is."""
        first, *rest = super().crumbs
        by = self._sort[0]
        return (first, self.view, *([f"by {by}"] if self._sorts.get(self.view) else []), *rest)

    @property
    def _sort(self) -> Sort:
        return SORTS[self.view][self._sorts.get(self.view, 0)]

    @property
    def subjects(self) -> tuple[Sequence[str], Sequence[str]]:
        """The host of the row."""
        host = self.host_id
        return ((host,) if host else ()), ()

    @property
    def host_id(self) -> str:
        """Id of the host that the row under the cursor is about."""
        if self.view == "hosts":
            return self.listing.cursor_id
        job = self.job
        return job.host_id if job else ""

    @property
    def job(self) -> JobRow | None:
        """The job under the cursor."""
        world = self.console.world
        if self.view == "copies":
            return next((one for one in world.backups.values() if one.name == self.listing.cursor_id), None)
        return world.backups.get(self.listing.cursor_id) if self.view == "jobs" else None

    @property
    def repository(self) -> RepositoryRow | None:
        """The repository under the cursor, or that of the job there."""
        world = self.console.world
        if self.view == "repositories":
            return world.repositories.get(self.listing.cursor_id)
        job = self.job
        return next((one for one in world.repositories.values() if job and one.name == job.repository), None)

    @property
    def run(self) -> RunRow | None:
        """The run under the cursor, or the one of the job there that is under way."""
        if self.view == "runs":
            return self.console.world.runs.get(self.listing.cursor_id)
        job = self.job
        return self.console.world.runs.get(job.run.id, job.run) if job and job.run else None

    def concerns(self, change: Change) -> bool:
        """Backups."""
        return change.backups

    def world_changed(self, change: Change) -> None:
        """Draw; of copies the engine is asked again, as they are judged there."""
        super().world_changed(change)
        if self.view == "copies" and (change.complete or change.backups):
            self._ask_copies(every=COPIES_SECONDS)

    def _ask_copies(self, every: float = 0.0) -> None:
        now = time.monotonic()
        if now - self._asked_at >= every:
            self._asked_at = now
            begin(self, self._read_copies, exclusive=True, group="copies")

    async def _read_copies(self) -> None:
        try:
            report = await self.console.ask("backups.copies", CopiesReport, BackupsQuery())
        except GuardianError as error:
            self.console.say_error(error)
            return
        self._copies = report.rows
        self._draw(self.console.world.now())

    def _found(self) -> list[Any]:  # Any: rows of the list that is shown
        rows = self._copies if self.view == "copies" else _ROWS[self.view](self.console.world)
        columns, text = _READ[self.view]
        passing = [row for row in rows if self.wanted.matches(columns(row), text(row))]
        key = self._sort[1]
        return passing if key is None else sorted(passing, key=key)

    def draw(self, now: float) -> None:
        """Show what passes the filter."""
        rows, listing = self._found(), self.listing
        if isinstance(listing, JobsList):
            listing.show(rows, self.console.world.readiness.values(), now)
        elif isinstance(listing, ReadinessList | RepositoriesList | RunsList | CopiesList):
            listing.show(rows, now)

    def _draw(self, now: float) -> None:
        super()._draw(now)
        self._tell()

    def on_live_list_highlighted(self, event: LiveList.Highlighted) -> None:
        """Below the lists stands all that is said of the row under the cursor."""
        self._tell()

    def _tell(self) -> None:
        # a list is filled before the lines below it are there
        for box in self.query("#about").results(Box):
            box.show(about_lines(self._told(), self.app.size.width - 4))

    def _told(self) -> tuple[str, str]:
        """What is said of the row under the cursor, and what to do."""
        world, id = self.console.world, self.listing.cursor_id
        if self.view == "copies":
            row = self.query_one(CopiesList).row(id)
            return ("; ".join(row.flags), "") if row else ("", "")
        if self.view == "hosts" and id in world.readiness:
            return "; ".join(world.readiness[id].why), ""
        if (run := self.run) is not None and run.state == "running":
            return "; ".join(f"{label} {words}" for label, words in progress_facts(run)), ""
        if self.view == "jobs" and (job := self.job) is not None:
            came = job.run if job.run is not None and job.run.words == job.words else None
            return job.anomaly or job.words, came.advice if came else ""
        if self.view == "repositories" and (repository := self.repository) is not None:
            well = repository.verdict in (None, "ok")
            return (
                (growth_words(repository, world.now()), "") if well else (repository.words, repository.advice)
            )
        return (run.words, run.advice) if run is not None and self.view == "runs" else ("", "")

    @property
    def table_shown(self) -> tuple[list[str], list[tuple[object, ...]]]:
        """What `^s` saves: the list that is shown, as it is filtered and sorted, without what is no cell."""
        rows = self._found()
        return table_of(type(rows[0]), rows, NO_CELLS) if rows else ([], [])

    def open_row(self, id: str) -> None:
        """The page of a job, a host or a repository, a run's log, or a job's copies."""
        world = self.console.world
        if self.view == "jobs":
            self.console.open_backup(id)
        elif self.view == "hosts":
            self.console.open_host(id)
        elif self.view == "repositories":
            self.console.open_repository(id)
        elif self.view == "runs" and id in world.runs:
            self.console.open_run(world.runs[id])
        elif (row := self.query_one(CopiesList).row(id)) is not None:
            self.console.push_screen(ReportDialog(f"copies of {row.job}", copies_lines(row, world.now())))

    def command_backups_jobs(self, arguments: tuple[str, ...]) -> None:
        """`1`."""
        self.go_view("jobs")

    def command_backups_hosts(self, arguments: tuple[str, ...]) -> None:
        """`2`."""
        self.go_view("hosts")

    def command_backups_repositories(self, arguments: tuple[str, ...]) -> None:
        """`3`."""
        self.go_view("repositories")

    def command_backups_runs(self, arguments: tuple[str, ...]) -> None:
        """`4`."""
        self.go_view("runs")

    def command_backups_copies(self, arguments: tuple[str, ...]) -> None:
        """`5`, `:copies [FILTER]`."""
        self.go_view("copies")
        self._ask_copies()
        if arguments:
            self.filter_typed(" ".join(arguments), done=True)

    def command_backups_sort(self, arguments: tuple[str, ...]) -> None:
        """`S`: by the next column, or the one named."""
        sorts = SORTS[self.view]
        names = [name for name, _ in sorts]
        if arguments and arguments[0] not in names:
            self.console.say(f"This list is sorted by {', '.join(names)}.", severity="error")
            return
        place = names.index(arguments[0]) if arguments else self._sorts.get(self.view, 0) + 1
        self._sorts[self.view] = place % len(sorts)
        self._draw(self.console.world.now())
        self.refresh_frame()


ABOUT_LINES = 2


def about_lines(told: tuple[str, str], room: int) -> list[Line]:
    """What is said of a row, then what to do; what has no room there stands on its page."""
    words, advice = (safe(part, 2000) for part in told)
    if not words or not advice:
        return folded("", words or advice, room, "muted")[:ABOUT_LINES]
    if len(words) + len(advice) + 2 > ABOUT_LINES * room or len(words) <= room:
        return [[(fit(words, room), "muted")], [(fit(advice, room), "strong")]]
    return folded("", f"{words}  {advice}", room, "muted")[:ABOUT_LINES]


_READY = {"no": 0, "none": 1, "unknown": 2, "yes": 3}


def _by_readiness(row: ReadinessRow) -> tuple[int, str]:
    return (_READY[row.ready], row.host)


def _oldest(at: float | None) -> float:
    """What never was comes first."""
    return -1.0 if at is None else at


_ROWS: Mapping[str, Callable[[World], Iterable[Any]]] = {
    "jobs": lambda world: world.backups_as_they_run(), "hosts": lambda world: world.readiness.values(),
    "repositories": lambda world: world.repositories.values(), "runs": lambda world: world.runs.values(),
}  # fmt: skip
"""What the stream brings; the report of copies is asked for."""
_READ: Mapping[str, tuple[Callable[[Any], dict[str, Any]], Callable[[Any], str]]] = {
    "jobs": (job_columns, job_text), "hosts": (readiness_columns, readiness_text), "repositories": (repository_columns, repository_text),
    "runs": (run_columns, run_text), "copies": (copies_columns, copies_text),
}  # fmt: skip
"""What a filter looks at in each list's rows."""
SORTS: Mapping[str, Sequence[Sort]] = {
    "jobs": (
        ("trouble", None), ("name", lambda r: r.name), ("host", lambda r: (r.host, r.name)), ("age", lambda r: _oldest(r.good_at)),
        ("check", lambda r: _oldest(r.verified_at)), ("drill", lambda r: _oldest(r.drilled_at)), ("size", lambda r: -(r.bytes or 0)),
    ),
    "hosts": (
        ("trouble", _by_readiness), ("host", lambda r: r.host), ("age", lambda r: _oldest(r.good_at)), ("drill", lambda r: _oldest(r.drilled_at)),
    ),
    "repositories": (
        ("trouble", lambda r: (r.verdict in (None, "ok"), r.name)), ("name", lambda r: r.name), ("age", lambda r: _oldest(r.newest_at)),
        ("check", lambda r: _oldest(r.verified_at)), ("snapshots", lambda r: -r.snapshots),
    ),
    "runs": (
        ("time", lambda r: (r.state not in ("running", "queued"), -r.queued_at)), ("trouble", lambda r: (r.verdict in (None, "ok"), -r.queued_at)),
        ("job", lambda r: (r.job, -r.queued_at)), ("what", lambda r: (r.operation, -r.queued_at)),
    ),
    "copies": (
        ("trouble", lambda r: (not r.flags, r.copies, -len(r.flags), r.job)), ("name", lambda r: r.job), ("host", lambda r: (r.host, r.job)),
        ("copies", lambda r: (r.copies, r.job)),
    ),
}  # fmt: skip
"""The orders of each list, that in which it is shown first in front; None: as it comes."""
