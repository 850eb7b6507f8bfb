"""One check, one sample: does its condition hold, since when, and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from guardian_tui.engine.alerts.compile import BoundTerm, Check
from guardian_tui.engine.alerts.memory import CheckState, Finding, HostState, LevelState, Track
from guardian_tui.engine.alerts.rule_kinds import Level
from guardian_tui.engine.alerts.windows import NAN, Trend
from guardian_tui.engine.facts import Sample


def judge(host: HostState, track: Track, check: Check, sample: Sample, booting: bool) -> Finding | None:
    """Judge one check by a sample; what changed, if anything.  ``booting``: nothing new may fire."""
    state = host.states.get(check.key) or CheckState([LevelState() for _ in check.levels])
    began_at = sample.at
    for number, (level, terms) in enumerate(zip(check.rule.levels, check.levels, strict=True)):
        now = state.levels[number]
        if now.on:
            held = _holds(host, track, terms, sample.values, clear=True)
            _let_go(now, held, level.keep_seconds, track.time)
            continue
        met = False if booting else _holds(host, track, terms, sample.values, clear=False)
        if _ripens(now, met, level, track.time, sample.at):
            window = max(bound.term.window_seconds if bound.term.view == "mean" else 0.0 for bound in terms)
            began_at = now.waiting_at - window
            for below in state.levels[: number + 1]:
                below.on, below.waiting_since, below.leaving_since = True, None, None
    reached = max((number for number, now in enumerate(state.levels) if now.on), default=-1)
    first = check.levels[max(reached, 0)][0]
    if reached < 0 or state.levels[reached].leaving_since is None:
        # of what is gone and kept for a while the last figure is told, not that there is none
        state.value = _read(host, track, first, sample.values, clear=True)
    if reached < 0 and all(now.waiting_since is None for now in state.levels):
        host.states.pop(check.key, None)
    else:
        host.states[check.key] = state
    if reached == state.told:
        return None
    state.told = reached
    return Finding(
        sample.host_id,
        check.rule,
        check.key[1],
        reached,
        sample.at,
        began_at,
        series=first.series,
        value=state.value,
        words=sample.words.get(first.series, "") if sample.words else "",
    )


def condition_holds(host: HostState, track: Track, check: Check, sample: Sample) -> bool | None:
    """Whether the condition of any level holds by these values, by the limits at which it lets go; None when a gap leaves it open."""
    held = [_holds(host, track, terms, sample.values, clear=True) for terms in check.levels]
    return True if any(held) else None if None in held else False


def _ripens(now: LevelState, met: bool | None, level: Level, time: float, at: float) -> bool:
    """Whether the condition has held for long enough; a gap (None) leaves the waiting time as it is."""
    if met is False:
        now.waiting_since = None
    if not met:
        return False
    if now.waiting_since is None:
        now.waiting_since, now.waiting_at = time, at
    return time - now.waiting_since >= level.for_seconds


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


def _holds(
    host: HostState, track: Track, terms: Sequence[BoundTerm], values: list[float], *, clear: bool
) -> bool | None:
    """Whether all terms hold; None when a gap leaves it open."""
    known = True
    for bound in terms:
        term = bound.term
        value = _read(host, track, bound, values, clear=clear)
        if isnan(value):
            known = False
            continue
        limit = term.clear if clear and term.clear is not None else term.value
        if not (value > limit if term.op == ">" else value < limit):
            return False
    return True if known else None


def _read(host: HostState, track: Track, bound: BoundTerm, values: list[float], *, clear: bool) -> float:
    """The value of a term.  To fire, a mean must have watched its window; to clear, what it holds will do."""
    value, view = values[bound.place], bound.term.view
    if view == "value" or isnan(value):
        return value
    if view == "absolute":
        return abs(value)
    if view == "turned":
        return value if clear or bound.series in host.unset else 0.0
    window = track.windows[bound.window]
    if isinstance(window, Trend):
        return window.until_zero(abs(value))
    return window.mean() if clear or window.covered() else NAN
