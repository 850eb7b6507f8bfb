"""Runs of runbooks: each entry on disk before anybody relies on it, taken up again after a restart, and never rerun by themselves."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import TypeVar

from msgspec.structs import replace

from guardian_tui.engine.calls import Entry
from guardian_tui.engine.runbooks import beginning, course, journal, lasting, leading, records, transcript
from guardian_tui.engine.runbooks.display import Display
from guardian_tui.engine.runbooks.documents import ROLLBACK, Step
from guardian_tui.engine.runbooks.house import House
from guardian_tui.engine.runbooks.journal import AnyEntry
from guardian_tui.engine.runbooks.output import Output
from guardian_tui.engine.runbooks.planning import missing_values, person_for
from guardian_tui.engine.runbooks.run import Run
from guardian_tui.engine.runbooks.sight import basis_of, see
from guardian_tui.engine.runbooks.state import replay
from guardian_tui.engine.store.database import Tx
from guardian_tui.protocol.errors import AuditUnavailable, GuardianError, StoreUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

RETRY_SECONDS = 5.0
"""A store that can't be written is tried again so much later."""
SHOW_SECONDS = 0.25
"""Output and counts are shown at most so often."""
IDLE_SECONDS = 10.0
"""What ended is taken away at most so late."""


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
        self.on_end: Callable[[Run], None] = lambda run: None
        """Called when a run has ended and nothing of it is left to be done."""
        self.display = Display(house.live, house.clock, house.places)
        self.most_held_bytes = 0
        """The most that :meth:`count_held` has counted."""
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
            number = await records.last_number(self.house.store, row.id)
            run = Run(row.id, standing, Output(self.house.clock, self.house.budget, number), {})
            run.due = lasting.taken_up(standing, self.house.clock)
            run.concerned = dict(standing.names)
            run.relabel(self.house.places)
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

    def relabel(self, hosts: Collection[str]) -> None:
        """Hosts have other labels: others see the runs that concern them."""
        for run in self.runs.values():
            if not run.concerned.keys().isdisjoint(hosts):
                run.relabel(self.house.places)
                self.display.show(run)
                self.house.live.runbook_watchers.relabel(run.id, run.labels)
        self.display.relabel(hosts)

    async def _recover(self, run: Run) -> None:
        """Go on from where the journal ends."""
        standing = run.standing
        await self.look(run)
        if standing.state == "ended":
            await self.finish(run)
            return
        if standing.state in ("running", "paused"):
            # detached commands, waits and what others do for us are found again, of a paused run too; what was in the foreground is in doubt,
            # and its step says so
            run.recovered = True
            self.carry_on(run, paused=standing.state == "paused")
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
        length, ticks = run.standing.length, self.house.clock.monotonic()
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
            run.due = lasting.given(run, ahead, ticks)
            if any(isinstance(entry, journal.Started) for entry in entries):
                # what begins now was in the middle of nothing when the engine ended
                run.recovered = False
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
        self, run: Run, entries: Sequence[AnyEntry], event: Entry | None = None, transcript: str = "", expected: int | None = None
    ) -> bool:  # fmt: skip
        """Write entries of the engine's own; what can't be written now is written when the store is back.

        With ``expected`` only if the run still stands there; whether it was.
        """
        while True:
            try:
                async with run.lock:
                    if expected is not None and run.standing.version != expected:
                        return False
                    async with self.house.store.write() as tx:
                        await self.write(tx, run, entries, transcript)
                        if event is not None:
                            await self.house.audit.append(tx, event)
                return True
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

    # --- seen anew ------------------------------------------------------------------------------------

    async def look(self, run: Run) -> None:
        """Plan the current step anew, with what is known now."""
        standing = run.standing
        sight = await see(self.house, run, standing)
        if run.standing is standing:
            # whoever wrote meanwhile has seen how it stands since
            run.sight = sight

    async def look_at_approvals(self) -> None:
        """Show which approvals of runs no longer hold; what would run is looked at when it is to."""
        for run in list(self.runs.values()):
            if not run.standing.judged or run.standing.state == "ended":
                continue
            version, seen = run.standing.version, await see(self.house, run, run.standing)
            if run.standing.version == version and seen.void != run.sight.void:
                run.sight = dataclasses.replace(run.sight, void=seen.void)
                self.display.show(run)

    # --- carried --------------------------------------------------------------------------------------

    def carry_on(self, run: Run, *, paused: bool = False) -> None:
        """Carry the current step in the background; one that is ``paused`` begins nothing."""
        (run.go.clear if paused else run.go.set)()
        run.task = asyncio.create_task(self._carrying(run), name=f"runbook run {run.id}")
        run.task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed in a way that is not foreseen", task.get_name(), exc_info=error)

    async def _carrying(self, run: Run) -> None:
        """Carry the current step, and those that go on by themselves; see to the run's end."""
        while await self._one(run):
            pass
        await self._epilogue(run)

    async def _going_on(self, run: Run) -> None:
        if await self._by_itself(run):
            await self._carrying(run)
        else:
            await self._epilogue(run)

    async def _epilogue(self, run: Run) -> None:
        if run.stop.asked.is_set() and run.standing.state != "ended":
            # it was stopped between two steps
            await self.append(run, leading.stopped(self.house, run))
        if run.standing.state == "ended":
            await self.finish(run)

    async def _one(self, run: Run) -> bool:
        """Carry one step; whether the next one was begun."""
        step, now = run.standing.current, self.house.clock.now
        if run.standing.proof == "waiting":
            await self.append(run, [await self._prove(run), *leading.ending(self.house, "done")])
            return False
        assert step is not None  # noqa: S101  # a run that is carried stands at a step
        try:
            result = await self._carry(run, step)
        except GuardianError as error:
            result = journal.Result(at=now(), step=step.name, state="failed", words=error.detail)
        except Exception as error:
            # ours, not the host's: a person decides
            log.exception("the step %s of run %s", step.name, run.id)
            words = f"The engine failed in the middle of it: {type(error).__name__}. See its log."
            result = journal.Result(at=now(), step=step.name, state="unknown", words=words)
        return await self._conclude(run, step, result)

    async def _conclude(self, run: Run, step: Step, result: journal.Result) -> bool:
        """Write what came of a step and where the run goes; whether it goes on by itself."""
        undo = run.standing.record.undoing
        result = _undone(result) if undo else result
        entries: list[AnyEntry] = [result]
        ok = result.state in ("done", "undone")
        ahead = run.standing.after([result])
        if run.stop.asked.is_set():
            entries += leading.stopped(self.house, run)
        elif undo:
            entries += leading.next_undo(self.house, ahead) if ok else []
        else:
            target = course.after(run.standing, step, ok=ok)
            if ok or (target not in ("ask", ROLLBACK) and result.state == "failed"):
                entries += leading.onward(self.house, run, target, "next" if ok else "failed", ahead)
            elif target == ROLLBACK and result.state == "failed" and course.undoable(ahead):
                entries += leading.rolling_back(self.house, ahead)
        await self.append(run, entries, beginning.outcome(run, step, result))
        self.display.drop_results(run, keep=run.standing.step == step.name)
        if run.standing.proof == "waiting":
            return True
        return await self._by_itself(run)

    async def _by_itself(self, run: Run) -> bool:
        """Go on where no person is needed, with the rights of who went on last; whether a step was begun."""
        while (step := await self._free(run)) is not None and run.principal is not None:
            version, now = run.standing.version, self.house.clock.now()
            if step.kind == "input":
                value = run.standing.values[step.name]
                result = journal.Result(at=now, step=step.name, state="done", value=value)
                ahead = run.standing.after([result])
                entries = [
                    result,
                    *leading.onward(self.house, run, run.standing.document.following(step), standing=ahead),
                ]
                if not await self.append(run, entries, expected=version):
                    return False
                if run.standing.proof == "waiting":
                    return True
                continue
            if back := beginning.lapsed(self.house, run):
                await self.append(run, back, expected=version)
                return False
            # whoever goes on with a run came through a route that asks for this
            scope = run.principal.scopes["runbooks.run"]
            try:
                entry = beginning.starting(self.house, run, step, run.principal.name, scope)
            except GuardianError as error:
                log.info("run %s does not go on by itself: %s", run.id, error.detail)
                return False
            return await self.append(run, [entry], beginning.intent(run, step, entry), expected=version)
        return False

    async def _free(self, run: Run) -> Step | None:
        """The current step, if it can begin without a person."""
        standing, step, principal = run.standing, run.standing.current, run.principal
        if not standing.auto or principal is None or standing.state != "asking" or step is None:
            return None
        await self.look(run)
        basis = basis_of(self.house, run)
        roles = step.roles or standing.document.roles
        if (
            standing.rolling_back
            or run.stop.asked.is_set()
            or not run.go.is_set()
            or run.sight.problem
            or person_for(step, standing.values)
            or missing_values(basis)
            or (roles and not principal.roles.intersection(roles))
            or await self.house.may(principal.account_id, "runbooks.run")
        ):
            return None
        return step

    def end_soon(self, run: Run) -> None:
        """See to what follows from a run's end, in the background."""
        run.task = asyncio.create_task(self._epilogue(run), name=f"end of runbook run {run.id}")
        run.task.add_done_callback(self._told)

    def go_on_soon(self, run: Run) -> None:
        """Begin the current step, in the background, if it needs no person."""
        run.go.set()
        run.task = asyncio.create_task(self._going_on(run), name=f"runbook run {run.id}")
        run.task.add_done_callback(self._told)

    # --- its end --------------------------------------------------------------------------------------

    async def finish(self, run: Run) -> None:
        """A run has ended: what it opened is closed, its transcript is hashed into the audit log."""
        if run.finishing:
            return
        run.finishing = True
        standing = run.standing
        await self._surely(run, lambda: self._close(run))
        await self._surely(run, lambda: self.flush(run))
        told = await self._surely(
            run, lambda: transcript.markdown(self.house.store, run.id, standing.document)
        )
        body = {
            "run": run.id, "verdict": standing.verdict, "words": standing.words[:beginning.LINE_CHARACTERS], "transcript": told.hash, "document": standing.document.hash,
            "proof": standing.proof,
        }  # fmt: skip
        outcome = "ok" if standing.verdict == "done" else "failed"
        event = Entry(standing.leader, "runbooks.ended", standing.document.id, outcome, body=body)
        await self.append(run, [], event, told.hash)
        self.runs.pop(run.id, None)
        self.display.ended(run)
        self.on_end(run)
        run.ended.set()

    async def _surely(self, run: Run, work: Callable[[], Awaitable[T]]) -> T:
        """Do what a run's end owes, as soon as the store lets it."""
        while True:
            try:
                return await work()
            except (StoreUnavailable, AuditUnavailable) as error:
                log.warning("the end of run %s can't be written yet: %s", run.id, error.detail)
                await asyncio.sleep(RETRY_SECONDS)

    async def _pause(self) -> None:
        if self.runs:
            await asyncio.sleep(SHOW_SECONDS)
            return
        # until a run begins, only what ended is to be taken away some time
        self._begun.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS):
                await self._begun.wait()

    def count_held(self) -> int:
        """Bytes of their commands' output that all runs hold in memory."""
        held = sum(run.held_bytes for run in self.runs.values())
        self.most_held_bytes = max(self.most_held_bytes, held)
        return held

    async def _showing(self) -> None:
        """Show and write output as it comes."""
        while True:
            await self._pause()
            # counted before it goes to the disk
            self.count_held()
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
