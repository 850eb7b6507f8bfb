"""What is known of jobs goes on when they are edited, and what was saved elsewhere is not their own; what is gone is forgotten; copies come along."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select

from guardian_tui.engine.backups import records
from guardian_tui.engine.backups.copying import OVERTAKEN
from guardian_tui.engine.backups.orders import BackupOrders
from guardian_tui.engine.backups.proofs import ProofOrders
from guardian_tui.engine.backups.records import Job
from guardian_tui.engine.backups.runs import Run
from guardian_tui.engine.backups.scope import Scope
from guardian_tui.engine.backups.work import Backup, Copy
from guardian_tui.engine.calls import Call, Peer
from guardian_tui.engine.store.tables import backup_hashes
from guardian_tui.protocol import backups as wire
from guardian_tui.protocol import routes
from guardian_tui.protocol.backups import Retention, Snapshot
from tests.backups.house import HERE, House, house
from tests.support.asking import unasked


@pytest.fixture
async def home(tmp_path: Path, store_url: str) -> AsyncIterator[House]:
    async with house(tmp_path, store_url) as one:
        await one.repository()
        await one.start()
        # nothing of it is due by itself while a test says what happens
        for task in one.backups._tasks:
            task.cancel()
        yield one


async def order(home: House, name: str, request: Any) -> Any:
    """As a person gives it."""
    asking, scope = unasked(home.backups, home.store, home.clock), Scope(home.backups)
    handlers = BackupOrders(home.backups, scope, home.store, home.clock, asking).handlers()
    handlers |= ProofOrders(home.backups, scope, home.store, home.clock, home.commands, asking).handlers()
    call = Call(routes.ROUTES[name], None, Peer(0), "r", home.clock.now(), home.sink, home.store.write)
    return await handlers[name](call, request)


async def edited(home: House, job: Job, **more: Any) -> Job:
    await order(home, "backups.edit", wire.EditJob(job=job.spec.name, spec=replace(job.spec, **more)))
    return home.backups.jobs[job.id]


async def test_what_a_backup_saves_is_what_its_job_says_when_its_turn_comes(home: House) -> None:
    job = await home.job()
    run = await home.queue(job)
    run.not_before = home.clock.now() + 3600
    assert run.task is not None
    changed = await edited(home, job, nice=7)
    assert run.job is changed and run.row.state == "queued"
    # to another repository it would be another run
    await home.repository("other")
    await edited(home, changed, repository="other")
    assert run.job is changed


async def test_an_edit_keeps_what_is_known_of_a_job_and_another_repository_has_none_of_its_snapshots(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await home.job(schedule="daily", timer="engine")
    assert (await home.ended((await home.queue(job)).row.id)).verdict == "ok"

    async def known() -> bool:
        runner = home.backups.runner
        return job.snapshots == 1 and not (runner.runs or runner.settling or home.backups._reads)

    await home.until(known, "its snapshot is known, and nothing more is read")
    job.measured_rto, job.archived_at = 12.0, 5.0
    with monkeypatch.context() as patched:
        # what is read anew would be told in their place
        patched.setattr(home.backups, "read_soon", lambda repository: None)
        changed = await edited(home, job, rpo_seconds=7200)
    assert (changed.measured_rto, changed.archived_at, changed.snapshots) == (12.0, 5.0, 1)
    other = await home.repository("other")
    moved = await edited(home, changed, repository="other")
    await asyncio.gather(*home.backups._reads)
    assert (moved.repository_id, moved.snapshots, moved.good_ats) == (other.id, 0, [])
    assert home.backups.row_of(moved).state == "never"
    back = await edited(home, moved, repository="dumps")
    await asyncio.gather(*home.backups._reads)
    assert back.snapshots == 1


async def test_hashes_of_files_go_with_their_snapshots(home: House) -> None:
    job, repository = await home.job(), next(iter(home.backups.repositories.values()))
    async with home.store.write() as tx:
        await records.add_snapshots(
            tx, repository.id, [(Snapshot(id="there", repository="dumps", at=1.0), job.id)]
        )
        for snapshot in ("there", "gone"):
            await records.put_hashes(tx, repository.id, snapshot, 1.0, [("/etc/fstab", "0" * 64)])
    await home.backups.remove_old()
    async with home.store.read() as conn:
        assert (await conn.execute(select(func.count()).select_from(backup_hashes))).scalar() == 1
    assert await records.hashes_of(home.store, repository.id, "there")


async def test_a_dry_run_of_retention_tells_all_of_many_snapshots(home: House) -> None:
    job = await home.job(keep=Retention(daily=1))
    repository, now = home.backups.repositories["r-dumps"], int(home.clock.now())
    folder = home.folder / "dumps"
    for number in range(1200):
        about = f"# guardian-dump began={now - number} ended={now - number} size=1 host=here of=1 job=shop run=r{number} name=sqlite-shop.db"
        (folder / f"shop-r{number}-sqlite-shop.db").write_bytes(b"x")
        (folder / f"shop-r{number}-sqlite-shop.db.sha256").write_text(f"{about}\n{'0' * 64}  x\n")
    assert (await home.backups.read(repository)).verdict == "ok"
    assert job.snapshots == 1200
    plan = await order(home, "backups.retention", wire.JobRef(job="shop"))
    assert (plan.kept + len(plan.forgotten), plan.kept <= 2) == (1200, True)


async def test_copies_that_are_slower_than_the_backups_don_t_pile_up_and_none_is_left_out(
    home: House,
) -> None:
    other = await home.repository("second")
    job = await home.job(copies=("second",))

    def copies() -> list[Any]:
        return [one for one in home.backups.runner.runs.values() if one.row.operation == "copy"]

    async def saved() -> None:
        run = await home.queue(job)
        assert (await home.ended(run.row.id)).verdict == "ok"

        async def settled() -> bool:
            return not home.backups.runner.settling

        await home.until(settled, "its copy is queued")

    await saved()

    async def copied() -> bool:
        return "second" in job.memory.copied and not copies() and not home.backups.runner.settling

    await home.until(copied, "the first is copied")
    # nothing else has its turn there: the link is slow
    turns = home.backups.runner._turns
    async with turns.turn("r-dumps", alone=True, waits=False):
        async with home.store.write() as tx:
            stuck = [
                await home.backups.runner.queue(
                    tx, Copy(other.id, "second", ("none",), 1.0), job, home.backups.repositories["r-dumps"], HERE, "ada"
                )
                for _ in range(2)
            ]  # fmt: skip
        await asyncio.sleep(0)
        assert copies() == stuck
        async with home.store.write() as tx:
            late = Snapshot(id="missed", repository="dumps", at=job.memory.copied["second"] + 1, job="shop")
            await records.add_snapshots(tx, "r-dumps", [(late, job.id)])
            new = Snapshot(id="new", repository="dumps", at=late.at + 1, job="shop", tags=("run=r9",))
            await records.add_snapshots(tx, "r-dumps", [(new, job.id)])
        ran = Run(replace(stuck[0].row, id="r9"), Backup(), job, home.backups.repositories["r-dumps"], HERE)
        await home.backups._copying.begin(job, ran)
        (left,) = copies()
        assert left.work.snapshots == ("missed", "new")
        for one in stuck:
            row = await home.row(one.row.id)
            assert (row.verdict, row.words) == ("cancelled", OVERTAKEN)
        await home.backups.runner.cancel(left)
