"""The engine's HTTP face: binds the route table to Starlette, and serves it on a Unix socket.

Everything that is asked goes through :class:`~guardian_tui.engine.dispatch.Dispatch`; this module turns bytes into
request structs and errors into RFC 9457 problem documents, and nothing else.  Each order and each refusal leaves a line in the
log under the request id that its answer carries.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route as HttpRoute

from guardian_tui.engine.calls import Peer
from guardian_tui.engine.dispatch import Dispatch
from guardian_tui.engine.openapi import openapi_document
from guardian_tui.engine.streams import Streams
from guardian_tui.protocol.base import Request as Order
from guardian_tui.protocol.errors import (
    GuardianError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
)
from guardian_tui.protocol.refusals import told, why_refused
from guardian_tui.protocol.routes import PUBLIC, ROUTES, Route
from guardian_tui.text import safe

log = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 16 << 20
PUBLIC_BODY_LIMIT_BYTES = 64 << 10
"""Of those who have not logged in."""
BODY_SECONDS = 30.0
"""For a request to come whole."""
NOT_LOGGED = frozenset({"session.touch", "shell.write"})
"""Orders of every few key presses, which change nothing that anybody looks for."""
Raw = Callable[[], Awaitable[tuple[int, str, bytes]]]
"""Answers a plain-text route: status, media type, body."""

_json = msgspec.json.Encoder()


class Server:
    """Turns HTTP into orders.

    Args:
        dispatch: the gate.
        streams: open event streams.
        raw: plain-text routes by name (health, metrics).
        on_request: called at each request; a private engine counts its idle time by it.
    """

    def __init__(
        self, dispatch: Dispatch, streams: Streams, raw: dict[str, Raw], on_request: Callable[[], None]
    ) -> None:
        self._dispatch = dispatch
        self._streams = streams
        self._raw = {**raw, "openapi": self._openapi}
        self._on_request = on_request
        self.app = Starlette(
            routes=[self._bind(route) for route in ROUTES.values()],
            exception_handlers={HTTPException: no_such_route},
        )
        self.app.router.redirect_slashes = False

    def _bind(self, route: Route) -> HttpRoute:
        async def endpoint(request: Request) -> Response:
            return await self._answer(route, request)

        return HttpRoute(route.path, endpoint, methods=[route.method], name=route.name)

    async def _answer(self, route: Route, request: Request) -> Response:
        # a liveness prober must not keep a private engine alive
        if not route.raw:
            self._on_request()
        request_id = secrets.token_hex(8)
        unread = "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"
        try:
            if "origin" in request.headers:
                raise PermissionDenied("Browsers are not served: requests with an Origin are refused.")
            if route.raw:
                status, media_type, body = await self._raw[route.name]()
                return Response(body, status, media_type=media_type)
            peer = peer_of(request)
            # before its body is read: who may not ask sends us nothing
            call = await self._dispatch.open(
                route.name, token=_bearer(request), peer=peer, request_id=request_id
            )
            async with asyncio.timeout(BODY_SECONDS):
                order = await read_request(route, request)
            unread = False
            if route.stream:
                return self._streams.respond(call, order)
            answer = await self._dispatch.carry(call, order)
            if route.method != "GET" and route.name not in NOT_LOGGED:
                log.info("%s by uid %d", route.name, peer.uid, extra={"request_id": request_id})
            return Response(
                _json.encode(answer), media_type="application/json", headers={"x-request-id": request_id}
            )
        except GuardianError as error:
            log.info("%s refused: %s", route.name, error.code, extra={"request_id": request_id})
            response = problem_response(error, request_id)
            if unread:
                # what is still to come is not waited for
                response.headers["connection"] = "close"
            return response
        except TimeoutError:
            response = problem_response(
                InvalidRequest(f"The request did not come whole within {BODY_SECONDS:.0f} s."), request_id
            )
            # what comes of it later must not be taken for the next one
            response.headers["connection"] = "close"
            return response
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:
            log.exception("the server failed at %s", route.name, extra={"request_id": request_id})
            return problem_response(InternalError(f"Quote request {request_id}."), request_id)

    async def _openapi(self) -> tuple[int, str, bytes]:
        return 200, "application/json", openapi_document()


async def read_request(route: Route, request: Request) -> Order:
    """The route's request struct, filled from path, query and body together.

    Raises:
        InvalidRequest: too large, not JSON, an unknown field, a value out of bounds: says which.
    """
    fields: dict[str, object] = dict(request.query_params)
    limit = PUBLIC_BODY_LIMIT_BYTES if route.permission == PUBLIC else BODY_LIMIT_BYTES
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise InvalidRequest(f"The body is larger than {limit >> 10} KiB.")
    try:
        if body:
            fields |= msgspec.json.decode(bytes(body), type=dict[str, object])
        fields |= request.path_params
        for name, value in fields.items():
            if _holds_nul(value):
                raise InvalidRequest("it may not hold a NUL character.", field=safe(name, 100))
        # strict=False: values in a query are text
        return msgspec.convert(fields, route.request, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRequest(told(error), field=why_refused(error)[0]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The body is not JSON: {error}") from error
    except RecursionError as error:
        raise InvalidRequest("The body is nested more deeply than is read.") from error


def _holds_nul(value: object) -> bool:
    """Whether a NUL is in any text of it: databases, paths and commands take none."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            if "\0" in one:
                return True
        elif isinstance(one, dict):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            left += one
    return False


async def no_such_route(request: Request, error: Exception) -> Response:
    """What no route takes, as a problem document too."""
    assert isinstance(error, HTTPException)  # noqa: S101  # by its registration
    allowed = (error.headers or {}).get("Allow", "")
    told = (
        MethodNotAllowed(f"It takes {allowed}.")
        if allowed
        else NotFound("No route of this engine has this path; /v1/openapi.json lists them.")
    )
    response = problem_response(told, secrets.token_hex(8))
    if allowed:
        response.headers["allow"] = allowed
    return response


def problem_response(error: GuardianError, request_id: str) -> Response:
    """An error as an RFC 9457 problem document."""
    headers = {"x-request-id": request_id}
    if error.retry_after_seconds:
        headers["retry-after"] = str(int(error.retry_after_seconds) + 1)
    return Response(
        _json.encode(error.problem(request_id)), error.status, headers, media_type="application/problem+json"
    )


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def peer_of(request: Request) -> Peer:
    """Who is on the other end: the listener puts ``uid:pid`` of a Unix peer where HTTP has the client's address."""
    client = request.scope.get("client")
    if client and str(client[0]).startswith("unix:"):
        _, uid, pid = str(client[0]).split(":")
        return Peer(int(uid), int(pid))
    return Peer(-1, 0, str(client[0]) if client else "unknown")
