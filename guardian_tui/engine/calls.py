"""What a handler is given: who asks, from where, and the one way to change state.

``dispatch`` makes a :class:`Call` after it has authorised the order; handlers get nothing else of the outside.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from guardian_tui.engine.store.database import Tx
from guardian_tui.protocol.base import Response
from guardian_tui.protocol.errors import Conflict, InternalError, NotAuthenticated, NotFound
from guardian_tui.protocol.routes import Route

T = TypeVar("T")
ROWS_LOOKED_THROUGH = 2000


@dataclass(frozen=True, slots=True)
class Peer:
    """The other end of the socket."""

    uid: int
    pid: int = 0
    address: str = "unix"


class Scope(Protocol):
    """Which hosts a principal may see under a permission."""

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether a host with these labels (``environment`` and ``host`` among them) is inside."""
        ...


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated session and what it may do."""

    account_id: str
    name: str
    session_id: str
    """Public id of the session: first 16 hex digits of the token's hash."""
    peer_uid: int
    kind: str
    scopes: Mapping[str, Scope]
    """Permission → the hosts it holds for.  A permission that is not a key is denied."""
    fresh_until: float
    locked: bool = False
    expires_at: float = 0.0
    roles: frozenset[str] = frozenset()
    """Profiles all of whose permissions it holds, on some hosts at least."""


class NotYours(NotAuthenticated):
    """A token that was given by another uid than the one that it is bound to.

    Args:
        detail: what the caller is told: the same as of a token that is no session's.
        account, session: whose it is, for the audit log alone.
    """

    def __init__(self, detail: str, account: str, session: str) -> None:
        super().__init__(detail)
        self.account = account
        self.session = session


@dataclass(frozen=True, slots=True)
class Entry:
    """What an audit event will say; ``body`` values are strings, ints, bools, lists and dicts of them: no floats, no secrets."""

    actor: str
    action: str
    target: str
    outcome: str
    session: str = ""
    peer_uid: int = -1
    body: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON values


class AuditSink(Protocol):
    """The audit log as dispatch and features see it."""

    async def append(self, tx: Tx, entry: Entry) -> int:
        """Add an event within the caller's transaction; returns its seq.  Raises AuditUnavailable."""
        ...

    async def record(self, entry: Entry) -> int:
        """Add an event in a transaction of its own; returns its seq.  Raises AuditUnavailable."""
        ...


class _AnyScope:
    def covers(self, labels: Mapping[str, str]) -> bool:
        return True


ANY_SCOPE: Scope = _AnyScope()


@dataclass(slots=True)
class Call:
    """One authorised order on its way to its handler."""

    route: Route
    principal: Principal | None
    peer: Peer
    request_id: str
    now: float
    audit: AuditSink
    begin: Callable[[], Any]  # Any: an async context manager of Tx; Store.write
    scope: Scope = ANY_SCOPE
    events_written: int = 0
    target: str = ""
    body: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
    token: str = ""
    """The bearer token as given; only access reads it."""
    unchanged: bool = False
    """Set by the handler of a ``local`` route that found nothing to change (a preview): no event is owed."""
    denied: bool = False
    """A host outside the caller's scope was asked for: told as "not found", recorded as denied."""

    @property
    def actor(self) -> str:
        """Who, for the audit log."""
        return self.principal.name if self.principal else f"uid:{self.peer.uid}"

    def entry(
        self, outcome: str, *, target: str = "", actor: str = "", body: Mapping[str, Any] | None = None
    ) -> Entry:
        """An audit entry of this call."""
        return Entry(
            actor=actor or self.actor,
            action=self.route.name,
            target=target or self.target,
            outcome=outcome,
            session=self.principal.session_id[:8] if self.principal else "",
            peer_uid=self.peer.uid,
            body={**self.body, **(body or {})},
        )

    @asynccontextmanager
    async def change(
        self, target: str = "", *, actor: str = "", body: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Tx]:
        """The transaction of a ``local`` route: what is written in it and its audit event stand or fall together.

        ``target`` and ``body`` may also be set on the call inside the block, before it ends.
        """
        if self.events_written:
            raise InternalError("a route makes one change")
        async with self.begin() as tx:
            yield tx
            await self.audit.append(tx, self.entry("ok", target=target, actor=actor, body=body))
        self.events_written += 1

    def sees(self, labels: Mapping[str, str]) -> bool:
        """Whether a host with these labels is in the caller's scope for this route."""
        return self.scope.covers(labels)

    def most_rows(self, limit: int) -> int:
        """How many rows are looked through for so many: whoever is of some hosts must find theirs behind many of others."""
        return limit if self.scope.covers({}) else max(limit, ROWS_LOOKED_THROUGH)

    def host_in_scope(self, labels: Mapping[str, str] | None, what: str) -> None:
        """Raise NotFound unless the host exists and is in scope: both look the same from outside."""
        if labels is None or not self.scope.covers(labels):
            self.denied = labels is not None
            raise NotFound(f"{what} does not exist or is not yours to see")


def unless_changed(now: object, before: object, what: str) -> None:
    """Raise Conflict unless what an order was judged by is still the same: asked within the transaction, for two may do the opposite at once."""
    if now is not before:
        raise Conflict(
            f"Somebody else has changed or removed {what} at this moment. Nothing was done: look again."
        )


def unless_edited(now: T, before: T | None, what: str) -> None:
    """Raise Conflict if what a person looked at when they changed it is another by now; None: they don't say."""
    if before is not None and before != now:
        raise Conflict(f"Somebody has changed {what} since you looked at it: look again.")


# Any: the request and response types are the route's; server.bind checks them when it binds
Handler = Callable[[Call, Any], Awaitable[Response]]
