"""Runs that an engine before this one had not seen end: with what they are gone on with."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from guardian_tui.engine.backups.records import Job, Repository, StoredRun
from guardian_tui.engine.backups.runs import REMOVED, Run
from guardian_tui.engine.backups.script import Mark
from guardian_tui.engine.backups.work import Work, ends_with_job
from guardian_tui.engine.remote.ways import Ways
from guardian_tui.protocol.backups import JobSpec


def taken_up(
    stored: StoredRun, jobs: Mapping[str, Job], repositories: Mapping[str, Repository], ways: Ways
) -> Run | None:
    """The run as it is gone on with; None: its host or its repository is there no more, and nobody can.

    One whose job was removed meanwhile goes on as it would have: a restore to its end, anything else is ended on its host.
    """
    repository, way = repositories.get(stored.repository_id), ways.way(stored.row.host)
    if repository is None or way is None:
        return None
    work, plan, row = msgspec.json.decode(stored.plan.work, type=Work), stored.plan, stored.row
    job, ending = jobs.get(stored.job_id), plan.ending
    if stored.job_id and job is None:
        spec = JobSpec(name=row.job, host=row.host, repository=row.repository)
        job = Job(stored.job_id, spec, way.host_id, repository.id, "removed", row.queued_at)
        ending = ending or (REMOVED if ends_with_job(work) else "")
    marks = msgspec.json.decode(plan.marks, type=tuple[Mark, ...])
    run = Run(
        row, work, job, repository, way, plan.word, marks, plan.not_before, limit=plan.limit, passing=plan.passing, ending=ending
    )  # fmt: skip
    # nothing of it is on any host
    run.on_its_host = not run.carried
    return run
