"""Checks of logs: lines that match since the last look.

The place is remembered as inode and offset.  After a rotation the rest of the old file is read where it lies beside the new one as
``PATH.1``; a file that became shorter is read from its beginning.  The first look only remembers where the end is.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from guardian_tui.engine.fleet.checks.patterns import pattern
from guardian_tui.engine.fleet.checks.result import Failed, Figure, Result, Unsure, ok
from guardian_tui.engine.fleet.checks.site import Site
from guardian_tui.protocol.check_params import LogParams
from guardian_tui.text import counted, safe

READ_BYTES = 1 << 20
"""Most that is read of a file in one look; the rest is read in the next one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file was, or is."""

    inode: int
    offset: int


@dataclass(frozen=True, slots=True)
class Part:
    """A piece to read."""

    path: str
    offset: int
    ours: bool
    """Whether it is of the file itself, not of the one that was rotated away."""


def plan(path: str, before: Place | None, now: Place, rotated: Place | None) -> list[Part]:
    """What to read: offsets of ``now`` and ``rotated`` are the files' sizes."""
    if before is None:
        return []
    if before.inode == now.inode:
        start = before.offset if before.offset <= now.offset else 0
        return [Part(path, start, True)] if start < now.offset else []
    parts = []
    if rotated is not None and rotated.inode == before.inode and rotated.offset > before.offset:
        parts.append(Part(f"{path}.1", before.offset, False))
    return [*parts, Part(path, 0, True)] if now.offset else parts


def matching(text: bytes, params: LogParams) -> list[str]:
    """Lines that count."""
    wanted = pattern(params.pattern)
    ignored = pattern(params.ignore) if params.ignore else None
    lines = text.decode("utf-8", "replace").splitlines()
    return [
        line
        for line in lines
        if wanted.search(line) is not None and (ignored is None or ignored.search(line) is None)
    ]


async def check_log(params: LogParams, site: Site) -> Result:
    """Read on where the last look ended."""
    now, rotated = await _stat(params.path, site)
    before = _remembered(site)
    found: list[str] = []
    offset = now.offset if before is None else before.offset if before.inode == now.inode else 0
    offset = min(offset, now.offset)
    for part in plan(params.path, before, now, rotated):
        done = await site.run(
            f"tail -c +{part.offset + 1} -- {shlex.quote(part.path)} | head -c {READ_BYTES}",
            limit_bytes=READ_BYTES + 1,
        )
        if done.exit_status not in (0, None) or (done.err and not done.out):
            raise Unsure(f"it can't be read: {safe(done.err.strip(), 200)}")
        # a line that is still being written waits for the next look, unless it is as long as all that we read
        whole = done.out[: done.out.rfind(b"\n") + 1] or (
            done.out if len(done.out) >= READ_BYTES or not part.ours else b""
        )
        found += matching(whole, params)
        if part.ours:
            offset = part.offset + len(whole)
    site.memory.update(inode=now.inode, offset=offset)
    count = len(found)
    words = (
        "no such line" if not count else f"{counted(count, 'line')}, the last: {safe(found[-1].strip(), 160)}"
    )
    result = ok(words if before is not None else "first look", [Figure("check_log_matches", float(count))])
    return result.and_if(count > params.most, words, params.level)


def _remembered(site: Site) -> Place | None:
    inode, offset = site.memory.get("inode"), site.memory.get("offset")
    if isinstance(inode, int) and isinstance(offset, int) and offset >= 0:
        return Place(inode, offset)
    return None


async def _stat(path: str, site: Site) -> tuple[Place, Place | None]:
    old = shlex.quote(f"{path}.1")
    done = await site.run(
        f"LC_ALL=C; export LC_ALL; stat -L -c '%i %s' -- {shlex.quote(path)} && {{ stat -L -c '%i %s' -- {old} 2>/dev/null || :; }}"
    )
    if done.exit_status != 0:
        words = (done.err or done.out).decode("utf-8", "replace")
        if "No such file" in words:
            raise Failed("it is not there")
        raise Unsure(f"it can't be looked at: {safe(words.strip(), 200)}")
    try:
        places = [Place(*map(int, line.split())) for line in done.out.decode("ascii", "replace").splitlines()]
        return places[0], places[1] if len(places) > 1 else None
    except (ValueError, TypeError, IndexError) as error:
        raise Unsure(f"what stat says can't be read: {safe(done.out.strip(), 100)!r}") from error
