"""What restic prints: JSON in most of its commands, plain lines where a version has none.

Debian's 0.14 tells nothing as JSON of ``init``, ``check`` and ``restore``; ``copy``, ``unlock`` and ``prune`` never do.  Lines of standard error may carry
escapes (``ESC[2K``) even with ``--json``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec

from guardian_tui.engine.backups.engines.base import Event, Stream, Summary, Warned
from guardian_tui.engine.backups.engines.restic_lists import MOST, added, forgotten
from guardian_tui.engine.backups.engines.restic_words import complaint
from guardian_tui.protocol.backups import Operation, Progress
from guardian_tui.text import safe

BACKUP = "backup"
DUMP = "dump: "
"""Begins the names of the stages that save dumps."""
LOCKS = "locks"
INCOMPLETE = 3
"""Exit code of a backup that saved all but what it could not read."""

NAME_LIMIT = 200
WORDS_LIMIT = 1000

_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]|\r")
_PROGRESS = re.compile(rb"\[[\d:]+\]\s+[\d.]+%\s+(\d{1,18}) / (\d{1,18}) (\w+)")
_VERIFIED = re.compile(rb"finished verifying (\d{1,18}) files")
_COPIED = re.compile(rb"snapshot ([0-9a-f]{8,64}) saved(, copied from source snapshot [0-9a-f]+)?")
_COPIED_BEFORE = re.compile(
    rb"skipping source snapshot [0-9a-f]+, was already copied to snapshot ([0-9a-f]{8,64})"
)
_UNLOCKED = re.compile(rb"successfully removed (?:(\d+) )?locks")
_LOCK = re.compile(rb"[0-9a-f]{64}")
_SKIPPED = re.compile(rb"(.*?)( does not exist| cannot be accessed), skipping")
_UNKNOWN = re.compile(rb'Ignoring "(.*)": (no matching ID|multiple IDs)')
_NOT_RESTORED = re.compile(rb"ignoring error for (.*?): (.*)")

_Count = Annotated[int, msgspec.Meta(ge=0, le=MOST)]


class _Message(msgspec.Struct):
    """A line of JSON of any kind; each kind fills some of it."""

    message_type: str = ""
    # progress
    seconds_elapsed: float = 0
    seconds_remaining: float | None = None
    total_files: _Count = 0
    files_done: _Count = 0
    files_restored: _Count = 0
    files_skipped: _Count = 0
    total_bytes: _Count = 0
    bytes_done: _Count = 0
    bytes_restored: _Count = 0
    bytes_skipped: _Count = 0
    current_files: list[str] | None = None
    # summaries
    snapshot_id: str = ""
    total_files_processed: _Count = 0
    total_bytes_processed: _Count = 0
    data_added: _Count | None = None
    data_added_packed: _Count | None = None
    num_errors: _Count | None = None
    broken_packs: list[Any] | None = None  # ids that are only counted
    # complaints
    code: int | None = None
    message: str = ""
    error: Any = None  # 0.14: a Go error of any form; later: an object with a message
    during: str = ""
    item: str = ""


_message = msgspec.json.Decoder(_Message)


def parse(operation: Operation, stage: str, line: bytes, stream: Stream) -> Event | None:
    """What a line of output says; None: nothing that is counted."""
    line = _ESCAPES.sub(b"", line).strip()
    if line.startswith(b"{"):
        try:
            message = _message.decode(line)
        except (ValueError, RecursionError):
            return None
        return _of_message(operation, stage, message)
    if stream == "out":
        return _of_output(operation, stage, line)
    return _of_errors(operation, stage, line)


def _of_message(operation: Operation, stage: str, message: _Message) -> Event | None:
    match message.message_type:
        case "status":
            return _progress(stage, message)
        case "summary":
            return _summary(operation, stage, message)
        case "error" if message.during != "scan":  # what was scanned only for the progress is read again
            why = _why(message.error) or message.message or "an error"
            # newer ones name the file in what they say of it
            named = message.item in why
            return Warned(safe(why) if named else f"{safe(message.item, NAME_LIMIT)}: {safe(why)}")
        case "exit_error" if message.code != INCOMPLETE:
            return Summary(
                stage=stage, errors=1, words=safe(message.message.strip(), WORDS_LIMIT, newlines=True)
            )
        case _:
            return None


def _progress(stage: str, message: _Message) -> Progress:
    done = message.bytes_done or message.bytes_restored + message.bytes_skipped
    known = message.total_bytes > 0
    return Progress(
        stage=stage, bytes_done=done, bytes_total=message.total_bytes if known else None,
        files_done=message.files_done or message.files_restored + message.files_skipped,
        files_total=message.total_files or None,
        bytes_per_second=done / message.seconds_elapsed if message.seconds_elapsed > 0 else None,
        left_seconds=message.seconds_remaining if known else None,
        current=next(iter(message.current_files or ()), ""),
    )  # fmt: skip


def _summary(operation: Operation, stage: str, message: _Message) -> Summary | None:
    if operation == "backup":
        return Summary(
            message.snapshot_id, message.total_files_processed, message.total_bytes_processed,
            added(message.data_added_packed, message.data_added), stage=stage,
        )  # fmt: skip
    if operation in ("restore", "drill"):
        # 0.18 counts folders above the wanted ones as restored, but not in the total
        files = min(message.files_restored, message.total_files) + message.files_skipped
        return Summary(stage=stage, files=files, bytes=message.bytes_restored + message.bytes_skipped)
    if message.num_errors is not None:
        broken = len(message.broken_packs or ())
        return Summary(
            stage=stage, errors=message.num_errors, words=f"{broken} broken packs" if broken else ""
        )
    return None


def _of_output(operation: Operation, stage: str, line: bytes) -> Event | None:
    if step := _PROGRESS.match(line):
        return Progress(
            stage=f"{stage}: {step[3].decode()}", files_done=int(step[1]), files_total=int(step[2])
        )
    if operation == "check":
        return Summary(stage=stage) if line == b"no errors were found" else None
    if operation in ("restore", "drill"):
        told = _VERIFIED.match(line)
        return Summary(stage=stage, files=int(told[1])) if told else None
    if operation == "copy":
        copied = _COPIED.fullmatch(line) or _COPIED_BEFORE.match(line)
        return Summary(copied[1].decode(), stage=stage) if copied else None
    if operation == "retain" and line.startswith(b"[{"):
        counts = forgotten(line)
        return (
            Summary(stage=stage, words=f"{stage}: {counts[0]} forgotten, {counts[1]} kept.")
            if counts
            else None
        )
    if operation == "unlock":
        if stage == LOCKS:
            return Warned(f"Lock {line[:8].decode()} is held.") if _LOCK.fullmatch(line) else None
        if told := _UNLOCKED.match(line):
            # 0.14 says so whatever it found
            removed = (
                f"{told[1].decode()} stale locks were removed."
                if told[1]
                else "Stale locks were removed, if there were any."
            )
            return Summary(stage=stage, words=removed)
    return None


def _of_errors(operation: Operation, stage: str, line: bytes) -> Event | None:
    if skipped := _SKIPPED.fullmatch(line):
        return Warned(f"{safe(skipped[1], NAME_LIMIT)}{safe(skipped[2])}")
    if unknown := _UNKNOWN.match(line):
        return Warned(f"Snapshot {safe(unknown[1], NAME_LIMIT)}: {safe(unknown[2])}")
    if failed := _NOT_RESTORED.fullmatch(line):
        return Warned(f"{safe(failed[1], NAME_LIMIT)}: {safe(failed[2])}")
    words = safe(line, WORDS_LIMIT)
    if line.startswith(b"Fatal: ") or complaint(words):
        return Summary(stage=stage, errors=1, words=words)
    if operation == "check" and line:
        return Warned(words)
    return None


def _why(error: Any) -> str:  # whatever stood in the JSON
    if not isinstance(error, dict):
        return error if isinstance(error, str) else ""
    if isinstance(error.get("message"), str):
        return str(error["message"])
    # 0.14 encodes Go's own structs: an error number, or nothing that tells more
    number = error.get("Err")
    told = (
        os.strerror(number).lower() if isinstance(number, int) and 0 < number < 4096 else "could not be read"
    )
    return f"{error['Op']}: {told}" if isinstance(error.get("Op"), str) else told


def lines_of(tail: str) -> Iterator[str]:
    """What a stage complained about at its end, the last first, without JSON around it."""
    for line in reversed(tail.splitlines()):
        event = parse("list", "", line.encode("utf-8", "backslashreplace"), "err")
        if isinstance(event, Summary):
            yield event.words
        elif line.strip() and not line.startswith(("{", "\t")):
            yield safe(line.strip(), WORDS_LIMIT)


def names(warnings: Sequence[str], most: int = 3) -> str:
    """Some of what was complained about, for a sentence."""
    shown = "; ".join(warnings[:most])
    return f"{shown}; and {len(warnings) - most} more" if len(warnings) > most else shown
