"""Markdown as lines of pieces: enough of it to be read as prose in a narrow pane, and nothing that acts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.cells import cell_len

from guardian_tui.text import safe
from widgets.box import Line
from widgets.painting import Piece, width_of

LONGEST = 40_000
"""Characters of a text that are shown."""
_HEADING = re.compile(r"^ {0,3}#{1,6} +(.+?)[ #]*$")
_ITEM = re.compile(r"^( *)(?:[-*+]|(\d{1,3})[.)]) +(.*)$")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_INLINE = re.compile(r"(`+)(.+?)\1|\*\*(.+?)\*\*|(?<!\w)\*([^*\s][^*]*)\*(?!\w)")


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most ``width`` cells, at any character: nothing of it is left out."""
    lines: list[str] = []
    for line in text.split("\n"):
        rest = line
        while cell_len(rest) > width > 0:
            cut = fitting(rest, width)
            lines.append(rest[:cut])
            rest = rest[cut:]
        lines.append(rest)
    return lines


def fitting(text: str, width: int) -> int:
    """How many characters fit; one at least."""
    cells = 0
    for place, char in enumerate(text):
        cells += cell_len(char)
        if cells > width:
            return max(1, place)
    return len(text)


def words_lines(pieces: Iterable[Piece], width: int, *, first: str = "", rest: str = "") -> list[Line]:
    """Words in lines of at most ``width`` cells, broken at blanks; ``first`` and ``rest`` stand before them."""
    lines: list[Line] = []
    line: Line = [(first, "muted")] if first else []
    empty = ended = True
    for text, paint in pieces:
        # what follows a piece without a blank stands close to it: a bracket, a full stop
        close = not ended and not text[:1].isspace()
        ended = text[-1:].isspace()
        for word in text.split():
            blank, close = "" if close else " ", False
            for part in wrapped(word, max(1, width - cell_len(rest))):
                if not empty and width_of(line) + len(blank) + cell_len(part) > width:
                    lines.append(line)
                    line, empty = ([(rest, "muted")] if rest else []), True
                glued = part if empty else blank + part
                if line and not empty and line[-1][1] == paint:
                    # one piece where one colour is: each change of it costs the terminal some forty bytes
                    line[-1] = (line[-1][0] + glued, paint)
                else:
                    line.append((glued, paint))
                empty = False
    if not empty or first:
        lines.append(line)
    return lines


def text_lines(text: str, paint: str, width: int, *, first: str = "", rest: str = "") -> list[Line]:
    """Words as :func:`words_lines` breaks them, but a line feed of the text begins a line."""
    lines: list[Line] = []
    for line in text.rstrip("\n").split("\n"):
        lines += words_lines([(line, paint)], width, first=rest if lines else first, rest=rest)
    return lines


def inline(text: str) -> list[Piece]:
    """A paragraph's pieces: `code` and **strong** words in their own paint."""
    pieces: list[Piece] = []
    place = 0
    for match in _INLINE.finditer(text):
        pieces.append((text[place : match.start()], "text"))
        pieces.append((match[2], "accent") if match[1] else (match[3] or match[4], "strong"))
        place = match.end()
    pieces.append((text[place:], "text"))
    return [piece for piece in pieces if piece[0]]


def headings(text: str) -> list[str]:
    """The headings of a text, in order."""
    found, fenced = [], False
    for line in safe(text, LONGEST, newlines=True).split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced and (match := _HEADING.match(line)):
            found.append(match[1])
    return found


def prose_lines(text: str, width: int, *, titles: bool = True) -> list[Line]:
    """A text as lines; ``titles``: with its headings."""
    lines: list[Line] = []
    paragraph: list[str] = []
    item = ("", "")
    fenced = False

    def close() -> None:
        nonlocal item
        if paragraph or item[0]:
            lines.extend(words_lines(inline(" ".join(paragraph)), width, first=item[0], rest=item[1]))
        paragraph.clear()
        item = ("", "")

    for line in safe(text, LONGEST, newlines=True).split("\n"):
        if _FENCE.match(line):
            close()
            fenced = not fenced
        elif fenced:
            lines += [[("  ", "text"), (part, "accent")] for part in wrapped(line, max(1, width - 2))]
        elif match := _HEADING.match(line):
            close()
            if titles:
                _blank(lines)
                lines += words_lines([(match[1], "strong")], width)
                lines.append([])
        elif match := _ITEM.match(line):
            close()
            mark = f"{match[2]}." if match[2] else "·"
            indent = " " * min(8, len(match[1]))
            item = (f"{indent}{mark} ", indent + " " * (len(mark) + 1))
            paragraph.append(match[3])
        elif not line.strip():
            close()
            _blank(lines)
        else:
            paragraph.append(line.strip().removeprefix("> "))
    close()
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _blank(lines: list[Line]) -> None:
    """One empty line, unless there is one."""
    if lines and lines[-1]:
        lines.append([])
