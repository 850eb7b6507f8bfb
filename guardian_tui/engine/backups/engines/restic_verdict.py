"""What came of a run of restic: exit codes are believed when they say that something failed; that it went well needs evidence.

Codes 10, 11 and 12 are told since 0.17; before, the words on standard error have to tell.
"""

from __future__ import annotations

from collections.abc import Sequence

from guardian_tui.engine.backups.dumping import dump_name
from guardian_tui.engine.backups.engines.base import Event, Judgement, StageEnd, Summary, Warned
from guardian_tui.engine.backups.engines.broken import broken_dump
from guardian_tui.engine.backups.engines.restic_output import BACKUP, DUMP, INCOMPLETE, lines_of, names
from guardian_tui.engine.backups.engines.restic_words import Trouble, complaint
from guardian_tui.protocol.backups import JobSpec, Operation
from guardian_tui.text import counted, safe

_CODES: dict[int, Trouble] = {10: "missing", 11: "locked", 12: "auth", 130: "cancelled", 143: "cancelled"}
_STOPPED = (130, 143)
_KILLED = 137
_NOT_RUN = (126, 127)
_BROKEN_PIPE = 141

_ADVICE: dict[Trouble, str] = {
    "cancelled": "If another run says that the repository is locked, unlock it: a run that is ended leaves its lock.",
    "no_space": "Free space where it is full, or keep fewer snapshots; unlock the repository if it stays locked.",
    "locked": "Try again later. If whoever holds it is dead, unlock the repository: only stale locks are removed.",
    "auth": "Check the repository's secrets, and the keys of the host that reads it.",
    "network": "Check the link from the host to the repository, and that it may log in there; then try again.",
    "missing": "Check the location, and that its disk is mounted; make the repository if it is new.",
}
_SAID: dict[Trouble, str] = {
    "cancelled": "It was ended before it was done.",
    "no_space": "A disk is full.",
    "locked": "The repository is locked.",
    "auth": "The repository refused the password or the key.",
    "network": "The link to the repository failed.",
    "missing": "There is no repository.",
}


def verdict(
    operation: Operation, job: JobSpec | None, ends: Sequence[StageEnd], events: Sequence[Event]
) -> Judgement:
    """What came of an operation."""
    if not ends:
        return Judgement("failed", "Nothing was run.")
    summaries = [event for event in events if isinstance(event, Summary)]
    warned = list(dict.fromkeys(event.words for event in events if isinstance(event, Warned)))
    troubles = [found for end in ends if (found := _trouble(operation, end, summaries, warned))]
    if troubles:
        return next((found for found in troubles if found.verdict == "cancelled"), troubles[0])
    match operation:
        case "backup":
            return _backup(job, ends, summaries, warned)
        case "restore" | "drill":
            return _restore(ends, summaries, warned)
        case "check":
            return _check(ends, summaries, warned)
        case "copy":
            return _copy(summaries, warned)
        case "unlock":
            return _unlock(summaries, warned)
        case _:
            told = " ".join(one.words for one in summaries if one.words and not one.errors)
            return Judgement("ok", told or "It is done.")


def _trouble(
    operation: Operation, end: StageEnd, summaries: Sequence[Summary], warned: Sequence[str]
) -> Judgement | None:
    """What ended a stage; None: it ended well, or left out what could not be read."""
    code, source = end.exit_code, end.source_code
    # a reader that died takes its source with it: then the reader's is the story
    if source in _STOPPED:
        return _told("cancelled", "")
    if source and not (source == _BROKEN_PIPE and code):
        return broken_dump(end.name.removeprefix(DUMP), source, list(lines_of(end.tail)))
    if code == 0 or (code == INCOMPLETE and operation == "backup"):
        return None
    said = [one.words for one in reversed(summaries) if one.stage == end.name and one.errors and one.words]
    said += lines_of(end.tail)
    # what ssh says is the cause; restic then says only that the session did not start
    causes = sorted(
        said, key=lambda words: (not words.startswith("subprocess "), not words.startswith("Fatal: "))
    )
    # restores complain of a full disk file by file
    named = next(((kind, words) for words in [*causes, *warned] if (kind := complaint(words))), None)
    if code in _CODES:
        return _told(_CODES[code], next((words for words in causes if complaint(words) == _CODES[code]), ""))
    if code == _KILLED:
        return Judgement(
            "failed", f"{end.name}: restic was killed.",
            "See whether the host ran out of memory, and unlock the repository: a killed run leaves its lock.",
        )  # fmt: skip
    if code in _NOT_RUN:
        return Judgement(
            "failed", f"{end.name}: restic can't be run. {_first(said)}", "Install restic 0.14 or newer."
        )
    if named is not None:
        return _told(*named)
    said.sort(key=lambda words: words.startswith("subprocess "))
    return _unnamed(operation, end, said, summaries, warned)


def _told(trouble: Trouble, words: str) -> Judgement:
    said = " ".join(words.removeprefix("Fatal: ").split())
    return Judgement(
        trouble, f"{_SAID[trouble]} restic says: {said}" if said else _SAID[trouble], _ADVICE[trouble]
    )


def _unnamed(
    operation: Operation,
    end: StageEnd,
    said: Sequence[str],
    summaries: Sequence[Summary],
    warned: Sequence[str],
) -> Judgement:
    if operation == "check" and (warned or any("repository contains errors" in words for words in said)):
        return _damaged(end, warned or said)
    if operation in ("restore", "drill") and warned:
        restored = sum(one.files or 0 for one in summaries if one.stage == end.name)
        words = f"{len(warned)} could not be restored as they were: {names(warned)}."
        return Judgement(
            "partial" if restored > len(warned) else "failed",
            words,
            "Restore those again, or from another snapshot.",
        )
    return Judgement("failed", f"{end.name} ended with exit code {end.exit_code}: {_first(said)}")


def _first(said: Sequence[str]) -> str:
    return safe(said[0].removeprefix("Fatal: "), 500) if said else "it said nothing"


def _backup(
    job: JobSpec | None, ends: Sequence[StageEnd], summaries: Sequence[Summary], warned: Sequence[str]
) -> Judgement:
    parts = [end.name for end in ends if end.name == BACKUP or end.name.startswith(DUMP)]
    wanted = (
        [f"{DUMP}{dump_name(dump)}" for dump in job.dumps] + [BACKUP] * bool(job.sources) if job else parts
    )
    if not wanted:
        return Judgement("failed", "The job names nothing to save.", "Give it sources or dumps.")
    told, lacking = [], list(warned)
    for part in wanted:
        made = next((one for one in summaries if one.stage == part and one.snapshot), None)
        if made is None:
            return Judgement(
                "failed",
                f"{part}: restic told of no snapshot, so nothing proves that one was saved.",
                "Read the log of the run.",
            )
        if part != BACKUP:
            if not made.files or not made.bytes:
                return Judgement(
                    "failed", f"{part} is empty.", "See whether the database is there and can be dumped."
                )
            told.append(f"{part} in snapshot {made.snapshot[:8]}")
            continue
        told.append(f"{counted(made.files or 0, 'file')} in snapshot {made.snapshot[:8]}")
        if not made.files:
            lacking.append("there was no file in any of the sources")
    if not lacking and any(end.exit_code == INCOMPLETE for end in ends):
        lacking.append("restic could not read something that it does not name")
    saved = "Saved " + ", ".join(told) + "."
    if lacking:
        return Judgement(
            "partial", f"Not all saved: {names(lacking)}. {saved}",
            "See that the sources are there (a disk that is not mounted is an empty folder) and may be read, or take them out of the job.",
        )  # fmt: skip
    return Judgement("ok", saved)


def _restore(ends: Sequence[StageEnd], summaries: Sequence[Summary], warned: Sequence[str]) -> Judgement:
    counts = [one.files or 0 for one in summaries if not one.errors]
    if not counts or len(counts) < len(ends) or not all(counts):
        return Judgement(
            "failed",
            "Nothing was restored: the snapshot holds no such path.",
            "Look the path up in the snapshot's files.",
        )
    words = f"Restored {counted(sum(counts), 'file or folder', 'files and folders')}."
    if warned:
        return Judgement("partial", f"{words} Not as they were: {names(warned)}.")
    return Judgement("ok", words)


def _check(ends: Sequence[StageEnd], summaries: Sequence[Summary], warned: Sequence[str]) -> Judgement:
    for end in ends:
        results = [one for one in summaries if one.stage == end.name]
        if any(one.errors for one in results):
            return _damaged(end, warned or [one.words for one in results if one.words])
        if not results:
            return Judgement(
                "failed",
                f"{end.name}: restic did not say that it found no errors.",
                "Read the log of the run.",
            )
    words = f"{', '.join(end.name for end in ends).capitalize()}: no errors were found."
    return Judgement("ok", f"{words} It said: {names(warned)}." if warned else words)


def _damaged(end: StageEnd, said: Sequence[str]) -> Judgement:
    return Judgement(
        "failed", f"The repository is damaged, says the {end.name}: {names(list(said)) or 'restic does not say where'}.",
        "Forget nothing now. Take a new backup to another repository, see to the disk, then repair this one (restic repair).",
    )  # fmt: skip


def _copy(summaries: Sequence[Summary], warned: Sequence[str]) -> Judgement:
    copied = len({one.snapshot for one in summaries if one.snapshot})
    if not copied:
        return Judgement(
            "failed",
            f"No snapshot was copied. {names(warned)}".strip(),
            "List the snapshots again: they may be forgotten.",
        )
    words = f"{counted(copied, 'snapshot is', 'snapshots are')} in the other repository."
    return Judgement("partial", f"{words} {names(warned)}.") if warned else Judgement("ok", words)


def _unlock(summaries: Sequence[Summary], held: Sequence[str]) -> Judgement:
    words = " ".join(one.words for one in summaries if one.words) or "There was no stale lock."
    if held:
        return Judgement(
            "ok", f"{words} {len(held)} that may be in use were left: {names(held)}",
            "Their runs go on, or ended on another host; a lock that nobody renews is stale after half an hour.",
        )  # fmt: skip
    return Judgement("ok", words)
