"""How a run stands: what its journal adds up to.  Pure: an entry is applied, nothing is asked of anybody."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import takewhile

from guardian_tui.engine.runbooks import journal
from guardian_tui.engine.runbooks.documents.model import Document, Step
from guardian_tui.engine.runbooks.journal import AnyEntry, HostOutcome
from guardian_tui.protocol.runbooks import Proof, RunState, RunVerdict, StepState

_NONE = HostOutcome(host="", state="waiting")


@dataclass(slots=True)
class StepRecord:
    """What is known of a step of a run."""

    state: StepState = "todo"
    attempt: int = 0
    words: str = ""
    by: str = ""
    at: float | None = None
    reference: str = ""
    until: float = 0.0
    hosts: tuple[str, ...] = ()
    """Over which the attempt goes, in order."""
    batches: tuple[int, ...] = ()
    batch_of: dict[str, int] = field(default_factory=dict)
    """Hosts that were begun in this attempt."""
    outcomes: dict[str, HostOutcome] = field(default_factory=dict)
    """By host, of this attempt; those that were well in an earlier one stay."""
    commands: tuple[journal.Command, ...] = ()
    undoing: bool = False
    """The command that takes it back is under way, or was last."""

    @property
    def in_doubt(self) -> tuple[str, ...]:
        """Hosts on which a command was begun, and nobody knows how it ended."""
        return tuple(host for host in self.batch_of if host not in self.outcomes)

    @property
    def touched(self) -> frozenset[str]:
        """Hosts on which there is something to take back: where it was begun, and where taking it back has not gone well yet."""
        if self.undoing:
            return frozenset(host for host in self.hosts if self.outcomes.get(host, _NONE).state != "ok")
        return frozenset((*self.batch_of, *self.outcomes))

    @property
    def waiting(self) -> tuple[str, ...]:
        """Hosts on which it was not begun."""
        return tuple(host for host in self.hosts if host not in self.batch_of)


@dataclass(slots=True)
class Standing:
    """A run, as its journal has it so far."""

    document: Document
    hosts: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    """Of hosts, by id: also of those that were removed meanwhile."""
    values: dict[str, str] = field(default_factory=dict)
    captured: dict[str, dict[str, str]] = field(default_factory=dict)
    """What commands printed, by host."""
    steps: dict[str, StepRecord] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    """Steps that were left behind, the newest last: where going back leads."""
    done: list[str] = field(default_factory=list)
    """Steps that took effect, in order: what a rollback goes through."""
    step: str = ""
    state: RunState = "asking"
    words: str = ""
    by: str = ""
    account: str = ""
    uid: int = -1
    """The Unix account that it was begun from."""
    leader: str = ""
    led_before: str = ""
    led_since: float | None = None
    taken: bool = False
    """Who leads it took it, as against being handed it."""
    began_at: float = 0.0
    ended_at: float | None = None
    alert: str = ""
    rule: str = ""
    instance: str = ""
    alert_host: str = ""
    auto: bool = False
    reason: str = ""
    rollback: tuple[str, ...] = ()
    """Steps that are still to be taken back, the next first."""
    rolling_back: bool = False
    judged: list[journal.Judged] = field(default_factory=list)
    opened: dict[str, journal.Opened] = field(default_factory=dict)
    verdict: RunVerdict = ""
    proof: Proof = ""
    proof_words: str = ""
    version: int = 0
    length: int = 0
    """Entries so far."""
    last_at: float = 0.0
    """The latest time that any of them has."""

    @property
    def current(self) -> Step | None:
        """The step that the run stands at."""
        return self.document.step(self.step) if self.step else None

    @property
    def record(self) -> StepRecord:
        """What is known of the current step."""
        return self.of(self.step)

    def of(self, step: str) -> StepRecord:
        """What is known of a step."""
        return self.steps.setdefault(step, StepRecord())

    def after(self, entries: Iterable[AnyEntry]) -> Standing:
        """The run as it would be with these entries; it stays as it is itself."""
        ahead = replace(
            self, values=dict(self.values), captured={host: dict(some) for host, some in self.captured.items()},
            steps={
                name: replace(record, batch_of=dict(record.batch_of), outcomes=dict(record.outcomes)) for name, record in self.steps.items()
            },
            path=list(self.path), done=list(self.done), judged=list(self.judged), opened=dict(self.opened),
        )  # fmt: skip
        for entry in entries:
            ahead.apply(entry)
        return ahead

    def apply(self, entry: AnyEntry) -> None:
        """Take one more entry."""
        self.length += 1
        self.last_at = max(self.last_at, entry.at)
        if not isinstance(entry, journal.QUIET):
            self.version += 1
        _APPLY[type(entry)](self, entry)

    # --- entries, one by one ------------------------------------------------------------------------

    def _begun(self, entry: journal.Begun) -> None:
        self.hosts, self.values, self.names = entry.hosts, dict(entry.values), dict(entry.names)
        self.by = self.leader = entry.by
        self.account, self.uid, self.began_at = entry.account, entry.uid, entry.at
        self.alert, self.rule, self.instance = entry.alert, entry.rule, entry.instance
        self.auto, self.reason, self.alert_host = entry.auto, entry.reason, entry.alert_host

    def _planned(self, entry: journal.Planned) -> None:
        if self.step and self.step != entry.step and self.record.state == "asking":
            self.record.state = "todo"
        self.step = entry.step
        record = self.record
        record.state, record.at, record.words = "asking", entry.at, ""
        record.commands = entry.commands
        self.state, self.words = "asking", entry.words

    def _started(self, entry: journal.Started) -> None:
        record = self.of(entry.step)
        if entry.undo:
            record.outcomes = {}
        else:
            record.attempt += 1
            record.outcomes = {
                h: o for h, o in record.outcomes.items() if o.state == "ok" and not record.undoing
            }
        record.state, record.by, record.at, record.words = "running", entry.by, entry.at, ""
        record.hosts, record.batches, record.batch_of = entry.hosts, entry.batches, {}
        for host in entry.hosts:
            record.outcomes.pop(host, None)
        record.reference, record.until, record.undoing = entry.reference, entry.until, entry.undo
        self.step, self.state, self.words = entry.step, "running", ""
        self.names = {**self.names, **entry.names}

    def _hosts_begun(self, entry: journal.HostsBegun) -> None:
        record = self.of(entry.step)
        record.batch_of |= dict.fromkeys(entry.hosts, entry.batch)

    def _hosts_done(self, entry: journal.HostsDone) -> None:
        record = self.of(entry.step)
        record.outcomes |= {outcome.host: outcome for outcome in entry.outcomes}
        everywhere = len(record.hosts) == 1
        for outcome in entry.outcomes:
            if outcome.captured and outcome.state == "ok" and not record.undoing:
                self.captured.setdefault(outcome.host, {}).update(outcome.captured)
                if everywhere:
                    # of a step on one host, what was captured holds for all that follow
                    self.values |= outcome.captured

    def _noted(self, entry: journal.Noted) -> None:
        self.of(entry.step).reference = entry.reference

    def _result(self, entry: journal.Result) -> None:
        record = self.of(entry.step)
        if record.attempt == 0 and not entry.undo:
            record.attempt = 1
        record.state, record.words, record.at = entry.state, entry.words, entry.at
        record.by = entry.by or record.by
        record.undoing = entry.undo
        if entry.state == "unknown":
            for host in record.in_doubt:
                record.outcomes[host] = HostOutcome(host=host, state="unknown", words=entry.words)
        if entry.state in ("failed", "unknown"):
            self.state, self.words = "deciding", entry.words
        step = self.document.step(entry.step)
        if entry.value is not None and step.variable is not None:
            self.values[step.variable.name] = entry.value
        if entry.undo:
            if entry.state in ("undone", "skipped"):
                self.rollback = tuple(name for name in self.rollback if name != entry.step)
            if entry.state == "undone" and entry.step in self.done:
                self.done.remove(entry.step)
        elif entry.state in ("done", "failed", "unknown"):
            # what failed may have taken effect in part: it is offered to be taken back as well
            if entry.step in self.done:
                self.done.remove(entry.step)
            self.done.append(entry.step)

    def _moved(self, entry: journal.Moved) -> None:
        if entry.why != "retry":
            # a new pass: what was well in an earlier one is no reason to leave it out
            self.of(entry.step).outcomes = {}
        if entry.why == "back":
            self.path = list(takewhile(lambda name: name != entry.step, self.path))
            # what was said of the way ahead may not hold on the new one
            self.judged = []
        elif entry.why != "retry" and self.step:
            self.path = [name for name in self.path if name != self.step] + [self.step]

    def _judged(self, entry: journal.Judged) -> None:
        self.judged = [one for one in self.judged if one.account != entry.account] + [entry]

    def _paused(self, entry: journal.Paused) -> None:
        self.state, self.words = "paused", entry.words
        self.record.state = "paused"

    def _resumed(self, entry: journal.Resumed) -> None:
        self.state, self.words = "running", ""
        self.record.state = "running"

    def _opened(self, entry: journal.Opened) -> None:
        self.opened[entry.reference] = entry

    def _closed(self, entry: journal.Closed) -> None:
        self.opened.pop(entry.reference, None)

    def _led(self, entry: journal.Led) -> None:
        self.led_before, self.led_since, self.taken = self.leader, entry.at, entry.by == entry.to
        self.leader = entry.to

    def _rolling_back(self, entry: journal.RollingBack) -> None:
        self.rolling_back, self.rollback = True, entry.steps
        self.state, self.words = "asking", ""

    def _proved(self, entry: journal.Proved) -> None:
        self.proof, self.proof_words = entry.proof, entry.words
        if entry.proof == "waiting":
            # the last step is behind it, and nobody is asked for anything
            self.state, self.words = "running", ""

    def _ended(self, entry: journal.Ended) -> None:
        self.state, self.verdict, self.ended_at, self.words = "ended", entry.verdict, entry.at, entry.words


_APPLY: dict[type, Callable[..., None]] = {
    journal.Begun: Standing._begun, journal.Planned: Standing._planned, journal.Started: Standing._started,
    journal.HostsBegun: Standing._hosts_begun, journal.HostsDone: Standing._hosts_done, journal.Noted: Standing._noted,
    journal.Result: Standing._result, journal.Moved: Standing._moved, journal.Judged: Standing._judged, journal.Paused: Standing._paused,
    journal.Resumed: Standing._resumed, journal.Opened: Standing._opened, journal.Closed: Standing._closed, journal.Led: Standing._led,
    journal.RollingBack: Standing._rolling_back, journal.Proved: Standing._proved, journal.Ended: Standing._ended,
}  # fmt: skip


def replay(document: Document, entries: Iterable[AnyEntry]) -> Standing:
    """A run from its journal."""
    standing = Standing(document)
    for entry in entries:
        standing.apply(entry)
    return standing
