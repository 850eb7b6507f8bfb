"""Rules against samples: which condition holds on which host since when.  Pure: time comes with the samples.

Time is watched time: the gap to the host's previous sample counts up to three times its usual step, so that a host that was
away, an engine that was stopped or a clock that jumped neither ripens a waiting time nor lets it forget.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Literal

from guardian_tui.engine.alerts.compile import BoundTerm, Check, Compiled, Key, WindowKey, compile_rules, period_of
from guardian_tui.engine.alerts.rules import MetricRule
from guardian_tui.engine.alerts.windows import NAN, Mean, Trend
from guardian_tui.engine.facts import Sample
from guardian_tui.protocol.metrics import Period

PATIENCE = 3.0
"""A gap counts up to this many usual steps."""
FIRST_STEP_SECONDS = 30.0
"""Taken for the usual step until it is known."""
SHORTEST_STEP_SECONDS = 1.0
RESTORED_SECONDS = 60.0
"""How much of the time in which the engine was away counts for a waiting time that was restored."""
ABSENT_SECONDS = 300.0
"""An alert whose series is no longer there (unmounted, unplugged) ends after this."""
LAYOUTS_KEPT = 4096

Phase = Literal["for", "keep"]


@dataclass(slots=True)
class LevelState:
    """One level of one check: waiting since, firing, or letting go since (watched time)."""

    on: bool = False
    waiting_since: float | None = None
    waiting_at: float = 0.0
    """When the waiting began, by the engine's clock."""
    leaving_since: float | None = None


@dataclass(slots=True)
class CheckState:
    """What is known of a check that is not plainly fine."""

    levels: list[LevelState]
    told: int = -1
    """Level that was last reported."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A check's level changed.  ``level`` -1: it is over."""

    host_id: str
    rule: MetricRule
    instance: str
    level: int
    at: float
    began_at: float
    """When the condition, its window included, can have begun."""
    series: str = ""
    value: float = NAN
    gone: bool = False
    """Over because the series is no longer there."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A waiting time as it is kept in the store."""

    rule: str
    instance: str
    level: int
    phase: Phase
    seconds: float
    began_at: float
    seen_at: float


class Track:
    """One host's samples of one period class: their rhythm, windows and layout."""

    __slots__ = ("absent", "booting", "compiled", "last_at", "patience", "step", "time", "windows")

    def __init__(self) -> None:
        self.last_at = -1.0
        self.step = FIRST_STEP_SECONDS
        self.time = 0.0
        self.patience = PATIENCE * FIRST_STEP_SECONDS
        self.booting = False
        self.compiled: Compiled | None = None
        self.windows: list[Mean | Trend] = []
        self.absent: dict[Key, float] = {}

    def move(self, at: float) -> float:
        """Let watched time pass up to ``at``; the gap to the sample before, in seconds of the engine's clock."""
        if self.last_at < 0:
            self.last_at = at
            return 0.0
        gap, self.last_at = at - self.last_at, at
        self.patience = PATIENCE * self.step
        if gap > 0:
            self.time += min(gap, self.patience)
            self.step = max(min(gap, 4 * self.step), SHORTEST_STEP_SECONDS)
        return gap


@dataclass(slots=True)
class HostState:
    """What the evaluator remembers of one host."""

    tracks: dict[Period, Track] = field(default_factory=dict)
    states: dict[Key, CheckState] = field(default_factory=dict)
    windows: dict[WindowKey, Mean | Trend] = field(default_factory=dict)
    unset: set[str] = field(default_factory=set)
    """Flags that were seen unset."""
    restored: list[Timer] = field(default_factory=list)


class Evaluator:
    """All rules over all hosts.

    Args:
        rules: the rules in force.
        boot_grace_seconds: uptime below which rules with a boot grace can't fire.
    """

    def __init__(self, rules: Sequence[MetricRule], boot_grace_seconds: float = 600.0) -> None:
        self.rules = {rule.rule: rule for rule in rules}
        self._rules = tuple(rules)
        self._boot_grace_seconds = boot_grace_seconds
        self._compiled: dict[int, Compiled] = {}
        self._hosts: dict[str, HostState] = {}

    def sample(self, sample: Sample, period: Period) -> list[Finding]:
        """Judge a host's newest values; what changed."""
        host = self._hosts.get(sample.host_id)
        if host is None:
            host = self._hosts[sample.host_id] = HostState()
        track = host.tracks.get(period)
        if track is None:
            track = host.tracks[period] = Track()
        gap = track.move(sample.at)
        compiled = track.compiled
        if compiled is None or compiled.layout is not sample.layout:
            compiled = self._bind(host, track, sample, period)
        booting = 0 <= sample.uptime_seconds < self._boot_grace_seconds
        if gap > track.patience or booting != track.booting:
            for window in track.windows:
                # across a boot or a long gap its content is of another time
                if booting != track.booting or gap > window.tolerates_seconds:
                    window.clear()
            track.booting = booting
        values, time = sample.values, track.time
        for window, (_, place) in zip(track.windows, compiled.windows, strict=True):
            value = values[place]
            if not isnan(value):
                window.add(time, abs(value) if type(window) is Trend else value, track.patience)
        hits = self._look(host, track, compiled, values, booting)
        findings: list[Finding] = []
        if host.states:
            for key in list(host.states):
                check = compiled.by_key.get(key)
                if check is not None:
                    hits.discard(check.number)
                    self._judge(host, track, check, sample, booting, findings)
        for number in sorted(hits):
            self._judge(host, track, compiled.checks[number], sample, booting, findings)
        if track.absent:
            self._end_absent(host, track, sample, findings)
        return findings

    def _look(self, host: HostState, track: Track, compiled: Compiled, values: list[float], booting: bool) -> set[int]:
        guards = compiled.booting if booting else compiled.settled
        hits = {number for place, bound, number in guards.above if values[place] > bound}
        for place, bound, number in guards.below:
            if values[place] < bound:
                hits.add(number)
        for place, bound, number in guards.beyond:
            if values[place] > bound or values[place] < -bound:
                hits.add(number)
        windows = track.windows
        for place, bound, number in guards.mean_above:
            if windows[place].mean() > bound:  # type: ignore[union-attr]  # only means are filed here
                hits.add(number)
        for place, series, number in compiled.turned:
            if values[place] > 0.5:
                if series in host.unset:
                    hits.add(number)
            elif not isnan(values[place]):
                host.unset.add(series)
        return hits

    def _bind(self, host: HostState, track: Track, sample: Sample, period: Period) -> Compiled:
        compiled = self._compiled.get(sample.layout.id)
        if compiled is None:
            if len(self._compiled) >= LAYOUTS_KEPT:
                self._compiled.clear()
            compiled = self._compiled[sample.layout.id] = compile_rules(self._rules, sample.layout)
        needed = {key for key, _ in compiled.windows}
        if track.compiled is not None:
            for window, _ in track.compiled.windows:
                if window not in needed:
                    host.windows.pop(window, None)
        track.windows = [self._window(host, key) for key, _ in compiled.windows]
        track.compiled = compiled
        for timer in [timer for timer in host.restored if (timer.rule, timer.instance) in compiled.by_key]:
            host.restored.remove(timer)
            _resume(host, track, timer, len(self.rules[timer.rule].levels))
        for key in list(host.states):
            if period_of(self.rules[key[0]]) != period:
                continue
            if key in compiled.by_key:
                track.absent.pop(key, None)
            elif any(level.on for level in host.states[key].levels):
                track.absent.setdefault(key, track.time)
            else:
                del host.states[key]
        return compiled

    def _window(self, host: HostState, key: WindowKey) -> Mean | Trend:
        if key not in host.windows:
            host.windows[key] = Mean(key[2]) if key[1] == "mean" else Trend(key[2])
        return host.windows[key]

    def _judge(self, host: HostState, track: Track, check: Check, sample: Sample, booting: bool, findings: list[Finding]) -> None:
        state = host.states.get(check.key)
        if state is None:
            state = CheckState([LevelState() for _ in check.levels])
        grace = booting and check.rule.boot_grace
        time = track.time
        began_at = sample.at
        for number, (level, terms) in enumerate(zip(check.rule.levels, check.levels, strict=True)):
            now = state.levels[number]
            if now.on:
                self._let_go(now, self._holds(host, track, terms, sample.values, clear=True), level.keep_seconds, time)
                continue
            met = False if grace else self._holds(host, track, terms, sample.values, clear=False)
            if met is False:
                now.waiting_since = None
            elif met:
                if now.waiting_since is None:
                    now.waiting_since, now.waiting_at = time, sample.at
                if time - now.waiting_since >= level.for_seconds:
                    began_at = now.waiting_at - max(b.term.window_seconds if b.term.view == "mean" else 0.0 for b in terms)
                    for below in state.levels[: number + 1]:
                        below.on, below.waiting_since, below.leaving_since = True, None, None
        reached = max((number for number, now in enumerate(state.levels) if now.on), default=-1)
        if reached != state.told:
            first = check.levels[max(reached, 0)][0]
            value = self._read(host, track, first, sample.values, clear=True)
            state.told = reached
            findings.append(Finding(sample.host_id, check.rule, check.key[1], reached, sample.at, began_at, first.series, value))
        if reached < 0 and all(now.waiting_since is None for now in state.levels):
            host.states.pop(check.key, None)
        else:
            host.states[check.key] = state

    @staticmethod
    def _let_go(now: LevelState, held: bool | None, keep_seconds: float, time: float) -> None:
        if held is None:
            return
        if held:
            now.leaving_since = None
            return
        if now.leaving_since is None:
            now.leaving_since = time
        if time - now.leaving_since >= keep_seconds:
            now.on, now.leaving_since = False, None

    def _holds(self, host: HostState, track: Track, terms: Sequence[BoundTerm], values: list[float], *, clear: bool) -> bool | None:
        """Whether all terms hold; None when a gap leaves it open."""
        known = True
        for bound in terms:
            term = bound.term
            value = self._read(host, track, bound, values, clear=clear)
            if isnan(value):
                known = False
                continue
            limit = term.clear if clear and term.clear is not None else term.value
            if not (value > limit if term.op == ">" else value < limit):
                return False
        return True if known else None

    def _read(self, host: HostState, track: Track, bound: BoundTerm, values: list[float], *, clear: bool) -> float:
        """A term's value.  To fire, a mean must have watched its window; to clear, what it holds will do."""
        value = values[bound.place]
        view = bound.term.view
        if view == "value":
            return value
        if view == "absolute":
            return abs(value)
        if view == "turned":
            return value if clear or bound.series in host.unset or isnan(value) else 0.0
        window = track.windows[bound.window]
        if isinstance(window, Trend):
            return window.until_zero(abs(value))
        if isnan(value):
            return NAN
        return window.mean() if clear or window.covered() else NAN

    def _end_absent(self, host: HostState, track: Track, sample: Sample, findings: list[Finding]) -> None:
        for key, since in list(track.absent.items()):
            if track.time - since >= ABSENT_SECONDS:
                del track.absent[key]
                if host.states.pop(key, None) is not None:
                    findings.append(Finding(sample.host_id, self.rules[key[0]], key[1], -1, sample.at, sample.at, gone=True))

    def forget(self, host_id: str) -> None:
        """A host was removed."""
        self._hosts.pop(host_id, None)

    def restore_firing(self, host_id: str, rule: str, instance: str, level: int) -> None:
        """After a start: this check was firing at ``level``."""
        host = self._hosts.setdefault(host_id, HostState())
        levels = [LevelState(on=number <= level) for number in range(len(self.rules[rule].levels))]
        host.states[(rule, instance)] = CheckState(levels, told=level)

    def restore_timer(self, host_id: str, timer: Timer) -> None:
        """After a start: this waiting time ran; it goes on with the host's first sample."""
        rule = self.rules.get(timer.rule)
        if rule is not None and 0 <= timer.level < len(rule.levels):
            self._hosts.setdefault(host_id, HostState()).restored.append(timer)

    def restore_unset(self, host_id: str, series: str) -> None:
        """After a start: this flag was seen unset."""
        self._hosts.setdefault(host_id, HostState()).unset.add(series)

    def timers(self, host_id: str) -> Iterator[Timer]:
        """The waiting times of a host that run now."""
        host = self._hosts.get(host_id)
        if host is None:
            return
        yield from host.restored
        for key, state in host.states.items():
            track = host.tracks.get(period_of(self.rules[key[0]]))
            if track is None:
                continue
            for number, now in enumerate(state.levels):
                if now.waiting_since is not None:
                    yield Timer(*key, number, "for", track.time - now.waiting_since, now.waiting_at, track.last_at)
                if now.leaving_since is not None:
                    yield Timer(*key, number, "keep", track.time - now.leaving_since, track.last_at, track.last_at)

    def unset(self, host_id: str) -> frozenset[str]:
        """Flags of a host that were seen unset."""
        host = self._hosts.get(host_id)
        return frozenset(host.unset) if host else frozenset()

    def waiting_hosts(self) -> Iterator[str]:
        """Hosts on which something waits or fires."""
        return (host_id for host_id, host in self._hosts.items() if host.states or host.restored)


def _resume(host: HostState, track: Track, timer: Timer, levels: int) -> None:
    seconds = timer.seconds + min(max(track.last_at - timer.seen_at, 0.0), RESTORED_SECONDS)
    state = host.states.setdefault((timer.rule, timer.instance), CheckState([LevelState() for _ in range(levels)]))
    now = state.levels[timer.level]
    if timer.phase == "keep" and now.on:
        now.leaving_since = track.time - seconds
    elif timer.phase == "for" and not now.on:
        now.waiting_since, now.waiting_at = track.time - seconds, timer.began_at
