"""What every adapter of a backup engine answers: which commands, and what their output means.

An adapter is pure: it runs nothing.  It makes argument lists (never a shell string) and reads lines.  A verdict wants evidence: an exit code alone is
believed only when it says that something failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from guardian_tui.protocol.backups import (
    BackupEngine,
    CheckLevel,
    JobSpec,
    Operation,
    Progress,
    RepositorySpec,
    Retention,
    Snapshot,
    Verdict,
)

Stream = Literal["out", "err"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the engine's program on a host can do."""

    version: tuple[int, ...]
    """Empty: it is not installed, or says something that is no version."""
    words: str = ""
    """What it said, or why it can't be used, and what to do."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One command of a run.

    Attributes:
        name: for people: ``backup``, ``dump: shop``.
        argv: what runs.
        source: a command whose output is this one's input; both must end well.
        env: variables that are no secret.
        told: whether the adapter reads its output; else it goes to the log alone.
        always: runs also after a stage that failed.
        exit_codes: those that don't end the run (the adapter judges them).
        kept: whether its whole output is kept for who asked for it.
        source_may_fail: whether those after it run even when its source failed (the adapter judges it).
    """

    name: str
    argv: tuple[str, ...]
    source: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    told: bool = True
    always: bool = False
    exit_codes: tuple[int, ...] = (0,)
    kept: bool = False
    source_may_fail: bool = False
    folder: str = ""
    """Where it runs; empty: the home folder."""


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that the engine complained about: a file that could not be read."""

    words: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What the engine says that it did, or why it could not."""

    snapshot: str = ""
    files: int | None = None
    bytes: int | None = None
    added_bytes: int | None = None
    errors: int = 0
    words: str = ""
    stage: str = ""
    """Name of the stage that said it, where the adapter tells."""


Event = Progress | Warned | Summary


@dataclass(frozen=True, slots=True)
class StageEnd:
    """How a stage ended: its exit codes, and the last lines of what it complained about."""

    name: str
    exit_code: int
    source_code: int = 0
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of an operation."""

    verdict: Verdict
    words: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Signs:
    """What a shell on the host knows a trouble by: exit codes of a stage, and what is said where they don't tell.

    Attributes:
        codes: any of them is enough.
        words: a regular expression for ``grep -Ei``; empty: the codes tell.
    """

    codes: tuple[int, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A repository as a command needs it."""

    spec: RepositorySpec
    capabilities: Capabilities
    lock_wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of a snapshot."""

    path: str
    """Undecodable bytes as surrogate escapes, as in the snapshot."""
    kind: Literal["file", "dir", "link", "other"]
    size: int = 0
    modified_at: float | None = None
    mode: int = 0
    owner: tuple[int, int] = (0, 0)
    """User and group by their numbers, where the engine tells."""
    sha256: str = ""
    """What it held when it was saved, where the engine tells."""


@dataclass(frozen=True, slots=True)
class RestoreOrder:
    """What is restored to where.

    Attributes:
        snapshot: its id.
        includes: paths in the snapshot; empty: all of it.
        target: folder that the tree is restored under; ``/``: to where it was.
        stdin_name: the file is a dump of this name.
    """

    snapshot: str
    includes: tuple[str, ...]
    target: str


class Adapter(Protocol):
    """One backup engine.

    Each method that makes commands answers stages in the order in which they run.  Secrets never stand in them: they come as environment variables
    (:attr:`secrets`), which whoever runs the stages hands over out of sight.
    """

    name: BackupEngine
    secrets: tuple[str, ...]
    """Environment variables that may hold a secret of this engine; the first is the repository's password."""
    locked: Signs
    """Of a repository that is locked…"""
    cut: Signs
    """…and of a link that failed: both pass, and a host's own timer tries again."""
    lasting: Signs
    """Of what does not pass, though the link fails with it: a key that is refused, a disk that is full."""

    def probe(self) -> tuple[str, ...]:
        """Command that tells the version."""
        ...

    def capabilities(self, exit_code: int | None, out: str) -> Capabilities:
        """What :meth:`probe` said."""
        ...

    def problem(self, spec: RepositorySpec) -> str:
        """Why a repository can't be used as it is given, and what to write instead; empty: nothing stands against it."""
        ...

    def init(self, place: Place) -> tuple[Stage, ...]:
        """Make the repository."""
        ...

    def backup(self, place: Place, job: JobSpec, run_id: str) -> tuple[Stage, ...]:
        """Save the job's sources and dumps; snapshots are tagged with the job's name and the run's id."""
        ...

    def list(self, place: Place) -> tuple[Stage, ...]:
        """Tell all snapshots."""
        ...

    def snapshots(self, place: Place, out: bytes) -> Sequence[Snapshot]:
        """What :meth:`list` told, oldest first, times in UTC.

        Raises:
            ValueError: it can't be read.
        """
        ...

    def weigh(self, place: Place) -> tuple[Stage, ...]:
        """Tell what all that is in the repository takes there, where its place can't be asked; empty where the engine can't.

        The answer has ``"total_size"``, ``"unique_csize"`` or ``"weight"``, in bytes.
        """
        ...

    def files(self, place: Place, snapshot: str, folder: str) -> tuple[Stage, ...]:
        """Tell the files of a snapshot in a folder; an empty folder: all files."""
        ...

    def entries(self, out: bytes) -> Sequence[FileEntry]:
        """What :meth:`files` told.

        Raises:
            ValueError: it can't be read.
        """
        ...

    def check(self, place: Place, level: CheckLevel, part: tuple[int, int]) -> tuple[Stage, ...]:
        """Verify the repository; ``part`` (n of m) says which share a ``sample`` reads, so that in m checks all was read."""
        ...

    def restore(self, place: Place, order: RestoreOrder) -> tuple[Stage, ...]:
        """Restore."""
        ...

    def retain(self, place: Place, job: JobSpec, keep: Retention, *, dry: bool) -> tuple[Stage, ...]:
        """Forget what the policy does not keep, and free its room; dry: only tell."""
        ...

    def doomed(self, out: bytes) -> Sequence[str]:
        """Snapshot ids that a dry :meth:`retain` would forget."""
        ...

    def copy(self, place: Place, other: Place, snapshots: Sequence[str]) -> tuple[Stage, ...]:
        """Copy snapshots to another repository of the same engine; empty where the engine can't."""
        ...

    def copy_secrets(self, spec: RepositorySpec, other: RepositorySpec) -> Mapping[str, str]:
        """Environment variable → reference of its secret, for :meth:`copy`: both repositories' in one environment.

        Raises:
            ValueError: the engine can't tell them apart; says which.
        """
        ...

    def unlock(self, place: Place) -> tuple[Stage, ...]:
        """Remove locks that no living process holds."""
        ...

    def parse(self, operation: Operation, stage: str, line: bytes, stream: Stream) -> Event | None:
        """What a line of output says; None: nothing that is counted."""
        ...

    def verdict(
        self, operation: Operation, job: JobSpec | None, ends: Sequence[StageEnd], events: Sequence[Event]
    ) -> Judgement:
        """What came of it, from the exit codes and what was read; events are those kept (summaries, warnings)."""
        ...
