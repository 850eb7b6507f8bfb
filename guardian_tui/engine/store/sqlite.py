"""SQLite's files: made for us alone, checked before they are opened for writing, damaged ones never written over."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from guardian_tui.engine.clock import Clock
from guardian_tui.engine.store.faults import is_damage, words_of
from guardian_tui.engine.store.locking import StoreLock, refuse_network_file_system
from guardian_tui.engine.store.migrate import METRICS, STATE, migrate
from guardian_tui.engine.store.one_hop import driver
from guardian_tui.protocol.errors import StoreUnavailable

log = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
QUICK_CHECK_BYTES = 64 << 20
"""A larger file is not checked page by page at each start."""


class _Damaged(Exception):
    """A file can't be read as a database."""


def prepare(folder: Path) -> StoreLock:
    """Make the folder (0700), close old files to others (0600), and take the lock.

    Raises:
        StoreUnavailable: another engine has the store; the folder can't be used, or is on a network.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_network_file_system(folder)
        folder.chmod(0o700)
        lock = StoreLock.take(folder / "engine.lock")
    except OSError as error:
        raise StoreUnavailable(f"{folder} can't be used: {error.strerror}. Mend its permissions.") from error
    try:
        for file in (folder / "state.db", folder / "metrics.db"):
            if file.exists():
                file.chmod(0o600)
    except OSError as error:
        lock.release()
        raise StoreUnavailable(f"{folder} can't be written: {error.strerror}.") from error
    return lock


def engine_of(file: Path, synchronous: str, secure_delete: str = "OFF") -> AsyncEngine:
    """Connections to one file; a connection with the option ``immediate`` takes the write lock at once."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{file}",
        module=driver(),
        connect_args={"timeout": BUSY_SECONDS},
        hide_parameters=True,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:  # Any: SQLAlchemy's adapter
        # SQLAlchemy begins transactions itself (below); the driver must not
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={int(BUSY_SECONDS * 1000)}", "journal_mode=WAL", f"synchronous={synchronous}", "foreign_keys=ON",
            f"secure_delete={secure_delete}", "trusted_schema=OFF",
        ):  # fmt: skip
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:  # Any: SQLAlchemy's connection
        immediate = connection.get_execution_options().get("immediate")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


async def open_state(folder: Path) -> AsyncEngine:
    """state.db, checked and migrated.

    Raises:
        StoreUnavailable: it is damaged (and was left as it is), locked, full or of a newer program.
    """
    file = folder / "state.db"
    advice = "The file was left as it is: restore it from a backup, or move it away to begin anew."
    try:
        await asyncio.to_thread(_check, file)
    except _Damaged as error:
        raise StoreUnavailable(f"{file.name} is damaged: {error}. {advice}") from error
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"{file.name}: {words_of(error)}.") from error
    engine = engine_of(file, "FULL", secure_delete="ON")
    try:
        await migrate(engine, STATE)
    except DBAPIError as error:
        await engine.dispose()
        raise StoreUnavailable(f"{file.name}: {words_of(error)}.") from error
    except StoreUnavailable:
        await engine.dispose()
        raise
    return engine


async def open_metrics(folder: Path, clock: Clock) -> tuple[AsyncEngine, list[str]]:
    """metrics.db, and what was mended: charts are worth less than watching, so a damaged file is set aside.

    Raises:
        StoreUnavailable: it is locked, full or of a newer program.
    """
    file = folder / "metrics.db"
    problems: list[str] = []
    try:
        await asyncio.to_thread(_check, file)
    except _Damaged as error:
        problems.append(await asyncio.to_thread(_set_aside, file, str(error), clock.now()))
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"{file.name}: {words_of(error)}.") from error
    engine = engine_of(file, "NORMAL")
    try:
        await migrate(engine, METRICS)
    except DBAPIError as error:
        await engine.dispose()
        raise StoreUnavailable(f"{file.name}: {words_of(error)}.") from error
    except StoreUnavailable:
        await engine.dispose()
        raise
    return engine, problems


def _check(file: Path) -> None:
    """Read a file without writing to it."""
    if not file.exists():
        _create(file)
        return
    size = file.stat().st_size
    if not size:
        sibling = file.with_name("metrics.db")
        if file.name == "state.db" and sibling.exists() and sibling.stat().st_size:
            raise _Damaged("it is empty, although metrics.db is not")
        return
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as conn:
            check = (
                "PRAGMA quick_check(1)" if size <= QUICK_CHECK_BYTES else "SELECT count(*) FROM sqlite_master"
            )
            found = conn.execute(check).fetchone()[0]
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise _Damaged(str(error)) from error
        raise
    if isinstance(found, str) and found != "ok":
        raise _Damaged(found.splitlines()[0][:200])


def _create(file: Path) -> None:
    os.close(os.open(file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _set_aside(file: Path, why: str, now: float) -> str:
    aside = file.with_name(f"metrics-damaged-{int(now)}.db")
    number = 1
    while aside.exists():
        number += 1
        aside = file.with_name(f"metrics-damaged-{int(now)}-{number}.db")
    for suffix in ("", "-wal", "-shm"):
        part = file.with_name(file.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    _create(file)
    words = f"metrics.db could not be read ({why}); it was set aside as {aside.name}, charts begin anew"
    log.error("%s", words)
    return words
