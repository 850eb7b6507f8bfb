"""Copies of what was saved, in the other repositories of a job: begun after each backup, with what did not get there before."""

from __future__ import annotations

from collections.abc import Callable

from guardian_tui.engine.backups import records
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.runner import Runner
from guardian_tui.engine.backups.runs import Run
from guardian_tui.engine.backups.work import Copy
from guardian_tui.engine.calls import AuditSink, Entry
from guardian_tui.engine.remote.ways import Ways
from guardian_tui.engine.store.database import Store

OVERTAKEN = "A later copy takes its snapshots along."
MOST = 100
"""Of the snapshots that did not get to another repository the newest are copied with the next ones."""


class Copying:
    """Begins copies.

    Args:
        named: a repository by its name.
    """

    def __init__(
        self, store: Store, audit: AuditSink, ways: Ways, runner: Runner, named: Callable[[str], Repository | None]
    ) -> None:  # fmt: skip
        self._store = store
        self._audit = audit
        self._ways = ways
        self._runner = runner
        self._named = named

    async def begin(self, job: Job, run: Run) -> None:
        """Copy what a run saved."""
        way = self._ways.way(run.repository.spec.host)
        found = await records.snapshots_of_run(self._store, job.id, run.row.id)
        new = [snapshot for snapshot in found if snapshot.good]
        for name in job.spec.copies if way is not None and new else ():
            other = self._named(name)
            if other is None or way is None:
                continue
            at = min(snapshot.at for snapshot in new)
            since = job.memory.copied.get(name)
            late, _ = await records.snapshots_of(self._store, job.id, before=at, limit=MOST)
            missed = [one for one in late if one.good and since is not None and one.at > since]
            work = Copy(other.id, name, tuple(one.id for one in (*missed, *new)), at)
            async with self._store.write() as tx:
                copying = await self._runner.queue(tx, work, job, run.repository, way, run.row.by)
                body = {"run": copying.row.id, "from": run.repository.spec.name, "to": name}
                await self._audit.append(
                    tx, Entry(run.row.by, "backups.copy", job.spec.name, "ok", body=body)
                )
            await self._overtake(job, copying, other)

    async def _overtake(self, job: Job, copying: Run, other: Repository) -> None:
        """A link that is slower than the schedule must not have a line that grows: what has not begun is ended."""
        for run in list(self._runner.runs.values()):
            if run is copying or run.row.state != "queued" or run.job is None or run.job.id != job.id:
                continue
            if isinstance(run.work, Copy) and run.work.repository == other.id:
                await self._runner.cancel(run, OVERTAKEN)
