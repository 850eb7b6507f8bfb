"""Runbooks as they are written: variables, steps, the library."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.runbooks.words import Name, RunVerdict, StepKind


class RunbookVariable(Response, frozen=True):
    """A typed value of a runbook, and where it comes from."""

    name: str
    type: str
    origin: Literal["person", "alert", "inventory", "capture"] = "person"
    prompt: str = ""
    default: str | None = None
    minimum: str = ""
    maximum: str = ""
    pattern: str = ""
    options: tuple[str, ...] = ()
    secret: bool = False


class RunbookOption(Response, frozen=True):
    """One answer of a choice, and the step that it leads to."""

    answer: str
    target: str


class RunbookStep(Response, frozen=True):
    """A step as it stands in its document."""

    name: str
    kind: StepKind
    number: int
    """From 1."""
    title: str = ""
    prose: str = ""
    """Markdown that stands before it."""
    text: str = ""
    """What stands after its kind: a command, a text, a question, a condition, a name."""
    user: str = ""
    roles: tuple[str, ...] = ()
    dangerous: str = ""
    """Why it is; empty: it is not."""
    rollback: str = ""
    expect: str = ""
    captures: tuple[str, ...] = ()
    detach: bool = False
    fanout: str = ""
    """In words: ``1, 25 %, then all; stops after 1 failure``."""
    timeout_seconds: float = 0.0
    next: str = ""
    on_fail: str = ""
    variable: RunbookVariable | None = None
    options: tuple[RunbookOption, ...] = ()
    quorum: int = 0


class RunbookRow(Response, frozen=True):
    """One line of the library."""

    id: str
    title: str
    file: str
    version: str = ""
    hash: str = ""
    summary: str = ""
    rules: tuple[str, ...] = ()
    """Alert rules that it answers."""
    roles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    steps: int = 0
    dangerous: int = 0
    """How many of its steps are."""
    commit: str = ""
    """Of the repository that it was read from."""
    problems: tuple[str, ...] = ()
    """Why it can't be run, each with its place; empty: it can."""
    last_run: str = ""
    """Id of its newest run, where that is the caller's to see; in the stream it comes as :class:`RunbookNewest`."""
    last_at: float | None = None
    last_verdict: RunVerdict = ""


class RunbookNewest(Response, frozen=True):
    """The newest run of a document, for those who may see that run."""

    id: str
    """Of the document."""
    run: str
    at: float
    verdict: RunVerdict = ""


class RunbookDetail(Response, frozen=True):
    """One document in full."""

    row: RunbookRow
    variables: tuple[RunbookVariable, ...] = ()
    steps: tuple[RunbookStep, ...] = ()
    epilogue: str = ""
    findings: tuple[str, ...] = ()
    """Warnings and hints of its author's, each with its place."""


class RunbooksQuery(Request, frozen=True):
    """Documents of the library; of those alone that answer a rule, or whose words match."""

    rule: Annotated[str, msgspec.Meta(max_length=200)] = ""
    filter: Annotated[str, msgspec.Meta(max_length=500)] = ""


class RunbookList(Response, frozen=True):
    """Documents, by title."""

    runbooks: tuple[RunbookRow, ...]
    problem: str = ""
    """Why the library could not be read as a whole."""


class RunbookRef(Request, frozen=True):
    """Names one document by its id."""

    runbook: Name
