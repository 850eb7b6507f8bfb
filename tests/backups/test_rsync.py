"""Dated trees by the real rsync: what is said of a run must be what happened, and any name comes back."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Place, RestoreOrder
from guardian_tui.protocol.backups import Dump, JobSpec, Retention
from tests.support.disks import small_disk
from tests.support.stages import Ran, Runner

MIB = 1 << 20
RSYNC = adapter("rsync")


class Lab:
    """A folder to save, a folder of trees."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.source, self.home, self.trees = (
            folder,
            folder / "data",
            folder / "home",
            folder / "my trees",
        )
        for one in (self.source, self.source / "sub", self.home):
            one.mkdir()
        for name in ("one", "two", "sub/three"):
            (self.source / name).write_text(f"{name}\n")
        self.runner = Runner(RSYNC, self.home)
        self.place = self.runner.place(self.trees)
        ran = self.run("init", RSYNC.init(self.place))
        assert ran.verdict == "ok", ran

    def job(self, **more) -> JobSpec:
        return JobSpec(
            **{"name": "web", "host": "web1", "repository": "repo", "sources": (str(self.source),), **more}
        )

    def run(self, operation, stages, job=None, **more) -> Ran:
        return self.runner.run(operation, stages, job, **more)

    def backup(self, run_id="r1", job=None, place=None, **more) -> Ran:
        job = job or self.job()
        return self.run("backup", RSYNC.backup(place or self.place, job, run_id), job, **more)

    def restore(self, tree, *includes, target=None) -> Ran:
        order = RestoreOrder(tree, includes, str(target or self.folder / "restored"))
        return self.run("restore", RSYNC.restore(self.place, order))

    def check(self, level="structure", part=(1, 1)) -> Ran:
        return self.run("check", RSYNC.check(self.place, level, part))

    def snapshots(self, place=None):
        place = place or self.place
        ran = self.run("list", RSYNC.list(place))
        assert ran.verdict == "ok", ran
        return list(RSYNC.snapshots(place, ran.told))

    def entries(self, tree, folder="", place=None):
        ran = self.run("files", RSYNC.files(place or self.place, tree, folder))
        assert ran.verdict == "ok", ran
        return {entry.path: entry for entry in RSYNC.entries(ran.told)}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def _tree(ran: Ran) -> str:
    assert ran.verdict in ("ok", "partial"), ran
    (name,) = [one.snapshot for one in ran.summaries if one.snapshot]
    return name


def test_a_whole_backup_is_good_and_is_found_again_as_its_jobs_in_utc(lab: Lab):
    before = int(time.time())
    ran = lab.backup(job=lab.job(host="web 1"))
    assert ran.verdict == "ok", ran
    assert "Saved 3 files" in ran.words
    (snapshot,) = lab.snapshots()
    assert snapshot.id == _tree(ran)
    assert before <= snapshot.at <= time.time()
    assert (snapshot.job, snapshot.host, snapshot.repository) == ("web", "web_1", "repo")
    assert (snapshot.files, snapshot.bytes, snapshot.good) == (3, 18, True)
    assert set(snapshot.tags) == {"guardian", "job=web", "run=r1"}
    assert not list(lab.trees.glob(".*")), "nothing half done and no lock is left"
    assert lab.check("all").verdict == "ok"


def test_what_did_not_change_is_kept_once_and_what_changed_is_kept_twice(lab: Lab):
    first = _tree(lab.backup())
    (lab.source / "one").write_text("changed\n")
    (lab.source / "two").unlink()
    second = _tree(lab.backup("r2"))
    inside = str(lab.source).lstrip("/")
    assert (lab.trees / first / inside / "sub/three").samefile(lab.trees / second / inside / "sub/three")
    assert (lab.trees / first / inside / "one").read_text() == "one\n"
    assert not (lab.trees / second / inside / "two").exists()
    assert (lab.trees / "latest-web").resolve() == lab.trees / second


def test_an_attempt_that_is_made_again_hashes_its_own_tree(lab: Lab):
    first = _tree(lab.backup())
    time.sleep(1.1)
    (lab.source / "one").write_text("changed\n")
    second = _tree(lab.backup())
    assert second != first
    assert lab.check("all").verdict == "ok"
    assert (lab.trees / f"{first}.sha256").read_text() != (lab.trees / f"{second}.sha256").read_text()


def test_one_missing_source_makes_a_backup_partial_and_is_named(lab: Lab):
    ran = lab.backup(job=lab.job(sources=(str(lab.source), "/no\nsuch")))
    assert ran.verdict == "partial", ran
    assert "No such file" in ran.words and "\n" not in ran.words
    (snapshot,) = lab.snapshots()
    assert not snapshot.good and "could not read" in snapshot.why


def test_missing_sources_alone_are_a_failure_and_leave_no_tree(lab: Lab):
    ran = lab.backup(job=lab.job(sources=("/no/such", "/nor/this")))
    assert ran.verdict == "failed", ran
    assert "/no/such" in ran.words
    assert lab.snapshots() == []
    (lab.folder / "empty").mkdir()
    ran = lab.backup(job=lab.job(sources=(str(lab.folder / "empty"),)))
    assert ran.verdict == "failed", ran
    assert "not mounted" in ran.words


def test_an_unreadable_file_makes_a_backup_partial_and_is_named(unix_user, tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("needs root, to run as somebody else")
    folder = unix_user.home / "rsync"
    folder.mkdir()
    lab = Lab(folder)
    (lab.source / "secret").touch()
    (lab.source / "secret").chmod(0)
    subprocess.run(["chown", "-R", unix_user.name, str(folder)], check=True)
    shutil.chown(lab.source / "secret", "root")
    lab.runner.user = unix_user.name
    ran = lab.backup()
    assert ran.verdict == "partial", ran
    assert "secret" in ran.words and "Permission denied" in ran.words
    assert "3 files" in ran.words


def test_a_folder_that_is_missing_is_told_as_such(lab: Lab):
    place = lab.runner.place(lab.folder / "none")
    for ran in (
        lab.backup(place=place), lab.run("list", RSYNC.list(place)), lab.run("check", RSYNC.check(place, "all", (1, 1)))
    ):  # fmt: skip
        assert ran.verdict == "missing", ran


HOSTILE = (
    b"new\nline",
    b"esc\x1b[31mape",
    b"bad\xff\xc3utf",
    b"quo\"te'",
    b"back\\#123",
    b"*star",
    b" ",
    b"q?[m]",
    b"-rf",
)


def test_any_name_is_listed_and_restored_alone(lab: Lab):
    for name in HOSTILE:
        Path(os.fsdecode(os.fsencode(lab.source) + b"/" + name)).write_bytes(name)
    (lab.source / "a -> b").symlink_to("x -> y")
    (lab.source / "sub").chmod(0o2755)
    tree = _tree(lab.backup())
    told = lab.entries(tree, str(lab.source))
    names = {f"{lab.source}/{os.fsdecode(name)}" for name in HOSTILE}
    assert set(told) == names | {str(lab.source)} | {
        f"{lab.source}/{n}" for n in ("one", "two", "sub", "a -> b")
    }
    assert told[f"{lab.source}/a -> b"].kind == "link"
    assert told[f"{lab.source}/sub"].mode == 0o2755
    assert abs(told[f"{lab.source}/one"].modified_at - (lab.source / "one").stat().st_mtime) < 1
    assert f"{lab.source}/sub/three" in lab.entries(tree)
    for number, path in enumerate(sorted(names)):
        target = lab.folder / f"restored{number}"
        ran = lab.restore(tree, path, target=target)
        assert ran.verdict == "ok", ran
        (found,) = [one for one in target.rglob("*") if one.is_file()]
        assert found.read_bytes() == os.fsencode(Path(path).name)
    assert lab.check("all").verdict == "ok"


def test_a_restore_brings_all_back_and_leaves_the_target_as_it_is(lab: Lab):
    (lab.source / "link").symlink_to("one")
    os.link(lab.source / "one", lab.source / "twin")
    os.utime(lab.source / "two", (1, 1))
    tree = _tree(lab.backup())
    target = lab.folder / "restored"
    target.mkdir(mode=0o751)
    (target / "bystander").touch()
    ran = lab.restore(tree)
    assert ran.verdict == "ok", ran
    restored = target / str(lab.source).lstrip("/")
    assert (restored / "sub/three").read_text() == "sub/three\n"
    assert os.readlink(restored / "link") == "one"
    assert (restored / "one").samefile(restored / "twin")
    assert (restored / "two").stat().st_mtime == 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o751 and (target / "bystander").exists()


def test_a_path_that_the_tree_does_not_hold_is_never_ok(lab: Lab):
    tree = _tree(lab.backup())
    ran = lab.restore(tree, "/no/such")
    assert ran.verdict == "failed", ran
    ran = lab.restore(tree, f"{lab.source}/one", "/no/such")
    assert ran.verdict == "partial", ran
    assert "no/such" in ran.words
    for bad in ("20260101T000000Z-web-never", "20260101T000000Z-web-never"):
        assert lab.restore(bad).verdict in ("failed", "missing")
    for bad in ("../../etc", "x", "20260101T000000Z-../x", "-rf"):
        with pytest.raises(ValueError, match="No tree"):
            RSYNC.files(lab.place, bad, "")


def test_a_full_disk_is_told_as_such_at_the_folder_and_at_the_target(lab: Lab):
    (lab.source / "big").write_bytes(os.urandom(8 * MIB))
    tree = _tree(lab.backup())
    with small_disk(lab.folder / "small", 4) as disk:
        place = lab.runner.place(disk / "trees")
        assert lab.run("init", RSYNC.init(place)).verdict == "ok"
        ran = lab.backup(place=place)
        assert ran.verdict == "no_space", ran
        assert lab.snapshots(place) == []
        # what was half done is taken away by the next run
        small = lab.job(sources=(str(lab.source / "sub"),))
        ran = lab.backup("r2", job=small, place=place)
        assert ran.verdict == "ok", ran
    with small_disk(lab.folder / "target", 4) as disk:
        ran = lab.restore(tree, target=disk)
        assert ran.verdict == "no_space", ran


def _holder(lab: Lab) -> subprocess.Popen[bytes]:
    """A living run that holds the lock: the shell of its stages."""
    (stage, *_) = RSYNC.backup(lab.place, lab.job(), "r0")
    process = subprocess.Popen(
        ["sh", "-c", '"$@"; exec sleep 600', "run", *stage.argv],
        env={**os.environ, **stage.env},
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not (lab.trees / ".lock/owner").exists() or not (lab.trees / ".lock/owner").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def test_a_living_lock_is_kept_and_a_dead_ones_is_taken_over(lab: Lab):
    holder = _holder(lab)
    try:
        ran = lab.backup()
        assert ran.verdict == "locked", ran
        assert f"process {holder.pid}" in ran.words
        assert lab.run("unlock", RSYNC.unlock(lab.place)).verdict == "locked"
        assert (lab.trees / ".lock").exists()
        patient = replace(lab.place, lock_wait_seconds=1)
        assert lab.backup(place=patient).verdict == "locked"
    finally:
        os.killpg(holder.pid, signal.SIGKILL)
        holder.wait()
    ran = lab.backup()
    assert ran.verdict == "ok", ran
    assert not (lab.trees / ".lock").exists()


@pytest.mark.parametrize(
    ("owner", "verdict"),
    [
        ("1:1:00000000-0000-0000-0000-000000000000:{host}", "ok"),
        ("1:1:{boot}:{host}", "ok"),
        ("1:1:{boot}:elsewhere", "locked"),
        ("$(touch /tmp/x); words", "locked"),
    ],
    ids=["before the boot", "the id came again", "another host's", "no owner"],
)
def test_unlocking_takes_away_what_is_surely_dead_and_nothing_else(lab: Lab, owner: str, verdict: str):
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (lab.trees / ".lock").mkdir()
    (lab.trees / ".lock/owner").write_text(owner.format(host=os.uname().nodename, boot=boot) + "\n")
    ran = lab.run("unlock", RSYNC.unlock(lab.place))
    assert ran.verdict == verdict, ran
    assert (lab.trees / ".lock").exists() == (verdict == "locked")


def test_damage_is_found_by_the_hashes_and_a_missing_file_by_the_structure(lab: Lab):
    tree = _tree(lab.backup())
    file = lab.trees / tree / str(lab.source).lstrip("/") / "sub/three"
    before = file.stat()
    file.write_text("SUB/three\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert lab.check("structure").verdict == "ok"
    found = [lab.check("sample", (share, 3)).verdict for share in (1, 2, 3)]
    assert sorted(found) == ["failed", "ok", "ok"], "in as many checks as there are shares all is read"
    ran = lab.check("all")
    assert ran.verdict == "failed", ran
    assert "sub/three: FAILED" in ran.words
    file.unlink()
    ran = lab.check("structure")
    assert ran.verdict == "failed", ran
    assert "it holds 2 files" in ran.words
    with pytest.raises(ValueError, match="no part"):
        RSYNC.check(lab.place, "sample", (4, 3))


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_ended_is_cancelled_and_the_next_one_works(lab: Lab, how: signal.Signals):
    (lab.source / "big").write_bytes(os.urandom(8 * MIB))

    def stop(process, line, stream):
        if b"%" in line:
            os.killpg(process.pid, how)

    ran = lab.backup(job=lab.job(upload_kib=1000), on_line=stop)
    assert ran.verdict == "cancelled", ran
    assert lab.snapshots() == []
    assert lab.backup().verdict == "ok"


def _dumping(lab: Lab, *scripts: str, sources=None, place=None) -> Ran:
    dumps = tuple(Dump(kind="postgresql", database=f"shop{n}") for n in range(len(scripts)))
    job = lab.job(dumps=dumps, **({} if sources is None else {"sources": sources}))
    stages = list(RSYNC.backup(place or lab.place, job, "r1"))
    for number, script in enumerate(scripts, 2):
        assert stages[number].name.startswith("dump: ")
        stages[number] = replace(stages[number], source=(*stages[number].source[:5], "sh", "-c", script))
    return lab.run("backup", stages, job)


def test_a_dump_lies_at_the_top_of_the_tree_even_where_all_is_saved(lab: Lab):
    ran = _dumping(lab, "echo whole", sources=(str(lab.source),))
    tree = _tree(ran)
    assert (lab.trees / tree / "postgresql-shop0.dump").read_text() == "whole\n"
    assert lab.restore(tree, "/postgresql-shop0.dump").verdict == "ok"
    assert (lab.folder / "restored/postgresql-shop0.dump").read_text() == "whole\n"
    ran = _dumping(lab, "printf 'no end of line'", sources=())
    assert ran.verdict == "ok", ran


@pytest.mark.parametrize(
    "script", ["echo half; echo the server hung up >&2; exit 3", "true", "kill -9 $$", "no-such-program"]
)
def test_a_dump_that_is_not_whole_is_a_failure_and_the_rest_is_saved_all_the_same(lab: Lab, script: str):
    ran = _dumping(lab, script, "echo whole")
    assert ran.verdict == "failed", ran
    assert "postgresql-shop0.dump" in ran.words
    assert ("the server hung up" in ran.words) == ("hung" in script)
    (snapshot,) = lab.snapshots()
    assert not snapshot.good and "1 of its dumps failed" in snapshot.why
    paths = lab.entries(snapshot.id)
    assert "/postgresql-shop0.dump" not in paths and "/postgresql-shop1.dump" in paths
    assert f"{lab.source}/one" in paths


def test_retention_forgets_what_its_dry_run_named_of_its_job_alone(lab: Lab):
    trees = [_tree(lab.backup(f"r{n}")) for n in range(3)]
    other = _tree(lab.backup("x", job=lab.job(name="web-2")))
    stranger = lab.trees / "20200101T000000Z-web-mine"
    stranger.mkdir()
    keep = Retention(last=1)
    ran = lab.run("retain", RSYNC.retain(lab.place, lab.job(), keep, dry=True))
    assert ran.verdict == "ok", ran
    # newest first, all of the same second or so
    assert sorted(RSYNC.doomed(ran.told)) == trees[:2]
    assert len(lab.snapshots()) == 4
    ran = lab.run("retain", RSYNC.retain(lab.place, lab.job(), keep, dry=False))
    assert ran.verdict == "ok", ran
    assert "Forgot 2 trees" in ran.words
    assert sorted(one.id for one in lab.snapshots()) == sorted([trees[2], other])
    assert stranger.exists()
    assert not (lab.trees / f"{trees[0]}.sha256").exists()
    assert (
        RSYNC.doomed(lab.run("retain", RSYNC.retain(lab.place, lab.job(), Retention(), dry=True)).told) == ()
    )


def test_odd_sources_and_excludes_are_taken_literally(lab: Lab):
    odd = ("--help", "host:file", "#hash", ";semicolon", ".dot", "..dots")
    for name in (*odd, "cache"):
        (lab.home / name).write_text("x")
    (lab.source / "cache").mkdir()
    (lab.source / "cache/junk").touch()
    job = lab.job(sources=(f"{lab.source}/./", *odd), excludes=("cache/", "--delete-excluded"))
    tree = _tree(lab.backup(job=job))
    wanted = {f"/{name}" for name in odd} | {f"{lab.source}/{name}" for name in ("one", "two", "sub/three")}
    assert {path for path, entry in lab.entries(tree).items() if entry.kind == "file"} == wanted
    assert lab.restore(tree).verdict == "ok"
    assert lab.restore(tree, *(f"/{name}" for name in odd), target=lab.folder / "alone").verdict == "ok"
    assert {one.name for one in (lab.folder / "alone").iterdir()} == set(odd)
    assert set(odd) < {one.name for one in (lab.folder / "restored").iterdir()}


def _remote(lab: Lab, server, key=None) -> Place:
    ssh = (
        "ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o LogLevel=ERROR"
        f" -o IdentityAgent=none -i {shlex.quote(str(key or server.client_key))} -p {server.port}"
    )
    folder = f"{server.home}/my trees {lab.folder.name}"
    return lab.runner.place(
        f"{server.user}@{server.address}:{folder}", options={"rsh": ssh, "fake-super": "yes"}
    )


def test_a_folder_behind_ssh_does_all_that_one_here_does(lab: Lab, sshd):
    server = sshd()
    lab.place = _remote(lab, server)
    assert RSYNC.problem(lab.place.spec) == ""
    assert lab.run("init", RSYNC.init(lab.place)).verdict == "ok"
    for name in HOSTILE:
        Path(os.fsdecode(os.fsencode(lab.source) + b"/" + name)).write_bytes(name)
    (lab.source / "*star dir[x]").mkdir()
    (lab.source / "*star dir[x]/inside").touch()
    first = _tree(_dumping(lab, "echo whole"))
    ran = lab.backup("r2")
    second = _tree(ran)
    assert [one.id for one in lab.snapshots()] == [first, second]
    assert f"{lab.source}/*star dir[x]/inside" in lab.entries(second, f"{lab.source}/*star dir[x]")
    assert f"{lab.source}/{os.fsdecode(HOSTILE[2])}" in lab.entries(second, str(lab.source))
    ran = lab.restore(second, *(f"{lab.source}/{os.fsdecode(name)}" for name in HOSTILE))
    assert ran.verdict == "ok", ran
    restored = lab.folder / "restored" / str(lab.source).lstrip("/")
    assert sorted(os.fsencode(one.name) for one in restored.iterdir()) == sorted(HOSTILE)
    assert lab.restore(first, target=lab.folder / "all").verdict == "ok"
    assert (lab.folder / "all/postgresql-shop0.dump").read_text() == "whole\n"
    assert lab.check("all").verdict == "ok"
    ran = lab.run("retain", RSYNC.retain(lab.place, lab.job(), Retention(last=1), dry=False))
    assert ran.verdict == "ok" and [one.id for one in lab.snapshots()] == [second], ran
    assert lab.run("unlock", RSYNC.unlock(lab.place)).verdict == "ok"


def test_a_link_that_is_cut_and_a_key_that_is_refused_are_told_apart(lab: Lab, sshd):
    server = sshd()
    place = _remote(lab, server)
    assert lab.run("init", RSYNC.init(place)).verdict == "ok"
    (lab.source / "big").write_bytes(os.urandom(8 * MIB))

    def cut(process, line, stream):
        if b"%" in line:
            server.stop()

    refused = _remote(lab, server, "/dev/null")
    ran = lab.backup(place=refused)
    assert ran.verdict == "auth", ran
    ran = lab.backup(job=lab.job(upload_kib=1000), place=place, on_line=cut)
    assert ran.verdict == "network", ran
    ran = lab.run("list", RSYNC.list(place))
    assert ran.verdict == "network", ran
    assert "refused" in ran.words
