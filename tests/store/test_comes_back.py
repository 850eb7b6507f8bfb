"""PostgreSQL is restarted, or another one answers in its place, while an engine runs: it goes on where nothing was lost, and says so where something was."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.store import database
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.locking import AdvisoryLock
from guardian_tui.protocol.errors import StoreUnavailable
from tests.store.test_faults import count, put
from tests.support.postgres import Cluster, cluster

WAIT_SECONDS = 60.0


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A server that may be stopped: nobody else's tests stand on it."""
    with cluster() as running:
        yield running


async def known(store: Store) -> None:
    """Wait until the store knows that it is reached again, or never will be."""
    async with asyncio.timeout(WAIT_SECONDS):
        while store.problem and not store._lost():
            await asyncio.sleep(0.01)


async def test_a_server_that_comes_back_is_gone_on_with_where_it_has_all_that_was_written(
    own_cluster: Cluster, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WATCH_SECONDS", 0.02)
    url = own_cluster.database()
    store = await Store.open(StoreSettings(url=url), tmp_path, clock)
    await put(store, "a")
    await asyncio.to_thread(own_cluster.restart)
    await put(store, "b")
    # a server that has followed to the last byte takes over
    await asyncio.to_thread(own_cluster.copy, "follower")
    await asyncio.to_thread(own_cluster.restart, "follower")
    await put(store, "c")
    assert (await count(store), store.problem) == (3, "")
    # of one that lags behind nothing is believed, though it was ours once
    await asyncio.to_thread(own_cluster.copy, "laggard")
    await put(store, "d")
    await asyncio.to_thread(own_cluster.restart, "laggard")
    with pytest.raises(StoreUnavailable, match=r"came back without what was written last.*Start it again"):
        await put(store, "e")
    await known(store)
    assert "writes nothing any more" in store.problem
    assert await count(store) == 3
    await store.close()
    again = await Store.open(StoreSettings(url=url), tmp_path, clock)
    await put(again, "f")
    assert await count(again) == 4
    await again.close()


async def test_what_was_being_committed_when_the_server_went_may_be_there_or_not(
    postgres_url: str, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await Store.open(StoreSettings(url=postgres_url), tmp_path, clock)
    lock = store._lock
    assert isinstance(lock, AdvisoryLock) and lock._conn is not None
    await put(store, "a")

    async def commit(conn: AsyncConnection) -> None:
        # the server has committed, and its answer is lost
        await real(conn)
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [lock._backend])
        await conn.execute(text("SELECT 1"))

    real = AsyncConnection.commit
    with monkeypatch.context() as broken:
        broken.setattr(AsyncConnection, "commit", commit)
        with pytest.raises(StoreUnavailable):
            await put(store, "b")
    await put(store, "c")
    assert await count(store) == 3
    await store.close()


async def test_another_database_of_the_same_name_is_not_written_to(
    own_cluster: Cluster, tmp_path: Path, clock: ManualClock
) -> None:
    url = own_cluster.database()
    name = f"t{own_cluster._made}"
    store = await Store.open(StoreSettings(url=url), tmp_path, clock)
    await put(store, "a")
    with psycopg.connect(
        host=str(own_cluster.folder), user="tester", dbname="postgres", autocommit=True
    ) as conn:
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
        conn.execute(f"CREATE DATABASE {name}")
    with pytest.raises(StoreUnavailable, match="not the database that this engine began with"):
        await put(store, "b")
    await store.close()
