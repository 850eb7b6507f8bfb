"""What the evaluator remembers of hosts.  Time is watched time.

The gap to the host's previous sample counts up to three times its usual step, so that a host that was away,
an engine that was stopped or a clock that jumped neither ripens a waiting time nor lets it forget.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from guardian_tui.engine.alerts.compile import Compiled, Key, WindowKey
from guardian_tui.engine.alerts.rule_kinds import MetricRule
from guardian_tui.engine.alerts.windows import NAN, Mean, Trend
from guardian_tui.protocol.metrics import Period

PATIENCE = 3.0
"""A gap counts up to this many usual steps."""
FIRST_STEP_SECONDS = 30.0
"""Taken for the usual step until it is known."""
SHORTEST_STEP_SECONDS = 1.0
RESTORED_SECONDS = 60.0
"""How much of the time in which the engine was away counts for a waiting time that was restored."""

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
    value: float = NAN
    """Newest value of its first term."""

    def timers(self, key: Key, track: Track) -> Iterator[Timer]:
        """Its waiting times that run now."""
        for number, now in enumerate(self.levels):
            if now.waiting_since is not None:
                yield Timer(
                    *key, number, "for", track.time - now.waiting_since, now.waiting_at, track.last_at
                )
            if now.leaving_since is not None:
                yield Timer(
                    *key, number, "keep", track.time - now.leaving_since, track.last_at, track.last_at
                )


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
    words: str = ""
    """Why the series is as it is, as whoever measured it says."""
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
        """Let watched time pass up to ``at``; the gap to the sample before, in seconds of the engine's
        clock.
        """
        if self.last_at < 0:
            self.last_at = at
            return 0.0
        gap, self.last_at = at - self.last_at, at
        self.patience = PATIENCE * self.step
        if gap > 0:
            self.time += min(gap, self.patience)
            self.step = max(min(gap, 4 * self.step), SHORTEST_STEP_SECONDS)
        return gap

    def interrupted(self, gap: float, booting: bool) -> None:
        """Across a boot or a long gap, forget windows whose content is of another time."""
        for window in self.windows:
            if booting != self.booting or gap > window.tolerates_seconds:
                window.clear()
        self.booting = booting

    def take(self, compiled: Compiled, host: HostState) -> None:
        """Go over to another layout; the windows of series that stay go on."""
        needed = {key for key, _ in compiled.windows}
        for key, _ in self.compiled.windows if self.compiled else ():
            if key not in needed:
                host.windows.pop(key, None)
        self.windows = [host.window(key) for key, _ in compiled.windows]
        self.compiled = compiled


@dataclass(slots=True)
class HostState:
    """What the evaluator remembers of one host."""

    tracks: dict[Period, Track] = field(default_factory=dict)
    states: dict[Key, CheckState] = field(default_factory=dict)
    windows: dict[WindowKey, Mean | Trend] = field(default_factory=dict)
    unset: set[str] = field(default_factory=set)
    """Flags that were seen unset."""
    restored: list[Timer] = field(default_factory=list)

    def window(self, key: WindowKey) -> Mean | Trend:
        """The window with this key, made when it is first needed."""
        if key not in self.windows:
            self.windows[key] = Mean(key[2]) if key[1] == "mean" else Trend(key[2])
        return self.windows[key]


def resume(host: HostState, track: Track, timer: Timer, levels: int) -> None:
    """Let a restored waiting time go on."""
    seconds = timer.seconds + min(max(track.last_at - timer.seen_at, 0.0), RESTORED_SECONDS)
    state = host.states.setdefault(
        (timer.rule, timer.instance), CheckState([LevelState() for _ in range(levels)])
    )
    now = state.levels[timer.level]
    if timer.phase == "keep" and now.on:
        now.leaving_since = track.time - seconds
    elif timer.phase == "for" and not now.on:
        now.waiting_since, now.waiting_at = track.time - seconds, timer.began_at
