"""Imports: sources of hosts, what they would change, and what was changed."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.fleet import HostSpec

SourceFormat = Literal["ssh_config", "ansible_ini", "ansible_yaml", "ansible_json", "csv"]
FoundStatus = Literal["new", "changed", "unchanged"]


class SourceText(Request, frozen=True):
    """A source of hosts, read (or run) by the client: the engine opens no file of a person's and runs no script."""

    format: SourceFormat
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    """Its path or command on the client's machine; a source is remembered by it."""
    text: Annotated[str, msgspec.Meta(max_length=4_000_000)]


class ImportRequest(Request, frozen=True):
    """What hosts a source would add, change and miss; with ``names`` or ``remove`` it is done."""

    source: SourceText | None = None
    known_hosts: Annotated[str, msgspec.Meta(max_length=8_000_000)] = ""
    """Text of a known_hosts file, whose keys are pinned when the import is carried out."""
    names: tuple[str, ...] | None = None
    """Which of the hosts found to add or change; None: preview only, nothing is written."""
    remove: tuple[str, ...] = ()
    """Which of those that are gone from the source to watch no longer."""


class FieldChange(Response, frozen=True):
    """One field of a host, before and after; empty is nothing."""

    field: str
    old: str
    new: str


class Found(Response, frozen=True):
    """One host found by an import."""

    spec: HostSpec
    """As it would be afterwards."""
    status: FoundStatus = "new"
    changes: tuple[FieldChange, ...] = ()
    where: str = ""
    """File and line."""
    unsupported: tuple[str, ...] = ()
    """What the source says of it that we can't follow."""
    pinned: bool = False
    """A key for it is in ``known_hosts``."""


class Gone(Response, frozen=True):
    """A host that an earlier import of the source brought, and that it names no more."""

    name: str
    behind: tuple[str, ...] = ()
    """Hosts that are reached through it: it can't be removed before they are."""


class ImportPreview(Response, frozen=True):
    """What an import found or did."""

    found: tuple[Found, ...] = ()
    gone: tuple[Gone, ...] = ()
    added: int = 0
    changed: int = 0
    removed: int = 0
    pins: int = 0
    problems: tuple[str, ...] = ()
    """What could not be read or done: where, why, and what to do."""
    last_import: float | None = None
    """When the source was imported before; None: never."""


class Source(Response, frozen=True):
    """A source that was imported."""

    format: SourceFormat
    name: str
    imported_at: float
    imported_by: str
    hosts: int


class SourceList(Response, frozen=True):
    """Sources that were imported, by name."""

    sources: tuple[Source, ...]


class SourceRef(Request, frozen=True):
    """Names a source as it was imported."""

    name: str
