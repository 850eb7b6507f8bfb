"""Whom an order on backups concerns, and whether that is the caller's to see."""

from __future__ import annotations

from collections.abc import Mapping

from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.calls import Call, unless_changed
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.errors import Conflict


class Scope:
    """Finds jobs, repositories and hosts by name, within the caller's scope."""

    def __init__(self, backups: Backups) -> None:
        self._backups = backups

    def host(self, call: Call, name: str) -> Way:
        """A host; an empty name is this machine."""
        way = self._backups.way(name)
        what = f"the host {name[:60]!r}" if name else "this machine, as a watched host,"
        call.host_in_scope(way.labels if way else None, what)
        assert way is not None  # noqa: S101  # host_in_scope has raised
        return way

    def job(self, call: Call, name: str) -> Job:
        """A job by id or by name."""
        job = self._backups.job_named(name)
        call.host_in_scope(self.labels(job.host_id) if job else None, f"the backup job {name[:60]!r}")
        assert job is not None  # noqa: S101  # host_in_scope has raised
        call.target = job.spec.name
        return job

    def repository(self, call: Call, name: str) -> Repository:
        """A repository by id or by name."""
        repository = self._backups.repository_named(name)
        labels = self.labels(repository.spec.host) if repository else None
        call.host_in_scope(labels, f"the repository {name[:60]!r}")
        assert repository is not None  # noqa: S101  # host_in_scope has raised
        call.target = repository.spec.name
        return repository

    def job_with_repository(self, call: Call, name: str) -> tuple[Job, Repository]:
        """A job, and where its snapshots are; the job's host decides who may see them."""
        job = self.job(call, name)
        repository = self._backups.repositories.get(job.repository_id)
        if repository is None:
            raise Conflict(f"The repository of {job.spec.name} is gone.")
        return job, repository

    def still(self, *some: Job | Repository) -> None:
        """Raise Conflict unless these are as they were when the order was judged: asked within its transaction."""
        for one in some:
            kept: Mapping[str, object] = (
                self._backups.jobs if isinstance(one, Job) else self._backups.repositories
            )
            unless_changed(kept.get(one.id), one, one.spec.name)

    def labels(self, host: str) -> dict[str, str]:
        """Labels of a host by id or by name."""
        way = self._backups.way(host)
        return dict(way.labels) if way else {"host": host}
