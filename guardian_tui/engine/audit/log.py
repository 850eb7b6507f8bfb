"""The audit log itself: appends within the transaction of what it records, makes checkpoints, verifies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from guardian_tui.audit_verify import FIRST_PREV, Checkpoint, Verifier, canonical, hash_of, mac_of
from guardian_tui.config import AuditSettings
from guardian_tui.engine.audit.anchors import Anchors
from guardian_tui.engine.audit.keys import load_keys
from guardian_tui.engine.audit.reserve import Reserve
from guardian_tui.engine.calls import Call, Entry, Handler
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import audit_checkpoints, audit_events, meta
from guardian_tui.protocol.audit import AuditBundle, AuditEvent, AuditExport, AuditPage, AuditQuery, AuditVerdict
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.errors import AuditUnavailable, GuardianError, InternalError, StoreUnavailable

log = logging.getLogger(__name__)

LIVE_EVENTS = 200
BATCH = 2000
EXPORT_MOST = 200_000
TEXT_LIMIT = 300
BODY_LIMIT = 8192
LOOP_SECONDS = 1.0
CUT = "…"


class AuditLog:
    """One chain.  Implements :class:`~guardian_tui.engine.calls.AuditSink`.

    Args:
        store: where events are kept.
        live: gets the newest events.
        clock: gives their time.
        settings: when checkpoints are made.
        folder: the state folder: keys, the file of checkpoints and the reserve lie there.
        reserve_bytes: room kept for events when the disk is full.
    """

    def __init__(
        self, store: Store, live: Live, clock: Clock, settings: AuditSettings, folder: Path, *, reserve_bytes: int = 0
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._settings = settings
        self._keys = load_keys(folder / "keys")
        self._anchors = Anchors(folder / "audit" / "checkpoints.jsonl", syslog=settings.syslog)
        self._reserve = Reserve(folder / "audit-reserve", reserve_bytes)
        self._loop: asyncio.Task[None] | None = None
        self._head = 0
        self._head_hash = FIRST_PREV
        self._anchored = 0
        self._anchored_at = 0.0
        self.chain = ""
        self.ok = True
        self.words = ""
        self.verified_at: float | None = None

    @property
    def public_key(self) -> str:
        """Hex of the key with which exports are verified."""
        return self._keys.public

    async def start(self) -> None:
        """Find the chain, verify its end, show its newest events, and begin to make checkpoints.

        Raises:
            StoreUnavailable: the store or the keys can't be used.
        """
        self._store.on_full = self._reserve.release
        self._reserve.fill()
        async with self._store.write() as tx:
            chain = (await tx.execute(select(meta.c.value).where(meta.c.key == "audit_chain"))).scalar()
            if chain is None:
                chain = secrets.token_hex(8)
                await tx.execute(insert(meta), {"key": "audit_chain", "value": chain})
        self.chain = chain
        async with self._store.read() as conn:
            own = audit_events.c.chain == chain
            newest = (await conn.execute(select(audit_events).where(own).order_by(audit_events.c.seq.desc()).limit(LIVE_EVENTS))).all()
            points = audit_checkpoints.c.chain == chain
            self._anchored = int((await conn.execute(select(func.max(audit_checkpoints.c.seq)).where(points))).scalar() or 0)
        for row in reversed(newest):
            event = _event(row)
            self._live.audit.put(str(event.seq), event, {})
            self._head, self._head_hash = event.seq, event.hash
        self._anchored_at = self._clock.monotonic()
        await self.verify(since_checkpoint=True)
        self._loop = asyncio.create_task(self._keep_checkpoints(), name="audit checkpoints")

    async def stop(self) -> None:
        """Make a last checkpoint, and end."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
            self._loop = None
        with contextlib.suppress(GuardianError, OSError):
            await self.checkpoint()

    # --- appending -------------------------------------------------------------------------------

    async def append(self, tx: Tx, entry: Entry) -> int:
        """Add an event within the caller's transaction; answers its seq.

        Raises:
            AuditUnavailable: it can't be written; the transaction must not be committed.
        """
        body = _body(entry.body)
        try:
            own = audit_events.c.chain == self.chain
            query = select(audit_events.c.seq, audit_events.c.hash).where(own).order_by(audit_events.c.seq.desc()).limit(1)
            head = (await tx.execute(query)).first()
            seq, prev = (head.seq + 1, head.hash) if head else (1, FIRST_PREV)
            event = AuditEvent(
                seq=seq, time_ms=int(self._clock.now() * 1000), actor=_clean(entry.actor), action=_clean(entry.action),
                target=_clean(entry.target), outcome=entry.outcome, session=entry.session, peer_uid=entry.peer_uid, body=body,  # type: ignore[arg-type]  # checked by type where entries are made
                chain=self.chain, prev_hash=prev,
            )  # fmt: skip
            event = msgspec.structs.replace(event, hash=hash_of(event))
            event = msgspec.structs.replace(event, mac=mac_of(self._keys.mac, event.hash))
            await tx.execute(insert(audit_events), msgspec.to_builtins(event))
        except SQLAlchemyError as error:
            if "full" in str(error):
                self._reserve.release()
            raise AuditUnavailable(f"{getattr(error, 'orig', error)}".splitlines()[0][:200]) from error
        tx.after_commit(lambda: self._show(event))
        return seq

    def _show(self, event: AuditEvent) -> None:
        self._head, self._head_hash = event.seq, event.hash
        self._live.audit.put(str(event.seq), event, {})
        self._live.audit.drop(str(event.seq - LIVE_EVENTS))

    async def record(self, entry: Entry) -> int:
        """Add an event in a transaction of its own; answers its seq.  On a full disk the reserve is given up and it is tried again.

        Raises:
            AuditUnavailable: it can't be written.
        """
        had_reserve = self._reserve.held
        try:
            return await self._record(entry)
        except (StoreUnavailable, AuditUnavailable) as error:
            if not had_reserve or self._reserve.held:
                raise AuditUnavailable(error.detail) from error
        try:
            return await self._record(entry)
        except StoreUnavailable as error:
            raise AuditUnavailable(error.detail) from error

    async def _record(self, entry: Entry) -> int:
        async with self._store.write() as tx:
            return await self.append(tx, entry)

    # --- checkpoints -------------------------------------------------------------------------------

    async def _keep_checkpoints(self) -> None:
        while True:
            await asyncio.sleep(LOOP_SECONDS)
            try:
                await self.checkpoint_if_due()
                self._reserve.fill()
            except (GuardianError, OSError) as error:
                log.warning("no checkpoint could be made: %s", error)

    async def checkpoint_if_due(self) -> bool:
        """Make a checkpoint after so many events, or so long after the last one."""
        new = self._head - self._anchored
        waited = self._clock.monotonic() - self._anchored_at
        if new >= self._settings.checkpoint_events or (new and waited >= self._settings.checkpoint_seconds):
            return await self.checkpoint()
        return False

    async def checkpoint(self) -> bool:
        """Sign the newest event, and anchor it outside of the store; False if there is none that is new."""
        seq, event_hash = self._head, self._head_hash
        if seq <= self._anchored:
            return False
        point = Checkpoint(
            chain=self.chain, seq=seq, hash=event_hash, time_ms=int(self._clock.now() * 1000), key=self.public_key
        )
        signature = self._keys.signing.sign(point.signed_bytes()).hex()
        line = canonical(msgspec.to_builtins(msgspec.structs.replace(point, signature=signature))).decode()
        async with self._store.write() as tx:
            await tx.execute(insert(audit_checkpoints), {"chain": self.chain, "seq": seq, "body": line})
        await asyncio.to_thread(self._anchors.write, line)
        self._anchored, self._anchored_at = seq, self._clock.monotonic()
        return True

    # --- verification ------------------------------------------------------------------------------

    async def verify(self, *, since_checkpoint: bool = False) -> AuditVerdict:
        """Check the chain against its hashes, MACs, checkpoints and the anchors outside of the store.

        Args:
            since_checkpoint: only what came after the last but one checkpoint (at the start).
        """
        verifier = Verifier(self.chain, self.public_key, self._keys.mac)
        anchored = await asyncio.to_thread(self._anchors.read)
        async with self._store.read() as conn:
            own = audit_checkpoints.c.chain == self.chain
            stored = list((await conn.execute(select(audit_checkpoints.c.body).where(own).order_by(audit_checkpoints.c.seq))).scalars())
        first = 1
        if since_checkpoint and len(stored) > 1:
            begin = msgspec.json.decode(stored[-2], type=Checkpoint)
            first, stored, anchored = begin.seq, stored[-2:], anchored[-2:]
            verifier.next_seq = first
        verifier.expect([*stored, *[line for line in anchored if line not in set(stored)]])
        await self._feed(verifier, first)
        verdict = verifier.verdict(now=self._clock.now())
        self.ok, self.words, self.verified_at = verdict.ok, verdict.words, verdict.verified_at
        if not verdict.ok:
            log.error("the audit chain does not hold: %s", verdict.words)
        return verdict

    async def _feed(self, verifier: Verifier, first: int) -> None:
        seq = first
        while True:
            events = await self._span(seq, seq + BATCH - 1)
            after = events[-1].seq + 1 if events else seq
            if not events:
                # a gap wider than a batch must not end the walk early
                following = await self._next_after(seq)
                if following is None:
                    return
                seq = following
                continue
            if verifier.events == 0 and first > 1:
                verifier.prev_hash = events[0].prev_hash
            await asyncio.to_thread(verifier.feed, events)
            seq = after

    async def _next_after(self, seq: int) -> int | None:
        async with self._store.read() as conn:
            own = (audit_events.c.chain == self.chain) & (audit_events.c.seq >= seq)
            found: int | None = (await conn.execute(select(func.min(audit_events.c.seq)).where(own))).scalar()
            return found

    async def _span(self, first: int, last: int) -> list[AuditEvent]:
        async with self._store.read() as conn:
            span = (audit_events.c.chain == self.chain) & audit_events.c.seq.between(first, last)
            return [_event(row) for row in await conn.execute(select(audit_events).where(span).order_by(audit_events.c.seq))]

    # --- orders ----------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {"audit.list": self.list, "audit.verify": self.order_verify, "audit.export": self.export}

    async def list(self, call: Call, request: AuditQuery) -> AuditPage:
        """`audit.list`: newest first; every word of the filter must be in actor, action, target or outcome."""
        query = select(audit_events).where(audit_events.c.chain == self.chain)
        if request.before is not None:
            query = query.where(audit_events.c.seq < request.before)
        for word in request.filter.split():
            sides = (audit_events.c.actor, audit_events.c.action, audit_events.c.target, audit_events.c.outcome)
            match = sides[0].icontains(word, autoescape=True)
            for side in sides[1:]:
                match = match | side.icontains(word, autoescape=True)
            query = query.where(match)
        async with self._store.read() as conn:
            rows = (await conn.execute(query.order_by(audit_events.c.seq.desc()).limit(request.limit + 1))).all()
        return AuditPage(events=tuple(_event(row) for row in rows[: request.limit]), more=len(rows) > request.limit)

    async def order_verify(self, call: Call, request: Nothing) -> AuditVerdict:
        """`audit.verify`: the whole chain."""
        return await self.verify()

    async def export(self, call: Call, request: AuditExport) -> AuditBundle:
        """`audit.export`: a span, with the checkpoints that cover it; a checkpoint is made first."""
        async with call.change(f"{request.first}-{request.last or ''}"):
            pass
        await self.checkpoint()
        last = min(request.last or self._head, request.first + EXPORT_MOST - 1)
        events = await self._span(request.first, last)
        async with self._store.read() as conn:
            span = (audit_checkpoints.c.chain == self.chain) & audit_checkpoints.c.seq.between(request.first, last)
            points = list((await conn.execute(select(audit_checkpoints.c.body).where(span).order_by(audit_checkpoints.c.seq))).scalars())
        return AuditBundle(chain=self.chain, public_key=self.public_key, events=tuple(events), checkpoints=tuple(points))


def _event(row: Any) -> AuditEvent:  # Any: a row
    fields = row._mapping
    return AuditEvent(**{name: fields[name] for name in AuditEvent.__struct_fields__})


def _clean(text: str) -> str:
    """Bounded, and without what UTF-8 or PostgreSQL can't hold."""
    text = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + CUT


def _body(values: Mapping[str, Any]) -> str:  # Any: JSON values
    text = canonical(_plain(values)).decode()
    if len(text) > BODY_LIMIT:
        return canonical({"cut": True, "start": text[: BODY_LIMIT // 2]}).decode()
    return text


def _plain(value: Any) -> Any:  # Any: JSON values
    if isinstance(value, Mapping):
        return {_clean(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str):
        return _clean(value)
    if value is None or isinstance(value, bool | int):
        return value
    raise InternalError(f"an audit body holds {type(value).__name__}: encoders differ on it, so it can't be hashed")
