"""A fleet with a real store and real SSH, and simulated hosts to watch."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from guardian_tui.config import FleetSettings, StoreSettings
from guardian_tui.demo.simhost import SimFleet, SimHost
from guardian_tui.engine import facts as kinds
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import Call, Entry, Peer
from guardian_tui.engine.clock import Clock, SystemClock
from guardian_tui.engine.fleet.acts import Acts
from guardian_tui.engine.fleet.authorities import AuthorityOrders
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.logs import Logs
from guardian_tui.engine.fleet.orders import HostOrders
from guardian_tui.engine.fleet.probe_orders import ProbeOrders
from guardian_tui.engine.fleet.service import Fleet
from guardian_tui.engine.fleet.trial import try_probe
from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.connections import Remote
from guardian_tui.engine.remote.credentials import Credentials
from guardian_tui.engine.remote.doctor import Doctor
from guardian_tui.engine.remote.pins import Pin, Pins, pattern_of
from guardian_tui.engine.remote.questions import Questions
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.vault.vault import Vault
from guardian_tui.protocol import routes
from guardian_tui.protocol.base import Request
from guardian_tui.protocol.fleet import HostSpec

PATIENCE_SECONDS = 60.0
"""Of a wait for what must come: generous, for the machine may be busy."""
QUICK = FleetSettings(
    wave_seconds=0.05, poll_timeout_seconds=2.0, connect_timeout_seconds=5.0, file_systems_seconds=0.5, breaker_max_seconds=1.0,
    answer_limit_bytes=1 << 18, watch_this_machine=False,
)  # fmt: skip
F = TypeVar("F")


class Sink:
    """An audit log that only remembers."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    async def append(self, tx: Tx, entry: Entry) -> int:
        self.entries.append(entry)
        return len(self.entries)

    async def record(self, entry: Entry) -> int:
        self.entries.append(entry)
        return len(self.entries)


@dataclasses.dataclass(frozen=True)
class Only:
    """A scope of one label."""

    key: str
    value: str

    def covers(self, labels: Mapping[str, str]) -> bool:
        return labels.get(self.key) == self.value


class World:
    """What a test holds in its hands."""

    def __init__(self, store: Store, clock: Clock, folder: Path, settings: FleetSettings) -> None:
        self.store, self.clock, self.folder = store, clock, folder
        self.bus, self.live = Bus(), Live()
        self.pins = Pins(store, clock)
        self.vault = vault = Vault(store, self.bus, clock)
        self.credentials = credentials = Credentials(vault, self.bus, folder)
        self.questions = Questions(self.live, self.pins, credentials, vault, self.bus, clock)
        self.remote = Remote(settings, self.pins, credentials, self.questions)
        self.fleet = Fleet(
            store, self.bus, self.live, clock, settings, StoreSettings(), self.remote, self.questions
        )
        self.sink = Sink()
        self.orders = HostOrders(
            self.fleet, store, self.pins, Doctor(self.remote, self.live, try_probe), clock
        )
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.key_file = folder / "client"
        self.key_file.touch(mode=0o600)
        self.key.write_private_key(str(self.key_file))
        self.sims = SimFleet(self.key.export_public_key().decode())
        self.facts: list[Any] = []
        self._changed = asyncio.Event()
        self.live.watch(self._changed)
        for kind in (
            kinds.Reachability,
            kinds.WaveDone,
            kinds.HostsChanged,
            kinds.CutOff,
            kinds.EngineBehind,
            kinds.StateChanged,
        ):
            self.bus.subscribe(kind, self._heard)

    def _heard(self, fact: object) -> None:
        self.facts.append(fact)
        self._changed.set()

    def of(self, kind: type[F]) -> list[F]:
        """Facts of one kind, oldest first."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    async def pin(self, address: str, port: int, key: str) -> None:
        """Trust a host's key."""
        async with self.store.write() as tx:
            await self.pins.add(tx, [Pin("key", pattern_of(address, port), key)], "test")

    async def watch(self, sim: SimHost, **spec: Any) -> Host:
        """Watch a simulated host, whose key is trusted."""
        await self.pin(sim.address, sim.port, self.sims.host_key)
        return await self.join(
            HostSpec(
                **{
                    "name": sim.name,
                    "address": sim.address,
                    "port": sim.port,
                    "interval_seconds": 0.3,
                    **spec,
                }
            )
        )

    async def join(self, spec: HostSpec) -> Host:
        """Watch a host."""
        spec = HostSpec(
            **{
                **{name: getattr(spec, name) for name in spec.__struct_fields__},
                "credential": spec.credential or f"key:{self.key_file}",
            }
        )
        host_id = f"id-{spec.name}"
        now = self.clock.now()
        host = Host(
            host_id, spec, self.fleet.inventory.target(host_id, spec), now, why="connecting", since=now
        )
        async with self.store.write() as tx:
            await self.fleet.inventory.put(tx, host, "test", new=True)
            tx.after_commit(lambda: self.fleet.joined(host))
        return host

    async def until(
        self, holds: Callable[[], object], what: str = "it", seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Wait for something that changes or is told."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            hosts = self.fleet.inventory.hosts.values()
            counts = Counter(host.state for host in hosts)
            states = {host.spec.name: (host.state, host.shown_why) for host in list(hosts)[:40]}
            raise AssertionError(f"{what} did not come; {counts}; hosts: {states}") from None

    async def until_state(self, host: Host, state: str) -> None:
        """Wait until a host is shown in a state."""
        await self.until(lambda: host.state == state, f"{host.spec.name} {state}")

    async def polls(self, host: Host, count: int = 3) -> None:
        """Wait for so many more samples of a host."""
        wanted = host.successes + count
        await self.until(lambda: host.successes >= wanted, f"{count} samples of {host.spec.name}")

    async def order(self, name: str, request: Request, scope: Any = None) -> Any:
        """Give an order as dispatch does once it is authorised."""
        call = Call(routes.ROUTES[name], None, Peer(0), "r", self.clock.now(), self.sink, self.store.write)
        if scope is not None:
            call.scope = scope
        handlers = {
            **self.orders.handlers(),
            **self.questions.handlers(),
            **AuthorityOrders(self.fleet, self.store, self.pins, self.questions).handlers(),
            **ProbeOrders(self.fleet, self.remote).handlers(),
            **Acts(self.fleet, Commands(self.remote)).handlers(),
            **Logs(self.fleet, Commands(self.remote)).handlers(),
        }
        return await handlers[name](call, request)


@asynccontextmanager
async def world(
    folder: Path, settings: FleetSettings = QUICK, clock: Clock | None = None
) -> AsyncIterator[World]:
    """A running fleet without hosts."""
    clock = clock or SystemClock()
    store = await Store.open(StoreSettings(), folder / "state", clock)
    one = World(store, clock, folder, settings)
    try:
        await one.pins.load()
        await one.fleet.start()
        yield one
        await one.fleet.stop()
    finally:
        await one.remote.close()
        await one.sims.stop()
        await store.close()
