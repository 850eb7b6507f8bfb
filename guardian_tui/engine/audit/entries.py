"""From an entry to the event that is stored: bounded, cleaned, hashed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from guardian_tui.audit_verify import canonical, hash_of, mac_of
from guardian_tui.engine.calls import Entry
from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.protocol.errors import InternalError

TEXT_LIMIT = 300
"""Most characters of a text: actor, target, and each one in a body."""
BODY_LIMIT_BYTES = 8192
DEPTH_LIMIT = 8
_LARGEST = 2**63
CUT = "…"


def make_event(
    entry: Entry, *, chain: str, seq: int, prev_hash: str, time_ms: int, mac_key: bytes
) -> AuditEvent:
    """The event as it will be stored.

    Raises:
        InternalError: the body holds a value that can't be hashed the same way everywhere.
    """
    event = AuditEvent(
        seq=seq,
        time_ms=time_ms,
        actor=clean(entry.actor),
        action=clean(entry.action),
        target=clean(entry.target),
        outcome=clean(entry.outcome),  # type: ignore[arg-type]  # a plain word of Outcome
        session=clean(entry.session),
        peer_uid=entry.peer_uid,
        body=body_text(entry.body),
        chain=chain,
        prev_hash=prev_hash,
    )
    event_hash = hash_of(event)
    return msgspec.structs.replace(event, hash=event_hash, mac=mac_of(mac_key, event_hash))


def clean(text: str) -> str:
    """Bounded, and without what UTF-8 or PostgreSQL can't hold."""
    text = text[: TEXT_LIMIT + 1].encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + CUT


def body_text(values: Mapping[str, Any]) -> str:  # Any: JSON values
    """The body as canonical JSON of at most :data:`BODY_LIMIT_BYTES`; what is longer is cut, and says so."""
    encoded = canonical(_plain(values, 0))
    if len(encoded) <= BODY_LIMIT_BYTES:
        return encoded.decode()
    # escaping what is already JSON at most doubles it
    start = encoded[: BODY_LIMIT_BYTES // 2 - 32].decode("utf-8", "ignore")
    return canonical({"cut": True, "start": start + CUT}).decode()


def _plain(value: Any, depth: int) -> Any:  # Any: JSON values
    if depth > DEPTH_LIMIT:
        return CUT
    if isinstance(value, Mapping):
        return {clean(str(key)): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -_LARGEST <= value < _LARGEST:
        return value
    raise InternalError(
        f"an audit body holds {type(value).__name__}: encoders differ on it, so it can't be hashed"
    )
