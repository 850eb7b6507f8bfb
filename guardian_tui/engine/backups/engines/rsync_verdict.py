"""What came of a run of rsync and of the scripts around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from guardian_tui.engine.backups.engines.base import Event, Judgement, Signs, StageEnd, Summary, Warned
from guardian_tui.engine.backups.engines.rsync_output import BACKUP, DUMP
from guardian_tui.engine.backups.engines.rsync_scripts import NOT_WHOLE
from guardian_tui.protocol.backups import JobSpec, Operation
from guardian_tui.text import counted, safe

Trouble = Literal["cancelled", "no_space", "locked", "network", "auth", "missing"]

DAMAGED, NOT_THERE, CANT_WRITE, IN_USE = 65, 66, 73, 75
_INCOMPLETE = (23, 24)
_STOPPED = (20, 129, 130, 143)
_NETWORK = (10, 12, 30, 35, 255)
_NOT_RUN = (69, 126, 127)
_KILLED = 137
_BROKEN_PIPE = 141

_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded", re.IGNORECASE)
_REFUSED = re.compile(
    r"Permission denied \((publickey|password|keyboard)|Host key verification failed|HOST IDENTIFICATION HAS CHANGED"
)
_WORDS: tuple[tuple[Trouble, re.Pattern[str]], ...] = (
    ("no_space", _NO_SPACE),
    ("auth", _REFUSED),
    (
        "network",
        re.compile(
            r"Connection (closed|refused|reset|timed out)|No route to host|Network is unreachable|Could not resolve hostname"
            r"|ssh: connect to host|kex_exchange_identification|connection unexpectedly closed|Broken pipe|Timeout, server"
        ),
    ),
    ("missing", re.compile(r"^there is no folder ", re.MULTILINE)),
    ("auth", re.compile(r"Permission denied")),
)
LOCKED = Signs((IN_USE,))
CUT = Signs(_NETWORK, _WORDS[2][1].pattern)
LASTING = Signs((CANT_WRITE, NOT_THERE), f"{_NO_SPACE.pattern}|{_REFUSED.pattern}")
_SAID: dict[Trouble, str] = {
    "cancelled": "It was ended before it was done.",
    "no_space": "A disk is full.",
    "locked": "The folder is in use.",
    "auth": "The folder's host refused the key, or the folder can't be written to.",
    "network": "The link to the folder's host failed.",
    "missing": "There is no such folder.",
}
_ADVICE: dict[Trouble, str] = {
    "cancelled": "Run it again: what was copied already is not kept, what did not change is not copied.",
    "no_space": "Free space where it is full, or keep fewer trees.",
    "locked": "Try again later. If its owner is dead, unlock the folder from the owner's host: only a dead owner's lock is removed.",
    "auth": "Check the host's key, and who may write to the folder.",
    "network": "Check the link from the host to the folder's host, then try again.",
    "missing": "Check the location, and that its disk is mounted; make the folder if it is new.",
}


def verdict(
    operation: Operation, job: JobSpec | None, ends: Sequence[StageEnd], events: Sequence[Event]
) -> Judgement:
    """What came of an operation."""
    if not ends:
        return Judgement("failed", "Nothing was run.")
    summaries = [event for event in events if isinstance(event, Summary)]
    warned = list(dict.fromkeys(event.words for event in events if isinstance(event, Warned)))
    troubles = [found for end in ends if (found := _trouble(operation, end, warned))]
    if troubles:
        return next((found for found in troubles if found.verdict == "cancelled"), troubles[0])
    match operation:
        case "backup":
            return _backup(job, ends, summaries, warned)
        case "restore" | "drill":
            return _restore(ends, summaries, warned)
        case "check":
            return _check(ends, summaries, warned)
        case "unlock":
            return Judgement("ok", "The folder is not locked.")
        case _:
            told = " ".join(one.words for one in summaries if one.words)
            return Judgement("ok", told or "It is done.")


def _trouble(operation: Operation, end: StageEnd, warned: Sequence[str]) -> Judgement | None:
    """What ended a stage; None: it ended well, or did all that it could."""
    code, source = end.exit_code, end.source_code
    if code in _STOPPED or source in _STOPPED:
        return _told("cancelled", "")
    if end.name.startswith(DUMP) and (source or code == DAMAGED) and not (source == _BROKEN_PIPE and code):
        # what the database's program said is the cause, not what came of it at the other end
        name, last = end.name.removeprefix(DUMP), _last(end.tail.replace(NOT_WHOLE, "") or end.tail)
        how = f"broke off with exit code {source}" if source else "is not whole"
        return Judgement(
            "failed", f"The dump {name} {how}: {last}. Nothing of it is kept.",
            "See why the database can't be dumped, then run the backup again.",
        )  # fmt: skip
    if source and not code:
        code = source
    if code == 0 or (code == DAMAGED and operation == "check"):
        return None
    if code in _INCOMPLETE and operation in ("backup", "restore", "drill"):
        full = next((words for words in warned if _NO_SPACE.search(words)), "")
        return _told("no_space", full) if full else None
    return _named(end, code, warned)


def _named(end: StageEnd, code: int, warned: Sequence[str]) -> Judgement:
    if code == IN_USE:
        return _told("locked", _last(end.tail))
    if code == DAMAGED and end.name == BACKUP:
        words = _names(warned) or "there was no file in any of the sources"
        return Judgement(
            "failed", f"Nothing was saved: {words}.", "See that the sources are there: a disk that is not mounted is an empty folder."
        )  # fmt: skip
    if code == _KILLED:
        return Judgement(
            "failed", f"{end.name}: it was killed.", "See whether the host ran out of memory. The next run takes its lock away."
        )  # fmt: skip
    if code in _NOT_RUN:
        return Judgement(
            "failed",
            f"{end.name} can't be run: {_last(end.tail)}.",
            "Install rsync 3.1 or newer on both hosts.",
        )
    lines = [safe(line.strip(), 500) for line in reversed(end.tail.splitlines()) if line.strip()]
    for trouble, pattern in _WORDS:
        if (line := next((one for one in lines if pattern.search(one)), None)) is not None:
            return _told(trouble, line)
    if code in _NETWORK:
        return _told("network", _last(end.tail))
    return Judgement("failed", f"{end.name} ended with exit code {code}: {_last(end.tail)}")


def _told(trouble: Trouble, words: str) -> Judgement:
    return Judgement(
        trouble, f"{_SAID[trouble]} It says: {words}" if words else _SAID[trouble], _ADVICE[trouble]
    )


def _last(tail: str) -> str:
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return safe(lines[-1], 500) if lines else "it said nothing"


def _names(warnings: Sequence[str], most: int = 3) -> str:
    shown = "; ".join(safe(words, 200) for words in warnings[:most])
    return f"{shown}; and {len(warnings) - most} more" if len(warnings) > most else shown


def _backup(
    job: JobSpec | None, ends: Sequence[StageEnd], summaries: Sequence[Summary], warned: Sequence[str]
) -> Judgement:
    made = next((one for one in summaries if one.stage == BACKUP and one.snapshot), None)
    if made is None or not made.files:
        return Judgement("failed", "Nothing proves that a tree was kept.", "Read the log of the run.")
    saved = f"Saved {counted(made.files, 'file')} in {made.snapshot}."
    lacking = list(warned)
    if not lacking and any(end.exit_code for end in ends if end.name == BACKUP):
        lacking.append("rsync could not read something that it does not name")
    if lacking:
        return Judgement(
            "partial", f"Not all saved: {_names(lacking)}. {saved}",
            "See that the sources are there and may be read, or take them out of the job.",
        )  # fmt: skip
    return Judgement("ok", saved)


def _restore(ends: Sequence[StageEnd], summaries: Sequence[Summary], warned: Sequence[str]) -> Judgement:
    counts = [one.files or 0 for one in summaries if one.stage == "restore" and one.files is not None]
    if not counts or len(counts) < sum(end.name == "restore" for end in ends) or not all(counts):
        why = f" It says: {_names(warned)}." if warned else ""
        return Judgement(
            "failed", f"Nothing was restored: the tree holds no such path.{why}", "Look the path up in the snapshot's files."
        )  # fmt: skip
    words = f"Restored {counted(sum(counts), 'file or folder', 'files and folders')}."
    if warned or any(end.exit_code for end in ends):
        return Judgement(
            "partial", f"{words} Not as it was wanted: {_names(warned) or 'rsync does not say what'}.",
            "Look the paths up in the snapshot's files, and see who may write to the target.",
        )  # fmt: skip
    return Judgement("ok", words)


def _check(ends: Sequence[StageEnd], summaries: Sequence[Summary], warned: Sequence[str]) -> Judgement:
    total = next((one for one in summaries if one.files is not None), None)
    if total is None:
        return Judgement("failed", "The check did not come to its end.", "Read the log of the run.")
    if total.errors or any(end.exit_code for end in ends):
        return Judgement(
            "failed", f"{counted(total.errors, 'tree is not what it was', 'trees are not what they were')}: {_names(warned) or 'it is not said which'}.",
            "Forget nothing now. Take a new backup to another disk, and see to this one.",
        )  # fmt: skip
    if not total.files:
        return Judgement("ok", "The folder holds no trees yet.")
    return Judgement(
        "ok",
        f"{counted(total.files, 'tree is as it was saved', 'trees are as they were saved')}; {total.words} hashes were compared.",
    )
