"""What the settings change of the shipped rules, and refuse to."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import isfinite

from guardian_tui.config import RuleOverride
from guardian_tui.engine.alerts.rule_kinds import EventRule, Level, MetricRule, Term, term_unit
from guardian_tui.protocol.errors import InvalidRequest

LONGEST_WAIT_SECONDS = 366 * 86400.0


def changed(rule: MetricRule, change: RuleOverride) -> MetricRule:
    """A rule with what the settings change of it.

    Raises:
        InvalidRequest: a threshold that it does not have, that is never or always met, or whose level comes before a milder one.
    """
    wanted = {"warning": change.warning, "critical": change.critical}
    has = [level.severity for level in rule.levels]
    for severity, value in wanted.items():
        if value is not None and severity not in has:
            raise InvalidRequest(
                f"[alerts.rules.{rule.rule}]: {rule.rule} has no {severity} level, only {', '.join(has)}.",
                field=f"alerts.rules.{rule.rule}.{severity}",
            )
        if value is not None:
            _check_threshold(rule, severity, value)
    _check_wait(rule.rule, change.for_seconds)
    levels = tuple(_changed_level(level, wanted.get(level.severity), change) for level in rule.levels)
    _check_order(rule.rule, levels)
    return replace(rule, levels=levels)


def _changed_level(level: Level, value: float | None, change: RuleOverride) -> Level:
    terms = level.terms
    if value is not None:
        first = terms[0]
        terms = (replace(first, value=value, clear=_clear_of(first, value)), *terms[1:])
    wait = level.for_seconds if change.for_seconds is None else change.for_seconds
    return replace(level, terms=terms, tier=change.tier or level.tier, for_seconds=wait)


def _clear_of(term: Term, value: float) -> float | None:
    """The value that lets go for a new threshold: its distance keeps its proportion."""
    if term.clear is None:
        return None
    clear = value * term.clear / term.value
    # no share is more than all: one beyond would never let go
    return min(clear, (value + 1) / 2) if term.op == "<" and term_unit(term) == "ratio" else clear


def _check_threshold(rule: MetricRule, severity: str, value: float) -> None:
    """Raise InvalidRequest for a threshold that would never be met, or always."""
    first = rule.levels[0].terms[0]
    words = ""
    if term_unit(first) == "flag":
        words = f"{rule.rule} has no threshold to change: something is so, or it is not"
    elif not isfinite(value) or value < 0:
        words = f"wanted is a number that is not negative, not {value:g}"
    elif (
        term_unit(first) == "ratio" and value >= 1 and all(level.terms[0].value < 1 for level in rule.levels)
    ):
        words = f"it is a share, of which 1 is all: write 0.85 for 85 %, not {value:g}"
    if words:
        raise InvalidRequest(
            f"[alerts.rules.{rule.rule}] {severity}: {words}.", field=f"alerts.rules.{rule.rule}.{severity}"
        )


def _check_wait(rule: str, seconds: float | None) -> None:
    if seconds is not None and not 0 <= seconds <= LONGEST_WAIT_SECONDS:
        raise InvalidRequest(
            f"[alerts.rules.{rule}] for_seconds: wanted are 0 to {LONGEST_WAIT_SECONDS:.0f} seconds, not {seconds:g}.",
            field=f"alerts.rules.{rule}.for_seconds",
        )


def _check_order(rule: str, levels: tuple[Level, ...]) -> None:
    """Raise InvalidRequest where a graver level would be met before a milder one."""
    for mild, grave in pairwise(levels):
        low, high = mild.terms[0], grave.terms[0]
        if (low.metric, low.view) == (high.metric, high.view) and (
            high.value < low.value if low.op == ">" else high.value > low.value
        ):
            raise InvalidRequest(
                f"[alerts.rules.{rule}]: {grave.severity} ({high.value:g}) would be met before {mild.severity} ({low.value:g});"
                " where you change one, change the other too.",
                field=f"alerts.rules.{rule}.{grave.severity}",
            )


def changed_event(rule: EventRule, change: RuleOverride) -> EventRule:
    """A rule over what the engine itself notices, with what the settings change of it.

    Raises:
        InvalidRequest: it has nothing of the kind to change.
    """
    if change.warning is not None or change.critical is not None:
        raise InvalidRequest(
            f"[alerts.rules.{rule.rule}]: {rule.rule} has no threshold to change.",
            field=f"alerts.rules.{rule.rule}",
        )
    if change.for_seconds is not None and not rule.for_seconds:
        raise InvalidRequest(
            f"[alerts.rules.{rule.rule}]: {rule.rule} does not wait.",
            field=f"alerts.rules.{rule.rule}.for_seconds",
        )
    _check_wait(rule.rule, change.for_seconds)
    wait = rule.for_seconds if change.for_seconds is None else change.for_seconds
    return replace(rule, tier=change.tier or rule.tier, for_seconds=wait)
