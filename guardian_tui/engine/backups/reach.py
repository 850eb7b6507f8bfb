"""Whether a host gets at a repository that another one reads: asked before a restore begins there, so that it does not fail when it has begun."""

from __future__ import annotations

import contextlib

from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Place, StageEnd
from guardian_tui.engine.backups.records import Repository
from guardian_tui.engine.backups.sites import Sites
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Way
from guardian_tui.text import safe

ASK_SECONDS = 60.0
ASK_BYTES = 1 << 20
"""Its list is not needed, only that it begins."""


async def hindrance(
    sites: Sites, way: Way, reader: Way, repository: Repository, place: Place, snapshot: str = ""
) -> str:
    """Why a host can't restore from a repository, and what to do; empty: nothing stands against it.

    Args:
        sites: asks.
        way: to the host that would restore.
        reader: the host that reads the repository for us.
        repository: where from.
        place: it, as that host sees it.
        snapshot: what is to be restored; empty: any.

    Raises:
        GuardianError: a secret can't be had.
    """
    spec = repository.spec
    if not place.capabilities.version:
        return f"{way.name} can't restore: {place.capabilities.words} Install {spec.engine} there."
    if way.host_id == reader.host_id:
        return ""
    why = await _why(sites, way, repository, place, snapshot)
    if not why:
        return ""
    if not why.endswith((".", "!", "?")):
        # an engine's own words may end as they like
        why += "."
    return (
        f"{way.name} does not get at {spec.name} ({safe(spec.location, 200)}): {why} Let it reach the repository as {reader.name} does"
        f" (network, keys, the disk mounted there too), or restore into a folder on {reader.name} and copy it from there."
    )


async def _why(sites: Sites, way: Way, repository: Repository, place: Place, snapshot: str) -> str:
    one, ends, out = adapter(repository.spec.engine), [], b""
    for stage in one.list(place):
        try:
            done = await sites.ask(way, repository.spec, stage, ASK_SECONDS, limit_bytes=ASK_BYTES)
        except ConnectFailed as error:
            return f"within {ASK_SECONDS:.0f} s there was no answer ({error.detail})"
        if done.truncated:
            # it tells so much that it is there
            return ""
        out += done.out
        code = 255 if done.exit_status is None else done.exit_status
        tail = "\n".join(safe(line, 500) for line in done.err.splitlines()[-20:])
        ends.append(StageEnd(stage.name, code, 0, tail))
        if code not in stage.exit_codes:
            break
    judgement = one.verdict("list", None, ends, ())
    if judgement.verdict not in ("ok", "partial"):
        return judgement.words
    with contextlib.suppress(ValueError):
        # a folder of that name may be there too, and be its own
        if snapshot and not any(found.id.startswith(snapshot) for found in one.snapshots(place, out)):
            return "what lies there under this name is another repository: the snapshot is not in it."
    return ""
