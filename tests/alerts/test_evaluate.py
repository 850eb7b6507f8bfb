"""The evaluator against a naive one that remembers everything, and the edges that rules don't show."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.alerts import evaluate
from guardian_tui.engine.alerts.evaluate import Evaluator
from guardian_tui.engine.alerts.memory import Timer
from guardian_tui.engine.alerts.rule_kinds import Level, MetricRule, Term
from guardian_tui.engine.alerts.rules import METRIC_RULES
from guardian_tui.engine.facts import Layout, Sample
from tests.alerts.feeding import START, Feed

NAN = math.nan


class Naive:
    """One check of one host, judged by going through all that ever happened."""

    def __init__(self, rule: MetricRule, boot_grace: float) -> None:
        self.rule, self.boot_grace = rule, boot_grace
        self.history: list[tuple[float, float, float]] = []  # watched time, value, uptime
        self.fresh_from: dict[float, int] = {}  # window → first sample that still counts
        self.at, self.step, self.time = None, 30.0, 0.0
        self.was_booting = False
        self.waiting = [None] * len(rule.levels)
        self.leaving = [None] * len(rule.levels)
        self.on = [False] * len(rule.levels)

    def sample(self, at: float, value: float, uptime: float) -> int:
        gap, patience = 0.0, 90.0
        if self.at is not None:
            gap, patience = at - self.at, 3 * self.step
            if gap > 0:
                self.time += min(gap, patience)
                self.step = max(1.0, min(gap, 4 * self.step))
        self.at = at
        booting = 0 <= uptime < self.boot_grace
        windows = {
            term.window_seconds for level in self.rule.levels for term in level.terms if term.view == "mean"
        }
        for window in windows:
            seen = [t for t, v, _ in self.history[self.fresh_from.get(window, 0) :] if not math.isnan(v)]
            silent = seen and self.time - seen[-1]
            long_gap = gap > patience and gap > window
            if (
                long_gap
                or booting != self.was_booting
                or (silent and silent > window and silent > patience and not math.isnan(value))
            ):
                self.fresh_from[window] = len(self.history)
        self.was_booting = booting
        self.history.append((self.time, value, uptime))
        blocked = booting and self.rule.boot_grace
        for n, level in enumerate(self.rule.levels):
            if self.on[n]:
                self.leave(n, level)
            else:
                self.wait(n, level, blocked)
        return max((n for n, on in enumerate(self.on) if on), default=-1)

    def read(self, term: Term, *, firing: bool) -> float:
        value = self.history[-1][1]
        if math.isnan(value) or term.view == "value":
            return value
        if term.view == "absolute":
            return abs(value)
        since = self.fresh_from.get(term.window_seconds, 0)
        samples = [(t, v) for t, v, _ in self.history[since:] if not math.isnan(v)]
        width = term.window_seconds / 10
        bucket = int(self.time / width)
        inside = [v for t, v in samples if bucket - 10 < int(t / width) <= bucket]
        covered = samples[-1][0] - samples[0][0] >= 0.9 * term.window_seconds
        return sum(inside) / len(inside) if firing or covered else NAN

    def holds(self, level: Level, *, firing: bool) -> bool | None:
        verdicts = []
        for term in level.terms:
            value = self.read(term, firing=firing)
            limit = term.clear if firing and term.clear is not None else term.value
            verdicts.append(None if math.isnan(value) else value > limit if term.op == ">" else value < limit)
        return False if False in verdicts else None if None in verdicts else True

    def leave(self, n: int, level: Level) -> None:
        holds = self.holds(level, firing=True)
        if holds:
            self.leaving[n] = None
        elif holds is False:
            if self.leaving[n] is None:
                self.leaving[n] = self.time
            if self.time - self.leaving[n] >= level.keep_seconds:
                self.on[n], self.leaving[n] = False, None

    def wait(self, n: int, level: Level, blocked: bool) -> None:
        holds = False if blocked else self.holds(level, firing=False)
        if holds is False:
            self.waiting[n] = None
        elif holds:
            if self.waiting[n] is None:
                self.waiting[n] = self.time
            if self.time - self.waiting[n] >= level.for_seconds:
                for below in range(n + 1):
                    self.on[below], self.waiting[below], self.leaving[below] = True, None, None


def a_level(
    severity: str, limit: float, clear: float | None, wait: float, keep: float, view: str, op: str
) -> Level:
    return Level(
        severity,
        "notify",
        (Term("load1_per_core", op, limit, clear, view, 60.0 if view == "mean" else 0.0),),
        wait,
        keep,
    )


@st.composite
def rules(draw) -> MetricRule:
    view, op = draw(st.sampled_from([("value", ">"), ("value", "<"), ("absolute", ">"), ("mean", ">")]))
    sign = 1 if op == ">" else -1
    waits = st.sampled_from([0.0, 10.0, 45.0])
    mild = draw(st.sampled_from([0.4137, 0.6137]))
    clear = draw(st.sampled_from([None, mild - sign * 0.2]))
    levels = [a_level("warning", mild, clear, draw(waits), draw(st.sampled_from([0.0, 30.0])), view, op)]
    if draw(st.booleans()):
        grave = mild + sign * 0.25
        levels.append(
            a_level("critical", grave, draw(st.sampled_from([None, mild])), draw(waits), 0.0, view, op)
        )
    return MetricRule("probe", "Probe", tuple(levels), boot_grace=draw(st.booleans()))


values = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0, -0.7, NAN])
gaps = st.sampled_from([5.0] * 8 + [1.0, 12.0, 40.0, 90.0, 700.0, 0.0, -60.0])
uptimes = st.sampled_from([1e6] * 6 + [-1.0, 50.0, 50.0])
polls = st.lists(st.tuples(gaps, values, uptimes, st.integers(1, 12)), min_size=1, max_size=25)


@settings(max_examples=300, deadline=None)
@given(rule=rules(), polls=polls)
def test_it_judges_as_one_does_who_goes_through_everything(rule: MetricRule, polls) -> None:
    evaluator, naive = Evaluator([rule], boot_grace_seconds=600.0), Naive(rule, 600.0)
    layout, at, level = Layout(("load1_per_core",)), START, -1
    for gap, value, uptime, times in polls:
        for _ in range(times):
            at += gap
            findings = evaluator.sample(Sample("h", at, layout, [value], uptime), "fast")
            for finding in findings:
                assert finding.level != level, "only changes are told"
                level = finding.level
            assert level == naive.sample(at, value, uptime)


@settings(max_examples=100, deadline=None)
@given(rule=rules(), polls=polls, cut=st.integers(0, 60))
def test_a_restart_changes_nothing_for_waiting_times_and_what_fires(
    rule: MetricRule, polls, cut: int
) -> None:
    """Rules without windows: those begin anew."""
    if any(term.view == "mean" for level in rule.levels for term in level.terms):
        return
    layout, at = Layout(("load1_per_core",)), START
    kept, restarted, told = Evaluator([rule]), Evaluator([rule]), -1
    steady = [(5.0, value) for _, value, _, times in polls for _ in range(times)]
    for number, (gap, value) in enumerate(steady):
        at += gap
        sample = Sample("h", at, layout, [value], 1e6)
        one, two = kept.sample(sample, "fast"), restarted.sample(sample, "fast")
        assert [(f.level, f.at) for f in one] == [(f.level, f.at) for f in two]
        told = one[-1].level if one else told
        if number == cut:
            timers, restarted = list(restarted.timers("h")), Evaluator([rule])
            if told >= 0:
                restarted.restore_firing("h", "probe", "", told)
            for timer in timers:
                restarted.restore_timer("h", timer)


def test_a_gap_neither_fires_nor_clears() -> None:
    feed = Feed(Evaluator(METRIC_RULES), ("memory_available_ratio",))
    feed.during(200, {"memory_available_ratio": 0.01})
    assert feed.during(3600, {"memory_available_ratio": NAN}) == [], "a gap does not ripen it"
    assert [f.level for f in feed.during(200, {"memory_available_ratio": 0.01})] == [1]
    assert feed.during(3600, {"memory_available_ratio": NAN}) == [], "nor does it end it"


def test_a_host_that_just_booted_is_left_in_peace_but_what_is_over_ends() -> None:
    feed = Feed(Evaluator(METRIC_RULES), ("load1_per_core",))
    feed.during(1000, {"load1_per_core": 5.0})
    feed.uptime = 10.0
    assert [finding.level for finding in feed.once()] == [-1]
    for _ in range(110):
        feed.uptime += 5
        assert feed.once({"load1_per_core": 5.0}) == []
    feed.uptime = 1e6
    assert feed.during(890, {"load1_per_core": 5.0}) == []
    assert [finding.level for finding in feed.during(20, {"load1_per_core": 5.0})] == [0]


def test_a_host_that_was_away_for_hours_does_not_come_back_as_an_alert() -> None:
    feed = Feed(Evaluator(METRIC_RULES), ("load1_per_core", "cpu_busy_ratio"))
    feed.during(500, {"load1_per_core": 5.0, "cpu_busy_ratio": 1.0})
    feed.at += 7200
    assert feed.during(60, {"load1_per_core": 5.0, "cpu_busy_ratio": 1.0}) == []


@pytest.mark.parametrize("jump", [86400.0, -86400.0])
def test_a_clock_of_ours_that_jumps_neither_ripens_nor_forgets(jump: float) -> None:
    feed = Feed(Evaluator(METRIC_RULES), ("memory_available_ratio",))
    feed.during(270, {"memory_available_ratio": 0.01})
    feed.at += jump
    assert feed.once({"memory_available_ratio": 0.01}) == []
    assert [finding.level for finding in feed.during(60, {"memory_available_ratio": 0.01})] == [1]


def test_a_host_that_is_polled_once_an_hour_is_judged_too() -> None:
    feed = Feed(Evaluator(METRIC_RULES), ("memory_available_ratio",), step=3600.0)
    found = feed.during(12 * 3600, {"memory_available_ratio": 0.01})
    assert found[-1].level == 1


def test_a_failing_disk_that_sleeps_through_an_hourly_round_is_not_well_for_it() -> None:
    both = ("smart_failing{sda}", "smart_failing{sdb}")
    feed = Feed(Evaluator(METRIC_RULES), both, step=3600.0)
    sick = {"smart_failing{sdb}": 1.0}
    assert [finding.instance for finding in feed.during(10 * 3600, sick)] == ["sdb"]
    awake, asleep = feed.layout, Layout(both[:1])
    feed.layout = asleep
    assert feed.during(2 * 3600) == []
    feed.layout = awake
    assert feed.during(3600, sick) == []
    # taken out for good
    feed.layout = asleep
    [gone] = feed.during(8 * 3600)
    assert (gone.instance, gone.level, gone.gone) == ("sdb", -1, True)


def test_what_was_unmounted_ends_and_what_is_mounted_again_in_time_goes_on() -> None:
    evaluator = Evaluator(METRIC_RULES)
    both = ("filesystem_inodes_free_ratio{/}", "filesystem_inodes_free_ratio{/mnt}")
    feed = Feed(evaluator, both, step=30.0)
    sick = {name: 0.001 for name in both}
    assert [finding.instance for finding in feed.during(700, sick)] == ["/", "/mnt"]
    with_both, without = feed.layout, Layout(both[:1])
    feed.layout = without
    assert feed.during(200, sick) == []
    feed.layout = with_both
    assert feed.during(600, sick) == []
    feed.layout = without
    [gone] = feed.during(400, sick)
    assert (gone.instance, gone.level, gone.gone) == ("/mnt", -1, True)
    feed.layout = with_both
    assert feed.during(300, sick) == [], "mounted again, it waits anew"
    feed.layout = without
    feed.during(60, sick)
    feed.layout = with_both
    assert feed.during(590, sick) == [], "what was waiting when it went waits anew"


def test_windows_of_series_that_went_are_forgotten_and_layouts_are_bounded(monkeypatch) -> None:
    monkeypatch.setattr(evaluate, "LAYOUTS_KEPT", 2)
    evaluator = Evaluator(METRIC_RULES)
    for number in range(6):
        Feed(evaluator, (f"network_drop_ratio{{eth{number}}}",)).during(20)
    host = evaluator._hosts["h1"]
    assert len(host.windows) == 1
    assert len(evaluator._compiled) <= 2


def test_a_waiting_time_of_a_rule_that_is_no_longer_there_is_dropped_and_one_of_a_forgotten_host_too() -> (
    None
):
    evaluator = Evaluator(METRIC_RULES)
    timer = Timer("memory_low", "", 1, "for", 290.0, START, START)
    evaluator.restore_timer("h1", Timer("nothing", "", 0, "for", 1.0, START, START))
    evaluator.restore_timer("h1", timer)
    assert list(evaluator.timers("h1")) == [timer]
    assert list(evaluator.waiting_hosts()) == ["h1"]
    feed = Feed(evaluator, ("memory_available_ratio",), start=START + 5)
    assert feed.once({"memory_available_ratio": 0.01}) == []
    assert [finding.level for finding in feed.during(10, {"memory_available_ratio": 0.01})] == [1]
    evaluator.forget("h1")
    assert list(evaluator.timers("h1")) == []
    assert evaluator.unset("h1") == frozenset()


def test_hysteresis_that_lets_go_slowly_survives_a_restart() -> None:
    first = Feed(Evaluator(METRIC_RULES), ("oom_kills",))
    first.once({"oom_kills": 1.0})
    first.during(1700)
    # what is gone and kept for a while is told as it was, not as nothing
    assert first.evaluator.value("h1", "oom_kill", "") == 1.0
    [timer] = first.evaluator.timers("h1")
    assert timer.phase == "keep"
    second = Feed(Evaluator(METRIC_RULES), ("oom_kills",), start=first.at)
    second.evaluator.restore_firing("h1", "oom_kill", "", 0)
    second.evaluator.restore_timer("h1", timer)
    assert second.during(80) == []
    assert [finding.level for finding in second.during(40)] == [-1]
