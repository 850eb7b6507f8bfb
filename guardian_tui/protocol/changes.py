"""What changed on a host, and marks that are set from outside."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Moment, Request, Response

ChangeKind = Literal["state", "reboot", "unit", "facts", "drift", "mark"]


class Change(Response, frozen=True):
    """One change."""

    host_id: str
    at: float
    kind: ChangeKind
    words: str
    actor: str = ""
    """Who set a mark."""


class ChangesQuery(Request, frozen=True):
    """Ask for a host's changes since a moment (Unix seconds), newest first."""

    host: str
    since: Moment = 0.0
    most: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100


class ChangeList(Response, frozen=True):
    """Changes, newest first."""

    changes: tuple[Change, ...]


class SetMark(Request, frozen=True):
    """Set a mark on a host, to be seen in its charts: ``shop 4.18.0 → 4.19.0``."""

    host: str
    words: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
