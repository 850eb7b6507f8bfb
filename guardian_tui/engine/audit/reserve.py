"""Room inside SQLite's own files, so that state can still be written when the disk is full.

A file that is deleted when the disk is full gives its room to whoever writes first, hardly ever the audit log.  So
the room is kept where nobody else can take it: free pages within ``state.db``, and a write-ahead log that is
already as long (SQLite writes both again in place).  docs/audit.md says what holds and what does not.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from sqlalchemy import text

from guardian_tui.engine.store.database import Store

log = logging.getLogger(__name__)

LEAST_BYTES = 5 << 20
"""SQLite begins its write-ahead log again after 1,000 pages of 4 KiB: a shorter one would have to grow."""

_KEY = "audit_reserve"
_DELETE = text("DELETE FROM meta WHERE key = :key")
_INSERT = text("INSERT INTO meta (key, value) VALUES (:key, zeroblob(:size))")


class Reserve:
    """Keeps ``size_bytes`` (0: none; else at least :data:`LEAST_BYTES`) of free pages, and as much log.

    PostgreSQL's room is its own server's.
    """

    def __init__(self, store: Store, folder: Path, size_bytes: int) -> None:
        self._store = store
        self._folder = folder
        wanted = store.dialect == "sqlite" and size_bytes > 0
        self._size = max(size_bytes, LEAST_BYTES) if wanted else 0
        self._made = False

    async def held_bytes(self) -> int:
        """Free pages within the store, in bytes."""
        async with self._store.read() as conn:
            pages = (await conn.execute(text("PRAGMA freelist_count"))).scalar_one()
            page_bytes = (await conn.execute(text("PRAGMA page_size"))).scalar_one()
        return int(pages) * int(page_bytes)

    async def fill(self) -> bool:
        """Make the reserve if it is not whole and the disk has room to spare; True if it is whole.

        At the first call of a run it is made anew in any case: that is what makes the write-ahead log long.

        Raises:
            StoreUnavailable: the store can't be written.
        """
        if self._size == 0:
            return False
        if self._made and await self.held_bytes() >= self._size // 2:
            return True
        room = os.statvfs(self._folder)
        if room.f_bavail * room.f_frsize < 4 * self._size:
            return False
        async with self._store.write() as tx:
            await tx.execute(_DELETE, {"key": _KEY})
            await tx.execute(_INSERT, {"key": _KEY, "size": self._size})
        # real blocks in the file, not only in the log
        await self._write_back()
        async with self._store.write() as tx:
            await tx.execute(_DELETE, {"key": _KEY})
        # and the log begins again at its start
        await self._write_back()
        self._made = True
        return True

    async def _write_back(self) -> None:
        async with self._store.read() as conn:
            await conn.execute(text("PRAGMA wal_checkpoint(PASSIVE)"))
