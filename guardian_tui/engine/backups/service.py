"""The backups' service: jobs and repositories, what is known of them, and what is told to the live tables and to the rules."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

from guardian_tui.engine.backups import judge, recall, records, settle
from guardian_tui.engine.backups.carrier import Carrier
from guardian_tui.engine.backups.copying import Copying
from guardian_tui.engine.backups.engines.base import Judgement
from guardian_tui.engine.backups.following import tell_fault
from guardian_tui.engine.backups.observer import Observer
from guardian_tui.engine.backups.own_state import OwnState
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.rereading import Rereading
from guardian_tui.engine.backups.runner import SHOWN_SECONDS, Runner
from guardian_tui.engine.backups.runs import Run
from guardian_tui.engine.backups.settings import take_jobs, take_repositories
from guardian_tui.engine.backups.sites import Sites
from guardian_tui.engine.backups.timers import Timers
from guardian_tui.engine.backups.work import Copy
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import AuditSink
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import HostsChanged, Layout, Sample, WaveDone
from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.remote.host_timers import HostTimers
from guardian_tui.engine.remote.ways import Way, Ways
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.turns import going_on
from guardian_tui.protocol.backups import JobRow, JobSpec, RepositoryRow, RepositorySpec
from guardian_tui.protocol.errors import StoreUnavailable

log = logging.getLogger(__name__)

JUDGE_SECONDS = 30.0
OBSERVE_SECONDS = 900.0
ARCHIVE_SECONDS = 30.0
ASKED_WITHIN_RPO = 4
"""An archive is asked so often within the shortest RPO of its jobs."""
CLEAN_SECONDS = 86400.0
NO_HOST = Way("", "", {}, None)


class Backups:
    """All backups of an engine.

    Args:
        resolve: the secret behind a reference.
        keep_days: how long runs are remembered.
        wanted: repositories and jobs of the config file.
        detached: how runs are started; the usual way if it is not given.
        at_once: runs beside each other on one host.
        own_state: how Guardian's own state is saved; not at all if it is not given.
        host_timers: makes what gives orders about timers on hosts; none there, and the engine begins what is due, if it is not given.
    """

    def __init__(
        self, store: Store, bus: Bus, live: Live, clock: Clock, audit: AuditSink, ways: Ways, commands: Commands,
        resolve: Callable[[str], Awaitable[str]], keep_days: float,
        wanted: tuple[Sequence[RepositorySpec], Sequence[JobSpec]] = ((), ()), detached: DetachedRuns | None = None, at_once: int = 2,
        own_state: OwnState | None = None, host_timers: Callable[[DetachedRuns], HostTimers] | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self._bus = bus
        self._live = live
        self._clock = clock
        self._ways = ways
        self._audit = audit
        self._keep_days = keep_days
        self._wanted = wanted
        self.sites = Sites(commands, resolve)
        self.observer = Observer(store, clock, ways, self.sites, self._read)
        self.own_state = own_state or OwnState(None, None, resolve)
        runs = detached or DetachedRuns(commands)
        self.runner = Runner(
            store, live, clock, audit, ways, self.sites, runs, self._run_ended, self.own_state, at_once,
            Carrier(ways, self.sites, commands, clock),
        )  # fmt: skip
        self.timers = Timers(
            store,
            bus,
            clock,
            audit,
            ways,
            self.sites,
            self.runner,
            runs,
            host_timers(runs) if host_timers else None,
        )
        self.jobs: dict[str, Job] = {}
        self.repositories: dict[str, Repository] = {}
        self._since: dict[str, tuple[str, float]] = {}
        self._rows: dict[str, JobRow] = {}
        self._layouts: dict[str, Layout] = {}
        self._told: dict[str, set[str]] = {}
        self._refreshing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._reads: set[asyncio.Task[Judgement]] = set()
        self._ending: set[asyncio.Task[None]] = set()
        bus.subscribe(HostsChanged, self._hosts_changed)
        self._copying = Copying(store, audit, ways, self.runner, self.repository_named)
        self._rereading = Rereading(
            bus, ways, lambda: self.repositories.values() if self._tasks else (), self.observer.reads, self.read_soon
        )  # fmt: skip

    async def start(self) -> None:
        """Take up what the store has, and begin."""
        self.repositories = {one.id: one for one in await records.read_repositories(self._store)}
        self.jobs = {job.id: job for job in await records.read_jobs(self._store)}
        await take_repositories(self._store, self._clock, self.repositories, self._wanted[0])
        await take_jobs(self._store, self._clock, self._ways, self.jobs, self.repositories, self._wanted[1])
        await self._recall()
        await self.runner.start(self.jobs, self.repositories)
        await self.timers.start(self.jobs, self.repositories)
        self.judge()
        self._tasks = [
            asyncio.create_task(self._judging(), name="backups: judging"),
            asyncio.create_task(self._observing(), name="backups: reading repositories"),
            asyncio.create_task(self._following_archives(), name="backups: archives of databases"),
            asyncio.create_task(self._cleaning(), name="backups: old runs"),
            asyncio.create_task(self._recall_runs(), name="backups: runs of the last day"),
        ]

    async def _recall_runs(self) -> None:
        """What came of runs of the last day is shown again."""
        with going_on("runs of the last day can't be shown again"):
            for row in await records.runs_ended_since(self._store, self._clock.now() - SHOWN_SECONDS):
                if way := self._ways.way(row.host):
                    self.runner.recall(row, way)

    async def stop(self) -> None:
        """End; runs go on on their hosts."""
        tasks = [*self._tasks, *self._reads, *self._ending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.timers.stop()
        await self.runner.stop()
        await self.observer.stop()

    async def _recall(self, settled: str = "", only: Iterable[str] | None = None) -> set[str]:
        """What is known of jobs, from the store; taken up at once, so that nobody sees half of it.

        Args:
            settled: the run from which nothing more follows; a job of another one that is over is left as it is until then.
            only: jobs of which something has changed, beside those that were read anew; None: of any of them.

        Returns:
            Those that were taken up where ``only`` is given.
        """
        changed = self.observer.touched.union(only or ())
        self.observer.touched = set()
        wanted = None if only is None else changed
        try:
            known = await recall.known_of(self._store, self._clock.now(), wanted)
        except BaseException:
            self.observer.touched |= changed
            raise
        self.runner.settling.pop(settled, None)
        settling = set(self.runner.settling.values())
        for job_id in self.jobs if wanted is None else wanted:
            job = self.jobs.get(job_id)
            if job is not None and job_id not in settling:
                known.tell(job)
        self.observer.touched |= changed & settling
        for job in self.jobs.values():
            repository = self.repositories.get(job.repository_id)
            if job.id not in settling:
                judge.tell_archive(job, repository.memory if repository else None)
        return changed

    # --- who is who -----------------------------------------------------------------------------------

    def job_named(self, name: str) -> Job | None:
        """A job by id or by name."""
        found = self.jobs.get(name)
        return found or next((job for job in self.jobs.values() if job.spec.name == name), None)

    def repository_named(self, name: str) -> Repository | None:
        """A repository by id or by name."""
        found = self.repositories.get(name)
        return found or next((one for one in self.repositories.values() if one.spec.name == name), None)

    def way(self, host: str) -> Way | None:
        """The way to a host by id or by name; an empty name is this machine."""
        return self._ways.way(host)

    def ways(self) -> Iterable[Way]:
        """The ways to all hosts."""
        return self._ways.ways()

    def way_of(self, job: Job) -> Way | None:
        """The way to a job's host."""
        return self._ways.way(job.host_id)

    def row_of(self, job: Job) -> JobRow:
        """The job's line, as it is now; while it is not known all that follows from a run's end, as it was before."""
        known_row = self._rows.get(job.id)
        if known_row is not None and job.id in self.runner.settling.values():
            return known_row
        now = self._clock.now()
        repository = self.repositories.get(job.repository_id)
        active = self.runner.active(job.id, "backup")
        state, words = judge.job_state(job, repository, active.row if active else None, now)
        known = self._since.get(job.id)
        if known is None or known[0] != state:
            known = self._since[job.id] = (state, now)
        return judge.job_row(
            job,
            repository,
            self.way_of(job),
            active.row if active else None,
            now,
            known[1],
            state,
            words,
            self.timers.row(job),
        )

    def jobs_in(self, repository: Repository) -> list[Job]:
        """The jobs that save to it."""
        return [job for job in self.jobs.values() if job.repository_id == repository.id]

    # --- they come, change and go ---------------------------------------------------------------------

    def joined(self, job: Job) -> None:
        """A job was added or changed (after its commit)."""
        before = self.jobs.get(job.id, job)
        self.jobs[job.id] = job
        self.runner.job_changed(job)
        self.observer.touched.add(job.id)
        self.timers.job_changed(job.id)
        self.judge((before.host_id, job.host_id))
        repository = self.repositories.get(job.repository_id)
        if repository is not None:
            self.read_soon(repository)

    def left(self, job: Job) -> None:
        """A job was removed (after its commit); what goes on of it is ended, but for restores."""
        self.jobs.pop(job.id, None)
        self.timers.job_changed(job.id)
        self._since.pop(job.id, None)
        self._rows.pop(job.id, None)
        self._live.backups.drop(job.id)
        task = asyncio.create_task(self.runner.job_left(job.id), name=f"ending runs of {job.spec.name}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        task.add_done_callback(tell_fault)
        self.judge((job.host_id,))

    def repository_joined(self, repository: Repository) -> None:
        """A repository was added or changed (after its commit)."""
        self.repositories[repository.id] = repository
        for job in self.jobs_in(repository):
            self.timers.job_changed(job.id)
        self._show_repository(repository)
        self.read_soon(repository)

    def repository_left(self, repository: Repository) -> None:
        """A repository was removed (after its commit)."""
        self.repositories.pop(repository.id, None)
        self._live.repositories.drop(repository.id)

    def read_soon(self, repository: Repository) -> asyncio.Task[Judgement]:
        """Read a repository now, in the background."""
        task = asyncio.create_task(self.read(repository), name=f"reading {repository.spec.name}")
        self._reads.add(task)
        task.add_done_callback(self._read_done)
        return task

    async def read(self, repository: Repository) -> Judgement:
        """Read a repository now, and judge its jobs by what was found."""
        judgement = await self.observer.read(repository, self.jobs.values())
        await self.refresh(only=(), read=(repository,))
        return judgement

    def _read_done(self, task: asyncio.Task[Judgement]) -> None:
        self._reads.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed in a way that is not foreseen", task.get_name(), exc_info=error)

    def _read(self, repository: Repository) -> None:
        # it may have been changed or removed while it was read
        if (now := self.repositories.get(repository.id)) is not None:
            self._show_repository(now)

    def repository_row(self, repository: Repository) -> RepositoryRow:
        """The repository's line, as it was when it was last read."""
        return judge.repository_row(repository, len(self.jobs_in(repository)))

    def _show_repository(self, repository: Repository) -> None:
        way = self._ways.way(repository.spec.host)
        row = self.repository_row(repository)
        if self._live.repositories.get(repository.id) != row:
            self._live.repositories.put(repository.id, row, way.labels if way else NO_HOST.labels)

    def _hosts_changed(self, fact: HostsChanged) -> None:
        for host_id in fact.removed:
            self._live.readiness.drop(host_id)
            self._layouts.pop(host_id, None)
            self._told.pop(host_id, None)
        if self._tasks:
            self._rows.clear()
            self.judge()

    # --- runs -----------------------------------------------------------------------------------------

    async def _run_ended(self, run: Run) -> None:
        """What follows from a run's end: the repository is read again, the snapshot is judged."""
        settle.remember(run)
        if run.job is not None and run.job.id not in self.jobs:
            return
        if run.row.operation in ("init", "backup", "retain", "copy", "unlock"):
            await self.observer.read(run.repository, self.jobs.values())
        await settle.write(self._store, run)
        read = [run.repository]
        if isinstance(run.work, Copy) and run.work.repository in self.repositories:
            read.append(self.repositories[run.work.repository])
            await self.observer.read(read[-1], self.jobs.values())
        if run.row.operation == "backup" and run.row.verdict == "ok" and run.job is not None:
            await self._copying.begin(self.jobs[run.job.id], run)
        await self.refresh(run.row.id, (run.job.id,) if run.job else (), read)

    async def refresh(
        self, settled: str = "", only: Iterable[str] | None = None, read: Iterable[Repository] = ()
    ) -> None:
        """Judge anew, from the store; one after another, or what was read earlier would be told later.

        Args:
            settled: the run from which nothing more follows.
            only: jobs of which something has changed, beside those whose snapshots were found changed; None: all are read again.
            read: repositories that were read before it: their jobs are judged too.
        """
        async with self._refreshing:
            changed = await self._recall(settled, only)
            if only is None:
                self.judge()
                return
            hosts = {self.jobs[id].host_id for id in changed if id in self.jobs}
            for one in read:
                hosts |= {job.host_id for job in self.jobs_in(one)}
                if way := self._ways.way(one.spec.host):
                    hosts.add(way.host_id)
            self.judge(hosts)

    # --- judged ---------------------------------------------------------------------------------------

    def judge(self, hosts: Collection[str] | None = None) -> None:
        """Judge jobs and hosts, and tell what has changed.

        Args:
            hosts: ids of those whose jobs are looked at; None: all of them, as the clock alone makes backups old.
        """
        now = self._clock.now()
        of_host: dict[str, list[JobRow]] = {}
        series: dict[str, dict[str, float]] = {}
        words: dict[str, dict[str, str]] = {}
        for job in self.jobs.values():
            if hosts is not None and job.host_id not in hosts:
                continue
            row = self.row_of(job)
            way = self.way_of(job)
            if self._rows.get(job.id) != row:
                self._rows[job.id] = row
                self._live.backups.put(job.id, row, way.labels if way else {"host": job.spec.host})
            of_host.setdefault(job.host_id, []).append(row)
            series.setdefault(job.host_id, {}).update(judge.series_of(job, row, now))
            if row.timer is not None and row.timer.words:
                words.setdefault(job.host_id, {})[judge.timer_series(row.name)] = row.timer.words
        self._judge_repositories(series, words, now)
        for way in self._ways.ways():
            if hosts is not None and way.host_id not in hosts:
                continue
            ready = judge.readiness(way, of_host.get(way.host_id, ()), now)
            if self._live.readiness.get(way.host_id) != ready:
                self._live.readiness.put(way.host_id, ready, way.labels)
        self._tell_rules({*series, *self._told} if hosts is None else set(hosts), series, words, now)

    def _judge_repositories(
        self, series: dict[str, dict[str, float]], words: dict[str, dict[str, str]], now: float
    ) -> None:
        """Repositories that can't be read, or are full soon, on the hosts that read them."""
        for repository in self.repositories.values():
            row, way = self._live.repositories.get(repository.id), self._ways.way(repository.spec.host)
            if way is not None:
                full = row.full_at if row is not None else None
                values, said = judge.repository_troubles(repository, full, now)
                series.setdefault(way.host_id, {}).update(values)
                words.setdefault(way.host_id, {}).update(said)

    def _tell_rules(
        self, hosts: Iterable[str], series: dict[str, dict[str, float]], words: dict[str, dict[str, str]], now: float
    ) -> None:  # fmt: skip
        """The series of the jobs of some hosts; those of jobs that are gone are well for the last time."""
        samples = []
        for host_id in hosts:
            values = series.get(host_id, {})
            gone = self._told.get(host_id, set()) - set(values)
            all_of_it = {**values, **dict.fromkeys(gone, 0.0)}
            self._told[host_id] = set(values)
            if not all_of_it or self._ways.way(host_id) is None:
                continue
            names = tuple(all_of_it)
            layout = self._layouts.get(host_id)
            if layout is None or layout.names != names:
                layout = self._layouts[host_id] = Layout(names)
            samples.append(Sample(host_id, now, layout, list(all_of_it.values()), words=words.get(host_id)))
        if samples:
            self._bus.publish(WaveDone(tuple(samples), "backups"))

    async def _judging(self) -> None:
        while True:
            await asyncio.sleep(JUDGE_SECONDS)
            try:
                self.judge()
            except Exception:
                log.exception("the backups could not be judged; they are the next time")

    async def _observing(self) -> None:
        await asyncio.sleep(random.uniform(1.0, 3.0))  # noqa: S311  # jitter, not a secret
        while True:
            await self._read_all(self.repositories.values())
            await asyncio.sleep(OBSERVE_SECONDS * random.uniform(0.9, 1.1))  # noqa: S311  # as above

    async def _following_archives(self) -> None:
        """A database's last archived commit is asked for several times within the age that it may have."""
        while True:
            await asyncio.sleep(ARCHIVE_SECONDS)
            with going_on("archives could not be asked; they are the next time"):
                await self.follow_archives()

    async def follow_archives(self) -> None:
        """Ask the archives that are due."""
        now = self._clock.now()
        due = []
        for one in self.repositories.values():
            asked = one.memory.archive_asked_at
            within = min(
                (job.spec.rpo_seconds for job in self.jobs_in(one) if job.spec.enabled), default=None
            )
            if asked is not None and within is not None and now - asked >= within / ASKED_WITHIN_RPO:
                due.append(one)
        if due:
            await asyncio.gather(*[self.observer.ask_archive(one) for one in due])
            await self.refresh(only=(), read=due)

    async def _read_all(self, some: Iterable[Repository]) -> None:
        done = await asyncio.gather(
            *[self.observer.read(one, self.jobs.values()) for one in some], return_exceptions=True
        )
        for fault in done:
            if isinstance(fault, Exception) and not isinstance(fault, StoreUnavailable):
                log.error("a repository could not be read", exc_info=fault)
        with going_on("what was read could not be judged; it is the next time"):
            await self.refresh()

    async def remove_old(self) -> None:
        """Remove runs that ended longer ago than they are kept, by a time that no jump of the clock moves, and hashes of what is gone."""
        async with self._store.write() as tx:
            await records.remove_old_runs(tx, self._store.past.now() - self._keep_days * judge.DAY)
            await records.remove_old_hashes(tx)

    async def _cleaning(self) -> None:
        while True:
            with going_on("old runs could not be removed; they are the next time"):
                await self.remove_old()
            await asyncio.sleep(CLEAN_SECONDS)
