"""Backups at a glance: jobs, hosts that could be restored tonight, repositories, runs; a digit goes from one to the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult

from guardian_tui.protocol.backups import JobRow, ReadinessRow, RepositoryRow, RunRow
from guardian_tui.rows import (
    job_columns,
    job_text,
    readiness_columns,
    readiness_text,
    repository_columns,
    repository_text,
    run_columns,
    run_text,
)
from guardian_tui.world import Change
from screens.list_screen import ListsScreen
from widgets.backups_list import JobsList, ReadinessList, RepositoriesList, RunsList


class BackupsScreen(ListsScreen):
    """Four lists, one of which is shown."""

    CONTEXT: ClassVar[str] = "backups"
    FIRST: ClassVar[str] = "jobs"
    NOTHINGS: ClassVar[Mapping[str, str]] = {
        "jobs": "Nothing is backed up yet. N adds a repository, n what goes into it. O reads what a host's own programs back up already.",
        "hosts": "No host yet: g 1, then n adds one.",
        "repositories": "No repository yet. N adds one that is there or is to be made. O finds those that hosts fill already.",
        "runs": "Nothing ran in the last day, and nothing waits. r on a job backs up now.",
    }

    def content(self) -> ComposeResult:
        """All four; one has the room."""
        yield JobsList(id="jobs")
        yield ReadinessList(id="hosts")
        yield RepositoriesList(id="repositories")
        yield RunsList(id="runs")

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Which of the lists it is."""
        first, *rest = super().crumbs
        return (first, self.view, *rest)

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
        return self.console.world.backups.get(self.listing.cursor_id) if self.view == "jobs" else None

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
        return job.run if job else None

    def concerns(self, change: Change) -> bool:
        """Backups."""
        return change.backups

    def draw(self, now: float) -> None:
        """Show what passes the filter."""
        world, wanted = self.console.world, self.wanted
        if self.view == "jobs":
            jobs = world.backups_by_trouble()
            self.query_one(JobsList).show(
                [r for r in jobs if wanted.matches(job_columns(r), job_text(r))],
                world.readiness.values(),
                now,
            )
        elif self.view == "hosts":
            hosts = sorted(world.readiness.values(), key=_by_readiness)
            self.query_one(ReadinessList).show(
                [r for r in hosts if wanted.matches(readiness_columns(r), readiness_text(r))], now
            )
        elif self.view == "repositories":
            found = sorted(world.repositories.values(), key=lambda r: (r.verdict in (None, "ok"), r.name))
            self.query_one(RepositoriesList).show(
                [r for r in found if wanted.matches(repository_columns(r), repository_text(r))], now
            )
        else:
            runs = sorted(
                world.runs.values(), key=lambda r: (r.state not in ("running", "queued"), -r.queued_at)
            )
            self.query_one(RunsList).show(
                [r for r in runs if wanted.matches(run_columns(r), run_text(r))], now
            )

    def open_row(self, id: str) -> None:
        """A job's page, a host's page, or a run's log."""
        world = self.console.world
        if self.view == "jobs":
            self.console.open_backup(id)
        elif self.view == "hosts":
            self.console.open_host(id)
        elif self.view == "runs" and id in world.runs:
            self.console.open_run(world.runs[id])

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


_READY = {"no": 0, "none": 1, "unknown": 2, "yes": 3}


def _by_readiness(row: ReadinessRow) -> tuple[int, str]:
    return (_READY[row.ready], row.host)
