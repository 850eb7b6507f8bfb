"""The store's connections: one writer at a time, every failure told in words.

On SQLite there are two files, `state.db` (synchronous FULL: what is committed survives a power cut) and `metrics.db` (NORMAL); on PostgreSQL one
database.  One engine per store: a lock file, or an advisory lock, keeps the second one out.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import CursorResult, Executable, event, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.store.locking import StoreLock, advisory_lock, refuse_network_file_system
from guardian_tui.engine.store.metrics import MetricStore
from guardian_tui.engine.store.migrate import METRICS, STATE, migrate
from guardian_tui.protocol.errors import StoreUnavailable

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
QUICK_CHECK_BYTES = 64 << 20
"""A larger state.db is not checked page by page at each start."""

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None  # Any: column values


class Tx:
    """One write transaction."""

    def __init__(self, conn: AsyncConnection) -> None:
        self.conn = conn
        self._after: list[Callable[[], None]] = []

    async def execute(self, statement: Executable, parameters: Parameters = None) -> CursorResult[Any]:
        """Execute a Core statement."""
        return await self.conn.execute(statement, parameters)

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
        self, state: AsyncEngine, metrics: AsyncEngine, dialect: str, clock: Clock, lock: StoreLock | None
    ) -> None:
        self._state = state
        self._metrics_engine = metrics
        self._lock = lock
        self._held: AsyncConnection | None = None
        self._writing = asyncio.Lock()
        self.dialect = dialect
        self.problem = ""
        """Why the state can't be written, in words; empty when it can."""
        self.problems: list[str] = []
        """What was found and mended at the start."""
        self.waiting = 0
        """Write transactions that wait for their turn."""
        self.on_full: Callable[[], bool] | None = None
        """Called when the disk is full; frees a reserve and answers True if it is worth trying again."""
        self.metrics = MetricStore(metrics, dialect, clock)

    @classmethod
    async def open(cls, settings: StoreSettings, state_dir: Path, clock: Clock) -> Store:
        """Lock, check and migrate the store.

        Raises:
            StoreUnavailable: another engine has it; it is damaged, read-only, on a network file system, or not there.
        """
        url = _resolve(settings.url)
        if url and not url.startswith("sqlite"):
            return await cls._open_postgresql(url, clock)
        return await cls._open_sqlite(state_dir, clock)

    @classmethod
    async def _open_sqlite(cls, folder: Path, clock: Clock) -> Store:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_network_file_system(folder)
            lock = StoreLock.take(folder / "engine.lock")
        except OSError as error:
            raise StoreUnavailable(
                f"{folder} can't be used: {error.strerror}. Mend its permissions."
            ) from error
        state_file, metrics_file = folder / "state.db", folder / "metrics.db"
        try:
            for file in (state_file, metrics_file):
                if not file.exists():
                    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
            state = _sqlite_engine(state_file, "FULL")
            await _check_sqlite(state, state_file)
            await _migrating(state, STATE, state_file)
            metrics, problems = await _open_metrics(metrics_file, clock)
        except OSError as error:
            lock.release()
            raise StoreUnavailable(f"{folder} can't be written: {error.strerror}.") from error
        except StoreUnavailable:
            lock.release()
            raise
        store = cls(state, metrics, "sqlite", clock, lock)
        store.problems += problems
        await store.metrics.start()
        return store

    @classmethod
    async def _open_postgresql(cls, url: str, clock: Clock) -> Store:
        engine = create_async_engine(url, pool_size=5, max_overflow=5, pool_timeout=10, pool_pre_ping=True)
        try:
            held = await advisory_lock(engine)
            await migrate(engine, STATE)
            await migrate(engine, METRICS)
        except SQLAlchemyError as error:
            await engine.dispose()
            raise StoreUnavailable(
                f"PostgreSQL can't be used: {words_of(error)}. Check store.url."
            ) from error
        except StoreUnavailable:
            await engine.dispose()
            raise
        store = cls(engine, engine, "postgresql", clock, None)
        store._held = held
        await store.metrics.start()
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
        try:
            async with self._state.connect() as conn:
                conn = await conn.execution_options(immediate=True)
                async with conn.begin():
                    tx = Tx(conn)
                    yield tx
        except (OperationalError, InterfaceError, DBAPIError) as error:
            if not _is_availability(error):
                raise
            self.problem = words_of(error)
            if "full" in self.problem and self.on_full is not None:
                self.on_full()
            raise StoreUnavailable(f"{self.problem}. Nothing was changed.") from error
        finally:
            self._writing.release()
        self.problem = ""
        tx.committed()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading.

        Raises:
            StoreUnavailable: locked, damaged or gone.
        """
        try:
            async with self._state.connect() as conn:
                yield conn
        except (OperationalError, InterfaceError, DBAPIError) as error:
            if not _is_availability(error):
                raise
            raise StoreUnavailable(f"{words_of(error)}.") from error

    async def close(self) -> None:
        """Write what waits, close the connections, give back the lock."""
        await self.metrics.stop()
        if self._held is not None:
            await self._held.close()
        await self._state.dispose()
        await self._metrics_engine.dispose()
        if self._lock is not None:
            self._lock.release()


def _resolve(url: str) -> str:
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


def _sqlite_engine(file: Path, synchronous: str) -> AsyncEngine:
    engine = create_async_engine(f"sqlite+aiosqlite:///{file}", connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:  # Any: SQLAlchemy's adapter
        # SQLAlchemy begins transactions itself (below); the driver must not
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON", f"busy_timeout={int(BUSY_SECONDS * 1000)}",
            "secure_delete=ON", "trusted_schema=OFF",
        ):  # fmt: skip
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:  # Any: SQLAlchemy's connection
        immediate = connection.get_execution_options().get("immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


async def _check_sqlite(engine: AsyncEngine, file: Path) -> None:
    """Refuse a damaged state.db, and leave it as it is."""
    try:
        async with engine.connect() as conn:
            if file.stat().st_size > QUICK_CHECK_BYTES:
                await conn.execute(text("SELECT count(*) FROM sqlite_master"))
                return
            found = (await conn.execute(text("PRAGMA quick_check(1)"))).scalar()
    except DBAPIError as error:
        await engine.dispose()
        raise StoreUnavailable(f"{file.name}: {words_of(error)}. {_DAMAGED}") from error
    if found != "ok":
        await engine.dispose()
        raise StoreUnavailable(f"{file.name} is damaged: {str(found)[:200]}. {_DAMAGED}")


_DAMAGED = "The file was left as it is: restore it from a backup, or move it away to begin anew."


async def _migrating(engine: AsyncEngine, kind: str, file: Path) -> None:
    try:
        await migrate(engine, kind)
    except DBAPIError as error:
        await engine.dispose()
        raise StoreUnavailable(f"{file.name}: {words_of(error)}.") from error


async def _open_metrics(file: Path, clock: Clock) -> tuple[AsyncEngine, list[str]]:
    """Metrics are worth less than watching: a damaged file is set aside and begun anew."""
    engine = _sqlite_engine(file, "NORMAL")
    try:
        async with engine.connect() as conn:
            found = (await conn.execute(text("PRAGMA schema_version"))).scalar()
            del found  # only that it can be read
        await migrate(engine, METRICS)
        async with engine.connect() as conn:
            await conn.execute(text("SELECT count(*) FROM hot"))
    except DBAPIError as error:
        await engine.dispose()
        aside = file.with_name(f"metrics-damaged-{int(clock.now())}.db")
        for suffix in ("", "-wal", "-shm"):
            part = file.with_name(file.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
        engine = _sqlite_engine(file, "NORMAL")
        await migrate(engine, METRICS)
        words = f"metrics.db could not be read ({words_of(error)}); it was set aside as {aside.name}, charts begin anew"
        log.error("%s", words)
        return engine, [words]
    return engine, []


def words_of(error: BaseException) -> str:
    """The database's error as a person reads it, without the statement and its values."""
    origin = getattr(error, "orig", None) or error
    words = str(origin).splitlines()[0][:200] if str(origin) else type(origin).__name__
    known = {
        "database or disk is full": "the disk is full",
        "database is locked": "the store is locked by another process",
        "attempt to write a readonly database": "the store is read-only",
        "disk I/O error": "the disk gave an error (is it full, or gone?)",
        "database disk image is malformed": "the store is damaged",
        "file is not a database": "the store is damaged (not a database)",
        "unable to open database file": "the store's file can't be opened",
    }
    return next((told for sign, told in known.items() if sign in words), words)


def _is_availability(error: DBAPIError) -> bool:
    """Whether the store failed, not the statement."""
    return isinstance(error, OperationalError | InterfaceError) or any(
        sign in str(error.orig)
        for sign in ("malformed", "not a database", "readonly", "full", "closed", "terminat")
    )
