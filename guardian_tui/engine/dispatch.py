"""The one gate: every order and every stream passes here, and is authorised and recorded from its route's entry.

No handler runs but through :meth:`Dispatch.call`.  If an order's audit event can't be written, it is not carried out.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager

from guardian_tui.engine.calls import (
    ANY_SCOPE,
    AuditSink,
    Call,
    Entry,
    Handler,
    NotYours,
    Peer,
    Principal,
    Scope,
)
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.store.database import Tx
from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.errors import (
    AuditUnavailable,
    GuardianError,
    InternalError,
    LoginRefused,
    LoginUnavailable,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    ResultUnrecorded,
    SessionLocked,
    StepUpRequired,
)
from guardian_tui.protocol.routes import PUBLIC, ROUTES, SELF, Route
from guardian_tui.text import safe

log = logging.getLogger(__name__)

HANDLER_SECONDS = 60.0
DENIALS_REMEMBERED = 1024
DENIAL_REPEAT_SECONDS = 60.0
"""A client that offers the same dead token again and again is recorded once a minute, not a thousand times."""

Authenticate = Callable[[str, Peer], Awaitable[Principal]]
Begin = Callable[[], AbstractAsyncContextManager[Tx]]


class Dispatch:
    """Authorises, records and hands out orders.

    Args:
        authenticate: turns a bearer token and its peer into a principal, or raises NotAuthenticated.
        audit: where events go.
        begin: opens a write transaction of the store.
        clock: the engine's clock.
        host_name: the name of a host that an order gave by its id; events are read by people.
    """

    def __init__(
        self, authenticate: Authenticate, audit: AuditSink, begin: Begin, clock: Clock,
        host_name: Callable[[str], str] = str,
    ) -> None:  # fmt: skip
        self._host_name = host_name
        self._authenticate = authenticate
        self._audit = audit
        self._begin = begin
        self._clock = clock
        self._handlers: dict[str, Handler] = {}
        self._told: dict[tuple[int, str], float] = {}

    def bind(self, handlers: Mapping[str, Handler]) -> None:
        """Bind handlers to routes; each route once, and only routes of the table."""
        for name, handler in handlers.items():
            if name not in ROUTES or name in self._handlers:
                raise ValueError(f"no such route, or bound twice: {name}")
            self._handlers[name] = handler

    def unbound(self) -> set[str]:
        """Routes of the table that have no handler (streams and plain-text routes are the server's own)."""
        return {name for name, route in ROUTES.items() if not (route.stream or route.raw)} - set(
            self._handlers
        )

    async def call(self, name: str, request: Request, *, token: str, peer: Peer, request_id: str) -> Response:
        """Carry out one order.

        Raises:
            GuardianError: the order was refused or failed; anything else that goes wrong inside becomes InternalError.
        """
        call = await self.open(name, token=token, peer=peer, request_id=request_id)
        return await self.carry(call, request)

    async def carry(self, call: Call, request: Request) -> Response:
        """Carry out an order that was authorised by :meth:`open`.

        Raises:
            GuardianError: as :meth:`call`.
        """
        name, request_id = call.route.name, call.request_id
        patience = call.route.patience_seconds or HANDLER_SECONDS
        limit = asyncio.timeout(patience)
        try:
            async with limit:
                return await self._carry_out(call, request)
        except GuardianError as error:
            await self._record_refusal(call, error)
            raise
        except Exception as error:
            if limit.expired():
                raise InternalError(f"{name} took longer than {patience:.0f} s and was given up") from error
            log.exception("%s failed", name, extra={"request_id": request_id})
            raise InternalError(
                f"Quote request {request_id} to whoever runs this engine; its log has the cause."
            ) from error

    async def act(self, principal: Principal, name: str, request: Request) -> Response:
        """Carry out an order that follows from an earlier one of a person (a step of a run), with that person's rights as they were then.

        Raises:
            GuardianError: it was refused or failed.
        """
        route = ROUTES[name]
        call = Call(
            route=route, principal=principal, peer=Peer(principal.peer_uid), request_id=secrets.token_hex(8), now=self._clock.now(),
            audit=self._audit, begin=self._begin,
        )  # fmt: skip
        await self._let_in(call, principal)
        if route.step_up and call.now >= principal.fresh_until:
            raise StepUpRequired(
                "It wants a fresh second factor, which nothing that goes on by itself can give."
            )
        return await self.carry(call, request)

    async def open(self, name: str, *, token: str, peer: Peer, request_id: str) -> Call:
        """Authorise an order or a stream: who is it, and may they."""
        route = ROUTES[name]
        call = Call(
            route=route, principal=None, peer=peer, request_id=request_id, now=self._clock.now(),
            audit=self._audit, begin=self._begin, token=token,
        )  # fmt: skip
        if route.permission == PUBLIC:
            return call
        try:
            principal = call.principal = await self._authenticate(token, peer)
        except NotAuthenticated as error:
            if token and self._worth_telling(peer, name):
                await self._record_denial(call, error)
            raise
        if principal.locked and not route.while_locked:
            raise SessionLocked("Unlock it with your password and a code.")
        await self._let_in(call, principal)
        if route.step_up and call.now >= principal.fresh_until:
            raise StepUpRequired("Give a code from your authenticator, then try again.")
        return call

    async def _let_in(self, call: Call, principal: Principal) -> None:
        """Set the order's scope; raise PermissionDenied, which is recorded, where there is none."""
        try:
            call.scope = self._authorise(call.route, principal)
        except PermissionDenied as error:
            await self._record_denial(call, error)
            raise

    def _authorise(self, route: Route, principal: Principal) -> Scope:
        if route.permission == SELF:
            return ANY_SCOPE
        scope = principal.scopes.get(route.permission)
        if scope is None:
            raise PermissionDenied(
                f"It needs the permission {route.permission}; ask an admin for a profile that has it."
            )
        return scope

    async def _carry_out(self, call: Call, request: Request) -> Response:
        handler = self._handlers.get(call.route.name)
        if handler is None:
            raise NotFound(f"{call.route.name} is not offered by this engine")
        if call.route.recording == "remote":
            return await self._carry_out_remote(call, handler, request)
        response = await handler(call, request)
        if call.route.recording == "local" and not (call.events_written or call.unchanged):
            raise InternalError(f"{call.route.name} left no audit event")
        return response

    async def _carry_out_remote(self, call: Call, handler: Handler, request: Request) -> Response:
        call.target = call.target or self._target_of(request)
        call.body |= {name: getattr(request, name) for name in call.route.told}
        await self._audit.record(call.entry("intent"))
        try:
            response = await handler(call, request)
        except BaseException as error:
            # cancelled, timed out or broken: the intent must not stand alone
            words = str(error)[:200] if isinstance(error, GuardianError) else type(error).__name__
            outcome = "denied" if call.denied or isinstance(error, PermissionDenied) else "failed"
            await self._record_result(call.entry(outcome, body={"error": words}))
            raise
        if not await self._record_result(call.entry("ok")):
            raise ResultUnrecorded(
                f"{call.route.name} was carried out: don't give it again before you have looked. The engine's log says why its event is missing."
            )
        return response

    async def _record_result(self, entry: Entry) -> bool:
        """Record what came of a remote act, also when its order is given up at this moment; False: it can't be written."""
        try:
            await asyncio.shield(self._audit.record(entry))
        except AuditUnavailable as error:
            log.error(
                "that %s of %s was %s could not be recorded: %s", entry.action, safe(entry.target, 253), entry.outcome, error.detail
            )  # fmt: skip
            return False
        return True

    def _target_of(self, request: Request) -> str:
        for name in ("host", "channel", "alert", "check", "name"):
            value = getattr(request, name, "")
            if isinstance(value, str) and value:
                return self._host_name(value) if name == "host" else value
        return ""

    async def _record_refusal(self, call: Call, error: GuardianError) -> None:
        denied = call.denied or isinstance(error, PermissionDenied | LoginRefused)
        if denied and call.route.recording != "remote":
            await self._record_denial(call, error)

    async def _record_denial(self, call: Call, error: GuardianError) -> None:
        body = {"why": error.code}
        if isinstance(error, NotYours):
            body |= {"token_of": error.account, "its_session": error.session[:8]}
        try:
            await self._audit.record(call.entry("denied", body=body))
        except AuditUnavailable as unavailable:
            if isinstance(error, LoginRefused):
                # as one whose password is right is answered, who can't be let in either
                raise LoginUnavailable from unavailable
            # the order is refused either way; the caller hears why it was refused
            log.error("a denial could not be recorded: %s by uid %d", call.route.name, call.peer.uid)

    def _worth_telling(self, peer: Peer, name: str) -> bool:
        now, key = self._clock.monotonic(), (peer.uid, name)
        if now - self._told.get(key, -DENIAL_REPEAT_SECONDS) < DENIAL_REPEAT_SECONDS:
            return False
        self._told.pop(key, None)
        self._told[key] = now
        if len(self._told) > DENIALS_REMEMBERED:
            del self._told[next(iter(self._told))]
        return True
