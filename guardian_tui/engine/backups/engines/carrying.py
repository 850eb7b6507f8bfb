"""What a host that reads a repository runs, to have files of a snapshot taken to one that does not get at it: they come as a tar archive."""

from __future__ import annotations

import shlex
import tarfile
from collections.abc import Sequence

import msgspec

from guardian_tui.engine.backups.engines import borg, dumps, restic, rsync
from guardian_tui.engine.backups.engines.base import FileEntry, Place, Stage
from guardian_tui.protocol.backups import RepositorySpec

CARRY = "carry"
MOST = 200
"""Of so many paths each is fetched by a command of its own."""
BLOCK = 512


class Part(msgspec.Struct, frozen=True):
    """One thing that is carried: a folder with all that is in it, or a file."""

    path: str
    file: bool = False
    """Whether its bytes come bare, without a tar archive around them: then the rest is needed."""
    size: int = 0
    mode: int = 0o600
    modified_at: float = 0.0
    owner: tuple[int, int] = (0, 0)

    def head(self) -> bytes:
        """What stands before a bare file in a tar archive."""
        if not self.file:
            return b""
        info = tarfile.TarInfo(self.path.lstrip("/"))
        info.size, info.mode, info.mtime = self.size, self.mode, int(self.modified_at)
        info.uid, info.gid = self.owner
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")

    def tail(self) -> bytes:
        """What stands after it."""
        return bytes(-self.size % BLOCK + 2 * BLOCK) if self.file else b""


def obstacle(spec: RepositorySpec) -> str:
    """Why nothing of a repository can be carried, and what to do instead; empty: it can."""
    if spec.engine == "pgbackrest":
        return (
            "a database fetches its log from the repository while it is replayed. Restore it on the host that reads the repository, stop it, and copy"
            " its folder, or let pgBackRest reach the repository from the other host"
        )
    if spec.engine == "rsync" and spec.options.get("fake-super") == "yes":
        return (
            "owners and modes of its files are noted in extended attributes (fake-super), which only rsync reads. Restore into a folder of the host that"
            " reads the repository, and copy that by rsync"
        )
    return ""


def parts_of(spec: RepositorySpec, includes: Sequence[str], entries: Sequence[FileEntry]) -> tuple[Part, ...]:
    """What is to be carried.

    Raises:
        ValueError: it can't be; says why, and what to do.
    """
    if why := obstacle(spec):
        raise ValueError(why)
    whole = not includes or "/" in includes
    if spec.engine == "dumps":
        wanted = {path.rstrip("/") for path in includes}
        return tuple(_part(one.path, one) for one in entries if whole or one.path in wanted)
    if whole:
        return (Part("/"),)
    if len(includes) > MOST:
        raise ValueError(
            f"more than {MOST} paths are not carried one by one; choose the folder that they are in"
        )
    if spec.engine != "restic":
        return tuple(Part(path) for path in includes)
    known = {entry.path: entry for entry in entries}
    return tuple(_part(path.rstrip("/"), known.get(path.rstrip("/"))) for path in includes)


def _part(path: str, entry: FileEntry | None) -> Part:
    if entry is None or entry.kind == "dir":
        return Part(path)
    if entry.kind != "file":
        raise ValueError(f"{path} is neither a file nor a folder; choose the folder that it is in")
    return Part(path, True, entry.size, entry.mode, entry.modified_at or 0.0, entry.owner)


def in_words(place: Place, snapshot: str, part: Part) -> str:
    """The same for people, without the script around it."""
    folder = f"{place.spec.location.rstrip('/')}/{snapshot}"
    match place.spec.engine:
        case "rsync":
            return f"tar -cf - {shlex.quote(f'.{part.path}')}, in {folder}"
        case "dumps":
            return f"cat the dump {part.path.strip('/')} of the run {snapshot}, in {place.spec.location}"
        case _:
            return shlex.join(carrying(place, snapshot, part).argv)


def carrying(place: Place, snapshot: str, part: Part) -> Stage:
    """The command that writes it to its standard output."""
    match place.spec.engine:
        case "borg":
            return borg.exporting(place, snapshot, part.path)
        case "rsync":
            return rsync.packing(place, snapshot, part.path)
        case "dumps":
            return dumps.reading(place, snapshot, part.path)
        case _:
            return restic.dumping(place, snapshot, part.path)
