"""Timers on hosts: whose they are, when each host is visited, and what they are to begin next."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from guardian_tui.engine.backups.adoption import Adoption
from guardian_tui.engine.backups.reconciling import Reconciling, wants_timer
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.runner import Runner
from guardian_tui.engine.backups.sites import Sites
from guardian_tui.engine.backups.timer_records import Key, TimerMemory, read_timers
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import AuditSink
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import Reachability, SecretChanged, VaultUnlocked
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.remote.detached_looks import DetachedFailed
from guardian_tui.engine.remote.host_timers import HostTimers
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Ways
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.turns import next_turn
from guardian_tui.protocol.backups import TimerRow
from guardian_tui.protocol.errors import GuardianError

log = logging.getLogger(__name__)

TURN_SECONDS = 5.0
FIRST_SECONDS = 20.0
"""A host that nothing was heard of is visited so long after the start."""
RECONCILE_SECONDS = 3600.0
LOOK_SECONDS = 600.0
"""A host is asked so often for what its timers began…"""
DUE_LOOK_SECONDS = 20.0
"""…and so often while something is due there."""
LATE_SECONDS = 300.0
"""What has not begun so long after it was due, its jitter counted, did not begin."""
EARLY_SECONDS = 60.0
"""A clock of a host may be so much behind."""
UNHEARD_SECONDS = 600.0
"""A host that did not answer; as soon as it is up again it is visited at once."""
AT_ONCE = 4


@dataclass(slots=True)
class _Visits:
    """When a host is visited next, by monotonic time."""

    reconcile_at: float
    look_at: float
    task: asyncio.Task[None] | None = None
    due: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Job → when its timer is to begin a run, and until when at the latest."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    begun: dict[str, float] = field(default_factory=dict)
    """Job → when the newest run of its timer that was seen began."""


class Timers:
    """The timers of all jobs.

    Args:
        hosts: gives orders about them; None: there are none, and the engine begins all that is due.
        detached: where what they begin is told of.
    """

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, audit: AuditSink, ways: Ways, sites: Sites, runner: Runner, detached: DetachedRuns,
        hosts: HostTimers | None,
    ) -> None:  # fmt: skip
        self._store = store
        self._clock = clock
        self._ways = ways
        self.known: dict[Key, TimerMemory] = {}
        self._jobs: Mapping[str, Job] = {}
        self._repositories: Mapping[str, Repository] = {}
        self._visits: dict[str, _Visits] = {}
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._task: asyncio.Task[None] | None = None
        self._silent: set[str] = set()
        """Jobs whose timers began nothing of what was due last…"""
        self._overdue: set[str] = set()
        """…and which the engine has not begun yet."""
        self._parts: tuple[Reconciling, Adoption] | None = None
        if hosts is not None:
            reconciling = Reconciling(store, clock, audit, sites, hosts, detached, self.known)
            self._parts = (reconciling, Adoption(store, audit, hosts, detached, runner))
            bus.subscribe(Reachability, self._reached)
            bus.subscribe(VaultUnlocked, lambda fact: self._all_soon())
            bus.subscribe(SecretChanged, self._secret_changed)

    async def start(self, jobs: Mapping[str, Job], repositories: Mapping[str, Repository]) -> None:
        """Take up what is known, and begin; the tables are the service's own, and change with it."""
        self._jobs, self._repositories = jobs, repositories
        self.known.update(await read_timers(self._store))
        if self._parts is not None:
            self._task = asyncio.create_task(self._visiting(), name="backups: timers on hosts")

    async def stop(self) -> None:
        """End; the timers go on."""
        tasks = [self._task, *(visits.task for visits in self._visits.values())]
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)

    # --- who begins what is due -----------------------------------------------------------------------

    def in_charge(self, job: Job) -> bool:
        """Whether its host begins what is due of a job."""
        memory = self.known.get((job.id, job.host_id))
        return bool(memory and memory.form and wants_timer(job))

    def zone_seconds(self, job: Job) -> int | None:
        """How far the clock that its timer goes by is ahead of UTC; None: the engine's own counts."""
        memory = self.known.get((job.id, job.host_id))
        return memory.zone_seconds if memory and memory.form and wants_timer(job) else None

    def expect(self, job: Job, due: float) -> None:
        """Its timer is to go off now: what it begins is looked for."""
        visits = self._of(job.host_id)
        visits.due[job.id] = (due, self._until(job))
        visits.look_at = 0.0

    def overdue(self, job: Job) -> bool:
        """Whether its timer did not begin what was due, so that the engine must; asked once."""
        found = job.id in self._overdue
        self._overdue.discard(job.id)
        return found

    def row(self, job: Job) -> TimerRow | None:
        """What a person sees of it; None: it has no schedule."""
        spec = job.spec
        if not spec.schedule or not spec.enabled or job.observed:
            return None
        memory = self.known.get((job.id, job.host_id))
        if not wants_timer(job):
            words = (
                "Guardian's own state is saved by the engine alone"
                if spec.own_state and spec.timer == "host"
                else ""
            )
            return TimerRow(place="engine", words=words)
        if memory is None:
            return TimerRow(place="engine", wanted="host", words="not installed yet" if self._parts else "")
        words = memory.words
        if memory.form and job.id in self._silent:
            words = words or "it did not begin what was due last: the engine did"
        return TimerRow(
            place="host" if self.in_charge(job) else "engine", form=memory.form, wanted="host", words=words,
            unable=memory.unable, reconciled_at=memory.reconciled_at, begun_at=memory.begun_at, changed=memory.changed,
            changed_at=memory.mended_ats[-1] if memory.mended_ats else None,
        )  # fmt: skip

    # --- when -----------------------------------------------------------------------------------------

    def job_changed(self, job_id: str) -> None:
        """A job was added, changed or removed: its hosts are visited at once, those too that it has left."""
        job = self._jobs.get(job_id)
        hosts = {host_id for known, host_id in self.known if known == job_id}
        if job is not None and wants_timer(job):
            hosts.add(job.host_id)
        for host_id in hosts:
            self._of(host_id).reconcile_at = 0.0

    def _of(self, host_id: str) -> _Visits:
        return self._visits.setdefault(host_id, _Visits(0.0, 0.0))

    def _reached(self, fact: Reachability) -> None:
        visits = self._visits.get(fact.host_id)
        if fact.state != "up" or fact.successes != 1 or visits is None:
            return
        visits.reconcile_at = 0.0
        # it may just have been started: what was due while it was off begins now, each after its jitter
        for job_id, (due, until) in list(visits.due.items()):
            job = self._jobs.get(job_id)
            if job is not None:
                visits.due[job_id] = (due, max(until, self._until(job)))

    def _until(self, job: Job) -> float:
        return self._clock.now() + job.spec.jitter_seconds + LATE_SECONDS

    def _all_soon(self) -> None:
        for visits in self._visits.values():
            visits.reconcile_at = 0.0

    def _secret_changed(self, fact: SecretChanged) -> None:
        for job in self._jobs.values():
            repository = self._repositories.get(job.repository_id)
            if repository is not None and repository.uses(fact.name) and wants_timer(job):
                self._of(job.host_id).reconcile_at = 0.0

    def _concerned(self) -> Iterable[str]:
        """Hosts that have timers, or are to have some."""
        return {host_id for _, host_id in self.known} | {
            job.host_id for job in self._jobs.values() if wants_timer(job)
        }

    async def _visiting(self) -> None:
        begun = self._clock.monotonic()
        while True:
            now = self._clock.monotonic()
            for host_id in self._concerned():
                visits = self._visits.get(host_id)
                if visits is None:
                    soon = now - begun > FIRST_SECONDS or host_id == "local"
                    first = now if soon else now + random.uniform(0.0, FIRST_SECONDS)  # noqa: S311  # jitter, not a secret
                    visits = self._visits[host_id] = _Visits(first, first)
                if visits.task is None and now >= min(visits.reconcile_at, visits.look_at):
                    visits.task = asyncio.create_task(
                        self._visit(host_id, visits), name=f"timers on {host_id}"
                    )
            await next_turn(TURN_SECONDS)

    async def _visit(self, host_id: str, visits: _Visits) -> None:
        try:
            async with self._at_once:
                await self.visit(host_id)
        except (ConnectFailed, DetachedFailed) as error:
            log.info("the timers on %s can't be seen to: %s", host_id, error.detail)
            self._unheard(visits)
        except GuardianError as error:
            log.warning("the timers on %s can't be seen to: %s", host_id, error.detail)
            self._unheard(visits)
        except Exception:
            log.exception("the timers on %s can't be seen to in a way that is not foreseen", host_id)
            self._unheard(visits)
        finally:
            visits.task = None

    def _unheard(self, visits: _Visits) -> None:
        later = self._clock.monotonic() + UNHEARD_SECONDS
        visits.reconcile_at, visits.look_at = max(visits.reconcile_at, later), later

    async def visit(self, host_id: str, *, reconcile: bool = False) -> None:
        """Take up what the timers of a host have begun, and compare them with what they are to be if it is time to.

        Raises:
            ConnectFailed, DetachedFailed: the host can't be asked.
            GuardianError: nothing can be written.
        """
        visits = self._of(host_id)
        # one at a time: what was found is taken up before anybody else looks
        async with visits.lock:
            await self._see_to(host_id, visits, reconcile)

    async def _see_to(self, host_id: str, visits: _Visits, reconcile: bool) -> None:
        assert self._parts is not None  # noqa: S101  # nobody visits without
        reconciling, adoption = self._parts
        way = self._ways.way(host_id)
        if way is None:
            for key in [key for key in self.known if key[1] == host_id]:
                await reconciling.left_behind(key)
            visits.reconcile_at = visits.look_at = self._clock.monotonic() + RECONCILE_SECONDS
            return
        # first: what has ended is judged before its timer goes
        mine = {job.id: job for job in self._jobs.values() if (job.id, host_id) in self.known}
        begun = await adoption.look(way, mine, self._repositories) if mine else {}
        for job_id, at in begun.items():
            visits.begun[job_id] = max(at, visits.begun.get(job_id, 0.0))
            memory = self.known[job_id, host_id]
            memory.begun_at = max(at, memory.begun_at or 0.0)
        now = self._clock.monotonic()
        late = any(until < self._clock.now() for _, until in visits.due.values())
        if reconcile or late or now >= visits.reconcile_at:
            # before, not after: who asks for it meanwhile is heard
            visits.reconcile_at = now + RECONCILE_SECONDS * random.uniform(0.9, 1.0)  # noqa: S311  # jitter, not a secret
            await reconciling.reconcile(way, self._jobs, self._repositories)
        self._seen(host_id, visits)
        visits.look_at = self._clock.monotonic() + (DUE_LOOK_SECONDS if visits.due else LOOK_SECONDS)

    def _seen(self, host_id: str, visits: _Visits) -> None:
        now = self._clock.now()
        for job_id, (due, until) in list(visits.due.items()):
            job, memory = self._jobs.get(job_id), self.known.get((job_id, host_id))
            last = job.last.queued_at if job is not None and job.last is not None else 0.0
            told = memory.begun_at if memory is not None else None
            if job is None or max(visits.begun.get(job_id, 0.0), last, told or 0.0) >= due - EARLY_SECONDS:
                del visits.due[job_id]
                self._silent.discard(job_id)
            elif now > until:
                del visits.due[job_id]
                self._silent.add(job_id)
                self._overdue.add(job_id)
                log.warning("the timer of %s began nothing of what was due", job.spec.name)
