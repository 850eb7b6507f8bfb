"""A shell on a host, as bytes that go to and fro: for a person at a terminal, whom runbooks and acts don't help."""

from __future__ import annotations

from typing import Annotated

import msgspec

from guardian_tui.protocol.base import Request, Response

MOST_INPUT_BYTES = 64 << 10
Cells = Annotated[int, msgspec.Meta(ge=1, le=2000)]
TerminalName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*\Z")
]


class OpenShell(Request, frozen=True):
    """Open a shell of the account for commands."""

    host: str
    columns: Cells = 80
    lines: Cells = 24
    terminal: TerminalName = "xterm-256color"


class Shell(Response, frozen=True):
    """A shell that is open, until somebody closes it, it ends, or nobody reads it any more."""

    id: str
    host: str
    user: str


class ShellRef(Request, frozen=True):
    """One's own shell."""

    shell: str


class ShellInput(Request, frozen=True):
    """What was typed."""

    shell: str
    data: Annotated[bytes, msgspec.Meta(max_length=MOST_INPUT_BYTES)]


class ShellSize(Request, frozen=True):
    """The terminal has another size."""

    shell: str
    columns: Cells
    lines: Cells


class ShellOutput(Response, frozen=True):
    """What the host wrote since the last answer: no text, and not to be shown before it was looked through."""

    data: bytes
    ended: bool = False
    words: str = ""
    """Why it is over."""
