"""One entry of the route table: what can be asked, by whom, and how it is recorded.

A request struct is filled from path parameters, query parameters and the JSON body together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from guardian_tui.protocol.base import Request, Response

PUBLIC = "public"
"""Permission of routes that need no session."""
SELF = "self"
"""Permission of routes that every session has: they touch only its own account."""

Recording = Literal["none", "local", "remote"]
"""``none``: only a denial is an event.  ``local``: one event in the transaction of the change.
``remote``: the intent before, the result after."""
Scoping = Literal["none", "host", "rows", "whole"]
"""``host``: the request names one host (``host``, or by its ``alert``, ``question``, ``check`` or ``shell``), which the handler resolves through ``Call.host_in_scope``.
``rows``: the answer is filtered by ``Call.sees``.
``whole``: it concerns the engine as a whole; a grant on some hosts does not reach it."""


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of the table."""

    name: str
    method: str
    path: str
    permission: str
    request: type[Request]
    response: type[Response]
    help: str
    recording: Recording = "none"
    scoping: Scoping = "none"
    told: tuple[str, ...] = ()
    """Fields of the request that the intent of a ``remote`` route names: what will be done, on disk before it is."""
    step_up: bool = False
    """Wants a fresh second factor."""
    while_locked: bool = False
    """May be called by a locked session."""
    stream: bool = False
    patience_seconds: float = 0.0
    """It is given up when it takes longer; 0: as long as any order."""
    raw: bool = False
    """Answers plain text, not JSON (health, metrics)."""
