"""A running alerts service over a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from guardian_tui.config import AlertsSettings, StoreSettings
from guardian_tui.engine.alerts.courier import Pace
from guardian_tui.engine.alerts.service import Alerts
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import ANY_SCOPE, Call, Entry, Peer, Principal, Scope
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import (
    AlertsOfHost,
    HostFacts,
    HostsChanged,
    Layout,
    Reachability,
    Sample,
    WaveDone,
)
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.errors import AuditUnavailable, VaultLocked
from guardian_tui.protocol.routes import ROUTES

HURRY = Pace(
    group_seconds=0.02,
    retry_seconds=0.02,
    retry_max_seconds=0.05,
    store_seconds=0.02,
    idle_seconds=0.2,
    give_up_seconds=3600,
)


@dataclass
class FakeAudit:
    """Takes events within the caller's transaction."""

    entries: list[Entry] = field(default_factory=list)
    broken: bool = False

    async def append(self, tx: Tx, entry: Entry) -> int:
        if self.broken:
            raise AuditUnavailable("the audit log is full")
        tx.after_commit(lambda: self.entries.append(entry))
        return len(self.entries)

    async def record(self, entry: Entry) -> int:
        self.entries.append(entry)
        return len(self.entries)


@dataclass
class FakeVault:
    """Resolves references from a dict once it is unlocked."""

    values: dict[str, str] = field(default_factory=dict)
    locked: bool = True

    async def resolve(self, reference: str) -> str:
        if self.locked and reference.startswith("secret:"):
            raise VaultLocked("unlock the vault")
        return self.values[reference]


class Labels:
    """A scope: hosts that have one label."""

    def __init__(self, **labels: str) -> None:
        self._labels = labels

    def covers(self, labels):
        return all(labels.get(name) == value for name, value in self._labels.items())


class Stage:
    """An engine's middle with nothing but alerts in it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.clock = ManualClock()
        self.audit = FakeAudit()
        self.vault = FakeVault()
        self.heard: list[AlertsOfHost] = []
        self.layouts: dict[tuple[str, ...], Layout] = {}
        self.pace = HURRY
        self._lent: Store | None = None

    @asynccontextmanager
    async def running(
        self, settings: AlertsSettings | None = None, *, kill: bool = False
    ) -> AsyncIterator[Alerts]:
        """The service over the store; ``kill``: ended as kill -9 would, without a last write."""
        self.bus, self.live = Bus(), Live()
        self.bus.subscribe(AlertsOfHost, self.heard.append)
        self.store = self._lent or await Store.open(StoreSettings(url=self.url), self.folder, self.clock)
        self.alerts = Alerts(
            self.store,
            self.bus,
            self.live,
            self.clock,
            settings or AlertsSettings(),
            self.vault,
            self.audit,
            environment="test",
            pace=self.pace,
        )
        try:
            await self.alerts.start()
            yield self.alerts
        finally:
            if kill:
                self.alerts.writer.write = _nothing  # type: ignore[method-assign]  # the process is gone
            await self.alerts.stop()
            if self.store is not self._lent:
                await self.store.close()

    def lend(self, store: Store) -> None:
        """Use a store that somebody else opened and will close."""
        self._lent = store

    def hosts(self, *names: str, **facts: object) -> None:
        """Announce hosts; ids are names."""
        self.bus.publish(
            HostsChanged(tuple(HostFacts(n, n, {"role": "web"}, "prod", **facts) for n in names))
        )

    def wave(self, values: dict[str, float], *hosts: str, period: str = "fast", uptime: float = 1e6) -> None:
        """One sample of each host, now."""
        names = tuple(values)
        layout = self.layouts.setdefault(names, Layout(names))
        samples = [
            Sample(host, self.clock.now(), layout, list(values.values()), uptime)
            for host in hosts or ("web-1",)
        ]
        self.bus.publish(WaveDone(tuple(samples), period))

    def during(
        self, seconds: float, values: dict[str, float], *hosts: str, step: float = 5.0, **rest
    ) -> None:
        """Waves over a span."""
        for _ in range(int(seconds / step)):
            self.wave(values, *hosts, **rest)
            self.clock.advance(step)

    def reach(self, host: str, state: str, **rest: object) -> None:
        """A host's reachability."""
        self.bus.publish(Reachability(host, state, self.clock.now(), **rest))

    def down(self, *hosts: str) -> None:
        """Three polls of each host fail."""
        for count in (1, 2, 3):
            for host in hosts:
                self.reach(host, "failing", failures=count, why="connection refused")
            self.clock.advance(5)

    def up(self, *hosts: str) -> None:
        """Two polls of each host succeed."""
        for count in (1, 2):
            for host in hosts:
                self.reach(host, "up", successes=count)
            self.clock.advance(5)

    def firing(self) -> list[Alert]:
        return [alert for alert in self.live.alerts.rows() if alert.state == "firing"]

    def rules(self) -> list[str]:
        return sorted(alert.rule for alert in self.firing())

    async def ask(
        self, name: str, request: Request, *, scope: Scope = ANY_SCOPE, actor: str = "ada"
    ) -> Response:
        """An order, past dispatch's checks."""
        principal = Principal("a1", actor, "5e5510000000000a", 1000, "tui", {}, 0.0)
        call = Call(
            ROUTES[name],
            principal,
            Peer(1000),
            "r1",
            self.clock.now(),
            self.audit,
            self.store.write,
            scope=scope,
        )
        return await self.alerts.handlers()[name](call, request)

    async def written(self) -> None:
        """Everything is in the store."""
        while True:
            await eventually(lambda: not self.alerts.book.unwritten)
            async with self.store.write():
                pass
            if not self.alerts.book.unwritten:  # a transaction that failed puts its part back
                return


async def _nothing() -> None:
    return None


async def eventually(check: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.005)


@pytest.fixture
def stage(tmp_path: Path, store_url: str) -> Stage:
    return Stage(tmp_path / "state", store_url)
