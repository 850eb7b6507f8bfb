"""What is found on a host that makes backups already, whoever set it up."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.backups import BackupEngine, BackupName
from guardian_tui.protocol.base import Request, Response

FoundTool = Literal["borgmatic", "resticprofile", "pgbackrest", "restic", "borg"]


class DiscoverBackups(Request, frozen=True):
    """Look at the configurations of one host."""

    host: Annotated[str, msgspec.Meta(min_length=1, max_length=253)]


class ObserveFound(Request, frozen=True):
    """Look at a repository that was found from now on."""

    host: Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
    found: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{12}\Z")]
    """Its id in the answer of the discovery."""
    name: BackupName | None = None
    """What it is called here; the name that was proposed if it is not given."""


class TakeSecrets(Request, frozen=True):
    """Read the passwords that a configuration holds for an observed repository, and seal them."""

    repository: Annotated[str, msgspec.Meta(max_length=253)]


class FoundSchedule(Response, frozen=True):
    """What runs a set-up by itself."""

    kind: Literal["timer", "cron", "service", "configuration"]
    """``service``: only by hand, or by something that is not known; ``configuration``: it says so, whether anything does it or not."""
    where: str
    """The unit or the file."""
    when: str
    what: str
    """The tool and what it is told to do."""


class FoundRepository(Response, frozen=True):
    """A repository that a set-up names."""

    id: str
    engine: BackupEngine
    location: str
    """Without a password."""
    label: str = ""
    observed: str = ""
    """Name of the repository here that is this one; empty: nobody looks at it."""
    name: str = ""
    """What it would be called."""
    password: str = ""
    """Where its password comes from, in words."""
    wants: tuple[str, ...] = ()
    """Secrets that observing it needs: names in the vault."""
    takes: bool = False
    """Whether they stand in the configuration, and could be sealed from there."""
    problem: str = ""
    """Why it can't be observed as it stands."""


class FoundSetup(Response, frozen=True):
    """One configuration, script or cron line."""

    tool: FoundTool
    version: str
    """Empty: its program was not found."""
    file: str
    profile: str = ""
    words: str = ""
    """Why it can't be understood, or what is left out."""
    repositories: tuple[FoundRepository, ...] = ()
    sources: tuple[str, ...] = ()
    schedules: tuple[FoundSchedule, ...] = ()
    ran_at: float | None = None
    """The last sign of a run."""
    ran_words: str = ""
    """What that sign is."""


class FoundBackups(Response, frozen=True):
    """All that was found on a host."""

    host: str
    user: str
    """Who read it."""
    at: float
    setups: tuple[FoundSetup, ...] = ()
    unread: tuple[str, ...] = ()
    """Files and folders that could not be read, and why."""
    programs: tuple[str, ...] = ()
    """Programs of backups that are installed."""
    cut: bool = False
    """Whether there was more than is read."""
