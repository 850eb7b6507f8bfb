"""Hello, status and shutdown of an engine."""

from __future__ import annotations

from typing import Annotated

import msgspec

from guardian_tui.protocol.base import Request, Response


class Hello(Response, frozen=True):
    """What an engine says of itself before login."""

    version: str
    protocol: int
    boot: str
    """Random id of this run of the engine: a restart is seen by it."""
    mode: str
    """``personal`` (roles are advisory: the person's own account could go round them) or ``team``."""
    environment: str
    """Name of the environment that colours the top line, e.g. ``prod``."""
    set_up: bool
    """False until the first admin exists."""
    vault_locked: bool
    time: float
    """The engine's wall clock, Unix seconds."""
    code_wanted: bool = False
    """Whether the first admin can be made from here only with the code that `engine install` printed."""
    lingering: bool = False
    """True if it goes on when the last client leaves (``engine start``)."""
    store_problem: str = ""
    """Words for a store that can't be written; empty when it can."""
    store_mended: tuple[str, ...] = ()
    """What was found broken in the store at the start, and mended."""


class EngineStatus(Response, frozen=True):
    """The engine's own health, sent with each heartbeat."""

    time: float
    uptime_seconds: float
    hosts: int
    interval_seconds: float
    late_polls: int
    """Polls later than one interval, in the last two minutes."""
    cpu_ratio: float
    memory_bytes: int
    queued_writes: int
    """Samples and transactions that wait for the disk."""
    outbox_waiting: int
    cut_off_since: float | None = None
    """Since when most hosts fail at once, which means our own link."""
    audit_verified_at: float | None = None
    audit_ok: bool = True
    vault_locked: bool = False
    store_problem: str = ""
    """Words for a store that can't be written; empty when it can."""
    store_mended: tuple[str, ...] = ()
    """What was found broken in the store at the start, and mended."""
    clients: int = 0
    connections: int = 0
    """Open SSH connections."""
    connecting: int = 0
    """Connections that are under way or wait for their turn."""
    waiting_answers: int = 0
    """Answers of hosts that were not worked off yet."""
    slowed_hosts: int = 0
    """Hosts that are asked more seldom because they answer slowly."""
    dropped_samples: int = 0
    """Samples dropped since the start, because the disk did not keep up."""
    received_bytes_per_second: float = 0.0
    """Answers of hosts."""
    written_bytes_per_second: float = 0.0
    """To the disk, by the engine itself; 0 where the system does not say."""


class Shutdown(Request, frozen=True):
    """Stop the engine in good order."""

    reason: str = ""


class Linger(Request, frozen=True):
    """Let the engine go on (or not) after its last client has left."""

    linger: bool


class EventsRequest(Request, frozen=True):
    """Open the event stream after an event's id, ``run-seq`` (empty, or of another run or other grants: from a full snapshot)."""

    after: Annotated[str, msgspec.Meta(max_length=100)] = ""
