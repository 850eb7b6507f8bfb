"""Hashes at backup time, with the real sha256sum, and names of every kind."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.backups.engines.base import Stage
from guardian_tui.engine.backups.hashes import Hash, compared, comparing, taken, taking
from guardian_tui.protocol.backups import DrillPolicy, JobSpec
from tests.support.disks import small_disk

ODD = (
    b"plain",
    b"with space",
    b"new\nline",
    b"back\\slash",
    b"quote'\"",
    b"-dash",
    b"caf\xc3\xa9",
    b"bad\xff\xfe",
    b"esc\x1b[2J",
    b"cr\rx",
)


def run(stage: Stage) -> bytes:
    fed = subprocess.run(stage.source, capture_output=True, check=True).stdout if stage.source else b""
    return subprocess.run(stage.argv, input=fed, capture_output=True, check=True, timeout=20).stdout


def filled(folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    found = {}
    for name in ODD:
        path = os.fsencode(folder) + b"/" + name
        with open(path, "wb") as file:
            file.write(b"content of " + name)
        found[os.fsdecode(path)] = b"content of " + name
    return found


def job(folder: Path, **policy: object) -> JobSpec:
    return JobSpec(name="j", host="", repository="r", sources=(str(folder),), drill=DrillPolicy(**policy))


def test_what_did_not_change_is_known_by_its_name_whatever_that_is(tmp_path: Path) -> None:
    files = filled(tmp_path / "data")
    before, after = taking(job(tmp_path / "data", random_files=100), "t1")  # type: ignore[misc]  # there is something to choose from
    first = run(before)
    changed = tmp_path / "data" / "plain"
    changed.write_text("another")
    found = taken(first, run(after))
    assert {one.path for one in found} == set(files) - {str(changed), str(tmp_path / "data" / "cr\rx")}
    assert not list(Path("/tmp").glob("guardian-hashes-t1*"))


def test_a_restored_tree_is_compared_and_what_differs_or_lacks_is_named(tmp_path: Path) -> None:
    filled(tmp_path / "data")
    before, after = taking(job(tmp_path / "data", random_files=100), "t2")  # type: ignore[misc]  # as above
    found = taken(run(before), run(after))
    root = tmp_path / "restored"
    subprocess.run(["mkdir", "-p", f"{root}{tmp_path}"], check=True)
    subprocess.run(["cp", "-a", str(tmp_path / "data"), f"{root}{tmp_path}/data"], check=True)
    good, bad = compared(run(comparing(found, str(root))), str(root))
    assert (set(good), bad) == ({one.path for one in found}, ())
    (Path(f"{root}{tmp_path}/data") / "plain").write_text("damaged")
    (Path(f"{root}{tmp_path}/data") / "new\nline").unlink()
    good, bad = compared(run(comparing(found, str(root))), str(root))
    assert set(bad) == {str(tmp_path / "data" / "plain"), str(tmp_path / "data" / "new\nline")}
    assert len(good) == len(ODD) - 3


def test_pinned_files_are_always_among_them_and_one_that_is_not_there_is_not(tmp_path: Path) -> None:
    filled(tmp_path / "data")
    large = tmp_path / "data" / "large"
    large.write_bytes(bytes(3 << 20))
    policy = {"random_files": 1, "pinned": (str(large), str(tmp_path / "none"))}
    before, after = taking(job(tmp_path / "data", **policy), "t3")  # type: ignore[misc]  # as above
    found = {one.path for one in taken(run(before), run(after))}
    assert str(large) in found
    assert str(tmp_path / "none") not in found
    # the one that is taken by chance may be the pinned one
    assert len(found) <= 2


def test_a_host_that_can_keep_no_list_loses_a_proof_and_no_backup(tmp_path: Path) -> None:
    filled(tmp_path / "data")
    before, after = taking(job(tmp_path / "data", random_files=100), "t4")  # type: ignore[misc]  # as above

    def kept_in(folder: Path) -> tuple[bytes, bytes]:
        first, last = (
            replace(stage, argv=tuple(word.replace("/tmp/guardian-hashes-t4", f"{folder}/list") for word in stage.argv))
            for stage in (before, after)
        )  # fmt: skip
        return run(first), run(last)

    assert taken(*kept_in(tmp_path / "none")) == ()
    with small_disk(tmp_path / "full", 1) as full:
        with (full / "rest").open("wb", buffering=0) as rest, pytest.raises(OSError):
            while True:
                rest.write(bytes(4096))
        files = {str(path) for path in (tmp_path / "data").iterdir()}
        assert {one.path for one in taken(*kept_in(full))} <= files


def test_without_sources_or_policy_nothing_is_hashed(tmp_path: Path) -> None:
    assert taking(JobSpec(name="j", host="", repository="r"), "t") is None
    assert taking(job(tmp_path, random_files=0), "t") is None


def test_a_list_is_cut_before_it_is_longer_than_a_word_may_be() -> None:
    many = [Hash(f"/data/{'x' * 200}{n}", "0" * 64) for n in range(2000)]
    assert len(comparing(many, "/").source[2]) <= 100_000


@given(st.binary(max_size=400), st.binary(max_size=400))
def test_no_bytes_are_a_fault(before: bytes, after: bytes) -> None:
    taken(before, after)
    compared(after, "/x")
