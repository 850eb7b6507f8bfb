"""SQLite's statements in one hop: each is run, read and closed by one call to the connection's thread.

The usual adapter asks aiosqlite's thread four times for a statement (make a cursor, execute, fetch, close), and a hop to a thread and back costs more
than most of our statements.  It stands on how aiosqlite hands work to its thread, which its pinned version decides.
"""

from __future__ import annotations

import collections
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import aiosqlite
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_cursor
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)

_Told = tuple[Any, int, int | None, list[Any]]
"""Description, count of rows, last row's number, rows."""


class OneHopCursor(AsyncAdapt_aiosqlite_cursor):
    """What a statement came to; on the connection's thread there is no cursor any more."""

    __slots__ = ("_told",)

    def __init__(self, adapt_connection: AsyncAdapt_aiosqlite_connection) -> None:
        self._adapt_connection = adapt_connection
        self._connection = adapt_connection._connection
        self._rows = collections.deque()
        self._told: _Told = (None, -1, None, [])

    @property
    def description(self) -> Any:  # Any: as the driver has it
        """Columns of the rows; None where there are none."""
        return self._told[0]

    @property
    def rowcount(self) -> int:
        """Rows that were changed."""
        return self._told[1]

    @property
    def lastrowid(self) -> Any:  # Any: as the driver has it
        """Number of the row that was inserted last."""
        return self._told[2]

    async def _async_soft_close(self) -> None:
        return

    def fetchmany(self, size: int | None = None) -> Sequence[Any]:  # Any: as the driver has them
        """The next rows, one where nobody says how many."""
        return super().fetchmany(size or 1)

    def close(self) -> None:
        """Forget the rows."""
        self._rows.clear()

    async def _execute_async(self, operation: Any, parameters: Any) -> Any:  # Any: as the driver has them
        await self._run(lambda cursor: cursor.execute(operation, parameters or ()))

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> Any:  # Any: as above
        await self._run(lambda cursor: cursor.executemany(operation, seq_of_parameters))

    async def _run(self, what: Callable[[sqlite3.Cursor], object]) -> None:
        connection: Any = self._connection  # Any: aiosqlite's, with what it keeps to itself
        raw: sqlite3.Connection = connection._conn

        def work() -> _Told:
            cursor = raw.cursor()
            try:
                what(cursor)
                rows = cursor.fetchall() if cursor.description else []
                return cursor.description, cursor.rowcount, cursor.lastrowid, rows
            finally:
                cursor.close()

        async with self._adapt_connection._execute_mutex:
            self._told = await connection._execute(work)
        self._rows = collections.deque(self._told[3])


class _OneHopConnection(AsyncAdapt_aiosqlite_connection):
    __slots__ = ()

    def cursor(self, server_side: bool = False) -> AsyncAdapt_dbapi_cursor:
        """What runs the next statement; one that is read row by row is the usual one."""
        return super().cursor(server_side) if server_side else OneHopCursor(self)

    def rollback(self) -> None:
        """End a transaction, if there is one: each connection that goes back to the pool asks."""
        connection: Any = self._connection  # Any: aiosqlite's
        if connection._connection is not None and connection.in_transaction:
            super().rollback()


class _Driver(AsyncAdapt_aiosqlite_dbapi):
    def connect(self, *arg: Any, **kw: Any) -> AsyncAdapt_aiosqlite_connection:  # Any: the driver's own
        """A connection whose statements take one hop."""
        return _OneHopConnection(self, super().connect(*arg, **kw)._connection)


def driver() -> AsyncAdapt_aiosqlite_dbapi:
    """For ``create_async_engine(module=…)``."""
    return _Driver(aiosqlite, sqlite3)
