"""Patterns of people over text of the outside: RE2, whose time grows with the text alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import re2

from guardian_tui.protocol.check_params import KindParams
from guardian_tui.protocol.errors import InvalidRequest

_PATTERNS = ("regex", "expect", "banner", "greeting", "pattern", "ignore")
"""Parameters that hold a pattern."""


@lru_cache(maxsize=1024)
def pattern(text: str) -> Any:  # Any: re2 has no types
    """A compiled pattern.

    Raises:
        InvalidRequest: it is none.
    """
    options = re2.Options()
    options.log_errors = False
    options.never_nl = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        raise InvalidRequest(f"{text!r} is no pattern ({error}).", field="params") from error


def found(text: str, wanted: str) -> bool:
    """Whether a pattern is somewhere in a text."""
    return pattern(wanted).search(text) is not None


def check_patterns(params: KindParams) -> None:
    """Raise InvalidRequest where a parameter is no pattern."""
    for name in _PATTERNS:
        if text := getattr(params, name, ""):
            pattern(text)
    for line in getattr(params, "header", ()):
        name, colon, wanted = line.partition(":")
        if not (colon and name.strip()):
            raise InvalidRequest(
                f"A header is wanted as Name: pattern; {line!r} is none.", field="params.header"
            )
        pattern(wanted.strip())
