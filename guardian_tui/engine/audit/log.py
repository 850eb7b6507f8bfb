"""The audit log itself: appends within the transaction of what it records, and has checkpoints made."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from pathlib import Path

import msgspec
from sqlalchemy import insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from guardian_tui.audit_verify import FIRST_PREV
from guardian_tui.config import AuditSettings, StoreSettings
from guardian_tui.engine.audit.anchors import Anchors
from guardian_tui.engine.audit.checkpoints import Checkpoints
from guardian_tui.engine.audit.entries import make_event
from guardian_tui.engine.audit.inspection import Inspection
from guardian_tui.engine.audit.keys import load_keys
from guardian_tui.engine.audit.orders import Orders
from guardian_tui.engine.audit.reserve import Reserve
from guardian_tui.engine.audit.rows import ChainRows
from guardian_tui.engine.calls import Entry, Handler
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store, Tx, words_of
from guardian_tui.engine.store.tables import audit_events, meta
from guardian_tui.engine.turns import next_turn
from guardian_tui.protocol.audit import AuditEvent, AuditVerdict
from guardian_tui.protocol.errors import AuditUnavailable, GuardianError, StoreUnavailable

log = logging.getLogger(__name__)

LIVE_EVENTS = 200
LOOP_SECONDS = 1.0
RESERVE_TICKS = 60
"""The reserve is looked at once in so many turns of the loop."""
_ORDERLY = text("SELECT pg_advisory_xact_lock(hashtext(:chain))")


class AuditLog:
    """One chain.  Implements :class:`~guardian_tui.engine.calls.AuditSink`.

    Args:
        store: where events are kept.
        live: gets the newest events.
        clock: gives their time.
        settings: when checkpoints are made.
        folder: the state folder: keys and the file of checkpoints lie there.
        reserve_bytes: room kept in the store for when the disk is full; 0: none.
    """

    def __init__(
        self,
        store: Store,
        live: Live,
        clock: Clock,
        settings: AuditSettings,
        folder: Path,
        *,
        reserve_bytes: int = StoreSettings().reserve_bytes,
    ) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self._keys = load_keys(folder / "keys")
        self._anchors = Anchors(folder / "audit" / "checkpoints.jsonl", syslog=settings.syslog)
        self._checkpoints = Checkpoints(store, self._anchors, self._keys, clock, settings)
        self._reserve = Reserve(store, folder, reserve_bytes)
        self._inspection: Inspection | None = None
        self._loop: asyncio.Task[None] | None = None
        self._told = ""
        self._head = 0
        self._head_hash = FIRST_PREV
        self.chain = ""
        self.ok = True
        """Whether the last verification found the chain whole; goes into the engine's status."""
        self.words = ""
        self.verified_at: float | None = None

    @property
    def public_key(self) -> str:
        """Hex of the key with which exports are verified."""
        return self._keys.public

    @property
    def head(self) -> int:
        """Number of the newest event."""
        return self._head

    async def start(self) -> None:
        """Find the chain, verify its end, show its newest events, and begin to make checkpoints.

        Raises:
            StoreUnavailable: the store or the keys can't be used.
        """
        async with self._store.write() as tx:
            chain = (await tx.execute(select(meta.c.value).where(meta.c.key == "audit_chain"))).scalar()
            if chain is None:
                chain = secrets.token_hex(8)
                await tx.execute(insert(meta), {"key": "audit_chain", "value": chain})
        self.chain = chain
        rows = ChainRows(self._store, chain)
        for event in await rows.newest(LIVE_EVENTS):
            self._live.audit.put(str(event.seq), event, {})
            self._head, self._head_hash = event.seq, event.hash
        await self._checkpoints.load(chain, rows)
        try:
            # a crash may have kept the newest one from the file
            await self._checkpoints.make(0, "")
        except OSError as error:
            self._tell(f"the audit log's checkpoints can't be written: {error.strerror}")
        self._inspection = Inspection(rows, self._checkpoints, self._anchors, self._keys, chain)
        self._note(await self._inspection.tail(self._clock.now()))
        self._loop = asyncio.create_task(self._keep(), name="audit checkpoints")

    async def stop(self) -> None:
        """Make a last checkpoint, and end."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
            self._loop = None
        with contextlib.suppress(GuardianError, SQLAlchemyError, OSError):
            await self.checkpoint()

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        orders = Orders(self, self._store)
        return {"audit.list": orders.list, "audit.verify": orders.verify, "audit.export": orders.export}

    async def append(self, tx: Tx, entry: Entry) -> int:
        """Add an event within the caller's transaction; answers its seq.

        Raises:
            AuditUnavailable: it can't be written; the transaction must not be committed.
            InternalError: the body holds a value that can't be hashed.
        """
        if not self.chain:
            raise AuditUnavailable("The audit log has not been started.")
        try:
            event = await self._insert(tx, entry)
        except SQLAlchemyError as error:
            raise AuditUnavailable(f"{words_of(error)}. Nothing was done.") from error
        tx.after_commit(lambda: self._show(event))
        return event.seq

    async def _insert(self, tx: Tx, entry: Entry) -> AuditEvent:
        if self._store.dialect == "postgresql":
            # on SQLite the transaction itself is the lock (BEGIN IMMEDIATE)
            await tx.execute(_ORDERLY, {"chain": self.chain})
        query = select(audit_events.c.seq, audit_events.c.hash).where(audit_events.c.chain == self.chain)
        head = (await tx.execute(query.order_by(audit_events.c.seq.desc()).limit(1))).first()
        seq, prev_hash = (head.seq, head.hash) if head else (0, FIRST_PREV)
        if not (isinstance(seq, int) and isinstance(prev_hash, str)):
            raise AuditUnavailable("The newest row of the audit log is no event: it was tampered with.")
        if seq <= self._head and (seq, prev_hash) != (self._head, self._head_hash):
            # what follows stands on what we wrote, so that the gap is there for whoever verifies
            self.ok, self.words = (
                False,
                f"the events up to {self._head} are not as this engine wrote them: the last were cut off or changed",
            )
            log.error("the audit chain does not hold: %s", self.words)
            seq, prev_hash = self._head, self._head_hash
        event = make_event(
            entry,
            chain=self.chain,
            seq=seq + 1,
            prev_hash=prev_hash,
            time_ms=int(self._clock.now() * 1000),
            mac_key=self._keys.mac,
        )
        await tx.execute(insert(audit_events), msgspec.to_builtins(event))
        return event

    def _show(self, event: AuditEvent) -> None:
        self._head, self._head_hash = event.seq, event.hash
        self._live.audit.put(str(event.seq), event, {})
        self._live.audit.drop(str(event.seq - LIVE_EVENTS))

    async def record(self, entry: Entry) -> int:
        """Add an event in a transaction of its own; answers its seq.

        Raises:
            AuditUnavailable: it can't be written.
        """
        try:
            async with self._store.write() as tx:
                return await self.append(tx, entry)
        except StoreUnavailable as error:
            raise AuditUnavailable(error.detail) from error

    async def checkpoint(self) -> bool:
        """Sign the newest event, and anchor it outside of the store; False if there is none that is new.

        Raises:
            StoreUnavailable: the store can't be written.
            OSError: the file of checkpoints can't be written.
        """
        return await self._checkpoints.make(self._head, self._head_hash)

    async def checkpoint_if_due(self) -> bool:
        """Make a checkpoint after so many events, or so long after the last one."""
        return self._checkpoints.due(self._head) and await self.checkpoint()

    async def fill_reserve(self) -> bool:
        """Make room for when the disk is full; True if there is."""
        return await self._reserve.fill()

    async def _keep(self) -> None:
        turn = 0
        while True:
            try:
                if turn % RESERVE_TICKS == 0:
                    await self.fill_reserve()
                await self.checkpoint_if_due()
                self._tell("")
            except Exception as error:
                # whatever it is: the next ones must be made
                self._tell(f"the audit log's checkpoints can't be made: {words_of(error)}")
            turn += 1
            await next_turn(LOOP_SECONDS)

    def _tell(self, words: str) -> None:
        """Log a trouble once, not each second."""
        if words and words != self._told:
            log.warning("%s", words)
        self._told = words

    async def verify(self) -> AuditVerdict:
        """Check the whole chain: hashes, MACs, checkpoints, and their file outside of the store."""
        if self._inspection is None:
            raise AuditUnavailable("The audit log has not been started.")
        verdict = await self._inspection.whole(self._clock.now(), self._head)
        self._note(verdict)
        return verdict

    def _note(self, verdict: AuditVerdict) -> None:
        self.ok, self.words, self.verified_at = verdict.ok, verdict.words, verdict.verified_at
        if not verdict.ok:
            log.error("the audit chain does not hold: %s", verdict.words)
