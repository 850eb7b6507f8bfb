"""restic's lists, all of them JSON in every version: snapshots, the files of one, and what a policy would forget."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from guardian_tui.engine.backups.engines.base import FileEntry
from guardian_tui.protocol.backups import Snapshot

OURS = "guardian"
"""Tag of each snapshot of ours."""

MOST = 1 << 60
"""Counts above it are cut: they are nobody's, and no database takes them."""

_Kind = Literal["file", "dir", "link", "other"]
_KINDS: dict[str, _Kind] = {"file": "file", "dir": "dir", "symlink": "link"}

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Counts(msgspec.Struct):
    total_files_processed: int | None = None
    total_bytes_processed: int | None = None
    data_added: int | None = None
    data_added_packed: int | None = None


class _Listed(msgspec.Struct):
    id: str
    time: _Instant
    hostname: str = ""
    paths: list[str] | None = None
    tags: list[str] | None = None
    summary: _Counts | None = None


class _Node(msgspec.Struct):
    struct_type: str = ""
    path: str = ""
    type: str = ""
    size: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime: _Instant | None = None


class _Id(msgspec.Struct):
    id: str


class _Group(msgspec.Struct):
    keep: list[_Id] | None = None
    remove: list[_Id] | None = None


_listed = msgspec.json.Decoder(list[_Listed] | None)
_node = msgspec.json.Decoder(_Node)
_groups = msgspec.json.Decoder(list[_Group] | None)


def forgotten(line: bytes) -> tuple[int, int] | None:
    """How many snapshots a line of ``forget`` forgets and keeps; None: it can't be read."""
    try:
        groups = _groups.decode(line) or ()
    except (ValueError, RecursionError):
        return None
    return sum(len(one.remove or ()) for one in groups), sum(len(one.keep or ()) for one in groups)


def part_tag(part: str) -> str:
    """Tag of a part of a job: a dump's name, or empty for its files."""
    return f"part={part or 'files'}"


def snapshots(repository: str, out: bytes) -> tuple[Snapshot, ...]:
    """The list of snapshots, oldest first.

    Raises:
        ValueError: it can't be read.
    """
    found = [_snapshot(repository, one) for one in _listed.decode(_document(out)) or ()]
    return tuple(sorted(found, key=lambda one: one.at))


def entries(out: bytes) -> tuple[FileEntry, ...]:
    """The files of a snapshot.

    Raises:
        ValueError: it can't be read.
    """
    nodes = [_node.decode(line) for line in out.splitlines() if line.startswith(b"{")]
    if not any(node.struct_type == "snapshot" for node in nodes):
        raise ValueError("restic told no list of files")
    return tuple(_entry(node) for node in nodes if node.struct_type == "node")


def doomed(out: bytes) -> tuple[str, ...]:
    """Ids of the snapshots that dry runs of ``forget`` would remove: a line of JSON of each.

    Raises:
        ValueError: it can't be read.
    """
    return tuple(
        one.id
        for line in out.splitlines()
        if line.startswith(b"[{")
        for group in _groups.decode(line) or ()
        for one in group.remove or ()
    )


def _document(out: bytes) -> bytes:
    """The line that is the answer; others may stand around it."""
    for line in out.splitlines():
        if line.strip() in (b"[]", b"null") or line.startswith(b"[{"):
            return line
    raise ValueError("restic told no list of snapshots")


def _snapshot(repository: str, one: _Listed) -> Snapshot:
    tags = tuple(one.tags or ())
    ours = next((tag.removeprefix("job=") for tag in tags if tag.startswith("job=")), "")
    counts = one.summary or _Counts()
    return Snapshot(
        id=one.id, repository=repository, at=one.time.timestamp(), host=one.hostname,
        job=ours if OURS in tags else "", paths=tuple(one.paths or ()), tags=tags,
        files=bounded(counts.total_files_processed), bytes=bounded(counts.total_bytes_processed),
        added_bytes=added(counts.data_added_packed, counts.data_added),
    )  # fmt: skip


def added(packed: int | None, plain: int | None) -> int | None:
    """What it took of the repository; older ones tell only what it was before it was compressed."""
    return bounded(plain if packed is None else packed)


def bounded(count: int | None) -> int | None:
    """A count as others can keep it."""
    return count if count is None else max(0, min(count, MOST))


def _entry(node: _Node) -> FileEntry:
    # Go's own bits of a mode: set-uid, set-gid and sticky stand elsewhere than in Unix'
    special = (node.mode >> 23 & 1) << 11 | (node.mode >> 22 & 1) << 10 | (node.mode >> 20 & 1) << 9
    return FileEntry(
        node.path, _KINDS.get(node.type, "other"), bounded(node.size) or 0, node.mtime.timestamp() if node.mtime else None, node.mode & 0o777 | special,
        (node.uid, node.gid),
    )  # fmt: skip
