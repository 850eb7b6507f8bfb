"""Stylesheets that are parsed once: each console that a test starts would parse all of Textual's and ours again, a sixth of its start."""

from __future__ import annotations

from textual.css.model import RuleSet
from textual.css.stylesheet import CSSLocation, Stylesheet

_parse = Stylesheet._parse_rules
_parsed: dict[tuple[object, ...], list[RuleSet]] = {}


def parse_or_repeat(
    self: Stylesheet,
    css: str,
    read_from: CSSLocation,
    is_default_rules: bool = False,
    tie_breaker: int = 0,
    scope: str = "",
) -> list[RuleSet]:
    """Textual's own parsing the first time; later what it answered then to the same, with the same variables."""
    told = css, read_from, is_default_rules, tie_breaker, scope, frozenset(self._variables.items())
    if told not in _parsed:
        _parsed[told] = _parse(self, css, read_from, is_default_rules, tie_breaker, scope)
    return _parsed[told]
