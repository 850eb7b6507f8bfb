"""Saved views: how a person looks at a list, under a name; shared with others if they say so."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Request, Response

ViewName = Annotated[str, msgspec.Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")]
ViewScreen = Literal["fleet", "alerts", "checks", "backups", "runbooks", "approvals", "audit"]
ColumnName = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
MOST_COLUMNS = 20


class SaveView(Request, frozen=True):
    """Keep a view under a name of one's own; the same name again replaces it."""

    name: ViewName
    screen: ViewScreen = "fleet"
    filter: Annotated[str, msgspec.Meta(max_length=400)] = ""
    sort: Annotated[str, msgspec.Meta(max_length=40)] = ""
    """A column; empty: as the list is by itself."""
    reverse: bool = False
    problems: bool = False
    """Only what is not well."""
    columns: Annotated[tuple[ColumnName, ...], msgspec.Meta(max_length=MOST_COLUMNS)] = ()
    """Empty: those that there is room for."""
    shared: bool = False
    """Whether others are offered it."""


class View(Response, frozen=True):
    """A view that is kept."""

    name: str
    screen: str
    filter: str = ""
    sort: str = ""
    reverse: bool = False
    problems: bool = False
    columns: tuple[str, ...] = ()
    shared: bool = False
    owner: str = ""
    mine: bool = True


class ViewList(Response, frozen=True):
    """One's own views by name, then those that others share."""

    views: tuple[View, ...]


class ViewRef(Request, frozen=True):
    """One of one's own views."""

    name: ViewName
