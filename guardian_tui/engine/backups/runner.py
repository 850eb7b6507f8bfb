"""Runs: queued, started detached on their hosts, followed, re-attached, judged, and each of it on disk before anybody relies on it."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from contextlib import nullcontext, suppress

import msgspec
from msgspec.structs import replace

from guardian_tui.engine.backups import records
from guardian_tui.engine.backups.carrier import Carrier
from guardian_tui.engine.backups.endings import ended_row, event, judged, most_seconds
from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import Judgement, Place
from guardian_tui.engine.backups.following import UNHEARD_SECONDS, Following, tell_fault
from guardian_tui.engine.backups.leftover import taken_up
from guardian_tui.engine.backups.own_state import OwnState
from guardian_tui.engine.backups.records import Job, Limit, Repository
from guardian_tui.engine.backups.runs import (
    HINDERED,
    PERSON,
    REMOVED,
    RESTARTED,
    RETRY_SECONDS,
    TIMER,
    Ended,
    Run,
)
from guardian_tui.engine.backups.script import Mark, marks_of, render
from guardian_tui.engine.backups.sites import Sites
from guardian_tui.engine.backups.turns import Turns
from guardian_tui.engine.backups.work import (
    EXCLUSIVE,
    REPEATABLE,
    Backup,
    Check,
    Copy,
    Drill,
    Moment,
    Work,
    ends_with_job,
    operation_of,
    stages_of,
)
from guardian_tui.engine.calls import AuditSink
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.detached import DetachedRun, DetachedRuns
from guardian_tui.engine.remote.detached_looks import DetachedFailed
from guardian_tui.engine.remote.host_timers import Offer
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Way, Ways
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.protocol.backups import JobSpec, RunRow, Verdict
from guardian_tui.protocol.errors import AuditUnavailable, GuardianError, StoreUnavailable

log = logging.getLogger(__name__)

HOST_LATE_SECONDS = 300.0
"""A host that is to try again by itself is given so much longer."""
_FAILED: Mapping[str, Verdict] = {"no_space": "no_space", "running": "locked"}
STOP_SECONDS = 5.0
STOPS = 3
"""What is told to stop is waited for so long, and told again so often."""
SHOWN_SECONDS = 86400.0
"""A run that has ended stays in the live table for so long."""


class Runner:
    """Carries all runs.

    Args:
        ended: called after a run's end is on disk.
        own_state: makes the archive that a job of Guardian's own state saves.
        at_once: runs beside each other on one host.
        carrier: brings what is restored to hosts that don't get at a repository.
    """

    def __init__(
        self, store: Store, live: Live, clock: Clock, audit: AuditSink, ways: Ways, sites: Sites, detached: DetachedRuns, ended: Ended,
        own_state: OwnState, at_once: int, carrier: Carrier,
    ) -> None:  # fmt: skip
        self.runs: dict[str, Run] = {}
        self._at_once = at_once
        self._carrier = carrier
        self._store = store
        self._live = live
        self._clock = clock
        self._audit = audit
        self._ways = ways
        self._sites = sites
        self._detached = detached
        self._ended = ended
        self._own_state = own_state
        self._turns = Turns()
        self._of_host: dict[str, asyncio.Semaphore] = {}
        self._following = Following(detached, clock, self.runs, self._show)
        self._carrying: set[asyncio.Task[None]] = set()
        self._shown: dict[str, float] = {}
        self.settling: dict[str, str] = {}
        """Run that is over → its job, as long as not all that follows from it is known."""
        self._repositories: dict[str, Repository] = {}

    async def start(self, jobs: dict[str, Job], repositories: dict[str, Repository]) -> None:
        """Take up what had not ended; the tables are the service's own, and change with it."""
        self._repositories = repositories
        for stored in await records.unfinished_runs(self._store):
            run = taken_up(stored, jobs, repositories, self._ways)
            if run is None:
                gone = Judgement("cancelled", "Its repository or its host was removed meanwhile.")
                await self._close_orphan(stored, gone)
            else:
                self._take(run)

    def recall(self, row: RunRow, way: Way) -> None:
        """Show a run that ended before we were started."""
        self._live.runs.put(row.id, row, way.labels)
        self._shown[row.id] = row.ended_at or row.queued_at

    async def _close_orphan(self, stored: records.StoredRun, judgement: Judgement) -> None:
        row = replace(
            stored.row, state="ended", verdict=judgement.verdict, words=judgement.words, ended_at=self._clock.now(), progress=None
        )  # fmt: skip
        async with self._store.write() as tx:
            await records.put_run(
                tx, row, stored.plan, job_id=stored.job_id, repository_id=stored.repository_id, new=False
            )

    async def stop(self) -> None:
        """Leave all runs to themselves: they go on on their hosts."""
        # those too whose end is told already, and from which something still follows: they write to the store
        for _ in range(STOPS):
            tasks = [task for task in (*self._following.tasks(), *self._carrying) if not task.done()]
            if not tasks:
                return
            for task in tasks:
                task.cancel()
            # one that was told while it heard the end of something else may not have noticed
            await asyncio.wait(tasks, timeout=STOP_SECONDS)
        left = [task.get_name() for task in (*self._following.tasks(), *self._carrying) if not task.done()]
        if left:
            log.error("%s did not end when told to; the engine goes without waiting for it", ", ".join(left))

    # --- a run comes ----------------------------------------------------------------------------------

    async def queue(
        self, tx: Tx, work: Work, job: Job | None, repository: Repository, way: Way, by: str
    ) -> Run:
        """Queue a run; it begins once the transaction is committed."""
        row = RunRow(
            id=secrets.token_hex(8), job=job.spec.name if job else "", host=way.name, repository=repository.spec.name,
            operation=operation_of(work), state="queued", by=by, queued_at=self._clock.now(),
            level=work.level if isinstance(work, Check) else "", whole=(isinstance(work, Drill) and work.whole) or isinstance(work, Moment),
        )  # fmt: skip
        run = Run(row, work, job, repository, way)
        await records.put_run(
            tx, row, run.plan(), job_id=job.id if job else "", repository_id=repository.id, new=True
        )
        tx.after_commit(lambda: self._take(run))
        return run

    async def adopt(
        self, tx: Tx, offer: Offer, job: Job, repository: Repository, way: Way, *, new: bool
    ) -> Run:
        """Take up a run that a host's timer began, or began again: it is followed once the transaction is committed.

        Raises:
            ValueError: what the host says of its stages can't be read.
        """
        now = self._clock.now()
        try:
            marks = msgspec.json.decode(offer.marks, type=tuple[Mark, ...])
        except msgspec.DecodeError as error:
            raise ValueError(f"what its host says of its stages can't be read: {error}") from error
        # a clock that is ahead must not date it into the future
        began = min(now, now if offer.started_at is None else offer.started_at)
        row = RunRow(
            id=offer.run, job=job.spec.name, host=way.name, repository=repository.spec.name, operation="backup", state="running",
            by=TIMER, queued_at=began, started_at=began, attempt=offer.attempt,
        )  # fmt: skip
        limit: Limit = "window" if offer.limit == "window" else ""
        run = Run(row, Backup(), job, repository, way, offer.word, marks, limit=limit)
        await records.put_run(tx, row, run.plan(), job_id=job.id, repository_id=repository.id, new=new)
        tx.after_commit(lambda: self._take(run))
        return run

    def active(self, job_id: str, operation: str) -> Run | None:
        """The run of a job that has not ended."""
        return next(
            (r for r in self.runs.values() if r.job and r.job.id == job_id and r.row.operation == operation),
            None,
        )

    def _take(self, run: Run) -> None:
        self.runs[run.row.id] = run
        self._show(run)
        if run.row.state == "running":
            # also while it waits for its turn to be judged
            self._following.follow(run.way)
        run.task = asyncio.create_task(self._carry(run), name=f"backup run {run.row.id}")
        self._carrying.add(run.task)
        run.task.add_done_callback(self._carrying.discard)
        run.task.add_done_callback(tell_fault)

    async def cancel(self, run: Run, why: str = PERSON) -> None:
        """End a run: really, on its host, with all that it started.

        Raises:
            ConnectFailed: its host can't be reached; it is ended when it can.
            StoreUnavailable: that can't be written: then nothing is done.
        """
        if run.row.state not in ("queued", "running"):
            # it is over, and that is being written
            return
        before, run.ending = run.ending, why
        if run.row.state == "running":
            try:
                await self._write(run)
            except StoreUnavailable:
                run.ending = before
                raise
            run.to_end.set()
            if not run.carried:
                await self._detached.cancel(run.way.target, run.detached_id)
        elif run.task is not None:
            run.task.cancel()
            await asyncio.gather(run.task, return_exceptions=True)
            if run.row.id in self.runs:
                await self._finish(run, _unbegun(run))

    def job_changed(self, job: Job) -> None:
        """A job was changed (after its commit): a backup that waits saves what it says now; what is under way goes on as it began."""
        for run in self.runs.values():
            waits = run.row.state == "queued" and not run.by_timer and isinstance(run.work, Backup)
            where = (run.job.id, run.job.host_id, run.repository.id) if waits and run.job else ()
            if where == (job.id, job.host_id, job.repository_id):
                run.job = job

    async def job_left(self, job_id: str) -> None:
        """A job was removed: what nobody wants any more without it is ended, be it as soon as its host is back."""
        for run in [r for r in self.runs.values() if r.job and r.job.id == job_id and ends_with_job(r.work)]:
            try:
                await self.cancel(run, REMOVED)
            except (ConnectFailed, DetachedFailed) as error:
                log.info("run %s of a job that was removed can't be ended yet: %s", run.row.id, error.detail)

    # --- and is carried -------------------------------------------------------------------------------

    async def _carry(self, run: Run) -> None:
        alone = run.row.operation in EXCLUSIVE[run.repository.spec.engine]
        while run.row.id in self.runs:
            if run.row.state == "queued" and run.not_before > self._clock.now():
                await asyncio.sleep(run.not_before - self._clock.now())
            at_once = self._of_host.setdefault(run.way.host_id, asyncio.Semaphore(self._at_once))
            # what a timer began runs already: others wait for it, it waits for nobody
            turn = self._turns.turn(run.repository.id, alone=alone, waits=not run.by_timer)
            async with turn, nullcontext() if run.by_timer else at_once:
                judgement = await self._attempt(run)
            if await self._again(run, judgement):
                continue
            await self._finish(run, judgement)

    async def _attempt(self, run: Run) -> Judgement:
        """One attempt, from its start (or from where it is) to its end."""
        if run.row.state == "queued" and run.cancelled:
            return _unbegun(run)
        if run.carried:
            return await self._attempt_carried(run)
        try:
            if run.row.state == "queued":
                fault = await (self._host_begins(run) if run.by_timer else self._begin(run))
                if fault is not None:
                    return fault
        except ConnectFailed as error:
            return Judgement(
                "network", error.detail, "See why the host can't be reached: test its connection."
            )
        except DetachedFailed as error:
            verdict: Verdict = _FAILED.get(error.kind, "failed")
            return Judgement(verdict, error.detail)
        except GuardianError as error:
            return Judgement("auth", error.detail, "Unlock the vault, or give the repository its secret.")
        self._following.follow(run.way)
        await run.ended.wait()
        look = run.look
        if (
            look is not None
            and look.state == "absent"
            and run.offsets == (0, 0)
            and isinstance(run.work, REPEATABLE)
            and not run.by_timer
        ):
            # the engine ended between its intent and the start: the host has never heard of it
            run.row = replace(run.row, state="queued", started_at=None)
            return await self._attempt(run)
        if look is None or look.state in ("lost", "absent"):
            return RESTARTED
        return judged(run, look, self._spec(run))

    async def _attempt_carried(self, run: Run) -> Judgement:
        """The same of what the engine carries itself."""
        if run.row.state == "running":
            return Judgement(
                "failed", "The engine ended while it carried the files: what came until then is there.", "Restore again."
            )  # fmt: skip
        run.on_its_host = False
        run.row = replace(run.row, state="running", started_at=self._clock.now(), progress=None)
        await self._write_surely(run)
        self._show(run)
        try:
            return await self._carrier.restore(run, self._show)
        except ConnectFailed as error:
            return Judgement("network", error.detail, "Test the connections of both hosts.")
        except GuardianError as error:
            return Judgement("auth", error.detail, "Unlock the vault, or give the repository its secret.")

    async def _host_begins(self, run: Run) -> Judgement | None:
        """Wait until its host's timer has begun it again."""
        until = run.not_before + HOST_LATE_SECONDS
        while True:
            look = None
            # a link that failed is perhaps the one to the host too
            with suppress(ConnectFailed):
                looks = await self._detached.look(run.way.target, {run.detached_id: (0, 0)}, limit_bytes=1)
                look = looks.get(run.detached_id)
            if look is not None and look.state != "absent":
                break
            if self._clock.now() > until:
                return Judgement(run.passing, f"{HINDERED[run.passing]}, and its host did not try again.")
            await asyncio.sleep(UNHEARD_SECONDS)
        run.reader, run.offsets = None, (0, 0)
        run.ended.clear()
        run.row = replace(run.row, state="running", started_at=look.started_at or self._clock.now())
        await self._write_surely(run)
        self._show(run)
        return None

    async def _begin(self, run: Run) -> Judgement | None:
        """Start it on its host; its intent is on disk before."""
        spec = run.repository.spec
        job = self._spec(run)
        limits = job or JobSpec(name="none", host="", repository=spec.name)
        most, run.limit = most_seconds(run, limits, self._clock.now())
        if most <= 0:
            return Judgement(
                "failed",
                f"Its window ({limits.window}) was over before its turn came.",
                "Give it a longer window.",
            )
        place = await self._sites.place(run.way, spec, job.lock_wait_seconds if job else 600.0)
        if not place.capabilities.version:
            return Judgement("failed", place.capabilities.words, f"Install {spec.engine} on {run.way.name}.")
        if job is not None and job.own_state and isinstance(run.work, Backup):
            fault = await self._own_state.prepare(job, run.way)
            if fault is not None:
                return fault
        try:
            other = await self._other(run)
            stages = stages_of(run.work, adapter(spec.engine), place, job, run.row.id, other)
            references = adapter(spec.engine).copy_secrets(spec, other.spec) if other else spec.secrets
        except ValueError as error:
            return Judgement("failed", str(error))
        if not stages:
            return Judgement("failed", f"{spec.engine} can't do that.")
        # one that was begun under this id already goes on under its word
        run.word, run.marks = run.word or f"@{secrets.token_hex(12)}", marks_of(stages)
        run.on_its_host = False
        run.row = replace(run.row, state="running", started_at=self._clock.now(), progress=None)
        run.reader, run.offsets = None, (0, 0)
        run.ended.clear()
        hidden = await self._sites.secrets(references)
        await self._write_surely(run)
        self._show(run)
        try:
            await self._detached.start(
                run.way.target,
                DetachedRun(
                    run.detached_id,
                    render(stages, run.word),
                    most,
                    hidden,
                    limits.nice,
                    limits.idle_io,
                    run.job.id if run.job and isinstance(run.work, Backup) else "",
                ),
            )
        except ConnectFailed as error:
            # it may have begun all the same: whoever follows it sees
            log.info("the start of run %s was not answered: %s", run.row.id, error.detail)
        run.on_its_host = True
        return None

    def _spec(self, run: Run) -> JobSpec | None:
        """The job as its engine is told it."""
        return self._own_state.spec(run.job.spec) if run.job else None

    async def _other(self, run: Run) -> Place | None:
        """The repository that a run copies to, as its host reaches it."""
        found = self._repositories.get(run.work.repository) if isinstance(run.work, Copy) else None
        return await self._sites.place(run.way, found.spec) if found else None

    async def _again(self, run: Run, judgement: Judgement) -> bool:
        """Whether it is tried again: what was locked, or could not be reached."""
        tries = run.job.spec.tries if run.job else 1
        # what a timer began its host begins again, once it has seen it end
        unseen = run.by_timer and not run.ended.is_set()
        if judgement.verdict not in RETRY_SECONDS or run.row.attempt >= tries or run.cancelled or unseen:
            return False
        run.passing = judgement.verdict
        wait = RETRY_SECONDS[run.passing] * 2 ** (run.row.attempt - 1)
        if not run.by_timer:
            # its host, which reads there what hindered it, has the other still in hand
            with suppress(ConnectFailed, DetachedFailed):
                await self._detached.forget(run.way.target, run.detached_id)
        run.not_before, run.word = self._clock.now() + wait, run.word if run.by_timer else ""
        run.row = replace(
            run.row, state="queued", attempt=run.row.attempt + 1, started_at=None, progress=None,
            words=f"{judgement.words} It is tried again in {wait / 60:.0f} min.",
        )  # fmt: skip
        run.ended.clear()
        await self._write_surely(run)
        self._show(run)
        return True

    # --- and ends -------------------------------------------------------------------------------------

    async def _finish(self, run: Run, judgement: Judgement) -> None:
        run.row = ended_row(run, judgement, self._clock.now())
        if run.job is not None:
            self.settling[run.row.id] = run.job.id
        try:
            await self._settle(run)
        finally:
            self.settling.pop(run.row.id, None)

    async def _settle(self, run: Run) -> None:
        await self._write_surely(run, told=True)
        self.runs.pop(run.row.id, None)
        self._show(run)
        if run.job is not None and run.job.spec.own_state and isinstance(run.work, Backup):
            await self._own_state.clear(run.job.spec)
        with suppress(ConnectFailed, DetachedFailed):
            await self._detached.forget(run.way.target, run.detached_id)
        await self._ended(run)

    async def _write_surely(self, run: Run, *, told: bool = False) -> None:
        """Write a run; what can't be written now is written when the store is back, and told nowhere before that."""
        while True:
            try:
                await self._write(run, told=told)
                return
            except (StoreUnavailable, AuditUnavailable) as error:
                log.warning("run %s can't be written yet: %s", run.row.id, error.detail)
                await asyncio.sleep(UNHEARD_SECONDS)

    async def _write(self, run: Run, *, told: bool = False) -> None:
        job_id = run.job.id if run.job else ""
        text = "\n".join(run.reader.log) if run.reader and told else ""
        async with self._store.write() as tx:
            await records.put_run(
                tx,
                run.row,
                run.plan(),
                job_id=job_id,
                repository_id=run.repository.id,
                new=False,
                log_text=text,
            )
            if told:
                await self._audit.append(tx, event(run.row))

    def _show(self, run: Run) -> None:
        self._live.runs.put(run.row.id, run.row, run.way.labels)
        if run.row.state in ("ended", "lost"):
            now = self._clock.now()
            self._shown[run.row.id] = now
            for run_id, at in list(self._shown.items()):
                if now - at > SHOWN_SECONDS:
                    self._live.runs.drop(run_id)
                    del self._shown[run_id]

    def log_of(self, run_id: str) -> tuple[list[str], list[str]] | None:
        """The end of the log of a run that is under way, and its warnings."""
        run = self.runs.get(run_id)
        if run is None or run.reader is None:
            return None
        return list(run.reader.log), run.reader.warnings


def _unbegun(run: Run) -> Judgement:
    words = "It was ended before it began." if run.ending == PERSON else run.ending
    return Judgement("cancelled", words)
