"""A run that has not ended, as the engine holds it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from guardian_tui.engine.calls import Principal
from guardian_tui.engine.remote.followed import Stop
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.runbooks import course, wording
from guardian_tui.engine.runbooks.documents import MASK
from guardian_tui.engine.runbooks.journal import Judged
from guardian_tui.engine.runbooks.output import Ear, Output, Tail
from guardian_tui.engine.runbooks.places import Places
from guardian_tui.engine.runbooks.planning import HOSTS_TOLD
from guardian_tui.engine.runbooks.state import Standing
from guardian_tui.protocol.runbooks import (
    PlannedStep,
    RunbookMark,
    RunbookProgress,
    RunbookResult,
    RunbookRun,
)


@dataclass(frozen=True, slots=True)
class Sight:
    """The current step of a run as it would run now.

    Attributes:
        digest: what an approval that is given now is bound to.
        void: account → why its approval counts no more.
        problem: why the step can't be planned.
    """

    planned: PlannedStep | None = None
    digest: str = ""
    void: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


@dataclass(slots=True)
class Run:
    """One run.

    Attributes:
        standing: what its journal adds up to.
        labels: who may see it: those that all of its hosts have, and its own id, so that none is never all.
        concerned: names of these hosts, by id: those that it acts on or is known to.
        secrets: by variable; in memory alone.
        principal: who went on with it last, with whose rights it goes on by itself; None since a restart.
        lock: held while entries are written.
        go: set unless it is paused.
    """

    id: str
    standing: Standing
    output: Output
    labels: Mapping[str, str]
    concerned: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    principal: Principal | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    stop: Stop = field(default_factory=Stop)
    recovered: bool = False
    """It was in the middle of something when the engine ended, and nobody has looked at that yet."""
    stopped_by: str = ""
    stop_reason: str = ""
    task: asyncio.Task[None] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    sight: Sight = field(default_factory=Sight)
    tail: Tail = field(default_factory=lambda: Tail(named=False))
    ears: set[Ear] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    """Hosts on which a command runs now."""
    words: str = ""
    """What a wait sees just now."""
    shown_results: set[str] = field(default_factory=set)
    transcript: str = ""
    due: dict[Judged, float] = field(default_factory=dict)
    """Approval → when it runs out, by the clock that never jumps."""
    finishing: bool = False
    """Somebody sees to its end already."""

    def relabel(self, places: Places, more: Iterable[Way] = ()) -> None:
        """Judge anew who may see it; it is about to act on these hosts too."""
        self.concerned |= {way.host_id: way.name for way in more}
        self.labels = labels_of(self.id, ways_of(places, self.concerned))

    @property
    def held_bytes(self) -> int:
        """What it holds of its commands' output in memory."""
        return self.output.held_bytes + self.tail.held_bytes + sum(ear.held_bytes for ear in self.ears)

    def row(self, standing: Standing | None = None, sight: Sight | None = None) -> RunbookRun:
        """The run as it is shown; or as it is about to be."""
        standing, sight = standing or self.standing, sight or self.sight
        document, asked = standing.document, course.asked(standing)
        current = standing.current
        secret = {variable.name for variable in document.variables if variable.secret}
        return RunbookRun(
            id=self.id, runbook=document.id, title=document.title, document_version=document.version, hash=document.hash,
            state=standing.state, by=standing.by, leader=standing.leader, started_at=standing.began_at, version=standing.version,
            step=standing.step, number=document.steps.index(current) + 1 if current else 0, marks=_marks(standing), current=sight.planned,
            asked=asked, acts=course.acts(standing), phrase=sight.planned.phrase if sight.planned and asked in ("type", "undo") else "",
            words=standing.words or sight.problem,
            hosts=tuple(standing.names.get(host, host) for host in standing.hosts[:HOSTS_TOLD]), hosts_count=len(standing.hosts),
            values={name: MASK if name in secret else value for name, value in standing.values.items()},
            auto=standing.auto, reason=standing.reason, alert=standing.alert, rule=standing.rule, digest=sight.digest,
            approvals=tuple(wording.approval(one, sight.void.get(one.account, "")) for one in standing.judged),
            quorum=current.quorum if current is not None and current.kind == "approve" else 0,
            open=tuple(one.words for one in standing.opened.values()), verdict=standing.verdict, ended_at=standing.ended_at,
            proof=standing.proof, proof_words=standing.proof_words, transcript=self.transcript, led_before=standing.led_before,
            led_since=standing.led_since, taken=standing.taken,
        )  # fmt: skip

    @property
    def place(self) -> tuple[str, int, bool]:
        """The current step, which attempt at it, whether that is taken back."""
        record = self.standing.record
        return self.standing.step, record.attempt, record.undoing

    def progress(self, now: float) -> RunbookProgress:
        """How the current step gets on."""
        record = self.standing.record if self.standing.step else None
        if record is None:
            return RunbookProgress(id=self.id, step="", attempt=0, measured_at=now, words=self.words)
        states = [outcome.state for outcome in record.outcomes.values()]
        begun = len(record.batch_of)
        # until a step has begun there is the end of the one before: nobody may take that for what this one wrote
        tail = self.tail.text() if self.tail.of == self.place else ""
        return RunbookProgress(
            id=self.id, step=self.standing.step, attempt=record.attempt, batch=max(record.batch_of.values(), default=0),
            batches=len(record.batches), waiting=len(record.hosts) - begun, running=len(record.in_doubt), ok=states.count("ok"),
            failed=states.count("failed"), unknown=states.count("unknown"), tail=tail, bytes=self.output.total_bytes,
            measured_at=now, until=record.until or None, words=self.words,
        )  # fmt: skip

    def results(self) -> list[RunbookResult]:
        """What came of the current step on each host, the worst first."""
        if not self.standing.step:
            return []
        found = [self.result(host) for host in self.standing.record.hosts]
        order = {"failed": 0, "unknown": 1, "running": 2, "waiting": 3, "ok": 4}
        return sorted(found, key=lambda one: (order[one.state], one.host))

    def result(self, host: str) -> RunbookResult:
        """What came of the current step on a host."""
        record, step = self.standing.record, self.standing.step
        name = self.standing.names.get(host, host)
        common = {
            "id": f"{self.id}/{step}/{host}", "run": self.id, "step": step, "host": name, "attempt": record.attempt,
            "batch": record.batch_of.get(host, 0), "undo": record.undoing,
        }  # fmt: skip
        outcome = record.outcomes.get(host)
        if outcome is None:
            return RunbookResult(**common, state="running" if host in record.batch_of else "waiting")  # type: ignore[arg-type]  # fields of it
        return RunbookResult(
            **common, state=outcome.state, exit_code=outcome.exit_code, words=outcome.words, last_line=outcome.last_line,  # type: ignore[arg-type]  # fields of it
            captured=outcome.captured, started_at=outcome.started_at or None, ended_at=outcome.ended_at or None, bytes=outcome.bytes,
            clipped=outcome.clipped,
        )  # fmt: skip


def _marks(standing: Standing) -> tuple[RunbookMark, ...]:
    marks = []
    for step in standing.document.steps:
        record = standing.of(step.name)
        undo = bool(step.rollback) and step.name in standing.done
        marks.append(
            RunbookMark(
                step=step.name, state=record.state, attempt=record.attempt, words=record.words, by=record.by, at=record.at, undo=undo
            )
        )  # fmt: skip
    return tuple(marks)


def ways_of(places: Places, names: Mapping[str, str]) -> list[Way]:
    """Hosts by id and the name that each had then; one that is gone is known by that alone."""
    return [places.way(host) or Way(host, name, {"host": name}, None) for host, name in names.items()]


def labels_of(run_id: str, ways: list[Way]) -> dict[str, str]:
    """Who may see a run: whoever may see each of its hosts."""
    common: dict[str, str] = dict(ways[0].labels) if ways else {}
    for way in ways[1:]:
        common = {key: value for key, value in common.items() if way.labels.get(key) == value}
    return {**common, "run": run_id} if ways else {}
