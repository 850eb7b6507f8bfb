"""Runs: queued, followed, taken up again after the engine was killed, ended; and each of it on disk.  Real runs, detached on this machine."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from guardian_tui.engine.backups import records
from guardian_tui.protocol.backups import RunRow
from tests.backups.house import House, house


@pytest.fixture
async def home(tmp_path: Path, store_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setenv("HOME", str(tmp_path))
    async with house(tmp_path, store_url) as one:
        await one.start()
        yield one


def waiting(flag: Path) -> str:
    """A command that lasts until a file is there."""
    return f"while [ ! -e {flag} ]; do sleep 0.05; done"


async def test_a_run_ends_well_and_its_snapshot_counts(home: House) -> None:
    await home.repository()
    job = await home.job()
    run = await home.queue(job)
    row = await home.ended(run.row.id)
    assert (row.verdict, row.by, row.attempt) == ("ok", "ada", 1), row

    async def counted() -> bool:
        return home.backups.row_of(job).state == "ok"

    await home.until(counted, "the snapshot counts")
    assert home.backups.row_of(job).snapshots == 1
    taken = home.backups.repositories[job.repository_id].memory
    assert taken.bytes is not None and len(taken.sizes) == 1
    assert [entry.action for entry in home.sink.entries] == ["backups.backup.ended"]
    series = home.waves[-1].samples[-1]
    assert series.values[series.layout.index["backup_failed{shop}"]] == 0.0


async def test_an_engine_that_is_killed_finds_its_run_again_and_tells_its_end(
    home: House, tmp_path: Path
) -> None:
    flag = tmp_path / "go"
    await home.repository()
    await home.job(before=(f"echo begun; {waiting(flag)}",))
    run = await home.queue(home.backups.jobs["j-shop"])

    async def running() -> bool:
        live = home.backups.runner.log_of(run.row.id)
        return live is not None and "begun" in live[0]

    await home.until(running, "it runs")
    await home.restart()
    assert home.backups.runner.runs[run.row.id].row.state == "running"
    await home.until(running, "it is followed again, from its beginning")
    flag.touch()
    row = await home.ended(run.row.id)
    assert (row.verdict, row.attempt) == ("ok", 1), row


async def test_a_clock_that_is_ahead_makes_no_run_old(home: House) -> None:
    await home.repository()
    run = await home.queue(await home.job())
    await home.ended(run.row.id)
    home.clock.jump(10 * 365 * 86400.0)
    await home.backups.remove_old()
    assert await records.run_named(home.store, run.row.id) is not None
    home.clock.jump(-10 * 365 * 86400.0)
    home.clock.advance(1000 * 86400.0)
    await home.backups.remove_old()
    assert await records.run_named(home.store, run.row.id) is None


async def test_what_came_of_runs_is_shown_again_after_a_start(home: House) -> None:
    await home.repository()
    run = await home.queue(await home.job())
    row = await home.ended(run.row.id)
    await home.restart()

    async def shown() -> RunRow | None:
        return home.live.runs.get(row.id)

    assert (await home.until(shown, "it is shown again")).verdict == "ok"
    assert await records.runs_ended_since(home.store, home.clock.now() + 60) == []


async def test_it_may_end_while_no_engine_is_there(home: House, tmp_path: Path) -> None:
    flag = tmp_path / "go"
    await home.repository()
    await home.job(before=(waiting(flag),))
    run = await home.queue(home.backups.jobs["j-shop"])

    async def begun() -> bool:
        return (await home.row(run.row.id)).state == "running"

    await home.until(begun, "it begins")
    await asyncio.sleep(0.5)
    await home.backups.stop()
    flag.touch()
    await asyncio.sleep(2.0)
    home.begin()
    await home.start()
    assert (await home.ended(run.row.id)).verdict == "ok"


async def test_cancelled_means_that_all_of_it_is_gone(home: House) -> None:
    await home.repository()
    mark = f"31{os.getpid()}"
    await home.job(before=(f"trap '' TERM INT; sleep {mark} & wait",))
    run = await home.queue(home.backups.jobs["j-shop"])

    def sleepers() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter(["cmdline", "status"]):
            if mark in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    async def sleeping() -> bool:
        return bool(sleepers())

    await home.until(sleeping, "it sleeps")
    await home.backups.runner.cancel(home.backups.runner.runs[run.row.id])
    row = await home.ended(run.row.id)
    assert row.verdict == "cancelled", row
    assert not sleepers()


async def test_one_that_waits_for_its_turn_can_be_cancelled_and_never_begins(
    home: House, tmp_path: Path
) -> None:
    flag = tmp_path / "go"
    await home.repository()
    jobs = [await home.job(f"job-{number}", before=(waiting(flag),)) for number in range(3)]
    runs = [await home.queue(job) for job in jobs]

    async def two_run() -> bool:
        return [run.row.state for run in home.backups.runner.runs.values()].count("running") == 2

    await home.until(two_run, "two run, one waits")
    last = home.backups.runner.runs[runs[2].row.id]
    assert last.row.state == "queued"
    await home.backups.runner.cancel(last)
    row = await home.ended(runs[2].row.id)
    assert (row.verdict, row.started_at) == ("cancelled", None)
    flag.touch()
    for run in runs[:2]:
        assert (await home.ended(run.row.id)).verdict == "ok"


async def test_a_host_that_was_restarted_in_mid_run_makes_it_lost_and_says_so(
    home: House, tmp_path: Path
) -> None:
    await home.repository()
    await home.job(before=(f"echo begun; {waiting(tmp_path / 'never')}",))
    run = await home.queue(home.backups.jobs["j-shop"])

    async def running() -> bool:
        live = home.backups.runner.log_of(run.row.id)
        return live is not None and "begun" in live[0]

    await home.until(running, "it runs")
    folders = (home.folder / "runs", Path("/var/lib/guardian-runs"), tmp_path / ".local/state/guardian-runs")
    boots = [
        folder / f"{run.row.id}-1" / "boot" for folder in folders if (folder / f"{run.row.id}-1").is_dir()
    ]
    assert boots, "where the run keeps its boot id"
    for boot in boots:
        machine = boot.read_text().split()[0]
        boot.write_text(f"{machine} another-boot\n")
    row = await home.ended(run.row.id)
    assert (row.state, row.verdict) == ("lost", "failed")
    assert "restarted" in row.words
    for process in psutil.process_iter(["cmdline"]):
        if str(tmp_path / "never") in " ".join(process.info["cmdline"] or []):
            process.send_signal(signal.SIGKILL)


async def test_an_engine_that_ended_between_its_intent_and_the_start_starts_it_once(home: House) -> None:
    await home.repository()
    job = await home.job()
    started = []
    real = home.backups.runner._detached.start

    async def never(target: object, run: object) -> None:
        started.append(run)
        await asyncio.sleep(3600)

    home.backups.runner._detached.start = never  # type: ignore[method-assign]  # the engine is killed here
    run = await home.queue(job)

    async def intent() -> bool:
        return bool(started)

    await home.until(intent, "its intent is on disk")
    assert (await home.row(run.row.id)).state == "running"
    await home.restart()
    assert real is not home.backups.runner._detached.start
    row = await home.ended(run.row.id)
    assert row.verdict == "ok", row


async def test_what_is_locked_is_tried_again_later_and_given_up_in_the_end(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardian_tui.engine.backups import runner

    monkeypatch.setattr(runner, "RETRY_SECONDS", {"failed": 0.3})
    await home.repository()
    tries = home.folder / "tries"
    await home.job(before=(f"echo x >>{tries}; [ $(wc -l <{tries}) -ge 3 ]",), tries=3)
    run = await home.queue(home.backups.jobs["j-shop"])
    for _ in range(3):
        await asyncio.sleep(0.5)
        home.clock.advance(5)
    row = await home.ended(run.row.id)
    assert (row.verdict, row.attempt) == ("ok", 3), row


async def test_a_job_deleted_while_it_runs_ends_its_run(home: House, tmp_path: Path) -> None:
    await home.repository()
    job = await home.job(before=(f"echo begun; {waiting(tmp_path / 'never')}",))
    run = await home.queue(job)

    async def running() -> bool:
        live = home.backups.runner.log_of(run.row.id)
        return live is not None and "begun" in live[0]

    await home.until(running, "it runs")
    async with home.store.write() as tx:
        await records.remove_job(tx, job.id)
        tx.after_commit(lambda: home.backups.left(job))
    assert (await home.ended(run.row.id)).verdict == "cancelled"
    assert home.live.backups.get(job.id) is None


async def test_a_store_that_is_full_for_a_while_loses_nothing_of_a_run(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardian_tui.engine.backups import runner
    from guardian_tui.protocol.errors import StoreUnavailable

    monkeypatch.setattr(runner, "UNHEARD_SECONDS", 0.2)
    await home.repository()
    job = await home.job()
    real, refused = records.put_run, []

    async def full(tx: object, row: RunRow, *more: object, **named: object) -> None:
        if not named["new"] and refused.count(row.state) < 2:
            refused.append(row.state)
            raise StoreUnavailable("the disk is full")
        await real(tx, row, *more, **named)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(records, "put_run", full)
    monkeypatch.setattr(runner, "RETRY_SECONDS", {"failed": 0.0})
    tries = home.folder / "tries"
    job.spec = replace(job.spec, before=(f"echo x >>{tries}; [ $(wc -l <{tries}) -ge 2 ]",), tries=2)
    run = await home.queue(job)
    row = await home.ended(run.row.id)
    # its beginning, that it is tried again, and its end: none of them is lost, and none is told as a fault of its repository
    assert (row.verdict, row.attempt, sorted(set(refused))) == ("ok", 2, ["ended", "queued", "running"]), row
    assert home.backups.runner.runs == {}


async def test_what_is_ended_when_it_is_over_already_is_what_it_was(home: House, tmp_path: Path) -> None:
    flag = tmp_path / "go"
    await home.repository()
    run = await home.queue(await home.job(before=(f"echo begun; {waiting(flag)}",)))

    async def running() -> bool:
        live = home.backups.runner.log_of(run.row.id)
        return live is not None and "begun" in live[0]

    async def over() -> bool:
        return run.row.state == "ended"

    await home.until(running, "it runs")
    async with home.store.write():
        flag.touch()
        await home.until(over, "it is over, and waits to be written")
        await home.backups.runner.cancel(run)
    assert (await home.ended(run.row.id)).verdict == "ok"


async def test_nobody_asks_about_a_run_before_its_host_was_told_to_begin(home: House, tmp_path: Path) -> None:
    """A follower that is under way for another run must not take one that is about to begin for one that is gone."""
    flag = tmp_path / "go"
    await home.repository()
    first = await home.queue(await home.job("first", before=(f"echo begun; {waiting(flag)}",)))

    async def running() -> bool:
        live = home.backups.runner.log_of(first.row.id)
        return live is not None and "begun" in live[0]

    await home.until(running, "the first runs")
    real, detached = home.backups.runner._detached.start, home.backups.runner._detached

    async def slow(target: object, run: object) -> None:
        await asyncio.sleep(4.0)
        await real(target, run)  # type: ignore[arg-type]  # as it was called

    detached.start = slow  # type: ignore[method-assign]  # a host that takes its time
    second = await home.queue(await home.job("second"))
    row = await home.ended(second.row.id)
    assert (row.state, row.verdict, row.attempt) == ("ended", "ok", 1), row
    flag.touch()
    assert (await home.ended(first.row.id)).verdict == "ok"
