"""What an alert rule is made of: comparisons, levels, and words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guardian_tui.protocol.alerts import Severity, Tier
from guardian_tui.protocol.metrics import METRICS

View = Literal["value", "absolute", "mean", "until_zero", "turned"]
"""How a series is looked at: as it is, without its sign, as the mean of a window, as the seconds until a
straight line through a window reaches zero (infinite when it does not fall), or as a flag that counts only
where it was seen unset before."""

GIB = float(1 << 30)
MINUTE = 60.0
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison.  ``clear`` is the value at which a firing level lets go; None: the same as
    ``value``.
    """

    metric: str
    op: Literal[">", "<"]
    value: float
    clear: float | None = None
    view: View = "value"
    window_seconds: float = 0.0
    optional: bool = False
    """Left out where the host has no such series."""


def term_unit(term: Term) -> str:
    """Unit of what a term compares."""
    return "seconds" if term.view == "until_zero" else METRICS[term.metric].unit


@dataclass(frozen=True, slots=True)
class Level:
    """One severity of a rule: fires when all terms hold for ``for_seconds``.

    ``keep_seconds`` is how long the condition must be gone before it is over.  The first term is the one
    that is shown, and the one that settings may change.
    """

    severity: Severity
    tier: Tier
    terms: tuple[Term, ...]
    for_seconds: float = 0.0
    keep_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class MetricRule:
    """A rule over the series of one host; levels from mild to grave."""

    rule: str
    title: str
    levels: tuple[Level, ...]
    boot_grace: bool = False
    """Does not fire while the host has just booted."""
    why: str = ""
    """The reason in words, of ``{value}`` and ``{limit}``; empty: both with the sign between them."""


@dataclass(frozen=True, slots=True)
class EventRule:
    """A rule over what the engine itself notices; its condition is code, its words are here."""

    rule: str
    title: str
    severity: Severity
    tier: Tier
    condition: str
    clears: str
    for_seconds: float = 0.0


def one(
    rule: str,
    title: str,
    tier: Tier,
    term: Term,
    *,
    wait: float = 0.0,
    keep: float = 0.0,
    severity: Severity = "warning",
    boot_grace: bool = False,
    why: str = "",
) -> MetricRule:
    """A rule of one level with one comparison."""
    return MetricRule(rule, title, (Level(severity, tier, (term,), wait, keep),), boot_grace, why)


def two(
    rule: str,
    title: str,
    tiers: tuple[Tier, Tier],
    warning: Term | tuple[Term, ...],
    critical: Term | tuple[Term, ...],
    *,
    wait: tuple[float, float] = (0.0, 0.0),
    boot_grace: bool = False,
    why: str = "",
) -> MetricRule:
    """A rule of a mild and a grave level."""
    mild = warning if isinstance(warning, tuple) else (warning,)
    grave = critical if isinstance(critical, tuple) else (critical,)
    levels = (Level("warning", tiers[0], mild, wait[0]), Level("critical", tiers[1], grave, wait[1]))
    return MetricRule(rule, title, levels, boot_grace, why)


def mean(metric: str, value: float, clear: float | None = None, minutes: float = 10) -> Term:
    """The mean of a window above a value."""
    return Term(metric, ">", value, clear, "mean", minutes * MINUTE)
