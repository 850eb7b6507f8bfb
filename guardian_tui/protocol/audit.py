"""The audit log as seen from outside."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Ordinal, Request, Response

Outcome = Literal["ok", "denied", "failed", "intent"]


class AuditEvent(Response, frozen=True):
    """One event of the chain.  ``body`` is JSON text exactly as it is stored and hashed."""

    seq: int
    time_ms: int
    """Unix milliseconds: whole, since floats differ between encoders."""
    actor: str
    action: str
    """Route name or internal action, e.g. ``alerts.acknowledge``."""
    target: str
    outcome: Outcome
    session: str = ""
    """First 8 hex digits of the session's hash; empty before login."""
    peer_uid: int = -1
    body: str = "{}"
    chain: str = ""
    prev_hash: str = ""
    hash: str = ""
    mac: str = ""


class AuditQuery(Request, frozen=True):
    """Newest first, before ``before`` (a seq), optionally filtered."""

    before: Ordinal | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    filter: Annotated[str, msgspec.Meta(max_length=500)] = ""


class AuditPage(Response, frozen=True):
    """A page of events, newest first."""

    events: tuple[AuditEvent, ...]
    more: bool = False


class AuditVerdict(Response, frozen=True):
    """Result of a verification of the whole chain."""

    ok: bool
    events: int
    checkpoints: int
    first_bad_seq: int | None = None
    words: str = ""
    """What is wrong and since when, or what was checked."""
    verified_at: float = 0.0
    public_key: str = ""


class AuditExport(Request, frozen=True):
    """Export a span of the chain."""

    first: Ordinal = 1
    last: Ordinal | None = None


class AuditBundle(Response, frozen=True):
    """An export that ``guardian-tui audit verify`` checks offline."""

    chain: str
    public_key: str
    events: tuple[AuditEvent, ...]
    checkpoints: tuple[str, ...]
    """Signed checkpoints as stored (JSON text)."""
    more: bool = False
    """The span was longer than one export; go on after its last event."""
