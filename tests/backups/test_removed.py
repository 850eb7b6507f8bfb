"""A job that is removed while something of it goes on, with the real restic: what becomes of its runs, its snapshots and its history."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from guardian_tui.engine.backups import records
from guardian_tui.engine.backups.records import Job
from guardian_tui.engine.backups.runs import REMOVED
from guardian_tui.engine.backups.work import Restore, Retain
from tests.backups.house import House, house
from tests.backups.test_runner import waiting
from tests.support.restic_key import make_cheap

SECRET = "secret:backups/vault"
SLOW_KIB = 512
"""A backup at this rate lasts for longer than any test."""


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which nothing is."""
    path = tmp_path_factory.mktemp("new") / "vault"
    restic(path, "init")
    make_cheap(path, f"the secret behind {SECRET}")
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
        "RESTIC_PASSWORD": f"the secret behind {SECRET}",
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


async def test_its_backup_is_ended_and_told_and_leaves_nothing_in_the_way(home: House) -> None:
    job = await begun(home)
    (run,) = home.backups.runner.runs.values()
    await removed(home, job)
    row = await home.ended(run.row.id)
    assert (row.verdict, row.words) == ("cancelled", REMOVED), row
    assert not saving(home)
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


async def test_it_is_ended_too_where_the_engine_was_killed_before_it_could(home: House) -> None:
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


async def test_what_is_being_restored_comes_all_the_same_and_nothing_else_begins(home: House) -> None:
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
