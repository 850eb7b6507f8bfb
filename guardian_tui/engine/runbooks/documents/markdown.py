"""The Markdown side of a document: front matter, fences and the prose between them, each with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardian_tui.engine.runbooks.documents.findings import Notes

if TYPE_CHECKING:
    from markdown_it.token import Token

MOST_CHARACTERS = 256 * 1024
MOST_LINES = 8_000
_FRONT = "---"
_OURS = ("step", "include")
_CLOSING = re.compile(r" {0,3}(`{3,}|~{3,})\s*")


@dataclass(frozen=True, slots=True)
class Block:
    """A fence of ours, or the front matter."""

    kind: str
    """``front``, ``step`` or ``include``."""
    name: str
    text: str
    line: int
    """Of the fence; the text begins on the line after."""
    prose: str = ""
    """Between the block before and this one."""
    title: str = ""
    """The last heading before it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a text consists of."""

    front: Block | None
    blocks: tuple[Block, ...]
    epilogue: str


def split(text: str, notes: Notes) -> Parts:
    """Take a text apart; what is wrong with it is noted."""
    if len(text) > MOST_CHARACTERS or text.count("\n") > MOST_LINES:
        notes.add(
            "too-large", f"The document is larger than {MOST_CHARACTERS // 1024} KB or {MOST_LINES} lines.",
            "Split it, and bring the parts together with include fences.", line=1,
        )  # fmt: skip
        return Parts(None, (), "")
    lines = text.split("\n")
    front, after = _front(lines, notes)
    blocks: list[Block] = []
    prose_from, title = after, ""
    for token in _tokens("\n" * after + "\n".join(lines[after:])):
        if token.type != "fence" or token.map is None:
            continue
        words = token.info.split()
        if not words or words[0] not in _OURS:
            if words and words[0].lower().rstrip(":") in _OURS:
                notes.add(
                    "fence-case",
                    f"A fence {words[0]!r} is no step.",
                    "Write it in small letters.",
                    line=token.map[0] + 1,
                )
            continue
        begin, end = token.map
        if token.level:
            notes.add(
                "nested-step", "A step stands inside a list or a quotation.", "Move its fence to the left margin, outside of it.",
                line=begin + 1,
            )  # fmt: skip
            continue
        closing = _CLOSING.fullmatch(lines[end - 1]) if end - 1 > begin else None
        if closing is None or closing[1][0] != token.markup[0]:
            notes.add(
                "open-fence",
                "This fence is not closed.",
                f"Put {token.markup} on a line of its own after the step.",
                line=begin + 1,
            )
        if lines[begin][:1] in (" ", "\t"):
            notes.add(
                "indented-fence", "This fence is indented.", "Move it to the left margin.", line=begin + 1
            )
        prose = "\n".join(lines[prose_from:begin]).strip()
        title = _heading(prose) or title
        blocks.append(Block(words[0], " ".join(words[1:]), token.content, begin + 1, prose, title))
        prose_from = end
    return Parts(front, tuple(blocks), "\n".join(lines[prose_from:]).strip())


def _front(lines: list[str], notes: Notes) -> tuple[Block | None, int]:
    if not lines or lines[0].rstrip() != _FRONT:
        return None, 0
    for number, line in enumerate(lines[1:], 1):
        if line.rstrip() == _FRONT:
            return Block("front", "", "\n".join(lines[1:number]) + "\n", 1), number + 1
    notes.add(
        "open-front-matter",
        "The front matter is not closed.",
        "Put --- on a line of its own after it.",
        line=1,
    )
    return None, len(lines)


def _tokens(text: str) -> list[Token]:
    # it is dear to import, and few processes read documents
    from markdown_it import MarkdownIt

    # what stands inside paragraphs is of no interest, and the part whose time can grow faster than the text
    return MarkdownIt("commonmark").disable(["inline"]).parse(text)


def _heading(prose: str) -> str:
    titles = [
        line.lstrip("#").strip().rstrip("#").strip()
        for line in prose.split("\n")
        if re.match(r" {0,3}#{1,6}(\s|$)", line)
    ]
    return titles[-1][:200] if titles else ""
