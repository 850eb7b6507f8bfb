"""Texts of documents for tests, and what is found in them."""

from __future__ import annotations

from typing import Any

from guardian_tui.engine.runbooks.documents import Document, Findings, parse


def steps(body: str, front: str = "") -> str:
    """A text with these fences."""
    return f"---\nid: a\ntitle: A\nversion: 1\nhosts: alert\n{front}---\n{body}"


def step(body: str, front: str = "") -> str:
    """A text with one step."""
    return steps(f"```step one\n{body}\n```\n", front)


def flow(**bodies: str) -> str:
    """A text with these steps, ``_`` in names written as it is."""
    return steps("".join(f"```step {name}\n{body}\n```\n" for name, body in bodies.items()))


def found(text: str | bytes, **kwargs: Any) -> dict[str, str]:  # Any: as parse takes them
    """What was found, by code: the place of the first, its words and its hint."""
    read = parse(text, "a.md", **kwargs)
    all_ = read.found if isinstance(read, Findings) else read.findings
    return {one.code: f"{one.line}:{one.column} {one.words} {one.hint}" for one in reversed(all_)}


def document(text: str) -> Document:
    """The document that a text is."""
    read = parse(text, "a.md")
    assert isinstance(read, Document), "\n".join(map(str, read.found))
    return read
