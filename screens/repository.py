"""A repository's page: whether it can be read and what to do, what lies in it, what room it takes, its jobs and all that was done in it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical

from guardian_tui.protocol.backups import JobRow, RepositoryDetail, RepositoryRef, RepositoryRow, RunRow
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.text import counted, safe
from guardian_tui.world import Change
from screens.backup_page import BackupPage
from screens.work import begin
from widgets import figures
from widgets.backups_list import JobsList, RunsList, ago, is_going, progress_pieces, repository_glyph
from widgets.box import Box, Line, folded
from widgets.room_words import CROWDED, growth_words, room_words

_BAR = 16
SIZES_SHOWN = 60


class RepositoryScreen(BackupPage):
    """A repository's page.

    Args:
        repository_id: its id.
    """

    CONTEXT: ClassVar[str] = "repository"
    PANES: ClassVar[tuple[str, ...]] = ("jobs", "runs")
    FOOTER_FIRST: ClassVar[tuple[str, ...]] = (
        "open",
        "repository.read",
        "repository.check",
        "backup.edit",
        "backup.cancel",
    )
    DEFAULT_CSS = """
    RepositoryScreen #words { height: auto; max-height: 60%; }
    RepositoryScreen #lists { height: 1fr; }
    RepositoryScreen #jobs { height: auto; min-height: 4; max-height: 50%; }
    RepositoryScreen #runs { height: 1fr; min-height: 4; }
    """

    def __init__(self, repository_id: str) -> None:
        super().__init__()
        self.repository_id = repository_id
        self._row: RepositoryRow | None = None
        self._detail: RepositoryDetail | None = None
        self._read_of: tuple[object, ...] = ()

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Backups, then this one."""
        return ("backups", "repositories", safe(self._row.name, 60) if self._row else "gone")

    @property
    def repository(self) -> RepositoryRow | None:
        """The repository."""
        return self._row

    @property
    def job(self) -> JobRow | None:
        """The job under the cursor."""
        if self.pane != "jobs":
            return None
        return self.console.world.backups.get(self.query_one(JobsList).cursor_id)

    @property
    def run(self) -> RunRow | None:
        """The run under the cursor, else the one that is under way here."""
        runs = self._runs()
        if self.pane == "runs":
            cursor = self.query_one(RunsList).cursor_id
            return next((run for run in runs if run.id == cursor), None)
        return next((run for run in runs if is_going(run)), None)

    @property
    def subjects(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The host that reads it."""
        name = self._row.host if self._row else ""
        host = self.console.world.host_named(name) if name else None
        return ((host.id,) if host else ()), ()

    def content(self) -> ComposeResult:
        """Words, its jobs, what was done in it."""
        yield Box("repository", id="words")
        with Vertical(id="lists"):
            yield JobsList(id="jobs")
            yield RunsList(id="runs")

    def on_resize(self) -> None:
        """Words are folded anew."""
        self._draw()

    def world_changed(self, change: Change) -> None:
        """Draw; the page is read again when something of it has changed."""
        if not (change.complete or change.backups):
            return
        self._row = row = self.console.world.repositories.get(self.repository_id)
        self._draw()
        here = [run for run in self.console.world.runs.values() if row and run.repository == row.name]
        known = (row, tuple(sorted((run.id, run.state) for run in here)))
        if row is not None and known != self._read_of:
            self._read_of = known
            begin(self, self._read, exclusive=True, group="page")

    def tick(self, now: float) -> None:
        """Ages tick."""
        super().tick(now)
        self._draw()

    async def _read(self) -> None:
        order = RepositoryRef(repository=self.repository_id)
        try:
            self._detail = await self.console.client.call("repositories.show", RepositoryDetail, order)
        except GuardianError as error:
            # the banner speaks for an engine that is gone; what is shown stays, and ages
            if error.status != 503:
                self.console.say_error(error)
            return
        self._draw()

    def _runs(self) -> list[RunRow]:
        """Those that were read, as they are now, and those that have begun since."""
        world, row = self.console.world, self._row
        known = {run.id: run for run in self._detail.runs} if self._detail else {}
        here = {run.id: run for run in world.runs.values() if row and run.repository == row.name}
        return sorted((known | here).values(), key=lambda run: (run.state not in ("running", "queued"), -run.queued_at))  # fmt: skip

    def _draw(self) -> None:
        if not self.composed:
            return
        row, now, box = self._row, self.console.world.now(), self.query_one("#words", Box)
        if row is None:
            box.show([[("This repository is looked at no longer.", "muted")]])
            return
        # before the first layout the box has no width
        room = self.app.size.width - 4
        runs = self._runs()
        going = [run for run in runs if is_going(run)]
        lines = [*reason_lines(row, room), *_going_lines(going), *fact_lines(row, now, room)]
        if self._detail is not None:
            lines += size_lines(self._detail)
        box.show(lines, title=f"repository {safe(row.name, 60)}")
        box.refresh(layout=True)
        jobs = [one for one in self.console.world.backups_as_they_run() if one.repository == row.name]
        self.query_one(JobsList).show(jobs, (), now)
        self.query_one(JobsList).styles.height = min(len(jobs), 6) + 3
        self.query_one(RunsList).show(runs, now)

    # --- commands ------------------------------------------------------------------------------

    def command_open(self, arguments: tuple[str, ...]) -> None:
        """The job's page, or the run's log."""
        job, run = self.job, self.run
        if self.pane == "jobs" and job is not None:
            self.console.open_backup(job.id)
        elif self.pane == "runs" and run is not None:
            self.console.open_run(run)


def reason_lines(row: RepositoryRow, room: int) -> list[Line]:
    """Whether it can be read, all of the reason, and what to do."""
    glyph, paint = repository_glyph(row)
    lines = folded(f"{glyph} {row.verdict or 'not yet':<8}", safe(row.words, 2000) or "not read yet", room, "strong", paint)  # fmt: skip
    if row.advice:
        lines += folded("do        ", safe(row.advice, 2000), room, "strong")
    return lines


def _going_lines(runs: list[RunRow]) -> list[Line]:
    """What is under way in it, and what waits."""
    return [
        [(f"{run.operation:<10}", "muted"), (f"{safe(run.job, 60)} " if run.job else "", "text"), *progress_pieces(run, _BAR)]
        for run in runs[:3]
    ]  # fmt: skip


def fact_lines(row: RepositoryRow, now: float, room: int) -> list[Line]:
    """What is known of it, a line each."""
    holds = counted(row.snapshots, "snapshot")
    if row.snapshots:
        holds += f", the oldest {ago(row.oldest_at, now)} old, the newest {ago(row.newest_at, now)}"
    level = f" ({row.check_level})" if row.check_level else ""
    proven = "never checked" if row.verified_at is None else f"checked {ago(row.verified_at, now)} ago{level}"
    read = "never" if row.listed_at is None else f"{ago(row.listed_at, now)} ago"
    if row.tried_at is not None and row.tried_at != row.listed_at:
        read += f", tried {ago(row.tried_at, now)} ago"
    keeper = "" if row.append_only else f"{row.keeper or 'whoever holds its key'} can delete it"
    domains = [
        f"site {row.site}" if row.site else "no site is said",
        keeper or "no host's key can delete from it",
    ]
    rows = [
        ("grows", growth_words(row, now)), ("holds", holds), ("read", read), ("proven", proven),
        ("where", f"{row.engine} {row.version}".rstrip() + f", {row.location}, read by {row.host}"), ("apart", ", ".join(domains)),
    ]  # fmt: skip
    space: Line = [("room      ", "muted")]
    if row.capacity_bytes and row.taken_bytes is not None:
        ratio = row.taken_bytes / row.capacity_bytes
        filled, rest = figures.meter(ratio, _BAR)
        space += [(filled, "critical" if ratio > CROWDED else "meter"), (rest, "rest"), (" ", "text")]
    # on a small screen the last lines are out of sight
    told = [
        line for label, words in rows if words for line in folded(f"{label:<10}", safe(words, 1500), room)
    ]
    return [[*space, (room_words(row), "text")], *told]


def size_lines(detail: RepositoryDetail) -> list[Line]:
    """Its sizes as a line of blocks."""
    sizes = [size for _, size in detail.sizes][-SIZES_SHOWN:]
    if len(sizes) < 2:
        return []
    least = min(sizes)
    span = max(sizes) - least or 1.0
    shares = tuple(round(10 + 90 * (size - least) / span) for size in sizes)
    return [[("sizes     ", "muted"), (figures.spark(shares, len(shares)), "meter"), (f" {counted(len(sizes), 'day')}", "muted")]]  # fmt: skip
