"""The engine in full, as it measures itself: for its own screen, asked for while somebody looks."""

from __future__ import annotations

from guardian_tui.protocol.base import Response
from guardian_tui.protocol.system import EngineStatus


class WaveFigures(Response, frozen=True):
    """Waves of the last two minutes: how long after their time they were sent."""

    waves: int = 0
    polls: int = 0
    late_median_seconds: float | None = None
    late_p99_seconds: float | None = None
    late_worst_seconds: float | None = None


class SectionCost(Response, frozen=True):
    """One section of the probe over all hosts that have answered it."""

    section: str
    hosts: int
    took_median_seconds: float
    """From the question to the answer, those asked together included."""
    took_worst_seconds: float
    worst_host: str
    kept_bytes: int
    """Packed, of all hosts together."""


class OwnError(Response, frozen=True):
    """Errors of ours that are alike."""

    where: str
    """The part of the engine."""
    words: str
    """Of the newest one."""
    count: int
    first_at: float
    last_at: float


class EngineFigures(Response, frozen=True):
    """All that the engine measures of itself."""

    status: EngineStatus
    version: str
    mode: str
    waves: WaveFigures
    round_trip_median_seconds: float | None
    """Of the hosts' newest fast answers."""
    round_trip_worst_seconds: float | None
    answered_bytes: int
    """Answers of hosts since the start, as unpacked from their connections."""
    asked_polls: int
    """Polls that were due since the start."""
    asked_bytes: int
    """Of the requests that were sent, before they are packed and enciphered."""
    cpu_seconds: float
    """User and system time since the start."""
    threads: int
    open_files: int
    """Sockets included."""
    queued_samples: int
    queued_transactions: int
    damaged_chunks: int
    """Met while reading, since the start."""
    store: str
    """``sqlite`` or ``postgresql``."""
    store_bytes: int | None
    """None: it could not be asked."""
    output_held_bytes: int = 0
    """Of what commands of runbooks write: in memory, until it is on disk and judged."""
    output_most_held_bytes: int = 0
    """The most of it since the start."""
    sections: tuple[SectionCost, ...] = ()
    """The slowest first."""
    errors: tuple[OwnError, ...] = ()
    """The newest first."""
