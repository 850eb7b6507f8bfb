r"""What rsync and our own scripts print around it.

rsync writes each byte of a name that is no printable ASCII as ``\#`` and three octal digits, so a name is always one line and no byte of it is lost.
"""

from __future__ import annotations

import calendar
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from guardian_tui.engine.backups.engines.base import Event, FileEntry, Stream, Summary, Warned
from guardian_tui.protocol.backups import Operation, Progress, Snapshot
from guardian_tui.text import counted, safe

BACKUP = "backup"
DUMP = "dump: "
HASHES = "hashes"
WORDS_LIMIT = 500

_SHARE = re.compile(rb"\s*(\d{1,18})\s+(\d{1,3})%\s+([\d.]{1,12})([kMGT]?)B/s\s+(\d{1,5}):(\d\d):(\d\d)")
_COUNTED = re.compile(rb"Number of files: (\d{1,18})(?: \(.*)?")
_LITERAL = re.compile(rb"Literal data: (\d{1,18}) bytes")
_SIZE = re.compile(rb"Total file size: (\d{1,18}) bytes")
_ENTRY = re.compile(
    rb"([-a-zA-Z.+*]{10})\s+([\d,]{1,24}) (\d{4})/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d) (.*)", re.DOTALL
)
_OCTAL = re.compile(rb"\\#([0-3][0-7]{2})")
_MANIFEST = re.compile(r"\./(\d{8}T\d{6}Z-[A-Za-z0-9._-]+)\.manifest: guardian-rsync 1 ([ -~]+)\Z")
_TREE = re.compile(r"\./(\d{8}T\d{6}Z-[A-Za-z0-9._-]+)\Z")
_FORGET = re.compile(r"forget (\d{8}T\d{6}Z-[A-Za-z0-9._-]+)\Z")
_NUMBER = re.compile(r"\d{1,18}\Z", re.ASCII)
_UNITS = {b"": 1, b"k": 1000, b"M": 1000**2, b"G": 1000**3, b"T": 1000**4}
_QUIET = ("rsync error: ", "--link-dest arg does not exist", "IO error encountered -- skipping file deletion")
"""What says again what was said, or that a job has no tree yet."""


def parse(operation: Operation, stage: str, line: bytes, stream: Stream) -> Event | None:
    """What a line of output says; None: nothing that is counted."""
    if stream == "err":
        return _complaint(operation, stage, line)
    line = line.rsplit(b"\r", 1)[-1] if b"\r" in line else line
    if (share := _SHARE.match(line)) and stage in (BACKUP, "restore"):
        return _progress(stage, share)
    if (event := _statistic(stage, line)) is not None:
        return event
    match line.decode("ascii", "replace").split(" "):
        case ["tree", name, files, size] if (
            _TREE.match(f"./{name}") and _NUMBER.match(files) and _NUMBER.match(size)
        ):
            return Summary(stage=stage, snapshot=name, files=int(files), bytes=int(size))
        case ["dump", name, size] if _NUMBER.match(size):
            return Summary(stage=stage, words=f"{safe(name)} has {size} bytes.")
        case ["total", trees, errors, hashed] if all(map(_NUMBER.match, (trees, errors, hashed))):
            return Summary(stage=stage, files=int(trees), errors=int(errors), words=hashed)
        case ["forgotten", number] if _NUMBER.match(number):
            return Summary(stage=stage, words=f"Forgot {counted(int(number), 'tree')}.")
        case ["bad", name, *words]:
            return Warned(safe(f"{name}: {' '.join(words)}", WORDS_LIMIT))
        case _:
            return None


def snapshots(repository: str, out: bytes) -> tuple[Snapshot, ...]:
    """The trees that are there and have a manifest, oldest first.

    Raises:
        ValueError: the list is not whole.
    """
    lines = out.decode("ascii", "replace").splitlines()
    if "rsync 1" not in lines or "end" not in lines:
        raise ValueError("the list of the trees is not whole")
    there = {found[1] for line in lines if (found := _TREE.match(line))}
    told = [one for line in lines if (one := _MANIFEST.match(line))]
    fields = ((one[1], dict(field.partition("=")[::2] for field in one[2].split(" "))) for one in told)
    known = [_snapshot(repository, name, about) for name, about in fields if name in there]
    return tuple(sorted((one for one in known if one is not None), key=lambda one: (one.at, one.id)))


def entries(out: bytes) -> tuple[FileEntry, ...]:
    """The files of a tree.

    Raises:
        ValueError: it can't be read.
    """
    found = []
    for line in out.split(b"\n"):
        told = _ENTRY.fullmatch(line)
        if told is None:
            if line.strip():
                raise ValueError("rsync told a list of files that can't be read")
            continue
        path = os.fsdecode(_OCTAL.sub(lambda byte: bytes((int(byte[1], 8),)), told[9]))
        if path != ".":
            found.append(_entry(path, told))
    return tuple(found)


def doomed(out: bytes) -> tuple[str, ...]:
    """Trees that a dry run would forget."""
    return tuple(
        found[1] for line in out.decode("ascii", "replace").splitlines() if (found := _FORGET.match(line))
    )


def _complaint(operation: Operation, stage: str, line: bytes) -> Warned | None:
    words = safe(line.strip(), WORDS_LIMIT)
    wanted = operation in ("backup", "restore", "drill") and stage in (BACKUP, "restore")
    if (
        not wanted
        or not words
        or words.startswith(_QUIET)
        or not words.startswith(("rsync: ", "file has vanished: "))
    ):
        return None
    return Warned(words.removeprefix("rsync: "))


def _progress(stage: str, share: re.Match[bytes]) -> Progress:
    done, percent = int(share[1]), int(share[2])
    try:
        speed = float(share[3]) * _UNITS[share[4]]
    except ValueError:
        speed = 0.0
    left = int(share[5]) * 3600 + int(share[6]) * 60 + int(share[7])
    return Progress(
        stage=stage, bytes_done=done, bytes_total=done * 100 // percent if 0 < percent <= 100 else None,
        bytes_per_second=speed, left_seconds=float(left) if percent < 100 else 0.0,
    )  # fmt: skip


def _statistic(stage: str, line: bytes) -> Summary | None:
    if stage == BACKUP:
        literal = _LITERAL.fullmatch(line)
        return Summary(stage=stage, added_bytes=int(literal[1])) if literal else None
    if stage == "restore":
        if counted := _COUNTED.fullmatch(line):
            return Summary(stage=stage, files=int(counted[1]))
        size = _SIZE.fullmatch(line)
        return Summary(stage=stage, bytes=int(size[1])) if size else None
    return None


def _snapshot(repository: str, name: str, about: Mapping[str, str]) -> Snapshot | None:
    job, run, host = about.get("job", ""), about.get("run", ""), about.get("host", "")
    files, size, code, lacking = (about.get(key, "") for key in ("files", "bytes", "code", "lacking"))
    if name != f"{name[:16]}-{job}-{run}" or not all(map(_NUMBER.match, (files, size, code, lacking))):
        return None
    why = "" if code == "0" else "rsync could not read all that was wanted"
    if lacking != "0":
        why = "; ".join(filter(None, (why, f"{lacking} of its dumps failed")))
    at = datetime.strptime(name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    return Snapshot(
        id=name, repository=repository, at=at, host="" if host == "-" else host, job=job,
        tags=("guardian", f"job={job}", f"run={run}"), files=int(files), bytes=int(size), good=not why, why=why,
    )  # fmt: skip


def _entry(path: str, told: re.Match[bytes]) -> FileEntry:
    kinds = {b"-": "file", b"d": "dir", b"l": "link"}
    mode = told[1].decode("ascii", "replace")
    bits = 0
    for place, char in enumerate(mode[1:10]):
        bits |= (char not in "-ST") << (8 - place)
        bits |= (char in "sStT") << (11 - place // 3)
    at = calendar.timegm(tuple(int(told[n]) for n in range(3, 9)))
    return FileEntry(
        f"/{path}", kinds.get(told[1][:1], "other"),  # type: ignore[arg-type]  # mypy loses the literals in a dict
        int(told[2].replace(b",", b"") or b"0"), float(at), bits,
    )  # fmt: skip
