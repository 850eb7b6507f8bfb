"""What came of a run: the engine's verdict, and what our own stages around it say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from guardian_tui.engine.backups import hashes
from guardian_tui.engine.backups.engines.base import Adapter, Judgement
from guardian_tui.engine.backups.script import Reader
from guardian_tui.engine.backups.work import CLEAN, COUNT, DRILLS, FOLDER, ROOM, Backup, Drill, Restore, Work
from guardian_tui.protocol.backups import JobSpec, Operation

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
            "failed", f"It ended after {len(own)} of {told} stages.", "Read its log: it was killed, or its time was over."
        )  # fmt: skip
    if isinstance(work, Restore | Drill):
        return _restored(work, judgement, reader, run_id)
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


def _restored(work: Restore | Drill, judgement: Judgement, reader: Reader, run_id: str) -> Outcome:
    root = work.target if isinstance(work, Restore) else f"{DRILLS}{run_id}"
    good, bad = hashes.compared(bytes(reader.kept.get(hashes.COMPARE, b"")), root)
    files, size = _counted(bytes(reader.kept.get(COUNT, b"")))
    result = Outcome(judgement, len(good) + len(bad), bad, files, size)
    if judgement.verdict not in ("ok", "partial"):
        return result
    cut = next(
        (end for end in reader.ends if end.name.startswith("verify ") and (end.exit_code or end.source_code)),
        None,
    )
    if bad:
        words = f"{len(bad)} of {len(good) + len(bad)} files are not what they were when they were backed up: {', '.join(bad[:_SHOWN])}"
        advice = "Don't rely on this snapshot: check the repository with all its data, and take a new backup elsewhere."
        return replace(result, judgement=Judgement("failed", words, advice))
    if cut is not None:
        words = f"{cut.name.removeprefix('verify ')} is not a whole dump: {cut.tail or f'exit code {cut.exit_code}'}"
        return replace(
            result,
            judgement=Judgement("failed", words, "Take a new backup, and see why the dump breaks off."),
        )
    verified = [end for end in reader.ends if end.name.startswith("verify ")]
    if good:
        words = f"{judgement.words} {len(good)} files are to the bit what they were when they were backed up."
        return replace(result, judgement=replace(judgement, words=words.strip()))
    if verified:
        words = f"{judgement.words} {len(verified)} dump{'s are' if len(verified) > 1 else ' is'} whole."
        return replace(result, judgement=replace(judgement, words=words.strip()))
    words = f"{judgement.words} There was nothing to compare with: no hashes were taken at backup time."
    verdict = "partial" if isinstance(work, Drill) else judgement.verdict
    return replace(result, judgement=replace(judgement, verdict=verdict, words=words.strip()))


def _counted(text: bytes) -> tuple[int | None, int | None]:
    words = text.split()
    if len(words) != 2 or not all(word.isdigit() and len(word) < 19 for word in words):
        return None, None
    return int(words[0]), int(words[1])
