"""Runs that timers began on their hosts, taken up once: those under way are followed, those that have ended are judged as any other."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from guardian_tui.engine.backups import records
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.runner import Runner
from guardian_tui.engine.backups.runs import TIMER
from guardian_tui.engine.calls import AuditSink, Entry
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.remote.host_timers import HostTimers, Offer
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.store.database import Store

log = logging.getLogger(__name__)


class Adoption:
    """Takes up what timers began.

    Args:
        detached: where those runs are told of, and forgotten.
    """

    def __init__(
        self, store: Store, audit: AuditSink, timers: HostTimers, detached: DetachedRuns, runner: Runner
    ) -> None:
        self._store = store
        self._audit = audit
        self._timers = timers
        self._detached = detached
        self._runner = runner

    async def look(
        self, way: Way, jobs: Mapping[str, Job], repositories: Mapping[str, Repository]
    ) -> dict[str, float]:
        """Take up what is new on a host; answers job id → when the newest run of its timer there began.

        Args:
            way: the host.
            jobs: by id; those whose timers may be on it.
            repositories: by id.

        Raises:
            ConnectFailed, DetachedFailed: the host can't be asked.
        """
        offers = [offer for offer in await self._timers.offers(way.target) if offer.timer in jobs]
        newest = {offer.run: offer.attempt for offer in offers}
        begun: dict[str, float] = {}
        for offer in offers:
            begun[offer.timer] = max(offer.started_at or 0.0, begun.get(offer.timer, 0.0))
            if offer.run in self._runner.runs:
                continue
            job = jobs[offer.timer]
            stored = await records.run_named(self._store, offer.run)
            ours = stored is not None and stored[1] == job.id
            # what its host begins again after its end was told goes on
            over = stored is not None and ours and offer.attempt <= stored[0].attempt
            if offer.attempt < newest[offer.run] or over:
                # it is settled, or was begun again: only its folder is left
                if offer.state != "running":
                    await self._detached.forget(way.target, offer.id)
                continue
            repository = repositories.get(job.repository_id)
            if (stored is None or ours) and repository is not None:
                await self._adopt(offer, job, repository, way, new=stored is None)
        return begun

    async def _adopt(self, offer: Offer, job: Job, repository: Repository, way: Way, *, new: bool) -> None:
        try:
            async with self._store.write() as tx:
                run = await self._runner.adopt(tx, offer, job, repository, way, new=new)
                body = {"run": run.row.id, "host": way.name, "repository": repository.spec.name}
                await self._audit.append(tx, Entry(TIMER, "backups.backup", job.spec.name, "ok", body=body))
        except ValueError as error:
            log.warning("the run %s on %s can't be taken up: %s", offer.id, way.name, error)
