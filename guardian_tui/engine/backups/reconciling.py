"""One host's timers, compared with what they are to be, and put right: each change an audited act, its intent on disk before."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from guardian_tui.engine.backups import timer_records, timer_texts
from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.schedule import parse, zone_ahead
from guardian_tui.engine.backups.sites import Sites
from guardian_tui.engine.backups.timer_records import Key, TimerMemory
from guardian_tui.engine.backups.work import Backup, stages_of
from guardian_tui.engine.calls import AuditSink, Entry
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.remote.detached_looks import DetachedFailed
from guardian_tui.engine.remote.host_timers import HostTimers, Installed, Survey
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.errors import GuardianError, VaultLocked

log = logging.getLogger(__name__)

BY = "engine"
MENDED_SECONDS = 86400.0
MENDED_MOST = 3
"""What others change more often within a day is left as it is: two that set each other right would never end."""


def wants_timer(job: Job) -> bool:
    """Whether its host is to begin what is due of a job; an archive of Guardian's own state only the engine makes."""
    spec = job.spec
    return bool(
        spec.timer == "host" and spec.schedule and spec.enabled and not job.observed and not spec.own_state
    )


REFUSED_SECONDS = 6 * 3600.0
"""What a host could not take is offered again after so long; the engine begins what is due meanwhile."""


class _Impossible(Exception):
    """A job can't have a timer; says why."""

    unable = False
    """Whether no job of its host can."""


class _Unable(_Impossible):
    """A host has nothing that could begin a run."""

    unable = True


class Reconciling:
    """Brings the timers of a host in step.

    Args:
        known: what is installed where; changed in place, and on disk before anything is done on a host.
        runs: how timers begin runs.
    """

    def __init__(
        self, store: Store, clock: Clock, audit: AuditSink, sites: Sites, hosts: HostTimers, runs: DetachedRuns, known: dict[Key, TimerMemory],
    ) -> None:  # fmt: skip
        self._store = store
        self._clock = clock
        self._audit = audit
        self._sites = sites
        self._hosts = hosts
        self._runs = runs
        self._known = known

    async def reconcile(
        self, way: Way, jobs: Mapping[str, Job], repositories: Mapping[str, Repository]
    ) -> None:
        """Compare, install, change and remove.

        Args:
            way: the host.
            jobs: all that there are.
            repositories: by id.

        Raises:
            ConnectFailed, DetachedFailed: the host can't be asked.
            GuardianError: nothing can be written: then nothing is done.
        """
        wanted = {job.id: job for job in jobs.values() if job.host_id == way.host_id and wants_timer(job)}
        known = [key for key in self._known if key[1] == way.host_id]
        if not wanted and not known:
            return
        survey = await self._hosts.survey(way.target, {*wanted, *(job_id for job_id, _ in known)})
        for key in known:
            if key[0] not in wanted:
                await self._remove(key, way, gone=key[0] not in jobs)
        for job in wanted.values():
            await self._bring(job, repositories.get(job.repository_id), way, survey)

    # --- one of them ----------------------------------------------------------------------------------

    async def _bring(self, job: Job, repository: Repository | None, way: Way, survey: Survey) -> None:
        key = (job.id, way.host_id)
        memory = self._known.get(key) or TimerMemory(job.spec.name, way.name)
        memory.zone_seconds, memory.reconciled_at = survey.zone_seconds, self._clock.now()
        found = survey.timers.get(job.id, Installed())
        memory.begun_at = found.begun_at or memory.begun_at
        try:
            if repository is None:
                raise _Impossible(f"its repository {job.spec.repository} is not there")
            wanted = await self._texts(job, repository, way, survey, "secrets" in found.sums)
        except _Impossible as error:
            memory.words, memory.unable = str(error), error.unable
            if memory.form and survey.form == "none":
                memory.form = ""
            await self._keep(key, memory)
            return
        memory.unable = False
        different = timer_texts.differing(wanted, found.sums)
        if not different and not found.asleep and memory.form == survey.form:
            memory.words = found.trouble
            await self._keep(key, memory)
            return
        await self._put(key, memory, job, way, survey, wanted, found)

    async def _texts(
        self, job: Job, repository: Repository, way: Way, survey: Survey, has_secrets: bool
    ) -> dict[str, str]:
        if survey.form == "none":
            raise _Unable(survey.words)
        spec, one = repository.spec, adapter(repository.spec.engine)
        try:
            secrets = await self._sites.secrets(spec.secrets)
        except GuardianError as error:
            # what is there already stays, and goes on
            if not has_secrets or not isinstance(error, VaultLocked):
                raise _Impossible(error.detail) from error
            secrets = None
        place = await self._sites.place(way, spec, job.spec.lock_wait_seconds)
        if not place.capabilities.version:
            raise _Impossible(place.capabilities.words)
        time = timer_texts.timing(
            job.spec, parse(job.spec.schedule), self._clock.now(), zone_ahead(survey.zone_seconds)
        )
        try:
            stages = stages_of(Backup(), one, place, job.spec, timer_texts.run_pattern(job.id))
            return timer_texts.texts(job.id, job.spec, stages, one, time, survey, self._runs, secrets)
        except ValueError as error:
            raise _Impossible(str(error)) from error

    async def _put(
        self, key: Key, memory: TimerMemory, job: Job, way: Way, survey: Survey, wanted: Mapping[str, str], found: Installed
    ) -> None:  # fmt: skip
        now = self._clock.now()
        foreign = timer_texts.foreign(memory.sums, found.sums, found.asleep) if memory.form else ""
        if foreign:
            memory.mended_ats = [at for at in memory.mended_ats if now - at < MENDED_SECONDS]
            if len(memory.mended_ats) >= MENDED_MOST:
                memory.words = (
                    f"somebody else changes {foreign} on the host again and again; it is left so for a day"
                )
                await self._keep(key, memory)
                return
        offered = timer_texts.digest(repr((survey.form, sorted(timer_texts.sums(wanted).items()))))
        if memory.refused == offered and memory.refused_at and now - memory.refused_at < REFUSED_SECONDS:
            await self._keep(key, memory)
            return
        act = "mend" if foreign else "change" if memory.form else "install"
        # a row before anything is there: what a killed engine leaves behind is found again
        await self._keep(key, memory)
        body = {"host": way.name, "form": survey.form}
        if foreign:
            log.warning("the timer of %s on %s: somebody had changed %s", job.spec.name, way.name, foreign)
            body["changed"] = foreign
        anew = memory.schedule != job.spec.schedule
        await self._audit.record(Entry(BY, f"backups.timer.{act}", job.spec.name, "intent", body=body))
        try:
            await self._hosts.install(way.target, job.id, survey.form, wanted, anew=anew)
        except (ConnectFailed, DetachedFailed) as error:
            memory.words = error.detail
            if isinstance(error, DetachedFailed):
                memory.refused, memory.refused_at = offered, now
            await self._failed(f"backups.timer.{act}", key, memory, error.detail)
            return
        memory.form, memory.schedule, memory.words = survey.form, job.spec.schedule, ""
        memory.refused, memory.refused_at = "", None
        memory.sums = timer_texts.sums(wanted)
        if anew:
            memory.begun_at = now
        if foreign:
            memory.changed = foreign
            memory.mended_ats.append(now)
        await self._keep(key, memory)
        await self._audit.record(Entry(BY, f"backups.timer.{act}", job.spec.name, "ok", body=body))

    async def _remove(self, key: Key, way: Way, *, gone: bool) -> None:
        memory = self._known[key]
        body = {"host": way.name, "form": memory.form}
        await self._audit.record(Entry(BY, "backups.timer.remove", memory.job, "intent", body=body))
        try:
            await self._hosts.uninstall(way.target, key[0], with_runs=gone)
        except (ConnectFailed, DetachedFailed) as error:
            await self._failed("backups.timer.remove", key, memory, error.detail)
            return
        async with self._store.write() as tx:
            await timer_records.remove_timer(tx, key)
            await self._audit.append(tx, Entry(BY, "backups.timer.remove", memory.job, "ok", body=body))
        self._known.pop(key, None)

    async def left_behind(self, key: Key) -> None:
        """Forget one whose host is watched no more: nobody can remove it from there."""
        memory = self._known[key]
        log.warning("the timer of %s stays on %s, which is watched no more", memory.job, memory.host)
        body = {"host": memory.host, "error": "its host is watched no more: the timer stays there"}
        async with self._store.write() as tx:
            await timer_records.remove_timer(tx, key)
            await self._audit.append(tx, Entry(BY, "backups.timer.remove", memory.job, "failed", body=body))
        self._known.pop(key, None)

    async def _failed(self, action: str, key: Key, memory: TimerMemory, why: str) -> None:
        await self._keep(key, memory)
        body = {"host": memory.host, "error": why}
        await self._audit.record(Entry(BY, action, memory.job, "failed", body=body))

    async def _keep(self, key: Key, memory: TimerMemory) -> None:
        async with self._store.write() as tx:
            await timer_records.put_timer(tx, key, memory)
        self._known[key] = memory
