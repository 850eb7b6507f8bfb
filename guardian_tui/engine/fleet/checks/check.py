"""One check, as the engine keeps it in memory: what was found, and when that is trouble."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guardian_tui.engine.fleet.checks.result import Figure, Result
from guardian_tui.protocol.check_params import WHERE, KindParams
from guardian_tui.protocol.checks import (
    CheckDetail,
    CheckRow,
    CheckSpec,
    CheckState,
    Where,
    fresh_seconds,
)
from guardian_tui.text import safe

FAILED_RUNS = 3
"""Runs in a row that must fail before it is trouble…"""
GOOD_RUNS = 2
"""…and be well before it is over."""
NAN = math.nan

_CERTIFICATE = ("check_certificate_seconds", "check_certificate_invalid")
_DATABASE = ("check_replication_lag_seconds", "check_connections_ratio")
RULED: dict[str, tuple[str, ...]] = {
    "http": ("check_http_trouble", *_CERTIFICATE),
    "smtp": ("check_trouble", *_CERTIFICATE),
    "imap": ("check_trouble", *_CERTIFICATE),
    **dict.fromkeys(("postgresql", "mysql", "redis"), ("check_trouble", *_DATABASE)),
}
"""Series that rules look at, by kind; other kinds have their trouble alone."""
WELL = {"check_certificate_seconds": 1e9}
"""What a series says when there is no fault; else 0."""


@dataclass(slots=True)
class Check:
    """Specification, newest result and the streaks from which trouble is judged."""

    id: str
    spec: CheckSpec
    params: KindParams
    host_id: str
    source: str
    created_at: float
    problem: str = ""
    """Why it can't be made at all (its host is gone, its settings can't be read)."""
    memory: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
    state: CheckState = "waiting"
    since: float = 0.0
    words: str = ""
    measured_at: float | None = None
    seconds: float | None = None
    began_at: float | None = None
    """When its newest run began."""
    figures: tuple[Figure, ...] = ()
    failures: int = 0
    troubled: int = 0
    good: int = 0
    trouble: int = 0
    """0 fine, 1 warns, 2 fails: after enough runs in a row."""
    row: CheckRow | None = None

    @property
    def where(self) -> Where:
        """From where it is made."""
        return self.spec.where or WHERE[self.spec.kind][0]

    @property
    def trouble_metric(self) -> str:
        """The series of its trouble."""
        return "check_http_trouble" if self.spec.kind == "http" else "check_trouble"

    def take(self, result: Result, at: float, seconds: float, *, proof: bool = False) -> None:
        """Take a run's result; one that is to prove that it was mended needs no further one to be believed."""
        if result.state != self.state:
            self.state, self.since = result.state, at
        self.words, self.figures = safe(result.words, 300), result.figures
        self.measured_at, self.seconds = at, seconds
        self._judge(result)
        if proof and result.state == "ok":
            self.good, self.trouble = max(self.good, GOOD_RUNS), 0

    def _judge(self, result: Result) -> None:
        """What we can't tell neither makes trouble nor ends it."""
        if result.state == "unknown":
            return
        self.failures = self.failures + 1 if result.state == "failed" else 0
        if result.state == "ok":
            self.troubled, self.good = 0, self.good + 1
            if self.good >= GOOD_RUNS:
                self.trouble = 0
            return
        self.troubled, self.good = self.troubled + 1, 0
        if self.failures >= FAILED_RUNS:
            self.trouble = 2
        elif self.troubled >= FAILED_RUNS and (self.trouble < 2 or result.state == "warning"):
            self.trouble = 1

    def ruled_series(self) -> list[str]:
        """Names of the series that rules look at."""
        return [f"{metric}{{{self.spec.name}}}" for metric in RULED.get(self.spec.kind, ("check_trouble",))]

    def ruled_values(self, now: float) -> list[float]:
        """Their newest values; a gap where they are too old, or not known."""
        metrics = RULED.get(self.spec.kind, ("check_trouble",))
        fresh = fresh_seconds(self.spec.period_seconds, self.spec.timeout_seconds)
        if self.measured_at is None or self.state == "off" or now - self.measured_at > fresh:
            return [NAN] * len(metrics)
        known: Mapping[str, float] = {f.metric: f.value for f in self.figures if not f.label}
        return [
            (float(self.trouble) if self.state != "unknown" else NAN) if metric == self.trouble_metric else known.get(metric, NAN)
            for metric in metrics
        ]  # fmt: skip

    def well_values(self) -> list[float]:
        """What its series say when it is no longer made: no fault is left standing."""
        return [WELL.get(metric, 0.0) for metric in RULED.get(self.spec.kind, ("check_trouble",))]

    def own_figures(self) -> list[tuple[str, float]]:
        """All series of the newest run, for the store."""
        name = self.spec.name
        well = {"ok": 1.0, "warning": 1.0, "failed": 0.0}.get(self.state, NAN)
        own = [
            Figure("check_ok", well), Figure("check_seconds", self.seconds if self.seconds is not None else NAN),
            Figure(self.trouble_metric, float(self.trouble)),
        ]  # fmt: skip
        return [(figure.series(name), figure.value) for figure in (*own, *self.figures)]

    def row_of(self, host: str) -> CheckRow:
        """The line of the list."""
        spec = self.spec
        return CheckRow(
            id=self.id, name=spec.name, host_id=self.host_id, host=host, kind=spec.kind, where=self.where, state=self.state,
            since=self.since, words=self.words, measured_at=self.measured_at, seconds=self.seconds,
            period_seconds=spec.period_seconds, timeout_seconds=spec.timeout_seconds, failures=self.failures, labels=spec.labels,
            source=self.source,
        )  # fmt: skip

    def detail(self, host: str) -> CheckDetail:
        """All of it."""
        figures = tuple(figure.shown(self.spec.name) for figure in self.figures)
        return CheckDetail(row=self.row_of(host), spec=self.spec, figures=figures)

    # --- what outlives the engine ------------------------------------------------------------------

    def remembered(self) -> dict[str, Any]:  # Any: JSON values
        """Streaks and the kind's own memory, as JSON values."""
        return {
            "trouble": self.trouble,
            "failures": self.failures,
            "troubled": self.troubled,
            "good": min(self.good, GOOD_RUNS),
            "own": self.memory,
        }

    def recall(self, kept: Any) -> None:  # Any: JSON values
        """Take up what was remembered; what can't be read is begun anew."""
        if not isinstance(kept, dict):
            return
        for name in ("trouble", "failures", "troubled", "good"):
            value = kept.get(name)
            if isinstance(value, int) and 0 <= value < 1 << 31:
                setattr(self, name, value)
        own = kept.get("own")
        self.memory = own if isinstance(own, dict) else {}
