"""Changes of many hosts at once: which ones, what, and the count that a person meant."""

from __future__ import annotations

from typing import Annotated

import msgspec

from guardian_tui.protocol.base import Moment, Request, Response
from guardian_tui.protocol.fleet import Group, LabelText, Name, User

MOST_HOSTS = 10_000


class Chosen(Request, frozen=True):
    """Which hosts are meant: by name or id, or all that pass a filter; never none by mistake."""

    hosts: Annotated[tuple[str, ...], msgspec.Meta(max_length=MOST_HOSTS)] = ()
    filter: Annotated[str, msgspec.Meta(max_length=500)] = ""
    count: int | None = None
    """How many there are, as the person saw it; None: say how many, and change nothing."""


class BulkEdit(Chosen, frozen=True):
    """What to change; None leaves a field as it is."""

    set_labels: dict[LabelText, LabelText] = msgspec.field(default_factory=dict)
    remove_labels: tuple[LabelText, ...] = ()
    add_groups: tuple[Group, ...] = ()
    remove_groups: tuple[Group, ...] = ()
    environment: LabelText | None = None
    credential: Annotated[str, msgspec.Meta(max_length=300)] | None = None
    jump: tuple[Name, ...] | None = None
    user: User | None = None
    command_credential: Annotated[str, msgspec.Meta(max_length=300)] | None = None
    command_user: User | None = None
    interval_seconds: Annotated[float, msgspec.Meta(ge=1, le=3600)] | None = None


class BulkMaintenance(Chosen, frozen=True):
    """Planned work on many hosts until a time; None ends it."""

    until: Moment | None = None
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class BulkReport(Response, frozen=True):
    """What would be done, or was."""

    hosts: tuple[str, ...]
    """Names of those that are meant."""
    changed: int = 0
    unchanged: int = 0
    """Those that are so already."""
    done: bool = False
