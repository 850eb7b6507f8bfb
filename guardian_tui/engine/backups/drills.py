"""Which restore proves a job: all of it where that is small enough, else the files whose hashes are known."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import quantiles

from guardian_tui.engine.backups import records
from guardian_tui.engine.backups.dumping import dump_name
from guardian_tui.engine.backups.own_state import OwnState
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.work import Drill
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.backups import JobSpec, RunRow, Snapshot

RTO_DRILLS = 10
"""The newest drills from which an RTO is measured."""


class Unprovable(Exception):
    """There is nothing that could be drilled; says why."""


async def drill_of(store: Store, job: Job, repository: Repository, own_state: OwnState) -> Drill:
    """The drill of a job's newest good snapshot.

    Raises:
        Unprovable: there is none, or nothing of it is known.
    """
    found, _ = await records.snapshots_of(store, job.id, before=0.0, limit=100)
    good = [snapshot for snapshot in found if snapshot.good]
    if not good:
        raise Unprovable(f"{job.spec.name} has no good snapshot to drill with.")
    names = {f"/{dump_name(dump)}": dump for dump in job.spec.dumps}
    run = next((tag for tag in good[0].tags if tag.startswith("run=")), "")
    same = [snapshot for snapshot in good if run in snapshot.tags] if run else good[:1]
    dumps = tuple((s.id, names[s.paths[0]]) for s in same if len(s.paths) == 1 and s.paths[0] in names)
    files = next((s for s in same if not (len(s.paths) == 1 and s.paths[0] in names)), None)
    if files is None:
        return Drill(same[0].id, (), job.spec.drill.most_bytes, dumps=dumps, whole=True)
    known = await records.hashes_of(store, repository.id, files.id)
    return _of_files(own_state.spec(job.spec), files, known, dumps, own_state.archive_of(job.spec))


def _of_files(
    job: JobSpec, snapshot: Snapshot, known: Sequence[tuple[str, str]], dumps: tuple[tuple[str, object], ...], archive: str
) -> Drill:  # fmt: skip
    policy = job.drill
    whole = snapshot.bytes is not None and snapshot.bytes <= policy.most_bytes
    includes = () if whole else tuple(dict.fromkeys([*(path for path, _ in known), *policy.pinned]))
    if not whole and not includes and not dumps:
        raise Unprovable(
            f"Nothing is known of the newest snapshot of {job.name}: no files were hashed at backup time, and it is too large to be"
            " restored whole. Pin a file, or allow a larger drill."
        )
    needed = snapshot.bytes if whole and snapshot.bytes is not None else policy.most_bytes
    return Drill(snapshot.id, includes, needed, tuple(known), dumps, whole, archive)  # type: ignore[arg-type]  # made by drill_of


def measured_rto(drills: Sequence[RunRow]) -> float | None:
    """The ninth decile of what whole drills took, in seconds; None: none was whole."""
    took = [_seconds(run) for run in drills[-RTO_DRILLS:] if run.whole and run.verdict == "ok"]
    if not took:
        return None
    return took[0] if len(took) == 1 else quantiles(took, n=10, method="inclusive")[8]


def estimated_rto(drills: Sequence[RunRow], size: int | None) -> float | None:
    """Size by the rate of the newest good drill that restored something; None: no rate or no size is known."""
    if size is None:
        return None
    for run in reversed(drills):
        if run.verdict == "ok" and run.bytes and _seconds(run) > 0:
            return size / (run.bytes / _seconds(run))
    return None


def _seconds(run: RunRow) -> float:
    return max(0.0, (run.ended_at or 0.0) - (run.started_at or run.ended_at or 0.0))
