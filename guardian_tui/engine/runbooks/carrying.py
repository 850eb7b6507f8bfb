"""One step over its hosts: batch by batch, bounded, each host on disk before its command is run and after it has ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from msgspec.structs import replace

from guardian_tui.engine.clock import Moment
from guardian_tui.engine.remote.detached import DetachedRun
from guardian_tui.engine.remote.detached_looks import DetachedFailed, Look
from guardian_tui.engine.remote.followed import Ending
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.runbooks import health, journal, shell, verdicts, wording
from guardian_tui.engine.runbooks.documents import Rendered, Step
from guardian_tui.engine.runbooks.documents.model import Retry
from guardian_tui.engine.runbooks.journal import AnyEntry, HostOutcome
from guardian_tui.engine.runbooks.output import Ear, kept_bytes
from guardian_tui.engine.runbooks.references import is_reference
from guardian_tui.engine.runbooks.run import Run
from guardian_tui.engine.runbooks.runner import Runner
from guardian_tui.engine.runbooks.sight import basis_of
from guardian_tui.engine.runbooks.state import StepRecord
from guardian_tui.protocol.errors import GuardianError

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
SOON_SECONDS = 0.2
"""A detached command that has just begun is looked at so soon, then less and less often."""
UNHEARD_SECONDS = 10.0
"""A host that did not answer is asked again so much later."""
LOST_SECONDS = 900.0
"""A detached command whose host has not answered for so long after its time is over is told as unknown."""

UNHEARD = b"[what it wrote is left out: its secrets could stand in it, and the engine was started again and knows them no more]\n"

_GONE = {
    "lost": "The host was restarted, or its traces are gone, before it was known how it ended.",
    "absent": "The host knows nothing of it: it was not begun there, or its traces are gone.",
}
"""Of a detached command, by what its host says of it: nobody knows how it ended."""


class Carrying:
    """Carries the command of a run's current step over its hosts."""

    def __init__(self, runner: Runner, run: Run, step: Step) -> None:
        self._runner = runner
        self._house = runner.house
        self._run = run
        self._step = step
        self._hosts = run.standing.record.hosts
        self._undoing = run.standing.record.undoing
        self._attempt = run.standing.record.attempt
        self._known = health.firing(runner.house.live, run.standing.record.at or 0.0)
        self._begins: list[str] = []
        self._dones: list[HostOutcome] = []
        self._batch = 1
        self._written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._writer: asyncio.Task[None] | None = None
        self._most_failures = step.fanout.max_failures.of(len(self._hosts)) if step.fanout is not None else 0

    async def carry(self) -> journal.Result:
        """From where it is to its end."""
        run, record = self._run, self._fresh()
        self._runner.display.new_tail(run, named=len(record.hosts) > 1)
        self._runner.display.show_results(run, record.hosts)
        if run.recovered:
            await self._take_up(record.in_doubt)
        start = 0
        for number, size in enumerate(record.batches, 1):
            waiting = set(self._fresh().waiting)
            hosts = [host for host in record.hosts[start : start + size] if host in waiting]
            start += size
            if not hosts:
                continue
            self._batch = number
            await asyncio.gather(*(self._host(host) for host in hosts))
            if self._over():
                break
            if start < len(record.hosts) and not await self._gate(record.hosts[:start]):
                break
        # paused while the last of them ran: nothing follows, either
        await self._wait_to_go()
        return self._result()

    def _fresh(self) -> StepRecord:
        """The step's record as it is now: a standing is replaced by the next."""
        return self._run.standing.of(self._step.name)

    def _failures(self) -> int:
        """What is not known is no success."""
        return sum(outcome.state != "ok" for outcome in self._fresh().outcomes.values())

    def _over(self) -> bool:
        """Whether no further host is to be begun."""
        return self._run.stop.asked.is_set() or self._failures() > self._most_failures

    # --- a restart ------------------------------------------------------------------------------------

    async def _take_up(self, hosts: Sequence[str]) -> None:
        """After a restart: detached commands are found again, of others that were begun nobody knows; what was not begun waits for a person."""
        run = self._run
        run.recovered = False
        run.busy |= set(hosts)
        if self._step.detach and not self._undoing:
            await asyncio.gather(*(self._again(host) for host in hosts))
        elif hosts:
            words = "The engine ended while it ran there: nobody knows how it went. Look before you go on."
            self._dones += [HostOutcome(host=host, state="unknown", words=words) for host in hosts]
            await self._commit()
            self._runner.display.show_results(run, hosts)
        run.busy -= set(hosts)
        left = len(self._fresh().waiting)
        if left and run.go.is_set() and not self._over():
            run.go.clear()
            words = f"The engine was started again; {wording.count(left, 'host')} {'is' if left == 1 else 'are'} still to be begun."
            await self._append([journal.Paused(at=self._house.clock.now(), words=words)])
        await self._wait_to_go()

    async def _again(self, host: str) -> None:
        way = self._house.places.way(host)
        if way is None:
            outcome = HostOutcome(
                host=host, state="unknown", words="The host was removed: nobody knows how it ended."
            )
        else:
            rendered = self._rendered(way, partial=True)
            ear = self._ear(way, rendered)
            try:
                outcome = await self._follow_detached(way, ear, self._moment(), deaf=bool(rendered.missing))
            finally:
                self._run.ears.discard(ear)
        await self._done(outcome)
        self._run.busy.discard(host)

    # --- one host -------------------------------------------------------------------------------------

    async def _host(self, host: str) -> None:
        while True:
            # before it takes a place: those of a run that is paused would be missed by all others
            await self._wait_to_go()
            async with self._house.at_once:
                if self._over():
                    return
                if self._run.go.is_set():
                    await self._on(host)
                    return

    async def _on(self, host: str) -> None:
        """The command on one host; it is busy from before that is on disk until what came of it is."""
        self._run.busy.add(host)
        try:
            way = self._house.places.way(host)
            self._begins.append(host)
            await self._commit()
            self._runner.display.show_results(self._run, (host,))
            if way is None:
                words = "The host was removed; nothing was run."
                await self._done(HostOutcome(host=host, state="failed", words=words))
            else:
                await self._done(await self._tries(way))
        finally:
            self._run.busy.discard(host)

    async def _wait_to_go(self) -> None:
        """Until it is not paused, or is to stop."""
        if self._run.go.is_set():
            return
        going = asyncio.create_task(self._run.go.wait())
        stopped = asyncio.create_task(self._run.stop.asked.wait())
        try:
            await asyncio.wait((going, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            going.cancel()
            stopped.cancel()

    async def _tries(self, way: Way) -> HostOutcome:
        """As many tries as the author allows."""
        allowed = (None if self._undoing else self._step.retry) or Retry(times=1)
        outcome = await self._once(way)
        for _ in range(allowed.times - 1):
            if outcome.state != "failed":
                break
            await self._sleep(allowed.wait_seconds)
            if self._run.stop.asked.is_set():
                break
            outcome = await self._once(way)
        return outcome

    async def _once(self, way: Way) -> HostOutcome:
        began = self._moment()
        try:
            rendered = await self._secretly(self._rendered(way))
        except GuardianError as error:
            return HostOutcome(
                host=way.host_id,
                state="failed",
                words=f"{error.detail} Nothing was run.",
                started_at=began.at,
            )
        ear = self._ear(way, rendered)
        try:
            if self._step.detach and not self._undoing:
                return await self._detached(way, rendered, ear, began)
            line, fed = shell.command_line(rendered)
            ending = await self._house.commands.follow(
                way.target,
                line,
                seconds=self._step.timeout_seconds,
                hear=ear.hear,
                stop=self._run.stop,
                stdin=fed,
            )
        except ConnectFailed as error:
            ear.close()
            return HostOutcome(
                host=way.host_id,
                state="failed",
                words=f"{error.detail} Nothing was run.",
                started_at=began.at,
            )
        finally:
            self._run.ears.discard(ear)
        ear.close()
        return self._judge(way, ending, ear, began)

    def _rendered(self, way: Way, *, partial: bool = False) -> Rendered:
        return self._house.planner.rendered(
            basis_of(self._house, self._run), self._step, way, rollback=self._undoing, partial=partial
        )

    async def _secretly(self, rendered: Rendered) -> Rendered:
        """With secrets in place of what the vault knows them by."""
        environment = {}
        for name, value in rendered.environment.items():
            environment[name] = (
                await self._house.resolve(value) if name in rendered.masked and is_reference(value) else value
            )
        stdin = rendered.stdin
        if rendered.stdin_masked and is_reference(stdin):
            stdin = await self._house.resolve(stdin)
        return replace(rendered, environment=environment, stdin=stdin)

    def _ear(self, way: Way, rendered: Rendered) -> Ear:
        secrets = [rendered.environment[name] for name in rendered.masked]
        if rendered.stdin_masked:
            secrets.append(rendered.stdin)
        secrets += [value for value in self._run.secrets.values() if not is_reference(value)]
        ear = self._run.output.ear(
            self._step.name, self._attempt, way.name, secrets, self._run.tail, kept_bytes(len(self._hosts)),
            read=bool(self._step.expect or self._step.capture) and not self._undoing,
        )  # fmt: skip
        self._run.ears.add(ear)
        return ear

    def _moment(self) -> Moment:
        return Moment.of(self._house.clock)

    def _judge(self, way: Way, ending: Ending, ear: Ear, began: Moment) -> HostOutcome:
        return verdicts.of_command(
            self._step, ending, ear, host=way.host_id, values=basis_of(self._house, self._run).on(way), began=began.at,
            seconds=began.ago(self._house.clock), undo=self._undoing,
        )  # fmt: skip

    # --- detached -------------------------------------------------------------------------------------

    def _name(self, host: str) -> str:
        return f"{self._run.id}-{self._run.standing.document.steps.index(self._step) + 1}-{self._fresh().attempt}-{host}"[
            :64
        ]

    async def _detached(self, way: Way, rendered: Rendered, ear: Ear, began: Moment) -> HostOutcome:
        text, hidden = shell.script(rendered)
        order = DetachedRun(self._name(way.host_id), text, self._step.timeout_seconds, hidden)
        try:
            await self._house.detached.start(way.target, order)
        except ConnectFailed as error:
            # it may have begun all the same: whoever follows it sees
            log.info("the start of %s was not answered: %s", order.id, error.detail)
        except DetachedFailed as error:
            return HostOutcome(
                host=way.host_id,
                state="failed",
                words=f"{error.detail} Nothing was run.",
                started_at=began.at,
            )
        return await self._follow_detached(way, ear, began)

    async def _follow_detached(self, way: Way, ear: Ear, began: Moment, *, deaf: bool = False) -> HostOutcome:
        """Follow a command to its end; of one whose secrets were lost with the engine, so that nobody could mask them, nothing is heard."""
        name, offsets, clock = self._name(way.host_id), (0, 0), self._house.clock
        cancelled = False
        while True:
            if self._run.stop.asked.is_set() and not cancelled:
                cancelled = await self._cancel(way, name)
            try:
                look = (await self._house.detached.look(way.target, {name: offsets}))[name]
            except (ConnectFailed, DetachedFailed) as error:
                self._run.words = f"{way.name} can't be asked: {error.detail} Its command goes on there."
                if began.ago(clock) > self._step.timeout_seconds + LOST_SECONDS:
                    return HostOutcome(
                        host=way.host_id,
                        state="unknown",
                        words=f"It can't be asked any more: {error.detail}",
                        started_at=began.at,
                    )
                await asyncio.sleep(UNHEARD_SECONDS)
                continue
            self._run.words = ""
            pause = 0.0 if deaf else max(ear.hear("out", look.out), ear.hear("err", look.err))
            while pause:
                await asyncio.sleep(pause)
                pause = ear.hear("out", b"")
            offsets = (look.out_offset, look.err_offset)
            if look.state != "running" and not look.more:
                break
            pause = min(LOOK_SECONDS, max(SOON_SECONDS, began.ago(clock) / 4))
            await asyncio.sleep(0.0 if look.more else pause)
        if deaf:
            ear.hear("out", UNHEARD)
        ear.close()
        outcome = self._judge_look(way, look, ear, began, cancelled)
        if deaf and outcome.state != "unknown" and (self._step.expect or self._step.capture):
            words = f"It ended with exit status {look.exit_code}; what it wrote was not read, since its secrets could stand in it. Look before you go on."
            outcome = replace(outcome, state="unknown", words=words, captured={})
        try:
            await self._house.detached.forget(way.target, name)
        except (ConnectFailed, DetachedFailed) as error:
            log.info("%s keeps a run that is over: %s", way.name, error.detail)
        return outcome

    async def _cancel(self, way: Way, name: str) -> bool:
        try:
            await self._house.detached.cancel(way.target, name)
        except (ConnectFailed, DetachedFailed) as error:
            log.info("%s can't be told to end %s: %s", way.name, name, error.detail)
            return False
        return True

    def _judge_look(self, way: Way, look: Look, ear: Ear, began: Moment, cancelled: bool) -> HostOutcome:
        if words := _GONE.get(look.state):
            return HostOutcome(host=way.host_id, state="unknown", words=words, started_at=began.at)
        why = "stopped" if cancelled or look.cancelled else "timeout" if look.timed_out else "exited"
        return self._judge(way, Ending(why, look.exit_code), ear, began)  # type: ignore[arg-type]  # one of its words

    # --- batches --------------------------------------------------------------------------------------

    async def _gate(self, hosts: Sequence[str]) -> bool:
        """Whether the next batch may begin; it stops by itself where a host is not well, and a person decides."""
        fanout = self._step.fanout
        if fanout is None or not fanout.gate or self._undoing:
            return True
        if fanout.settle_seconds:
            self._run.words = f"Waits {fanout.settle_seconds:g} s before the hosts are judged."
            await self._sleep(fanout.settle_seconds)
        self._run.words = "Waits for fresh probes of the hosts of this batch."
        bad = await health.of(
            self._house.live,
            self._house.clock,
            hosts,
            since=self._fresh().at or 0.0,
            known=self._known,
            stop=self._run.stop,
        )
        self._run.words = ""
        if self._run.stop.asked.is_set():
            return False
        if not bad:
            return True
        self._run.go.clear()
        await self._append([journal.Paused(at=self._house.clock.now(), words=f"It stopped by itself: {bad}")])
        await self._wait_to_go()
        return not self._run.stop.asked.is_set()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._run.stop.asked.wait()
        except TimeoutError:
            return

    # --- on disk --------------------------------------------------------------------------------------

    async def _done(self, outcome: HostOutcome) -> None:
        self._dones.append(outcome)
        await self._commit()
        self._runner.display.show_results(self._run, (outcome.host,))
        # shown with the output, a few times a second
        self._run.tail.changed = True

    async def _append(self, entries: Sequence[AnyEntry]) -> None:
        await self._runner.append(self._run, entries)

    async def _commit(self) -> None:
        """Come back when all that was added is on disk: many hosts share a transaction."""
        written = self._written
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        await asyncio.shield(written)

    async def _write(self) -> None:
        try:
            while self._begins or self._dones:
                begins, dones, written = self._begins, self._dones, self._written
                self._begins, self._dones = [], []
                self._written = asyncio.get_running_loop().create_future()
                now = self._house.clock.now()
                entries: list[AnyEntry] = []
                if begins:
                    entries.append(
                        journal.HostsBegun(
                            at=now, step=self._step.name, hosts=tuple(begins), batch=self._batch
                        )
                    )
                if dones:
                    entries.append(journal.HostsDone(at=now, step=self._step.name, outcomes=tuple(dones)))
                try:
                    await self._append(entries)
                except BaseException as error:
                    written.set_exception(error)
                    raise
                written.set_result(None)
        finally:
            self._writer = None

    # --- its result -----------------------------------------------------------------------------------

    def _result(self) -> journal.Result:
        record, now = self._fresh(), self._house.clock.now()
        state, words = verdicts.of_step(
            record, self._most_failures, self._run.standing.names, stopped=self._run.stop.asked.is_set()
        )
        return journal.Result(at=now, step=self._step.name, state=state, words=words)
