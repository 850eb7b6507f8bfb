"""Orders on backups: `backups.*` and `repositories.*`."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Sequence

from msgspec.structs import replace

from guardian_tui import filter as filters
from guardian_tui.engine.backups import judge, previews, records
from guardian_tui.engine.backups.asking import Asking
from guardian_tui.engine.backups.dump_drills import probe_of
from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.base import FileEntry
from guardian_tui.engine.backups.own_state import problem
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.schedule import BadSchedule, check_window, parse
from guardian_tui.engine.backups.scope import Scope
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.backups.work import Backup, Init
from guardian_tui.engine.calls import Call, Handler, unless_edited
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol import backups as wire
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import Conflict, HostUnavailable, InvalidRequest, NotFound
from guardian_tui.rows import (
    job_columns,
    job_text,
    readiness_columns,
    readiness_text,
    repository_columns,
    repository_text,
)

FILES_MOST = 5000
DAYS_SHOWN = 26 * 7
RUNS_SHOWN = 30
SECRETS = "secret:backups/"
"""Secrets that a repository made on screen may name."""
_WORST = ("ok", "cancelled", "partial")
"""From good to bad; all that is not here is worse."""


class BackupOrders:
    """Handlers of the backups' routes."""

    def __init__(self, backups: Backups, scope: Scope, store: Store, clock: Clock, asking: Asking) -> None:
        self._backups = backups
        self._scope = scope
        self._store = store
        self._clock = clock
        self._asking = asking

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "backups.list": self.list_, "backups.readiness": self.readiness, "backups.show": self.show, "backups.add": self.add,
            "backups.edit": self.edit, "backups.remove": self.remove, "backups.run": self.run, "backups.runs": self.runs,
            "backups.snapshots": self.snapshots, "backups.files": self.files, "backups.log": self.log, "backups.cancel": self.cancel,
            "repositories.list": self.repositories, "repositories.show": self.repository, "repositories.add": self.add_repository,
            "repositories.edit": self.edit_repository, "repositories.remove": self.remove_repository,
            "repositories.make": self.make, "repositories.read": self.read,
        }  # fmt: skip

    # --- reading --------------------------------------------------------------------------------------

    async def list_(self, call: Call, request: wire.BackupsQuery) -> wire.JobList:
        """`backups.list`: those in scope that pass the filter, by name."""
        wanted = filters.parse(request.filter)
        seen = [job for job in self._backups.jobs.values() if call.sees(self._scope.labels(job.host_id))]
        rows = [
            row for row in map(self._backups.row_of, seen) if wanted.matches(job_columns(row), job_text(row))
        ]
        return wire.JobList(jobs=tuple(sorted(rows, key=lambda row: row.name)))

    async def readiness(self, call: Call, request: wire.BackupsQuery) -> wire.ReadinessList:
        """`backups.readiness`: a line for each host in scope."""
        wanted, now = filters.parse(request.filter), self._clock.now()
        of_host: dict[str, list[wire.JobRow]] = {}
        for job in self._backups.jobs.values():
            of_host.setdefault(job.host_id, []).append(self._backups.row_of(job))
        rows = [
            judge.readiness(way, of_host.get(way.host_id, ()), now)
            for way in self._backups.ways()
            if call.sees(way.labels)
        ]
        shown = [row for row in rows if wanted.matches(readiness_columns(row), readiness_text(row))]
        return wire.ReadinessList(hosts=tuple(sorted(shown, key=lambda row: row.host)))

    async def show(self, call: Call, request: wire.JobRef) -> wire.JobDetail:
        """`backups.show`: one job in full."""
        job = self._scope.job(call, request.job)
        runs = await records.runs_of(self._store, job.id, before=0.0, limit=RUNS_SHOWN)
        days = await records.days_of(self._store, job.id, self._clock.now() - DAYS_SHOWN * judge.DAY)
        newest, _ = await records.snapshots_of(self._store, job.id, before=0.0, limit=1000)
        growth = tuple((s.at, float(s.bytes)) for s in reversed(newest) if s.bytes is not None)
        return wire.JobDetail(
            row=self._backups.row_of(job),
            spec=job.spec,
            runs=tuple(runs),
            days=_worst_of_days(days),
            growth=growth,
        )

    async def runs(self, call: Call, request: wire.RunsQuery) -> wire.RunList:
        """`backups.runs`."""
        job = self._scope.job(call, request.job)
        found = await records.runs_of(self._store, job.id, before=request.before, limit=request.limit)
        return wire.RunList(runs=tuple(found))

    async def snapshots(self, call: Call, request: wire.SnapshotsQuery) -> wire.SnapshotList:
        """`backups.snapshots`."""
        job = self._scope.job(call, request.job)
        found, total = await records.snapshots_of(
            self._store, job.id, before=request.before, limit=request.limit
        )
        return wire.SnapshotList(snapshots=tuple(found), total=total)

    async def files(self, call: Call, request: wire.FilesQuery) -> wire.FileList:
        """`backups.files`: read from the repository now."""
        job = self._scope.job(call, request.job)
        repository = self._backups.repositories.get(job.repository_id)
        if (
            repository is None
            or await records.snapshot_named(self._store, repository.id, request.snapshot) is None
        ):
            raise NotFound(
                f"There is no snapshot {request.snapshot[:60]!r} of {job.spec.name}.", field="snapshot"
            )
        way = self._backups.way(repository.spec.host)
        if way is None:
            raise HostUnavailable(f"{repository.spec.host}, which reads the repository, is not watched.")
        folder = request.folder or "/"
        entries = await previews.files_of(self._backups.sites, way, repository, request.snapshot, folder)
        return _file_list(entries, folder)

    async def log(self, call: Call, request: wire.RunRef) -> wire.RunDetail:
        """`backups.log`: a run with the end of what it wrote."""
        row, text = await self._run_seen(call, request.run)
        active = self._backups.runner.runs.get(request.run)
        live = self._backups.runner.log_of(request.run)
        if active is None or live is None:
            settling = request.run in self._backups.runner.settling
            return wire.RunDetail(row=active.row if active else row, log=text, settling=settling)
        lines, warnings = live
        return wire.RunDetail(
            row=active.row,
            log="\n".join(lines),
            warnings=tuple(warnings),
            stages=tuple(m.name for m in active.marks),
        )

    async def _run_seen(self, call: Call, run_id: str) -> tuple[wire.RunRow, str]:
        found = await records.run_named(self._store, run_id)
        call.host_in_scope(self._scope.labels(found[0].host) if found else None, f"the run {run_id[:60]!r}")
        assert found is not None  # noqa: S101  # host_in_scope has raised
        call.target = found[0].job or found[0].repository
        return found[0], found[3]

    # --- jobs -----------------------------------------------------------------------------------------

    async def add(self, call: Call, request: wire.JobSpec) -> wire.JobRow:
        """`backups.add`."""
        way = self._scope.host(call, request.host)
        repository = self._fits(call, request)
        if self._backups.job_named(request.name) is not None:
            raise Conflict(f"There is a backup job {request.name} already.", field="name")
        spec = _named(request, way)
        job = Job(secrets.token_hex(8), spec, way.host_id, repository.id, "screen", self._clock.now())
        ticket = await self._asking.add_job(call, repository, way, request)
        async with call.change(spec.name, body={"host": way.name, "repository": repository.spec.name}) as tx:
            self._scope.still(repository)
            await records.put_job(tx, job, new=True)
            if ticket is not None:
                await ticket.spend(tx, call)
            tx.after_commit(lambda: self._backups.joined(job))
        return self._backups.row_of(job)

    def _fits(self, call: Call, spec: wire.JobSpec) -> Repository:
        repository = self._scope.repository(call, spec.repository)
        for name in spec.copies:
            other = self._scope.repository(call, name)
            if other.spec.engine != repository.spec.engine or other.id == repository.id:
                raise InvalidRequest(
                    f"{name} can't hold copies: it must be another repository of {repository.spec.engine}.",
                    field="copies",
                )
        if not (
            spec.sources
            or spec.dumps
            or spec.own_state
            or spec.match
            or repository.spec.engine == "pgbackrest"
        ):
            raise InvalidRequest(
                "Say what is to be saved: sources or dumps, or own_state; or what another tool saves: match.",
                field="sources",
            )
        reader = self._backups.way(repository.spec.host)
        wrong = problem(spec, self._backups.way(spec.host), repository.spec.engine, reader)
        if wrong:
            raise InvalidRequest(wrong, field="own_state")
        try:
            if spec.schedule:
                parse(spec.schedule)
            check_window(spec.window)
        except BadSchedule as error:
            raise InvalidRequest(str(error), field="schedule") from error
        try:
            probe_of(spec.drill)
        except ValueError as error:
            raise InvalidRequest(str(error), field="drill") from error
        relative = next((path for path in spec.sources if not path.startswith("/")), None)
        if relative is not None:
            raise InvalidRequest(
                f"{relative[:100]!r} is no whole path; it must begin with /.", field="sources"
            )
        return repository

    async def edit(self, call: Call, request: wire.EditJob) -> wire.JobRow:
        """`backups.edit`."""
        job = self._changeable(call, request.job)
        unless_edited(job.spec, request.before, job.spec.name)
        way = self._scope.host(call, request.spec.host)
        repository = self._fits(call, request.spec)
        if request.spec.name != job.spec.name:
            raise InvalidRequest("A job keeps its name: its snapshots are tagged with it.", field="name")
        spec = _named(request.spec, way)
        # what is known of it goes on, and whatever is under way of it writes to that too
        changed = dataclasses.replace(job, spec=spec, host_id=way.host_id, repository_id=repository.id)
        others = (repository.id, spec.match) != (job.repository_id, job.spec.match)
        ticket = await self._asking.change_job(call, "backups.edit", job, request)
        async with call.change(
            job.spec.name, body={"host": way.name, "repository": repository.spec.name}
        ) as tx:
            self._scope.still(job, repository)
            # its schedule may be another
            changed.memory.next_at = None
            await records.put_job(tx, changed, new=False)
            if others:
                # those of another repository, or that another tool calls by another name, are not its own
                await records.disown_snapshots(tx, job.id)
            if ticket is not None:
                await ticket.spend(tx, call)

            def done() -> None:
                changed.memory.next_at = None
                self._backups.joined(changed)

            tx.after_commit(done)
        return self._backups.row_of(changed)

    def _changeable(self, call: Call, name: str) -> Job:
        job = self._scope.job(call, name)
        if job.source == "config":
            raise Conflict(f"The backup job {job.spec.name} stands in the config file; change it there.")
        return job

    async def remove(self, call: Call, request: wire.JobRef) -> Done:
        """`backups.remove`: what goes on of it is ended, but for restores."""
        job = self._changeable(call, request.job)
        ticket = await self._asking.change_job(call, "backups.remove", job, request)
        async with call.change(job.spec.name) as tx:
            self._scope.still(job)
            await records.remove_job(tx, job.id)
            if ticket is not None:
                await ticket.spend(tx, call)
            tx.after_commit(lambda: self._backups.left(job))
        return Done()

    async def run(self, call: Call, request: wire.JobRef) -> wire.RunRow:
        """`backups.run`: back it up now."""
        job = self._scope.job(call, request.job)
        if job.observed:
            raise Conflict(f"Another tool makes the backups of {job.spec.name}; it is judged here, not run.")
        repository, way = self._backups.repositories.get(job.repository_id), self._backups.way_of(job)
        if repository is None or way is None:
            raise Conflict(f"The host or the repository of {job.spec.name} is gone.")
        async with call.change(
            job.spec.name, body={"host": way.name, "repository": repository.spec.name}
        ) as tx:
            self._scope.still(job, repository)
            if self._backups.runner.active(job.id, "backup") is not None:
                raise Conflict(f"A backup of {job.spec.name} is under way or queued already.")
            run = await self._backups.runner.queue(tx, Backup(), job, repository, way, call.actor)
            call.body["run"] = run.row.id
        self._backups.judge((job.host_id,))
        return run.row

    async def cancel(self, call: Call, request: wire.RunRef) -> wire.RunRow:
        """`backups.cancel`: end a run, with all that it started on its host."""
        row, _ = await self._run_seen(call, request.run)
        run = self._backups.runner.runs.get(request.run)
        if run is None:
            raise Conflict(f"The run has ended already: {row.verdict or row.state}.")
        try:
            await self._backups.runner.cancel(run)
        except ConnectFailed as error:
            raise HostUnavailable(f"{row.host} can't be reached to end it: {error.detail}") from error
        return run.row

    # --- repositories ---------------------------------------------------------------------------------

    async def repositories(self, call: Call, request: wire.BackupsQuery) -> wire.RepositoryList:
        """`repositories.list`."""
        wanted = filters.parse(request.filter)
        rows = [
            self._backups.repository_row(one)
            for one in self._backups.repositories.values()
            if call.sees(self._scope.labels(one.spec.host))
        ]
        shown = [row for row in rows if wanted.matches(repository_columns(row), repository_text(row))]
        return wire.RepositoryList(repositories=tuple(sorted(shown, key=lambda row: row.name)))

    async def repository(self, call: Call, request: wire.RepositoryRef) -> wire.RepositoryDetail:
        """`repositories.show`."""
        repository = self._scope.repository(call, request.repository)
        runs = await records.runs_in(self._store, repository.id, RUNS_SHOWN)
        return wire.RepositoryDetail(
            row=self._backups.repository_row(repository),
            spec=repository.spec,
            # jobs of other hosts may save there too
            runs=tuple(run for run in runs if call.sees(self._scope.labels(run.host))),
            sizes=tuple((at, float(taken)) for at, taken in repository.memory.sizes),
        )

    def _sound(self, spec: wire.RepositorySpec) -> None:
        for name, reference in spec.secrets.items():
            # else whoever may edit backups could have any secret handed to a program of his own
            if not reference.startswith(SECRETS):
                raise InvalidRequest(
                    f"The secret {name} must be one of the vault whose name begins with backups/: {SECRETS}NAME.",
                    field="secrets",
                )
        one = adapter(spec.engine)
        unknown = sorted(set(spec.secrets) - set(one.secrets))
        if unknown:
            raise InvalidRequest(
                f"{spec.engine} has no secret {unknown[0]}; it has {', '.join(one.secrets)}.", field="secrets"
            )
        if problem := one.problem(spec):
            raise InvalidRequest(problem, field="location")

    async def add_repository(self, call: Call, request: wire.RepositorySpec) -> wire.RepositoryRow:
        """`repositories.add`."""
        self._scope.host(call, request.host)
        self._sound(request)
        if self._backups.repository_named(request.name) is not None:
            raise Conflict(f"There is a repository {request.name} already.", field="name")
        repository = Repository(secrets.token_hex(8), request, "screen", self._clock.now())
        async with call.change(request.name, body={"host": request.host, "engine": request.engine}) as tx:
            await records.put_repository(tx, repository, new=True)
            tx.after_commit(lambda: self._backups.repository_joined(repository))
        return self._backups.repository_row(repository)

    async def edit_repository(self, call: Call, request: wire.EditRepository) -> wire.RepositoryRow:
        """`repositories.edit`."""
        repository = self._repository_changeable(call, request.repository)
        unless_edited(repository.spec, request.before, repository.spec.name)
        self._scope.host(call, request.spec.host)
        self._sound(request.spec)
        if (request.spec.name, request.spec.engine) != (repository.spec.name, repository.spec.engine):
            raise InvalidRequest(
                "A repository keeps its name and its engine: jobs stand on them.", field="name"
            )
        changed = Repository(
            repository.id, request.spec, repository.source, repository.created_at, repository.memory
        )
        ticket = await self._asking.change_repository(call, "repositories.edit", repository, request)
        async with call.change(request.spec.name, body={"host": request.spec.host}) as tx:
            self._scope.still(repository)
            await records.put_repository(tx, changed, new=False)
            if ticket is not None:
                await ticket.spend(tx, call)
            tx.after_commit(lambda: self._backups.repository_joined(changed))
        return self._backups.repository_row(changed)

    def _repository_changeable(self, call: Call, name: str) -> Repository:
        repository = self._scope.repository(call, name)
        if repository.source == "config":
            raise Conflict(
                f"The repository {repository.spec.name} stands in the config file; change it there."
            )
        return repository

    async def remove_repository(self, call: Call, request: wire.RepositoryRef) -> Done:
        """`repositories.remove`: only one that no job stands on."""
        repository = self._repository_changeable(call, request.repository)
        self._unused(call, repository)
        ticket = await self._asking.change_repository(call, "repositories.remove", repository, request)
        async with call.change(repository.spec.name) as tx:
            self._scope.still(repository)
            self._unused(call, repository)
            await records.remove_repository(tx, repository.id)
            if ticket is not None:
                await ticket.spend(tx, call)
            tx.after_commit(lambda: self._backups.repository_left(repository))
        return Done()

    def _unused(self, call: Call, repository: Repository) -> None:
        users = [
            job
            for job in self._backups.jobs.values()
            if job.repository_id == repository.id or repository.spec.name in job.spec.copies
        ]
        if users:
            seen = sorted(job.spec.name for job in users if call.sees(self._scope.labels(job.host_id)))
            words = [*seen[:5], *(["jobs outside your scope"] if len(seen) < len(users) else [])]
            raise Conflict(
                f"{', '.join(words)} stand{'s' if words == seen[:1] else ''} on {repository.spec.name}; remove first."
            )

    async def make(self, call: Call, request: wire.RepositoryRef) -> wire.RunRow:
        """`repositories.make`: on its host, by its engine."""
        repository = self._scope.repository(call, request.repository)
        way = self._scope.host(call, repository.spec.host)
        async with call.change(repository.spec.name, body={"host": way.name}) as tx:
            self._scope.still(repository)
            run = await self._backups.runner.queue(tx, Init(), None, repository, way, call.actor)
        return run.row

    async def read(self, call: Call, request: wire.RepositoryRef) -> wire.RepositoryRow:
        """`repositories.read`: its snapshots, now."""
        repository = self._scope.repository(call, request.repository)
        await self._backups.read(repository)
        return self._backups.repository_row(repository)


def _named(spec: wire.JobSpec, way: Way) -> wire.JobSpec:
    return replace(spec, host=way.name)


def _worst_of_days(days: Sequence[tuple[float, str]]) -> tuple[tuple[str, str], ...]:
    worst: dict[str, str] = {}
    for at, verdict in days:
        day = time.strftime("%Y-%m-%d", time.gmtime(at))
        if _rank(verdict) >= _rank(worst.get(day, "ok")):
            worst[day] = verdict
    return tuple(sorted(worst.items()))


def _rank(verdict: str) -> int:
    return _WORST.index(verdict) if verdict in _WORST else len(_WORST)


def _file_list(entries: Sequence[FileEntry], folder: str) -> wire.FileList:
    """What lies in the folder itself: engines tell it with all that is below, or with the folder."""
    inside = folder.rstrip("/")
    entries = [entry for entry in entries if entry.path.rpartition("/")[0] == inside and entry.path != "/"]
    ordered = sorted(entries, key=lambda entry: (entry.kind != "dir", entry.path))
    files = tuple(
        wire.SnapshotFile(
            path=entry.path.encode(errors="surrogateescape").decode(errors="backslashreplace"), kind=entry.kind, size=entry.size,
            modified_at=entry.modified_at,
        )
        for entry in ordered[:FILES_MOST]
    )  # fmt: skip
    return wire.FileList(files=files, cut=len(entries) > FILES_MOST)
