"""What came of a run: the engine's verdict, and what our own stages around it say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from guardian_tui.engine.backups import hashes
from guardian_tui.engine.backups.dump_drills import Form, Proof, proof_of
from guardian_tui.engine.backups.engines.base import Adapter, Judgement, StageEnd
from guardian_tui.engine.backups.script import Reader
from guardian_tui.engine.backups.work import CLEAN, COUNT, DRILLS, FOLDER, ROOM, Backup, Drill, Restore, Work
from guardian_tui.protocol.backups import JobSpec, Operation
from guardian_tui.text import counted

_OURS = (ROOM, FOLDER, COUNT, CLEAN, hashes.COMPARE, hashes.BEFORE, hashes.AFTER)
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict, and the figures of a restore."""

    judgement: Judgement
    compared: int = 0
    mismatches: tuple[str, ...] = ()
    files: int | None = None
    bytes: int | None = None
    proof: Form | Literal[""] = ""
    """How far dumps were proven: one that was only read makes it ``read``."""


def is_ours(stage: str) -> bool:
    """Whether a stage stands around the engine's own."""
    return stage in _OURS or stage.startswith(("before ", "after ", "verify "))


def outcome(
    work: Work, operation: Operation, adapter: Adapter, job: JobSpec | None, reader: Reader, run_id: str
) -> Outcome:
    """Judge a run that was read to its end."""
    early = _before(reader)
    if early is not None:
        return Outcome(early)
    own = [end for end in reader.ends if not is_ours(end.name)]
    told = sum(not is_ours(mark.name) for mark in reader.marks)
    asked: Operation = "restore" if isinstance(work, Drill) else operation
    judgement = adapter.verdict(asked, job, own, reader.events)
    if judgement.verdict in ("ok", "partial") and len(own) < told:
        judgement = Judgement(
            "failed", f"It ended after {len(own)} of {counted(told, 'stage')}.", "Read its log: it was killed, or its time was over."
        )  # fmt: skip
    if isinstance(work, Restore | Drill):
        return restored(work, judgement, reader, run_id)
    if isinstance(work, Backup):
        judgement = _after(judgement, reader)
    return Outcome(judgement)


def _before(reader: Reader) -> Judgement | None:
    """What went wrong before the engine had its turn."""
    for end in reader.ends:
        if end.exit_code == 0:
            continue
        if end.name.startswith("before "):
            return Judgement(
                "failed", f"The command {end.name} ended with {end.exit_code}: {end.tail or 'it said nothing'}",
                "Nothing was saved. See why the command fails, or take it out of the job.",
            )  # fmt: skip
        if end.name == ROOM:
            return Judgement(
                "no_space", end.tail or "The disk has not the room.", "Free space, or restore elsewhere."
            )
        if end.name == FOLDER:
            return Judgement("failed", f"The folder could not be made: {end.tail}")
    return None


def _after(judgement: Judgement, reader: Reader) -> Judgement:
    late = next((end for end in reader.ends if end.name.startswith("after ") and end.exit_code), None)
    if judgement.verdict != "ok" or late is None:
        return judgement
    return replace(
        judgement,
        verdict="partial",
        words=f"{judgement.words} The command {late.name} ended with {late.exit_code}: {late.tail}",
    )


def restored(work: Restore | Drill, judgement: Judgement, reader: Reader, run_id: str) -> Outcome:
    """What came of a restore: the engine's word, and what was compared and counted."""
    root = work.target if isinstance(work, Restore) else f"{DRILLS}{run_id}"
    good, bad = hashes.compared(bytes(reader.kept.get(hashes.COMPARE, b"")), root)
    files, size = _counted(bytes(reader.kept.get(COUNT, b"")))
    result = Outcome(judgement, len(good) + len(bad), bad, files, size)
    cut = next(
        (end for end in reader.ends if end.name.startswith("verify ") and (end.exit_code or end.source_code)),
        None,
    )
    if cut is not None and not bad:
        # it had its turn, so all before it went well; those after it had none
        return replace(result, judgement=_not_restored(cut))
    if judgement.verdict not in ("ok", "partial"):
        return result
    if bad:
        words = f"{len(bad)} of {counted(len(good) + len(bad), 'file')} {_differ(len(bad))}: {', '.join(bad[:_SHOWN])}"
        advice = "Don't rely on this snapshot: check the repository with all its data, and take a new backup elsewhere."
        return replace(result, judgement=Judgement("failed", words, advice))
    verified = [end.name for end in reader.ends if end.name.startswith("verify ")]
    said = [judgement.words]
    if good:
        said.append(
            f"{counted(len(good), 'file is to the bit what it was', 'files are to the bit what they were')} when backed up."
        )
    if verified:
        proofs = {
            name.removeprefix("verify "): proof_of(bytes(reader.kept.get(name, b""))) for name in verified
        }
        result = _proven(result, [one for one in proofs.values() if one is not None])
        said += [_proof_words(name, one) for name, one in proofs.items()]
    if good or verified:
        return replace(result, judgement=replace(judgement, words=" ".join(said).strip()))
    words = f"{judgement.words} There was nothing to compare with: no hash of these files was taken at backup time."
    verdict = "partial" if isinstance(work, Drill) else judgement.verdict
    return replace(result, judgement=replace(judgement, verdict=verdict, words=words.strip()))


def _not_restored(end: StageEnd) -> Judgement:
    """Why a dump could not be proven."""
    name, tail = end.name.removeprefix("verify "), end.tail or f"exit code {end.exit_code}"
    match end.exit_code:
        case 64:
            return Judgement(
                "no_space",
                f"{name}: {tail}",
                "Free space on the host that drills, or let another one read the repository.",
            )
        case 71 | 73:
            return Judgement(
                "failed",
                f"{name}: {tail}",
                "See why a server of its own does not start there; its log stands above.",
            )
        case 74:
            return Judgement(
                "failed",
                f"{name}: {tail}",
                "The data is not what the probe wants: look into the database itself.",
            )
    return Judgement(
        "failed", f"{name} does not restore: {tail}", "Take a new backup, and see why the dump breaks off."
    )


def _proven(result: Outcome, proofs: Sequence[Proof]) -> Outcome:
    form: Form | Literal[""] = (
        "read" if any(one.form == "read" for one in proofs) else "restored" if proofs else ""
    )
    size = sum(one.bytes for one in proofs)
    return replace(
        result, proof=form, files=(result.files or 0) + len(proofs) if proofs else result.files,
        bytes=(result.bytes or 0) + size if size else result.bytes,
    )  # fmt: skip


def _proof_words(name: str, proof: Proof | None) -> str:
    if proof is None:
        return f"{name} is whole."
    if proof.form == "read":
        return f"{name} was read to its end, not restored: {proof.words}."
    return f"{name} was restored into a database: {proof.words}."


def _counted(text: bytes) -> tuple[int | None, int | None]:
    words = text.split()
    if len(words) != 2 or not all(word.isdigit() and len(word) < 19 for word in words):
        return None, None
    return int(words[0]), int(words[1])


def _differ(count: int) -> str:
    one = count == 1
    return f"{'is not what it was' if one else 'are not what they were'} when backed up"
