"""What an audit event's hash and a checkpoint's signature are, and how a chain is verified, also offline.

Needs only the events, the checkpoints and the public key: `guardian-tui audit verify EXPORT` works without an engine.

- hash: SHA-256 over ``guardian-audit-1\\n`` and the event's canonical JSON (all fields but ``hash`` and ``mac``; keys sorted, no blanks, UTF-8, no floats).
- link: ``prev_hash`` is the hash of the event before; 64 zeros for the first.
- mac: HMAC-SHA-256 over the hash's 32 bytes with a key that only the engine has.
- checkpoint: canonical JSON of chain, seq, hash, time_ms and key, signed with Ed25519 (RFC 8032).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from guardian_tui.protocol.audit import AuditBundle, AuditEvent, AuditVerdict
from guardian_tui.protocol.errors import InvalidRequest

DOMAIN = b"guardian-audit-1\n"
FIRST_PREV = "0" * 64
_HASHED = ("chain", "seq", "time_ms", "actor", "action", "target", "outcome", "session", "peer_uid", "body", "prev_hash")


def canonical(fields: dict[str, Any]) -> bytes:  # Any: JSON values without floats
    """Sorted, compact JSON as UTF-8."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def hash_of(event: AuditEvent) -> str:
    """The hash that this event must have."""
    return hashlib.sha256(DOMAIN + canonical({name: getattr(event, name) for name in _HASHED})).hexdigest()


def mac_of(key: bytes, event_hash: str) -> str:
    """The MAC that an event of this hash must have."""
    return hmac.new(key, bytes.fromhex(event_hash), hashlib.sha256).hexdigest()


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A signed statement that the chain reached this event with this hash."""

    chain: str
    seq: int
    hash: str
    time_ms: int
    key: str
    """The public key, hex."""
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return canonical({name: getattr(self, name) for name in ("chain", "seq", "hash", "time_ms", "key")})

    def holds(self, public_key: str) -> bool:
        """Whether it was signed by this key."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
            key.verify(bytes.fromhex(self.signature), self.signed_bytes())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(slots=True)
class Verifier:
    """Checks events in their order and checkpoints against them; remembers the first thing that is wrong.

    ``mac_key`` is None offline: links, hashes and signatures are checked all the same.
    """

    chain: str
    public_key: str
    mac_key: bytes | None = None
    next_seq: int = 1
    prev_hash: str = FIRST_PREV
    events: int = 0
    checkpoints: int = 0
    bad_seq: int | None = None
    words: str = ""
    _due: dict[int, str] = field(default_factory=dict)

    def fail(self, seq: int, words: str) -> None:
        """Note what is wrong; the earliest event wins."""
        if self.bad_seq is None or seq < self.bad_seq:
            self.bad_seq, self.words = seq, words

    def expect(self, checkpoints: Iterable[str]) -> None:
        """Take checkpoints (JSON texts); each event that comes by is compared with its own."""
        for text in checkpoints:
            try:
                point = msgspec.json.decode(text, type=Checkpoint)
            except msgspec.DecodeError:
                self.fail(0, "a checkpoint can't be read")
                continue
            if point.chain != self.chain:
                self.fail(point.seq, f"checkpoint {point.seq} is of another chain")
            elif point.key != self.public_key or not point.holds(self.public_key):
                self.fail(point.seq, f"checkpoint {point.seq} is not signed by this engine's key")
            elif self._due.setdefault(point.seq, point.hash) != point.hash:
                self.fail(point.seq, f"two checkpoints differ on event {point.seq}")

    def feed(self, events: Sequence[AuditEvent]) -> None:
        """Check the next events."""
        for event in events:
            self.events += 1
            if event.seq != self.next_seq:
                self.fail(min(event.seq, self.next_seq), f"event {self.next_seq} is missing (found {event.seq})")
            elif event.chain != self.chain:
                self.fail(event.seq, f"event {event.seq} is of another chain")
            elif event.prev_hash != self.prev_hash:
                self.fail(event.seq, f"event {event.seq} does not follow the one before it")
            elif hash_of(event) != event.hash:
                self.fail(event.seq, f"event {event.seq} was changed")
            elif self.mac_key is not None and not hmac.compare_digest(mac_of(self.mac_key, event.hash), event.mac):
                self.fail(event.seq, f"event {event.seq} was not written by this engine")
            pinned = self._due.pop(event.seq, None)
            if pinned is not None:
                self.checkpoints += 1
                if pinned != event.hash:
                    self.fail(event.seq, f"event {event.seq} differs from its checkpoint: history was rewritten")
            self.next_seq, self.prev_hash = event.seq + 1, event.hash

    def verdict(self, *, whole: bool = True, now: float | None = None) -> AuditVerdict:
        """The verdict after the last event; ``whole``: checkpoints beyond it mean that the end was cut off."""
        beyond = [seq for seq in self._due if seq >= self.next_seq]
        if whole and beyond:
            self.fail(self.next_seq, f"events {self.next_seq} to {max(beyond)} were cut off: a checkpoint knows of them")
        checked = "hashes, links, MACs and checkpoints" if self.mac_key else "hashes, links and checkpoints (not MACs: no key)"
        return AuditVerdict(
            ok=self.bad_seq is None, events=self.events, checkpoints=self.checkpoints, first_bad_seq=self.bad_seq,
            words=self.words or f"{self.events} events hold: {checked}", public_key=self.public_key,
            verified_at=time.time() if now is None else now,
        )  # fmt: skip


def verify_export(data: bytes, public_key: str = "") -> AuditVerdict:
    """Verify an export as `guardian-tui audit export` prints it.

    Args:
        data: JSON of an :class:`AuditBundle`.
        public_key: hex, noted when the engine was set up; empty: the export's own, which proves only that it is whole in itself.

    Raises:
        InvalidRequest: it is no export.
    """
    try:
        bundle = msgspec.json.decode(data, type=AuditBundle)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"This is no audit export: {error}.") from error
    if not bundle.events:
        raise InvalidRequest("The export has no events.")
    first = bundle.events[0]
    verifier = Verifier(bundle.chain, public_key or bundle.public_key, next_seq=first.seq, prev_hash=first.prev_hash)
    if public_key and public_key != bundle.public_key:
        verifier.fail(first.seq, "the export names another public key than the one you gave")
    verifier.expect(bundle.checkpoints)
    verifier.feed(bundle.events)
    return verifier.verdict()
