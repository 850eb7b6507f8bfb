"""What the store says of jobs, as they are judged: of all of them, or of those alone of which something has changed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Column, ColumnElement, func, select

from guardian_tui.engine.backups import judge
from guardian_tui.engine.backups.drills import estimated_rto, measured_rto
from guardian_tui.engine.backups.records import Job
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import backup_runs, backup_snapshots
from guardian_tui.protocol.backups import RunRow, Snapshot

RTO_DAYS = 400.0
"""Drills older than that say nothing of a restore tonight."""
MOST_NAMED = 200
"""Of more jobs than that it is cheaper to read all."""


@dataclass(slots=True)
class Known:
    """What is known of jobs, by their ids.

    Attributes:
        good: when their good snapshots were begun, in order: those of 30 days, and the newest one before.
        ahead: of those that are dated by a clock that is wrong, the latest.
        counts: of snapshots.
        newest: the newest good snapshot.
        last: the newest backup run.
        drills: those that ended, in order.
    """

    good: dict[str, list[float]] = field(default_factory=dict)
    ahead: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    newest: dict[str, Snapshot] = field(default_factory=dict)
    last: dict[str, RunRow] = field(default_factory=dict)
    drills: dict[str, list[RunRow]] = field(default_factory=dict)

    def tell(self, job: Job) -> None:
        """Take up what is known of one job."""
        job.good_ats, job.snapshots = self.good.get(job.id, []), self.counts.get(job.id, 0)
        job.newest, job.last, job.ahead_at = (
            self.newest.get(job.id), self.last.get(job.id), self.ahead.get(job.id)
        )  # fmt: skip
        drills = self.drills.get(job.id, [])
        job.measured_rto = measured_rto(drills)
        job.estimated_rto = estimated_rto(drills, job.newest.bytes if job.newest else None)


async def known_of(store: Store, now: float, jobs: Collection[str] | None) -> Known:
    """What is known of some jobs; None: of all."""
    known = Known()
    if jobs is not None and len(jobs) > MOST_NAMED:
        jobs = None
    if jobs is not None and not jobs:
        return known
    await _read_ages(store, known, now, jobs)
    await _read_snapshots(store, known, jobs)
    await _read_runs(store, known, now, jobs)
    return known


def _of(column: Column[str], jobs: Collection[str] | None) -> ColumnElement[bool]:
    return column != "" if jobs is None else column.in_(sorted(jobs))


async def _read_ages(store: Store, known: Known, now: float, jobs: Collection[str] | None) -> None:
    table, since = backup_snapshots.c, now - judge.WORST_SECONDS
    mine = _of(table.job_id, jobs)
    recent = select(table.job_id, table.at, table.good).where(mine, table.at >= since).order_by(table.at)
    older = (
        select(table.job_id, func.max(table.at).label("at"), table.good)
        .where(mine, table.at < since, table.good == 1)
        .group_by(table.job_id, table.good)
    )
    async with store.read() as conn:
        rows = [*(await conn.execute(older)).all(), *(await conn.execute(recent)).all()]
    for job_id, at, good in rows:
        if at > now + judge.AHEAD_SECONDS:
            # a clock that is wrong must not make a backup look fresh for ever
            known.ahead[job_id] = max(at, known.ahead.get(job_id, 0.0))
        elif good:
            known.good.setdefault(job_id, []).append(float(at))


async def _read_snapshots(store: Store, known: Known, jobs: Collection[str] | None) -> None:
    table = backup_snapshots.c
    mine = _of(table.job_id, jobs)
    counts = select(table.job_id, func.count().label("count")).where(mine).group_by(table.job_id)
    newest = (
        select(table.job_id, func.max(table.at).label("at"))
        .where(mine, table.good == 1)
        .group_by(table.job_id)
        .subquery()
    )
    query = select(table.job_id, table.body).join(
        newest, (table.job_id == newest.c.job_id) & (table.at == newest.c.at)
    )
    async with store.read() as conn:
        known.counts = {row.job_id: int(row[1]) for row in (await conn.execute(counts)).all()}
        rows = (await conn.execute(query)).all()
    known.newest = {row.job_id: msgspec.json.decode(row.body, type=Snapshot) for row in rows}


async def _read_runs(store: Store, known: Known, now: float, jobs: Collection[str] | None) -> None:
    table = backup_runs.c
    mine = _of(table.job_id, jobs)
    newest = (
        select(table.job_id, func.max(table.queued_at).label("at"))
        .where(mine, table.operation == "backup")
        .group_by(table.job_id)
        .subquery()
    )
    last = (
        select(table.job_id, table.row)
        .join(newest, (table.job_id == newest.c.job_id) & (table.queued_at == newest.c.at))
        .where(table.operation == "backup")
    )
    drills = select(table.job_id, table.row).where(
        mine, table.operation == "drill", table.queued_at >= now - RTO_DAYS * judge.DAY, table.ended_at.is_not(None)
    )  # fmt: skip
    async with store.read() as conn:
        rows = (await conn.execute(last)).all()
        drilled = (await conn.execute(drills.order_by(table.queued_at))).all()
    known.last = {row.job_id: msgspec.json.decode(row.row, type=RunRow) for row in rows}
    for row in drilled:
        known.drills.setdefault(row.job_id, []).append(msgspec.json.decode(row.row, type=RunRow))
