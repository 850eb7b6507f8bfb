"""Feeds values to an evaluator as a host's polls would."""

from __future__ import annotations

import math
from collections.abc import Mapping

from guardian_tui.engine.alerts.compile import split_series
from guardian_tui.engine.alerts.evaluate import Evaluator
from guardian_tui.engine.alerts.memory import Finding
from guardian_tui.engine.facts import Layout, Sample
from guardian_tui.protocol.metrics import METRICS

START = 1_800_000_000.0


def healthy(metric: str) -> float:
    """A value that no rule minds."""
    return {
        "memory_available_ratio": 0.6,
        "filesystem_inodes_free_ratio": 0.9,
        "filesystem_available_bytes": 1e12,
        "uptime_seconds": 1e6,
        "clock_synchronised": 1.0,
        "check_certificate_seconds": 1e9,
        "certificate_days_left": 60.0,
    }.get(metric, 0.0)


class Feed:
    """One host's samples of one period class, at a steady step."""

    def __init__(
        self,
        evaluator: Evaluator,
        series: tuple[str, ...],
        *,
        step: float = 5.0,
        host: str = "h1",
        start: float = START,
    ) -> None:
        self.evaluator = evaluator
        self.layout = Layout(series)
        self.step = step
        self.host = host
        self.at = start
        self.period = METRICS[split_series(series[0])[0]].period
        self.uptime = 1e6

    def once(self, values: Mapping[str, float] | None = None) -> list[Finding]:
        """One sample: healthy but for ``values``."""
        given = values or {}
        row = [given.get(name, healthy(split_series(name)[0])) for name in self.layout.names]
        findings = self.evaluator.sample(
            Sample(self.host, self.at, self.layout, row, self.uptime), self.period
        )
        self.at += self.step
        return findings

    def during(self, seconds: float, values: Mapping[str, float] | None = None) -> list[Finding]:
        """Samples over a span."""
        found: list[Finding] = []
        for _ in range(math.ceil(seconds / self.step)):
            found += self.once(values)
        return found
