"""One engine per store: a lock file for SQLite, an advisory lock for PostgreSQL."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn

from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from guardian_tui.engine.store.faults import words_of
from guardian_tui.engine.store.tables import meta
from guardian_tui.protocol.errors import StoreUnavailable

log = logging.getLogger(__name__)

NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph"}
)  # fmt: skip
OWN_GHOST_TRIES = 100
OWN_GHOST_SECONDS = 0.05
NOBODY = 0
"""For a backend: whoever had the lock gave it back between two questions."""
_ADVISORY_KEY = 0x67756172  # "guar"
_MARK_KEY = "holder"
_AGAIN = "Start it again, and it goes on from what is there"
_ALIVE = text("SELECT 1")
_TAKE = text("SELECT pg_try_advisory_lock(:key)")
_GIVE_BACK = text("SELECT pg_advisory_unlock(:key)")
_BACKEND = text("SELECT pg_backend_pid()")
_END = text("SELECT pg_terminate_backend(:pid)")
_HOLDER = text(
    "SELECT l.pid, a.application_name FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)"
    " WHERE l.locktype = 'advisory' AND l.objid = :key AND l.granted"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class StoreLock:
    """An exclusive flock(2) on a file that holds our pid; the kernel gives it back when we die."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def take(cls, path: Path) -> StoreLock:
        """Take the lock.

        Raises:
            StoreUnavailable: another engine has it; says which process.
        """
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise StoreUnavailable(
                f"Another engine (process {holder}) has this store. One engine per store."
            ) from error
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        return cls(handle)

    def release(self) -> None:
        """Give it back."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class AdvisoryLock:
    """PostgreSQL's advisory lock of one database, and the connection on which it lives.

    All that changes the state goes through that very connection: an engine whose lock is gone can't write, since the lock goes only
    with the connection.  A lost connection is made again; if another engine has had the database meanwhile, what is in our memory is
    out of date, and nothing is written any more.  The same goes for a server that comes back without what was written last.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._conn: AsyncConnection | None = None
        self._backend = 0
        self._mark = ""
        self._written = self._counted = 0
        """Transactions that changed the state: those that are known to be committed, and the one that was begun last."""
        self.lost = ""
        """Why this engine may never write again, in words; empty while it may."""

    async def take(self) -> None:
        """Take the lock for the first time.

        Raises:
            StoreUnavailable: another engine has it; says which.
        """
        conn = await self._engine.connect()
        try:
            holder = await self._try(conn)
            if holder is not None:
                raise StoreUnavailable(
                    f"Another engine ({holder[1]}) has this database. One engine per store."
                )
        except BaseException:
            await _drop(conn)
            raise
        self._conn = conn

    async def mark(self) -> None:
        """Leave our mark in the migrated store: it tells whether anybody else held the lock since."""
        self._mark = secrets.token_hex(8)
        async with self.transaction() as conn:
            await conn.execute(delete(meta).where(meta.c.key == _MARK_KEY))
            await conn.execute(insert(meta), {"key": _MARK_KEY, "value": f"{self._mark} 0"})

    async def count(self, conn: AsyncConnection) -> None:
        """Count a transaction that changes the state, within it: a store that lacks it later is not as we left it."""
        self._counted = self._written + 1
        counted = update(meta).where(meta.c.key == _MARK_KEY).values(value=f"{self._mark} {self._counted}")
        await conn.execute(counted)

    def committed(self) -> None:
        """What was counted last is committed."""
        self._written = self._counted

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A transaction on the connection that holds the lock.  One at a time.

        Raises:
            StoreUnavailable: another engine has the database.
            DBAPIError: the database can't be reached.
        """
        conn = await self._alive()
        self._counted = self._written
        try:
            yield conn
            await conn.commit()
            self.committed()
        except BaseException:
            with suppress(DBAPIError):
                await conn.rollback()
            raise

    async def _alive(self) -> AsyncConnection:
        """The connection that holds the lock, in a new transaction; made again if it was lost."""
        if self.lost:
            raise StoreUnavailable(self.lost)
        if self._conn is not None and not self._conn.invalidated:
            try:
                await self._conn.execute(_ALIVE)
                return self._conn
            except DBAPIError as error:
                log.warning("the connection to PostgreSQL was lost: %s", words_of(error))
        if self._conn is not None:
            await _drop(self._conn)
            self._conn = None
        self._conn = await self._retake()
        return self._conn

    async def _retake(self) -> AsyncConnection:
        conn = await self._engine.connect()
        try:
            for _ in range(OWN_GHOST_TRIES):
                holder = await self._try(conn)
                if holder is None:
                    break
                if holder[0] not in (self._backend, NOBODY):
                    self._lose_to(holder[1])
                if holder[0] == self._backend:
                    # the server has not noticed yet that our former connection is gone; if it just has, our mark tells whose the lock was
                    await conn.execute(_END, {"pid": self._backend})
                await asyncio.sleep(OWN_GHOST_SECONDS)
            else:
                raise StoreUnavailable("PostgreSQL still holds the lock of a connection that was lost.")
            await self._compare(conn)
            await conn.commit()
        except BaseException:
            await _drop(conn)
            raise
        log.info("the connection to PostgreSQL and its lock are held again")
        return conn

    async def _compare(self, conn: AsyncConnection) -> None:
        """Lose the store unless it is as we left it; what was being committed when the connection went may be there or not."""
        try:
            found = (await conn.execute(select(meta.c.value).where(meta.c.key == _MARK_KEY))).scalar()
        except ProgrammingError:
            self._lose("This is not the database that this engine began with", _AGAIN)
        mark, _, count = str(found).partition(" ")
        if mark != self._mark:
            self._lose_to("which has ended since")
        if int(count) not in (self._written, self._counted):
            self._lose(
                "The database came back without what was written last: a server that lagged behind took over, or a backup was restored",
                _AGAIN,
            )
        self._written = int(count)

    def _lose_to(self, who: str) -> NoReturn:
        self._lose(
            f"Another engine ({who}) took this database while our connection to it was lost",
            "Stop one of them, and start this one again",
        )

    def _lose(self, why: str, advice: str) -> NoReturn:
        self.lost = f"{why}. This engine writes nothing any more. {advice}"
        log.error("%s", self.lost)
        raise StoreUnavailable(self.lost)

    async def _try(self, conn: AsyncConnection) -> tuple[int, str] | None:
        """Take the lock: None, or the backend that has it and its name."""
        if (await conn.execute(_TAKE, {"key": _ADVISORY_KEY})).scalar():
            self._backend = int((await conn.execute(_BACKEND)).scalar_one())
            # the lock is the session's, and stays; an open transaction would hold back vacuum
            await conn.commit()
            return None
        found = (await conn.execute(_HOLDER, {"key": _ADVISORY_KEY})).first()
        await conn.rollback()
        return (
            (int(found[0]), f"{found[1] or 'unnamed'}, backend {found[0]}") if found else (NOBODY, "unknown")
        )

    async def release(self) -> None:
        """Give the lock back, and close the connection."""
        if self._conn is None:
            return
        conn, self._conn = self._conn, None
        with suppress(DBAPIError):
            if not conn.invalidated:
                await conn.execute(_GIVE_BACK, {"key": _ADVISORY_KEY})
        await _drop(conn)


async def _drop(conn: AsyncConnection) -> None:
    """Close a connection for good: in the pool its session, and with it the lock, would live on."""
    with suppress(DBAPIError):
        await conn.invalidate()
    await conn.close()


def file_system_of(path: Path, mounts: str) -> str:
    """Type of the file system that holds a path, from the text of /proc/self/mounts (proc(5))."""
    best, kind = "", ""
    real = str(path.resolve())
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        mount = fields[1].encode().decode("unicode_escape", "replace")
        if (real == mount or real.startswith(mount.rstrip("/") + "/")) and len(mount) >= len(best):
            best, kind = mount, fields[2]
    return kind


def refuse_network_file_system(folder: Path) -> None:
    """SQLite's locks don't hold on network file systems (sqlite.org/faq.html#q5).

    Raises:
        StoreUnavailable: the folder is on one.
    """
    try:
        mounts = Path("/proc/self/mounts").read_text(errors="replace")
    except OSError:
        return
    kind = file_system_of(folder, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreUnavailable(
            f"{folder} is on {kind}; SQLite is not safe there. Use a local folder, or PostgreSQL (store.url)."
        )
