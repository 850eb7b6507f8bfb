"""Backups by the real Borg: what is said of a run must be what happened."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sqlite3
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guardian_tui.engine.backups import rooms
from guardian_tui.engine.backups.dumping import dump_name
from guardian_tui.protocol.backups import Dump, Progress, Retention
from tests.support.borg_lab import PROGRAMS, Lab
from tests.support.disks import small_disk

MIB = 1 << 20


@pytest.fixture(params=PROGRAMS)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    one = Lab(request.param)
    yield one
    one.close()


@pytest.fixture(params=PROGRAMS)
def users_lab(request: pytest.FixtureRequest, unix_user) -> Iterator[Lab]:
    one = Lab(request.param, unix_user)
    yield one
    one.close()


def _archive(ran) -> str:
    (name,) = [one.snapshot for one in ran.summaries if one.snapshot]
    return name


def _named(names) -> list[str]:
    """Names of archives without the time at their end."""
    return sorted(name.rsplit("~", 1)[0] for name in names)


def test_a_whole_backup_is_good_and_is_found_again_as_its_jobs_in_utc(lab: Lab):
    before = int(time.time())
    ran = lab.backup()
    assert ran.verdict == "ok", ran
    assert "Saved 3 files in guardian~web~files~r1~20" in ran.words
    assert [one.files for one in ran.summaries if one.files is not None] == [3]
    assert any(one.bytes for one in ran.summaries) and any(one.added_bytes for one in ran.summaries)
    (snapshot,) = lab.snapshots()
    assert snapshot.id == _archive(ran)
    assert _named([snapshot.id]) == ["guardian~web~files~r1"]
    # the runner's own zone is another one
    assert before <= snapshot.at <= time.time()
    assert (snapshot.job, snapshot.repository) == ("web", "repo")
    assert set(snapshot.tags) == {"guardian", "job=web", "run=r1", "part=files"}
    # an attempt that is made again, because the link was cut after it saved something, is not in its own way
    time.sleep(max(0.0, snapshot.at + 1.1 - time.time()))
    assert lab.backup().verdict == "ok"
    assert {one.job for one in lab.snapshots()} == {"web"} and len(lab.snapshots()) == 2


def test_one_missing_source_makes_a_backup_partial_and_is_named(lab: Lab):
    gone = lab.folder / "not\nmounted"
    ran = lab.backup(lab.job(sources=(str(lab.source), str(gone))))
    assert ran.verdict == "partial", ran
    assert "mounted: " in ran.words and "No such file" in ran.words
    assert "\n" not in ran.words


def test_missing_sources_alone_are_a_failure_though_borg_saves_an_empty_archive(lab: Lab):
    ran = lab.backup(lab.job(sources=("/no/such/folder", "/nor/this")))
    assert ran.verdict == "failed", ran
    assert "is empty" in ran.words and "/no/such/folder" in ran.words
    assert ran.ends[0].exit_code in (1, 107)


def test_an_unreadable_file_makes_a_backup_partial_and_is_named(users_lab: Lab):
    if not users_lab.user:
        pytest.skip("needs root, to run as somebody else")
    (users_lab.source / "secret").touch()
    (users_lab.source / "secret").chmod(0)
    ran = users_lab.backup()
    assert ran.verdict == "partial", ran
    assert "secret" in ran.words and "Permission denied" in ran.words
    assert "3 files" in ran.words


def test_what_its_chunks_take_is_told(lab: Lab):
    (lab.source / "large").write_bytes(os.urandom(3 << 20))
    lab.backup()
    weight = rooms.weight_of(lab.run("list", lab.adapter.weigh(lab.place)).told)
    kept = sum(file.stat().st_size for file in (lab.repository / "data").rglob("*") if file.is_file())
    assert weight is not None and 3 << 20 <= weight <= kept


def test_a_wrong_passphrase_and_a_missing_repository_are_told_apart(lab: Lab):
    missing = replace(
        lab.place, spec=lab.runner.place(lab.folder / "none", secrets={"BORG_PASSPHRASE": "x"}).spec
    )
    ran = lab.run("list", lab.adapter.list(missing))
    assert ran.verdict == "missing", ran
    assert ran.ends[0].exit_code in (2, 13)
    lab.runner.secrets["BORG_PASSPHRASE"] = "wrong"
    ran = lab.backup()
    assert ran.verdict == "auth", ran
    assert ran.ends[0].exit_code in (2, 52)
    # the same where Borg is only the source of a stage
    ran = lab.restore("any")
    assert ran.verdict == "auth", ran
    # without any it does not wait for one to be typed
    del lab.runner.secrets["BORG_PASSPHRASE"]
    ran = lab.run("list", lab.adapter.list(lab.place))
    assert ran.verdict == "auth", ran


def test_a_living_lock_is_kept_and_a_dead_ones_is_removed_by_unlocking(lab: Lab):
    with lab.locked():
        ran = lab.backup()
        assert ran.verdict == "locked", ran
        assert ran.ends[0].exit_code in (2, 73)
        ran = lab.unlock()
        assert ran.verdict == "locked", ran
        assert (lab.repository / "lock.exclusive").exists()
    # killed: what it left is stale
    assert (lab.repository / "lock.exclusive").exists()
    ran = lab.unlock()
    assert ran.verdict == "ok", ran
    assert not (lab.repository / "lock.exclusive").exists()
    assert lab.backup().verdict == "ok"


def test_a_lock_of_another_host_is_nobodys_to_remove(lab: Lab):
    lock = lab.repository / "lock.exclusive"
    lock.mkdir()
    (lock / "elsewhere@1234.1-0").touch()
    ran = lab.unlock()
    assert ran.verdict == "locked", ran
    assert "break-lock by hand" in ran.words
    assert (lock / "elsewhere@1234.1-0").exists()
    argv = lab.adapter.check(replace(lab.place, lock_wait_seconds=600.2), "structure", (1, 1))[0].argv
    assert "--lock-wait=601" in argv


def test_a_damaged_segment_is_found_by_reading_it_and_not_by_the_structure(lab: Lab):
    (lab.source / "big").write_bytes(os.urandom(MIB))
    archive = _archive(lab.backup())
    assert lab.check("structure").verdict == "ok"
    assert lab.check("sample").verdict == "ok"
    ran = lab.check("all")
    assert ran.verdict == "ok", ran
    # in the midst of the file's data
    segment = max(lab.segments, key=lambda path: path.stat().st_size)
    with segment.open("r+b") as file:
        file.seek(segment.stat().st_size // 2)
        file.write(b"\0damaged\0")
    assert lab.check("structure").verdict == "ok"
    for level in ("sample", "all"):
        ran = lab.check(level)
        assert ran.verdict == "failed", ran
        assert "damaged" in ran.words
    ran = lab.restore(archive)
    assert ran.verdict in ("failed", "partial"), ran


def test_what_only_decryption_finds_is_found_by_a_check_of_all_data(lab: Lab):
    """A disk, or whoever owns it, that gives back other bytes under a checksum that fits them."""
    (lab.source / "big").write_bytes(os.urandom(MIB))
    assert lab.backup().verdict == "ok"
    segment = max(lab.segments, key=lambda path: path.stat().st_size)
    data, place = bytearray(segment.read_bytes()), 8
    assert data[:place] == b"BORG_SEG"
    entries = []
    while place < len(data):
        # checksum, size of all of it, tag: https://borgbackup.readthedocs.io/en/stable/internals/data-structures.html#segments
        _, size, tag = struct.unpack_from("<IIB", data, place)
        entries.append((size, place, tag))
        place += size
    size, place, tag = max(entries)
    assert tag == 0, "what is largest is data"
    data[place + size // 2] ^= 1
    struct.pack_into("<I", data, place, zlib.crc32(data[place + 4 : place + size]))
    segment.write_bytes(data)
    assert lab.check("sample").verdict == "ok", "its checksums are right"
    ran = lab.check("all")
    assert ran.verdict == "failed", ran
    assert "damaged" in ran.words


def test_a_full_disk_at_the_repository_is_told_as_such(lab: Lab):
    (lab.source / "big").write_bytes(os.urandom(24 * MIB))
    with small_disk(lab.folder / "small", 12) as disk:
        place = lab.runner.place(disk / "repo", secrets={"BORG_PASSPHRASE": "x"})
        assert lab.run("init", lab.adapter.init(place)).verdict == "ok"
        job = lab.job()
        ran = lab.run("backup", lab.adapter.backup(place, job, "r"), job)
    assert ran.verdict == "no_space", ran
    assert "Traceback" not in ran.words


def test_a_full_disk_at_the_target_is_told_as_such(lab: Lab):
    (lab.source / "big").write_bytes(os.urandom(4 * MIB))
    archive = _archive(lab.backup())
    with small_disk(lab.folder / "small", 2) as disk:
        ran = lab.restore(archive, target=disk)
    assert ran.verdict == "no_space", ran


def test_a_full_disk_of_the_host_is_told_as_such(lab: Lab):
    """Borg can't do without its cache: what it knows of the repository's chunks lies there."""
    (lab.source / "big").write_bytes(os.urandom(4 * MIB))
    with small_disk(lab.folder / "small", 2) as disk:
        lab.runner.env["BORG_CACHE_DIR"] = str(disk)
        with (disk / "rest").open("wb", buffering=0) as rest, pytest.raises(OSError):
            while True:
                rest.write(bytes(4096))
        ran = lab.backup()
        assert ran.verdict == "no_space", ran
    del lab.runner.env["BORG_CACHE_DIR"]
    assert lab.backup(run_id="r2").verdict == "ok"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_is_cancelled_and_the_next_one_works(lab: Lab, how: signal.Signals):
    (lab.source / "big").write_bytes(os.urandom(MIB))
    seen: list[bytes] = []

    def stop(process, line, stream):
        if b'"archive_progress"' in line and not seen:
            seen.append(line)
            os.killpg(process.pid, how)

    # it waits at a pipe that nobody writes to, or it would be done before it is ended
    os.mkfifo(lab.folder / "pipe")
    job = lab.job(sources=(str(lab.source), str(lab.folder / "pipe")))
    stages = lab.adapter.backup(lab.place, job, "r1")
    argv = stages[0].argv
    at = argv.index("create") + 1
    stages = (replace(stages[0], argv=(*argv[:at], "--read-special", *argv[at:])),)
    ran = lab.run("backup", stages, job, on_line=stop)
    assert seen
    assert ran.verdict == "cancelled", ran
    assert lab.snapshots() == []
    assert lab.backup().verdict == "ok"


def test_a_killed_run_is_no_cancelled_one_and_its_lock_is_in_nobodys_way(lab: Lab):
    (lab.source / "big").write_bytes(os.urandom(16 * MIB))
    ran = lab.backup(on_line=lambda process, line, stream: process.kill())
    assert ran.verdict == "failed", ran
    assert "killed" in ran.words
    ran = lab.backup(run_id="r2")
    assert ran.verdict == "ok", ran


HOSTILE = (
    b"new\nline",
    b"esc\x1b[31mape",
    b"bad\xff\xc3utf",
    b"quo\"te'",
    b"{now}",
    b"*star",
    b" ",
    b"q?mark",
)


def test_any_name_is_listed_and_restored_alone(lab: Lab):
    for name in HOSTILE:
        (Path(os.fsdecode(os.fsencode(lab.source) + b"/" + name))).write_bytes(name)
    archive = _archive(lab.backup())
    paths = lab.paths(archive, str(lab.source))
    assert len(paths) == len(HOSTILE) + 4
    assert str(lab.source / "sub") in paths and str(lab.source / "sub/three") not in paths
    assert str(lab.source / "sub/three") in lab.paths(archive)
    assert len(lab.paths(archive, "/")) == 0
    assert lab.paths(archive, "/no/such") == []
    for number, name in enumerate(HOSTILE):
        told = f"{lab.source}/{name.decode('utf-8', 'surrogateescape')}"
        wanted = next(
            path
            for path in paths
            if path in (told, f"{lab.source}/{name.decode('ascii', 'replace')}".replace("\ufffd", "?"))
        )
        target = lab.folder / f"restored{number}"
        ran = lab.restore(archive, wanted, target=target)
        assert ran.verdict == "ok", ran
        assert [path.read_bytes() for path in target.rglob("*") if path.is_file()] == [name]


def test_a_restore_brings_all_back_and_says_how_much(lab: Lab):
    (lab.source / "link").symlink_to("one")
    archive = _archive(lab.backup())
    ran = lab.restore(archive)
    assert ran.verdict == "ok", ran
    assert "Restored 6 files and folders" in ran.words
    restored = lab.folder / "restored" / str(lab.source).lstrip("/")
    assert (restored / "sub/three").read_text() == "sub/three\n"
    assert os.readlink(restored / "link") == "one"
    assert any(isinstance(event, Progress) and event.bytes_total for event in ran.events)


def test_a_path_that_the_archive_does_not_hold_is_never_ok(lab: Lab):
    archive = _archive(lab.backup())
    ran = lab.restore(archive, "/no/such")
    assert ran.verdict == "failed", ran
    assert "no such path" in ran.words
    ran = lab.restore(archive, str(lab.source / "one"), "/no/such")
    assert ran.verdict == "partial", ran
    assert "does not hold: no/such" in ran.words
    ran = lab.restore("guardian~web~files~never")
    assert ran.verdict == "failed", ran
    assert "does not exist" in ran.words


def _dumping(lab: Lab, *scripts: str, sources: tuple[str, ...] | None = None):
    """A run of a job with as many dumps, each written by a shell script."""
    dumps = tuple(Dump(kind="postgresql", database=f"shop{n}") for n in range(len(scripts)))
    job = lab.job(dumps=dumps, **({} if sources is None else {"sources": sources}))
    stages = list(lab.adapter.backup(lab.place, job, "r1"))
    for number, script in enumerate(scripts):
        assert stages[number].source
        stages[number] = replace(stages[number], source=("sh", "-c", script))
    return lab.run("backup", stages, job)


def test_a_dump_is_an_archive_of_its_own_beside_the_files(lab: Lab):
    ran = _dumping(lab, "echo whole")
    assert ran.verdict == "ok", ran
    files, dump = sorted(one.id for one in lab.snapshots())
    assert _named([files, dump]) == ["guardian~web~files~r1", "guardian~web~postgresql-shop0.dump~r1"]
    ran = lab.restore(dump, "/postgresql-shop0.dump")
    assert ran.verdict == "ok", ran
    assert (lab.folder / "restored/postgresql-shop0.dump").read_text() == "whole\n"


def test_a_dump_that_breaks_off_is_a_failure_and_the_rest_is_saved_all_the_same(lab: Lab):
    ran = _dumping(lab, "echo half; echo server closed the connection >&2; exit 1", "echo whole")
    assert ran.verdict == "failed", ran
    assert "postgresql-shop0.dump broke off with exit code 1: server closed the connection" in ran.words
    assert [end.name for end in ran.ends][1:] == ["dump: postgresql-shop1.dump", "backup"]
    assert ran.ends[2].exit_code == 0


def test_a_real_database_is_dumped(lab: Lab):
    with sqlite3.connect(lab.folder / "shop.db") as database:
        database.execute("CREATE TABLE t (x)")
        database.execute("INSERT INTO t VALUES (7)")
    dump = Dump(kind="sqlite", database=str(lab.folder / "shop.db"))
    ran = lab.backup(lab.job(sources=(), dumps=(dump,)))
    assert ran.verdict == "ok", ran
    assert lab.restore(_archive(ran)).verdict == "ok"
    restored = sqlite3.connect(lab.folder / "restored" / dump_name(dump))
    assert restored.execute("SELECT x FROM t").fetchall() == [(7,)]


def test_retention_forgets_what_its_dry_run_named_of_its_job_alone(lab: Lab):
    for run in ("r1", "r2", "r3"):
        assert lab.backup(run_id=run).verdict == "ok"
    assert lab.backup(lab.job(name="web-2")).verdict == "ok"
    job, keep = lab.job(), Retention(last=1)
    ran = lab.run("retain", lab.adapter.retain(lab.place, job, keep, dry=True))
    assert ran.verdict == "ok", ran
    doomed = lab.adapter.doomed(ran.told)
    assert _named(doomed) == ["guardian~web~files~r1", "guardian~web~files~r2"]
    assert len(lab.snapshots()) == 4
    ran = lab.run("retain", lab.adapter.retain(lab.place, job, keep, dry=False))
    assert ran.verdict == "ok", ran
    assert "Forgot 2 archives" in ran.words
    left = [one.id for one in lab.snapshots()]
    assert _named(left) == ["guardian~web-2~files~r1", "guardian~web~files~r3"]
    assert lab.adapter.retain(lab.place, job, Retention(), dry=False) == ()


def test_excludes_and_names_that_look_like_options_are_taken_literally(lab: Lab):
    (lab.source / "cache").mkdir()
    (lab.source / "cache/junk").write_text("x")
    for name in ("--help", "-"):
        (lab.runner.home / name).write_text("x")
    job = lab.job(sources=(str(lab.source), "--help", "-"), excludes=(str(lab.source / "cache"), "--json"))
    ran = lab.backup(job)
    assert ran.verdict == "ok", ran
    assert "5 files" in ran.words


def test_a_repository_that_moved_or_lost_its_encryption_waits_for_an_admins_word(lab: Lab):
    assert lab.backup().verdict == "ok"
    moved = lab.folder / "moved"
    shutil.copytree(lab.repository, moved)
    place = lab.runner.place(moved, secrets={"BORG_PASSPHRASE": "x"})
    job = lab.job()
    ran = lab.run("backup", lab.adapter.backup(place, job, "r2"), job)
    assert ran.verdict == "auth", ran
    assert "relocated: yes" in ran.words
    place = lab.runner.place(moved, secrets={"BORG_PASSPHRASE": "x"}, options={"relocated": "yes"})
    ran = lab.run("backup", lab.adapter.backup(place, job, "r2"), job)
    assert ran.verdict == "ok", ran
    plain = lab.runner.place(lab.folder / "plain", options={"encryption": "none"})
    assert lab.run("init", lab.adapter.init(plain)).verdict == "ok"
    ran = lab.run("backup", lab.adapter.backup(plain, job, "r"), job)
    assert ran.verdict == "ok", ran


def _remote(lab: Lab, server, key: str | os.PathLike[str]):
    ssh = (
        "ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o IdentitiesOnly=yes"
        f" -o IdentityAgent=none -i {shlex.quote(str(key))}"
    )
    location = f"ssh://{server.user}@{server.address}:{server.port}{server.home}/{lab.folder.name}"
    remote = str(lab.folder / "bin/borg")
    return lab.runner.place(
        location, secrets={"BORG_PASSPHRASE": "x"}, options={"rsh": ssh, "remote-path": remote}
    )


def test_a_server_that_is_gone_is_a_failure_of_the_network(lab: Lab, sshd):
    server = sshd()
    lab.folder.chmod(0o755)
    place = _remote(lab, server, server.client_key)
    assert lab.adapter.problem(place.spec) == ""
    ran = lab.run("init", lab.adapter.init(place))
    assert ran.verdict == "ok", ran
    (lab.source / "big").write_bytes(os.urandom(16 * MIB))
    job = lab.job(upload_kib=2000)

    def cut(process, line, stream):
        if b'"archive_progress"' in line and b"big" in line:
            server.stop()

    ran = lab.run("backup", lab.adapter.backup(place, job, "r"), job, on_line=cut)
    assert ran.verdict == "network", ran
    ran = lab.run("list", lab.adapter.list(place))
    assert ran.verdict == "network", ran
    assert "refused" in ran.words


def test_a_server_that_refuses_the_key_is_no_failure_of_the_network(lab: Lab, sshd):
    place = _remote(lab, sshd(), "/dev/null")
    ran = lab.run("list", lab.adapter.list(place))
    assert ran.verdict == "auth", ran
    assert "Permission denied (publickey)" in ran.words


def test_what_is_not_installed_is_told_with_what_to_do(lab: Lab):
    (lab.folder / "bin/borg").unlink()
    lab.runner.env["PATH"] = str(lab.folder / "bin")
    ran = lab.backup()
    assert ran.verdict == "failed", ran
    assert "Install Borg" in ran.words
