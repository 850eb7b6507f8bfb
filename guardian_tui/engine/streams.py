"""Open event streams: snapshots, deltas and heartbeats as server-sent events.

A stream is paced by its reader: the next delta is made when the last one was taken by the socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import msgspec
from starlette.responses import StreamingResponse

from guardian_tui.engine.calls import Call, Peer, Principal
from guardian_tui.engine.facts import SessionEnded
from guardian_tui.engine.live import Live, Sees, Subscription
from guardian_tui.engine.turns import until_turn
from guardian_tui.protocol.errors import GuardianError, StoreUnavailable, TooManyRequests
from guardian_tui.protocol.events import HEARTBEAT_SECONDS, End, Heartbeat
from guardian_tui.protocol.routes import ROUTES
from guardian_tui.protocol.system import EngineStatus, EventsRequest

MOST_STREAMS = 256
MOST_OF_A_SESSION = 8
"""So that no client, gone wild, keeps the others out."""
MOST_OF_AN_ACCOUNT = MOST_STREAMS // 4
"""Nor anybody who logs in again and again."""
PACE_SECONDS = 0.2
"""At most five deltas a second: changes of one wave travel together."""

TABLE_PERMISSIONS: Mapping[str, str] = {
    "hosts": "hosts.see",
    "alerts": "alerts.see",
    "silences": "alerts.see",
    "audit": "audit.see",
    "questions": "hosts.trust",
    "checks": "checks.see",
    "backups": "backups.see",
    "runs": "backups.see",
    "repositories": "backups.see",
    "readiness": "backups.see",
    "approvals": "approvals.see",
    "runbooks": "runbooks.see",
    "runbook_runs": "runbooks.see",
    "runbook_progress": "runbooks.see",
    "runbook_results": "runbooks.see",
    "runbook_newest": "runbooks.see",
    "runbook_watchers": "runbooks.see",
}
OF_THE_WHOLE = frozenset({"alerts", "silences", "audit"})
"""Of these tables, rows of no host (the engine's own alerts, silences of all hosts, audit events) are theirs alone who see every host, as in the lists."""

_encode = msgspec.json.Encoder().encode
Still = Callable[[str, Peer], Awaitable[Principal]]
"""(session id, peer) → its principal, or NotAuthenticated once it has ended."""


def visibility(principal: Principal) -> Sees:
    """What a principal may see of each live table."""
    scopes = {table: principal.scopes.get(permission) for table, permission in TABLE_PERMISSIONS.items()}

    def sees(table: str, labels: Mapping[str, str]) -> bool:
        scope = scopes[table]
        # elsewhere, what has no labels is everybody's: a runbook before it is run, a run without hosts
        return scope is not None and (scope.covers(labels) or not (labels or table in OF_THE_WHOLE))

    return sees


class Streams:
    """All open streams of an engine.

    Args:
        live: the tables to follow.
        boot: id of this run of the engine, part of every event id.
        status: makes the engine's own status for heartbeats.
        still: asked before each heartbeat: a stream ends when its session does, not when its token is renewed.
    """

    def __init__(self, live: Live, boot: str, status: Callable[[], EngineStatus], still: Still) -> None:
        self._live = live
        self._boot = boot
        self._status = status
        self._still = still
        self._ends: dict[Subscription, tuple[str, str, asyncio.Future[str]]] = {}
        self.closing = False

    def __len__(self) -> int:
        return len(self._ends)

    def respond(self, call: Call, request: msgspec.Struct) -> StreamingResponse:
        """The endless answer to an authorised request for events."""
        assert isinstance(request, EventsRequest) and call.principal is not None  # noqa: S101  # by the route table
        if len(self._ends) >= MOST_STREAMS or self.closing:
            raise TooManyRequests("The engine has as many streams open as it bears.", retry_after_seconds=5)
        session_id = call.principal.session_id
        account = call.principal.account_id
        if sum(held == account for _, held, _ in self._ends.values()) >= MOST_OF_AN_ACCOUNT:
            raise TooManyRequests(
                f"Your account has {MOST_OF_AN_ACCOUNT} streams open; close some first.",
                retry_after_seconds=5,
            )
        if sum(held == session_id for held, _, _ in self._ends.values()) >= MOST_OF_A_SESSION:
            raise TooManyRequests(
                f"This session has {MOST_OF_A_SESSION} streams open; close some first.", retry_after_seconds=5
            )
        run, _, seq = request.after.rpartition("-")
        after = int(seq) if run == self._run_of(call.principal) and seq.isdecimal() else None
        subscription = self._live.subscribe(visibility(call.principal), after)
        end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        # whoever waits for a change is woken by the end too
        end.add_done_callback(lambda _: subscription.changed.set())
        self._ends[subscription] = (session_id, account, end)
        return StreamingResponse(
            self._events(call, subscription, end),
            media_type="text/event-stream",
            headers={"cache-control": "no-store"},
        )

    def _run_of(self, principal: Principal) -> str:
        """What an event id begins with: who comes back to another engine, or with other grants, begins anew."""
        held = repr([principal.scopes.get(permission) for permission in TABLE_PERMISSIONS.values()])
        return f"{self._boot}.{zlib.crc32(held.encode()):08x}"

    def session_ended(self, fact: SessionEnded) -> None:
        """End the streams of a session (bus subscriber)."""
        for session_id, _, end in self._ends.values():
            if session_id == fact.session_id and not end.done():
                end.set_result(fact.reason)

    def close(self) -> None:
        """End all streams: the server waits for them otherwise."""
        self.closing = True
        for _, _, end in self._ends.values():
            if not end.done():
                end.set_result("shutdown")

    async def _events(
        self, call: Call, subscription: Subscription, end: asyncio.Future[str]
    ) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        next_beat = 0.0
        try:
            while not end.done():
                body = subscription.take()
                if body is not None:
                    assert call.principal is not None  # noqa: S101  # by respond
                    yield _event("delta", f"{self._run_of(call.principal)}-{subscription.seq}", body)
                if loop.time() >= next_beat:
                    beat = await self._heartbeat(call, subscription)
                    if isinstance(beat, End):
                        yield _event("end", "", _encode(beat))
                        return
                    yield _event("heartbeat", "", _encode(beat))
                    next_beat = loop.time() + until_turn(loop.time(), HEARTBEAT_SECONDS)
                if body is not None:
                    await _at_most(asyncio.shield(end), PACE_SECONDS)
                await _at_most(subscription.changed.wait(), next_beat - loop.time())
            yield _event("end", "", _encode(End(reason=end.result())))
        finally:
            subscription.close()
            self._ends.pop(subscription, None)

    async def _heartbeat(self, call: Call, subscription: Subscription) -> Heartbeat | End:
        assert call.principal is not None  # noqa: S101  # by respond
        try:
            principal = await self._still(call.principal.session_id, call.peer)
        except StoreUnavailable:
            # our trouble is not the end of a person's session
            principal = call.principal
        except GuardianError:
            return End(reason="expired")
        if principal.locked:
            return End(reason="locked")
        if principal.scopes != call.principal.scopes:
            # their grants were changed while they looked on
            subscription.see(visibility(principal))
        call.principal = principal
        status = self._status()
        if not _sees_all(principal):
            status = of_some_hosts(status, subscription.shown("hosts"))
        return Heartbeat(status=status, session_expires_at=principal.expires_at)


def _sees_all(principal: Principal) -> bool:
    """Whether ``engine.status`` is theirs to ask: that is of every host."""
    scope = principal.scopes.get(ROUTES["engine.status"].permission)
    return scope is not None and scope.covers({})


def of_some_hosts(status: EngineStatus, hosts: int) -> EngineStatus:
    """The engine's health as one of so many hosts is told it: what makes their own picture worth believing, and nothing that counts other hosts."""
    return EngineStatus(
        time=status.time, uptime_seconds=status.uptime_seconds, hosts=hosts, interval_seconds=status.interval_seconds,
        late_polls=0, cpu_ratio=0.0, memory_bytes=0, queued_writes=0, outbox_waiting=0, cut_off_since=status.cut_off_since,
        audit_verified_at=status.audit_verified_at, audit_ok=status.audit_ok, vault_locked=status.vault_locked,
        store_problem=status.store_problem,
    )  # fmt: skip


def _event(name: str, id: str, data: bytes) -> bytes:
    head = f"id: {id}\nevent: {name}\ndata: " if id else f"event: {name}\ndata: "
    return head.encode() + data + b"\n\n"


async def _at_most(awaited: Awaitable[object], seconds: float) -> None:
    """Wait for something, or until so many seconds have passed; no task is made for it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await awaited
