"""Backups in the store: repositories, jobs, runs and snapshots."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from sqlalchemy import delete, exists, func, insert, select, update

from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import (
    backup_hashes,
    backup_jobs,
    backup_repositories,
    backup_runs,
    backup_snapshots,
)
from guardian_tui.protocol.backups import JobSpec, RepositorySpec, RunRow, Snapshot, Verdict

log = logging.getLogger(__name__)

SHORT_ID = 8
"""Letters of an id that are enough to know a snapshot by."""
MOST_RECALLED = 2000
"""Runs that are shown again after a start."""


class RepositoryMemory(msgspec.Struct):
    """What is known of a repository."""

    verdict: Verdict | None = None
    words: str = ""
    advice: str = ""
    ours: bool = False
    """Whether that it can't be read says nothing of it: the vault is locked, its list was more than we read, or nothing that we understand."""
    tried_at: float | None = None
    listed_at: float | None = None
    snapshots: int = 0
    oldest_at: float | None = None
    newest_at: float | None = None
    bytes: int | None = None
    verified_at: float | None = None
    check_level: str = ""
    checked_at: float | None = None
    """When a check was begun last by the schedule."""
    checks: int = 0
    """Checks that were made: says which share of the data is next."""
    version: str = ""
    sizes: list[tuple[float, int]] = msgspec.field(default_factory=list)
    """When, and what it took on its disk; one a day."""
    whole_disk: bool = False
    """Whether that is told of all that lies on its disk."""
    room: int | None = None
    """What it could take there at most."""
    unweighed: str = ""
    """Why that can't be told."""
    archived_at: float | None = None
    """Up to when nothing of a database would be lost: its last commit that is in the archive, or when it was asked and had no later one."""
    archive_asked_at: float | None = None
    archive_words: str = ""
    """What speaks against the archive, or why it could not be asked."""
    archive_worst: list[tuple[float, float]] = msgspec.field(default_factory=list)
    """Day (Unix seconds of its beginning) and the greatest age that the last archived commit had in it."""


@dataclass(slots=True)
class Repository:
    """A repository, as the engine keeps it in memory."""

    id: str
    spec: RepositorySpec
    source: str
    created_at: float
    memory: RepositoryMemory = field(default_factory=RepositoryMemory)

    def uses(self, secret: str) -> bool:
        """Whether a secret of the vault is one of its own."""
        return f"secret:{secret}" in self.spec.secrets.values()


class JobMemory(msgspec.Struct):
    """What is known of a job beside its runs and snapshots."""

    drilled_at: float | None = None
    drill: Verdict | None = None
    drill_tried_at: float | None = None
    """When a drill was begun last by the schedule."""
    verified_at: float | None = None
    anomaly: str = ""
    next_at: float | None = None
    next_ahead: int | None = None
    """How far the clock that it was reckoned by was ahead of UTC, where that is its host's."""
    copied: dict[str, float] = msgspec.field(default_factory=dict)
    """Repository → when the backup of its newest copied snapshot began."""
    copy_failed: dict[str, str] = msgspec.field(default_factory=dict)
    """Repository → why the last copy to it was not all good."""


@dataclass(slots=True)
class Job:
    """A job, as the engine keeps it in memory."""

    id: str
    spec: JobSpec
    host_id: str
    repository_id: str
    source: str
    created_at: float
    memory: JobMemory = field(default_factory=JobMemory)
    good_ats: list[float] = field(default_factory=list)
    """When the backups of its good snapshots of the last 30 days began, and of the newest before that, in order."""
    sizes: list[tuple[float, int]] = field(default_factory=list)
    snapshots: int = 0
    newest: Snapshot | None = None
    last: RunRow | None = None
    """Its newest backup run."""
    ahead_at: float | None = None
    """A snapshot is dated in the future: when."""
    archived_at: float | None = None
    """Of a database whose log is archived: up to when nothing would be lost."""
    archive_worst: float = 0.0
    """The greatest age that its last archived commit had within 30 days."""
    measured_rto: float | None = None
    estimated_rto: float | None = None

    @property
    def observed(self) -> bool:
        """Whether another tool makes its snapshots."""
        return bool(self.spec.match)


Limit = Literal["", "window"]
"""``window``: a run is ended when its job's window closes."""


Passing = Literal["locked", "network"]
"""What passes by itself: then a run is tried again."""


class Plan(msgspec.Struct, frozen=True):
    """What is needed to go on with a run after a restart."""

    work: msgspec.Raw
    word: str = ""
    marks: msgspec.Raw = msgspec.Raw(b"[]")
    not_before: float = 0.0
    limit: Limit = ""
    passing: Passing = "locked"
    """Why it waits, where it is to be tried again."""
    ending: str = ""
    """Why it is to be ended."""


@dataclass(slots=True)
class StoredRun:
    """A run that had not ended."""

    row: RunRow
    job_id: str
    repository_id: str
    plan: Plan


async def read_repositories(store: Store) -> list[Repository]:
    """All repositories; what can't be read is told in the log and left alone."""
    async with store.read() as conn:
        rows = (await conn.execute(select(backup_repositories).order_by(backup_repositories.c.name))).all()
    found = []
    for row in rows:
        try:
            spec = msgspec.json.decode(row.spec, type=RepositorySpec)
            memory = msgspec.json.decode(row.memory, type=RepositoryMemory)
        except msgspec.DecodeError as error:
            log.warning("the repository %s can't be read from the store: %s", row.name, error)
            continue
        found.append(Repository(row.id, spec, row.source, row.created_at, memory))
    return found


async def put_repository(tx: Tx, repository: Repository, *, new: bool) -> None:
    """Write a repository."""
    values = {
        "name": repository.spec.name,
        "spec": msgspec.json.encode(repository.spec).decode(),
        "memory": msgspec.json.encode(repository.memory).decode(),
    }
    if new:
        own = {"id": repository.id, "source": repository.source, "created_at": repository.created_at}
        await tx.execute(insert(backup_repositories), {**own, **values})
    else:
        where = backup_repositories.c.id == repository.id
        await tx.execute(update(backup_repositories).where(where).values(**values))


async def remember_repository(tx: Tx, repository: Repository) -> bool:
    """Write what is known of a repository, never how it is set up: somebody may have changed that meanwhile.

    Returns:
        Whether it is there still.
    """
    memory = msgspec.json.encode(repository.memory).decode()
    where = backup_repositories.c.id == repository.id
    done = await tx.execute(update(backup_repositories).where(where).values(memory=memory))
    return done.rowcount > 0


async def remove_repository(tx: Tx, repository_id: str) -> None:
    """Delete a repository, and what was read of it."""
    await tx.execute(delete(backup_snapshots).where(backup_snapshots.c.repository_id == repository_id))
    await tx.execute(delete(backup_repositories).where(backup_repositories.c.id == repository_id))


async def read_jobs(store: Store) -> list[Job]:
    """All jobs; what can't be read is told in the log and left alone."""
    async with store.read() as conn:
        rows = (await conn.execute(select(backup_jobs).order_by(backup_jobs.c.name))).all()
    found = []
    for row in rows:
        try:
            spec = msgspec.json.decode(row.spec, type=JobSpec)
            memory = msgspec.json.decode(row.memory, type=JobMemory)
        except msgspec.DecodeError as error:
            log.warning("the backup job %s can't be read from the store: %s", row.name, error)
            continue
        found.append(Job(row.id, spec, row.host_id, row.repository_id, row.source, row.created_at, memory))
    return found


async def put_job(tx: Tx, job: Job, *, new: bool) -> None:
    """Write a job."""
    values = {
        "name": job.spec.name, "host_id": job.host_id, "repository_id": job.repository_id,
        "spec": msgspec.json.encode(job.spec).decode(), "memory": msgspec.json.encode(job.memory).decode(),
    }  # fmt: skip
    if new:
        own = {"id": job.id, "source": job.source, "created_at": job.created_at}
        await tx.execute(insert(backup_jobs), {**own, **values})
    else:
        await tx.execute(update(backup_jobs).where(backup_jobs.c.id == job.id).values(**values))


async def remember_job(tx: Tx, job: Job) -> None:
    """Write what is known of a job, never how it is set up: somebody may have changed that meanwhile."""
    memory = msgspec.json.encode(job.memory).decode()
    await tx.execute(update(backup_jobs).where(backup_jobs.c.id == job.id).values(memory=memory))


async def remove_job(tx: Tx, job_id: str) -> None:
    """Delete a job; its runs stay until retention ends them, its snapshots are nobody's."""
    await disown_snapshots(tx, job_id)
    await tx.execute(delete(backup_jobs).where(backup_jobs.c.id == job_id))


async def disown_snapshots(tx: Tx, job_id: str) -> None:
    """Let the snapshots of a job be nobody's, until their repository is read again."""
    await tx.execute(update(backup_snapshots).where(backup_snapshots.c.job_id == job_id).values(job_id=""))


# --- runs ------------------------------------------------------------------------------------------


async def put_run(
    tx: Tx, row: RunRow, plan: Plan, *, job_id: str, repository_id: str, new: bool, log_text: str = ""
) -> None:
    """Write a run."""
    values = {
        "state": row.state, "verdict": row.verdict or "", "ended_at": row.ended_at, "row": msgspec.json.encode(row).decode(),
        "plan": msgspec.json.encode(plan).decode(), "log": log_text,
    }  # fmt: skip
    if new:
        own = {
            "id": row.id, "job_id": job_id, "repository_id": repository_id, "operation": row.operation, "queued_at": row.queued_at,
        }  # fmt: skip
        await tx.execute(insert(backup_runs), {**own, **values})
    else:
        await tx.execute(update(backup_runs).where(backup_runs.c.id == row.id).values(**values))


async def unfinished_runs(store: Store) -> list[StoredRun]:
    """Runs that were queued or running when the engine ended."""
    query = select(backup_runs).where(backup_runs.c.state.in_(("queued", "running")))
    async with store.read() as conn:
        rows = (await conn.execute(query.order_by(backup_runs.c.queued_at))).all()
    return [
        StoredRun(
            msgspec.json.decode(row.row, type=RunRow), row.job_id, row.repository_id,
            msgspec.json.decode(row.plan, type=Plan),
        )
        for row in rows
    ]  # fmt: skip


async def runs_of(store: Store, job_id: str, *, before: float, limit: int) -> list[RunRow]:
    """Runs of a job, the newest first."""
    query = select(backup_runs.c.row).where(backup_runs.c.job_id == job_id)
    if before:
        query = query.where(backup_runs.c.queued_at < before)
    async with store.read() as conn:
        rows = (await conn.execute(query.order_by(backup_runs.c.queued_at.desc()).limit(limit))).all()
    return [msgspec.json.decode(row.row, type=RunRow) for row in rows]


async def runs_in(store: Store, repository_id: str, limit: int) -> list[RunRow]:
    """Runs in a repository, of whatever job, the newest first."""
    query = select(backup_runs.c.row).where(backup_runs.c.repository_id == repository_id)
    async with store.read() as conn:
        rows = (await conn.execute(query.order_by(backup_runs.c.queued_at.desc()).limit(limit))).all()
    return [msgspec.json.decode(row.row, type=RunRow) for row in rows]


async def runs_ended_since(store: Store, since: float) -> list[RunRow]:
    """Runs that ended lately, the last of them first."""
    query = select(backup_runs.c.row).where(backup_runs.c.ended_at >= since)
    async with store.read() as conn:
        rows = (await conn.execute(query.order_by(backup_runs.c.ended_at.desc()).limit(MOST_RECALLED))).all()
    return [msgspec.json.decode(row.row, type=RunRow) for row in rows]


async def run_named(store: Store, run_id: str) -> tuple[RunRow, str, str, str] | None:
    """A run, the ids of its job and repository, and its log."""
    query = select(backup_runs.c.row, backup_runs.c.job_id, backup_runs.c.repository_id, backup_runs.c.log)
    async with store.read() as conn:
        row = (await conn.execute(query.where(backup_runs.c.id == run_id))).first()
    if row is None:
        return None
    return msgspec.json.decode(row.row, type=RunRow), row.job_id, row.repository_id, row.log


async def days_of(store: Store, job_id: str, since: float) -> list[tuple[float, str]]:
    """When each backup of a job ended, and what came of it."""
    query = select(backup_runs.c.ended_at, backup_runs.c.verdict).where(
        backup_runs.c.job_id == job_id, backup_runs.c.operation == "backup", backup_runs.c.queued_at >= since
    )
    async with store.read() as conn:
        rows = (await conn.execute(query.where(backup_runs.c.ended_at.is_not(None)))).all()
    return [(float(row.ended_at), str(row.verdict)) for row in rows]


async def remove_old_runs(tx: Tx, before: float) -> int:
    """Delete runs that ended earlier; answers how many."""
    done = await tx.execute(delete(backup_runs).where(backup_runs.c.ended_at < before))
    return int(done.rowcount)


# --- snapshots -------------------------------------------------------------------------------------


async def snapshot_ids(store: Store, repository_id: str) -> dict[str, str]:
    """Snapshot id → id of its job, of one repository."""
    query = select(backup_snapshots.c.id, backup_snapshots.c.job_id)
    async with store.read() as conn:
        rows = (await conn.execute(query.where(backup_snapshots.c.repository_id == repository_id))).all()
    return {row.id: row.job_id for row in rows}


async def add_snapshots(tx: Tx, repository_id: str, some: Sequence[tuple[Snapshot, str]]) -> None:
    """Write snapshots with the ids of their jobs."""
    rows: list[dict[str, Any]] = [  # Any: column values
        {
            "repository_id": repository_id, "id": snapshot.id, "job_id": job_id, "at": snapshot.at, "good": int(snapshot.good),
            "body": msgspec.json.encode(snapshot).decode(),
        }
        for snapshot, job_id in some
    ]  # fmt: skip
    if rows:
        await tx.execute(insert(backup_snapshots), rows)


async def put_snapshot(tx: Tx, repository_id: str, snapshot: Snapshot, job_id: str) -> None:
    """Write another word on a snapshot."""
    where = (backup_snapshots.c.repository_id == repository_id) & (backup_snapshots.c.id == snapshot.id)
    body = msgspec.json.encode(snapshot).decode()
    await tx.execute(
        update(backup_snapshots).where(where).values(job_id=job_id, good=int(snapshot.good), body=body)
    )


async def drop_snapshots(tx: Tx, repository_id: str, ids: Iterable[str]) -> None:
    """Forget snapshots that are no longer in their repository."""
    gone = list(ids)
    for start in range(0, len(gone), 500):
        where = backup_snapshots.c.id.in_(gone[start : start + 500])
        await tx.execute(
            delete(backup_snapshots).where(backup_snapshots.c.repository_id == repository_id, where)
        )


async def snapshot_named(store: Store, repository_id: str, snapshot_id: str) -> tuple[Snapshot, str] | None:
    """A snapshot, and the id of its job; engines tell the beginning of an id at times."""
    table = backup_snapshots.c
    query = select(table.body, table.job_id).where(table.repository_id == repository_id)
    like = (
        table.id.startswith(snapshot_id, autoescape=True)
        if len(snapshot_id) >= SHORT_ID
        else table.id == snapshot_id
    )
    async with store.read() as conn:
        row = (await conn.execute(query.where(like).order_by(table.id != snapshot_id).limit(1))).first()
    return (msgspec.json.decode(row.body, type=Snapshot), row.job_id) if row else None


async def snapshots_of(store: Store, job_id: str, *, before: float, limit: int) -> tuple[list[Snapshot], int]:
    """Snapshots of a job, the newest first, and how many it has."""
    query = select(backup_snapshots.c.body).where(backup_snapshots.c.job_id == job_id)
    if before:
        query = query.where(backup_snapshots.c.at < before)
    count = select(func.count()).select_from(backup_snapshots).where(backup_snapshots.c.job_id == job_id)
    async with store.read() as conn:
        rows = (await conn.execute(query.order_by(backup_snapshots.c.at.desc()).limit(limit))).all()
        total = (await conn.execute(count)).scalar_one()
    return [msgspec.json.decode(row.body, type=Snapshot) for row in rows], int(total)


# --- proofs ----------------------------------------------------------------------------------------


async def put_hashes(
    tx: Tx, repository_id: str, snapshot_id: str, at: float, some: Sequence[tuple[str, str]]
) -> None:
    """Write what files of a snapshot held at backup time: path and SHA-256; surrogates as JSON escapes them."""
    body = json.dumps(list(some))
    where = (backup_hashes.c.repository_id == repository_id) & (backup_hashes.c.snapshot_id == snapshot_id)
    await tx.execute(delete(backup_hashes).where(where))
    await tx.execute(
        insert(backup_hashes),
        {"repository_id": repository_id, "snapshot_id": snapshot_id, "at": at, "body": body},
    )


async def hashes_of(store: Store, repository_id: str, snapshot_id: str) -> tuple[tuple[str, str], ...]:
    """What is known of the files of a snapshot."""
    query = select(backup_hashes.c.body).where(
        backup_hashes.c.repository_id == repository_id, backup_hashes.c.snapshot_id == snapshot_id
    )
    async with store.read() as conn:
        body = (await conn.execute(query)).scalar()
    return tuple((str(path), str(digest)) for path, digest in json.loads(body)) if body else ()


async def remove_old_hashes(tx: Tx) -> int:
    """Delete what is known of files of snapshots that are there no more; answers of how many snapshots."""
    there = exists().where(
        backup_snapshots.c.repository_id == backup_hashes.c.repository_id,
        backup_snapshots.c.id == backup_hashes.c.snapshot_id,
    )
    return int((await tx.execute(delete(backup_hashes).where(~there))).rowcount)


async def ledger(store: Store, job_ids: Sequence[str], limit: int) -> list[RunRow]:
    """Drills, checks and restores, the newest first; of some jobs, or of all."""
    table = backup_runs.c
    query = select(table.row).where(table.operation.in_(("drill", "check", "restore")))
    if job_ids:
        query = query.where(table.job_id.in_(job_ids))
    async with store.read() as conn:
        rows = (await conn.execute(query.order_by(table.queued_at.desc()).limit(limit))).all()
    return [msgspec.json.decode(row.row, type=RunRow) for row in rows]


async def snapshots_of_run(store: Store, job_id: str, run_id: str) -> list[Snapshot]:
    """Snapshots of a job that one run made, by its tag, or by their own name where that is the run's."""
    found, _ = await snapshots_of(store, job_id, before=0.0, limit=100)
    return [one for one in found if f"run={run_id}" in one.tags or one.id == run_id]


async def sizes_of(store: Store, job_id: str, limit: int) -> list[RunRow]:
    """The newest backups of a job that ended well or in part, in order."""
    table = backup_runs.c
    query = select(table.row).where(
        table.job_id == job_id, table.operation == "backup", table.verdict.in_(("ok", "partial"))
    )
    async with store.read() as conn:
        rows = (await conn.execute(query.order_by(table.queued_at.desc()).limit(limit))).all()
    return [msgspec.json.decode(row.row, type=RunRow) for row in reversed(rows)]
