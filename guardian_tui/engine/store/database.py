"""The store's connections: one writer at a time, every failure told in words.

On SQLite there are two files, `state.db` (synchronous FULL: what is committed survives a power cut) and `metrics.db` (NORMAL); on PostgreSQL one
database.  One engine per store: a lock file, or an advisory lock, keeps the second one out.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import CursorResult, Executable, delete, func, insert, make_url, select
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.store import sqlite
from guardian_tui.engine.store.faults import is_availability, words_of
from guardian_tui.engine.store.locking import AdvisoryLock, StoreLock
from guardian_tui.engine.store.metrics import MetricStore
from guardian_tui.engine.store.migrate import METRICS, STATE, migrate
from guardian_tui.engine.store.past import Past
from guardian_tui.engine.store.sqlite import open_metrics, open_state, prepare
from guardian_tui.engine.store.tables import meta
from guardian_tui.engine.turns import next_turn
from guardian_tui.protocol.errors import Conflict, StoreUnavailable

__all__ = ["Store", "Tx", "words_of"]

log = logging.getLogger(__name__)

WATCH_SECONDS = 2.0
"""How often a store in trouble, and PostgreSQL's lock, are looked at."""
IDLE_WRITE_SECONDS = 30.0
"""A store that nobody has written for so long is written to, so that trouble is known before a person meets it."""
COMMIT_SECONDS = 30.0
"""Whoever is cancelled in the middle of a commit waits so long for its end."""
_CHECKED_KEY = "checked_at"
MARK_SECONDS = 3600.0
"""By what time things are old is written at least so often."""

_KEEPALIVES = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None  # Any: column values


class Tx:
    """One write transaction."""

    def __init__(self, conn: AsyncConnection) -> None:
        self.conn = conn
        self.changes = False
        """Whether rows were written."""
        self.done = False
        """It is committed."""
        self._after: list[Callable[[], None]] = []

    async def execute(self, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        """Execute a Core statement."""
        self.changes = self.changes or statement.is_dml
        return await self.conn.execute(statement, parameters)

    async def commit(self) -> None:
        """Commit to the end: whoever is cancelled in its middle is so once it is known what came of it, so that memory and store agree."""
        commit = asyncio.ensure_future(self.conn.commit())
        try:
            await asyncio.shield(commit)
        except asyncio.CancelledError:
            await asyncio.wait({commit}, timeout=COMMIT_SECONDS)
            self.done = commit.done() and commit.exception() is None
            raise
        self.done = True

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call this once the transaction is committed, and only then."""
        self._after.append(callback)

    def committed(self) -> None:
        """Run what waited for the commit."""
        for callback in self._after:
            try:
                callback()
            except Exception:
                log.exception("what was to follow a commit failed")


class Store:
    """Open with :meth:`open`; hand out transactions; close with :meth:`close`."""

    def __init__(
        self,
        state: AsyncEngine,
        metrics: AsyncEngine,
        dialect: str,
        clock: Clock,
        lock: StoreLock | AdvisoryLock,
    ) -> None:
        self._state = state
        self._metrics_engine = metrics
        self._lock = lock
        self._clock = clock
        self._writing = asyncio.Lock()
        self._written_at = time.monotonic()
        self._marked_at = -math.inf
        self.past = Past(clock)
        """By what time things are old."""
        self._watching: asyncio.Task[None] | None = None
        self.dialect = dialect
        self.problem = ""
        """Why the state can't be written, in words; empty when it can."""
        self.problems: list[str] = []
        """What was found and mended at the start."""
        self.commits = 0
        """Transactions that changed the state, since the start."""
        self.waiting = 0
        """Write transactions that wait for their turn."""
        self.on_full: Callable[[], bool] | None = None
        """Called when the disk is full; frees a reserve and answers True if it is worth trying again."""
        self.metrics = MetricStore(metrics, dialect, clock, self._lost)

    def _lost(self) -> str:
        """Why this engine may never write again: PostgreSQL's lock went to another one."""
        return self._lock.lost if isinstance(self._lock, AdvisoryLock) else ""

    @classmethod
    async def open(cls, settings: StoreSettings, state_dir: Path, clock: Clock) -> Store:
        """Lock, check and migrate the store.

        Raises:
            StoreUnavailable: another engine has it; it is damaged, read-only, on a network file system, or not there.
        """
        url = resolve_url(settings.url)
        if url and not url.startswith("sqlite"):
            return await cls._open_postgresql(url, clock)
        return await cls._open_sqlite(state_dir, clock)

    @classmethod
    async def _open_sqlite(cls, folder: Path, clock: Clock) -> Store:
        lock = await asyncio.to_thread(prepare, folder)
        try:
            state = await open_state(folder)
            try:
                metrics, problems = await open_metrics(folder, clock)
            except BaseException:
                await state.dispose()
                raise
        except BaseException:
            lock.release()
            raise
        store = cls(state, metrics, "sqlite", clock, lock)
        store.problems += problems
        await store._started()
        return store

    async def _started(self) -> None:
        try:
            await self.metrics.start()
        except SQLAlchemyError as error:
            await self.close()
            raise StoreUnavailable(f"The metrics can't be read: {words_of(error)}.") from error
        try:
            async with self._state.connect() as conn:
                known = (await conn.execute(select(meta.c.value).where(meta.c.key == _CHECKED_KEY))).scalar()
        except SQLAlchemyError as error:
            await self.close()
            raise StoreUnavailable(f"The state can't be read: {words_of(error)}.") from error
        self.past = Past(self._clock, float(known) if known else None)
        self._watching = asyncio.create_task(self._keep_watch(), name="store watch")

    @classmethod
    async def _open_postgresql(cls, url: str, clock: Clock) -> Store:
        engine = create_async_engine(
            url, pool_size=5, max_overflow=5, pool_timeout=10, pool_pre_ping=True, connect_args=_connect_args(url),
            hide_parameters=True,
        )  # fmt: skip
        lock = AdvisoryLock(engine)
        try:
            await lock.take()
            await migrate(engine, STATE)
            await migrate(engine, METRICS)
            await lock.mark()
        except SQLAlchemyError as error:
            await _give_up(engine, lock)
            raise StoreUnavailable(
                f"PostgreSQL can't be used: {words_of(error)}. Check store.url."
            ) from error
        except StoreUnavailable:
            await _give_up(engine, lock)
            raise
        store = cls(engine, engine, "postgresql", clock, lock)
        await store._started()
        return store

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Tx]:
        """One write transaction; commits at the end, rolls back if anything is raised.

        Raises:
            StoreUnavailable: locked, full, read-only or gone; nothing was written.
        """
        self.waiting += 1
        try:
            await self._writing.acquire()
        finally:
            self.waiting -= 1
        tx: Tx | None = None
        try:
            async with self._begun() as tx:
                yield tx
        except IntegrityError as error:
            # a name that was free a moment ago: whoever was faster has it
            raise Conflict(
                "Somebody else changed the same at this moment. Nothing was changed: look again."
            ) from error
        except DBAPIError as error:
            if not is_availability(error):
                raise
            self.problem = words_of(error)
            if "full" in self.problem and self.on_full is not None:
                self.on_full()
            raise StoreUnavailable(f"{self.problem}. Nothing was changed.") from error
        except PoolTimeout as error:
            raise StoreUnavailable("All connections to the store are busy. Nothing was changed.") from error
        finally:
            self.problem = self._lost() or self.problem
            self._writing.release()
            if tx is not None and tx.done:
                self.problem = ""
                self.commits += 1
                self._written_at = time.monotonic()
                tx.committed()

    @asynccontextmanager
    async def _begun(self) -> AsyncIterator[Tx]:
        """A transaction, committed at the end."""
        if isinstance(self._lock, AdvisoryLock):
            async with self._lock.transaction() as conn:
                tx = Tx(conn)
                yield tx
                if tx.changes:
                    await self._lock.count(conn)
                try:
                    await tx.commit()
                finally:
                    if tx.done:
                        self._lock.committed()
            return
        async with self._state.connect() as conn:
            conn = await conn.execution_options(immediate=True)
            # closing the connection takes back what was not committed
            await conn.begin()
            tx = Tx(conn)
            yield tx
            await tx.commit()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading.

        Raises:
            StoreUnavailable: locked, damaged or gone.
        """
        try:
            async with self._state.connect() as conn:
                yield conn
        except DBAPIError as error:
            if not is_availability(error):
                raise
            raise StoreUnavailable(f"{words_of(error)}.") from error
        except PoolTimeout as error:
            raise StoreUnavailable("All connections to the store are busy.") from error

    async def size_bytes(self) -> int | None:
        """What the whole store takes, its logs included; None when it can't be asked."""
        try:
            if self.dialect == "sqlite":
                files = [engine.url.database or "" for engine in (self._state, self._metrics_engine)]
                return await asyncio.to_thread(_size_of_files, files)
            async with self.read() as conn:
                size = select(func.pg_database_size(func.current_database()))
                return int((await conn.execute(size)).scalar_one())
        except (StoreUnavailable, OSError):
            return None

    async def _keep_watch(self) -> None:
        """Notice trouble, and its end, also while nobody writes."""
        told = ""
        while True:
            await next_turn(WATCH_SECONDS)
            try:
                await self._look()
            except Exception as error:
                words = self.problem or words_of(error)
                if words != told:
                    log.error("the store can't be written: %s", words)
                told = words
            else:
                if told and not self.problem:
                    log.info("the store can be written again")
                    told = ""

    async def _look(self) -> None:
        if self._writing.locked():
            return
        now = time.monotonic()
        due = now - self._written_at > IDLE_WRITE_SECONDS or now - self._marked_at >= MARK_SECONDS
        if self.problem or due:
            async with self.write() as tx:
                await tx.execute(delete(meta).where(meta.c.key == _CHECKED_KEY))
                await tx.execute(insert(meta), {"key": _CHECKED_KEY, "value": str(self.past.now())})
            self._marked_at = now
        elif isinstance(self._lock, AdvisoryLock):
            before = self._written_at, self.commits
            async with self.write():
                pass
            self._written_at, self.commits = before

    async def close(self) -> None:
        """Write what waits, close the connections, give back the lock."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self.metrics.stop()
        if isinstance(self._lock, AdvisoryLock):
            await self._lock.release()
        await self._state.dispose()
        await self._metrics_engine.dispose()
        if isinstance(self._lock, StoreLock):
            self._lock.release()


async def _give_up(engine: AsyncEngine, lock: AdvisoryLock) -> None:
    await lock.release()
    await engine.dispose()


def _size_of_files(files: Sequence[str]) -> int:
    paths = [Path(file + more) for file in files for more in ("", "-wal", "-shm")]
    return sum(path.stat().st_size for path in paths if path.exists())


def _connect_args(url: str) -> dict[str, Any]:
    """For psycopg: who we are, and bounds on waiting, so that neither end takes a dead one for alive for hours."""
    options = [
        f"-c lock_timeout={int(sqlite.BUSY_SECONDS * 1000)}",
        *(f"-c tcp_{name}={value}" for name, value in _KEEPALIVES.items()),
        str(make_url(url).query.get("options", "")),
    ]
    return {
        "application_name": f"guardian-tui {os.getpid()} on {socket.gethostname()}"[:63], "options": " ".join(options).strip(),
        "connect_timeout": 10, "tcp_user_timeout": 20_000, **_KEEPALIVES,
    }  # fmt: skip


def resolve_url(url: str) -> str:
    """`store.url` as SQLAlchemy takes it; empty: SQLite in the state folder.

    Raises:
        StoreUnavailable: it names a variable that is not set, or another database.
    """
    if url.startswith("env:"):
        name = url.removeprefix("env:")
        if name not in os.environ:
            raise StoreUnavailable(f"store.url names the environment variable {name}, which is not set.")
        url = os.environ[name]
    if url.startswith(("postgresql://", "postgres://")):
        url = "postgresql+psycopg://" + url.partition("://")[2]
    if url and not url.startswith(("sqlite", "postgresql+psycopg://")):
        raise StoreUnavailable("store.url must begin with postgresql:// (or be empty, for SQLite).")
    return url
