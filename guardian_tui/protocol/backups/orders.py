"""What is asked for and answered about jobs, repositories, runs and snapshots."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.backups.rows import JobRow, ReadinessRow, RepositoryRow, RunRow, Snapshot
from guardian_tui.protocol.backups.specs import JobSpec, RepositorySpec
from guardian_tui.protocol.base import Moment, Request, Response


class BackupsQuery(Request, frozen=True):
    """A filter in the grammar of ``/``."""

    filter: Annotated[str, msgspec.Meta(max_length=500)] = ""


class JobRef(Request, frozen=True):
    """Names one job by id or by name."""

    job: Annotated[str, msgspec.Meta(max_length=253)]


class EditJob(Request, frozen=True):
    """Another specification for a job."""

    job: Annotated[str, msgspec.Meta(max_length=253)]
    spec: JobSpec
    before: JobSpec | None = None
    """As it was when the person looked at it: refused if it is another by now.  None: whatever it is."""


class RepositoryRef(Request, frozen=True):
    """Names one repository by id or by name."""

    repository: Annotated[str, msgspec.Meta(max_length=253)]


class EditRepository(Request, frozen=True):
    """Another specification for a repository."""

    repository: Annotated[str, msgspec.Meta(max_length=253)]
    spec: RepositorySpec
    before: RepositorySpec | None = None
    """As it was when the person looked at it, as for a job."""


class JobList(Response, frozen=True):
    """Rows of jobs."""

    jobs: tuple[JobRow, ...]


class JobDetail(Response, frozen=True):
    """A job in full."""

    row: JobRow
    spec: JobSpec
    runs: tuple[RunRow, ...] = ()
    """The newest first."""
    days: tuple[tuple[str, str], ...] = ()
    """The last 26 weeks: the day (``2026-11-25``, UTC) and the worst that came of its runs."""
    growth: tuple[tuple[float, float], ...] = ()
    """When, and bytes that a snapshot would restore to."""


class RepositoryList(Response, frozen=True):
    """Rows of repositories."""

    repositories: tuple[RepositoryRow, ...]


class RepositoryDetail(Response, frozen=True):
    """A repository in full."""

    row: RepositoryRow
    spec: RepositorySpec
    runs: tuple[RunRow, ...] = ()
    """All that was done in it, the newest first."""
    sizes: tuple[tuple[float, float], ...] = ()
    """When it was weighed, and bytes that were taken there."""


class ReadinessList(Response, frozen=True):
    """Rows of hosts."""

    hosts: tuple[ReadinessRow, ...]


class RunsQuery(Request, frozen=True):
    """Runs of a job, the newest first."""

    job: Annotated[str, msgspec.Meta(max_length=253)]
    before: Moment = 0.0
    """Only those that were queued earlier, Unix seconds; 0: from the newest on."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 50


class RunList(Response, frozen=True):
    """Rows of runs."""

    runs: tuple[RunRow, ...]


class RunRef(Request, frozen=True):
    """Names one run by its id."""

    run: Annotated[str, msgspec.Meta(max_length=64)]


class RunDetail(Response, frozen=True):
    """A run in full."""

    row: RunRow
    log: str = ""
    """The end of what it wrote."""
    warnings: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    settling: bool = False
    """It is over, and what follows from it is not all known yet: the repository is read again, the job judged."""


class SnapshotsQuery(Request, frozen=True):
    """Snapshots of a job, the newest first."""

    job: Annotated[str, msgspec.Meta(max_length=253)]
    before: Moment = 0.0
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


class SnapshotList(Response, frozen=True):
    """Snapshots, and how many there are in all."""

    snapshots: tuple[Snapshot, ...]
    total: int


class FilesQuery(Request, frozen=True):
    """Files of a snapshot in one folder; an empty one: the top."""

    job: Annotated[str, msgspec.Meta(max_length=253)]
    snapshot: Annotated[str, msgspec.Meta(max_length=200)]
    folder: Annotated[str, msgspec.Meta(max_length=4096)] = ""


class SnapshotFile(Response, frozen=True):
    """A file of a snapshot."""

    path: str
    """As JSON can hold it: bytes that are no UTF-8 are ``\\xNN``."""
    kind: Literal["file", "dir", "link", "other"]
    size: int = 0
    modified_at: float | None = None


class FileList(Response, frozen=True):
    """Files of one folder, folders first."""

    files: tuple[SnapshotFile, ...]
    cut: bool = False
    """Whether there are more than are told."""
