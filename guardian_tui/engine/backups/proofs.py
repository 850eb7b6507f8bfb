"""Orders that prove or bring back: previews, restores, drills, checks, retention, the ledger, the report of copies."""

from __future__ import annotations

from collections.abc import Iterable, Set

from guardian_tui import filter as filters
from guardian_tui.engine.approvals.book import Ticket
from guardian_tui.engine.backups import moments, previews, records
from guardian_tui.engine.backups.asking import Asking
from guardian_tui.engine.backups.copies import copies_row, rank
from guardian_tui.engine.backups.drills import Unprovable
from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.carrying import parts_of
from guardian_tui.engine.backups.planner import PARTS
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.scope import Scope
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.backups.sites import cannot
from guardian_tui.engine.backups.work import Check, Moment, Restore, Retain, Unlock
from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol import backups as wire
from guardian_tui.protocol.errors import Conflict, HostUnavailable, InvalidRequest, NotFound
from guardian_tui.text import counted, safe

RETAIN_SECONDS = 300.0
MOST_SNAPSHOTS = 200_000


class ProofOrders:
    """Handlers of these routes."""

    def __init__(
        self, backups: Backups, scope: Scope, store: Store, clock: Clock, commands: Commands, asking: Asking
    ) -> None:
        self._backups = backups
        self._scope = scope
        self._store = store
        self._clock = clock
        self._commands = commands
        self._asking = asking

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "backups.preview": self.preview, "backups.window": self.window, "backups.restore": self.restore, "backups.drill": self.drill, "backups.ledger": self.ledger,
            "backups.retention": self.retention, "backups.retain": self.retain, "backups.copies": self.copies,
            "repositories.check": self.check, "repositories.unlock": self.unlock,
        }  # fmt: skip

    # --- restores -------------------------------------------------------------------------------------

    async def _asked(
        self, call: Call, request: wire.RestoreQuery
    ) -> tuple[Job, Repository, Way, wire.Snapshot]:
        job, repository = self._scope.job_with_repository(call, request.job)
        found = await records.snapshot_named(self._store, repository.id, request.snapshot)
        if found is None or found[1] != job.id:
            raise NotFound(
                f"There is no snapshot {request.snapshot[:60]!r} of {job.spec.name}.", field="snapshot"
            )
        if ".." in request.target.split("/"):
            raise InvalidRequest("A target has no `..` in it.", field="target")
        relative = next((one for one in request.includes if not one.startswith("/")), None)
        if relative is not None:
            raise InvalidRequest(
                f"{safe(relative, 100)} is no whole path of the snapshot; it must begin with /.",
                field="includes",
            )
        way = self._scope.host(call, request.host or job.spec.host)
        call.target = job.spec.name
        return job, repository, way, found[0]

    def _reader(self, repository: Repository) -> Way:
        way = self._backups.way(repository.spec.host)
        if way is None:
            raise HostUnavailable(f"{repository.spec.host}, which reads the repository, is not watched.")
        return way

    async def preview(self, call: Call, request: wire.RestoreQuery) -> wire.RestorePlan:
        """`backups.preview`."""
        if request.at:
            return await self._preview_of_a_moment(call, request)
        _, repository, way, snapshot = await self._asked(call, request)
        reader = self._reader(repository)
        wanted = await previews.wanted_of(
            self._backups.sites, reader, repository, snapshot.id, request.includes
        )
        plan = await previews.preview(
            self._commands, self._backups.sites, way, reader, repository, request, wanted
        )
        return plan if snapshot.good else _noted(plan, f"The snapshot is not whole: {snapshot.why}")

    async def restore(self, call: Call, request: wire.Restore) -> wire.RunRow:
        """`backups.restore`: refused where it would overwrite what nobody agreed to, or does not fit."""
        if request.at:
            return await self._to_a_moment(call, request)
        job, repository, way, snapshot = await self._asked(call, request)
        reader = self._reader(repository)
        wanted = await previews.wanted_of(
            self._backups.sites, reader, repository, snapshot.id, request.includes
        )
        plan = await previews.preview(
            self._commands, self._backups.sites, way, reader, repository, request, wanted
        )
        if plan.hindered:
            raise Conflict(plan.hindered, field="host")
        if plan.overwritten_files and not request.overwrite:
            raise Conflict(
                f"{counted(plan.overwritten_files, 'file is', 'files are')} there already, {plan.overwritten[0]} among them: agree to overwrite them, or name"
                " another folder.",
                field="overwrite",
            )
        if not plan.fits:
            raise Conflict(
                f"It needs {plan.bytes} bytes, and {plan.free_bytes} are free below {plan.target}.",
                field="target",
            )
        carried = request.carried and way.host_id != reader.host_id
        paths = {entry.path for entry in wanted.entries}
        known = await records.hashes_of(self._store, repository.id, snapshot.id)
        work = Restore(
            snapshot.id,
            request.includes,
            request.target,
            wanted.bytes,
            tuple(one for one in known if one[0] in paths)
            + tuple((one.path, one.sha256) for one in wanted.entries if carried and one.sha256),
            parts_of(repository.spec, request.includes, wanted.entries) if carried else (),
        )
        body: dict[str, object] = {
            "snapshot": snapshot.id, "host": way.name, "target": request.target, "files": plan.files, "overwritten": plan.overwritten_files,
            "includes": [safe(one, 200) for one in request.includes[:20]],
            **({"carried_from": reader.name} if carried else {}),
        }  # fmt: skip
        ticket = await self._asking.restore(call, (job, repository, way), snapshot, request, plan)
        return await self._queue(call, body, ticket, (work, job, repository, way))

    async def _queue(
        self,
        call: Call,
        body: dict[str, object],
        ticket: Ticket | None,
        what: tuple[Restore | Moment | Retain, Job, Repository, Way],
    ) -> wire.RunRow:
        """Queue what was agreed to, by one or by two; the leave for it is spent with that."""
        work, job, repository, way = what
        async with call.change(job.spec.name, body=body) as tx:
            self._scope.still(job, repository)
            run = await self._backups.runner.queue(tx, work, job, repository, way, call.actor)
            call.body["run"] = run.row.id
            if ticket is not None:
                await ticket.spend(tx, call, run.row.id)
        return run.row

    async def window(self, call: Call, request: wire.JobRef) -> wire.Window:
        """`backups.window`."""
        _, repository = self._scope.job_with_repository(call, request.job)
        found = await moments.window_of(self._backups.sites, self._reader(repository), repository)
        return moments.told(found)

    async def _preview_of_a_moment(self, call: Call, request: wire.RestoreQuery) -> wire.RestorePlan:
        job, repository = self._scope.job_with_repository(call, request.job)
        way = self._reader(repository)
        self._scope.host(call, way.name)
        sites = self._backups.sites
        window = await moments.window_of(sites, way, repository)
        work = moments.restore_to(window, request.at, request.target)
        return await moments.preview_to(self._commands, sites, way, job, repository, work, window)

    async def _to_a_moment(self, call: Call, request: wire.Restore) -> wire.RunRow:
        job, repository = self._scope.job_with_repository(call, request.job)
        way = self._reader(repository)
        self._scope.host(call, way.name)
        window = await moments.window_of(self._backups.sites, way, repository)
        work = moments.restore_to(window, request.at, request.target)
        call.target = job.spec.name
        body: dict[str, object] = {"moment": int(request.at), "host": way.name, "target": request.target}
        ticket = await self._asking.moment(call, job, repository, way, request)
        return await self._queue(call, body, ticket, (work, job, repository, way))

    # --- proofs ---------------------------------------------------------------------------------------

    async def drill(self, call: Call, request: wire.JobRef) -> wire.RunRow:
        """`backups.drill`."""
        job, repository = self._scope.job_with_repository(call, request.job)
        reader = self._reader(repository)
        self._scope.host(call, reader.name)
        if self._backups.runner.active(job.id, "drill") is not None:
            raise Conflict(f"A drill of {job.spec.name} is under way or queued already.")
        backups = self._backups
        try:
            work = await moments.proof_of(
                self._store, backups.sites, backups.own_state, reader, job, repository
            )
        except Unprovable as error:
            raise Conflict(str(error)) from error
        call.target = job.spec.name
        async with call.change(job.spec.name, body={"snapshot": work.snapshot, "host": reader.name}) as tx:
            self._scope.still(job, repository)
            run = await self._backups.runner.queue(tx, work, job, repository, reader, call.actor)
            call.body["run"] = run.row.id
        return run.row

    async def check(self, call: Call, request: wire.CheckRepository) -> wire.RunRow:
        """`repositories.check`."""
        repository = self._scope.repository(call, request.repository)
        way = self._reader(repository)
        work = Check(request.level, repository.memory.checks // 2 % PARTS + 1, PARTS)
        async with call.change(repository.spec.name, body={"level": request.level, "host": way.name}) as tx:
            self._scope.still(repository)
            run = await self._backups.runner.queue(tx, work, None, repository, way, call.actor)
        return run.row

    async def unlock(self, call: Call, request: wire.RepositoryRef) -> wire.RunRow:
        """`repositories.unlock`."""
        repository = self._scope.repository(call, request.repository)
        way = self._reader(repository)
        ticket = await self._asking.unlock(call, repository, way, request)
        async with call.change(repository.spec.name, body={"host": way.name}) as tx:
            self._scope.still(repository)
            run = await self._backups.runner.queue(tx, Unlock(), None, repository, way, call.actor)
            if ticket is not None:
                await ticket.spend(tx, call, run.row.id)
        return run.row

    async def ledger(self, call: Call, request: wire.LedgerQuery) -> wire.RunList:
        """`backups.ledger`."""
        ids = [self._scope.job(call, request.job).id] if request.job else []
        rows = await records.ledger(self._store, ids, call.most_rows(request.limit))
        seen = [row for row in rows if call.sees(self._scope.labels(row.host))]
        return wire.RunList(runs=tuple(seen[: request.limit]))

    async def copies(self, call: Call, request: wire.BackupsQuery) -> wire.CopiesReport:
        """`backups.copies`."""
        wanted, now = filters.parse(request.filter), self._clock.now()
        named = {one.spec.name: one for one in self._backups.repositories.values()}
        rows = []
        for job in self._backups.jobs.values():
            labels = self._scope.labels(job.host_id)
            if call.sees(labels) and job.spec.enabled:
                rows.append(copies_row(job, named, job.spec.host, labels.get("site", ""), now))
        shown = [
            row
            for row in rows
            if wanted.matches(
                {"job": row.job, "host": row.host}, f"{row.job} {row.host} {' '.join(row.flags)}".lower()
            )
        ]
        return wire.CopiesReport(rows=tuple(sorted(shown, key=rank)))

    # --- retention ------------------------------------------------------------------------------------

    async def retention(self, call: Call, request: wire.JobRef) -> wire.RetentionPlan:
        """`backups.retention`: asked of the engine itself, as a dry run."""
        job, repository = self._scope.job_with_repository(call, request.job)
        return await self._plan(job, repository)

    async def _plan(self, job: Job, repository: Repository) -> wire.RetentionPlan:
        way = self._reader(repository)
        one = adapter(repository.spec.engine)
        try:
            place = await self._backups.sites.place(way, repository.spec)
            out = b""
            for stage in one.retain(place, job.spec, job.spec.keep, dry=True):
                done = await self._backups.sites.ask(way, repository.spec, stage, RETAIN_SECONDS)
                if done.exit_status not in stage.exit_codes:
                    raise cannot(repository.spec, "retain", stage, done)
                out += done.out + done.err
            doomed = set(one.doomed(out))
        except ConnectFailed as error:
            raise HostUnavailable(error.detail) from error
        except ValueError as error:
            raise HostUnavailable(
                f"What {repository.spec.engine} would forget can't be read: {safe(str(error), 300)}."
            ) from error
        # all of them: whoever agrees is to know how many there are
        all_of_it, total = await records.snapshots_of(self._store, job.id, before=0.0, limit=MOST_SNAPSHOTS)
        lengths = {len(one) for one in doomed if len(one) >= records.SHORT_ID}
        forgotten = tuple(one for one in all_of_it if _named_in(one.id, doomed, lengths))
        return wire.RetentionPlan(kept=total - len(forgotten), forgotten=forgotten, frozen=frozen(job))

    async def retain(self, call: Call, request: wire.JobRef) -> wire.RunRow:
        """`backups.retain`."""
        job, repository = self._scope.job_with_repository(call, request.job)
        way = self._reader(repository)
        if why := frozen(job):
            raise Conflict(f"Nothing is forgotten now: {why}.")
        if not any(
            (
                job.spec.keep.last,
                job.spec.keep.hourly,
                job.spec.keep.daily,
                job.spec.keep.weekly,
                job.spec.keep.monthly,
                job.spec.keep.yearly,
            )
        ):
            raise Conflict(f"The policy of {job.spec.name} keeps everything: there is nothing to forget.")
        ticket = None
        # what would be forgotten is asked of the repository only where somebody has to read it
        if self._asking.wants_retain(job, repository):
            plan = await self._plan(job, repository)
            ticket = await self._asking.retain(call, (job, repository, way), request, plan)
        body: dict[str, object] = {"repository": repository.spec.name, "host": way.name}
        return await self._queue(call, body, ticket, (Retain(), job, repository, way))


def frozen(job: Job) -> str:
    """Why nothing of the job is forgotten; empty: nothing stands against it."""
    if job.memory.anomaly:
        return f"its newest snapshot is odd ({job.memory.anomaly})"
    if job.last is not None and job.last.verdict not in (None, "ok", "cancelled"):
        return "its last backup was not all good"
    return ""


def _named_in(snapshot: str, doomed: Set[str], lengths: Iterable[int]) -> bool:
    """Engines tell short ids at times, of these lengths."""
    return snapshot in doomed or any(snapshot[:length] in doomed for length in lengths)


def _noted(plan: wire.RestorePlan, words: str) -> wire.RestorePlan:
    return wire.RestorePlan(
        **{name: getattr(plan, name) for name in plan.__struct_fields__ if name != "notes"},
        notes=(words, *plan.notes),
    )
