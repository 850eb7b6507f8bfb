"""Whom to trust: questions about host keys answered many at once, and authorities that sign host keys."""

from __future__ import annotations

from typing import Annotated

import msgspec

from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.fleet import Question


class QuestionsQuery(Request, frozen=True):
    """Questions whose host has one of these words in its name or labels; empty: all."""

    filter: Annotated[str, msgspec.Meta(max_length=500)] = ""


class QuestionList(Response, frozen=True):
    """Questions that hosts wait on, by host."""

    questions: tuple[Question, ...]


class SeenKey(Request, frozen=True):
    """A question about a new key, and the fingerprint that the person saw."""

    question: str
    fingerprint: str


class AcceptKeys(Request, frozen=True):
    """Accept the keys of new hosts, many at once; a key that changed is never among them."""

    keys: Annotated[tuple[SeenKey, ...], msgspec.Meta(min_length=1, max_length=10_000)]
    count: int
    """How many the person meant, as typed in."""


class NotAccepted(Response, frozen=True):
    """A key that was not accepted, and why."""

    host: str
    why: str


class AcceptReport(Response, frozen=True):
    """Hosts whose key is pinned now, and those whose key is not."""

    accepted: tuple[str, ...]
    refused: tuple[NotAccepted, ...] = ()


Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=300, pattern=r"^[^\s|@#][^\s|#]*\Z")]
"""Hosts as known_hosts names them: ``*.example.org,!old.example.org``, ``[10.0.0.*]:2222``."""


class PinAuthority(Request, frozen=True):
    """Trust all host keys of some hosts that this authority has signed."""

    pattern: Pattern
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=8192)]
    """Its public key, as in a ``.pub`` file."""


class AuthorityRef(Request, frozen=True):
    """Names an authority that is pinned."""

    pattern: Pattern
    fingerprint: str


class Authority(Response, frozen=True):
    """An authority that is pinned, and the hosts that its pattern covers."""

    pattern: str
    algorithm: str
    fingerprint: str
    pinned_at: float
    pinned_by: str
    hosts: tuple[str, ...] = ()
    """Names of those that the caller sees."""


class AuthorityList(Response, frozen=True):
    """All authorities, by pattern."""

    authorities: tuple[Authority, ...]
