"""What a person specifies: repositories, jobs, their dumps, retention and drills."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Ordinal, Request
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
    capacity_bytes: Ordinal = 0
    """What it may hold, by contract or by quota; 0: what its place tells, where it does."""
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

    every_days: Annotated[float, msgspec.Meta(ge=0, le=366)] = 30
    """The first comes after half of that to all of it, so that jobs of one day are not drilled on one day; 0: never by itself."""
    random_files: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 20
    pinned: tuple[PathText, ...] = ()
    """Files that each drill restores."""
    most_bytes: Annotated[int, msgspec.Meta(ge=1 << 20, le=2**63 - 1)] = 1 << 30
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
    upload_kib: Ordinal = 0
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
