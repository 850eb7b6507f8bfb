"""Rules against samples: which condition holds on which host since when.  Pure: time comes with the
samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan

from guardian_tui.engine.alerts.compile import Compiled, compile_rules, period_of
from guardian_tui.engine.alerts.judge import condition_holds, judge
from guardian_tui.engine.alerts.memory import CheckState, Finding, HostState, LevelState, Timer, Track, resume
from guardian_tui.engine.alerts.rule_kinds import MetricRule
from guardian_tui.engine.alerts.windows import NAN, Trend
from guardian_tui.engine.facts import Sample
from guardian_tui.protocol.metrics import Period

ABSENT_SECONDS = 300.0
"""An alert whose series is no longer there (unmounted, unplugged) ends after this, …"""
ABSENT_ROUNDS = 4.0
"""…and no sooner than after so many rounds without it: a disk that sleeps through one that comes hourly is not well for it."""
LAYOUTS_KEPT = 4096


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
        self.news: set[str] = set()
        """Hosts on which a flag was seen unset for the first time; whoever keeps that clears it."""

    def sample(self, sample: Sample, period: Period) -> list[Finding]:
        """Judge a host's newest values; what changed."""
        host = self._hosts.get(sample.host_id) or self._hosts.setdefault(sample.host_id, HostState())
        track = host.tracks.get(period) or host.tracks.setdefault(period, Track())
        gap = track.move(sample.at)
        compiled = track.compiled
        if compiled is None or compiled.layout is not sample.layout:
            compiled = self._bind(host, track, sample, period)
        booting = 0 <= sample.uptime_seconds < self._boot_grace_seconds
        if gap > track.patience or booting != track.booting:
            track.interrupted(gap, booting)
        values, time, patience = sample.values, track.time, track.patience
        for window, (_, place) in zip(track.windows, compiled.windows, strict=True):
            value = values[place]
            if not isnan(value):
                window.add(time, abs(value) if type(window) is Trend else value, patience)
        numbers = self._look(host, track, compiled, values, booting)
        if compiled.turned:
            numbers |= self._turned(sample, host, compiled)
        if host.states:
            numbers |= {compiled.by_key[key].number for key in host.states if key in compiled.by_key}
        findings = []
        for number in sorted(numbers):
            check = compiled.checks[number]
            finding = judge(host, track, check, sample, booting and check.rule.boot_grace)
            if finding is not None:
                findings.append(finding)
        if track.absent:
            self._end_absent(host, track, sample, findings)
        return findings

    @staticmethod
    def _look(
        host: HostState, track: Track, compiled: Compiled, values: list[float], booting: bool
    ) -> set[int]:
        """Numbers of the checks that may newly fire."""
        guards = compiled.booting if booting else compiled.settled
        numbers = {number for place, bound, number in guards.above if values[place] > bound}
        for place, bound, number in guards.below:
            if values[place] < bound:
                numbers.add(number)
        for place, bound, number in guards.beyond:
            if values[place] > bound or values[place] < -bound:
                numbers.add(number)
        windows = track.windows
        for place, bound, number in guards.mean_above:
            if windows[place].mean() > bound:  # type: ignore[union-attr]  # only means are filed here
                numbers.add(number)
        return numbers

    def _turned(self, sample: Sample, host: HostState, compiled: Compiled) -> set[int]:
        """Numbers of the checks whose flag is set and was not; flags that are unset are remembered."""
        numbers = set()
        for place, series, number in compiled.turned:
            value = sample.values[place]
            if value > 0.5:
                if series in host.unset:
                    numbers.add(number)
            elif not isnan(value) and series not in host.unset:
                host.unset.add(series)
                self.news.add(sample.host_id)
        return numbers

    def _bind(self, host: HostState, track: Track, sample: Sample, period: Period) -> Compiled:
        """Take up a layout that this host did not have before; what is known goes over to it."""
        compiled = self._compiled.get(sample.layout.id)
        if compiled is None:
            if len(self._compiled) >= LAYOUTS_KEPT:
                self._compiled.clear()
            compiled = self._compiled[sample.layout.id] = compile_rules(self._rules, sample.layout)
        track.take(compiled, host)
        for timer in [timer for timer in host.restored if (timer.rule, timer.instance) in compiled.by_key]:
            host.restored.remove(timer)
            resume(host, track, timer, len(self.rules[timer.rule].levels))
        for key in [key for key in host.states if period_of(self.rules[key[0]]) == period]:
            if key in compiled.by_key:
                track.absent.pop(key, None)
            elif host.states[key].told >= 0:
                track.absent.setdefault(key, track.time)
            else:
                del host.states[key]
        return compiled

    def _end_absent(self, host: HostState, track: Track, sample: Sample, findings: list[Finding]) -> None:
        patience = max(ABSENT_SECONDS, ABSENT_ROUNDS * track.step)
        for key, since in list(track.absent.items()):
            if track.time - since >= patience:
                del track.absent[key]
                if host.states.pop(key, None) is not None:
                    findings.append(
                        Finding(
                            sample.host_id, self.rules[key[0]], key[1], -1, sample.at, sample.at, gone=True
                        )
                    )

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
        if host is not None:
            yield from host.restored
            for key, state in host.states.items():
                track = host.tracks.get(period_of(self.rules[key[0]]))
                if track is not None:
                    yield from state.timers(key, track)

    def unset(self, host_id: str) -> frozenset[str]:
        """Flags of a host that were seen unset."""
        host = self._hosts.get(host_id)
        return frozenset(host.unset) if host else frozenset()

    def value(self, host_id: str, rule: str, instance: str) -> float:
        """Newest value of a check that waits or fires; NaN when there is none."""
        host = self._hosts.get(host_id)
        state = host.states.get((rule, instance)) if host else None
        return state.value if state else NAN

    def holds(self, host_id: str, rule: str, instance: str, sample: Sample) -> bool | None:
        """Whether a check's condition holds by these values, without its waiting times; None where they have a gap, or it is not there."""
        host = self._hosts.get(host_id)
        track = host.tracks.get(period_of(self.rules[rule])) if host is not None else None
        if host is None or track is None or track.compiled is None:
            return None
        check = track.compiled.by_key.get((rule, instance))
        if check is None:
            # unmounted, unplugged, removed: what is not there is not wrong
            return False
        return condition_holds(host, track, check, sample)

    def release(self, host_id: str, rule: str, instance: str) -> None:
        """A check is over, whatever it would have waited for."""
        host = self._hosts.get(host_id)
        if host is not None:
            host.states.pop((rule, instance), None)

    def waiting_hosts(self) -> Iterator[str]:
        """Hosts on which something waits or fires."""
        return (host_id for host_id, host in self._hosts.items() if host.states or host.restored)
