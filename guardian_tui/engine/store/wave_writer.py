"""Writes waves: a transaction in one hop to SQLite's thread, or in one round trip to PostgreSQL, on a connection that is kept for it.

A wave comes each second for ever, and all that it says is one INSERT.  The usual way (take a connection, begin, insert, commit, give it back) costs
several times as much as the INSERT.  On SQLite it stands on how aiosqlite hands work to its thread, as :mod:`one_hop` does.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

WaveRow = tuple[int, int, float, float, int, bytes]
"""Number, part, first, last, hosts, data."""
COLUMNS = "id, part, first, last, hosts, data"


class WaveWriter(ABC):
    """Puts rows into the hot table; one call at a time.

    Args:
        engine: connections to the database.
    """

    options: Mapping[str, Any] = {}  # Any: options of any kind
    """Of its connection."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._conn: AsyncConnection | None = None
        self._raw: Any = None  # Any: the driver's connection

    async def put(self, rows: Sequence[WaveRow]) -> None:
        """Write these rows, all or none; they are committed when this ends.

        Raises:
            DBAPIError: they could not be written.
        """
        kept = self._conn is not None
        try:
            await self._put(rows)
        except DBAPIError as error:
            await self.close(broken=True)
            if not (kept and error.connection_invalidated):
                raise
            # the database was started anew since the last wave
            await self._put(rows)

    async def _put(self, rows: Sequence[WaveRow]) -> None:
        dialect = self._engine.dialect
        driver: Any = dialect.dbapi  # Any: a module, or what stands for one
        if self._conn is None:
            conn = await self._engine.connect()
            self._conn = await conn.execution_options(**self.options)
            self._raw = (await conn.get_raw_connection()).driver_connection
        try:
            await self._insert(self._raw, rows)
        except driver.Error as error:
            gone = dialect.is_disconnect(error, self._raw, None)
            raise DBAPIError.instance(
                None, None, error, driver.Error, connection_invalidated=gone, dialect=dialect
            ) from error

    @abstractmethod
    async def _insert(self, raw: Any, rows: Sequence[WaveRow]) -> None:  # Any: the driver's connection
        """One transaction."""

    async def close(self, *, broken: bool = False) -> None:
        """Give the connection back; the next wave takes another."""
        conn, self._conn, self._raw = self._conn, None, None
        if conn is not None:
            with suppress(DBAPIError):
                if broken:
                    await conn.invalidate()
                await conn.close()


class SQLiteWaves(WaveWriter):
    """In one hop to the connection's thread."""

    _INSERT = f"INSERT INTO waves ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608  # our own text

    async def _insert(self, raw: Any, rows: Sequence[WaveRow]) -> None:  # Any: with what it keeps to itself
        connection: sqlite3.Connection = raw._conn

        def work() -> None:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany(self._INSERT, rows)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

        await raw._execute(work)


class PostgreSQLWaves(WaveWriter):
    """In one statement, which is a transaction of its own."""

    options: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT"}
    _INSERT = (
        f"INSERT INTO waves ({COLUMNS}) SELECT * FROM"  # noqa: S608  # our own text
        " unnest(%b::bigint[], %b::integer[], %b::float8[], %b::float8[], %b::bigint[], %b::bytea[])"
    )

    async def _insert(self, raw: Any, rows: Sequence[WaveRow]) -> None:  # Any: as above
        await raw.execute(self._INSERT, [list(column) for column in zip(*rows, strict=True)], prepare=True)


def wave_writer(engine: AsyncEngine, dialect: str) -> WaveWriter:
    """The one of this database."""
    return SQLiteWaves(engine) if dialect == "sqlite" else PostgreSQLWaves(engine)
