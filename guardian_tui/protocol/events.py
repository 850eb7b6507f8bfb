"""The event stream: versioned tables sent as snapshots and deltas.

An event is ``id: BOOT-SEQ``, ``event: NAME``, ``data: JSON``.  ``snapshot`` and ``delta`` carry a :class:`Change`
per table; ``heartbeat`` (every 2 s) carries :class:`Heartbeat`; ``end`` says why the stream was ended.
A subscriber that falls behind gets fewer, larger deltas, never a growing queue.
"""

from __future__ import annotations

import msgspec

from guardian_tui.protocol.alerts import Alert, Silence
from guardian_tui.protocol.approvals import Approval
from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.protocol.backups import JobRow, ReadinessRow, RepositoryRow, RunRow
from guardian_tui.protocol.base import Response
from guardian_tui.protocol.checks import CheckRow
from guardian_tui.protocol.fleet import HostRow, Question
from guardian_tui.protocol.runbooks import (
    RunbookNewest,
    RunbookProgress,
    RunbookResult,
    RunbookRow,
    RunbookRun,
    RunbookWatchers,
)
from guardian_tui.protocol.system import EngineStatus

HEARTBEAT_SECONDS = 2.0


class Delta(Response, frozen=True):
    """What changed since the last event, by table; in a snapshot, all there is.

    A row replaces the row with the same id; ids under ``gone`` are removed from that table.
    """

    seq: int
    complete: bool = False
    """True for a snapshot: forget what you had."""
    hosts: tuple[HostRow, ...] = ()
    alerts: tuple[Alert, ...] = ()
    silences: tuple[Silence, ...] = ()
    audit: tuple[AuditEvent, ...] = ()
    questions: tuple[Question, ...] = ()
    checks: tuple[CheckRow, ...] = ()
    backups: tuple[JobRow, ...] = ()
    runs: tuple[RunRow, ...] = ()
    repositories: tuple[RepositoryRow, ...] = ()
    readiness: tuple[ReadinessRow, ...] = ()
    approvals: tuple[Approval, ...] = ()
    runbooks: tuple[RunbookRow, ...] = ()
    runbook_runs: tuple[RunbookRun, ...] = ()
    runbook_progress: tuple[RunbookProgress, ...] = ()
    runbook_results: tuple[RunbookResult, ...] = ()
    runbook_newest: tuple[RunbookNewest, ...] = ()
    runbook_watchers: tuple[RunbookWatchers, ...] = ()
    gone: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


class Heartbeat(Response, frozen=True):
    """Sign of life, with the engine's own health and the session's end."""

    status: EngineStatus
    session_expires_at: float = 0.0
    locks_at: float = 0.0
    """When the session locks itself if nobody presses a key."""


class End(Response, frozen=True):
    """Last event of a stream: ``reason`` is ``logout``, ``revoked``, ``expired``, ``locked`` or ``shutdown``."""

    reason: str


StreamEvent = Delta | Heartbeat | End
"""What ``Client.events()`` yields."""
