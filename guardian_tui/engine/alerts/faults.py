"""What raises an alert, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from guardian_tui.engine.alerts.catalogue import duration, quantity
from guardian_tui.engine.alerts.compile import storable
from guardian_tui.engine.alerts.memory import Finding
from guardian_tui.engine.alerts.rule_kinds import Level, MetricRule, term_unit
from guardian_tui.protocol.alerts import Severity, Tier
from guardian_tui.protocol.metrics import METRICS
from guardian_tui.text import safe

ADOPTION_SECONDS = 120.0
"""What began this soon after a host's first sample was wrong before it was added."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What raises or changes an alert."""

    rule: str
    title: str
    severity: Severity
    tier: Tier
    at: float
    why: str = ""
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    metric: str = ""
    preexisting: bool = False
    folded: int = 0


def words_of(rule: MetricRule, level: Level, value: float) -> str:
    """Why a level fires, in words."""
    term = level.terms[0]
    unit = term_unit(term)
    shown, limit = "?" if isnan(value) else quantity(value, unit), quantity(term.value, unit)
    if rule.why:
        why = rule.why.format(value=shown, limit=limit)
    else:
        over = f" over {duration(term.window_seconds)}" if term.view == "mean" else ""
        why = f"{shown} {term.op} {limit}{over}"
    return why + (f", for {duration(level.for_seconds)}" if level.for_seconds else "")


def _why(finding: Finding, level: Level) -> str:
    """The reason: what whoever measured it says, else the value against its threshold."""
    return safe(finding.words, 300) or words_of(finding.rule, level, finding.value)


def make_fault(finding: Finding, first_seen: float) -> Fault:
    """A finding as what raises an alert."""
    rule, level = finding.rule, finding.rule.levels[finding.level]
    term = level.terms[0]
    charted = term.view in ("value", "absolute", "mean") and METRICS[term.metric].unit not in (
        "flag",
        "level",
    )
    return Fault(
        rule.rule,
        rule.title,
        level.severity,
        level.tier,
        finding.at,
        _why(finding, level),
        value=finding.value if charted and not isnan(finding.value) else None,
        threshold=term.value if charted else None,
        unit=term_unit(term) if charted else "",
        metric=storable(finding.series),
        preexisting=finding.began_at <= first_seen + ADOPTION_SECONDS,
    )
