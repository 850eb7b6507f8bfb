"""A database brought back to a moment through the service, with the real pgBackRest and PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from guardian_tui.engine.backups import moments, records
from guardian_tui.engine.backups.drills import Unprovable
from guardian_tui.engine.backups.point_in_time import Window
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.work import Init, Moment
from guardian_tui.protocol.backups import DrillPolicy, JobSpec, RepositorySpec
from guardian_tui.protocol.errors import Conflict, InvalidRequest
from tests.backups.house import HERE, House, house
from tests.support.pgbackrest import Archived, archived


@pytest.fixture(scope="module")
def made() -> Iterator[Archived]:
    with archived() as running:
        yield running


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as one:
        await one.start()
        yield one


async def said(home: House, run_id: str) -> str:
    """What a run came to, and the end of its log."""
    row, _, _, log = await records.run_named(home.store, run_id)
    return f"{row.verdict}: {row.words}\n{log[-3000:]}"


@pytest.mark.timeout(420)
async def test_a_window_a_drill_and_a_restore_to_a_moment(home: House, made: Archived) -> None:
    spec = RepositorySpec(name="pg", engine="pgbackrest", location="main", host="here", options=made.options)
    repository = Repository("r1", spec, "screen", home.clock.now())
    policy = DrillPolicy(probe_sql="SELECT n FROM t WHERE n = 1")
    job = Job(
        "j1",
        JobSpec(name="shop", host="here", repository="pg", drill=policy),
        "local",
        "r1",
        "screen",
        home.clock.now(),
    )
    async with home.store.write() as tx:
        await records.put_repository(tx, repository, new=True)
        await records.put_job(tx, job, new=True)
    home.backups.repositories["r1"], home.backups.jobs["j1"] = repository, job
    async with home.store.write() as tx:
        init = await home.backups.runner.queue(tx, Init(), None, repository, HERE, "ada")
    row = await home.ended(init.row.id)
    assert row.verdict == "ok", await said(home, row.id)
    made.sql("CREATE TABLE t (n int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    row = await home.ended((await home.queue(job)).row.id)
    assert row.verdict == "ok", await said(home, row.id)
    time.sleep(1.2)
    made.sql("INSERT INTO t VALUES (2)")
    moment = float(str(made.sql("SELECT extract(epoch FROM clock_timestamp()) + 0.05")))
    time.sleep(0.3)
    made.sql("INSERT INTO t VALUES (3)", "SELECT pg_current_xact_id()", "SELECT pg_switch_wal()")
    time.sleep(1.0)

    window = await moments.window_of(home.backups.sites, HERE, repository)
    assert window.earliest is not None and window.latest is not None
    assert window.earliest <= moment <= window.latest
    with pytest.raises(InvalidRequest, match="before the window"):
        moments.restore_to(window, window.earliest - 60, "/var/tmp/x")
    with pytest.raises(InvalidRequest, match="new folder"):
        moments.restore_to(window, moment, "/")
    other = Repository(
        "r2", RepositorySpec(name="r", engine="restic", location="/x", host="here"), "screen", 0.0
    )
    with pytest.raises(Conflict, match="any moment"):
        await moments.window_of(home.backups.sites, HERE, other)

    # the RPO counts from the last commit in the archive, not from the backup
    home.clock.jump(time.time() - home.clock.now())
    await home.backups.observer.read(repository, home.backups.jobs.values())
    await home.backups.refresh()
    row = home.backups.row_of(job)
    assert row.archived and row.good_at == pytest.approx(home.clock.now(), abs=1.0), (
        "nothing was committed since"
    )
    assert row.good_at > job.good_ats[-1] + 1.0
    made.sql("INSERT INTO t VALUES (4)")
    home.clock.jump(time.time() + 3600 - home.clock.now())
    job.spec = replace(job.spec, rpo_seconds=600.0)
    await home.backups.follow_archives()
    row = home.backups.row_of(job)
    assert row.archived and row.good_at == pytest.approx(window.latest, abs=1.0), (
        "that commit is not archived yet"
    )
    assert row.state == "critical" and row.worst_age_seconds == pytest.approx(
        home.clock.now() - window.latest, abs=2.0
    )
    made.sql("SELECT pg_switch_wal()")
    time.sleep(1.0)
    home.clock.jump(time.time() + 7200 - home.clock.now())
    await home.backups.follow_archives()
    row = home.backups.row_of(job)
    assert row.good_at == home.clock.now() and row.state == "ok"
    assert row.worst_age_seconds and row.worst_age_seconds > 7000, "the hours without it are not forgotten"
    home.clock.jump(time.time() - home.clock.now())

    # a drill proves what was written a moment ago: the log is pushed on first
    made.sql("INSERT INTO t VALUES (6)")
    proof = await moments.proof_of(
        home.store, home.backups.sites, home.backups.own_state, HERE, job, repository
    )
    assert isinstance(proof, Moment) and proof.push and proof.drill
    proof = replace(proof, probe_sql="SELECT n FROM t WHERE n = 6")
    drill = await home.ended((await home.queue(job, proof)).row.id, 120)
    assert (drill.operation, drill.verdict, drill.whole) == ("drill", "ok", True), await said(home, drill.id)
    assert "what was written last is in it" in drill.words and "the probe answered" in drill.words
    assert not list(Path("/var/tmp").glob(f"guardian-drill-{drill.id}*"))

    folder = str(made.folder / "restored")
    work = moments.restore_to(window, moment, folder)
    plan = await moments.preview_to(home.commands, home.backups.sites, HERE, job, repository, work, window)
    assert plan.bytes > 1 << 20 and plan.fits and not plan.overwritten_files and plan.free_bytes
    assert plan.commands[0] == "make the folder, readable by nobody else"
    assert plan.commands[1].startswith("pgbackrest ") and "--type=time" in plan.commands[1]
    there = moments.restore_to(window, moment, str(made.folder))
    assert (
        await moments.preview_to(home.commands, home.backups.sites, HERE, job, repository, there, window)
    ).overwritten_files == 1
    with pytest.raises(InvalidRequest, match="plain characters"):
        odd = moments.restore_to(window, moment, "/var/tmp/a b")
        await moments.preview_to(home.commands, home.backups.sites, HERE, job, repository, odd, window)
    restored = await home.ended(
        (await home.queue(job, moments.restore_to(window, moment, folder))).row.id, 120
    )
    assert (restored.operation, restored.verdict) == ("restore", "ok"), await said(home, restored.id)
    assert Path(folder, "data", "PG_VERSION").exists()

    # the last moment of the window, with the last commit in it: nothing came after it until the log was pushed on
    made.sql("INSERT INTO t VALUES (5)", "SELECT pg_switch_wal()")
    time.sleep(1.0)
    window = await moments.window_of(home.backups.sites, HERE, repository)
    last = moments.restore_to(window, window.latest, str(made.folder / "last"))
    plan = await moments.preview_to(home.commands, home.backups.sites, HERE, job, repository, last, window)
    assert last.push and plan.commands[0].startswith("get the last commits")
    probed = replace(last, probe_sql="SELECT n FROM t WHERE n = 5")
    restored = await home.ended((await home.queue(job, probed)).row.id, 120)
    assert restored.verdict == "ok" and "the probe answered" in restored.words, await said(home, restored.id)

    # the server burns down: the window ends where its archive was last seen to reach, and all that is there comes back
    await home.backups.observer.read(repository, home.backups.jobs.values())
    made.cluster.crash()
    window = await moments.window_of(home.backups.sites, HERE, repository)
    assert window.server_at is None and window.latest == repository.memory.archived_at
    assert "the server does not answer" in window.words
    drill = moments.drill_to(window, job, "")
    assert not drill.push and drill.at < window.latest
    last = moments.restore_to(window, window.latest, str(made.folder / "gone"))
    assert last.to_end and not last.push
    plan = await moments.preview_to(home.commands, home.backups.sites, HERE, job, repository, last, window)
    assert any("up to its end" in note for note in plan.notes) and "--type=default" in plan.commands[1]
    restored = await home.ended(
        (await home.queue(job, replace(last, probe_sql=probed.probe_sql))).row.id, 120
    )
    assert restored.verdict == "ok" and "the probe answered" in restored.words, await said(home, restored.id)


def test_a_drill_pushes_where_the_server_archives_and_is_refused_where_nothing_can_be_restored() -> None:
    job = Job("j1", JobSpec(name="shop", host="here", repository="pg"), "local", "r1", "screen", 0.0)
    fresh = moments.drill_to(Window(10.0, 5.0, True, server_at=20.0, archiving=True), job, "")
    assert (fresh.at, fresh.push) == (20.0, True), "a commit after the backup is not waited for"
    stuck = moments.drill_to(Window(10.0, 15.0, True, server_at=20.0), job, "")
    assert (round(stuck.at, 2), stuck.push) == (15.0, False)
    for window in (Window(None, None, server_at=9.0, archiving=True), Window(10.0, 5.0), Window(10.0, None)):
        with pytest.raises(Unprovable):
            moments.drill_to(window, job, "")


def test_a_window_that_ends_before_it_begins_is_told_in_words() -> None:
    found = moments.told(Window(1000.0, 999.0, False, "archiving fails"))
    assert (found.earliest, found.latest, found.pending) == (1000.0, None, False)
    assert "Nothing was committed since" in found.words and found.words.endswith("archiving fails")
    found = moments.told(Window(1000.0, 2000.0, True, ""))
    assert (found.earliest, found.latest, found.words) == (1000.0, 2000.0, "")
