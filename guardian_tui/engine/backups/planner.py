"""What is due: backups by their schedules, checks in rotation, drills, copies to second repositories."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import tzinfo
from zlib import crc32

from guardian_tui.engine.backups import moments, records
from guardian_tui.engine.backups.drills import Unprovable
from guardian_tui.engine.backups.judge import DAY
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.runs import SCHEDULE, Run
from guardian_tui.engine.backups.schedule import (
    BadSchedule,
    own_zone,
    parse,
    window_left,
    window_opens,
    zone_ahead,
)
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.backups.work import Backup, Check, Work
from guardian_tui.engine.calls import AuditSink, Entry
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.turns import next_turn
from guardian_tui.protocol.backups import CheckLevel
from guardian_tui.protocol.errors import GuardianError, StoreUnavailable

log = logging.getLogger(__name__)

LOOK_SECONDS = 15.0
PROOF_SECONDS = 300.0
"""Checks and drills are looked for so often, and at most one of each is begun at a time."""
PARTS = 20
"""Shares of the data that checks read one after another."""
WHOLE_EVERY = 4 * PARTS
"""After so many checks all of the data is read once."""


class Planner:
    """Queues what is due.

    Args:
        zone: whose hours schedules mean; None: this machine's.
    """

    def __init__(
        self, backups: Backups, store: Store, clock: Clock, audit: AuditSink, zone: tzinfo | None = None
    ) -> None:
        self._backups = backups
        self._store = store
        self._clock = clock
        self._audit = audit
        self._zone = zone
        self._tasks: list[asyncio.Task[None]] = []
        self._proofs_at = 0.0

    async def start(self) -> None:
        """Begin."""
        self._tasks = [asyncio.create_task(self._plan(), name="backups: schedules")]

    async def stop(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _plan(self) -> None:
        while True:
            try:
                await self.look()
            except StoreUnavailable:
                # the store tells of it itself
                pass
            except Exception:
                log.exception("what is due could not be looked for; it is the next time")
            await next_turn(LOOK_SECONDS)

    async def look(self) -> None:
        """Queue what is due now."""
        now = self._clock.now()
        for job in list(self._backups.jobs.values()):
            if self._as_it_was(job):
                await self._look_at(job, now)
        if now - self._proofs_at >= PROOF_SECONDS:
            self._proofs_at = now
            await self._checks(now)
            await self._drills(now)

    # --- backups --------------------------------------------------------------------------------------

    def _own_zone(self, now: float) -> tzinfo:
        return self._zone or own_zone(now)

    def next_at(self, job: Job, now: float) -> float | None:
        """When a job runs next by its schedule, its jitter and its window; None: it has no schedule."""
        if not job.spec.schedule or not job.spec.enabled or job.observed:
            return None
        ahead = self._backups.timers.zone_seconds(job)
        zone = self._own_zone(now) if ahead is None else zone_ahead(ahead)
        try:
            at = parse(job.spec.schedule).after(now, zone)
        except BadSchedule:
            return None
        at = window_opens(job.spec.window, at, zone)
        if self._backups.timers.in_charge(job):
            # its jitter is its timer's own
            return at
        left = window_left(job.spec.window, at, zone)
        spread = job.spec.jitter_seconds if left is None else min(job.spec.jitter_seconds, left / 2)
        return at + random.uniform(0, spread)  # noqa: S311  # jitter, not a secret

    async def _look_at(self, job: Job, now: float) -> None:
        memory, runs_by_itself = job.memory, bool(job.spec.schedule and job.spec.enabled and not job.observed)
        due, ahead = memory.next_at, self._backups.timers.zone_seconds(job)
        if due is not None and due > now and memory.next_ahead != ahead:
            # its host's hours changed since it was reckoned, or it has got a timer, or lost it
            memory.next_at, memory.next_ahead = self.next_at(job, now), ahead
        if runs_by_itself and self._backups.timers.overdue(job):
            await self._begin_backup(job, now)
        if runs_by_itself and due is not None and due > now:
            return
        if runs_by_itself and due is not None:
            if self._backups.timers.in_charge(job):
                self._backups.timers.expect(job, due)
            else:
                await self._begin_backup(job, now)
        if not self._as_it_was(job):
            # its new schedule is looked at the next time
            return
        memory.next_at, memory.next_ahead = self.next_at(job, now), ahead
        if memory.next_at != due:
            async with self._store.write() as tx:
                await records.remember_job(tx, job)

    def _as_it_was(self, job: Job) -> bool:
        """Whether nobody has changed or removed it since it was looked up."""
        return self._backups.jobs.get(job.id) is job

    async def _begin_backup(self, job: Job, now: float) -> None:
        """What was due while nobody was there to see runs now, once."""
        zone = self._own_zone(now)
        if window_left(job.spec.window, now, zone) == 0.0:
            log.info("the backup of %s missed its window", job.spec.name)
            return
        repository, way = self._backups.repositories.get(job.repository_id), self._backups.way_of(job)
        if repository is None or way is None or self._backups.runner.active(job.id, "backup") is not None:
            return
        await self._queue(Backup(), job, repository, way)

    async def _queue(self, work: Work, job: Job | None, repository: Repository, way: Way) -> Run:
        target = job.spec.name if job else repository.spec.name
        async with self._store.write() as tx:
            run = await self._backups.runner.queue(tx, work, job, repository, way, SCHEDULE)
            body = {"run": run.row.id, "host": way.name, "repository": repository.spec.name}
            await self._audit.append(
                tx, Entry(SCHEDULE, f"backups.{run.row.operation}", target, "ok", body=body)
            )
        return run

    # --- proofs ---------------------------------------------------------------------------------------

    def _busy(self, repository: Repository) -> bool:
        return any(run.repository.id == repository.id for run in self._backups.runner.runs.values())

    async def _checks(self, now: float) -> None:
        """Begin one check that is due."""
        for repository in self._backups.repositories.values():
            days = [
                job.spec.check_days
                for job in self._backups.jobs_in(repository)
                if job.spec.enabled and job.spec.check_days
            ]
            way = self._backups.way(repository.spec.host)
            memory = repository.memory
            if (
                not days
                or way is None
                or memory.verdict != "ok"
                or not memory.snapshots
                or self._busy(repository)
            ):
                continue
            last = max(memory.verified_at or 0.0, memory.checked_at or repository.created_at)
            if now - last >= min(days) * DAY:
                memory.checked_at = now
                await self._queue(check_of(memory.checks), None, repository, way)
                return

    async def _drills(self, now: float) -> None:
        """Begin one drill that is due."""
        for job in list(self._backups.jobs.values()):
            every, memory = job.spec.drill.every_days, job.memory
            repository = self._backups.repositories.get(job.repository_id)
            if not every or not job.spec.enabled or repository is None or self._busy(repository):
                continue
            way = self._backups.way(repository.spec.host)
            if way is None or now < drill_due(job) or not job.good_ats:
                continue
            memory.drill_tried_at = now
            try:
                work = await moments.proof_of(
                    self._store, self._backups.sites, self._backups.own_state, way, job, repository
                )
            except StoreUnavailable:
                raise
            except (Unprovable, GuardianError) as error:
                log.info("no drill of %s: %s", job.spec.name, error)
                continue
            if not self._as_it_was(job):
                continue
            await self._queue(work, job, repository, way)
            return


def drill_due(job: Job) -> float:
    """When the next drill of a job is due; the first ones of many jobs are spread over the second half of their time."""
    memory, every = job.memory, job.spec.drill.every_days * DAY
    last = max(memory.drilled_at or 0.0, memory.drill_tried_at or 0.0)
    return last + every if last else job.created_at + every * (0.5 + crc32(job.id.encode()) / (1 << 33))


def check_of(number: int) -> Check:
    """The check that follows so many others: structure and a share of the data in turn, all of the data now and then."""
    level: CheckLevel = (
        "all" if number and number % WHOLE_EVERY == 0 else "sample" if number % 2 else "structure"
    )
    return Check(level, number // 2 % PARTS + 1, PARTS)
