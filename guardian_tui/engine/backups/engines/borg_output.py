"""What Borg prints: a line of JSON for each message on standard error, one document on standard output.

The document that ``create`` prints is spread over many lines.  Their indentation tells the keys of its archive from all else: strings in it, paths
that somebody named badly too, hold no line feed.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from guardian_tui.engine.backups.engines.base import Event, FileEntry, Stream, Summary, Warned
from guardian_tui.protocol.backups import Operation, Progress, Snapshot
from guardian_tui.text import safe

BACKUP = "backup"
DUMP = "dump: "
"""Begins the names of the stages that save dumps."""
TARGET = "target"
LOOK = "look"
"""Stages of a restore: the first makes the folder, the second counts what is wanted."""
FILES = "files"
"""Part of a job that is no dump."""

_MARK = "guardian"
_BETWEEN = "~"
"""Stands in no name of a job, of a dump, and no run's id."""
NAME_LIMIT = 200
WORDS_LIMIT = 1000

_NAME = re.compile(rb' {8}"name": (".*"),?')
_STATISTIC = re.compile(rb' {12}"(nfiles|original_size|deduplicated_size)": (\d{1,18}),?')
_PRUNED = re.compile(
    r"(?:Would prune|Pruning archive(?: \(\d+/\d+\))?):\s+(\S+)\s.*\[[0-9a-f]{64}\]", re.DOTALL
)
_RAISED = re.compile(r"^[\w.]*(?:Error|Exception|Exit|Interrupt)\b.*", re.MULTILINE)
_SOUND = "no problems found"
_HARMLESS = frozenset(("borg.cache", "borg.locking", "borg.remote", "root", ""))
"""Who warns of what is no part of the backup: caches that are made anew, stale locks, what ``ssh`` has to say."""
_FILED = {"-": "file", "h": "file", "d": "dir", "l": "link"}


class _Message(msgspec.Struct):
    """A line of JSON of any kind; each kind fills some of it."""

    type: str = ""
    # log_message
    levelname: str = ""
    name: str | None = ""
    message: str = ""
    # archive_progress
    original_size: int = 0
    nfiles: int = 0
    path: str = ""
    finished: bool = False
    # progress_percent
    msgid: str | None = ""
    current: int = 0
    total: int = 0
    info: list[str] | None = None


class _Archive(msgspec.Struct):
    name: str
    start: str = ""
    time: str = ""


class _Archives(msgspec.Struct):
    archives: list[_Archive]


class _Item(msgspec.Struct):
    path: str
    type: str = "-"
    mode: str = ""
    size: int = 0
    isomtime: str = ""
    path_b64: str = ""


_Struct = TypeVar("_Struct", bound=msgspec.Struct)


def archive_name(job: str, part: str, run_id: str) -> str:
    """Name of the archive that a run makes of a part of a job (a dump's name, or :data:`FILES`), as Borg takes it.

    Borg itself ends it with the time: an attempt that is made again finds no archive of the same name in its way.
    """
    return _BETWEEN.join((_MARK, job, part, run_id, "{utcnow:%Y%m%dT%H%M%SZ}"))


def archives_of(job: str, part: str) -> str:
    """Pattern of all archives of a part of a job, and of no other's."""
    return _BETWEEN.join((_MARK, job, part, "*"))


def parse(operation: Operation, stage: str, line: bytes, stream: Stream) -> Event | None:
    """What a line of output says; None: nothing that is counted."""
    if line.startswith(b"{"):
        message = _message(line)
        return _of_message(operation, stage, message) if message is not None else None
    if stream == "err":
        return None
    if operation == "backup":
        return _of_archive(stage, line)
    if stage == LOOK and line.strip().isdigit():
        return Summary(stage=stage, files=int(line.strip()[:18]))
    return None


def snapshots(repository: str, out: bytes) -> tuple[Snapshot, ...]:
    """The list of archives, oldest first.

    Raises:
        ValueError: it can't be read.
    """
    found = [_snapshot(repository, one) for one in _read(out, _Archives).archives]
    return tuple(sorted(found, key=lambda one: one.at))


def entries(out: bytes) -> tuple[FileEntry, ...]:
    """The files of an archive, by their paths from the root.

    Raises:
        ValueError: it can't be read.
    """
    return tuple(_entry(_read(line, _Item)) for line in out.split(b"\n") if line.strip())


def doomed(out: bytes) -> tuple[str, ...]:
    """Names of the archives that dry runs of ``prune`` would remove.

    Raises:
        ValueError: it can't be read.
    """
    # a shell may have had something to say in between
    messages = [_message(line) for line in out.split(b"\n") if line.startswith(b"{")]
    if None in messages:
        raise ValueError("borg told no list of archives")
    found = [_PRUNED.match(one.message) for one in messages if one and one.name == "borg.output.list"]
    return tuple(one[1] for one in found if one)


def lines_of(tail: str) -> Iterator[str]:
    """What a stage complained about at its end, the last first, without JSON around it."""
    for line in reversed(tail.splitlines()):
        message = _message(line.encode("utf-8", "backslashreplace")) if line.startswith("{") else None
        if message is None:
            if line.strip() and not line.startswith("{"):
                yield safe(line.strip(), WORDS_LIMIT)
        elif message.type == "log_message" and message.levelname not in ("INFO", "DEBUG"):
            yield _words(message.message)


def _read(document: bytes, kind: type[_Struct]) -> _Struct:
    try:
        return msgspec.json.decode(document, type=kind)
    except msgspec.ValidationError:
        raise
    except (ValueError, RecursionError) as problem:
        # halves of surrogate pairs, by which Python tells bytes that are no UTF-8, are no JSON to msgspec
        try:
            return msgspec.convert(json.loads(document), kind)
        except RecursionError:
            raise ValueError("borg told something that is nested too deep") from problem


def _message(line: bytes) -> _Message | None:
    try:
        return _read(line, _Message)
    except ValueError:
        return None


def _snapshot(repository: str, one: _Archive) -> Snapshot:
    mark, job, part, run_id, _ = ours if len(ours := one.name.split(_BETWEEN)) == 5 else ("",) * 5
    tags = (_MARK, f"job={job}", f"run={run_id}", f"part={part}") if mark == _MARK else ()
    return Snapshot(
        # Borg 1 finds an archive by its name alone
        id=one.name, repository=repository, at=_at(one.start or one.time),
        job=job if tags else "", paths=() if part in ("", FILES) else (f"/{part}",), tags=tags,
    )  # fmt: skip


def _at(time: str) -> float:
    """Borg tells local time without saying so; all commands run with ``TZ=UTC``."""
    told = datetime.fromisoformat(time)
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()


def _entry(item: _Item) -> FileEntry:
    path = item.path
    if item.path_b64:
        try:
            path = os.fsdecode(base64.b64decode(item.path_b64, validate=True))
        except binascii.Error as problem:
            raise ValueError(f"borg told a path that can't be read: {problem}") from problem
    return FileEntry(
        f"/{path.lstrip('/')}", _FILED.get(item.mode[:1] or item.type, "other"),  # type: ignore[arg-type]  # mypy loses the literals in a dict
        item.size, _at(item.isomtime) if item.isomtime else None, _mode(item.mode),
    )  # fmt: skip


def _mode(told: str) -> int:
    """Permissions as ``ls`` writes them."""
    bits = 0
    for place, char in enumerate(told[1:10]):
        bits |= (char not in "-ST") << (8 - place)
        bits |= (char in "sStT") << (11 - place // 3)
    return bits


def _of_message(operation: Operation, stage: str, message: _Message) -> Event | None:
    match message.type:
        case "archive_progress" if not message.finished:
            return Progress(
                stage=stage, bytes_done=message.original_size, files_done=message.nfiles,
                current=safe(message.path, NAME_LIMIT),
            )  # fmt: skip
        case "progress_percent" if message.total > 0 and not message.finished:
            return _share(stage, message)
        case "log_message":
            return _of_log(operation, stage, message)
        case _:
            return None


def _share(stage: str, message: _Message) -> Progress:
    if message.msgid != "extract":
        return Progress(
            stage=f"{stage}: {message.msgid}", files_done=message.current, files_total=message.total
        )
    current = (message.info or [""])[-1]
    return Progress(
        stage=stage, bytes_done=message.current, bytes_total=message.total, current=safe(current, NAME_LIMIT)
    )


def _of_log(operation: Operation, stage: str, message: _Message) -> Event | None:
    if message.levelname in ("ERROR", "CRITICAL"):
        return Summary(stage=stage, errors=1, words=_words(message.message))
    if message.levelname == "WARNING":
        wanted = operation in ("backup", "restore", "drill") and message.name not in _HARMLESS
        return Warned(_words(message.message)) if wanted else None
    if operation == "check" and _SOUND in message.message:
        return Summary(stage=stage, words=_words(message.message))
    if operation == "retain" and message.name == "borg.output.list":
        pruned = _PRUNED.match(message.message)
        return Summary(stage=stage, snapshot=pruned[1], words=f"Forgot {pruned[1]}.") if pruned else None
    return None


def _words(message: str) -> str:
    """Of a traceback what was raised in the end, else all of it."""
    if "Traceback (most recent call last)" in message and (raised := _RAISED.findall(message)):
        message = raised[-1]
    return safe(message.strip(), WORDS_LIMIT, newlines=True)


def _of_archive(stage: str, line: bytes) -> Summary | None:
    if named := _NAME.fullmatch(line):
        try:
            return Summary(stage=stage, snapshot=safe(msgspec.json.decode(named[1], type=str), NAME_LIMIT))
        except ValueError:
            return None
    told = _STATISTIC.fullmatch(line)
    if not told:
        return None
    count = int(told[2])
    match told[1]:
        case b"nfiles":
            return Summary(stage=stage, files=count)
        case b"original_size":
            return Summary(stage=stage, bytes=count)
        case _:
            return Summary(stage=stage, added_bytes=count)
