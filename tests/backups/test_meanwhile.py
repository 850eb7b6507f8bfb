"""Jobs and repositories that somebody changes or removes while something of them goes on: what was ordered last counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from guardian_tui.engine.backups import records, settle
from guardian_tui.engine.backups.records import Job, Repository
from tests.backups.house import House, house


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as home:
        yield home


async def change_repository(home: House, old: Repository, **fields: Any) -> None:
    spec = replace(old.spec, **fields)
    changed = Repository(old.id, spec, old.source, old.created_at, old.memory)
    async with home.store.write() as tx:
        await records.put_repository(tx, changed, new=False)
    home.backups.repository_joined(changed)


async def change_job(home: House, old: Job, **fields: Any) -> Job:
    spec = replace(old.spec, **fields)
    changed = Job(old.id, spec, old.host_id, old.repository_id, old.source, old.created_at, old.memory)
    changed.memory.next_at = None
    async with home.store.write() as tx:
        await records.put_job(tx, changed, new=False)
    home.backups.joined(changed)
    return changed


async def test_the_end_of_a_reading_leaves_a_change_of_the_repository_as_it_is(home: House) -> None:
    old = await home.repository()
    for unreadable in (False, True):
        old = home.backups.repositories[old.id]
        if unreadable:
            (home.folder / "dumps").rmdir()
        await change_repository(home, old, site=f"site {unreadable}")
        judgement = await home.backups.read(old)
        assert (judgement.verdict != "ok") == unreadable, judgement
        (stored,) = await records.read_repositories(home.store)
        assert stored.spec.site == f"site {unreadable}"
        assert stored.memory.verdict == judgement.verdict
        row = home.backups._live.repositories.get(old.id)
        assert row is not None and (row.site, row.verdict) == (f"site {unreadable}", judgement.verdict)


async def test_a_repository_that_is_removed_while_it_is_read_leaves_nothing(home: House) -> None:
    old = await home.repository()
    run = await home.queue(await home.job())
    assert (await home.ended(run.row.id)).verdict == "ok"
    async with home.store.write() as tx:
        await records.remove_repository(tx, old.id)
    home.backups.repository_left(old)
    assert (await home.backups.read(old)).verdict == "ok"
    await settle.write(home.store, run)
    assert await records.read_repositories(home.store) == []
    assert await records.snapshot_ids(home.store, old.id) == {}
    assert home.backups._live.repositories.get(old.id) is None


async def test_the_end_of_a_run_leaves_a_change_of_its_job_as_it_is(home: House) -> None:
    await home.repository()
    job = await home.job()
    run = await home.queue(job)
    await change_job(home, job, tries=7)
    assert (await home.ended(run.row.id)).verdict == "ok"
    await settle.write(home.store, run)
    (stored,) = await records.read_jobs(home.store)
    assert stored.spec.tries == 7


async def test_a_job_that_is_changed_while_its_schedule_is_looked_at_goes_by_the_new_one(home: House) -> None:
    await home.repository()
    job = await home.job(schedule="0 3 * * *", timer="engine", window="", jitter_seconds=0)
    await home.planner.look()
    at_three = job.memory.next_at
    assert at_three is not None
    home.clock.advance(at_three - home.clock.now() + 1)
    begin = home.planner._begin_backup
    changed = job

    async def begun(one: Job, now: float) -> None:
        nonlocal changed
        await begin(one, now)
        changed = await change_job(home, one, schedule="0 5 * * *")

    home.planner._begin_backup = begun  # type: ignore[method-assign]  # somebody changes it just then
    await home.planner.look()
    home.planner._begin_backup = begin  # type: ignore[method-assign]  # held up
    assert changed is not job and changed.memory.next_at is None
    await home.planner.look()
    assert changed.memory.next_at == home.planner.next_at(changed, home.clock.now())
    (stored,) = await records.read_jobs(home.store)
    assert (stored.spec.schedule, stored.memory.next_at) == ("0 5 * * *", changed.memory.next_at)
