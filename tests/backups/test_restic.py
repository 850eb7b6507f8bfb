"""Backups by the real restic: what is said of a run must be what happened."""

from __future__ import annotations

import os
import shlex
import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from guardian_tui.engine.backups.dumping import dump_name
from guardian_tui.protocol.backups import Dump, Progress
from tests.support.disks import fill, small_disk
from tests.support.restic_lab import PASSWORD, PROGRAMS, Lab, words

MIB = 1 << 20


@pytest.fixture(params=PROGRAMS, ids=words)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    one = Lab(request.param)
    yield one
    one.close()


@pytest.fixture(params=PROGRAMS, ids=words)
def users_lab(request: pytest.FixtureRequest, unix_user) -> Iterator[Lab]:
    one = Lab(request.param, unix_user)
    yield one
    one.close()


def test_a_whole_backup_is_good_and_is_found_again_as_its_jobs(lab: Lab):
    before = time.time()
    ran = lab.backup()
    assert ran.verdict == "ok", ran
    assert ran.summary.files == 3
    assert "3 files in snapshot" in ran.words
    (snapshot,) = lab.snapshots()
    assert snapshot.id.startswith(ran.summary.snapshot)
    assert before <= snapshot.at <= time.time()
    assert (snapshot.job, snapshot.host, snapshot.repository) == ("web", "web1", "repo")
    assert set(snapshot.tags) == {"guardian", "job=web", "run=r1", "part=files"}
    assert snapshot.paths == (str(lab.source),)
    if lab.place.capabilities.version >= (0, 17):
        assert (snapshot.files, snapshot.bytes) == (3, 18)
        assert snapshot.added_bytes


def test_what_another_tool_saved_is_listed_but_is_no_jobs(lab: Lab):
    lab.restic("backup", "--tag", "job=web", str(lab.source))
    assert [one.job for one in lab.snapshots()] == [""]


def test_one_missing_source_makes_a_backup_partial_and_is_named(lab: Lab):
    gone = lab.folder / "not\nmounted"
    ran = lab.backup(lab.job(sources=(str(lab.source), str(gone))))
    assert ran.verdict == "partial", ran
    assert "mounted does not exist" in ran.words
    assert "\n" not in ran.words
    assert ran.summary.snapshot


def test_missing_sources_alone_are_a_failure(lab: Lab):
    ran = lab.backup(lab.job(sources=("/no/such/folder", "/nor/this")))
    assert ran.verdict == "failed", ran
    assert "do not exist" in ran.words
    assert lab.snapshots() == []


def test_empty_sources_are_told_as_a_disk_that_is_not_mounted(lab: Lab):
    (lab.folder / "empty").mkdir()
    ran = lab.backup(lab.job(sources=(str(lab.folder / "empty"),)))
    assert ran.verdict == "partial", ran
    assert "no file in any of the sources" in ran.words
    assert "not mounted" in ran.words


def test_unreadable_files_make_a_backup_partial_and_are_named_once(users_lab: Lab):
    lab = users_lab
    hostile = lab.source / "se\x1b[2Jcr\u202eet"
    hostile.write_text("x")
    hostile.chmod(0)
    (lab.source / "sub").chmod(0)
    ran = lab.backup()
    (lab.source / "sub").chmod(0o755)
    assert ran.verdict == "partial", ran
    assert ran.summary.files == 2
    assert ran.summary.snapshot[:8] in ran.words
    assert "se␛[2Jcr‹U+202E›et" in ran.words
    assert "permission denied" in ran.words
    assert ran.words.count("/data/sub") == 1
    assert "\x1b" not in ran.words


def test_wrong_password_is_told_as_such_by_every_operation(lab: Lab):
    lab.runner.secrets["RESTIC_PASSWORD"] = "wrong"
    for ran in (
        lab.backup(),
        lab.check(),
        lab.restore("latest"),
        lab.run("list", lab.adapter.list(lab.place)),
    ):
        assert ran.verdict == "auth", ran
        assert "wrong password" in ran.words
    lab.runner.secrets["RESTIC_PASSWORD"] = ""
    assert lab.backup().verdict == "auth"


def test_a_missing_repository_is_told_as_such(lab: Lab):
    place = lab.runner.place("/nowhere/repo")
    ran = lab.run("list", lab.adapter.list(place))
    assert ran.verdict == "missing", ran
    job = lab.job()
    assert lab.run("backup", lab.adapter.backup(place, job, "r"), job).verdict == "missing"


def test_a_repository_is_not_made_twice(lab: Lab):
    ran = lab.run("init", lab.adapter.init(lab.place))
    assert ran.verdict == "failed", ran
    assert "already" in ran.words


def test_a_repository_that_may_not_be_read_is_told_as_such(users_lab: Lab):
    lab = users_lab
    os.chown(lab.repository, 0, 0) if lab.user else None
    lab.repository.chmod(0o700 if lab.user else 0)
    ran = lab.backup()
    lab.repository.chmod(0o700)
    assert ran.verdict == "auth", ran
    assert "permission denied" in ran.words


def test_a_live_lock_is_kept_and_a_dead_ones_is_removed(lab: Lab):
    with lab.locked() as holder:
        ran = lab.check()
        assert ran.verdict == "locked", ran
        assert f"PID {holder.pid}" in ran.words
        assert "damaged" not in ran.words
        ran = lab.unlock()
        assert ran.verdict == "ok", ran
        assert "1 that may be in use" in ran.words
        assert lab.check().verdict == "locked"
        # backups go on side by side
        assert lab.backup().verdict == "ok"
        holder.kill()
        holder.wait()
    assert lab.check().verdict == "locked"
    ran = lab.unlock()
    assert ran.verdict == "ok", ran
    assert "in use" not in ran.words
    assert lab.check().verdict == "ok"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_is_cancelled_and_the_next_one_works(lab: Lab, how: signal.Signals):
    (lab.source / "big").write_bytes(os.urandom(24 * MIB))
    seen: list[bytes] = []

    def stop(process, line, stream):
        if b'"status"' in line and not seen:
            seen.append(line)
            os.killpg(process.pid, how)

    ran = lab.backup(lab.job(upload_kib=4000), on_line=stop)
    assert seen
    assert ran.verdict == "cancelled", ran
    assert lab.unlock().verdict == "ok"
    assert lab.snapshots() == []
    assert lab.backup().verdict == "ok"


def test_a_killed_run_is_no_cancelled_one(lab: Lab):
    (lab.source / "big").write_bytes(os.urandom(24 * MIB))
    ran = lab.backup(lab.job(upload_kib=4000), on_line=lambda process, line, stream: process.kill())
    assert ran.verdict == "failed", ran
    assert "killed" in ran.words and "unlock" in ran.words


def test_a_full_disk_at_the_repository_is_told_as_such(lab: Lab):
    (lab.source / "big").write_bytes(os.urandom(24 * MIB))
    with small_disk(lab.folder / "small", 12) as disk:
        place = lab.runner.place(disk / "repo")
        assert lab.run("init", lab.adapter.init(place)).verdict == "ok"
        job = lab.job()
        ran = lab.run("backup", lab.adapter.backup(place, job, "r"), job)
        assert ran.verdict == "no_space", ran
        assert "no space left on device" in ran.words
        fill(disk)
        # not even a lock can be written: 0.14 buries that below forty lines of stack
        ran = lab.run("backup", lab.adapter.backup(place, job, "r"), job)
        assert ran.verdict == "no_space", ran


def test_a_full_disk_of_the_host_is_told_where_it_hinders_and_costs_nothing_where_it_does_not(lab: Lab):
    """What lies on the host that saves: packs on their way, restic's cache, the copy of a database."""
    (lab.source / "big").write_bytes(os.urandom(24 * MIB))
    with small_disk(lab.folder / "small", 1) as disk:
        lab.runner.env["XDG_CACHE_HOME"] = str(disk / "cache")
        fill(disk)
        # a cache can be done without: the snapshot is whole all the same
        ran = lab.backup()
        assert ran.verdict == "ok", ran
        assert "Saved 4 files" in ran.words and len(lab.snapshots()) == 1
        del lab.runner.env["XDG_CACHE_HOME"]
        (lab.source / "big").write_bytes(os.urandom(24 * MIB))
        lab.runner.env["TMPDIR"] = str(disk)
        ran = lab.backup()
        assert ran.verdict == "no_space", ran
        assert "no space left on device" in ran.words and len(lab.snapshots()) == 1
        base = lab.folder / "shop.db"
        with sqlite3.connect(base) as db:
            db.execute("CREATE TABLE t (x)")
            db.execute("INSERT INTO t VALUES (zeroblob(4000000))")
        del lab.runner.env["TMPDIR"]
        dump = Dump(kind="sqlite", database=str(base), options={"scratch": str(disk)})
        ran = lab.backup(lab.job(dumps=(dump,), sources=()))
        assert ran.verdict == "no_space", ran
        assert "broke off" in ran.words and "full" in ran.words


def _dump_place(lab: Lab) -> Dump:
    return Dump(kind="sqlite", database=str(lab.folder / "shop.db"))


def _dumping(lab: Lab, *scripts: str, sources: tuple[str, ...] | None = None):
    """A run of a job with as many dumps, each written by a shell script."""
    dumps = tuple(Dump(kind="postgresql", database=f"shop{n}") for n in range(len(scripts)))
    job = lab.job(dumps=dumps, **({} if sources is None else {"sources": sources}))
    stages = list(lab.adapter.backup(lab.place, job, "r1"))
    for number, script in enumerate(scripts):
        assert stages[number].source
        stages[number] = replace(stages[number], source=("sh", "-c", script))
    return lab.run("backup", stages, job)


def test_a_dump_is_a_snapshot_of_its_own_beside_the_files(lab: Lab):
    ran = _dumping(lab, "echo whole")
    assert ran.verdict == "ok", ran
    assert "postgresql-shop0.dump in snapshot" in ran.words
    assert {one.paths for one in lab.snapshots()} == {("/postgresql-shop0.dump",), (str(lab.source),)}
    dump = next(one for one in lab.snapshots() if "part=postgresql-shop0.dump" in one.tags)
    assert lab.restore(dump.id, "/postgresql-shop0.dump").verdict == "ok"
    assert (lab.folder / "restored/postgresql-shop0.dump").read_text() == "whole\n"


def test_a_real_database_is_dumped(lab: Lab):
    import sqlite3

    with sqlite3.connect(lab.folder / "shop.db") as database:
        database.execute("CREATE TABLE t (x)")
        database.execute("INSERT INTO t VALUES (7)")
    dump = _dump_place(lab)
    ran = lab.backup(lab.job(sources=(), dumps=(dump,)))
    assert ran.verdict == "ok", ran
    assert lab.restore(ran.summary.snapshot).verdict == "ok"
    restored = sqlite3.connect(lab.folder / "restored" / dump_name(dump))
    assert restored.execute("SELECT x FROM t").fetchall() == [(7,)]


def test_a_dump_that_breaks_off_is_a_failure_and_the_rest_is_saved_all_the_same(lab: Lab):
    ran = _dumping(lab, "echo half; echo server closed the connection >&2; exit 1", "echo whole")
    assert ran.verdict == "failed", ran
    assert "postgresql-shop0.dump broke off with exit code 1: server closed the connection" in ran.words
    assert [end.name for end in ran.ends] == [
        "dump: postgresql-shop0.dump",
        "dump: postgresql-shop1.dump",
        "backup",
    ]
    assert len([one for one in lab.snapshots() if one.paths == (str(lab.source),)]) == 1


@pytest.mark.parametrize(
    ("script", "said"), [("exit 2", "exit code 2"), ("true", "empty"), ("no-such-dumper", "127")]
)
def test_a_dump_that_writes_nothing_is_a_failure(lab: Lab, script: str, said: str):
    ran = _dumping(lab, script, sources=())
    assert ran.verdict == "failed", ran
    assert said in ran.words


def test_progress_is_told_while_it_runs(lab: Lab):
    (lab.source / "big").write_bytes(os.urandom(8 * MIB))
    ran = lab.backup(lab.job(upload_kib=3000))
    told = [event for event in ran.events if isinstance(event, Progress)]
    assert told
    assert any(event.bytes_total and event.bytes_total >= 8 * MIB for event in told)
    # a terminal's sixty a second would fill the log
    assert len(told) < 30


def test_excludes_and_names_that_look_like_options_are_taken_literally(lab: Lab):
    (lab.source / "cache").mkdir()
    (lab.source / "cache/junk").write_text("x")
    odd = lab.runner.home / "--help"
    odd.write_text("x")
    ran = lab.backup(
        lab.job(sources=(str(lab.source), "--help"), excludes=(str(lab.source / "cache"), "--json"))
    )
    assert ran.verdict == "ok", ran
    assert ran.summary.files == 4


def test_a_server_that_is_gone_is_a_failure_of_the_network(lab: Lab, sshd):
    server = sshd(Subsystem="sftp internal-sftp")
    ssh = f"ssh -F none -i {server.client_key} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes"
    ssh = f"{ssh} -p {server.port} {server.user}@{server.address} -s sftp"
    place = lab.runner.place(
        f"sftp:{server.user}@{server.address}:{server.home}/{lab.folder.name}", options={"sftp.command": ssh}
    )
    ran = lab.run("init", lab.adapter.init(place))
    assert ran.verdict == "ok", ran
    (lab.source / "big").write_bytes(os.urandom(16 * MIB))
    job = lab.job(upload_kib=2000)

    def cut(process, line, stream):
        if b'"status"' in line:
            server.stop()

    ran = lab.run("backup", lab.adapter.backup(place, job, "r"), job, on_line=cut)
    assert ran.verdict == "network", ran
    ran = lab.run("list", lab.adapter.list(place))
    assert ran.verdict == "network", ran
    # what ssh says is lost where restic ends before it has read it
    assert "refused" in ran.words or "sftp session" in ran.words


def test_a_server_that_refuses_the_key_is_no_missing_repository(lab: Lab, sshd):
    server = sshd(Subsystem="sftp internal-sftp")
    command = (
        "ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o IdentitiesOnly=yes"
        f" -i /dev/null -p {server.port} {shlex.quote(server.user)}@{server.address} -s sftp"
    )
    place = lab.runner.place("sftp:who@host:/repo", options={"sftp.command": command})
    ran = lab.run("list", lab.adapter.list(place))
    told = "Permission denied (publickey)" in ran.words
    # restic may end before it has read what ssh says: then there is but a session that did not start
    assert ran.verdict == ("auth" if told else "network"), ran
    assert told or "may log in" in ran.words


def test_a_password_can_lie_in_a_file_of_the_host(lab: Lab):
    file = lab.folder / "password"
    file.write_text(PASSWORD)
    del lab.runner.secrets["RESTIC_PASSWORD"]
    lab.place = lab.runner.place(lab.repository, options={"password-file": str(file), "compression": "max"})
    assert lab.backup().verdict == "ok"


def test_a_location_with_a_password_can_be_a_secret_as_a_whole(lab: Lab):
    lab.runner.secrets["RESTIC_REPOSITORY"] = str(lab.repository)
    lab.place = lab.runner.place("rest:https://host/", secrets={"RESTIC_REPOSITORY": "secret:l"})
    assert lab.backup().verdict == "ok"
    assert not any("host" in word for stage in lab.adapter.list(lab.place) for word in stage.argv)


def test_a_lock_is_waited_for_where_restic_can(lab: Lab):
    place = replace(lab.place, lock_wait_seconds=600.2)
    argv = lab.adapter.check(place, "structure", (1, 1))[0].argv
    assert ("--retry-lock=601s" in argv) == (place.capabilities.version >= (0, 16))
    if place.capabilities.version < (0, 16):
        return
    with lab.locked():
        before = time.monotonic()
        ran = lab.run(
            "check", lab.adapter.check(replace(lab.place, lock_wait_seconds=2), "structure", (1, 1))
        )
        assert ran.verdict == "locked", ran
        assert time.monotonic() - before >= 2
