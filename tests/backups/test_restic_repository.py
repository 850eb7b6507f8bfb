"""What is done with a repository of the real restic: restoring, checking, forgetting, copying."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guardian_tui.engine.backups import rooms
from guardian_tui.protocol.backups import Dump, Retention
from tests.support.disks import small_disk
from tests.support.restic_lab import PROGRAMS, Lab, words

MIB = 1 << 20


@pytest.fixture(params=PROGRAMS, ids=words)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    one = Lab(request.param)
    yield one
    one.close()


def _saved(lab: Lab) -> str:
    ran = lab.backup()
    assert ran.verdict == "ok", ran
    return lab.snapshots()[-1].id


def _largest_pack(lab: Lab) -> Path:
    return max((lab.repository / "data").glob("*/*"), key=lambda path: path.stat().st_size)


def test_a_restore_brings_everything_back(lab: Lab):
    ran = lab.restore(_saved(lab))
    assert ran.verdict == "ok", ran
    assert (lab.folder / f"restored{lab.source}/sub/three").read_text() == "sub/three\n"
    assert ran.summary.files and ran.summary.files >= 3


def test_a_restore_to_where_it_was_brings_back_one_file_and_may_find_it_there(lab: Lab):
    snapshot = _saved(lab)
    (lab.source / "one").unlink()
    (lab.source / "two").write_text("changed")
    for _ in range(2):
        ran = lab.restore(snapshot, str(lab.source / "one"), target=Path("/"))
        assert ran.verdict == "ok", ran
    assert (lab.source / "one").read_text() == "one\n"
    assert (lab.source / "two").read_text() == "changed"


def test_a_restore_that_matches_nothing_is_a_failure(lab: Lab):
    ran = lab.restore(_saved(lab), "/no/such/path")
    assert ran.verdict == "failed", ran
    assert "no such path" in ran.words


def test_a_restore_of_a_snapshot_that_is_gone_is_a_failure(lab: Lab):
    ran = lab.restore("deadbeef")
    assert ran.verdict == "failed", ran
    assert "deadbeef" in ran.words


def test_hostile_names_come_back_each_by_its_own_name(lab: Lab):
    names = [b"new\nline", b"esc\x1b[2J", b"[a-z]*?", b"back\\slash", b"\xff\xfe.bin", "ünï".encode()]
    for name in names:
        Path(os.fsdecode(os.fsencode(lab.source) + b"/" + name)).write_bytes(name)
    (lab.source / "z").write_text("not asked for")
    snapshot = _saved(lab)
    ran = lab.run("files", lab.adapter.files(lab.place, snapshot, ""))
    assert ran.verdict == "ok", ran
    listed = {entry.path for entry in lab.adapter.entries(ran.told) if entry.kind == "file"}
    assert f"{lab.source}/new\nline" in listed
    assert f"{lab.source}/\ufffd\ufffd.bin" in listed
    for name in names:
        as_listed = name.decode("utf-8", "replace")
        assert f"{lab.source}/{as_listed}" in listed
        target = lab.folder / f"out{names.index(name)}"
        ran = lab.restore(snapshot, f"{lab.source}/{as_listed}", target=target)
        assert ran.verdict == "ok", ran
        found = [path for path in target.rglob("*") if path.is_file()]
        assert [os.fsencode(path.name) for path in found] == [name]
        assert found[0].read_bytes() == name


def test_sources_with_hostile_names_are_saved(lab: Lab):
    odd = Path(os.fsdecode(os.fsencode(lab.folder) + b"/-\n\xff [x]"))
    odd.mkdir()
    (odd / "file").write_text("x")
    ran = lab.backup(lab.job(sources=(str(odd),)))
    assert ran.verdict == "ok", ran
    assert ran.summary.files == 1


def test_a_folder_of_a_snapshot_is_listed_with_kinds_sizes_and_modes(lab: Lab):
    (lab.source / "link").symlink_to("one")
    os.mkfifo(lab.source / "pipe")
    (lab.source / "one").chmod(0o4751)
    snapshot = _saved(lab)
    ran = lab.run("files", lab.adapter.files(lab.place, snapshot, str(lab.source)))
    entries = {entry.path.removeprefix(str(lab.source)): entry for entry in lab.adapter.entries(ran.told)}
    assert set(entries) == {"", "/one", "/two", "/sub", "/link", "/pipe"}
    assert (entries["/one"].kind, entries["/one"].size, entries["/one"].mode) == ("file", 4, 0o4751)
    assert [entries[name].kind for name in ("/sub", "/link", "/pipe")] == ["dir", "link", "other"]
    assert entries["/one"].modified_at == pytest.approx((lab.source / "one").stat().st_mtime, abs=1e-3)


def test_a_full_disk_at_the_target_is_told_as_such(lab: Lab):
    (lab.source / "big").write_bytes(os.urandom(4 * MIB))
    snapshot = _saved(lab)
    with small_disk(lab.folder / "small", 2) as disk:
        ran = lab.restore(snapshot, target=disk / "target")
    assert ran.verdict == "no_space", ran
    assert "no space left on device" in ran.words


def test_a_damaged_pack_is_found_where_data_is_read_and_only_there(lab: Lab):
    (lab.source / "big").write_bytes(os.urandom(2 * MIB))
    snapshot = _saved(lab)
    pack = _largest_pack(lab)
    whole = pack.read_bytes()
    pack.chmod(0o600)
    pack.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    ran = lab.check()
    assert ran.verdict == "ok", ran
    assert "structure" in ran.words
    ran = lab.check("all")
    assert ran.verdict == "failed", ran
    assert "damaged" in ran.words and pack.name[:8] in ran.words
    # each share is read by one of the checks
    verdicts = [lab.check("sample", (number, 3)).verdict for number in (1, 2, 3)]
    assert sorted(verdicts) == ["failed", "ok", "ok"]
    ran = lab.restore(snapshot)
    assert ran.verdict in ("failed", "partial"), ran
    assert f"{lab.source}/big" in ran.words
    pack.unlink()
    ran = lab.check()
    assert ran.verdict == "failed", ran
    assert "damaged" in ran.words


def test_a_whole_repository_is_checked_to_the_end(lab: Lab):
    _saved(lab)
    for level in ("structure", "sample", "all"):
        ran = lab.check(level)
        assert ran.verdict == "ok", ran
        assert "no errors were found" in ran.words
    assert "all data" in ran.words


def test_a_snapshot_of_the_future_keeps_its_time(lab: Lab):
    lab.restic("backup", "--time", "2071-01-02 03:04:05", str(lab.source))
    _saved(lab)
    now, later = lab.snapshots()
    assert now.at <= time.time()
    assert later.at > now.at + 40 * 365 * 86400


def test_what_its_packs_take_is_told_also_while_others_have_it_locked(lab: Lab):
    (lab.source / "large").write_bytes(os.urandom(3 << 20))
    lab.backup()
    with lab.locked():
        ran = lab.run("list", lab.adapter.weigh(lab.place))
    packs = sum(file.stat().st_size for file in (lab.repository / "data").rglob("*") if file.is_file())
    weight = rooms.weight_of(ran.told)
    assert weight is not None and 3 << 20 <= weight <= packs


def test_an_empty_repository_has_no_snapshots(lab: Lab):
    assert lab.snapshots() == []


def _at(lab: Lab, day: int, *tags: str, path: str = "") -> str:
    lab.restic(
        "backup", "--time", f"2026-10-{day:02} 12:00:00", "--host=web1", "--tag=guardian",
        *(f"--tag={tag}" for tag in tags), path or str(lab.source),
    )  # fmt: skip
    return next(one.id for one in lab.snapshots() if one.at == max(other.at for other in lab.snapshots()))


def test_retention_is_told_first_keeps_each_part_and_leaves_other_jobs_alone(lab: Lab):
    job = lab.job(dumps=(Dump(kind="postgresql", database="shop"),), keep=Retention(last=2))
    files = [_at(lab, day, "job=web", f"run={day}", "part=files") for day in (1, 3, 5)]
    dumps = [_at(lab, day, "job=web", f"run={day}", "part=postgresql-shop.dump") for day in (6, 7, 8)]
    others = [
        _at(lab, 9, "job=mail", "run=9", "part=files"),
        _at(lab, 10, "job=web2", "run=10", "part=files"),
    ]
    dry = lab.run("retain", lab.adapter.retain(lab.place, job, job.keep, dry=True), job)
    assert dry.verdict == "ok", dry
    assert set(lab.adapter.doomed(dry.told)) == {files[0], dumps[0]}
    assert len(lab.snapshots()) == 8
    done = lab.run("retain", lab.adapter.retain(lab.place, job, job.keep, dry=False), job)
    assert done.verdict == "ok", done
    assert "forget files: 1 forgotten, 2 kept" in done.words
    assert {one.id for one in lab.snapshots()} == {*files[1:], *dumps[1:], *others}
    assert [end.name for end in done.ends][-1] == "prune"
    assert lab.check("all").verdict == "ok"
    again = lab.run("retain", lab.adapter.retain(lab.place, job, job.keep, dry=True), job)
    assert lab.adapter.doomed(again.told) == ()


def test_retention_of_nothing_saved_yet_is_fine_and_no_policy_forgets_nothing(lab: Lab):
    job = lab.job(keep=Retention(daily=7))
    ran = lab.run("retain", lab.adapter.retain(lab.place, job, job.keep, dry=True), job)
    assert ran.verdict == "ok", ran
    assert lab.adapter.doomed(ran.told) == ()
    assert lab.adapter.retain(lab.place, job, Retention(), dry=False) == ()


def _other(lab: Lab):
    path = lab.folder / "other"
    secrets = dict(lab.runner.secrets)
    lab.runner.secrets["RESTIC_PASSWORD"] = "another"
    other = lab.runner.place(path, name="other", secrets={"RESTIC_PASSWORD": "secret:o"})
    assert lab.run("init", lab.adapter.init(other)).verdict == "ok"
    lab.runner.secrets = secrets
    names = lab.adapter.copy_secrets(lab.place.spec, other.spec)
    assert names == {"RESTIC_FROM_PASSWORD": "secret:r", "RESTIC_PASSWORD": "secret:o"}
    return other


def _for_copies(lab: Lab) -> None:
    lab.runner.secrets = {
        "RESTIC_FROM_PASSWORD": lab.runner.secrets["RESTIC_PASSWORD"],
        "RESTIC_PASSWORD": "another",
    }


def test_snapshots_are_copied_once_and_told_each_time(lab: Lab):
    snapshot, second = _saved(lab), _saved(lab)
    other = _other(lab)
    _for_copies(lab)
    for _ in range(2):
        ran = lab.run("copy", lab.adapter.copy(lab.place, other, [snapshot]))
        assert ran.verdict == "ok", ran
        assert "1 snapshot is in the other repository" in ran.words
    assert second != snapshot
    ran = lab.run("copy", lab.adapter.copy(lab.place, other, [second, "deadbeef"]))
    assert ran.verdict == "partial", ran
    assert "deadbeef" in ran.words
    ran = lab.run("copy", lab.adapter.copy(lab.place, other, ["deadbeef"]))
    assert ran.verdict == "failed", ran
    assert lab.adapter.copy(lab.place, other, []) == ()
    del lab.runner.secrets["RESTIC_FROM_PASSWORD"]
    copies = lab.snapshots(other)
    assert len(copies) == 2
    assert {one.job for one in copies} == {"web"}
    assert {one.repository for one in copies} == {"other"}


def test_copies_tell_which_repository_fails(lab: Lab):
    snapshot = _saved(lab)
    other = _other(lab)
    _for_copies(lab)
    gone = replace(other, spec=lab.runner.place("/nowhere").spec)
    ran = lab.run("copy", lab.adapter.copy(lab.place, gone, [snapshot]))
    assert ran.verdict == "missing", ran
    assert "/nowhere" in ran.words
    lab.runner.secrets["RESTIC_FROM_PASSWORD"] = "wrong"
    assert lab.run("copy", lab.adapter.copy(lab.place, other, [snapshot])).verdict == "auth"


@pytest.mark.soak
def test_hundreds_of_snapshots_are_listed_and_thinned(lab: Lab):
    for number in range(300):
        lab.restic("backup", "--time", f"2026-{1 + number // 28 % 12:02}-{1 + number % 28:02} 12:00:00", "--host=web1",
                   "--tag=guardian", "--tag=job=web", f"--tag=run={number}", "--tag=part=files", str(lab.source))  # fmt: skip
    assert len(lab.snapshots()) == 300
    job = lab.job(keep=Retention(monthly=6))
    dry = lab.run("retain", lab.adapter.retain(lab.place, job, job.keep, dry=True), job)
    assert len(lab.adapter.doomed(dry.told)) == 294
