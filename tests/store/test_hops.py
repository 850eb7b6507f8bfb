"""A statement on SQLite is one call to its connection's thread; what comes of it is as the usual adapter has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from guardian_tui.engine.store.sqlite import engine_of


@pytest.fixture
async def conn(tmp_path: Path) -> AsyncIterator[AsyncConnection]:
    """A connection to an empty file, its transaction begun."""
    engine = engine_of(tmp_path / "x.db", "NORMAL")
    async with engine.connect() as conn:
        await conn.execute(text("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT UNIQUE)"))
        await conn.commit()
        yield conn
    await engine.dispose()


async def test_a_statement_takes_one_hop_and_nothing_to_roll_back_takes_none(
    conn: AsyncConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    hops: list[object] = []
    ask = aiosqlite.Connection._execute

    async def counted(self: aiosqlite.Connection, fn: object, *args: object, **kwargs: object) -> object:
        hops.append(fn)
        return await ask(self, fn, *args, **kwargs)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    done = await conn.execute(text("INSERT INTO t (b) VALUES (:b)"), [{"b": str(n)} for n in range(300)])
    assert done.rowcount == 300
    found = await conn.execute(text("SELECT a, b FROM t ORDER BY a"))
    assert list(found.keys()) == ["a", "b"]
    assert found.fetchone() == (1, "0") and len(found.fetchmany(9)) == 9 and len(found.fetchall()) == 290
    # it is begun, written and read
    assert len(hops) == 3
    await conn.commit()
    await conn.rollback()
    assert len(hops) == 4


async def test_what_was_changed_is_told_and_errors_are_those_of_sqlalchemy(conn: AsyncConnection) -> None:
    await conn.execute(text("INSERT INTO t (b) VALUES ('x'), ('y')"))
    assert (await conn.execute(text("UPDATE t SET b = b || '!'"))).rowcount == 2
    done = await conn.exec_driver_sql("INSERT INTO t (b) VALUES (?)", ("z",))
    assert done.lastrowid == 3
    with pytest.raises(IntegrityError):
        await conn.exec_driver_sql("INSERT INTO t (b) VALUES (?)", [("a",), ("z",)])
    await conn.rollback()
    assert (await conn.execute(text("SELECT count(*) FROM t"))).scalar() == 0
    streamed = await conn.stream(text("SELECT 1 UNION ALL SELECT 2"))
    assert [row[0] async for row in streamed] == [1, 2]
    raw = (await conn.get_raw_connection()).driver_connection
    assert raw is not None
    await raw.close()
    with pytest.raises(DBAPIError):
        await conn.execute(text("SELECT 1"))
