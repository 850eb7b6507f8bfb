"""What people ask of runbooks, and order."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.runbooks import ahead, journal, leading, records, searching, transcript, wording
from guardian_tui.engine.runbooks.answers import Answers, check_roles
from guardian_tui.engine.runbooks.documents import Document
from guardian_tui.engine.runbooks.dry import dry_run
from guardian_tui.engine.runbooks.output import Output
from guardian_tui.engine.runbooks.planning import Basis, given
from guardian_tui.engine.runbooks.references import check_reference
from guardian_tui.engine.runbooks.run import Run, labels_of, ways_of
from guardian_tui.engine.runbooks.service import Runbooks
from guardian_tui.engine.runbooks.state import Standing
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.errors import Conflict, GuardianError, InvalidRequest, NotFound, PermissionDenied

PAGE = 400
MOST_RUNS = 200
"""Runs that have not ended, at the most."""


class RunbookOrders:
    """Handlers of the routes of runbooks."""

    def __init__(self, runbooks: Runbooks, store: Store, clock: Clock) -> None:
        self._runbooks = runbooks
        self._runner = runbooks.runner
        self._answers = Answers(runbooks.runner)
        self._store = store
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "runbooks.list": self.list_all, "runbooks.show": self.show, "runbooks.reload": self.reload, "runbooks.plan": self.plan,
            "runbooks.try": self.dry, "runbooks.run": self.run, "runbooks.runs": self.runs, "runbooks.follow": self.follow,
            "runbooks.answer": self.answer, "runbooks.approve": self.approve, "runbooks.stop": self.stop,
            "runbooks.hand_over": self.hand_over, "runbooks.output": self.output, "runbooks.transcript": self.transcript,
            "runbooks.search": self.search, "runbooks.watch": self.watch, "runbooks.preview": self.preview,
        }  # fmt: skip

    # --- the library ----------------------------------------------------------------------------------

    async def list_all(self, call: Call, request: wire.RunbooksQuery) -> wire.RunbookList:
        """`runbooks.list`."""
        await self._runbooks.settled()
        words = request.filter.lower().split()
        rows = tuple(
            row
            for row in self._rows(call)
            if (not request.rule or request.rule in row.rules)
            and all(
                word in f"{row.id} {row.title} {row.summary} {' '.join(row.tags)}".lower() for word in words
            )
        )
        return wire.RunbookList(runbooks=rows, problem=self._runbooks.library.problem)

    async def show(self, call: Call, request: wire.RunbookRef) -> wire.RunbookDetail:
        """`runbooks.show`."""
        await self._runbooks.settled()
        row = next((row for row in self._rows(call) if row.id == request.runbook), None)
        entry = next((one for one in self._runbooks.library.entries if one.id == request.runbook), None)
        if row is None or entry is None:
            raise NotFound(f"There is no runbook {request.runbook[:60]!r}.")
        return wording.detail(entry, row)

    def _rows(self, call: Call) -> list[wire.RunbookRow]:
        """Lines of the library, with the newest runs that the caller may see."""
        rows = []
        for row in self._runbooks.rows():
            newest, labels = self._runbooks.newest.of(row.id)
            if newest is not None and (not labels or call.sees(labels)):
                row = replace(row, last_run=newest.run, last_at=newest.at, last_verdict=newest.verdict)
            rows.append(row)
        return rows

    async def reload(self, call: Call, request: Nothing) -> wire.RunbookList:
        """`runbooks.reload`."""
        async with call.change("runbooks"):
            await self._runbooks.reload()
        return await self.list_all(call, wire.RunbooksQuery())

    # --- plans ----------------------------------------------------------------------------------------

    def _basis(self, call: Call, request: wire.RunbookOrder) -> Basis:
        """What is planned on: the document, the hosts that the person may act on, values that fit."""
        document = self._runbooks.library.get(request.runbook)
        call.target = document.id
        alert = self._alert(call, request.alert)
        for variable in document.variables:
            if variable.secret:
                check_reference(call.principal, request.values.get(variable.name, ""), variable.name)
        basis = Basis(document, given(document, request.values, alert), request.hosts, alert)
        self._hosts(call, basis)
        return basis

    def _alert(self, call: Call, alert_id: str) -> Alert | None:
        if not alert_id:
            return None
        live = self._runner.house.live
        alert = live.alerts.get(alert_id)
        labels = live.alerts.labels(alert_id)
        call.host_in_scope(labels, f"the alert {alert_id[:60]!r}")
        return alert

    def _hosts(self, call: Call, basis: Basis) -> list[Way]:
        """All hosts that are known by now, of the document and of its steps; each must be the caller's."""
        found: dict[str, Way] = {}
        for name in basis.hosts:
            way = self._runbooks.places.way(name)
            try:
                call.host_in_scope(way.labels if way else None, f"the host {name[:60]!r}")
            except NotFound as error:
                error.field = "hosts"
                raise
        for step in (None, *basis.document.steps):
            try:
                ways = self._runbooks.planner.hosts(basis, step) or []
            except GuardianError:
                # told by the plan
                continue
            found |= {way.host_id: way for way in ways}
        for way in found.values():
            call.host_in_scope(way.labels, f"the host {way.name!r}")
        return list(found.values())

    async def _plan(self, call: Call, basis: Basis) -> wire.RunbookPlan:
        row = next(row for row in self._rows(call) if row.id == basis.document.id)
        last = await records.run_named(self._store, row.last_run) if row.last_run else None
        before = await records.pinned(self._store, last.hash) if last is not None else None
        return self._runbooks.planner.plan(basis, last_run=row.last_run, before=before)

    async def plan(self, call: Call, request: wire.RunbookOrder) -> wire.RunbookPlan:
        """`runbooks.plan`."""
        await self._runbooks.settled()
        return await self._plan(call, self._basis(call, request))

    async def dry(self, call: Call, request: wire.RunbookOrder) -> wire.RunbookDryRun:
        """`runbooks.try`."""
        await self._runbooks.settled()
        basis = self._basis(call, request)
        plan = await self._plan(call, basis)
        return wire.RunbookDryRun(plan=plan, results=tuple(await dry_run(self._runner.house, basis)))

    # --- runs -----------------------------------------------------------------------------------------

    async def run(self, call: Call, request: wire.StartRunbook) -> wire.RunbookRun:
        """`runbooks.run`: pinned to the document as it is now."""
        await self._runbooks.settled()
        basis = self._basis(call, request)
        document = basis.document
        assert call.principal is not None  # noqa: S101  # by the route's permission
        check_roles(call.principal, document.roles, f"The runbook {document.title}")
        plan = await self._plan(call, basis)
        if plan.problems:
            raise InvalidRequest(plan.problems[0])
        if plan.missing:
            names = ", ".join(one.name for one in plan.missing)
            raise InvalidRequest(f"It needs a value for {names}.", field=plan.missing[0].name)
        if request.digest and request.digest != plan.digest:
            raise Conflict("The document or the hosts have changed since you looked at the plan: look again.")
        if len(self._runner.runs) >= MOST_RUNS:
            raise Conflict(f"{MOST_RUNS} runs have not ended; end some first.")
        run = self._new(call, request, basis)
        hosts = run.standing.hosts
        begun = journal.Begun(
            at=call.now, by=call.actor, hash=document.hash, hosts=hosts, values=_open_values(basis), account=call.principal.account_id, uid=call.peer.uid,
            names={host: way.name for host in hosts if (way := self._runbooks.places.way(host))}, alert=request.alert,
            rule=basis.alert.rule if basis.alert else "", instance=basis.alert.instance if basis.alert else "",
            alert_host=basis.alert.host_id if basis.alert else "", auto=request.auto, reason=request.reason,
        )  # fmt: skip
        run.standing = Standing(document)
        begins = run.standing.after([begun])
        entries = [begun, *leading.onward(self._runner.house, run, document.steps[0].name, standing=begins)]
        body = {
            "run": run.id,
            "hash": document.hash,
            "hosts": len(hosts),
            "blast": plan.blast,
            "alert": request.alert,
        }
        async with run.lock, call.change(document.id, body=body) as tx:
            await records.pin(tx, document, call.now)
            await self._runner.write(tx, run, entries)
            tx.after_commit(lambda: self._runner.take(run))
        if request.auto:
            self._runner.go_on_soon(run)
        return run.row()

    def _new(self, call: Call, request: wire.StartRunbook, basis: Basis) -> Run:
        run_id = secrets.token_hex(8)
        ways = self._runbooks.planner.hosts(basis) or []
        house = self._runner.house
        all_ways = self._hosts(call, basis)
        run = Run(
            run_id, Standing(basis.document, hosts=tuple(way.host_id for way in ways)), Output(self._clock, house.budget),
            labels_of(run_id, all_ways), {way.host_id: way.name for way in all_ways},
        )  # fmt: skip
        secret = {one.name for one in basis.document.variables if one.secret}
        run.secrets = {name: value for name, value in basis.values.items() if name in secret}
        run.principal = call.principal
        return run

    def _run(self, call: Call, run_id: str) -> Run:
        """A run that has not ended, within the caller's scope."""
        run = self._runner.runs.get(run_id)
        if run is None or run.labels:
            call.host_in_scope(run.labels if run else None, f"the run {run_id[:40]!r}, unless it has ended,")
        assert run is not None  # noqa: S101  # host_in_scope has raised
        call.target = run.standing.document.id
        return run

    async def _stored(self, call: Call, run_id: str) -> tuple[wire.RunbookRun, Document]:
        """Any run, within the caller's scope, and its document."""
        run = self._runner.runs.get(run_id)
        row = run.row() if run is not None else await records.run_named(self._store, run_id)
        labels = (await self._labels([row.id]))[row.id] if row is not None else None
        if labels is None or labels:
            call.host_in_scope(labels, f"the run {run_id[:40]!r}")
        assert row is not None  # noqa: S101  # host_in_scope has raised
        document = run.standing.document if run is not None else await records.pinned(self._store, row.hash)
        if document is None:
            raise NotFound(f"The document of the run {run_id} is gone.")
        return row, document

    async def _labels(self, run_ids: Sequence[str]) -> dict[str, Mapping[str, str]]:
        """Who may see runs: whoever may see all hosts that they acted on, of which their lines name the first."""
        # one may end while the others are looked for
        found = {one: run.labels for one in run_ids if (run := self._runner.runs.get(one)) is not None}
        names = await records.names_of(self._store, [one for one in run_ids if one not in found])
        for run_id, hosts in names.items():
            found[run_id] = labels_of(run_id, ways_of(self._runbooks.places, hosts))
        return found

    async def _seen(self, call: Call, run_ids: Sequence[str]) -> set[str]:
        """Those that the caller may see."""
        if call.sees({}):
            return set(run_ids)
        labels = await self._labels(run_ids)
        # one without hosts is of the engine as a whole
        return {one for one in run_ids if not labels[one] or call.sees(labels[one])}

    async def runs(self, call: Call, request: wire.RunbookRunsQuery) -> wire.RunbookRunList:
        """`runbooks.runs`."""
        found = await records.runs(
            self._store, runbook=request.runbook, active=request.active, limit=call.most_rows(request.limit)
        )
        current = [self._runner.runs[row.id].row() if row.id in self._runner.runs else row for row in found]
        seen = await self._seen(call, [row.id for row in current])
        return wire.RunbookRunList(runs=tuple([row for row in current if row.id in seen][: request.limit]))

    async def follow(self, call: Call, request: wire.RunbookRunRef) -> wire.RunbookRunDetail:
        """`runbooks.follow`."""
        row, document = await self._stored(call, request.run)
        run = self._runner.runs.get(request.run)
        steps = tuple(wording.step(document, one) for one in document.steps)
        return wire.RunbookRunDetail(
            run=row, steps=steps, progress=run.progress(self._clock.now()) if run is not None else None,
            results=tuple(run.results()) if run is not None else (), epilogue=document.epilogue,
            ahead=ahead.not_done(self._runner.house, run) if run is not None and row.asked == "approve" else (), watchers=self._runbooks.watching.of(row.id).watchers,
        )  # fmt: skip

    async def preview(self, call: Call, request: wire.RunbookRunRef) -> wire.RunbookPreview:
        """`runbooks.preview`."""
        return ahead.preview(self._runner.house, self._run(call, request.run))

    async def watch(self, call: Call, request: wire.WatchRun) -> wire.RunbookWatchers:
        """`runbooks.watch`."""
        run = self._run(call, request.run)
        assert call.principal is not None  # noqa: S101  # by the route's permission
        watching = self._runbooks.watching
        if request.leave:
            return watching.leave(run.id, call.principal, request.console)
        return watching.look(run, call.principal, request.console, request.seconds)

    async def answer(self, call: Call, request: wire.AnswerRunbook) -> wire.RunbookRun:
        """`runbooks.answer`."""
        run = self._run(call, request.run)
        await self._answers.answer(call, run, request)
        return run.row()

    async def approve(self, call: Call, request: wire.ApproveRunbook) -> wire.RunbookRun:
        """`runbooks.approve`."""
        run = self._run(call, request.run)
        await self._answers.approve(call, run, request)
        return run.row()

    async def stop(self, call: Call, request: wire.StopRunbook) -> wire.RunbookRun:
        """`runbooks.stop`: what runs is ended, and the run ends when that is known."""
        run = self._run(call, request.run)
        async with run.lock:
            if run.standing.state == "ended":
                raise Conflict("The run has ended.")
            body = {"run": run.id, "step": run.standing.step, "reason": request.reason}
            busy = run.task is not None and not run.task.done()
            run.stopped_by, run.stop_reason = call.actor, request.reason
            async with call.change(run.standing.document.id, body=body) as tx:
                if not busy:
                    await self._runner.write(tx, run, leading.stopped(self._runner.house, run))
            run.stop.ask()
            run.go.set()
            if run.task is None or run.task.done():
                # also where it was busy, and came to a halt meanwhile without having heard of this
                self._runner.end_soon(run)
        return run.row()

    async def hand_over(self, call: Call, request: wire.HandOver) -> wire.RunbookRun:
        """`runbooks.hand_over`: by whoever leads it, or by whoever takes it."""
        run = self._run(call, request.run)
        to = request.to or call.actor
        async with run.lock:
            # it may have ended, or been taken, while this waited
            if to != call.actor and run.standing.leader != call.actor:
                raise PermissionDenied(
                    f"{run.standing.leader} leads this run: take it yourself, then hand it over."
                )
            if run.standing.state == "ended":
                raise Conflict("The run has ended.")
            async with call.change(run.standing.document.id, body={"run": run.id, "to": to}) as tx:
                await self._runner.write(tx, run, [journal.Led(at=call.now, by=call.actor, to=to)])
        return run.row()

    # --- what is kept ---------------------------------------------------------------------------------

    async def output(self, call: Call, request: wire.RunbookOutputQuery) -> wire.RunbookOutput:
        """`runbooks.output`."""
        await self._stored(call, request.run)
        found = await records.output(
            self._store, request.run, step=request.step, host=request.host, after=request.after, limit=PAGE
        )
        pieces: list[wire.RunbookPiece] = []
        size = 0
        for piece in found:
            size += len(piece.text)
            if pieces and size > request.limit_bytes:
                break
            pieces.append(piece)
        return wire.RunbookOutput(pieces=tuple(pieces), more=len(pieces) < len(found) or len(found) == PAGE)

    async def transcript(self, call: Call, request: wire.TranscriptQuery) -> wire.Transcript:
        """`runbooks.transcript`."""
        _, document = await self._stored(call, request.run)
        told = await transcript.markdown(self._store, request.run, document)
        if request.format == "asciicast":
            return replace(told, text=await transcript.asciicast(self._store, request.run, document))
        return told

    async def search(self, call: Call, request: wire.SearchRunbooks) -> wire.RunbookMatches:
        """`runbooks.search`: in the runs that the caller may see."""
        return await searching.search(self._store, self._clock, request, partial(self._seen, call))


def _open_values(basis: Basis) -> dict[str, str]:
    """Values that may be kept: secrets are in memory alone."""
    secret = {one.name for one in basis.document.variables if one.secret}
    return {name: value for name, value in basis.values.items() if name not in secret}
