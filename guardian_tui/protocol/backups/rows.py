"""What is told of backups: snapshots, runs, jobs, repositories, the readiness of hosts."""

from __future__ import annotations

from typing import Literal

import msgspec

from guardian_tui.protocol.backups.specs import Operation, RunState, TimerPlace, Verdict
from guardian_tui.protocol.base import Response


class Snapshot(Response, frozen=True):
    """A state that can be restored."""

    id: str
    repository: str
    at: float
    """When its backup began, Unix seconds."""
    host: str = ""
    """As the engine that made it names it."""
    job: str = ""
    """Name of the job of ours that made it; empty: another tool did."""
    paths: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    files: int | None = None
    bytes: int | None = None
    """What it would restore to."""
    added_bytes: int | None = None
    good: bool = True
    """Whether it holds all that was wanted; one of a run that was partial or failed does not count for the age of the backup."""
    why: str = ""
    """Why it is not good."""
    verified_at: float | None = None
    drilled_at: float | None = None


class Progress(Response, frozen=True):
    """How far a run is."""

    stage: str = ""
    bytes_done: int = 0
    bytes_total: int | None = None
    files_done: int = 0
    files_total: int | None = None
    bytes_per_second: float | None = None
    left_seconds: float | None = None
    current: str = ""
    """The file that it is at."""


class RunRow(Response, frozen=True):
    """One run of an operation on a job or a repository."""

    id: str
    job: str
    """Empty: of a repository that no job of ours fills."""
    host: str
    repository: str
    operation: Operation
    state: RunState
    verdict: Verdict | None = None
    """None while it is not known."""
    words: str = ""
    """What came of it, in words."""
    advice: str = ""
    """What to do about it."""
    by: str = ""
    """Who started it: a person, ``schedule`` (the engine's), ``timer`` (the host's) or ``engine``."""
    queued_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    attempt: int = 1
    progress: Progress | None = None
    measured_at: float | None = None
    """When its host was last asked about it."""
    snapshot: str = ""
    files: int | None = None
    bytes: int | None = None
    added_bytes: int | None = None
    warnings: int = 0
    level: str = ""
    """Of a check: how much was read."""
    compared: int = 0
    """Files that were compared with their hashes of backup time."""
    mismatches: tuple[str, ...] = ()
    """Those that are not what they were, the first of them."""
    whole: bool = False
    """Whether all of the snapshot was restored."""
    proof: Literal["", "restored", "read"] = ""
    """Of a drill with dumps: whether each was restored into a database, or one only read to its end."""


JobState = Literal["ok", "running", "late", "critical", "failed", "never", "off", "unknown"]
"""``late``: the newest good snapshot is older than the RPO, ``critical``: than twice; ``failed``: the
last run was not all good, or its repository says that it can't be read; ``never``: there is none; ``unknown``: whether there is one can't be told."""
LATE = 1.0
CRITICAL = 2.0


class TimerRow(Response, frozen=True):
    """Who begins what is due of a job, and how its timer does."""

    place: TimerPlace
    """Where it is now."""
    form: str = ""
    """``systemd``, ``user`` (a user's own systemd) or ``cron``; empty: the engine's."""
    wanted: TimerPlace = "engine"
    """Where it is to be."""
    words: str = ""
    """What is wrong with it, or why it is not where it is to be."""
    unable: bool = False
    """Whether its host can have none (neither systemd nor cron): the engine begins what is due, and nothing is wrong with that."""
    reconciled_at: float | None = None
    """When it was last compared with what it is to be."""
    begun_at: float | None = None
    """When it began a run last, or was installed, by the host's clock."""
    changed: str = ""
    """What somebody else had changed on the host, which was put right."""
    changed_at: float | None = None


class JobRow(Response, frozen=True):
    """One line of the backups' list: a job, and whether it could be restored."""

    id: str
    name: str
    host_id: str
    host: str
    repository: str
    engine: str
    state: JobState
    since: float
    words: str = ""
    rpo_seconds: float = 0.0
    rto_seconds: float = 0.0
    good_at: float | None = None
    """When the backup of the newest good snapshot began; of a database whose log is archived the last commit that is there."""
    archived: bool = False
    """Whether it is that commit."""
    worst_age_seconds: float | None = None
    """The greatest age that the newest good snapshot had within 30 days."""
    next_at: float | None = None
    """When its schedule runs it next."""
    schedule: str = ""
    timer: TimerRow | None = None
    """None: it has no schedule."""
    run: RunRow | None = None
    """The run that is under way, else the last one."""
    verified_at: float | None = None
    drilled_at: float | None = None
    drill: Verdict | None = None
    measured_rto_seconds: float | None = None
    """The ninth decile of what drills took, for all of it."""
    estimated_rto_seconds: float | None = None
    """Size by the rate of measured restores, where no drill was long enough."""
    copies: int = 0
    """Repositories with a good snapshot within the RPO, the first among them."""
    snapshots: int = 0
    bytes: int | None = None
    anomaly: str = ""
    """What is odd about the newest snapshot; nothing is forgotten while it stands."""
    listed_at: float | None = None
    """When its repository was last read."""
    enabled: bool = True
    observed: bool = False
    """Another tool makes its snapshots."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    source: str = "screen"
    unreadable: str = ""
    """Why nothing can be restored from its repository now: it says so itself, and that does not pass."""


class RepositoryRow(Response, frozen=True):
    """A repository, as it was when it was last read."""

    id: str
    name: str
    engine: str
    location: str
    host: str
    verdict: Verdict | None = None
    """Of its last reading; None: not read yet."""
    words: str = ""
    advice: str = ""
    listed_at: float | None = None
    tried_at: float | None = None
    snapshots: int = 0
    oldest_at: float | None = None
    newest_at: float | None = None
    bytes: int | None = None
    """What it takes on its disk, where its engine tells."""
    capacity_bytes: int = 0
    """What it may hold: as it was said or as its place tells, the less of both; 0: not known."""
    taken_bytes: int | None = None
    """What was taken there when it was weighed last."""
    whole_disk: bool = False
    """Whether that, how it grows and what there is room for are of all that lies on its disk."""
    growth_bytes_per_day: float | None = None
    """By how much it grows; None: it was not weighed on enough days."""
    doubles_at: float | None = None
    """When it is twice as large if it grows on like this; None: it does not grow, or it is not known."""
    full_at: float | None = None
    """When it is full if it grows on like this."""
    forecast: str = ""
    """Why that is not known."""
    verified_at: float | None = None
    check_level: str = ""
    version: str = ""
    site: str = ""
    keeper: str = ""
    append_only: bool = False
    jobs: int = 0
    source: str = "screen"


Ready = Literal["yes", "no", "unknown", "none"]
"""``none``: nothing of the host is backed up."""


class ReadinessRow(Response, frozen=True):
    """Whether one host could be restored tonight."""

    host_id: str
    host: str
    ready: Ready
    why: tuple[str, ...] = ()
    """Why a restore tonight could fail, the gravest first."""
    good_at: float | None = None
    """Of its job whose newest good snapshot is the oldest."""
    verified_at: float | None = None
    drilled_at: float | None = None
    rto_seconds: float | None = None
    rto_measured: bool = False
    copies: int = 0
    jobs: int = 0


def shown_job_state(row: JobRow, now: float) -> JobState:
    """The state to draw: the engine's, or worse where the snapshot has aged since."""
    if row.state not in ("ok", "late") or row.good_at is None or row.rpo_seconds <= 0:
        return row.state
    age = (now - row.good_at) / row.rpo_seconds
    return "critical" if age > CRITICAL else "late" if age > LATE else row.state
