"""What comes between a run of the real restic and its end: a job that is removed, a lock, a clock that is wrong; and ten thousand snapshots."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from guardian_tui.engine.backups import records, runner
from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.records import Job
from guardian_tui.engine.backups.runs import REMOVED
from guardian_tui.engine.backups.work import Restore, Retain, Unlock
from guardian_tui.protocol.backups import Retention
from tests.backups.house import HERE, House, house
from tests.backups.test_runner import waiting
from tests.support.console import until
from tests.support.restic_key import add_files, make_cheap

SECRET = "secret:backups/vault"
PASSWORD = f"the secret behind {SECRET}"
SLOW_KIB = 512
"""A backup at this rate lasts for longer than any test."""


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which nothing is."""
    path = tmp_path_factory.mktemp("new") / "vault"
    restic(path, "init")
    make_cheap(path, PASSWORD)
    return path


@pytest.fixture
async def home(tmp_path: Path, new: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(new, tmp_path / "vault")
    async with house(tmp_path) as one:
        await one.start()
        await one.repository("vault", engine="restic", secrets={"RESTIC_PASSWORD": SECRET})
        (one.folder / "data").mkdir()
        (one.folder / "data/small").write_text("small")
        yield one


def restic(repository: Path, *argv: str) -> str:
    """By hand."""
    env = {
        **os.environ,
        "RESTIC_PASSWORD": PASSWORD,
        "RESTIC_REPOSITORY": str(repository),
    }
    return subprocess.run(["restic", *argv], check=True, capture_output=True, text=True, env=env).stdout


def saving(home: House) -> list[psutil.Process]:
    """What saves to the repository now."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if words and Path(words[0]).name == "restic" and str(home.folder) in " ".join(words):
            found.append(process)
    return [process for process in found if process.info["status"] != psutil.STATUS_ZOMBIE]


async def begun(home: House) -> Job:
    """A job whose real restic is at work, and would be for minutes."""
    (home.folder / "data/large").write_bytes(os.urandom(64 << 20))
    job = await home.job("web", "vault", sources=(str(home.folder / "data"),), upload_kib=SLOW_KIB)
    run = await home.queue(job)

    async def writes() -> bool:
        live = home.backups.runner.runs[run.row.id].row.progress
        return bool(saving(home)) and live is not None and live.bytes_done > 0

    await home.until(writes, "restic is at work")
    return job


async def removed(home: House, job: Job) -> None:
    async with home.store.write() as tx:
        await records.remove_job(tx, job.id)
        tx.after_commit(lambda: home.backups.left(job))


async def test_a_job_is_removed_and_its_backup_is_ended_and_told_and_leaves_nothing_in_the_way(
    home: House,
) -> None:
    job = await begun(home)
    (run,) = home.backups.runner.runs.values()
    await removed(home, job)
    row = await home.ended(run.row.id)
    assert (row.verdict, row.words) == ("cancelled", REMOVED), row
    # what was killed is a process until the kernel is through with it
    await until(lambda: not saving(home))
    assert home.live.backups.get(job.id) is None
    # what came of it is kept: in the history, on screen and in the audit log
    assert home.live.runs.get(row.id).verdict == "cancelled"
    assert [(e.action, e.target, e.body["verdict"]) for e in home.sink.entries] == [
        ("backups.backup.ended", "web", "cancelled")
    ]
    # half a backup is no snapshot, and another job goes on where this one was
    assert json.loads(restic(home.folder / "vault", "snapshots", "--json", "--no-lock") or "null") in (
        None,
        [],
    )
    (home.folder / "data/large").unlink()
    again = await home.job("again", "vault", sources=(str(home.folder / "data"),))
    assert (await home.ended((await home.queue(again)).row.id)).verdict == "ok"


async def test_a_backup_of_a_removed_job_is_ended_too_where_the_engine_was_killed_before_it_could(
    home: House,
) -> None:
    job = await begun(home)
    (run,) = home.backups.runner.runs.values()
    await home.backups.stop()
    async with home.store.write() as tx:
        await records.remove_job(tx, job.id)
    assert saving(home)
    home.begin()
    await home.start()
    row = await home.ended(run.row.id)
    assert (row.job, row.verdict, row.words) == ("web", "cancelled", REMOVED), row
    assert not saving(home)

    async def gone() -> bool:
        return not list((home.folder / "runs").glob(f"{row.id}-*"))

    await home.until(gone, "its host keeps nothing of it")


async def test_what_is_being_restored_of_a_removed_job_comes_all_the_same_and_nothing_else_begins(
    home: House,
) -> None:
    job = await home.job("web", "vault", sources=(str(home.folder / "data"),))
    saved = await home.ended((await home.queue(job)).row.id)
    assert saved.verdict == "ok", saved
    # two others have the host, so that all of this job waits
    flag = home.folder / "go"
    await home.repository()
    for number in range(2):
        await home.queue(await home.job(f"other-{number}", before=(waiting(flag),)))

    async def two_run() -> bool:
        return [run.row.state for run in home.backups.runner.runs.values()].count("running") == 2

    await home.until(two_run, "the host is busy")
    target = home.folder / "restored"
    restore = await home.queue(job, Restore(saved.snapshot, (), str(target), 10))
    others = [await home.queue(job), await home.queue(job, Retain())]
    await removed(home, job)
    for one in others:
        row = await home.ended(one.row.id)
        assert (row.verdict, row.words, row.started_at) == ("cancelled", REMOVED, None), row
    flag.touch()
    row = await home.ended(restore.row.id)
    assert (row.verdict, row.job) == ("ok", "web"), row
    assert (target / str(home.folder)[1:] / "data/small").read_text() == "small"
    assert len(json.loads(restic(home.folder / "vault", "snapshots", "--json", "--no-lock"))) == 1


def lock(home: House, pid: int) -> Path:
    """A lock as restic writes it, of a process of this machine that wants the repository for itself."""
    vault, now = home.folder / "vault", datetime.now(UTC).isoformat()
    body = {"time": now, "exclusive": True, "hostname": socket.gethostname(), "username": "root", "pid": pid}
    (id_,) = add_files(vault, PASSWORD, "locks", [json.dumps(body).encode()])
    return vault / "locks" / id_


async def test_a_repository_that_somebody_has_is_waited_for_and_what_a_dead_one_left_is_for_a_person(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "RETRY_SECONDS", {"locked": 0.5})
    job = await home.job("web", "vault", sources=(str(home.folder / "data"),), tries=9, lock_wait_seconds=0.0)
    held = lock(home, os.getpid())
    run = await home.queue(job)

    async def waits() -> bool:
        row = await home.row(run.row.id)
        return row.attempt > 1 and "tried again" in row.words

    await home.until(waits, "it is tried again")
    assert json.loads(restic(home.folder / "vault", "snapshots", "--json", "--no-lock") or "null") in (
        None,
        [],
    )
    held.unlink()
    # hours that are waited for pass
    home.clock.advance(3600)
    row = await home.ended(run.row.id)
    assert row.verdict == "ok" and row.attempt > 1, row
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = lock(home, gone.pid)
    once = await home.job(
        "once", "vault", sources=(str(home.folder / "data"),), tries=1, lock_wait_seconds=0.0
    )
    row = await home.ended((await home.queue(once)).row.id)
    assert row.verdict == "locked" and "unlock" in row.advice, row
    assert left.exists(), "nobody removes a lock unasked"
    assert (await home.ended((await home.queue(once, Unlock())).row.id)).verdict == "ok"
    assert not left.exists()
    assert (await home.ended((await home.queue(once)).row.id)).verdict == "ok"


async def test_a_snapshot_that_a_wrong_clock_dated_makes_nothing_look_fresh(home: House) -> None:
    data = str(home.folder / "data")
    job = await home.job("web", "vault", sources=(data,))
    restic(
        home.folder / "vault", "backup", "-q", "--time", "2071-01-02 03:04:05", "--tag=guardian,job=web", data
    )
    assert (await home.backups.read(home.backups.repositories["r-vault"])).verdict == "ok"
    row = home.backups.row_of(job)
    assert (row.state, row.good_at, row.snapshots) == ("unknown", None, 1)
    assert "the clock of its host is wrong" in row.words
    assert (await home.ended((await home.queue(job)).row.id)).verdict == "ok"

    async def good() -> bool:
        return home.backups.row_of(job).state == "ok"

    await home.until(good, "what the right clock dated counts")


async def test_a_restore_without_the_room_is_told_before_anything_is_written(home: House) -> None:
    job = await home.job("web", "vault", sources=(str(home.folder / "data"),))
    saved = await home.ended((await home.queue(job)).row.id)
    target = home.folder / "restored"
    row = await home.ended((await home.queue(job, Restore(saved.snapshot, (), str(target), 1 << 60))).row.id)
    assert row.verdict == "no_space" and "are needed" in row.words, row
    assert not target.exists()


MANY = 10_000


async def test_ten_thousand_snapshots_are_read_judged_shown_page_by_page_and_thinned(home: House) -> None:
    """Real ones: each an object that restic decrypts and reads."""
    vault, data = home.folder / "vault", str(home.folder / "data")
    restic(vault, "backup", "-q", "--host=here", "--tag=guardian,job=web,part=files", data)
    (first,) = json.loads(restic(vault, "snapshots", "--json", "--no-lock"))
    body = {name: value for name, value in first.items() if name not in ("id", "short_id")}
    newest = datetime.fromtimestamp(home.clock.now(), UTC) - timedelta(minutes=5)
    times = [newest - timedelta(hours=number) for number in range(1, MANY)]
    ids = add_files(
        vault, PASSWORD, "snapshots", (json.dumps({**body, "time": at.isoformat()}).encode() for at in times)
    )
    job = await home.job("web", "vault", sources=(data,), keep=Retention(monthly=6))
    repository = home.backups.repositories["r-vault"]
    judgement = await home.backups.read(repository)
    assert judgement.verdict == "ok", judgement
    row = home.backups.row_of(job)
    assert (row.state, row.snapshots, repository.memory.snapshots) == ("ok", MANY, MANY)
    assert row.worst_age_seconds == pytest.approx(3900, abs=120)
    page, total = await records.snapshots_of(home.store, job.id, before=0.0, limit=50)
    assert (len(page), total) == (50, MANY)
    older, _ = await records.snapshots_of(home.store, job.id, before=page[-1].at, limit=50)
    assert older[0].at < page[-1].at
    # what is gone from the repository is gone here, whoever forgot it
    place = await home.backups.sites.place(HERE, repository.spec)
    (stage,) = adapter("restic").retain(place, job.spec, job.spec.keep, dry=True)
    async with asyncio.timeout(120):
        # its size is asked for meanwhile, under a lock
        while (told := await home.backups.sites.ask(HERE, repository.spec, stage, 120.0)).exit_status:
            assert b"locked" in told.err, told
            await asyncio.sleep(0.1)
    assert not told.truncated and len(adapter("restic").doomed(told.out)) == MANY - 6
    for id_ in ids[MANY // 2 :]:
        (vault / "snapshots" / id_).unlink()
    assert (await home.backups.read(repository)).verdict == "ok"
    assert home.backups.row_of(job).snapshots == MANY // 2 + 1
