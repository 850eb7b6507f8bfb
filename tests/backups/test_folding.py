"""What follows from runs is done once for all of them: readings are folded, and only what was touched is judged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from guardian_tui.engine.backups.engines.base import Judgement
from guardian_tui.engine.backups.observer import Listed
from guardian_tui.engine.backups.orders import BackupOrders
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.scope import Scope
from guardian_tui.engine.calls import Call, Peer
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.backups import RunDetail, RunRef
from guardian_tui.protocol.routes import ROUTES
from tests.backups.house import House, house
from tests.support.asking import unasked

OTHER = Way("other", "other", {"host": "other"}, None)


@pytest.fixture
async def home(tmp_path: Path, store_url: str) -> AsyncIterator[House]:
    async with house(tmp_path, store_url) as one:
        yield one


async def test_readings_that_are_asked_for_meanwhile_are_one_that_begins_after_the_last_of_them(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = await home.repository()
    begun, go_on, made = asyncio.Event(), asyncio.Event(), []

    async def listed(asked: Repository) -> Listed:
        made.append(asked.id)
        begun.set()
        await go_on.wait()
        return Listed(Judgement("ok", "read"))

    monkeypatch.setattr(home.backups.observer, "_list", listed)
    first = asyncio.create_task(home.backups.observer.read(repository, ()))
    await asyncio.wait_for(begun.wait(), 60)
    # its list may lack what has ended since it began
    more = [asyncio.create_task(home.backups.observer.read(repository, ())) for _ in range(5)]
    given_up = asyncio.create_task(home.backups.observer.read(repository, ()))
    await asyncio.sleep(0)
    given_up.cancel()
    go_on.set()
    done = await asyncio.wait_for(asyncio.gather(first, *more), 60)
    assert [one.verdict for one in done] == ["ok"] * 6
    assert made == [repository.id] * 2
    # and the next one is new
    await home.backups.observer.read(repository, ())
    assert len(made) == 3


async def test_readings_end_with_the_engine(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = await home.repository()
    begun, ended = asyncio.Event(), asyncio.Event()

    async def listed(asked: Repository) -> Listed:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    monkeypatch.setattr(home.backups.observer, "_list", listed)
    asking = asyncio.create_task(home.backups.observer.read(repository, ()))
    await asyncio.wait_for(begun.wait(), 60)
    await home.backups.observer.stop()
    assert ended.is_set()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_what_nothing_touched_is_judged_by_the_clock_alone(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.ways.all.append(OTHER)
    memory = (await home.repository()).memory
    memory.verdict, memory.listed_at = "ok", home.clock.now()
    here, there = await home.job("here"), await home.job("there")
    there.host_id = "other"
    judged: list[str] = []
    row_of = home.backups.row_of

    def noted(job: Job) -> object:
        judged.append(job.spec.name)
        return row_of(job)

    monkeypatch.setattr(home.backups, "row_of", noted)
    home.backups.judge()
    assert judged == ["here", "there"]
    judged.clear()
    await home.backups.refresh(only=(there.id,))
    assert judged == ["there"]
    assert [sample.host_id for sample in home.waves[-1].samples] == ["other"]
    judged.clear()
    # a repository that was read again has news of all its jobs
    await home.backups.refresh(only=(), read=[home.backups.repositories[here.repository_id]])
    assert judged == ["here", "there"]
    judged.clear()
    await home.backups.refresh(only=())
    assert judged == []


async def test_a_run_says_as_long_as_not_all_that_follows_from_it_is_known(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a run and then looks at the list must find it there."""
    await home.repository()
    job = await home.job()
    go_on, real = asyncio.Event(), home.backups.observer._list

    async def listed(asked: Repository) -> Listed:
        await go_on.wait()
        return await real(asked)

    monkeypatch.setattr(home.backups.observer, "_list", listed)
    asking = unasked(home.backups, home.store, home.clock)
    handlers = BackupOrders(home.backups, Scope(home.backups), home.store, home.clock, asking).handlers()

    async def log(run: str) -> RunDetail:
        call = Call(ROUTES["backups.log"], None, Peer(0), "r", home.clock.now(), home.sink, home.store.write)
        found = await handlers["backups.log"](call, RunRef(run=run))
        assert isinstance(found, RunDetail)
        return found

    run = (await home.queue(job)).row.id
    assert (await home.ended(run)).verdict == "ok"
    detail = await log(run)
    assert (detail.row.state, detail.settling) == ("ended", True)
    go_on.set()

    async def known() -> bool:
        return not (await log(run)).settling

    await home.until(known, "all of it is known")
    assert home.backups.row_of(job).state == "ok"
