"""What is wrong with a document: each fault with its place, a stable code, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal

import msgspec

Severity = Literal["error", "warning", "hint"]

MOST_FINDINGS = 200
"""More are counted, not kept."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One fault: what it is and what to do about it."""

    file: str
    line: int
    column: int = 1
    severity: Severity = "error"
    code: str
    """Stable, kebab-case."""
    words: str
    """What is wrong."""
    hint: str = ""
    """What to do."""

    def __str__(self) -> str:
        advice = f" {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.words}{advice} [{self.code}]"


class Findings(msgspec.Struct, frozen=True):
    """Why a text is no document: at least one error, and all else that was found."""

    name: str
    hash: str
    found: tuple[Finding, ...]
    id: str = ""
    """What it would be called, if that much could be read."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Those for which the document is refused."""
        return tuple(one for one in self.found if one.severity == "error")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Words that name what was perhaps meant, else all that there is."""
    names = sorted(known)
    close = difflib.get_close_matches(word[:80], names, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"It is one of {', '.join(names)}." if names else ""


class Notes:
    """Collects findings of one file."""

    def __init__(self, file: str, found: list[Finding] | None = None) -> None:
        self.file = file
        self._found: list[Finding] = [] if found is None else found

    def within(self, file: str) -> Notes:
        """Notes of a file that this one includes; they come together."""
        return Notes(file, self._found)

    def add(
        self, code: str, words: str, hint: str = "", *, line: int, column: int = 1, severity: Severity = "error"
    ) -> None:  # fmt: skip
        """One more finding."""
        if len(self._found) == MOST_FINDINGS:
            one = Finding(
                file=self.file, line=line, column=column, code="too-many-findings",
                words=f"More than {MOST_FINDINGS} findings; what follows is not shown.", hint="Mend the others first.",
            )  # fmt: skip
        elif len(self._found) < MOST_FINDINGS:
            one = Finding(
                file=self.file, line=line, column=column, severity=severity, code=code, words=words, hint=hint
            )
        else:
            return
        if one not in self._found:
            self._found.append(one)

    @property
    def failed(self) -> bool:
        """Whether any of them is an error."""
        return any(one.severity == "error" for one in self._found)

    def all(self) -> tuple[Finding, ...]:
        """All of them, in the order of their places."""
        return tuple(
            sorted(self._found, key=lambda one: (one.file != self.file, one.file, one.line, one.column))
        )
