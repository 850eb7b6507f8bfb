"""Repositories and jobs of the config file, brought in step with the store."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence

from guardian_tui.engine.backups import records
from guardian_tui.engine.backups.own_state import problem
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.schedule import BadSchedule, check_window, parse
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.remote.ways import Ways
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.backups import JobSpec, RepositorySpec
from guardian_tui.protocol.errors import InvalidRequest

log = logging.getLogger(__name__)


async def take_repositories(
    store: Store, clock: Clock, known: dict[str, Repository], wanted: Sequence[RepositorySpec]
) -> None:
    """Add, change and remove the repositories of the config file; what was made on screen is left alone."""
    named = {one.spec.name: one for one in known.values()}
    async with store.write() as tx:
        for one in [one for one in known.values() if one.source == "config"]:
            if one.spec.name not in {spec.name for spec in wanted}:
                await records.remove_repository(tx, one.id)
                del known[one.id]
        for spec in wanted:
            found = named.get(spec.name)
            if found is None:
                found = Repository(secrets.token_hex(8), spec, "config", clock.now())
                known[found.id] = found
                await records.put_repository(tx, found, new=True)
            elif found.source != "config":
                log.warning(
                    "[repositories.%s]: there is such a repository already, made on screen; that one counts",
                    spec.name,
                )
            elif found.spec != spec:
                found.spec = spec
                await records.put_repository(tx, found, new=False)


async def take_jobs(
    store: Store, clock: Clock, ways: Ways, known: dict[str, Job], repositories: dict[str, Repository], wanted: Sequence[JobSpec]
) -> None:  # fmt: skip
    """The same for jobs.

    Raises:
        InvalidRequest: a job names a repository that there is not, or its schedule can't be understood.
    """
    named = {job.spec.name: job for job in known.values()}
    by_name = {one.spec.name: one for one in repositories.values()}
    async with store.write() as tx:
        for job in [job for job in known.values() if job.source == "config"]:
            if job.spec.name not in {spec.name for spec in wanted}:
                await records.remove_job(tx, job.id)
                del known[job.id]
        for spec in wanted:
            repository = by_name.get(spec.repository)
            if repository is None:
                raise InvalidRequest(
                    f"[backups.{spec.name}]: there is no repository {spec.repository!r}; there are: {', '.join(sorted(by_name)) or 'none'}.",
                    field=f"backups.{spec.name}",
                )
            _check(spec)
            way = ways.way(spec.host)
            wrong = problem(spec, way, repository.spec.engine, ways.way(repository.spec.host))
            if wrong:
                raise InvalidRequest(f"[backups.{spec.name}]: {wrong}", field=f"backups.{spec.name}")
            host_id = way.host_id if way else f"missing:{spec.host}"
            found = named.get(spec.name)
            if found is None:
                found = Job(secrets.token_hex(8), spec, host_id, repository.id, "config", clock.now())
                known[found.id] = found
                await records.put_job(tx, found, new=True)
            elif found.source != "config":
                log.warning(
                    "[backups.%s]: there is such a job already, made on screen; that one counts", spec.name
                )
            elif (found.spec, found.host_id, found.repository_id) != (spec, host_id, repository.id):
                if (found.repository_id, found.spec.match) != (repository.id, spec.match):
                    await records.disown_snapshots(tx, found.id)
                found.spec, found.host_id, found.repository_id = spec, host_id, repository.id
                found.memory.next_at = None
                await records.put_job(tx, found, new=False)


def _check(spec: JobSpec) -> None:
    try:
        if spec.schedule:
            parse(spec.schedule)
        check_window(spec.window)
    except BadSchedule as error:
        raise InvalidRequest(f"[backups.{spec.name}]: {error}", field=f"backups.{spec.name}") from error
