"""What an audit event's hash and a checkpoint's signature are, and how a chain is verified, also offline.

Needs only the events, the checkpoints and the public key: ``guardian-tui audit verify EXPORT`` works without
an engine.  docs/audit.md describes the format for a stranger who writes a verifier of their own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from guardian_tui.protocol.audit import AuditBundle, AuditEvent, AuditVerdict
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.text import counted

DOMAIN = b"guardian-audit-1\n"
CHECKPOINT_DOMAIN = b"guardian-checkpoint-1\n"
FIRST_PREV = "0" * 64
_HASHED = (
    "chain", "seq", "time_ms", "actor", "action", "target", "outcome", "session", "peer_uid", "body",
    "prev_hash",
)  # fmt: skip
_SIGNED = ("chain", "seq", "hash", "time_ms", "count", "key")


def canonical(fields: dict[str, Any]) -> bytes:  # Any: JSON values without floats
    """Sorted, compact JSON as UTF-8."""
    return json.dumps(
        fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def hash_of(event: AuditEvent) -> str:
    """The hash that this event must have; empty for one that can't be hashed (a field of a wrong type)."""
    try:
        text = canonical({name: getattr(event, name) for name in _HASHED})
    except (TypeError, ValueError):
        return ""
    return hashlib.sha256(DOMAIN + text).hexdigest()


def mac_of(key: bytes, event_hash: str) -> str:
    """The MAC that an event of this hash must have."""
    return hmac.new(key, bytes.fromhex(event_hash), hashlib.sha256).hexdigest()


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A signed statement that the chain reached this event with this hash."""

    chain: str
    seq: int
    hash: str
    time_ms: int
    count: int
    """Which checkpoint of its chain it is, from 1: one that was taken away leaves a gap."""
    key: str
    """The public key, hex."""
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        return CHECKPOINT_DOMAIN + canonical({name: getattr(self, name) for name in _SIGNED})

    def line(self) -> str:
        """Its form in the store, the file and syslog."""
        return canonical(msgspec.to_builtins(self)).decode()

    def holds(self, public_key: str) -> bool:
        """Whether it was signed by this key."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
            key.verify(bytes.fromhex(self.signature), self.signed_bytes())
        except (InvalidSignature, ValueError):
            return False
        return True


def read_checkpoint(text: object) -> Checkpoint | None:
    """A checkpoint from its JSON text; None if it is none."""
    try:
        return msgspec.json.decode(text, type=Checkpoint) if isinstance(text, str | bytes) else None
    except (msgspec.DecodeError, UnicodeError):
        return None


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
    covered: int = 0
    """The newest event that a checkpoint vouches for."""
    bad_seq: int | None = None
    words: str = ""
    _due: dict[int, str] = field(default_factory=dict)

    def fail(self, seq: int, words: str) -> None:
        """Note what is wrong; the earliest event wins."""
        if self.bad_seq is None or seq < self.bad_seq:
            self.bad_seq, self.words = seq, words

    def expect(self, checkpoints: Iterable[object]) -> None:
        """Take checkpoints (JSON texts); each event that comes by is compared with its own."""
        points: dict[int, Checkpoint] = {}
        for text in checkpoints:
            point = read_checkpoint(text)
            if point is None:
                self.fail(0, "a checkpoint can't be read")
            elif point.chain != self.chain:
                self.fail(point.seq, f"checkpoint {point.seq} is of another chain")
            elif point.key != self.public_key or not point.holds(self.public_key):
                self.fail(point.seq, f"checkpoint {point.seq} is not signed by this engine's key")
            elif points.setdefault(point.seq, point).hash != point.hash:
                self.fail(point.seq, f"two checkpoints differ on event {point.seq}")
            else:
                self._due[point.seq] = point.hash
        self._expect_no_gap([points[seq] for seq in sorted(points)])

    def _expect_no_gap(self, points: Sequence[Checkpoint]) -> None:
        if points and self.next_seq == 1 and points[0].count != 1:
            self.fail(points[0].seq, f"the checkpoints before the one on event {points[0].seq} are missing")
        for before, after in pairwise(points):
            if after.count != before.count + 1:
                self.fail(
                    before.seq + 1, f"checkpoints between events {before.seq} and {after.seq} are missing"
                )

    def feed(self, events: Sequence[AuditEvent]) -> None:
        """Check the next events."""
        for event in events:
            self.events += 1
            wrong = self._wrong(event)
            if wrong:
                self.fail(min(event.seq, self.next_seq), wrong)
            pinned = self._due.pop(event.seq, None)
            if pinned is not None:
                self.checkpoints += 1
                self.covered = event.seq
                if pinned != event.hash:
                    self.fail(
                        event.seq, f"event {event.seq} differs from its checkpoint: history was rewritten"
                    )
            self.next_seq, self.prev_hash = event.seq + 1, event.hash

    def _wrong(self, event: AuditEvent) -> str:
        if event.seq != self.next_seq:
            return f"event {self.next_seq} is missing (found {event.seq})"
        if event.chain != self.chain:
            return f"event {event.seq} is of another chain"
        if event.prev_hash != self.prev_hash:
            return f"event {event.seq} does not follow the one before it"
        found = hash_of(event)
        if not found or found != event.hash:
            return f"event {event.seq} was changed"
        if self.mac_key is not None:
            # bytes: compare_digest refuses a str that is not ASCII, and the column may hold anything
            given = str(event.mac).encode("utf-8", "replace")
            if not hmac.compare_digest(mac_of(self.mac_key, found).encode(), given):
                return f"event {event.seq} was not written by this engine"
        return ""

    def verdict(self, *, now: float | None = None) -> AuditVerdict:
        """The verdict after the last event; checkpoints beyond it mean that the end was cut off."""
        beyond = [seq for seq in self._due if seq >= self.next_seq]
        if beyond:
            self.fail(
                self.next_seq,
                f"events {self.next_seq} to {max(beyond)} were cut off: a checkpoint knows of them",
            )
        checked = "hashes, links, MACs and checkpoints"
        if self.mac_key is None:
            checked = "hashes, links and checkpoints (not MACs: their key never leaves the engine)"
        return AuditVerdict(
            ok=self.bad_seq is None,
            events=self.events,
            checkpoints=self.checkpoints,
            first_bad_seq=self.bad_seq,
            words=self.words or f"{counted(self.events, 'event holds', 'events hold')}: {checked}",
            public_key=self.public_key,
            verified_at=time.time() if now is None else now,
        )


def verify_export(data: bytes, public_key: str = "") -> AuditVerdict:
    """Verify an export as ``guardian-tui audit export`` prints it.

    Args:
        data: JSON of an :class:`AuditBundle`.
        public_key: hex, noted when the engine was set up.  Empty: the export's own, which proves only that
            the export is whole in itself, and the verdict says so.

    Raises:
        InvalidRequest: it is no export.
    """
    try:
        bundle = msgspec.json.decode(data, type=AuditBundle)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidRequest(f"This is no audit export: {error}.") from error
    if not bundle.events:
        raise InvalidRequest("The export has no events.")
    given = public_key.strip().lower()
    first = bundle.events[0]
    before = FIRST_PREV if first.seq == 1 else first.prev_hash
    verifier = Verifier(bundle.chain, given or bundle.public_key, next_seq=first.seq, prev_hash=before)
    if given and given != bundle.public_key:
        verifier.fail(first.seq, "the export names another public key than the one you gave")
    verifier.expect(bundle.checkpoints)
    verifier.feed(bundle.events)
    last = bundle.events[-1].seq
    if verifier.covered < last:
        # an engine ends every export with a checkpoint: without one, anybody could have made these events up
        bare = max(first.seq, verifier.covered + 1)
        verifier.fail(bare, f"no signed checkpoint covers events {bare} to {last}")
    verdict = verifier.verdict()
    if verdict.ok and not given:
        words = f"{verdict.words}; whose key it is was not checked: give the engine's with --key"
        return msgspec.structs.replace(verdict, words=words)
    return verdict
