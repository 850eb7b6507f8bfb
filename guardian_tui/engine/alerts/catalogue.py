"""Rules in force: the shipped ones with the changes of the settings, and their words for people."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import isinf

from guardian_tui.config import RuleOverride
from guardian_tui.engine.alerts.overriding import changed, changed_event
from guardian_tui.engine.alerts.rule_kinds import EventRule, Level, MetricRule, Term, term_unit
from guardian_tui.engine.alerts.rules import EVENT_RULES, METRIC_RULES
from guardian_tui.protocol.alerts import Rule
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.metrics import METRICS


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The rules in force."""

    metric_rules: tuple[MetricRule, ...]
    event_rules: Mapping[str, EventRule]

    def names(self) -> frozenset[str]:
        """Ids of all rules in force."""
        return frozenset(self.event_rules) | {rule.rule for rule in self.metric_rules}

    def rows(self) -> tuple[Rule, ...]:
        """One row per level of each rule."""
        return (
            *map(_event_row, self.event_rules.values()),
            *(row for rule in self.metric_rules for row in _metric_rows(rule)),
        )


SHIPPED_NAMES: tuple[str, ...] = (*(rule.rule for rule in EVENT_RULES), *(rule.rule for rule in METRIC_RULES))


def nearest(name: str, names: Iterable[str]) -> str:
    """Words that name what was perhaps meant, or nothing."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f" Did you mean {close[0]}?" if close else ""


def make_catalogue(overrides: Mapping[str, RuleOverride], hurry: float = 1.0) -> Catalogue:
    """The shipped rules with these changes.

    Args:
        overrides: changes by rule.
        hurry: divides every time that a rule waits, looks back or looks ahead.

    Raises:
        InvalidRequest: a rule that does not exist, or a threshold that it does not have.
    """
    for name in overrides:
        if name not in SHIPPED_NAMES:
            meant = nearest(name, SHIPPED_NAMES)
            words = f"[alerts.rules.{name}]: there is no rule {name}.{meant} docs/alerts.md lists them."
            raise InvalidRequest(words, field=f"alerts.rules.{name}")
    none = RuleOverride()
    metric_rules = tuple(
        changed(rule, overrides.get(rule.rule, none))
        for rule in METRIC_RULES
        if overrides.get(rule.rule, none).enabled
    )
    event_rules = {
        rule.rule: changed_event(rule, overrides.get(rule.rule, none))
        for rule in EVENT_RULES
        if overrides.get(rule.rule, none).enabled
    }
    if hurry != 1.0:
        metric_rules = tuple(_hurried(rule, hurry) for rule in metric_rules)
        event_rules = {
            name: replace(rule, for_seconds=rule.for_seconds / hurry) for name, rule in event_rules.items()
        }
    return Catalogue(metric_rules, event_rules)


def _hurried(rule: MetricRule, hurry: float) -> MetricRule:
    return replace(rule, levels=tuple(_hurried_level(level, hurry) for level in rule.levels))


def _hurried_level(level: Level, hurry: float) -> Level:
    return replace(
        level,
        terms=tuple(_hurried_term(term, hurry) for term in level.terms),
        for_seconds=level.for_seconds / hurry,
        keep_seconds=level.keep_seconds / hurry,
    )


def _hurried_term(term: Term, hurry: float) -> Term:
    hurried = replace(term, window_seconds=term.window_seconds / hurry)
    if term.view == "until_zero":
        clear = None if term.clear is None else term.clear / hurry
        hurried = replace(hurried, value=term.value / hurry, clear=clear)
    return hurried


def duration(seconds: float) -> str:
    """A span in short words: ``45s``, ``10m``, ``1h30m``, ``2d``."""
    if isinf(seconds):
        return "never"
    whole = int(seconds)
    if whole < 60:
        return f"{seconds:.2g}s" if seconds < 10 and seconds != whole else f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60}s" if whole % 60 and whole < 600 else f"{whole // 60}m"
    if whole < 2 * 86400:
        return f"{whole // 3600}h{whole % 3600 // 60}m" if whole % 3600 >= 60 else f"{whole // 3600}h"
    return f"{whole // 86400}d"


def _figure(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def quantity(value: float, unit: str) -> str:
    """A value with its unit, as a person writes it."""
    if unit == "ratio":
        return f"{_figure(value * 100)} %"
    if unit == "seconds":
        return f"{_figure(value * 1000)} ms" if abs(value) < 1 else duration(value)
    if unit in ("bytes", "bytes_per_second"):
        name = "B"
        for name in ("B", "KiB", "MiB", "GiB", "TiB", "PiB"):
            if abs(value) < 1024 or name == "PiB":
                break
            value /= 1024
        return f"{_figure(value)} {name}" + ("/s" if unit == "bytes_per_second" else "")
    return _figure(value) + ("/s" if unit == "per_second" else "")


def _term_words(term: Term, value: float, *, over: bool = False) -> str:
    """A term as an expression; ``over``: its opposite."""
    subject = {
        "value": term.metric,
        "absolute": f"abs({term.metric})",
        "mean": f"mean({term.metric}, {duration(term.window_seconds)})",
        "until_zero": f"until_zero({term.metric}, {duration(term.window_seconds)})",
        "turned": f"turned({term.metric})",
    }[term.view]
    if METRICS[term.metric].unit == "flag":
        return subject if (term.op == ">") != over else f"not {subject}"
    sign = {">": "≤", "<": "≥"}[term.op] if over else term.op
    return f"{subject} {sign} {quantity(value, term_unit(term))}"


def _metric_rows(rule: MetricRule) -> Iterable[Rule]:
    for level in rule.levels:
        fires = " and ".join(_term_words(term, term.value) for term in level.terms)
        clearing = [term for term in level.terms if term.clear is not None]
        clears = " or ".join(_term_words(term, term.clear or 0.0, over=True) for term in clearing)
        if level.keep_seconds:
            clears = f"{clears} " * bool(clears) + f"gone for {duration(level.keep_seconds)}"
        first = level.terms[0]
        charted = first.view in ("value", "absolute", "mean") and METRICS[first.metric].unit != "flag"
        yield Rule(
            rule=rule.rule,
            title=rule.title,
            severity=level.severity,
            tier=level.tier,
            condition=fires,
            for_seconds=level.for_seconds,
            clears=clears,
            metric=first.metric if charted else "",
            threshold=first.value if charted else None,
            above=first.op == ">",
        )


def _event_row(rule: EventRule) -> Rule:
    return Rule(
        rule=rule.rule,
        title=rule.title,
        severity=rule.severity,
        tier=rule.tier,
        condition=rule.condition,
        for_seconds=rule.for_seconds,
        clears=rule.clears,
    )


def as_markdown(rows: Iterable[Rule]) -> str:
    """The rules as the table of docs/alerts.md."""
    lines = ["| rule | severity | tier | fires when | for | clears when |", "|---|---|---|---|---|---|"]
    for row in rows:
        wait = duration(row.for_seconds) if row.for_seconds else "–"
        clears = row.clears or "it no longer holds"
        lines.append(f"| `{row.rule}` | {row.severity} | {row.tier} | {row.condition} | {wait} | {clears} |")
    return "\n".join(lines) + "\n"
