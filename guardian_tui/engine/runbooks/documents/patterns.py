"""Patterns of authors over text of hosts: RE2, whose time grows with the text alone."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from guardian_tui.protocol.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_CAPTURED = 1000
"""Characters of a captured value."""


@lru_cache(maxsize=512)
def compiled(text: str) -> Any:  # Any: re2 has no types
    """A compiled pattern; ``^`` and ``$`` stand for a line's ends.

    Raises:
        InvalidRequest: it is none.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_nl = False
    options.max_mem = 8 << 20
    try:
        return re2.compile(f"(?m){text}", options)
    except re2.error as error:
        said = error.args[0] if error.args else b""
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise InvalidRequest(
            f"{text[:200]!r} is no pattern of RE2 ({words.partition(': (?m)')[0][:200]}).", field="regex"
        ) from error


def matches(text: str, wanted: str) -> bool:
    """Whether a pattern is somewhere in a text."""
    return compiled(wanted).search(text) is not None


def matches_whole(text: str, wanted: str) -> bool:
    """Whether a pattern is all of a text."""
    return compiled(wanted).fullmatch(text) is not None


def capture(patterns: Mapping[str, str], output: str) -> dict[str, str]:
    """What each pattern finds in what a command printed: its first group, else all of the match, without spaces around.

    A pattern that finds nothing leaves its variable out.
    """
    found: dict[str, str] = {}
    for name, wanted in patterns.items():
        match = compiled(wanted).search(output)
        if match is None:
            continue
        value = match.group(1) if compiled(wanted).groups else match.group(0)
        if value is not None:
            found[name] = str(value).strip()[:MOST_CAPTURED]
    return found
