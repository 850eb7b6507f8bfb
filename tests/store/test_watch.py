"""The store is watched while the engine runs: trouble is known though nobody writes, its end too, and PostgreSQL's lock is held or nothing is written."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import Layout, Sample
from guardian_tui.engine.store import database, metrics
from guardian_tui.engine.store import sqlite as files
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.locking import NOBODY, AdvisoryLock
from guardian_tui.engine.store.tables import meta, waves
from guardian_tui.protocol.errors import StoreUnavailable
from tests.store.test_faults import count, put

WAIT_SECONDS = 60.0


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WATCH_SECONDS", 0.02)
    monkeypatch.setattr(files, "BUSY_SECONDS", 0.05)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


async def test_the_end_of_a_trouble_is_noticed_though_nobody_writes(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = await Store.open(StoreSettings(), tmp_path, clock)
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        await put(store, "a")
    await asyncio.sleep(0.2)
    assert "locked" in store.problem
    other.execute("ROLLBACK")
    other.close()
    await until(lambda: not store.problem)
    assert await count(store) == 0
    await store.close()


async def test_trouble_is_noticed_though_nobody_writes(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> object:
        raise DBAPIError.instance("", None, real_disk_full(store.dialect), Exception)

    monkeypatch.setattr(database, "IDLE_WRITE_SECONDS", 0.05)
    monkeypatch.setattr(database.Tx, "execute", full)
    await until(lambda: store.problem)
    assert store.problem == "the disk is full; free some space"
    await asyncio.sleep(0.2)
    monkeypatch.undo()
    await until(lambda: not store.problem)
    said = [record.message for record in caplog.records if "store can" in record.message]
    assert said[0] == "the store can't be written: the disk is full; free some space"
    assert len(said) <= 2, "a trouble is told once, not at each look"


def real_disk_full(dialect: str) -> Exception:
    """What the drivers raise; the words are those of the servers."""
    if dialect == "sqlite":
        return sqlite3.OperationalError("database or disk is full")
    return psycopg.errors.DiskFull('could not extend file "base/5/1259": No space left on device')


def sql(url: str, statement: str) -> list[tuple[object, ...]]:
    """As another client of the server would."""
    with psycopg.connect(url, autocommit=True) as conn:
        done = conn.execute(statement)
        return done.fetchall() if done.description else []


HOLDERS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 1735745906 AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
CUT_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def test_a_lost_connection_is_made_again_and_holds_the_lock_again(
    postgres_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    store = await Store.open(StoreSettings(url=postgres_url), tmp_path, clock)
    before = await asyncio.to_thread(sql, postgres_url, HOLDERS)
    assert len(before) == 1
    await asyncio.to_thread(sql, postgres_url, CUT_ALL)
    await put(store, "written", "though the server cut us off")
    held = await asyncio.to_thread(sql, postgres_url, HOLDERS)
    assert len(held) == 1 and held != before
    # also while nobody writes
    await asyncio.to_thread(sql, postgres_url, CUT_ALL)
    async with asyncio.timeout(WAIT_SECONDS):
        while await asyncio.to_thread(sql, postgres_url, HOLDERS) in ([], held):
            await asyncio.sleep(0.02)
    with pytest.raises(StoreUnavailable, match="One engine per store"):
        await Store.open(StoreSettings(url=postgres_url), tmp_path, clock)
    assert (store.problem, await count(store)) == ("", 1)
    await store.close()
    assert await asyncio.to_thread(sql, postgres_url, HOLDERS) == []


async def test_a_lock_that_our_own_dead_connection_still_holds_is_taken_back(
    postgres_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    store = await Store.open(StoreSettings(url=postgres_url), tmp_path, clock)
    lock = store._lock
    assert isinstance(lock, AdvisoryLock) and lock._conn is not None
    # as when the network goes: the server has not noticed that nobody is there
    forgotten, lock._conn = lock._conn, None
    await put(store, "a")
    assert await count(store) == 1
    await forgotten.invalidate()
    await forgotten.close()
    await store.close()


@pytest.mark.parametrize("still_there", [True, False])
async def test_an_engine_whose_database_another_one_took_writes_nothing_any_more_and_says_so(
    postgres_url: str, tmp_path: Path, clock: ManualClock, still_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await Store.open(StoreSettings(url=postgres_url), tmp_path, clock)
    await put(first, "a")
    async with first._writing:
        # the first one sleeps while its connection goes and the second comes
        await asyncio.to_thread(sql, postgres_url, CUT_ALL)
        second = await Store.open(StoreSettings(url=postgres_url), tmp_path, clock)
        await put(second, "b")
        if not still_there:
            await second.close()
    with pytest.raises(StoreUnavailable, match=r"Another engine .* took this database"):
        await put(first, "c")
    assert "writes nothing any more" in first.problem
    first.metrics.add([Sample("h1", 1.0, Layout(("cpu",)), [1.0])], "fast")
    await until(lambda: "writes nothing any more" in first.metrics.problem)
    monkeypatch.setattr(database, "IDLE_WRITE_SECONDS", 0.05)
    await asyncio.sleep(0.2)
    assert "writes nothing any more" in first.problem
    if still_there:
        await put(second, "d")
        assert (await count(second), (await second.metrics.counts())["hot"]) == (3, 0)
        await second.close()
    else:
        assert await count(first) == 2
    await first.close()


async def test_a_server_that_goes_and_comes_is_told_and_found_again(
    postgres_url: str, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await Store.open(StoreSettings(url=postgres_url), tmp_path, clock)
    # no new connections, and the old ones cut: as while the server starts
    name = urlsplit(postgres_url).path[1:]
    server = postgres_url.replace(f"/{name}?", "/postgres?")
    await asyncio.to_thread(sql, server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await asyncio.to_thread(sql, server, CUT_ALL.replace("current_database()", f"'{name}'"))
    with pytest.raises(StoreUnavailable, match="Nothing was changed"):
        await put(store, "a")
    with pytest.raises(StoreUnavailable):
        await count(store)
    assert store.problem
    await asyncio.to_thread(sql, server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    await until(lambda: not store.problem)
    await put(store, "b")
    assert await count(store) == 1
    await store.close()


async def test_samples_that_wait_for_the_disk_say_why_and_are_written_after(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> object:
        raise DBAPIError.instance("", None, real_disk_full(store.dialect), Exception)

    async def no_room(*_: object) -> None:
        raise real_disk_full(store.dialect)

    monkeypatch.setattr(metrics, "RETRY_SECONDS", 0.02)
    with monkeypatch.context() as broken:
        broken.setattr(type(store.metrics._waves), "_insert", no_room)
        store.metrics.add([Sample("h1", 1_800_000_000.0, Layout(("cpu",)), [0.5])], "fast")
        await until(lambda: store.metrics.problem)
        assert store.metrics.problem == "the disk is full; free some space"
        with pytest.raises(StoreUnavailable, match="disk is full"):
            broken.setattr(AsyncConnection, "execute", full)
            await store.metrics.retain(1.0, 7, 60, 400)
        with pytest.raises(StoreUnavailable, match="metrics can't be read"):
            await store.metrics.counts()
    await store.metrics.flush()
    assert store.metrics.problem == ""
    assert (await store.metrics.counts())["hot"] == 1


async def test_numbers_that_a_dying_engine_took_are_stepped_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "RETRY_SECONDS", 0.02)
    layout = Layout(("cpu",))
    row = {"id": store.metrics._next_id, "part": 0, "first": 1.0, "last": 1.0, "hosts": 1, "data": b"\x90"}
    async with store._metrics_engine.begin() as conn:
        await conn.execute(insert(waves), row)
    store.metrics.add([Sample("h1", 1_800_000_000.0, layout, [0.5])], "fast")
    await store.metrics.flush()
    assert (await store.metrics.counts())["hot"] == 2
    assert await store.metrics.last_values("h1") == {"cpu": 0.5}


async def test_a_table_that_another_client_holds_is_not_waited_for_for_ever(
    postgres_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    store = await Store.open(StoreSettings(url=postgres_url), tmp_path, clock)
    async with await psycopg.AsyncConnection.connect(postgres_url) as other:
        await other.execute("LOCK TABLE meta IN EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable, match="locked by another process"):
            await put(store, "a")
    await until(lambda: not store.problem)
    await put(store, "a")
    assert await count(store) == 1
    await store.close()


async def test_options_of_the_url_are_kept(postgres_url: str, tmp_path: Path, clock: ManualClock) -> None:
    url = f"{postgres_url}&options=-c%20work_mem%3D5MB"
    store = await Store.open(StoreSettings(url=url), tmp_path, clock)
    async with store.read() as conn:
        shown = [
            (await conn.execute(text(f"SHOW {name}"))).scalar()
            for name in ("work_mem", "lock_timeout", "application_name")
        ]
    assert shown[:2] == ["5MB", "50ms"]
    assert f"guardian-tui {os.getpid()} on " in str(shown[2])
    await store.close()


@pytest.fixture
def small_tablespace(
    postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """A PostgreSQL database whose tables lie on a file system of 16 MB."""
    if os.geteuid() != 0:
        pytest.skip("may not mount a file system here")
    folder = Path(f"/tmp/pg-small-{os.getpid()}-{time.monotonic_ns()}")
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0777", "tmpfs", folder],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        folder.rmdir()
        pytest.skip("may not mount a file system here")
    name = urlsplit(postgres_url).path[1:]
    server = postgres_url.replace(f"/{name}?", "/postgres?")
    try:
        place = folder / "space"
        place.mkdir()
        subprocess.run(["chown", "postgres", place], check=True)
        sql(server, f"CREATE TABLESPACE small_{name} LOCATION '{place}'")
        sql(server, f"ALTER DATABASE {name} SET TABLESPACE small_{name}")
        yield postgres_url, folder
        sql(server, f"DROP DATABASE {name} WITH (FORCE)")
        sql(server, f"DROP TABLESPACE small_{name}")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()


async def test_a_postgresql_whose_disk_is_full_says_so_and_takes_writes_again(
    small_tablespace: tuple[str, Path], tmp_path: Path, clock: ManualClock
) -> None:
    url, disk = small_tablespace
    store = await Store.open(StoreSettings(url=url), tmp_path, clock)
    await put(store, "before")
    ballast = disk / "ballast"
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as out:
        while True:
            out.write(b"x" * 4096)
    with pytest.raises(StoreUnavailable, match=r"disk is full.*Nothing was changed"):
        await put(store, "big", os.urandom(500_000).hex())
    assert await count(store) == 1
    ballast.unlink()
    await put(store, "after", os.urandom(500_000).hex())
    assert (await count(store), store.problem) == (2, "")
    await store.close()


async def test_a_transaction_that_fails_or_is_cancelled_does_not_end_the_writing(store: Store) -> None:
    with pytest.raises((DBAPIError, StoreUnavailable)):
        async with store.write() as tx:
            await tx.execute(text("SELECT no_such_column"))
    await put(store, "a")
    with pytest.raises(asyncio.CancelledError):
        async with store.write():
            raise asyncio.CancelledError
    await put(store, "b")
    assert await count(store) == 2


async def test_an_order_that_is_given_up_while_the_server_works_does_not_cost_the_lock(
    postgres_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    store = await Store.open(StoreSettings(url=postgres_url), tmp_path, clock)
    begun = asyncio.Event()

    async def long_order() -> None:
        async with store.write() as tx:
            await tx.execute(insert(meta), {"key": "half", "value": ""})
            begun.set()
            await tx.execute(text("SELECT pg_sleep(60)"))

    given_up = asyncio.create_task(long_order())
    await begun.wait()
    await asyncio.sleep(0.1)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    await put(store, "whole")
    assert await count(store) == 1
    assert len(await asyncio.to_thread(sql, postgres_url, HOLDERS)) == 1
    await store.close()


async def test_a_ghost_that_gives_the_lock_back_between_two_questions_is_no_other_engine(
    postgres_url: str, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await Store.open(StoreSettings(url=postgres_url), tmp_path, clock)
    ask, asked = AdvisoryLock._try, []

    async def just_gone(self: AdvisoryLock, conn: AsyncConnection) -> tuple[int, str] | None:
        asked.append(conn)
        return (NOBODY, "unknown") if len(asked) == 1 else await ask(self, conn)

    monkeypatch.setattr(AdvisoryLock, "_try", just_gone)
    ours = await asyncio.to_thread(sql, postgres_url, HOLDERS)
    await asyncio.to_thread(sql, postgres_url, f"SELECT pg_terminate_backend({ours[0][0]})")
    await put(store, "whole")
    assert len(asked) > 1 and await count(store) == 1
    await store.close()
