"""Rules turned into positions: for each layout of series, names are looked up once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from guardian_tui.engine.alerts.rule_kinds import MetricRule, Term
from guardian_tui.engine.facts import Layout
from guardian_tui.protocol.metrics import METRICS, Period

Key = tuple[str, str]
"""(rule, instance)."""
WindowKey = tuple[str, str, float]
"""(series, view, seconds)."""


@dataclass(slots=True)
class BoundTerm:
    """A term with its place in the sample and in the host's windows (-1: none)."""

    term: Term
    series: str
    place: int
    window: int = -1


@dataclass(slots=True)
class Check:
    """One rule on one instance of one layout.  ``number`` is its place in :attr:`Compiled.checks`."""

    number: int
    key: Key
    rule: MetricRule
    levels: tuple[tuple[BoundTerm, ...], ...]


Guard = tuple[int, float, int]
"""(place or window, weakest threshold, number of the check)."""


@dataclass(slots=True)
class Guards:
    """The cheap first look: a check whose guard is not passed can't newly fire."""

    above: list[Guard] = field(default_factory=list)
    below: list[Guard] = field(default_factory=list)
    beyond: list[Guard] = field(default_factory=list)
    """Without the sign."""
    mean_above: list[Guard] = field(default_factory=list)


@dataclass(slots=True)
class Compiled:
    """All checks of one layout."""

    layout: Layout
    checks: list[Check] = field(default_factory=list)
    by_key: dict[Key, Check] = field(default_factory=dict)
    windows: list[tuple[WindowKey, int]] = field(default_factory=list)
    """Each window that these checks need, and the place that feeds it."""
    settled: Guards = field(default_factory=Guards)
    booting: Guards = field(default_factory=Guards)
    """Without the rules that leave a host in peace while it boots."""
    turned: list[tuple[int, str, int]] = field(default_factory=list)
    """Flags whose earlier value matters: (place, series, check)."""
    booting_free: frozenset[str] = frozenset()
    """Rules with a boot grace."""


def split_series(series: str) -> tuple[str, str]:
    """Metric and instance of ``metric`` or ``metric{instance}``."""
    metric, brace, rest = series.partition("{")
    return metric, storable(rest[:-1]) if brace else ""


def storable(text: str) -> str:
    """Text that a database and JSON take: names of mounts may hold a NUL or half a character."""
    if text.isprintable():
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def period_of(rule: MetricRule) -> Period:
    """The period class whose samples feed this rule."""
    return METRICS[rule.levels[0].terms[0].metric].period


def compile_rules(rules: Sequence[MetricRule], layout: Layout) -> Compiled:
    """Look up every rule's series in a layout; a rule whose series are not there gets no check."""
    instances: dict[str, dict[str, int]] = {}
    for place, series in enumerate(layout.names):
        metric, instance = split_series(series)
        instances.setdefault(metric, {})[instance] = place
    compiled = Compiled(layout, booting_free=frozenset(rule.rule for rule in rules if rule.boot_grace))
    windows: dict[WindowKey, int] = {}
    for rule in rules:
        for instance in instances.get(rule.levels[0].terms[0].metric, ()):
            levels = tuple(_bind(rule, instance, instances, windows, compiled))
            if len(levels) == len(rule.levels):
                check = Check(len(compiled.checks), (rule.rule, instance), rule, levels)
                compiled.checks.append(check)
                compiled.by_key[check.key] = check
                _guard(check, compiled)
    return compiled


def _bind(
    rule: MetricRule,
    instance: str,
    instances: Mapping[str, Mapping[str, int]],
    windows: dict[WindowKey, int],
    compiled: Compiled,
) -> Iterator[tuple[BoundTerm, ...]]:
    for level in rule.levels:
        bound: list[BoundTerm] = []
        for term in level.terms:
            place = instances.get(term.metric, {}).get(instance)
            if place is None:
                if term.optional:
                    continue
                return
            series = compiled.layout.names[place]
            item = BoundTerm(term, series, place)
            if term.view in ("mean", "until_zero"):
                key = (series, term.view, term.window_seconds)
                if key not in windows:
                    windows[key] = len(compiled.windows)
                    compiled.windows.append((key, place))
                item.window = windows[key]
            bound.append(item)
        yield tuple(bound)


def _guard(check: Check, compiled: Compiled) -> None:
    """File the check under the term that is cheapest to look at: a plain one if it has one, with its weakest
    threshold.
    """
    first = check.levels[0]
    place = next(
        (n for n, bound in enumerate(first) if bound.term.view != "until_zero" and not bound.term.optional), 0
    )
    same = [
        next(b for b in level if b.series == first[place].series and b.term.view == first[place].term.view)
        for level in check.levels
    ]
    bound, values = same[0], [item.term.value for item in same]
    if bound.term.view == "turned":
        compiled.turned.append((bound.place, bound.series, check.number))
        return
    weakest = min(values) if bound.term.op == ">" else max(values)
    for guards in (compiled.settled,) if check.rule.boot_grace else (compiled.settled, compiled.booting):
        if bound.term.view == "mean":
            guards.mean_above.append((bound.window, weakest, check.number))
        elif bound.term.view == "absolute":
            guards.beyond.append((bound.place, weakest, check.number))
        elif bound.term.op == ">":
            guards.above.append((bound.place, weakest, check.number))
        else:
            guards.below.append((bound.place, weakest, check.number))
