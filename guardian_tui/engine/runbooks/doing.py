"""Steps that run no command: waits, backups, silences, messages; and the proof at the end.  Other features are asked by the same gate as people ask them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from contextlib import suppress

from guardian_tui.engine.calls import ANY_SCOPE, Principal
from guardian_tui.engine.facts import Announcement, ProofGiven, ProofWanted, Sample, WaveDone
from guardian_tui.engine.runbooks import health, journal, wording
from guardian_tui.engine.runbooks.carrying import Carrying
from guardian_tui.engine.runbooks.documents import Step, render_text
from guardian_tui.engine.runbooks.documents.judging import Value, judge, wanted_series
from guardian_tui.engine.runbooks.house import House
from guardian_tui.engine.runbooks.run import Run
from guardian_tui.engine.runbooks.runner import Runner
from guardian_tui.engine.runbooks.sight import basis_of
from guardian_tui.protocol.alerts import AddSilence, EndSilence, Silence
from guardian_tui.protocol.backups import CheckRepository, JobRef, RunRow
from guardian_tui.protocol.errors import (
    AuditUnavailable,
    Conflict,
    GuardianError,
    NotFound,
    StoreUnavailable,
)
from guardian_tui.protocol.fleet import Maintenance

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
PROOF_SECONDS = 180.0
"""So long fresh probes are waited for at the end."""
OWN_RIGHTS = ("alerts.silence", "hosts.maintain")


class Doing:
    """Carries the current step of a run, whatever its kind."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.runner = Runner(house, self.carry, self.prove, self.close)
        self._samples: dict[str, dict[str, float]] = {}
        self._watched: dict[str, int] = {}
        self._proofs: dict[str, asyncio.Future[ProofGiven]] = {}
        house.bus.subscribe(WaveDone, self._wave)
        house.bus.subscribe(ProofGiven, self._proof)

    async def carry(self, run: Run, step: Step) -> journal.Result:
        """The step, from where it is to its end."""
        match step.kind:
            case "run" | "check":
                return await Carrying(self.runner, run, step).carry()
            case "wait":
                return await self._wait(run, step)
            case "backup":
                return await self._backup(run, step)
            case "silence":
                return await self._silence(run, step)
            case "notify":
                return await self._notify(run, step)
        raise Conflict(f"{step.name} is nothing that runs by itself.")

    def _result(self, step: Step, *, ok: bool, words: str) -> journal.Result:
        return journal.Result(
            at=self._house.clock.now(), step=step.name, state="done" if ok else "failed", words=words
        )

    def _text(self, run: Run, step: Step) -> str:
        basis = basis_of(self._house, run)
        return render_text(basis.document, step.text, basis.values)

    # --- wait -----------------------------------------------------------------------------------------

    async def _wait(self, run: Run, step: Step) -> journal.Result:
        record = run.standing.record
        if step.wait_seconds:
            await self._until_stop(run, self._left(record.until, step.wait_seconds))
            return self._result(step, ok=not run.stop.asked.is_set(), words="")
        hosts = record.hosts
        for host in hosts:
            self._watched[host] = self._watched.get(host, 0) + 1
        try:
            return await self._condition(run, step, hosts)
        finally:
            run.words = ""
            for host in hosts:
                self._watched[host] -= 1
                if not self._watched[host]:
                    del self._watched[host]
                    self._samples.pop(host, None)

    async def _condition(self, run: Run, step: Step, hosts: tuple[str, ...]) -> journal.Result:
        """Wait until a condition holds on all hosts, for as long as it must, or its time is over."""
        clock, since, why = self._house.clock, 0.0, ""
        deadline = clock.monotonic() + self._left(run.standing.record.until, step.timeout_seconds)
        while not run.stop.asked.is_set():
            now = clock.monotonic()
            told = [judge(step.text, self._values(run, step, host)) for host in hosts or ("",)]
            bad = next((one for one in told if not one.holds), None)
            why = bad.why if bad is not None else told[0].why
            if bad is not None:
                since = 0.0
            else:
                since = since or now
                if now - since >= step.hold_seconds:
                    return self._result(step, ok=True, words=why)
            if now >= deadline:
                return self._result(
                    step, ok=False, words=f"It was not so in {wording.seconds(step.timeout_seconds)}: {why}."
                )
            if run.words != why:
                run.words = why
                self.runner.display.show_progress(run)
            await self._until_stop(run, POLL_SECONDS)
        return self._result(step, ok=False, words="It was stopped.")

    def _values(self, run: Run, step: Step, host: str) -> Mapping[str, Value | None]:
        way = self._house.places.way(host)
        values: dict[str, Value | None] = dict(
            basis_of(self._house, run).on(way) if way is not None else run.standing.values
        )
        row, now = self._house.live.hosts.get(host), self._house.clock.now()
        values["state"] = health.state_of(row, now) if row is not None else None
        alert = self._house.live.alerts.get(run.standing.alert) if run.standing.alert else None
        values["alert"] = alert.state if alert is not None else "resolved" if run.standing.alert else None
        # what was measured last on a host that does not answer is no value of now
        samples = self._samples.get(host, {}) if health.answers(row, now) else {}
        values |= {name: samples.get(name) for name in wanted_series(step.text, values)}
        return values

    def _wave(self, wave: WaveDone) -> None:
        for sample in wave.samples:
            if sample.host_id in self._watched:
                self._take(sample)

    def _take(self, sample: Sample) -> None:
        kept = self._samples.setdefault(sample.host_id, {})
        kept.update(zip(sample.layout.names, sample.values, strict=True))

    def _left(self, until: float, seconds: float) -> float:
        """How long it is until then, which was so many seconds away once: a clock that was set back makes that no longer."""
        return min(seconds, until - self._house.clock.now())

    @staticmethod
    async def _until_stop(run: Run, seconds: float) -> None:
        if seconds <= 0:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await run.stop.asked.wait()

    # --- what others do -------------------------------------------------------------------------------

    def _rights(self, run: Run) -> Principal:
        if run.principal is None:
            raise Conflict("The engine was started again meanwhile: go on with this step yourself.")
        return run.principal

    async def _backup(self, run: Run, step: Step) -> journal.Result:
        reference = run.standing.record.reference
        if not reference and run.recovered:
            run.recovered = False
            words = "The engine ended while it was begun: see whether a backup of it runs, or ran, before you go on."
            return journal.Result(at=self._house.clock.now(), step=step.name, state="unknown", words=words)
        if not reference:
            began = await self._begin_backup(run, step)
            reference = began.id
            await self.runner.append(
                run, [journal.Noted(at=self._house.clock.now(), step=step.name, reference=reference)]
            )
        clock, seconds = self._house.clock, step.timeout_seconds
        deadline = clock.monotonic() + self._left((run.standing.record.at or 0.0) + seconds, seconds)
        while not run.stop.asked.is_set():
            row = self._house.live.runs.get(reference)
            if row is not None and row.state in ("ended", "lost"):
                return self._result(
                    step, ok=row.verdict == "ok", words=f"{row.verdict or 'lost'}: {row.words}".rstrip(": ")
                )
            if clock.monotonic() > deadline:
                words = f"It did not end in {wording.seconds(step.timeout_seconds)}; the backup goes on."
                return self._result(step, ok=False, words=words)
            run.words = f"The backup run {reference} is {row.state if row else 'not known'}."
            await self._until_stop(run, POLL_SECONDS)
        return self._result(step, ok=False, words=f"It was stopped; the backup run {reference} goes on.")

    async def _begin_backup(self, run: Run, step: Step) -> RunRow:
        name, rights = self._text(run, step), self._rights(run)
        if step.operation == "check":
            job = next((row for row in self._house.live.backups.rows() if row.name == name), None)
            if job is None:
                raise NotFound(f"There is no backup job {name[:60]!r}.")
            order = CheckRepository(repository=job.repository)
            answer = await self._house.act(rights, "repositories.check", order)
        else:
            answer = await self._house.act(rights, "backups.run", JobRef(job=name))
        assert isinstance(answer, RunRow)  # noqa: S101  # by the route table
        return answer

    async def _silence(self, run: Run, step: Step) -> journal.Result:
        reason = f"{self._text(run, step)} (runbook run {run.id}, step {step.name})"
        since, hosts = run.standing.record.at or 0.0, run.standing.record.hosts
        if step.maintenance:
            for host in hosts:
                await self._open(run, "maintenance", host, since + step.duration_seconds, reason)
            return self._result(step, ok=True, words="")
        for host in hosts or ("",):
            for rule in step.rules or ("",):
                await self._open(run, "silence", host, step.duration_seconds, reason, rule)
        return self._result(step, ok=True, words="")

    async def _open(self, run: Run, what: str, host: str, span: float, reason: str, rule: str = "") -> None:
        """Open a silence or a maintenance window; one that was opened before a restart is found again."""
        name = run.standing.names.get(host, host)
        words = f"{what} of {rule or 'all rules'} on {name or 'all hosts'}"
        reference = host
        if what == "maintenance":
            opened = run.standing.opened.get(host)
            if opened is not None and opened.at >= (run.standing.record.at or 0.0):
                return
            order = Maintenance(host=host, until=span, reason=reason[:500])
            await self._house.act(self._rights(run), "hosts.maintenance", order)
        else:
            known = next(
                (
                    one
                    for one in self._house.live.silences.rows()
                    if one.reason == reason and one.rule == rule and one.host == name
                ),
                None,
            )
            if known is None:
                add = AddSilence(rule=rule, host=name, reason=reason[:1000], seconds=max(60.0, span))
                answer = await self._house.act(self._rights(run), "silences.add", add)
                assert isinstance(answer, Silence)  # noqa: S101  # by the route table
                known = answer
            reference = known.id
        opened = journal.Opened(at=self._house.clock.now(), what=what, reference=reference, words=words)  # type: ignore[arg-type]  # one of its words
        await self.runner.append(run, [opened])

    async def close(self, run: Run) -> None:
        """Close what a run opened; with the engine's own rights, for it is owed whoever began it."""
        rights = Principal(
            "", f"run {run.id}", "", -1, "engine", dict.fromkeys(OWN_RIGHTS, ANY_SCOPE), fresh_until=0.0
        )  # fmt: skip
        for reference, one in list(run.standing.opened.items()):
            try:
                if one.what == "maintenance":
                    await self._house.act(
                        rights, "hosts.maintenance", Maintenance(host=reference, until=None)
                    )
                else:
                    await self._house.act(rights, "silences.end", EndSilence(silence=reference))
            except NotFound:
                # it is over already
                pass
            except (StoreUnavailable, AuditUnavailable):
                # done again when the store is back
                raise
            except GuardianError as error:
                log.error("%s, which run %s opened, could not be closed: %s", one.words, run.id, error.detail)
                continue
            await self.runner.append(run, [journal.Closed(at=self._house.clock.now(), reference=reference)])

    async def _notify(self, run: Run, step: Step) -> journal.Result:
        """Hand a message to the outbox; told again after a restart, under the same key."""
        key = f"{run.id}-{step.name}-{run.standing.record.attempt}"
        told: list[str] = []
        self._house.bus.publish(
            Announcement(
                key,
                run.standing.record.at or 0.0,
                run.standing.document.title,
                self._text(run, step),
                step.channels,
                told.append,
            )
        )
        if not told:
            where = ", ".join(step.channels) or "any channel"
            return self._result(
                step, ok=False, words=f"There is no way to tell {where}: see `guardian-tui channels list`."
            )
        return self._result(step, ok=True, words=f"Handed over to {', '.join(told)}.")

    # --- the proof ------------------------------------------------------------------------------------

    async def prove(self, run: Run) -> journal.Proved:
        """Have the rule of the run's alert judged again, with values that were measured after the last step."""
        standing, clock = run.standing, self._house.clock
        host = standing.alert_host
        token = secrets.token_hex(8)
        future: asyncio.Future[ProofGiven] = asyncio.get_running_loop().create_future()
        self._proofs[token] = future
        stopping = asyncio.create_task(run.stop.asked.wait())
        run.words = standing.proof_words
        self.runner.display.show_progress(run)
        try:
            self._house.bus.publish(
                ProofWanted(token, standing.alert, host, standing.rule, standing.instance, clock.now())
            )
            async with asyncio.timeout(PROOF_SECONDS):
                while not future.done():
                    await asyncio.wait((future, stopping), return_when=asyncio.FIRST_COMPLETED)
                    if run.stop.asked.is_set():
                        return journal.Proved(
                            at=clock.now(),
                            proof="unknown",
                            words="It was stopped before the rule was judged.",
                        )
        except TimeoutError:
            words = f"No fresh value of the rule came in {wording.seconds(PROOF_SECONDS)}: look at the alert."
            return journal.Proved(at=clock.now(), proof="unknown", words=words)
        finally:
            run.words = ""
            stopping.cancel()
            del self._proofs[token]
        given = future.result()
        return journal.Proved(at=clock.now(), proof=given.proof, words=given.words)

    def _proof(self, fact: ProofGiven) -> None:
        future = self._proofs.get(fact.token)
        if future is not None and not future.done():
            future.set_result(fact)
