"""Checks over a running fleet, with this machine in it, and small servers to look at."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from guardian_tui.config import CheckSettings
from guardian_tui.engine.calls import Call, Peer
from guardian_tui.engine.facts import WaveDone
from guardian_tui.engine.fleet.checks.check import Check
from guardian_tui.engine.fleet.checks.orders import CheckOrders
from guardian_tui.engine.fleet.checks.service import Checks
from guardian_tui.engine.fleet.host import Host
from guardian_tui.protocol import checks as wire
from guardian_tui.protocol import routes
from guardian_tui.protocol.base import Request
from guardian_tui.protocol.fleet import HostSpec
from tests.fleet.world import QUICK, World
from tests.fleet.world import world as make_world
from tests.support.sshd import Sshd

HERE = msgspec.structs.replace(QUICK, watch_this_machine=True)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclasses.dataclass
class Lab:
    """A fleet and its checks."""

    world: World
    secrets: dict[str, str] = dataclasses.field(default_factory=dict)
    own: dict[str, CheckSettings] = dataclasses.field(default_factory=dict)
    checks: Checks = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self._renew()

    def _renew(self) -> None:
        world = self.world
        self.checks = Checks(
            world.store, world.bus, world.live, world.clock, HERE, self.own, world.fleet.inventory, world.remote, self._secret
        )  # fmt: skip

    async def _secret(self, reference: str) -> str:
        return (
            self.secrets[reference]
            if reference in self.secrets
            else await self.world.vault.resolve(reference)
        )

    async def restart(self) -> None:
        """As when the engine is started again."""
        await self.checks.stop()
        for row in self.world.live.checks.rows():
            self.world.live.checks.drop(row.id)
        self._renew()
        await self.checks.start()

    async def order(self, name: str, request: Request, scope: Any = None) -> Any:
        """Give an order as dispatch does once it is authorised."""
        world = self.world
        call = Call(routes.ROUTES[name], None, Peer(0), "r", world.clock.now(), world.sink, world.store.write)
        if scope is not None:
            call.scope = scope
        return await CheckOrders(self.checks, world.clock).handlers()[name](call, request)

    async def add(self, name: str, kind: Any, params: dict[str, Any] | None = None, **spec: Any) -> Check:
        """Add a check that only runs when it is told to."""
        more = {"period_seconds": 3600.0, "timeout_seconds": 5.0, **spec}
        await self.order("checks.add", wire.CheckSpec(name=name, kind=kind, params=params or {}, **more))
        check = self.checks.named(name)
        assert check is not None
        return check

    async def run(self, check: Check, times: int = 1) -> Check:
        """Make it now, and tell what came of it."""
        for _ in range(times):
            await self.checks.run(check)
            self.checks.tell()
        return check

    async def made(self, kind: Any, params: dict[str, Any], **spec: Any) -> Check:
        """The result of a check of this kind, made once."""
        name = f"c{len(self.checks.checks)}"
        return await self.run(await self.add(name, kind, params, **spec))

    def ruled(self, series: str) -> list[float]:
        """All values of a series that rules were given, oldest first."""
        found = []
        for wave in self.world.of(WaveDone):
            for sample in wave.samples:
                if wave.period == "checks" and series in sample.layout.index:
                    found.append(sample.values[sample.layout.index[series]])
        return found

    def figures(self, check: Check) -> dict[str, float]:
        """Newest figures by metric, with their label."""
        return {f.metric + (f"/{f.label}" if f.label else ""): f.value for f in check.figures}

    async def host(self, server: Sshd, name: str = "real", **spec: Any) -> Host:
        """A real host, its key trusted."""
        key = self.world.folder / f"key-{name}"
        shutil.copy(server.client_key, key)
        key.chmod(0o600)
        await self.world.pin(server.address, server.port, server.host_key)
        more: dict[str, Any] = {
            "user": server.user,
            "credential": f"key:{key}",
            "interval_seconds": 60.0,
            **spec,
        }
        return await self.world.join(HostSpec(name=name, address=server.address, port=server.port, **more))


@asynccontextmanager
async def lab(folder: Path) -> AsyncIterator[Lab]:
    """Running checks, none yet."""
    async with make_world(folder, HERE) as world:
        one = Lab(world)
        await one.checks.start()
        yield one
        await one.checks.stop()


@asynccontextmanager
async def server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A TCP server on loopback; answers its port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    one = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls)
    try:
        yield int(one.sockets[0].getsockname()[1])
    finally:
        one.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(*parts: bytes) -> Serve:
    """Reads a request's head, and answers these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()

    return serve


def http(body: bytes = b"hello", status: int = 200, **headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status} Words", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
