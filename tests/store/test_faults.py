"""What a broken disk, a second engine or a kill does to the store: clear words, nothing committed lost."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event, func, insert, select, text

from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import Layout, Sample
from guardian_tui.engine.store import sqlite as files
from guardian_tui.engine.store.chunk_rows import HOUR
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.locking import file_system_of
from guardian_tui.engine.store.tables import meta
from guardian_tui.protocol.errors import Conflict, StoreUnavailable
from tests.support.disks import fill, small_disk

LITE = StoreSettings()


async def put(store: Store, key: str, value: str = "") -> None:
    async with store.write() as tx:
        await tx.execute(insert(meta), {"key": key, "value": value})


async def count(store: Store) -> int:
    async with store.read() as conn:
        ours = meta.c.key.not_in(["holder", "checked_at"])
        return int((await conn.execute(select(func.count()).select_from(meta).where(ours))).scalar_one())


async def test_a_second_engine_is_told_which_process_has_the_store(
    store: Store, store_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    with pytest.raises(StoreUnavailable, match=f"{os.getpid()}.*One engine per store"):
        await Store.open(StoreSettings(url=store_url), tmp_path / "state", clock)
    await put(store, "still", "ours")


async def test_after_a_close_the_store_can_be_opened_again(
    store_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    for number in range(2):
        store = await Store.open(StoreSettings(url=store_url), tmp_path, clock)
        assert await count(store) == number
        await put(store, str(number))
        await store.close()


async def test_a_transaction_that_fails_leaves_nothing_and_runs_no_callback(store: Store) -> None:
    ran: list[int] = []
    with pytest.raises(ZeroDivisionError):
        async with store.write() as tx:
            tx.after_commit(lambda: ran.append(1))
            await tx.execute(insert(meta), {"key": "a", "value": ""})
            raise ZeroDivisionError
    assert (ran, await count(store)) == ([], 0)
    async with store.write() as tx:
        tx.after_commit(lambda: ran.append(1 // 0))
        tx.after_commit(lambda: ran.append(2))
        await tx.execute(insert(meta), {"key": "a", "value": ""})
    assert (ran, await count(store)) == ([2], 1)


async def test_who_is_cancelled_in_the_middle_of_a_commit_is_so_once_it_is_known_what_came_of_it(
    store: Store,
) -> None:
    ran: list[int] = []

    async def change() -> None:
        own = asyncio.current_task()
        assert own is not None
        loop = asyncio.get_running_loop()
        async with store.write() as tx:
            tx.after_commit(lambda: ran.append(1))
            await tx.execute(insert(meta), {"key": "a", "value": ""})
            event.listen(store._state.sync_engine, "commit", lambda _: loop.call_soon(own.cancel), once=True)

    task = asyncio.create_task(change())
    with pytest.raises(asyncio.CancelledError):
        await task
    # what is in the store is in memory too
    assert (ran, await count(store)) == ([1], 1)
    await put(store, "b")
    assert await count(store) == 2


async def test_a_name_that_somebody_else_took_at_this_moment_is_no_fault_of_ours(store: Store) -> None:
    await put(store, "name")
    with pytest.raises(Conflict, match="Nothing was changed"):
        await put(store, "name")
    assert store.problem == "" and await count(store) == 1


async def test_writers_take_turns(store: Store) -> None:
    async def raise_it() -> None:
        async with store.write() as tx:
            found = (await tx.execute(select(meta.c.value).where(meta.c.key == "n"))).scalar_one()
            await asyncio.sleep(0)
            await tx.execute(meta.update().where(meta.c.key == "n").values(value=str(int(found) + 1)))

    await put(store, "n", "0")
    await asyncio.gather(*(raise_it() for _ in range(20)))
    async with store.read() as conn:
        assert (await conn.execute(select(meta.c.value).where(meta.c.key == "n"))).scalar_one() == "20"


async def test_files_are_for_their_owner_alone_even_if_they_were_not(
    tmp_path: Path, clock: ManualClock
) -> None:
    folder = tmp_path / "s"
    await (await Store.open(LITE, folder, clock)).close()
    folder.chmod(0o755)
    (folder / "state.db").chmod(0o644)
    store = await Store.open(LITE, folder, clock)
    await put(store, "a")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {f.name: oct(f.stat().st_mode & 0o777) for f in folder.iterdir() if f.stat().st_mode & 0o077} == {}
    await store.close()


async def test_a_lock_of_another_process_is_told_and_forgotten_when_it_is_gone(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BUSY_SECONDS", 0.05)
    store = await Store.open(LITE, tmp_path, clock)
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match=r"locked by another process.*Nothing was changed"):
        await put(store, "a")
    assert "locked" in store.problem
    other.execute("ROLLBACK")
    other.close()
    await put(store, "a")
    assert store.problem == ""
    await store.close()


@pytest.mark.parametrize("name", ["state.db", "metrics.db"])
async def test_a_store_that_is_locked_at_the_start_is_not_taken_for_damaged(
    name: str, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await Store.open(LITE, tmp_path, clock)).close()
    monkeypatch.setattr(files, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(tmp_path / name, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    other.execute("CREATE TABLE held (x)")
    with pytest.raises(StoreUnavailable, match=f"{name}: the store is locked"):
        await Store.open(LITE, tmp_path, clock)
    other.execute("ROLLBACK")
    other.close()
    store = await Store.open(LITE, tmp_path, clock)
    assert store.problems == []
    await store.close()


@pytest.mark.parametrize("size", [4096 * 3, 100, 0])
async def test_a_truncated_state_is_refused_and_not_touched(
    size: int, tmp_path: Path, clock: ManualClock
) -> None:
    await (await Store.open(LITE, tmp_path, clock)).close()
    file = tmp_path / "state.db"
    os.truncate(file, size)
    before = file.read_bytes()
    with pytest.raises(StoreUnavailable, match=r"state.db is damaged.*left as it is"):
        await Store.open(LITE, tmp_path, clock)
    assert file.read_bytes() == before


async def test_a_state_of_garbage_is_refused_and_not_touched(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "state.db").write_bytes(b"garbage " * 1000)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await Store.open(LITE, tmp_path, clock)
    assert (tmp_path / "state.db").read_bytes() == b"garbage " * 1000


async def test_damaged_metrics_are_set_aside_each_time_and_watching_goes_on(
    tmp_path: Path, clock: ManualClock
) -> None:
    for number in (1, 2):
        (tmp_path / "metrics.db").write_bytes(b"garbage " * 1000)
        store = await Store.open(LITE, tmp_path, clock)
        assert "charts begin anew" in store.problems[0]
        assert len(list(tmp_path.glob("metrics-damaged-*"))) == number
        assert (await store.metrics.counts())["hot"] == 0
        await store.close()


async def test_a_full_store_says_so_calls_for_the_reserve_and_takes_writes_again(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = await Store.open(LITE, tmp_path, clock)
    called: list[bool] = []
    store.on_full = lambda: called.append(True) or True
    async with store._state.connect() as conn:
        pages = (await conn.execute(text("PRAGMA page_count"))).scalar_one()
        await conn.execute(text(f"PRAGMA max_page_count={pages}"))
    with pytest.raises(StoreUnavailable, match="disk is full"):
        await put(store, "big", "x" * 1_000_000)
    assert called and "full" in store.problem
    async with store._state.connect() as conn:
        await conn.execute(text("PRAGMA max_page_count=1000000"))
    await put(store, "big", "x" * 1_000_000)
    assert store.problem == "" and await count(store) == 1
    await store.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    with small_disk(tmp_path / "disk") as folder:
        yield folder


async def test_a_disk_that_is_truly_full_loses_nothing_committed(disk: Path, clock: ManualClock) -> None:
    store = await Store.open(LITE, disk / "s", clock)
    await put(store, "before")
    ballast = fill(disk)
    with pytest.raises(StoreUnavailable, match="full"):
        await put(store, "big", "x" * 1_000_000)
    assert await count(store) == 1
    ballast.unlink()
    await put(store, "after")
    assert (await count(store), store.problem) == (2, "")
    await store.close()


async def test_hours_that_a_full_disk_does_not_take_are_closed_when_there_is_room(
    disk: Path, clock: ManualClock
) -> None:
    store = await Store.open(LITE, disk / "s", clock)
    start = clock.now()
    chance = random.Random(1)
    # nothing that packs well: the hour as a chunk is larger than what is left free in the files
    layout = Layout(tuple(f"m{number}" for number in range(200)))
    samples = [
        Sample("h1", start + 20 * n, layout, [chance.random() for _ in layout.names]) for n in range(180)
    ]
    store.metrics.add(samples, "fast")
    await store.metrics.flush()
    chart = await store.metrics.history("h1", "m7", start, start + HOUR, 180)
    ballast = fill(disk)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="full"):
            await store.metrics.close_host("h1", start + HOUR)
    # nothing is half closed: what there was is drawn, and what comes waits
    assert (await store.metrics.history("h1", "m7", start, start + HOUR, 180)) == chart
    store.metrics.add([Sample("h1", start + HOUR + n, layout, [0.5] * 200) for n in range(200)], "fast")
    ballast.unlink()
    await store.metrics.flush()
    await store.metrics.close_host("h1", start + HOUR)
    assert (await store.metrics.counts())["chunks"] > 0 and not store.metrics.problem
    closed = await store.metrics.history("h1", "m7", start, start + HOUR, 180)
    assert closed.mean == pytest.approx(chart.mean, abs=1e-6) and not closed.problems
    assert (await store.metrics.last_values("h1"))["m7"] == 0.5
    await store.close()


async def test_a_read_only_disk_is_named_at_the_start(disk: Path, clock: ManualClock) -> None:
    await (await Store.open(LITE, disk, clock)).close()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    with pytest.raises(StoreUnavailable, match="Read-only file system"):
        await Store.open(LITE, disk, clock)


async def test_a_store_that_becomes_read_only_says_so(store: Store) -> None:
    async def let(writes: bool) -> None:
        if store.dialect == "sqlite":
            async with store._state.connect() as conn:
                await conn.execute(text(f"PRAGMA query_only={int(not writes)}"))
            return
        async with store.write() as tx:
            await tx.execute(text(f"SET default_transaction_read_only = {'off' if writes else 'on'}"))

    await let(writes=False)
    with pytest.raises(StoreUnavailable, match="read-only"):
        await put(store, "a")
    assert "read-only" in store.problem
    await let(writes=True)
    await put(store, "a")
    assert store.problem == ""


async def test_a_wrong_address_of_postgresql_is_told_in_words(tmp_path: Path, clock: ManualClock) -> None:
    with pytest.raises(StoreUnavailable, match=r"PostgreSQL can't be used.*store\.url"):
        await Store.open(StoreSettings(url="postgresql://nobody@127.0.0.1:1/x"), tmp_path, clock)
    with pytest.raises(StoreUnavailable, match="NOT_SET_HERE"):
        await Store.open(StoreSettings(url="env:NOT_SET_HERE"), tmp_path, clock)
    with pytest.raises(StoreUnavailable, match="must begin with"):
        await Store.open(StoreSettings(url="mysql://x"), tmp_path, clock)


def test_the_file_system_of_a_folder_is_that_of_the_longest_mount() -> None:
    mounts = "/dev/a / ext4 rw 0 0\nsrv:/x /srv nfs4 rw 0 0\nb /srv/my\\040disk ext4 rw 0 0\nshort\n"
    assert file_system_of(Path("/srv/data"), mounts) == "nfs4"
    assert file_system_of(Path("/srv/my disk/x"), mounts) == "ext4"
    assert file_system_of(Path("/srvx"), mounts) == "ext4"


WRITER = """
import asyncio, sys
from pathlib import Path
from sqlalchemy import insert
from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import SystemClock
from guardian_tui.engine.facts import Layout, Sample
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import meta
async def main():
    store = await Store.open(StoreSettings(), Path(sys.argv[1]), SystemClock())
    layout = Layout(("cpu",))
    for n in range(1_000_000):
        async with store.write() as tx:
            await tx.execute(insert(meta), {"key": f"{sys.argv[2]}-{n}", "value": "x" * 2000})
        store.metrics.add([Sample("h1", float(n), layout, [float(n)])], "fast")
        await store.metrics.flush()
        print(n, flush=True)
asyncio.run(main())
"""


async def kill_in_mid_write(folder: Path, clock: ManualClock, rounds: int) -> None:
    told = 0
    for number in range(rounds):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(number)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(3 + number % 7):
                assert writer.stdout.readline()
                told += 1
            writer.kill()
            told += len(writer.stdout.readlines())
        store = await Store.open(LITE, folder, clock)
        kept = await count(store)
        assert kept >= told and store.problems == []
        assert (await store.metrics.counts())["hot"] >= told
        await store.close()


async def test_what_was_committed_is_there_after_a_kill(tmp_path: Path, clock: ManualClock) -> None:
    await kill_in_mid_write(tmp_path, clock, 3)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_what_was_committed_is_there_after_two_hundred_kills(
    tmp_path: Path, clock: ManualClock
) -> None:
    await kill_in_mid_write(tmp_path, clock, 200)


async def test_a_state_that_was_moved_away_is_begun_anew_beside_the_old_metrics(
    tmp_path: Path, clock: ManualClock
) -> None:
    await (await Store.open(LITE, tmp_path, clock)).close()
    (tmp_path / "state.db").rename(tmp_path / "old.db")
    store = await Store.open(LITE, tmp_path, clock)
    assert await count(store) == 0
    await store.close()
