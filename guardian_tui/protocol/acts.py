"""What a person does on a host from its page: signal a process, control a unit, read a log."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Request, Response

SignalName = Literal["TERM", "KILL", "HUP", "INT", "STOP", "CONT", "USR1", "USR2"]
UnitAct = Literal["start", "stop", "restart", "reload", "reset-failed"]
UnitName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9_@][A-Za-z0-9_.:@\\-]*\Z")
]


class SignalProcess(Request, frozen=True):
    """Send a signal to a process.

    ``command`` is what the person saw it run: if the pid is another process by now, nothing is sent.
    """

    host: str
    pid: Annotated[int, msgspec.Meta(ge=2, le=4_194_304)]
    command: Annotated[str, msgspec.Meta(max_length=400)]
    signal: SignalName = "TERM"


class ControlUnit(Request, frozen=True):
    """Start, stop, restart or reload a systemd unit."""

    host: str
    unit: UnitName
    act: UnitAct


class Acted(Response, frozen=True):
    """How an act on a host ended."""

    host: str
    words: str
    """What is there now, or what the host said."""


class LogQuery(Request, frozen=True):
    """Read a log: the newest lines, or those that came after a cursor.

    ``source``: ``journal``, ``unit:NAME``, or ``file:PATH`` for a file below /var/log.  ``match`` is a pattern of RE2.
    """

    host: str
    source: Annotated[str, msgspec.Meta(max_length=400)] = "journal"
    lines: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 200
    after: Annotated[str, msgspec.Meta(max_length=400)] = ""
    match: Annotated[str, msgspec.Meta(max_length=300)] = ""


class LogLine(Response, frozen=True):
    """One line, harmless."""

    at: float | None
    """Unix seconds by the host's clock; None where the log does not say."""
    priority: int
    """As syslog has them: 0 emergency to 7 debug; 6 where the log does not say."""
    source: str
    text: str


class LogLines(Response, frozen=True):
    """Lines, oldest first, and where to go on."""

    host: str
    lines: tuple[LogLine, ...]
    cursor: str
    cut: bool = False
    """There was more than one answer may hold; older lines are left out."""
