"""A command's text in lines that are read, and that are right when they are copied: broken at blanks, as a shell bears it."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from guardian_tui.text import safe
from widgets.box import Line
from widgets.prose import fitting

LONGEST_COMMAND = 16_384
GOES_ON = "↳ "
"""Before what goes on where a shell would not bear another line: within quotes, within a word."""
_INDENT = "  "
"""Before what goes on after a blank."""


@dataclass(slots=True)
class _Quotes:
    """Which quotes are open, from line to line.

    Attributes:
        nested: quotes may begin anew within others, or there is a heredoc: from there on counting does not tell what is quoted.
    """

    open: str = ""
    nested: bool = False

    def blanks(self, line: str) -> Iterator[int]:
        """Places after blanks that part words: a backslash and a line feed there change nothing."""
        escaped = blank = False
        before = " "
        for place, char in enumerate(line):
            if blank and char != " " and not self.nested:
                yield place
            blank = False
            if escaped:
                escaped = False
            elif self.open:
                escaped = char == "\\" and self.open == '"'
                self.nested |= self.open == '"' and (char == "`" or before + char == "$(")
                self.open = "" if char == self.open else self.open
            elif char in "'\"":
                self.open = char
            elif char == "#" and before in " ;":
                # the rest is a comment
                return
            else:
                blank, escaped = char == " ", char == "\\"
                self.nested |= before + char == "<<"
            before = char


def shell_lines(command: str, width: int, paint: str = "title") -> list[Line]:
    """The text of a command line by line; the first begins with ``$``, those below with ``>``.

    What is too wide is broken at a blank and goes on below, after a backslash, which a shell takes as if nothing were there; where it would not, after an arrow.
    """
    lines: list[Line] = []
    text = safe(command, LONGEST_COMMAND, newlines=True).rstrip("\n")
    quotes = _Quotes()
    for line in text.split("\n") if text else ():
        blanks = list(quotes.blanks(line))
        lines += _broken(line, blanks, max(8, width - 2), "> " if lines else "$ ", paint)
    return lines


def _broken(line: str, blanks: Sequence[int], room: int, sign: str, paint: str) -> Iterator[Line]:
    """One line of a command; ``blanks``: after which a shell bears that it is broken."""
    at, indent = 0, ""
    while cell_len(line[at:]) > room - len(indent):
        # the backslash needs a cell
        most = at + fitting(line[at:], room - len(indent) - 1)
        place = bisect(blanks, most)
        borne = blanks[place - 1] if place else 0
        sure = borne > at
        blank = line.rfind(" ", at + room // 4, most) + 1
        cut = borne if sure else blank or most
        yield [(sign, "muted"), (indent + line[at:cut], paint), *([("\\", "muted")] if sure else [])]
        at, sign, indent = cut, "  " if sure else GOES_ON, _INDENT if sure else ""
    yield [(sign, "muted"), (indent + line[at:], paint)]
