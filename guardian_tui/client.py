"""The typed client of an engine: calls, and the event stream with resume.

The only module that knows httpx.  It holds the session's token and nothing else that is secret.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec

from guardian_tui.protocol.base import Nothing, Request, Response
from guardian_tui.protocol.errors import EngineUnreachable, GuardianError, Problem, from_problem
from guardian_tui.protocol.events import HEARTBEAT_SECONDS, Delta, End, Heartbeat, StreamEvent
from guardian_tui.protocol.routes import ROUTES, Route
from guardian_tui.protocol.system import Hello

R = TypeVar("R", bound=Response)

CALL_SECONDS = 65.0
SPARE_SECONDS = 5.0
"""The engine itself gives an order up before we do."""
SILENCE_SECONDS = HEARTBEAT_SECONDS * 4
"""A stream that is silent for so long is dead."""
EVENT_LIMIT_BYTES = 64 << 20

_encode = msgspec.json.Encoder().encode
_decoders: dict[type[Response], msgspec.json.Decoder[Response]] = {}
_events: dict[
    str, msgspec.json.Decoder[Delta] | msgspec.json.Decoder[Heartbeat] | msgspec.json.Decoder[End]
] = {
    "delta": msgspec.json.Decoder(Delta),
    "heartbeat": msgspec.json.Decoder(Heartbeat),
    "end": msgspec.json.Decoder(End),
}


def _decoder(kind: type[R]) -> msgspec.json.Decoder[R]:
    if kind not in _decoders:
        _decoders[kind] = msgspec.json.Decoder(kind)
    return _decoders[kind]  # type: ignore[return-value]  # keyed by the type it decodes


class Client:
    """Calls one engine over its Unix socket.

    Args:
        socket: path of the engine's socket.
        token: a session's token, if there is one.
    """

    def __init__(self, socket: Path, token: str = "") -> None:
        self.socket = socket
        self.token = token
        self.round_trip_seconds: float | None = None
        """Of the newest hello, which costs the engine nothing: its delay, for the footer."""
        self.last_event_id = ""
        self.console = secrets.token_hex(8)
        """Tells it from other consoles of the same session."""
        self._http = self._make(httpx.Timeout(CALL_SECONDS, connect=5.0))
        self._stream_http: httpx.AsyncClient | None = None

    def _make(self, timeout: httpx.Timeout) -> httpx.AsyncClient:
        # no TLS goes over this socket: to load the certificates of all authorities would take a fortieth of a second
        transport = httpx.AsyncHTTPTransport(uds=str(self.socket), verify=False)
        return httpx.AsyncClient(
            transport=transport, base_url="http://engine", timeout=timeout, trust_env=False
        )

    async def call(self, name: str, kind: type[R], request: Request | None = None) -> R:
        """Give an order and wait for its answer.

        Args:
            name: the route's name.
            kind: the route's response type.
            request: the route's request struct; None where it takes nothing.

        Raises:
            GuardianError: the engine's own error, or EngineUnreachable.
        """
        route = ROUTES[name]
        if route.response is not kind:
            raise TypeError(f"{name} answers {route.response.__name__}, not {kind.__name__}")
        fields: dict[str, object] = msgspec.to_builtins(request if request is not None else Nothing())
        path = _fill(route, fields)
        patience = httpx.Timeout(max(CALL_SECONDS, route.patience_seconds + SPARE_SECONDS), connect=5.0)
        started = time.monotonic()
        try:
            if route.method in ("GET", "DELETE"):
                query = {key: _text(value) for key, value in fields.items() if value is not None}
                answer = await self._http.request(
                    route.method, path, params=query, headers=self._headers(), timeout=patience
                )
            else:
                answer = await self._http.request(
                    route.method, path, content=_encode(fields), headers=self._headers(), timeout=patience
                )
        except httpx.HTTPError as error:
            raise unreachable(error) from error
        if name == "hello":
            self.round_trip_seconds = time.monotonic() - started
        if answer.status_code >= 400:
            raise _error_of(answer.content, answer.status_code)
        try:
            return _decoder(kind).decode(answer.content)
        except msgspec.DecodeError as error:
            raise GuardianError(f"The engine's answer to {name} can't be read: {error}") from error

    async def hello(self) -> Hello:
        """Ask the engine who it is."""
        return await self.call("hello", Hello)

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"} if self.token else {}

    async def events(self, after: str = "") -> AsyncIterator[StreamEvent]:
        """Follow the event stream until it ends.

        Yields events as they come; after a cut call again with :attr:`last_event_id` to get only what was missed.

        Raises:
            EngineUnreachable: the engine went away, or was silent for longer than four heartbeats.
            GuardianError: the stream was refused.
        """
        if self._stream_http is None:
            self._stream_http = self._make(httpx.Timeout(5.0, read=SILENCE_SECONDS))
        query = {"after": after} if after else {}
        try:
            async with self._stream_http.stream(
                "GET", ROUTES["events"].path, params=query, headers=self._headers()
            ) as answer:
                if answer.status_code >= 400:
                    raise _error_of(await answer.aread(), answer.status_code)
                async for event in self._read(answer):
                    yield event
        except httpx.HTTPError as error:
            raise unreachable(error) from error

    async def _read(self, answer: httpx.Response) -> AsyncIterator[StreamEvent]:
        buffer = bytearray()
        async for chunk in answer.aiter_bytes():
            buffer += chunk
            if len(buffer) > EVENT_LIMIT_BYTES:
                raise EngineUnreachable("The engine sent an event larger than is believable.")
            if buffer.find(b"\n\n", max(0, len(buffer) - len(chunk) - 1)) < 0:
                continue
            *blocks, rest = bytes(buffer).split(b"\n\n")
            buffer = bytearray(rest)
            for block in blocks:
                event = self._parse(block)
                if event is not None:
                    yield event

    def _parse(self, block: bytes) -> StreamEvent | None:
        fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
        decoder = _events.get(fields.get(b"event", b"").decode())
        if decoder is None:
            return None
        event: StreamEvent = decoder.decode(fields.get(b"data", b""))
        if b"id" in fields:
            self.last_event_id = fields[b"id"].decode()
        return event

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()
        if self._stream_http is not None:
            await self._stream_http.aclose()


def unreachable(error: Exception) -> EngineUnreachable:
    """The error of a call that reached nobody."""
    words = str(error) or type(error).__name__
    return EngineUnreachable(
        f"Nothing answers on the engine's socket ({words}). It is tried again by itself."
    )


def _fill(route: Route, fields: dict[str, object]) -> str:
    path = route.path
    for key in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        path = path.replace("{" + key + "}", _quote(str(fields.pop(key))))
    return path


def _quote(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _error_of(content: bytes, status: int) -> GuardianError:
    try:
        return from_problem(msgspec.json.decode(content, type=Problem))
    except msgspec.DecodeError:
        return GuardianError(f"The engine answered with status {status} and no reason.")


async def wait_for_engine(socket: Path, seconds: float) -> Hello:
    """Wait until an engine says hello.

    Raises:
        EngineUnreachable: it did not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    pause = 0.02
    while True:
        client = Client(socket)
        try:
            return await client.hello()
        except EngineUnreachable:
            if time.monotonic() > deadline:
                raise
        finally:
            await client.close()
        await asyncio.sleep(pause)
        pause = min(pause * 1.3, 0.2)
