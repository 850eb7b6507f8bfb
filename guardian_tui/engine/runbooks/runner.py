"""Runs of runbooks: each entry on disk before anybody relies on it, taken up again after a restart, and never rerun by themselves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from msgspec.structs import replace

from guardian_tui.engine.calls import Entry
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.runbooks import course, journal, records, transcript
from guardian_tui.engine.runbooks.display import Display
from guardian_tui.engine.runbooks.documents import END, ROLLBACK, STOP, Step
from guardian_tui.engine.runbooks.house import House
from guardian_tui.engine.runbooks.journal import AnyEntry
from guardian_tui.engine.runbooks.output import Output
from guardian_tui.engine.runbooks.planning import batches, missing_values, person_for
from guardian_tui.engine.runbooks.run import Run, labels_of
from guardian_tui.engine.runbooks.sight import basis_of, see
from guardian_tui.engine.runbooks.state import Standing, replay
from guardian_tui.engine.store.database import Tx
from guardian_tui.protocol.errors import AuditUnavailable, GuardianError, InvalidRequest, StoreUnavailable

log = logging.getLogger(__name__)

RETRY_SECONDS = 5.0
"""A store that can't be written is tried again so much later."""
SHOW_SECONDS = 0.25
"""Output and counts are shown at most so often."""
IDLE_SECONDS = 10.0
"""What ended is taken away at most so late."""
LINES_TOLD = 3
"""Commands that an audit event names."""
LINE_CHARACTERS = 300


class Runner:
    """Holds all runs that have not ended.

    Args:
        carry: carries the current step of a run to its end; answers its result.
        prove: has the rule of a run's alert judged again.
        close: closes what a run opened.
    """

    def __init__(
        self, house: House, carry: Callable[[Run, Step], Awaitable[journal.Result]], prove: Callable[[Run], Awaitable[journal.Proved]],
        close: Callable[[Run], Awaitable[None]],
    ) -> None:  # fmt: skip
        self.house = house
        self._carry = carry
        self._prove = prove
        self._close = close
        self.runs: dict[str, Run] = {}
        self.display = Display(house.live, house.clock, house.places)
        self._begun = asyncio.Event()
        """A run has begun."""
        self._shower: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Take up what had not ended: who was in the middle of something is told as that."""
        for row in await records.unfinished(self.house.store):
            document = await records.pinned(self.house.store, row.hash)
            if document is None:
                log.error("the document of the run %s is gone", row.id)
                continue
            standing = replay(document, await records.entries_of(self.house.store, row.id))
            ways = [way for host in standing.hosts if (way := self.house.places.way(host)) is not None]
            number = await records.last_number(self.house.store, row.id)
            run = Run(
                row.id, standing, Output(self.house.clock, self.house.budget, number), labels_of(row.id, ways)
            )
            self.runs[run.id] = run
            await self._recover(run)
        self._shower = asyncio.create_task(self._showing(), name="runbooks: output")

    async def stop(self) -> None:
        """Leave all runs as they are on disk."""
        self._stopping = True
        tasks = [run.task for run in self.runs.values() if run.task is not None]
        if self._shower is not None:
            tasks.append(self._shower)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for run in self.runs.values():
            with suppress(StoreUnavailable):
                await self.flush(run)

    async def _recover(self, run: Run) -> None:
        """Go on from where the journal ends."""
        standing = run.standing
        await self.look(run)
        if standing.state == "ended":
            await self.finish(run)
            return
        run.recovered = standing.state in ("running", "paused")
        if standing.state == "running":
            # detached commands, waits and what others do for us are found again; what was in the foreground is in doubt, and its step says so
            self.carry_on(run)
        self.display.show(run)

    # --- a run comes ----------------------------------------------------------------------------------

    def take(self, run: Run) -> None:
        """A run begins (after its commit)."""
        self.runs[run.id] = run
        self._begun.set()
        run.go.set()
        self.display.show(run)

    # --- what is written --------------------------------------------------------------------------------

    async def write(self, tx: Tx, run: Run, entries: Sequence[AnyEntry], transcript: str = "") -> None:
        """Add entries to a run, in a transaction of the caller, who holds its lock; they are applied after the commit.

        With its ``transcript`` the run is settled: nothing of it is left to be done.
        """
        length = run.standing.length
        if entries and all(isinstance(entry, journal.QUIET) for entry in entries):
            await records.append(tx, run.id, length, entries)
            await self._put_output(tx, run)
            tx.after_commit(lambda: self._apply(run, entries))
            return
        ahead = run.standing.after(entries)
        seen = await see(self.house, run, ahead)
        if entries:
            await records.append(tx, run.id, length, entries)
        await self._put_output(tx, run)
        row = replace(run.row(ahead, seen), transcript=transcript)
        await records.put_run(tx, row, new=length == 0)

        def committed() -> None:
            run.standing, run.sight, run.transcript = ahead, seen, transcript
            self.display.show(run)

        tx.after_commit(committed)

    @staticmethod
    def _apply(run: Run, entries: Sequence[AnyEntry]) -> None:
        for entry in entries:
            run.standing.apply(entry)

    @staticmethod
    async def _put_output(tx: Tx, run: Run) -> None:
        pieces = list(run.output.pending)
        if pieces:
            await records.put_output(tx, run.id, pieces)
            tx.after_commit(lambda: run.output.written(len(pieces)))

    async def append(
        self, run: Run, entries: Sequence[AnyEntry], event: Entry | None = None, transcript: str = ""
    ) -> None:
        """Write entries of the engine's own; what can't be written now is written when the store is back."""
        while True:
            try:
                async with run.lock, self.house.store.write() as tx:
                    await self.write(tx, run, entries, transcript)
                    if event is not None:
                        await self.house.audit.append(tx, event)
                return
            except (StoreUnavailable, AuditUnavailable) as error:
                log.warning("the journal of run %s can't be written yet: %s", run.id, error.detail)
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self, run: Run) -> None:
        """Write what output waits."""
        for ear in run.ears:
            ear.flush()
        if run.output.pending:
            async with self.house.store.write() as tx:
                await self._put_output(tx, run)

    # --- where it goes --------------------------------------------------------------------------------

    def onward(
        self, run: Run, target: str, why: str = "next", standing: Standing | None = None
    ) -> list[AnyEntry]:
        """Entries that bring a run to a step, or to its end, from where it stands or is about to."""
        now, standing = self.house.clock.now(), standing or run.standing
        if target == STOP:
            return self.ending("failed", "The runbook ends here, without success.")
        if target == END:
            if standing.alert and standing.proof in ("", "waiting"):
                return [
                    journal.Proved(
                        at=now, proof="waiting", words="The alert's rule is judged again with fresh probes."
                    )
                ]
            return self.ending("done", "")
        return [
            journal.Moved(at=now, step=target, why=why),  # type: ignore[arg-type]  # one of its words
            journal.Planned(at=now, step=target, commands=self._commands(run, target, standing)),
        ]

    def ending(self, verdict: str, words: str) -> list[AnyEntry]:
        """Entries with which a run ends; what it opened is closed by whoever writes them."""
        return [journal.Ended(at=self.house.clock.now(), verdict=verdict, words=words)]  # type: ignore[arg-type]  # one of its words

    def _commands(self, run: Run, target: str, standing: Standing) -> tuple[journal.Command, ...]:
        step = standing.document.step(target)
        if not step.acts:
            return ()
        try:
            planned = self.house.planner.step(basis_of(self.house, run, standing), step)
        except GuardianError:
            # said when it is to be started
            return ()
        return tuple(journal.Command(one.command, one.hosts, step.user) for one in planned.commands)

    async def look(self, run: Run) -> None:
        """Plan the current step anew, with what is known now."""
        run.sight = await see(self.house, run, run.standing)

    def approved(self, run: Run, step: Step) -> int:
        """How many approvals of a step hold."""
        return sum(
            one.ok and one.step == step.name and one.account not in run.sight.void
            for one in run.standing.judged
        )

    # --- carried --------------------------------------------------------------------------------------

    def carry_on(self, run: Run) -> None:
        """Carry the current step in the background."""
        if run.standing.state != "paused":
            run.go.set()
        run.task = asyncio.create_task(self._carrying(run), name=f"runbook run {run.id}")
        run.task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed in a way that is not foreseen", task.get_name(), exc_info=error)

    async def _carrying(self, run: Run) -> None:
        while True:
            step = run.standing.current
            if run.standing.proof == "waiting":
                await self.append(run, [await self._prove(run), *self.ending("done", "")])
                break
            if step is None:
                break
            try:
                result = await self._carry(run, step)
            except GuardianError as error:
                result = journal.Result(
                    at=self.house.clock.now(), step=step.name, state="failed", words=error.detail
                )
            except Exception as error:
                # ours, not the host's: a person decides
                log.exception("the step %s of run %s", step.name, run.id)
                words = f"The engine failed in the middle of it: {type(error).__name__}. See its log."
                result = journal.Result(
                    at=self.house.clock.now(), step=step.name, state="unknown", words=words
                )
            if not await self._conclude(run, step, result):
                break
        if run.standing.state == "ended":
            await self.finish(run)

    async def _conclude(self, run: Run, step: Step, result: journal.Result) -> bool:
        """Write what came of a step and where the run goes; whether it goes on by itself."""
        undo = run.standing.record.undoing
        result = _undone(result) if undo else result
        entries: list[AnyEntry] = [result]
        ok = result.state in ("done", "undone")
        ahead = run.standing.after([result])
        if run.stop.asked.is_set():
            who = f" by {run.stopped_by}" if run.stopped_by else ""
            reason = f": {run.stop_reason}" if run.stop_reason else ""
            entries += self.ending("stopped", f"It was stopped{who}{reason}.")
        elif undo:
            entries += self.next_undo(ahead) if ok else []
        else:
            target = course.after(run.standing, step, ok=ok)
            if ok or (target not in ("ask", ROLLBACK) and result.state == "failed"):
                entries += self.onward(run, target, "next" if ok else "failed", ahead)
            elif target == ROLLBACK and result.state == "failed" and course.undoable(ahead):
                entries += self.rolling_back(ahead)
        await self.append(run, entries, self._event(run, step, result))
        self.display.drop_results(run, keep=run.standing.step == step.name)
        if run.standing.proof == "waiting":
            return True
        return await self._by_itself(run)

    async def _by_itself(self, run: Run) -> bool:
        """Start the next step where no person is needed for it."""
        standing, step = run.standing, run.standing.current
        if (
            not standing.auto
            or run.principal is None
            or standing.state != "asking"
            or step is None
            or standing.rolling_back
        ):
            return False
        if person_for(step, standing.values) or missing_values(basis_of(self.house, run)):
            return False
        if step.kind == "input":
            return False
        try:
            entry = self.starting(run, step, run.principal.name)
        except GuardianError as error:
            log.info("run %s does not go on by itself: %s", run.id, error.detail)
            return False
        await self.append(run, [entry], self.started_event(run, step, entry))
        return True

    def rolling_back(self, standing: Standing) -> list[AnyEntry]:
        """Entries that begin to take steps back."""
        names = course.undoable(standing)
        now = self.house.clock.now()
        begun = journal.RollingBack(at=now, steps=names)
        return [begun, *self.next_undo(standing.after([begun]))]

    def next_undo(self, standing: Standing) -> list[AnyEntry]:
        """Entries that lead to the next step that can be taken back, or end the run."""
        now = self.house.clock.now()
        if not standing.rollback:
            words = "What could be taken back was asked for, the newest first."
            return [journal.Ended(at=now, verdict="rolled_back", words=words)]
        return [journal.Planned(at=now, step=standing.rollback[0], words="Shall this be taken back?")]

    def starting(self, run: Run, step: Step, by: str, *, undo: bool = False) -> journal.Started:
        """The entry with which a step begins.

        Raises:
            GuardianError: it can't: a value is missing, a host is gone.
        """
        now = self.house.clock.now()
        basis = basis_of(self.house, run)
        record = run.standing.of(step.name)
        hosts: list[Way] = []
        sizes: tuple[int, ...] = ()
        if step.acts or step.kind in ("wait", "silence"):
            hosts = self.house.planner.hosts(basis, step) or []
        if step.acts:
            if not hosts:
                raise InvalidRequest("It is not known on which hosts this is to run.", field="hosts")
            if undo:
                hosts = [way for way in hosts if way.host_id in record.touched]
            elif record.state != "done":
                # what was well in an earlier attempt is left alone
                well = {host for host, outcome in record.outcomes.items() if outcome.state == "ok"}
                hosts = [way for way in hosts if way.host_id not in well] or hosts
            for way in hosts:
                self.house.planner.rendered(basis, step, way, rollback=undo)
            sizes = batches(step, len(hosts))
        until = now + (step.wait_seconds or step.timeout_seconds) if step.kind == "wait" else 0.0
        return journal.Started(
            at=now, by=by, step=step.name, hosts=tuple(way.host_id for way in hosts), batches=sizes, undo=undo, until=until,
            names={way.host_id: way.name for way in hosts},
        )  # fmt: skip

    def end_soon(self, run: Run) -> None:
        """See to what follows from a run's end, in the background."""
        run.task = asyncio.create_task(self.finish(run), name=f"end of runbook run {run.id}")
        run.task.add_done_callback(self._told)

    def go_on_soon(self, run: Run) -> None:
        """Begin the current step, in the background, if it needs no person."""
        run.task = asyncio.create_task(self._going_on(run), name=f"runbook run {run.id}")
        run.task.add_done_callback(self._told)

    async def _going_on(self, run: Run) -> None:
        if await self._by_itself(run):
            await self._carrying(run)

    # --- its end --------------------------------------------------------------------------------------

    async def finish(self, run: Run) -> None:
        """A run has ended: what it opened is closed, its transcript is hashed into the audit log."""
        try:
            await self._close(run)
        except GuardianError as error:
            log.error("what run %s opened could not be closed: %s", run.id, error.detail)
        await self._flush_surely(run)
        told = await transcript.markdown(self.house.store, run.id, run.standing.document)
        standing = run.standing
        body = {
            "run": run.id, "verdict": standing.verdict, "words": standing.words[:300], "transcript": told.hash, "document": standing.document.hash,
            "proof": standing.proof,
        }  # fmt: skip
        outcome = "ok" if standing.verdict == "done" else "failed"
        event = Entry(standing.leader, "runbooks.ended", standing.document.id, outcome, body=body)
        await self.append(run, [], event, told.hash)
        self.runs.pop(run.id, None)
        self.display.ended(run)
        run.ended.set()

    async def _flush_surely(self, run: Run) -> None:
        while True:
            try:
                await self.flush(run)
                return
            except StoreUnavailable:
                await asyncio.sleep(RETRY_SECONDS)

    # --- events ---------------------------------------------------------------------------------------

    def started_event(self, run: Run, step: Step, entry: journal.Started) -> Entry:
        """The intent of a step that acts: what will be run, on disk before it is."""
        return Entry(
            entry.by, "runbooks.step", run.standing.document.id, "intent", body=self.told(run, step, entry)
        )

    def told(self, run: Run, step: Step, entry: journal.Started) -> dict[str, object]:
        """What an event says of a step that begins."""
        body: dict[str, object] = {
            "run": run.id,
            "step": step.name,
            "kind": step.kind,
            "hosts": len(entry.hosts),
        }
        planned = run.sight.planned
        if planned is not None and planned.commands:
            body["commands"] = [one.command[:LINE_CHARACTERS] for one in planned.commands[:LINES_TOLD]]
            body["on"] = [entry.names.get(host, host) for host in entry.hosts[:10]]
            body["as"] = step.user
        return body

    def _event(self, run: Run, step: Step, result: journal.Result) -> Entry:
        record = run.standing.of(step.name)
        states = [outcome.state for outcome in record.outcomes.values()]
        body: dict[str, object] = {
            "run": run.id,
            "step": step.name,
            "state": result.state,
            "words": result.words[:300],
        }
        if states:
            body |= {state: states.count(state) for state in ("ok", "failed", "unknown")}
        outcome = "ok" if result.state in ("done", "undone", "skipped") else "failed"
        return Entry(
            record.by or run.standing.leader, "runbooks.step", run.standing.document.id, outcome, body=body
        )

    async def _pause(self) -> None:
        if self.runs:
            await asyncio.sleep(SHOW_SECONDS)
            return
        # until a run begins, only what ended is to be taken away some time
        self._begun.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS):
                await self._begun.wait()

    async def _showing(self) -> None:
        """Show and write output as it comes."""
        while True:
            await self._pause()
            for run in list(self.runs.values()):
                try:
                    if run.tail.changed:
                        self.display.show_progress(run)
                    await self.flush(run)
                except StoreUnavailable as error:
                    log.warning("output of run %s can't be written yet: %s", run.id, error.detail)
                except Exception:
                    log.exception("output of run %s", run.id)
            self.display.clean()


def _undone(result: journal.Result) -> journal.Result:
    """The same of the command that takes a step back."""
    return replace(result, undo=True, state="undone" if result.state == "done" else result.state)
