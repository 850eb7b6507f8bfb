"""Makes checkpoints, and keeps them in three places: the store, an append-only file, and syslog."""

from __future__ import annotations

import asyncio
import logging

import msgspec
from sqlalchemy import insert

from guardian_tui.audit_verify import Checkpoint, read_checkpoint
from guardian_tui.config import AuditSettings
from guardian_tui.engine.audit.anchors import Anchors
from guardian_tui.engine.audit.keys import AuditKeys
from guardian_tui.engine.audit.rows import ChainRows
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import audit_checkpoints

log = logging.getLogger(__name__)


class Checkpoints:
    """Signs the head of one chain when it is due.

    At most one checkpoint is in the store and not in the file: none is made while the last one is on its way.
    So a file that lacks more than the newest was cut.
    """

    def __init__(
        self, store: Store, anchors: Anchors, keys: AuditKeys, clock: Clock, settings: AuditSettings
    ) -> None:
        self._store = store
        self._anchors = anchors
        self._keys = keys
        self._clock = clock
        self._settings = settings
        self._chain = ""
        self._count = 0
        self._at = 0.0
        self.pending = ""
        """The newest one while it has not reached the file (its disk is full); else empty."""
        self.seq = 0
        """The event of the newest checkpoint."""
        self.lock = asyncio.Lock()
        """Held while one is made: store and file agree outside of it."""

    async def load(self, chain: str, rows: ChainRows) -> None:
        """Find the newest checkpoint; if a crash kept it from the file, it is written there now."""
        self._chain, self._at = chain, self._clock.monotonic()
        newest = await rows.newest_checkpoints(2)
        held = await asyncio.to_thread(self._anchors.tail)
        last = ""
        for line in (*newest, *held):
            point = read_checkpoint(line)
            # one that was forged must not keep us from making more
            if point and point.seq > self.seq and point.chain == chain and point.holds(self._keys.public):
                self.seq, self._count, last = point.seq, point.count, line
        # only what a crash explains is mended: the one before it is there, or there is none before it
        if last and last not in held and (newest[0] in held or self._count == 1):
            self.pending = last

    def due(self, head: int) -> bool:
        """Whether enough events, or enough time with any, have passed."""
        new = head - self.seq
        waited = self._clock.monotonic() - self._at
        return new >= self._settings.checkpoint_events or (
            new > 0 and waited >= self._settings.checkpoint_seconds
        )

    async def make(self, head: int, head_hash: str) -> bool:
        """Sign event ``head``; False if there is nothing new.

        Raises:
            StoreUnavailable: the store can't be written.
            OSError: the file can't be written; it is tried again before the next one.
        """
        async with self.lock:
            await self._anchor()
            if head <= self.seq:
                return False
            point = Checkpoint(
                chain=self._chain,
                seq=head,
                hash=head_hash,
                time_ms=int(self._clock.now() * 1000),
                count=self._count + 1,
                key=self._keys.public,
            )
            signature = self._keys.signing.sign(point.signed_bytes()).hex()
            line = msgspec.structs.replace(point, signature=signature).line()
            async with self._store.write() as tx:
                await tx.execute(insert(audit_checkpoints), {"chain": self._chain, "seq": head, "body": line})
            self.seq, self._count, self._at = head, self._count + 1, self._clock.monotonic()
            self.pending = line
            await self._anchor()
            return True

    async def _anchor(self) -> None:
        if self.pending:
            await asyncio.to_thread(self._anchors.write, self.pending)
            self.pending = ""
