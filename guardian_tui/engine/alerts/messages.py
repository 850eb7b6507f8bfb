"""Messages: what is told of alerts, as plain text and as JSON.

All text that came from a host passes :func:`guardian_tui.text.safe` here, so no channel has to think of it.
"""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from guardian_tui.engine.alerts.catalogue import quantity
from guardian_tui.protocol.alerts import Alert
from guardian_tui.text import counted, safe

Kind = Literal["firing", "worse", "resolved", "test", "note"]

FORMAT_VERSION = 1
SUBJECT_LIMIT = 150
TEXT_LIMIT = 200
LINES_LIMIT = 50
NOTE_LIMIT = 1000

_WORDS: dict[Kind, str] = {
    "firing": "FIRING",
    "worse": "WORSE",
    "resolved": "RESOLVED",
    "test": "TEST",
    "note": "NOTE",
}
_RANK = {"critical": 0, "warning": 1, "info": 2}


class Note(msgspec.Struct, frozen=True):
    """One thing to tell, as it is kept in the outbox."""

    kind: Kind
    alert: Alert
    at: float


class Message(msgspec.Struct, frozen=True):
    """Notes that go out together.  ``key`` is the same each time it is tried: who has seen it may drop it."""

    key: str
    environment: str
    notes: tuple[Note, ...]


def _safe(text: str, limit: int = TEXT_LIMIT) -> str:
    shown = " ".join(safe(text).split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def utc(at: float) -> str:
    """A time as text, UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def headline(note: Note) -> str:
    """One line: what, where, how bad."""
    alert = note.alert
    if note.kind == "note":
        return f"NOTE: {_safe(alert.title)}"
    where = _safe(alert.host) or "engine"
    what = _safe(alert.title) + (f" {_safe(alert.instance)}" if alert.instance else "")
    severity = "" if note.kind in ("resolved", "test") else f" {alert.severity}"
    return f"{_WORDS[note.kind]}{severity}: {what} on {where}"


def in_order(message: Message) -> list[Note]:
    """Notes as they are read: what fires before what is over, worst first, then oldest."""
    return sorted(
        message.notes, key=lambda note: (note.kind == "resolved", _RANK.get(note.alert.severity, 3), note.at)
    )


def subject(message: Message) -> str:
    """Subject line of a mail; one line, bounded."""
    notes = in_order(message)
    place = f"[guardian {_safe(message.environment)}] " if message.environment else "[guardian] "
    more = f" (+{len(notes) - 1} more)" if len(notes) > 1 else ""
    return place + _safe(headline(notes[0]), SUBJECT_LIMIT) + more


def plain_text(message: Message) -> str:
    """Body of a mail."""
    blocks = [_block(note) for note in in_order(message)[:LINES_LIMIT]]
    if len(message.notes) > LINES_LIMIT:
        blocks.append(f"… and {len(message.notes) - LINES_LIMIT} more")
    return "\n\n".join(blocks) + "\n"


def _block(note: Note) -> str:
    alert = note.alert
    lines = [headline(note)]
    if note.kind == "note":
        return "\n".join(
            [*lines, *(f"  {_safe(line, NOTE_LIMIT)}" for line in alert.why.splitlines()[:LINES_LIMIT])]
        )
    if alert.why:
        lines.append(f"  {_safe(alert.why)}")
    if alert.value is not None and alert.threshold is not None:
        lines.append(
            f"  value {quantity(alert.value, alert.unit)}, limit {quantity(alert.threshold, alert.unit)}"
        )
    lines.append(
        f"  since {utc(alert.since)}" + (f", over {utc(alert.resolved_at)}" if alert.resolved_at else "")
    )
    if alert.folded:
        lines.append(f"  {counted(alert.folded, 'host')} behind it can't be reached")
    if alert.acknowledged_by:
        lines.append(f"  acknowledged by {_safe(alert.acknowledged_by)}")
    lines.append(f"  rule {alert.rule}, alert {alert.id}")
    return "\n".join(lines)


def as_json(message: Message, sent_at: float) -> bytes:
    """Body of a webhook request; its fields are documented in docs/alerts.md."""
    body = {
        "version": FORMAT_VERSION,
        "key": message.key,
        "environment": _safe(message.environment),
        "sent_at": sent_at,
        "subject": subject(message),
        "alerts": [_json_note(note) for note in in_order(message)],
    }
    return msgspec.json.encode(body)


def _json_note(note: Note) -> dict[str, object]:
    alert = note.alert
    return {
        "event": note.kind,
        "at": note.at,
        "id": alert.id,
        "rule": alert.rule,
        "title": _safe(alert.title),
        "severity": alert.severity,
        "tier": alert.tier,
        "host": _safe(alert.host),
        "instance": _safe(alert.instance),
        "why": _safe(alert.why, NOTE_LIMIT if note.kind == "note" else TEXT_LIMIT),
        "since": alert.since,
        "resolved_at": alert.resolved_at,
        "metric": _safe(alert.metric, 300),
        "value": alert.value,
        "threshold": alert.threshold,
        "unit": alert.unit,
        "folded": alert.folded,
        "acknowledged_by": _safe(alert.acknowledged_by),
    }
