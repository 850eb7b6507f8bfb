"""What people tell a run."""

from __future__ import annotations

from typing import Annotated

import msgspec

from guardian_tui.protocol.base import Request
from guardian_tui.protocol.runbooks.words import Act, Name, Value, Words


class WatchRun(Request, frozen=True):
    """Say that a console shows a run: others see who looks on.  It holds for ``seconds``, and is said again until ``leave``."""

    run: Name
    console: Annotated[str, msgspec.Meta(max_length=32)] = ""
    """One of a session's consoles; each names itself."""
    seconds: Annotated[float, msgspec.Meta(ge=5, le=600)] = 30.0
    leave: bool = False


class AnswerRunbook(Request, frozen=True):
    """Answer what a run asks.

    ``version`` is that of the run that the person saw; whoever comes second is told so.  ``typed`` is the phrase of a dangerous step, ``value`` what an
    input asks for, ``choice`` the answer to a choice, ``reason`` why a step is skipped or accepted.
    """

    run: Name
    version: int
    act: Act = "go"
    step: Annotated[str, msgspec.Meta(max_length=253)] = ""
    typed: Words = ""
    value: Value = ""
    choice: Annotated[str, msgspec.Meta(max_length=253)] = ""
    reason: Words = ""
    secrets: dict[str, Value] = msgspec.field(default_factory=dict)
    """Secrets that are asked for again: they are kept in memory alone, and a restart of the engine takes them."""


class ApproveRunbook(Request, frozen=True):
    """Approve what a run is about to do, or refuse it; bound to ``digest``, what the person was shown."""

    run: Name
    version: int
    digest: Annotated[str, msgspec.Meta(min_length=64, max_length=64)]
    ok: bool = True
    note: Words = ""


class StopRunbook(Request, frozen=True):
    """Stop a run: what runs now is ended, what it opened is closed, nothing more is begun."""

    run: Name
    reason: Words = ""


class HandOver(Request, frozen=True):
    """Let another person lead a run; an empty name: take it yourself."""

    run: Name
    to: Annotated[str, msgspec.Meta(max_length=64)] = ""
