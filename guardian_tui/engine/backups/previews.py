"""What a restore would write: read from the snapshot and from the host that it goes to; nothing is changed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import FileEntry, RestoreOrder
from guardian_tui.engine.backups.engines.carrying import in_words, obstacle, parts_of
from guardian_tui.engine.backups.reach import hindrance
from guardian_tui.engine.backups.records import Repository
from guardian_tui.engine.backups.sites import Sites, cannot
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.backups import RestorePlan, RestoreQuery
from guardian_tui.protocol.errors import HostUnavailable, NotFound
from guardian_tui.text import safe

FILES_SECONDS = 300.0
LOOK_SECONDS = 60.0
SHOWN = 200
LOOKED_AT = 200_000
"""Files of the snapshot whose places are looked at; a restore of more says so."""
_CARRIED = {
    "restic": "It is carried by the engine: extended attributes and ACLs do not come along, and hard links come as files of their own.",
    "borg": "It is carried by the engine: extended attributes and ACLs do not come along.",
    "rsync": "It is carried by the engine: extended attributes and ACLs do not come along.",
    "dumps": "It is carried by the engine, and its hashes are compared there.",
}
"""What does not come along with what the engine carries."""
_THERE = 'xargs -0 -n 1000 sh -c \'for p; do if [ -e "$p" ] || [ -L "$p" ]; then printf "%s\\0" "$p"; fi; done\' sh'
_FREE = 'd=$1; while [ ! -d "$d" ]; do d=$(dirname -- "$d"); done; df -Pk -- "$d" | awk \'END { print $4 * 1024 }\''


@dataclass(frozen=True, slots=True)
class Wanted:
    """Files of a snapshot that an order takes."""

    entries: tuple[FileEntry, ...]
    bytes: int

    @property
    def files(self) -> int:
        """How many files there are among them."""
        return sum(entry.kind != "dir" for entry in self.entries)


async def wanted_of(
    sites: Sites, way: Way, repository: Repository, snapshot: str, includes: Sequence[str]
) -> Wanted:
    """What an order takes, from the snapshot itself.

    Raises:
        HostUnavailable: its files could not be read; says why.
        NotFound: nothing in the snapshot is what was asked for.
    """
    entries = await files_of(sites, way, repository, snapshot, "")
    taken = tuple(
        entry for entry in entries if not includes or any(_within(entry.path, one) for one in includes)
    )
    if not any(entry.kind != "dir" for entry in taken) and not taken:
        raise NotFound(
            f"Nothing in the snapshot is {', '.join(safe(one, 100) for one in includes[:5])}.",
            field="includes",
        )
    return Wanted(taken, sum(entry.size for entry in taken if entry.kind == "file"))


async def files_of(
    sites: Sites, way: Way, repository: Repository, snapshot: str, folder: str
) -> list[FileEntry]:
    """Files of a snapshot in a folder; an empty one: all.

    Raises:
        HostUnavailable: its host can't be reached.
        RepositoryUnavailable: they could not be read; says why.
    """
    one, spec = adapter(repository.spec.engine), repository.spec
    try:
        place = await sites.place(way, spec)
        out = b""
        for stage in one.files(place, snapshot, folder):
            done = await sites.ask(way, spec, stage, FILES_SECONDS)
            if done.truncated:
                raise HostUnavailable("The snapshot has more files than are read of one; name a part of it.")
            if done.exit_status not in stage.exit_codes:
                raise cannot(spec, "files", stage, done)
            out += done.out
        return list(one.entries(out))
    except ConnectFailed as error:
        raise HostUnavailable(error.detail) from error
    except ValueError as error:
        raise HostUnavailable(
            f"What {spec.engine} said of the files can't be read: {safe(str(error), 300)}."
        ) from error


def _within(path: str, wanted: str) -> bool:
    return path == wanted or path.startswith(wanted.rstrip("/") + "/")


async def look(
    commands: Commands, way: Way, target: str, names: Sequence[str]
) -> tuple[list[bytes], int | None]:
    """Which of some files are there, and how many bytes are free where the target is, or will be; None: that can't be told.

    Raises:
        ConnectFailed: the host can't be asked.
    """
    stdin = b"".join(name.encode(errors="surrogateescape") + b"\0" for name in names[:LOOKED_AT])
    there = (
        await commands.run(way.target, _THERE, timeout=LOOK_SECONDS, limit_bytes=64 << 20, stdin=stdin)
        if names
        else None
    )
    asked = shlex.join(["/bin/sh", "-c", _FREE, "sh", target])
    free = await commands.run(way.target, asked, timeout=LOOK_SECONDS, limit_bytes=4096)
    text = free.out.strip()
    room = int(text) if text.isdigit() and len(text) < 19 else None
    return [name for name in (there.out.split(b"\0") if there else []) if name], room


async def preview(
    commands: Commands, sites: Sites, way: Way, reader: Way, repository: Repository, query: RestoreQuery, wanted: Wanted
) -> RestorePlan:  # fmt: skip
    """Look at the place that it goes to, and whether it can be got there.

    Raises:
        HostUnavailable: the host can't be asked.
        GuardianError: a secret of the repository can't be had.
    """
    if query.carried and way.host_id != reader.host_id:
        return await _preview_carried(commands, sites, way, reader, repository, query, wanted)
    root = query.target.rstrip("/")
    names = [root + entry.path for entry in wanted.entries if entry.kind != "dir"]
    try:
        found, room = await look(commands, way, query.target, names)
        place = await sites.place(way, repository.spec)
    except ConnectFailed as error:
        raise HostUnavailable(f"{way.name} can't be asked: {error.detail}") from error
    stages = adapter(repository.spec.engine).restore(
        place, RestoreOrder(query.snapshot, query.includes, query.target)
    )
    notes = []
    if len(names) > LOOKED_AT:
        notes.append(f"Only the first {LOOKED_AT} files were looked at; more may be overwritten.")
    hindered = await hindrance(sites, way, reader, repository, place, query.snapshot)
    why = obstacle(repository.spec) if hindered and way.host_id != reader.host_id else ""
    if why:
        hindered = f"{hindered} The engine can't carry it either: {why}."
    return RestorePlan(
        host=way.name, target=query.target, files=wanted.files, bytes=wanted.bytes,
        overwritten=tuple(safe(name, 500) for name in found[:SHOWN]), overwritten_files=len(found), free_bytes=room,
        fits=room is None or room > wanted.bytes, commands=tuple(safe(shlex.join(stage.argv), 1000) for stage in stages), notes=tuple(notes),
        hindered=hindered, carriable=bool(hindered) and way.host_id != reader.host_id and not why,
    )  # fmt: skip


async def _preview_carried(
    commands: Commands, sites: Sites, way: Way, reader: Way, repository: Repository, query: RestoreQuery, wanted: Wanted
) -> RestorePlan:  # fmt: skip
    """The same of a restore that the engine carries."""
    root = query.target.rstrip("/")
    names = [root + entry.path for entry in wanted.entries if entry.kind != "dir"]
    try:
        found, room = await look(commands, way, query.target, names)
        tar = await commands.run(way.target, "command -v tar", timeout=LOOK_SECONDS, limit_bytes=4096)
    except ConnectFailed as error:
        raise HostUnavailable(f"{way.name} can't be asked: {error.detail}") from error
    try:
        place = await sites.place(reader, repository.spec)
    except ConnectFailed as error:
        raise HostUnavailable(f"{reader.name} can't be asked: {error.detail}") from error
    hindered = (
        ""
        if tar.exit_status == 0
        else f"{way.name} has no tar, which unpacks what is carried there. Install it."
    )
    shown: list[str] = []
    try:
        parts = parts_of(repository.spec, query.includes, wanted.entries)
        shown = [in_words(place, query.snapshot, part) for part in parts]
    except ValueError as error:
        hindered = f"It can't be carried: {error}."
    notes = [_CARRIED[repository.spec.engine]] if repository.spec.engine in _CARRIED else []
    if len(names) > LOOKED_AT:
        notes.append(f"Only the first {LOOKED_AT} files were looked at; more may be overwritten.")
    lines = [f"{reader.name}: {one}" for one in shown[:SHOWN]] + [
        f"{way.name}: tar -xp --numeric-owner -f -, in {query.target}"
    ]
    return RestorePlan(
        host=way.name, target=query.target, files=wanted.files, bytes=wanted.bytes,
        overwritten=tuple(safe(name, 500) for name in found[:SHOWN]), overwritten_files=len(found), free_bytes=room,
        fits=room is None or room > wanted.bytes, commands=tuple(safe(line, 1000) for line in lines), notes=tuple(notes), hindered=hindered,
    )  # fmt: skip
