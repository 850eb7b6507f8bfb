"""Restores, checks, retention and copies: what they would do, and what they did."""

from __future__ import annotations

from typing import Annotated

import msgspec

from guardian_tui.protocol.backups.rows import Snapshot
from guardian_tui.protocol.backups.specs import CheckLevel, PathText
from guardian_tui.protocol.base import Moment, Request, Response


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
    at: Moment = 0.0
    carried: bool = False
    """The engine carries the files from the host that reads the repository to one that does not get at it."""


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
    hindered: str = ""
    """Why it can't be done from that host, and what to do: it does not get at the repository, or lacks the engine's program."""
    carriable: bool = False
    """Whether the engine could carry them there all the same."""


class Window(Response, frozen=True):
    """The times that a database can be brought back to, Unix seconds."""

    earliest: float | None = None
    latest: float | None = None
    """None: no moment can be restored; ``words`` say why."""
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


class HeldCopy(Response, frozen=True):
    """A repository that holds a job's snapshots, or should."""

    repository: str
    place: str
    """What it is lost with: the machine that its disks are in."""
    site: str = ""
    keeper: str = ""
    """Whose key can delete it."""
    at: Moment | None = None
    """Its newest good snapshot, Unix seconds; None: there is none."""
    in_time: bool = False
    """Whether that is new enough to count."""
    elsewhere: bool = False
    untouchable: bool = False
    fault: str = ""
    """Why it is not relied upon."""


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
    held: tuple[HeldCopy, ...] = ()
    """Each repository that the job goes to."""


class CopiesReport(Response, frozen=True):
    """The report, the worst first."""

    rows: tuple[CopiesRow, ...]
