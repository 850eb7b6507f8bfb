"""The whole way of a backup: a repository, a job, a run, its snapshot, its files, a restore, a drill; with the real restic."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from guardian_tui.protocol.audit import AuditPage, AuditQuery
from guardian_tui.protocol.backups import (
    BackupsQuery,
    DrillPolicy,
    Dump,
    FileList,
    FilesQuery,
    JobRef,
    LedgerQuery,
    ReadinessList,
    RepositoryRef,
    RepositoryRow,
    Restore,
    RestorePlan,
    RestoreQuery,
    RunList,
    RunRow,
    SnapshotList,
    SnapshotsQuery,
)
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import Conflict, InvalidRequest
from guardian_tui.protocol.fleet import SecretSet
from tests.backups.conftest import PASSWORD, Saved


async def test_from_a_repository_to_a_proven_restore(saved: Saved) -> None:
    await saved.repository(copied=False)
    await saved.job()

    async def read() -> bool:
        # until it was made it was missing
        return (await saved.row()).state == "never"

    await saved.until(read, "its repository is read")
    run = await saved.run()
    assert (run.verdict, run.files) == ("ok", 30), run
    assert run.snapshot

    row = await saved.row()
    assert row.state == "ok"
    assert row.good_at == pytest.approx(run.started_at, abs=20)
    assert row.copies == 1

    found = await saved.client.call("backups.snapshots", SnapshotList, SnapshotsQuery(job="web"))
    assert [snapshot.id for snapshot in found.snapshots] == [found.snapshots[0].id]
    snapshot = found.snapshots[0]
    assert snapshot.good
    files = await saved.client.call(
        "backups.files", FileList, FilesQuery(job="web", snapshot=snapshot.id, folder=str(saved.data))
    )
    assert sum(file.kind == "file" for file in files.files) == 30

    # a preview changes nothing, and says what is in the way
    query = RestoreQuery(job="web", snapshot=snapshot.id, includes=(str(saved.data / "file-003"),))
    plan = await saved.client.call("backups.preview", RestorePlan, query)
    assert (plan.files, plan.overwritten_files, plan.fits) == (1, 1, True)
    assert plan.overwritten == (str(saved.data / "file-003"),)
    before = (saved.data / "file-003").read_bytes()
    (saved.data / "file-003").write_text("damaged")
    order = Restore(job="web", snapshot=snapshot.id, includes=query.includes)
    with pytest.raises(Conflict, match="there already"):
        await saved.client.call("backups.restore", RunRow, order)
    assert (saved.data / "file-003").read_text() == "damaged"
    order = Restore(job="web", snapshot=snapshot.id, includes=query.includes, overwrite=True)
    done = await saved.ended(await saved.client.call("backups.restore", RunRow, order))
    assert done.verdict == "ok", done
    assert (saved.data / "file-003").read_bytes() == before

    # all of it, elsewhere
    elsewhere = saved.folder / "elsewhere"
    order = Restore(job="web", snapshot=snapshot.id, target=str(elsewhere))
    done = await saved.ended(await saved.client.call("backups.restore", RunRow, order))
    assert (done.verdict, done.compared > 0, done.mismatches) == ("ok", True, ()), done
    assert len(list((elsewhere / str(saved.data)[1:]).iterdir())) == 30

    # proven
    drill = await saved.ended(await saved.client.call("backups.drill", RunRow, JobRef(job="web")))
    assert (drill.verdict, drill.compared > 0, drill.whole) == ("ok", True, True), drill
    assert not list(Path("/var/tmp").glob(f"guardian-drill-{drill.id}*"))
    ledger = await saved.client.call("backups.ledger", RunList, LedgerQuery(job="web"))
    assert [one.operation for one in ledger.runs] == ["drill", "restore", "restore"]
    row = await saved.drilled()
    assert row.drilled_at is not None
    assert row.measured_rto_seconds is not None
    ready = await saved.client.call("backups.readiness", ReadinessList, BackupsQuery())
    assert [one.ready for one in ready.hosts] == ["yes"]

    # all of it is in the audit log, with what came of it
    audit = await saved.client.call("audit.list", AuditPage, AuditQuery(limit=100))
    actions = {event.action for event in audit.events}
    assert {
        "repositories.add", "repositories.make", "backups.add", "backups.run", "backups.backup.ended", "backups.restore",
        "backups.restore.ended", "backups.drill", "backups.drill.ended",
    } <= actions  # fmt: skip
    # and no secret is anywhere
    kept = [saved.engine.paths.state / "engine.log", saved.engine.home / "engine.out"]
    assert not any(PASSWORD in file.read_text(errors="replace") for file in kept if file.exists())


async def test_a_password_that_is_wrong_and_a_repository_that_is_not_there_are_told_apart(
    saved: Saved,
) -> None:
    await saved.repository(make=False)
    row = await saved.client.call("repositories.read", RepositoryRow, RepositoryRef(repository="vault"))
    assert row.verdict == "missing", row
    subprocess.run(
        ["restic", "init", "-q", "-r", str(saved.folder / "vault")], env={"RESTIC_PASSWORD": "another", "HOME": str(saved.folder), "PATH": "/usr/bin:/bin"},
        check=True,
    )  # fmt: skip
    row = await saved.client.call("repositories.read", RepositoryRow, RepositoryRef(repository="vault"))
    assert row.verdict == "auth", row
    assert row.advice
    await saved.job()
    run = await saved.run()
    assert run.verdict == "auth", run

    # with the right one it is saved; with a wrong one again nothing could be restored, however fresh the snapshot is: both are said at once
    async def password(word: str, state: str, ready: str, *why: str) -> None:
        await saved.client.call("secrets.set", Done, SecretSet(name="backups/vault", value=word))

        async def told() -> bool:
            one = (await saved.client.call("backups.readiness", ReadinessList, BackupsQuery())).hosts[0]
            said = len(one.why) == len(why) and all(a in b for a, b in zip(why, one.why, strict=True))
            return (one.ready, (await saved.row()).state) == (ready, state) and said

        await saved.until(told, f"{state}, {ready}, {why}")

    await password("another", "failed", "no", "no good snapshot")
    assert (await saved.run()).verdict == "ok"
    assert (await saved.row()).state == "ok"
    await password("wrong", "failed", "no", "can't be read")
    assert (await saved.row()).good_at is not None
    await password("another", "ok", "yes")


async def test_an_engine_that_is_killed_in_the_midst_of_a_backup_finds_it_again_and_tells_its_end(
    saved: Saved,
) -> None:
    await saved.repository()
    (saved.data / "large").write_bytes(os.urandom(6 << 20))
    await saved.job(upload_kib=1024)
    run = await saved.client.call("backups.run", RunRow, JobRef(job="web"))

    async def writes() -> bool:
        progress = (await saved.detail(run)).row.progress
        return progress is not None and progress.bytes_done > 0

    await saved.until(writes, "restic is at work")
    saved.engine.kill()
    await saved.engine.start()
    done = await saved.ended(run)
    assert (done.verdict, done.attempt, done.files) == ("ok", 1, 31), done
    kept = json.loads(
        subprocess.check_output(
            ["restic", "-r", str(saved.folder / "vault"), "snapshots", "--json"],
            env={"RESTIC_PASSWORD": PASSWORD, "HOME": str(saved.folder), "PATH": "/usr/bin:/bin"},
        )
    )
    assert [one["short_id"] for one in kept] == [done.snapshot[:8]]


async def test_one_source_that_is_missing_makes_no_good_snapshot(saved: Saved) -> None:
    await saved.repository()
    await saved.job(sources=(str(saved.data), str(saved.folder / "none")))
    run = await saved.run()
    assert run.verdict == "partial", run
    assert "none" in run.words
    found = await saved.client.call("backups.snapshots", SnapshotList, SnapshotsQuery(job="web"))
    assert [snapshot.good for snapshot in found.snapshots] == [False]
    row = await saved.row()
    assert (row.state, row.good_at) == ("failed", None)


async def test_a_dump_that_breaks_off_is_no_backup_and_a_whole_one_is_drilled(saved: Saved) -> None:
    await saved.repository()
    base = saved.folder / "shop.db"
    with sqlite3.connect(base) as db:
        db.execute("CREATE TABLE t (a)")
        db.executemany("INSERT INTO t VALUES (?)", [(f"row {n}" * 20,) for n in range(2000)])
    await saved.job(sources=(), dumps=(Dump(kind="sqlite", database=str(base)),))
    run = await saved.run()
    assert run.verdict == "ok", run
    drill = await saved.ended(await saved.client.call("backups.drill", RunRow, JobRef(job="web")))
    assert drill.verdict == "ok", drill
    assert "was restored into a database: 1 table, PRAGMA integrity_check is ok" in drill.words
    assert (drill.proof, drill.whole, drill.files) == ("restored", True, 1)
    row = await saved.drilled()
    assert row.measured_rto_seconds is not None
    base.write_bytes(b"no database at all")
    run = await saved.run()
    assert run.verdict == "failed", run
    row = await saved.row()
    assert row.state == "failed"


async def test_commands_before_and_after_stand_around_it(saved: Saved) -> None:
    await saved.repository()
    marks = saved.folder / "marks"
    await saved.job(before=(f"echo before >>{marks}",), after=(f"echo after >>{marks}",))
    assert (await saved.run()).verdict == "ok"
    assert marks.read_text() == "before\nafter\n"
    await saved.job("other", before=("echo no way >&2; exit 3",), after=(f"echo again >>{marks}",))
    run = await saved.run("other")
    assert run.verdict == "failed"
    assert "before 1 ended with 3: no way" in run.words
    assert marks.read_text() == "before\nafter\nagain\n"


async def test_a_drill_that_finds_another_file_than_was_saved_fails_and_spoils_the_snapshot(
    saved: Saved,
) -> None:
    await saved.repository()
    await saved.job(drill=DrillPolicy(random_files=10))
    assert (await saved.run()).verdict == "ok"
    # what the engine noted at backup time no longer fits: the same as a repository that gives back other bytes
    with sqlite3.connect(saved.engine.paths.state / "state.db") as db:

        async def noted() -> str | None:
            row = db.execute("SELECT body FROM backup_hashes").fetchone()
            return row[0] if row else None

        body: str = await saved.until(noted, "hashes are noted")
        db.execute("UPDATE backup_hashes SET body = ?", (body.replace(body.split('"')[3], "0" * 64),))
    drill = await saved.ended(await saved.client.call("backups.drill", RunRow, JobRef(job="web")))
    assert drill.verdict == "failed", drill
    assert len(drill.mismatches) == 1
    assert not list(Path("/var/tmp").glob(f"guardian-drill-{drill.id}*"))
    row = await saved.drilled()
    assert (row.drill, row.good_at) == ("failed", None)
    ready = await saved.client.call("backups.readiness", ReadinessList, BackupsQuery())
    assert ready.hosts[0].ready == "no"


async def test_bad_words_are_refused_with_what_to_do(saved: Saved) -> None:
    await saved.repository()
    with pytest.raises(InvalidRequest, match="begin with /"):
        await saved.job(sources=("relative",))
    with pytest.raises(InvalidRequest, match="sources or dumps"):
        await saved.job(sources=())
    with pytest.raises(InvalidRequest, match="backups/"):
        await saved.repository("other", secrets={"RESTIC_PASSWORD": "env:HOME"})
    with pytest.raises(InvalidRequest, match="no secret"):
        await saved.repository("other", secrets={"LD_PRELOAD": "secret:backups/vault"})
    await saved.job()
    with pytest.raises(Conflict, match="already"):
        await saved.job()
    shutil.rmtree(saved.data)
    run = await saved.run()
    assert run.verdict == "failed", run
