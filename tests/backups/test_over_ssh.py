"""Runs on a host behind a real sshd: the link is cut in the middle, the host is away, and the run goes on all the same."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from guardian_tui.engine.backups import following, records
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.backups.work import Backup
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.protocol.backups import Dump, JobSpec, RepositorySpec, RunRow
from guardian_tui.protocol.fleet import HostSpec
from tests.fleet.conftest import *  # noqa: F403  # its fixtures: a fleet with a real store and real SSH
from tests.fleet.test_sshd import watched
from tests.fleet.world import World
from tests.support.sshd import Sshd, SshUser


@pytest.fixture
def place(unix_user: SshUser) -> Iterator[Path]:
    """A folder of the host's user, with a database in it."""
    folder = unix_user.home / f"backup-{os.urandom(4).hex()}"
    folder.mkdir()
    with sqlite3.connect(folder / "shop.db") as db:
        db.execute("CREATE TABLE t (a)")
        db.executemany("INSERT INTO t VALUES (?)", [(f"row {n}",) for n in range(50)])
    (folder / "kept").mkdir()
    subprocess.run(["chown", "-R", unix_user.name, str(folder)], check=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def backups(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Backups]:
    monkeypatch.setattr(following, "UNHEARD_SECONDS", 0.5)

    async def resolve(reference: str) -> str:
        return f"behind {reference}"

    one = Backups(
        world.store,
        world.bus,
        world.live,
        world.clock,
        world.sink,
        world.fleet.inventory,
        Commands(world.remote),
        resolve,
        400.0,
    )
    await one.start()
    yield one
    await one.stop()


async def queued(world: World, backups: Backups, place: Path, before: str) -> str:
    """A run on the real host, waiting for nothing but its turn; answers its id."""
    spec = RepositorySpec(name="dumps", engine="dumps", location=str(place / "kept"), host="real")
    repository = Repository("r1", spec, "screen", world.clock.now())
    dump = Dump(kind="sqlite", database=str(place / "shop.db"))
    job = Job(
        "j1", JobSpec(name="shop", host="real", repository="dumps", dumps=(dump,), before=(before,)), world.fleet.inventory.named("real").id, "r1",
        "screen", world.clock.now(),
    )  # fmt: skip
    way = world.fleet.inventory.way("real")
    async with world.store.write() as tx:
        await records.put_repository(tx, repository, new=True)
        await records.put_job(tx, job, new=True)
        backups.repositories["r1"], backups.jobs["j1"] = repository, job
        run = await backups.runner.queue(tx, Backup(), job, repository, way, "ada")
    return run.row.id


async def row_of(world: World, run_id: str) -> RunRow:
    found = await records.run_named(world.store, run_id)
    assert found is not None
    return found[0]


async def until_ended(world: World, run_id: str) -> RunRow:
    async with asyncio.timeout(90):
        while (row := await row_of(world, run_id)).state not in ("ended", "lost"):
            await asyncio.sleep(0.1)
    return row


async def test_a_link_that_is_cut_in_mid_run_costs_the_run_nothing(
    world: World, backups: Backups, sshd: Callable[..., Sshd], place: Path
) -> None:
    server = sshd()
    await watched(world, server)
    begun, go = place / "begun", place / "go"
    run_id = await queued(world, backups, place, f"touch {begun}; while [ ! -e {go} ]; do sleep 0.1; done")
    async with asyncio.timeout(60):
        # and is followed: before that whoever starts it is a child of the server's, which goes with it
        while not begun.exists() or backups.runner.log_of(run_id) is None:
            await asyncio.sleep(0.1)
    server.stop()
    await asyncio.sleep(1.5)
    assert (row := await row_of(world, run_id)).state == "running", row
    go.touch()
    await asyncio.sleep(1.0)
    server.start()
    row = await until_ended(world, run_id)
    assert (row.verdict, row.attempt) == ("ok", 1), row
    assert list((place / "kept").glob("*shop*"))


async def test_what_is_ended_while_its_host_is_away_is_ended_when_it_is_back(
    world: World, backups: Backups, sshd: Callable[..., Sshd], place: Path
) -> None:
    server = sshd()
    await watched(world, server)
    begun, never = place / "begun", place / "never"
    run_id = await queued(world, backups, place, f"touch {begun}; while [ ! -e {never} ]; do sleep 0.1; done")
    async with asyncio.timeout(60):
        while not begun.exists() or backups.runner.log_of(run_id) is None:
            await asyncio.sleep(0.1)
    server.stop()
    with pytest.raises(ConnectFailed):
        await backups.runner.cancel(backups.runner.runs[run_id])
    assert (await row_of(world, run_id)).state == "running"
    server.start()
    row = await until_ended(world, run_id)
    assert (row.verdict, row.words) == ("cancelled", "It was ended by a person."), row
    assert not any(
        str(never) in " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
    )


async def test_a_host_that_cannot_be_reached_at_all_is_a_verdict_in_words(
    world: World, backups: Backups, sshd: Callable[..., Sshd], place: Path
) -> None:
    server = sshd()
    await watched(world, server)
    server.stop()
    backups_row = await queued(world, backups, place, "true")
    async with asyncio.timeout(60):
        while not (row := await row_of(world, backups_row)).words:
            await asyncio.sleep(0.1)
    assert (row.state, row.attempt) == ("queued", 2), row
    assert "tried again" in row.words
    await backups.runner.cancel(backups.runner.runs[backups_row])
    assert (await until_ended(world, backups_row)).verdict == "cancelled"


async def test_a_repository_is_read_again_as_soon_as_its_hosts_key_is_accepted_or_the_host_is_back(
    world: World, backups: Backups, sshd: Callable[..., Sshd], place: Path
) -> None:
    server = sshd()
    key = world.folder / "key"
    shutil.copy(server.client_key, key)
    key.chmod(0o600)
    more = {"user": server.user, "credential": f"key:{key}", "interval_seconds": 0.5}
    host = await world.join(HostSpec(name="real", address=server.address, port=server.port, **more))
    spec = RepositorySpec(name="dumps", engine="dumps", location=str(place / "kept"), host="real")
    repository = Repository("r1", spec, "screen", world.clock.now())
    async with world.store.write() as tx:
        await records.put_repository(tx, repository, new=True)
        tx.after_commit(lambda: backups.repository_joined(repository))
    memory = repository.memory

    async def becomes(verdict: str) -> None:
        async with asyncio.timeout(90):
            while memory.verdict != verdict or backups._reads:
                await asyncio.sleep(0.05)

    await becomes("network")
    assert "key" in memory.words, memory.words
    await world.pin(server.address, server.port, server.host_key)
    world.fleet.trusted_more()
    await becomes("ok")
    await world.until_state(host, "up")
    server.stop()
    await world.until_state(host, "down")
    assert (await backups.read(repository)).verdict == "network"
    server.start()
    await becomes("ok")
