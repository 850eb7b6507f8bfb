"""Backups: repositories, jobs, runs, snapshots, and the readiness of hosts."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.fleet import LabelText

BackupEngine = Literal["restic", "borg", "pgbackrest", "dumps", "rsync"]
"""``dumps``: a folder of database dumps, one file a run; ``rsync``: a folder of dated trees that share what did not change."""
Verdict = Literal["ok", "partial", "failed", "locked", "auth", "missing", "no_space", "network", "cancelled"]
"""What came of a run.  ``partial``: something that was wanted is not in the backup; ``auth``: refused, or the wrong password; ``missing``: no such
repository; ``no_space``: a disk is full."""
Operation = Literal[
    "init", "backup", "list", "files", "check", "restore", "retain", "copy", "unlock", "window", "drill"
]
CheckLevel = Literal["structure", "sample", "all"]
"""How much is read: the index alone, a share of the data, all of it."""
RunState = Literal["queued", "running", "ended", "lost"]
"""``lost``: the host was restarted, or the run's traces are gone: nobody knows how it ended."""

BackupName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")
]
PathText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^[^\0]*\Z")]
Command = Annotated[str, msgspec.Meta(min_length=1, max_length=2000, pattern=r"^[^\0\r\n]*\Z")]
"""For the host's shell, as the admin of the job writes it."""
Seconds = Annotated[float, msgspec.Meta(ge=60, le=366 * 86400)]


TimerPlace = Literal["host", "engine"]


class RepositorySpec(Request, frozen=True):
    """Where backups are kept, and how its engine gets there."""

    name: BackupName
    engine: BackupEngine
    location: Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"^[^\0\r\n]*\Z")]
    """As the engine writes it: a path, ``sftp:``, ``s3:`` and ``rest:`` for restic, ``ssh://`` for Borg, the stanza for pgBackRest."""
    host: Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
    """Name of the host that reads it for us: lists, checks, drills and copies run there."""
    secrets: dict[
        Annotated[str, msgspec.Meta(max_length=60, pattern=r"^[A-Z_][A-Z0-9_]*\Z")],
        Annotated[str, msgspec.Meta(max_length=300)],
    ] = msgspec.field(default_factory=dict)
    """Environment variable → reference of its secret, for the engine's program alone: ``RESTIC_PASSWORD``, ``AWS_SECRET_ACCESS_KEY``."""
    options: dict[
        Annotated[str, msgspec.Meta(max_length=60)], Annotated[str, msgspec.Meta(max_length=1000)]
    ] = msgspec.field(default_factory=dict)
    """What the engine's adapter knows beside: ``sftp.command``, ``config``, ``encryption``."""
    site: Annotated[str, msgspec.Meta(max_length=60)] = ""
    """Failure domain: where its disks stand."""
    keeper: Annotated[str, msgspec.Meta(max_length=60)] = ""
    """Failure domain: whose key can delete it; copies with one keeper are lost together."""
    append_only: bool = False
    """Whether the hosts' key can't delete from it."""
    offline: bool = False
    """Whether it can't be reached all the time (a disk in a safe)."""
    capacity_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0
    """What it may hold; 0: not known."""
    labels: dict[LabelText, LabelText] = msgspec.field(default_factory=dict)


class Retention(Request, frozen=True):
    """How many of the newest snapshots of each kind are kept; all 0: all are kept."""

    last: Annotated[int, msgspec.Meta(ge=0, le=10000)] = 0
    hourly: Annotated[int, msgspec.Meta(ge=0, le=10000)] = 0
    daily: Annotated[int, msgspec.Meta(ge=0, le=10000)] = 0
    weekly: Annotated[int, msgspec.Meta(ge=0, le=10000)] = 0
    monthly: Annotated[int, msgspec.Meta(ge=0, le=10000)] = 0
    yearly: Annotated[int, msgspec.Meta(ge=0, le=10000)] = 0


class Dump(Request, frozen=True):
    """A database that is dumped consistently and streamed into the backup."""

    kind: Literal["postgresql", "mysql", "sqlite"]
    database: Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^[^\0\r\n-][^\0\r\n]*\Z")]
    """Its name; the file's path for SQLite; ``*``: all of the server."""
    user: Annotated[str, msgspec.Meta(max_length=63, pattern=r"^[^\0\r\n-]?[^\0\r\n]*\Z")] = ""
    """Unix user who may read it, by ``sudo -n -u``; empty: whoever runs the backup."""
    options: dict[
        Annotated[str, msgspec.Meta(max_length=60)], Annotated[str, msgspec.Meta(max_length=1000)]
    ] = msgspec.field(default_factory=dict)
    """``host``, ``port``, ``socket``, ``role``."""


class DrillPolicy(Request, frozen=True):
    """What is restored, to prove that it can be."""

    every_days: Annotated[float, msgspec.Meta(ge=0, le=366)] = 0
    """0: never by itself."""
    random_files: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 20
    pinned: tuple[PathText, ...] = ()
    """Files that each drill restores."""
    most_bytes: Annotated[int, msgspec.Meta(ge=1 << 20)] = 1 << 30
    probe_sql: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    """For a database that was started from the backup, or the first dump restored: must answer a row."""
    probe_answer: Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\0\r\n]*\Z")] = ""
    """What its first row must be, columns parted as the client parts them (``|``; MySQL: a tab); empty: any row will do."""


class JobSpec(Request, frozen=True):
    """What is saved from a host to a repository, when, and how soon it must be back."""

    name: BackupName
    host: Annotated[str, msgspec.Meta(max_length=253)]
    """Name of the host whose data it is; empty: the engine's own machine."""
    repository: BackupName
    sources: tuple[PathText, ...] = ()
    own_state: bool = False
    """Whether Guardian's own state is saved: an archive of it, sealed by the secret ``backups/own-state``; the engine's own machine only."""
    excludes: tuple[PathText, ...] = ()
    dumps: tuple[Dump, ...] = ()
    before: tuple[Command, ...] = ()
    """Run first, in order; one that fails ends the run."""
    after: tuple[Command, ...] = ()
    """Run in the end, whatever came of the rest."""
    schedule: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """Cron's five fields or calendar words of systemd (``daily``, ``Mon..Fri 02:30``), by the host's clock; empty: only by hand."""
    jitter_seconds: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 900.0
    timer: TimerPlace = "host"
    """Who begins what is due: a timer on the host, so that no engine, vault or jump host is needed for it, or the engine.  A host that can have no
    timer leaves it to the engine."""
    window: Annotated[str, msgspec.Meta(max_length=11, pattern=r"^(\d\d:\d\d-\d\d:\d\d)?\Z")] = ""
    """``22:00-06:00``: no run begins outside of it, and one that runs is ended at its end."""
    keep: Retention = msgspec.field(default_factory=Retention)
    rpo_seconds: Seconds = 26 * 3600.0
    """The age that the newest good snapshot may have (recovery point objective)."""
    rto_seconds: Seconds = 4 * 3600.0
    """The time in which it must be back (recovery time objective)."""
    upload_kib: Annotated[int, msgspec.Meta(ge=0)] = 0
    """KiB a second; 0: no limit."""
    nice: Annotated[int, msgspec.Meta(ge=0, le=19)] = 10
    idle_io: bool = True
    """Whether it reads the disk only when nobody else does."""
    most_seconds: Annotated[float, msgspec.Meta(ge=60, le=7 * 86400)] = 86400.0
    tries: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    lock_wait_seconds: Annotated[float, msgspec.Meta(ge=0, le=86400)] = 600.0
    check_days: Annotated[float, msgspec.Meta(ge=0, le=366)] = 7
    """Between checks of the repository; 0: none by itself."""
    drill: DrillPolicy = msgspec.field(default_factory=DrillPolicy)
    copies: tuple[BackupName, ...] = ()
    """Repositories that each good snapshot is copied to."""
    match: dict[
        Annotated[str, msgspec.Meta(pattern=r"^(host|tag|path)\Z")],
        Annotated[str, msgspec.Meta(max_length=1000)],
    ] = msgspec.field(default_factory=dict)
    """``host``, ``tag``, ``path`` of the snapshots that another tool makes: such a job is judged, never run."""
    labels: dict[LabelText, LabelText] = msgspec.field(default_factory=dict)
    enabled: bool = True


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
"""``late``: the newest good snapshot is older than the RPO, ``critical``: than twice; ``never``: there is none; ``unknown``: its repository could not be read."""
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
    full_at: float | None = None
    """When it is full if it grows on like this."""
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


# --- orders -----------------------------------------------------------------------------------------


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


class RepositoryRef(Request, frozen=True):
    """Names one repository by id or by name."""

    repository: Annotated[str, msgspec.Meta(max_length=253)]


class EditRepository(Request, frozen=True):
    """Another specification for a repository."""

    repository: Annotated[str, msgspec.Meta(max_length=253)]
    spec: RepositorySpec


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


class ReadinessList(Response, frozen=True):
    """Rows of hosts."""

    hosts: tuple[ReadinessRow, ...]


class RunsQuery(Request, frozen=True):
    """Runs of a job, the newest first."""

    job: Annotated[str, msgspec.Meta(max_length=253)]
    before: float = 0.0
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


class SnapshotsQuery(Request, frozen=True):
    """Snapshots of a job, the newest first."""

    job: Annotated[str, msgspec.Meta(max_length=253)]
    before: float = 0.0
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


# --- restores, checks, drills -------------------------------------------------------------------------


class RestoreQuery(Request, frozen=True):
    """What would be restored to where.

    ``includes`` are paths in the snapshot, none of them: all of it.  ``target`` is a folder that the tree is put under; ``/`` puts everything
    where it was.  ``host`` is empty for the job's own.  ``at`` (Unix seconds) is the time that a database is brought to, where its engine can.
    """

    job: Annotated[str, msgspec.Meta(max_length=253)]
    snapshot: Annotated[str, msgspec.Meta(max_length=200)] = ""
    """May be left out where ``at`` is given."""
    includes: tuple[PathText, ...] = ()
    host: Annotated[str, msgspec.Meta(max_length=253)] = ""
    target: Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^/[^\0]*\Z")] = "/"
    at: float = 0.0


class Restore(RestoreQuery, frozen=True):
    """Restore it.  ``overwrite`` says that the files of the preview that are there may be replaced."""

    overwrite: bool = False


class RestorePlan(Response, frozen=True):
    """A preview: nothing was changed."""

    host: str
    target: str
    files: int
    bytes: int
    overwritten: tuple[str, ...] = ()
    """Files that are there and would be replaced, the first of them."""
    overwritten_files: int = 0
    free_bytes: int | None = None
    fits: bool = True
    commands: tuple[str, ...] = ()
    """What will run there."""
    notes: tuple[str, ...] = ()
    """What a person should know before: an owner that is not there, a snapshot that is not whole."""


class Window(Response, frozen=True):
    """The times that a database can be brought back to, Unix seconds."""

    earliest: float | None = None
    latest: float | None = None
    pending: bool | None = None
    """Whether something was committed that is not archived yet; None: the server can't tell."""
    words: str = ""


class CheckRepository(Request, frozen=True):
    """Verify a repository now."""

    repository: Annotated[str, msgspec.Meta(max_length=253)]
    level: CheckLevel = "structure"


class RetentionPlan(Response, frozen=True):
    """What the job's policy would forget: nothing was changed."""

    kept: int
    forgotten: tuple[Snapshot, ...] = ()
    frozen: str = ""
    """Why nothing is forgotten now."""


class LedgerQuery(Request, frozen=True):
    """Drills, checks and restores, the newest first; of one job, or of all."""

    job: Annotated[str, msgspec.Meta(max_length=253)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


class CopiesRow(Response, frozen=True):
    """A job in the 3-2-1-1-0 report: three copies, on two kinds of place, one elsewhere, one that can't be deleted, no errors."""

    job: str
    host: str
    copies: int
    """The data itself, and the repositories with a good snapshot in time."""
    places: int
    """Hosts that hold them."""
    elsewhere: int
    """Copies at another site than the host's."""
    untouchable: int
    """Copies that the host's key can't delete, or that are off line."""
    errors: int
    """Copies whose last check or drill failed, or that were never checked."""
    flags: tuple[str, ...] = ()
    """What is missing, and which copies one key could destroy, in words."""


class CopiesReport(Response, frozen=True):
    """The report, the worst first."""

    rows: tuple[CopiesRow, ...]
