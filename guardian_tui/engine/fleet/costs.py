"""What watching costs: how late waves are sent, and what each section of the probe takes; counted as it happens."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from guardian_tui.engine.fleet.host import Host
from guardian_tui.protocol.engine_figures import SectionCost, WaveFigures

WINDOW_SECONDS = 120.0
_MOST_WAVES = 4096


class Lateness:
    """Waves of the last two minutes.

    Args:
        now: seconds of a clock that no one sets.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._waves: deque[tuple[float, int, float]] = deque(maxlen=_MOST_WAVES)
        self.asked_polls = 0
        """Since the start."""

    def note(self, polls: int, late_seconds: float) -> None:
        """A wave was sent; one in which nobody was asked is none."""
        if polls:
            self.asked_polls += polls
            self._waves.append((self._now(), polls, max(0.0, late_seconds)))

    def figures(self) -> WaveFigures:
        """All of it."""
        oldest = self._now() - WINDOW_SECONDS
        while self._waves and self._waves[0][0] < oldest:
            self._waves.popleft()
        late = sorted(late for _, _, late in self._waves)
        return WaveFigures(
            waves=len(late), polls=sum(polls for _, polls, _ in self._waves), late_median_seconds=quantile(late, 0.5),
            late_p99_seconds=quantile(late, 0.99), late_worst_seconds=late[-1] if late else None,
        )  # fmt: skip


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value that so great a share of ordered ones does not exceed; None of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def section_costs(hosts: Iterable[Host]) -> tuple[SectionCost, ...]:
    """Each section's times over all hosts, from their newest answers, the slowest first."""
    found: dict[str, list[tuple[float, str, int]]] = {}
    for host in hosts:
        for name, kept in host.sections.items():
            if kept.read_at:
                found.setdefault(name, []).append((kept.took_seconds, host.spec.name, len(kept.packed)))
    costs = []
    for name, answers in found.items():
        answers.sort()
        worst, host_name, _ = answers[-1]
        costs.append(
            SectionCost(
                name,
                len(answers),
                answers[len(answers) // 2][0],
                worst,
                host_name,
                sum(size for _, _, size in answers),
            )
        )
    return tuple(sorted(costs, key=lambda cost: -cost.took_worst_seconds))
