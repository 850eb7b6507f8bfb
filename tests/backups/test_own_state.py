"""Jobs of Guardian's own state: what is refused, what the archive's making says, and that a drill reads what it restored."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from guardian_tui.engine.backups import hashes
from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Capabilities, Place
from guardian_tui.engine.backups.own_state import ARCHIVE, OwnState, problem, verifying
from guardian_tui.engine.backups.work import Drill, stages_of
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.backups import BackupEngine, DrillPolicy, JobSpec, RepositorySpec
from guardian_tui.protocol.errors import InvalidRequest, NotFound, StoreUnavailable

HERE = Way("local", "here", {}, None)
JOB = JobSpec(
    name="guardian",
    host="here",
    repository="vault",
    own_state=True,
    drill=DrillPolicy(pinned=("/etc/fstab",)),
)


async def known(reference: str) -> str:
    assert reference == "secret:backups/own-state"
    return "seven words that nobody else knows"


async def unknown(reference: str) -> str:
    raise NotFound(f"The vault has no secret named {reference}.")


def written(target: Path, passphrase: str) -> None:
    target.write_text(f"sealed by {passphrase}")


def raising(error: Exception) -> Callable[[Path, str], None]:
    def take(target: Path, passphrase: str) -> None:
        target.write_text("half of")
        raise error

    return take


async def test_the_archive_is_there_for_the_run_and_gone_after_it(tmp_path: Path) -> None:
    own = OwnState(tmp_path / "own-state", written, known)
    assert await own.prepare(JOB, HERE) is None
    archive = Path(own.archive_of(JOB))
    assert archive.name == ARCHIVE
    assert archive.read_text() == "sealed by seven words that nobody else knows"
    assert archive.parent.stat().st_mode & 0o777 == 0o700
    # what a killed engine left is no hindrance
    assert await own.prepare(JOB, HERE) is None
    spec = own.spec(JOB)
    assert spec.sources == (str(archive.parent),)
    assert spec.drill.pinned == (str(archive), "/etc/fstab")
    taking = hashes.taking(spec, "r1")
    assert taking is not None
    assert str(archive) in taking[0].argv
    await own.clear(JOB)
    assert not archive.parent.exists()


async def test_other_jobs_are_left_as_they_are(tmp_path: Path) -> None:
    own = OwnState(tmp_path, written, known)
    plain = JobSpec(name="web", host="here", repository="vault", sources=("/etc",))
    assert own.spec(plain) is plain
    assert own.archive_of(plain) == ""
    await own.clear(plain)
    assert tmp_path.exists()


@pytest.mark.parametrize(
    ("error", "verdict", "words"),
    [
        (OSError(28, "No space left on device"), "no_space", "no room"),
        (OSError(13, "Permission denied"), "failed", "Permission denied"),
        (InvalidRequest("The passphrase must have at least 12 characters"), "auth", "12 characters"),
        (StoreUnavailable("state.db is damaged"), "failed", "damaged"),
    ],
)
async def test_what_hinders_the_archive_is_the_runs_verdict(
    tmp_path: Path, error: Exception, verdict: str, words: str
) -> None:
    own = OwnState(tmp_path / "own-state", raising(error), known)
    fault = await own.prepare(JOB, HERE)
    assert fault is not None
    assert fault.verdict == verdict
    assert words in fault.words
    assert not Path(own.archive_of(JOB)).parent.exists()


async def test_without_a_passphrase_nothing_is_written_and_it_says_how_to_set_one(tmp_path: Path) -> None:
    own = OwnState(tmp_path / "own-state", written, unknown)
    with pytest.raises(NotFound, match="secrets set --name backups/own-state"):
        await own.prepare(JOB, HERE)
    assert list(tmp_path.iterdir()) == []


async def test_an_engine_without_a_state_of_its_own_says_so() -> None:
    fault = await OwnState(None, None, known).prepare(JOB, HERE)
    assert fault is not None
    assert "can't save" in fault.words


def test_a_drill_reads_what_it_restored(tmp_path: Path) -> None:
    place = Place(
        RepositorySpec(name="vault", engine="restic", location="/r", host="here"), Capabilities((0, 16, 0))
    )
    work = Drill("s1", (), 1 << 20, whole=True, own_state="/state/own-state/guardian/guardian-state.tar")
    names = [stage.name for stage in stages_of(work, adapter("restic"), place, JOB, "r1")]
    assert names[-2:] == ["verify Guardian's own state", "clean"]
    cut = tmp_path / "guardian-state.tar"
    cut.write_bytes(bytes(100))
    stage = verifying(str(cut))
    done = subprocess.run(
        stage.argv, env={**os.environ, **stage.env}, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False
    )  # fmt: skip
    assert done.returncode == 1
    assert "guardian-state.tar" in done.stderr


@pytest.mark.parametrize(
    ("engine", "there", "reads", "words"),
    [
        ("restic", True, True, ""),
        ("borg", True, True, ""),
        ("dumps", True, True, "keeps no files"),
        ("pgbackrest", True, True, "keeps no files"),
        ("restic", False, True, "set the job's host"),
        ("restic", True, False, "repository's host"),
    ],
)
def test_where_it_cannot_be_saved_or_proven_it_is_refused(
    engine: BackupEngine, there: bool, reads: bool, words: str
) -> None:
    found = problem(JOB, HERE if there else None, engine, HERE if reads else None)
    assert words in found
    assert bool(found) == bool(words)


def test_what_another_tool_saves_is_not_ours() -> None:
    assert "exclude" in problem(
        JobSpec(name="x", host="", repository="v", own_state=True, match={"tag": "x"}), HERE, "restic", HERE
    )
    assert problem(JobSpec(name="x", host="", repository="v"), None, "dumps", None) == ""
