"""What follows from the end of a run: what is known of its job, its repository and its snapshot."""

from __future__ import annotations

from msgspec.structs import replace

from guardian_tui.engine.backups import hashes, judge, records
from guardian_tui.engine.backups.runs import Run
from guardian_tui.engine.backups.work import Check, Copy
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.backups import RunRow, Snapshot

COMPARED_RUNS = judge.RUNS_COMPARED + 1


def remember(run: Run) -> None:
    """Note in memory what the run says of its job and repository."""
    job, row, memory = run.job, run.row, run.repository.memory
    if row.operation == "check" and isinstance(run.work, Check):
        memory.checks += 1
        if row.verdict == "ok":
            memory.verified_at, memory.check_level = row.ended_at, run.work.level
    if job is None:
        return
    if row.operation == "copy" and isinstance(run.work, Copy):
        if row.verdict == "ok":
            # one that was begun earlier may end later
            copied = job.memory.copied
            copied[run.work.name] = max(run.work.at, copied.get(run.work.name, run.work.at))
            job.memory.copy_failed.pop(run.work.name, None)
        elif row.verdict != "cancelled":
            job.memory.copy_failed[run.work.name] = row.words
    elif row.operation == "drill" and row.verdict != "cancelled":
        job.memory.drill = row.verdict
        if row.verdict == "ok":
            job.memory.drilled_at = row.ended_at


async def write(store: Store, run: Run) -> None:
    """Write what was noted, the hashes that were taken, and what the snapshot is worth; after the repository was read again."""
    job, row, repository = run.job, run.row, run.repository
    if job is not None and row.operation == "backup" and row.verdict in ("ok", "partial"):
        job.memory.anomaly = _anomaly(await records.sizes_of(store, job.id, COMPARED_RUNS))
    marked = await _marked(store, run)
    saved = await records.snapshot_named(store, repository.id, row.snapshot) if row.snapshot else None
    async with store.write() as tx:
        if job is not None:
            await records.remember_job(tx, job)
        if not await records.remember_repository(tx, repository):
            # removed meanwhile, and all that was read of it
            return
        for snapshot, owner in marked:
            await records.put_snapshot(tx, repository.id, snapshot, owner)
        if row.operation == "backup" and saved is not None and run.reader is not None:
            kept = run.reader.kept
            known = hashes.taken(bytes(kept.get(hashes.BEFORE, b"")), bytes(kept.get(hashes.AFTER, b"")))
            if known:
                pairs = [(one.path, one.sha256) for one in known]
                await records.put_hashes(tx, repository.id, saved[0].id, row.ended_at or row.queued_at, pairs)


async def _marked(store: Store, run: Run) -> list[tuple[Snapshot, str]]:
    """Snapshots on which the run has another word than they had."""
    row, found = run.row, []
    if row.operation == "backup" and row.verdict == "ok" and row.snapshot:
        known = await records.snapshot_named(store, run.repository.id, row.snapshot)
        if known is not None and known[0].bytes is None:
            # engines that tell no sizes of snapshots tell them at the end of a backup
            sized = replace(known[0], files=row.files, bytes=row.bytes, added_bytes=row.added_bytes)
            found.append((sized, known[1]))
    if row.operation == "backup" and row.verdict != "ok" and run.reader is not None:
        for summary in run.reader.summaries:
            known = (
                await records.snapshot_named(store, run.repository.id, summary.snapshot)
                if summary.snapshot
                else None
            )
            if known is not None:
                found.append((replace(known[0], good=False, why=row.words), known[1]))
    if row.operation == "drill" and row.snapshot:
        known = await records.snapshot_named(store, run.repository.id, row.snapshot)
        if known is not None and row.verdict == "ok":
            found.append((replace(known[0], drilled_at=row.ended_at), known[1]))
        elif known is not None and row.mismatches:
            found.append((replace(known[0], good=False, why=row.words), known[1]))
    return found


def _anomaly(runs: list[RunRow]) -> str:
    if not runs:
        return ""
    newest, before = runs[-1], runs[:-1]
    return judge.anomaly(
        (newest.bytes, newest.files, newest.added_bytes),
        [(run.bytes, run.files, run.added_bytes) for run in before],
    )
