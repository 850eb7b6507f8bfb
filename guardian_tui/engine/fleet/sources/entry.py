"""What a source says of a host, and how a source's reader answers.

A reader is a pure function from text to :class:`Entry` values and problems.  A wrong line is a problem with its file, its line and what to do
about it; the rest of the file counts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from guardian_tui.protocol.fleet import HostSpec
from guardian_tui.text import safe

MOST_HOSTS = 10_000
MOST_PROBLEMS = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A host that a source names."""

    spec: HostSpec
    """As it would be if nothing else were known of it."""
    stated: frozenset[str]
    """The fields that the source speaks of: an import leaves the others as they are."""
    where: str = ""
    """File and line, for people."""
    unsupported: tuple[str, ...] = ()
    """What the source says of it that we can't follow."""


@dataclass(slots=True)
class Reading:
    """What a reader has found so far."""

    file: str
    """How the source is called in problems."""
    entries: list[Entry] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    pieces: list[tuple[int, str, int]] = field(default_factory=list)
    """Where the text goes on with another file: the line of the text from which on, that file, and the line of it."""

    def at(self, line: int) -> str:
        """A place in the source."""
        place = bisect_right(self.pieces, line, key=lambda piece: piece[0]) - 1
        if place < 0:
            return f"{self.file}:{line}" if line else self.file
        begins, file, first = self.pieces[place]
        return f"{file}:{line - begins + first}"

    def problem(self, line: int, words: str) -> None:
        """Something can't be read; ``words`` say what, and what to do."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(safe(f"{self.at(line)}: {words}", 400))

    def host(
        self, line: int, name: str, stated: Mapping[str, Any], unsupported: tuple[str, ...] = ()
    ) -> None:  # Any: values of HostSpec's fields, as text or read
        """Take a host, unless what is said of it can't be."""
        if len(self.entries) >= MOST_HOSTS:
            if len(self.entries) == MOST_HOSTS and not any("more than" in words for words in self.problems):
                self.problem(line, f"more than {MOST_HOSTS} hosts; split the source, the rest is left out")
            return
        try:
            spec = msgspec.convert({"name": name, **stated}, HostSpec, strict=False)
        except (msgspec.ValidationError, ValueError) as error:
            self.problem(line, f"host {name[:60]}: {_plain(str(error))}; correct it and import again")
            return
        self.entries.append(Entry(spec, frozenset(stated), self.at(line), unsupported))


def _plain(words: str) -> str:
    """A validation error without the notation of its library."""
    words, _, place = words.partition(" - at `$.")
    named = place.rstrip("`").replace("[...]", "")
    named = {"jump": "its jump host", "groups": "one of its groups", "labels": "one of its labels"}.get(
        named, named
    )
    if "matching regex" in words:
        words = "has characters that can't be"
    elif words.startswith(("Expected `int`", "Expected `float`")) and "got `str`" in words:
        words = "is no number"
    return f"{named} {words[:1].lower()}{words[1:]}" if named else words
