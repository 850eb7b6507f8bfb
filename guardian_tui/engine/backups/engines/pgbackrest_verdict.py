"""What came of an order to pgBackRest: its exit codes (``src/build/error/error.yaml``), and what it said where a code means several things."""

from __future__ import annotations

import re
from collections.abc import Sequence

from guardian_tui.engine.backups.engines.base import Event, Judgement, Signs, StageEnd, Summary, Warned
from guardian_tui.protocol.backups import Operation, Verdict
from guardian_tui.text import counted

_BY_CODE: dict[int, tuple[Verdict, str]] = {
    49: ("network", "See whether the repository's host answers and its pgBackRest runs."),
    50: ("locked", "Another backup or expiry of the stanza is at work: it is tried again later."),
    55: ("missing", "See that the repository is mounted and the configuration names it, then initialise the stanza."),
    56: ("network", "See whether PostgreSQL runs, and whether its socket, port and role are those of the configuration."),
    62: ("failed", "Somebody ran pgbackrest stop: allow it again by pgbackrest start."),
    63: ("cancelled", ""),
    64: ("no_space", "Make room on the disk that is written to, or keep fewer full backups; it could not be written."),
    68: ("failed", "Set PostgreSQL's archive_command to pgbackrest archive-push: nothing is archived now."),
    73: ("missing", "See that the folder is there and mounted."),
    75: ("failed", "List the backups and the window again: no backup of the stanza serves this."),
    82: ("failed", "The log does not get into the archive: read PostgreSQL's log for what archive-push says."),
    87: ("failed", "Switch archive_mode on and restart PostgreSQL: without it there is no point-in-time recovery."),
    95: ("auth", "Give the repository its cipher pass phrase."),
    101: ("network", "The storage service did not answer: see whether it is reached from the host."),
    105: ("auth", "Give the repository the key of its storage."),
    38: ("failed", "Stop the server of that data folder first, or restore into a new one."),
    40: ("failed", "Restore into a new or empty folder."),
    127: ("failed", "Install pgBackRest on the host."),
}  # fmt: skip
LOCKED = Signs((50,))
CUT = Signs(
    tuple(code for code, (verdict, _) in _BY_CODE.items() if verdict == "network"), "no database found"
)
LASTING = Signs(words="Permission denied")
_CANCELLED = (129, 130, 143)
_OF_TARGET = re.compile(
    r"unable to (?:get info for path/file|create path|open (?:file )?'.+' for write)|cannot create directory"
)
"""What pgBackRest says of a folder that it restores into, and ``mkdir`` before it."""
_PLAIN = {
    "info": "pgBackRest can't tell what backups there are ({words}).",
    "gaps": "pgBackRest can't tell what log is archived ({words}).",
}
"""Of questions that a person has not put: what was asked is said in words."""
_ERROR = re.compile(r"^ERROR: \[(\d{3})\]: (.+)$", re.M)


def judged(operation: Operation, ends: Sequence[StageEnd], events: Sequence[Event]) -> Judgement:
    """The verdict; a backup is believed when it told its label, a check when it counted the archive, a restore when it restored files."""
    failed = next((end for end in ends if end.exit_code or end.source_code), None)
    summaries = [event for event in events if isinstance(event, Summary)]
    warnings = [event.words for event in events if isinstance(event, Warned)]
    if failed is not None and not (operation == "backup" and failed.name == "told"):
        return _failure(failed)
    if not ends:
        return Judgement("failed", "Nothing was run.")
    if operation == "backup":
        return _backup(summaries)
    if operation == "check":
        return _checked(summaries, warnings)
    if operation == "restore" and not any(one.words == "restored" and one.files for one in summaries):
        return Judgement("failed", "pgBackRest ended well but told of no restored file.")
    if operation == "retain":
        gone = sum(one.words.startswith("expired ") for one in summaries)
        return Judgement("ok", f"{counted(gone, 'backup')} expired." if gone else "Nothing to expire.")
    return Judgement("ok", "done")


def _backup(summaries: Sequence[Summary]) -> Judgement:
    label = next((one.snapshot for one in summaries if one.words == "label"), "")
    if not label:
        return Judgement("failed", "pgBackRest ended well but told of no backup.", "Read the run's log.")
    if any(one.errors for one in summaries if one.snapshot == label):
        return Judgement(
            "partial", f"{label} was saved, but pages with wrong checksums are in it.",
            "Data of the cluster is damaged: look at its disk, and keep the older backups.",
        )  # fmt: skip
    return Judgement("ok", f"{label} saved, and the log up to its end archived.")


def _checked(summaries: Sequence[Summary], warnings: Sequence[str]) -> Judgement:
    errors = [one.words for one in summaries if one.errors]
    if errors:
        words = "; ".join([*[one for one in warnings if one.startswith("backup ")], *errors][:3])
        return Judgement("failed", f"The repository is damaged: {words}",
                         "Make a full backup now, and look at the repository's disk.")  # fmt: skip
    if not any(one.words == "segments" for one in summaries):
        return Judgement("failed", "The archive was not counted.")
    torn = [one for one in warnings if one.startswith("the log's segment")]
    if torn:
        return Judgement("partial", f"{counted(len(torn), 'gap')} in the archive: {torn[0]}",
                         "Make a full backup now: what came after a gap can't be restored from backups before it.")  # fmt: skip
    return Judgement("ok", "Backups and archive are in order.")


def _failure(end: StageEnd) -> Judgement:
    said = _ERROR.search(end.tail)
    lines = [line.strip() for line in end.tail.splitlines() if line.strip()]
    words = said[2] if said else lines[-1] if lines else f"exit code {end.exit_code}"
    verdict, advice = _BY_CODE.get(end.exit_code, ("failed", ""))
    if end.exit_code in _CANCELLED:
        verdict = "cancelled"
    elif end.exit_code == 53 or (end.name in ("folder", "restore") and _OF_TARGET.search(words)):
        verdict, advice = (
            "failed",
            "The folder is another user's: restore into a new one, or give it to the user who runs pgBackRest.",
        )
    elif "Permission denied" in end.tail:
        verdict, advice = "auth", "Let the repository's option user name who owns repository, locks and data (often postgres)."  # fmt: skip
    elif end.exit_code == 29 and re.search(r"unable to load info file|\[FormatError\]", end.tail):
        verdict, advice = "auth", "The cipher pass phrase is another: give the repository the right one."
    elif end.exit_code == 27 and "no database found" in end.tail:
        verdict, advice = _BY_CODE[56]
    elif end.exit_code == 75 and "unable to load info file" in end.tail:
        verdict, advice = _BY_CODE[55]
    elif end.exit_code == 75 and "no backup set found" in words:
        verdict, advice = "missing", "There is no backup yet: make one."
    elif end.exit_code == 55 and "conf" in words and "unable to open missing file" in words:
        verdict, advice = "failed", "The configuration file is not there: see the repository's option config."
    elif end.exit_code == 37 and "does this stanza exist" in end.tail:
        verdict, advice = "missing", "The configuration knows no such stanza: see its name."
    elif "No space left on device" in end.tail:
        verdict, advice = _BY_CODE[64]
    if verdict == "cancelled":
        return Judgement(verdict, f"{end.name} was told to stop.", "What was copied is used again by the next backup.")  # fmt: skip
    return Judgement(
        verdict, _PLAIN.get(end.name, "{name}: {words}").format(name=end.name, words=words), advice
    )
