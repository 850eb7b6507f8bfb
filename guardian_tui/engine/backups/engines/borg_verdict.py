"""What came of a run of Borg.

With ``BORG_EXIT_CODES=modern`` newer ones tell the kind of a failure by its exit code; 1.2 ends with 2 whatever happened, and then its words are all there is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from guardian_tui.engine.backups.dumping import dump_name
from guardian_tui.engine.backups.engines.base import Event, Judgement, Signs, StageEnd, Summary, Warned
from guardian_tui.engine.backups.engines.borg_output import BACKUP, DUMP, LOOK, NAME_LIMIT, TARGET, lines_of
from guardian_tui.engine.backups.engines.broken import broken_dump
from guardian_tui.protocol.backups import JobSpec, Operation
from guardian_tui.text import counted, safe

Trouble = Literal["cancelled", "no_space", "locked", "network", "auth", "missing"]

_CODES: dict[int, Trouble] = {
    3: "cancelled", 129: "cancelled", 130: "cancelled", 143: "cancelled",
    13: "missing", 15: "missing", 18: "missing",
    14: "no_space", 20: "no_space",
    21: "auth", 50: "auth", 51: "auth", 52: "auth", 53: "auth",
    70: "locked", 71: "locked", 72: "locked", 73: "locked",
    80: "network", 81: "network", 87: "network",
}  # fmt: skip
_STOPPED = (129, 130, 143)
_KILLED = 137
_NOT_RUN = (126, 127)
_BROKEN_PIPE = 141

_WORDS: tuple[tuple[Trouble, str], ...] = (
    ("cancelled", r"^(Error: )?(Keyboard interrupt|Got Ctrl-C)|^Received SIG(TERM|HUP)|^Cancelled by user"),
    ("no_space", r"\[Errno (28|122)\]|Insufficient free space|storage quota of .* exceeded"),
    ("locked", r"Failed to create/acquire the lock|lock .*\(timeout\)"),
    (
        "auth",
        r"passphrase supplied in .* is incorrect|Can not acquire a passphrase|exceeded the maximum password retries"
        r"|Permission denied \((publickey|password|keyboard)|Host key verification failed|HOST IDENTIFICATION HAS CHANGED"
        r"|permission denied to |Repository path not allowed|\[Errno 13\]",
    ),
    (
        "network",
        r"Connection (closed|broken|refused|reset|timed out)|No route to host|Network is unreachable|Could not resolve hostname"
        r"|Temporary failure in name resolution|ssh: connect to host|kex_exchange_identification|Broken pipe|timed out",
    ),
    ("missing", r"Repository .* does not exist|is not a valid repository|parent path of the repo directory .* does not exist"),
)  # fmt: skip
_BY_TROUBLE = dict(_WORDS)
LOCKED = Signs((70, 71, 72, 73), _BY_TROUBLE["locked"])
CUT = Signs((80, 81, 87), _BY_TROUBLE["network"])
LASTING = Signs((13, 15, 18, 14, 20, 21, 50, 51, 52, 53), f"{_BY_TROUBLE['no_space']}|{_BY_TROUBLE['auth']}")
_PATTERNS = tuple((trouble, re.compile(words, re.IGNORECASE | re.MULTILINE)) for trouble, words in _WORDS)
_UNMATCHED = re.compile(r"Include pattern '(.*)' never matched\.", re.DOTALL)
_CHANGED = re.compile(r"file changed while we backed it up|file type or inode changed")

_SAID: dict[Trouble, str] = {
    "cancelled": "It was ended before it was done.",
    "no_space": "A disk is full.",
    "locked": "The repository is locked.",
    "auth": "The repository refused the passphrase or the key.",
    "network": "The link to the repository failed.",
    "missing": "There is no repository.",
}
_ADVICE: dict[Trouble, str] = {
    "cancelled": "Run it again: Borg goes on from its last checkpoint.",
    "no_space": "Free space where it is full, or keep fewer snapshots and compact the repository.",
    "locked": "Try again later. What a dead process of the same host left, unlocking removes; for a lock of another host make sure there"
    " that nothing runs, then run borg break-lock by hand.",
    "auth": "Check the repository's secrets, and the keys of the host that reads it.",
    "network": "Check the link from the host to the repository, then try again.",
    "missing": "Check the location, and that its disk is mounted; make the repository if it is new.",
}


def verdict(
    operation: Operation, job: JobSpec | None, ends: Sequence[StageEnd], events: Sequence[Event]
) -> Judgement:
    """What came of an operation."""
    if not ends:
        return Judgement("failed", "Nothing was run.")
    summaries = [event for event in events if isinstance(event, Summary)]
    warned = list(dict.fromkeys(event.words for event in events if isinstance(event, Warned)))
    troubles = [found for end in ends if (found := _trouble(operation, end, summaries))]
    if troubles:
        return next((found for found in troubles if found.verdict == "cancelled"), troubles[0])
    match operation:
        case "backup":
            return _backup(job, ends, summaries, warned)
        case "restore" | "drill":
            return _restore(ends, summaries, warned)
        case "check":
            return _check(ends, summaries)
        case "retain":
            return Judgement(
                "ok", f"Forgot {counted(sum(1 for one in summaries if one.snapshot), 'archive')}."
            )
        case "init":
            return Judgement(
                "ok", "The repository was made.",
                "Its key lies in it: keep a copy elsewhere (borg key export), or with a damaged repository all is lost.",
            )  # fmt: skip
        case "unlock":
            return Judgement("ok", "The repository is not locked.")
        case _:
            return Judgement("ok", "It is done.")


def complaint(words: str) -> Trouble | None:
    """What kind of trouble a complaint tells of; None: none that has a name."""
    return next((trouble for trouble, pattern in _PATTERNS if pattern.search(words)), None)


def _trouble(operation: Operation, end: StageEnd, summaries: Sequence[Summary]) -> Judgement | None:
    """What ended a stage; None: it ended well, or with warnings alone."""
    code, source = end.exit_code, end.source_code
    if source in _STOPPED:
        return _told("cancelled", "")
    # a reader that died takes its source with it: then the reader's is the story
    if source and not (source == _BROKEN_PIPE and code):
        if end.name == LOOK:
            return _named(end, source, list(lines_of(end.tail)))
        return broken_dump(end.name.removeprefix(DUMP), source, list(lines_of(end.tail)))
    warns = code == 1 or 100 <= code < 126
    if code == 0 or (warns and operation in ("backup", "restore", "drill", "check")):
        return None
    errors = [one.words for one in reversed(summaries) if one.stage == end.name and one.errors and one.words]
    return _named(end, code, [*errors, *lines_of(end.tail)])


def _named(end: StageEnd, code: int, said: Sequence[str]) -> Judgement:
    # Borg knows of a server that hung up; what ssh says tells why
    told = sorted(said, key=lambda words: not words.startswith("Remote: "))
    named = [(kind, words) for words in told if (kind := complaint(words))]
    if code in _CODES:
        refused = next((words for kind, words in named if kind == "auth"), "")
        if _CODES[code] == "network" and refused:
            return _told("auth", refused)
        return _told(_CODES[code], next((words for kind, words in named if kind == _CODES[code]), ""))
    if code == _KILLED:
        return Judgement(
            "failed", f"{end.name}: Borg was killed.",
            "See whether the host ran out of memory. Its lock is removed by the next run on the same host.",
        )  # fmt: skip
    if code in _NOT_RUN:
        return Judgement(
            "failed", f"{end.name}: Borg can't be run. {_first(said)}", "Install Borg 1.2 or 1.4."
        )
    if named and end.name != TARGET:
        # a failure of the link is often told beside its cause
        return _told(*min(named, key=lambda one: one[0] == "network"))
    if any("ccess aborted" in words for words in said):
        return Judgement(
            "auth", f"Borg refused a repository that is not the one it knows: {_first(said)}",
            "If it was moved on purpose, say so by the repository's option relocated: yes; if it is not encrypted, by encryption: none.",
        )  # fmt: skip
    return Judgement("failed", f"{end.name} ended with exit code {code}: {_first(said)}")


def _told(trouble: Trouble, words: str) -> Judgement:
    said = " ".join(words.split())
    return Judgement(
        trouble, f"{_SAID[trouble]} Borg says: {said}" if said else _SAID[trouble], _ADVICE[trouble]
    )


def _first(said: Sequence[str]) -> str:
    return safe(said[0], 500) if said else "it said nothing"


def _names(warnings: Sequence[str], most: int = 3) -> str:
    shown = "; ".join(safe(words, NAME_LIMIT) for words in warnings[:most])
    return f"{shown}; and {len(warnings) - most} more" if len(warnings) > most else shown


def _backup(
    job: JobSpec | None, ends: Sequence[StageEnd], summaries: Sequence[Summary], warned: Sequence[str]
) -> Judgement:
    parts = [end.name for end in ends if end.name == BACKUP or end.name.startswith(DUMP)]
    wanted = (
        [f"{DUMP}{dump_name(dump)}" for dump in job.dumps] + [BACKUP] * bool(job.sources) if job else parts
    )
    if not wanted:
        return Judgement("failed", "The job names nothing to save.", "Give it sources or dumps.")
    told = []
    for part in wanted:
        own = [one for one in summaries if one.stage == part]
        archive = next((one.snapshot for one in own if one.snapshot), "")
        files = max((one.files for one in own if one.files is not None), default=0)
        if not archive:
            return Judgement(
                "failed", f"{part}: Borg told of no archive, so nothing proves that one was saved.", "Read the log of the run."
            )  # fmt: skip
        if not files:
            why = f" {_names(warned)}." if warned else ""
            return Judgement(
                "failed", f"{part}: the archive {archive} is empty.{why}",
                "See that the sources are there (a disk that is not mounted is an empty folder), and forget the empty archive.",
            )  # fmt: skip
        told.append(f"{counted(files, 'file')} in {archive}" if part == BACKUP else f"{part} in {archive}")
    saved = "Saved " + ", ".join(told) + "."
    lacking = list(warned)
    if not lacking and any(end.exit_code for end in ends if end.name in wanted):
        lacking.append("Borg warns of something that it does not name")
    if not lacking:
        return Judgement("ok", saved)
    if all(_CHANGED.search(words) for words in lacking):
        return Judgement(
            "partial", f"What changed while it was read may not be whole: {_names(lacking)}. {saved}",
            "Save databases as dumps, and exclude what is always written to.",
        )  # fmt: skip
    return Judgement(
        "partial", f"Not all saved: {_names(lacking)}. {saved}",
        "See that the sources are there and may be read, or take them out of the job.",
    )  # fmt: skip


def _restore(ends: Sequence[StageEnd], summaries: Sequence[Summary], warned: Sequence[str]) -> Judgement:
    # a drill restores several times in one run
    counts = [one.files or 0 for one in summaries if one.stage == LOOK]
    files = sum(counts) if all(counts) and len(counts) == sum(end.name == LOOK for end in ends) else 0
    unmatched = [found[1] for words in warned if (found := _UNMATCHED.fullmatch(words))]
    unmatched = [pattern.removeprefix("pp:") for pattern in unmatched]
    if not files:
        return Judgement(
            "failed", "Nothing was restored: the archive holds no such path.", "Look the path up in the snapshot's files."
        )  # fmt: skip
    others = [words for words in warned if not _UNMATCHED.fullmatch(words)]
    full = next((words for words in others if complaint(words) == "no_space"), "")
    if full:
        return _told("no_space", full)
    if unmatched:
        return Judgement(
            "partial", f"Restored {counted(files, 'file or folder', 'files and folders')}. The archive does not hold: {_names([*unmatched, *others])}.",
            "Look the paths up in the snapshot's files.",
        )  # fmt: skip
    if others or any(end.exit_code for end in ends):
        return Judgement(
            "partial",
            f"Not all of {counted(files, 'file or folder', 'files and folders')} could be restored as they were:"
            f" {_names(others) or 'Borg does not say which'}.",
            "Restore those again, or from another snapshot.",
        )  # fmt: skip
    return Judgement("ok", f"Restored {counted(files, 'file or folder', 'files and folders')}.")


def _check(ends: Sequence[StageEnd], summaries: Sequence[Summary]) -> Judgement:
    for end in ends:
        errors = [one.words for one in summaries if one.stage == end.name and one.errors]
        if end.exit_code or errors:
            return Judgement(
                "failed", f"The repository is damaged, says the {end.name}: {_names(errors) or 'Borg does not say where'}.",
                "Forget nothing now. Take a new backup to another repository, see to the disk, then repair this one (borg check --repair).",
            )  # fmt: skip
        if not any(one.stage == end.name for one in summaries):
            return Judgement(
                "failed", f"{end.name}: Borg did not say that it found no problems.", "Read the log of the run."
            )  # fmt: skip
    return Judgement("ok", f"{', '.join(end.name for end in ends).capitalize()}: no problems were found.")
