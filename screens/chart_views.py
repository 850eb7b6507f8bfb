"""What can be charted, and the limits that rules set to it; values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guardian_tui.protocol.alerts import Rule
from guardian_tui.protocol.metrics import COMPLEMENTS, METRICS
from widgets import figures


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the line is drawn: at the gravest levels, at milder ones, and the gravest in words."""

    critical: tuple[float, ...] = ()
    warning: tuple[float, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """One series that can be charted; ``top`` fixes the axis' end, ``limits`` stand where rules in force would draw the line."""

    series: str
    title: str
    unit: str = ""
    top: float | None = None
    limits: Limits | None = None


def view_of(series: str, title: str = "") -> View:
    """A view with the unit that the catalogue of metrics has for it; a share has its axis to the whole, a level to its gravest."""
    metric = METRICS.get(series.partition("{")[0])
    unit = metric.unit if metric else ""
    if unit in ("flag", "level"):
        # its axis says in words what a line would
        return View(series, title or series, unit, 1.0 if unit == "flag" else 2.0, Limits())
    return View(series, title or series, unit, 1.0 if unit == "ratio" else None)


def instance_of(series: str) -> str:
    """The instance of a series: ``vda`` of ``disk_busy_ratio{vda}``; empty for a host-wide one."""
    return series.partition("{")[2].removesuffix("}")


def views_beside(series: str, known: Iterable[str], usual: Sequence[View]) -> list[View]:
    """A series first, then the others of its instance, then the usual ones: what `m` goes through."""
    instance = instance_of(series)
    first = [view for view in usual if view.series == series] or [view_of(series)]
    beside = [
        view_of(name)
        for name in sorted(known)
        if instance and instance_of(name) == instance and name != series
    ]
    seen = {series, *(view.series for view in beside)}
    return [*first, *beside, *(view for view in usual if view.series not in seen)]


def limits_for(view: View, rules: Iterable[Rule]) -> Limits:
    """The limits that a view was given, or those of the rules in force."""
    return limits_of(view.series, rules) if view.limits is None else view.limits


def limits_of(series: str, rules: Iterable[Rule]) -> Limits:
    """The limits of a series under the rules in force; a share whose rule stands on what is left has the limit's complement."""
    metric = series.partition("{")[0]
    left = COMPLEMENTS.get(metric)
    found: dict[str, tuple[float, bool]] = {}
    for rule in rules:
        if rule.threshold is None or not rule.metric:
            continue
        if rule.metric == metric:
            found.setdefault(rule.severity, (rule.threshold, rule.above))
        elif rule.metric == left:
            found.setdefault(rule.severity, (1 - rule.threshold, not rule.above))
    if not found:
        return Limits()
    gravest = next(severity for severity in ("critical", "warning", "info") if severity in found)
    value, above = found[gravest]
    unit = METRICS[metric].unit if metric in METRICS else ""
    milder = found.get("warning") if gravest == "critical" else None
    return Limits(
        (value,), (milder[0],) if milder else (), f"{'>' if above else '<'} {figures.quantity(value, unit)}"
    )
