"""A day of the demo in seconds: the engine's own judges over what simulated hosts say, on a clock that we move."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from guardian_tui.config import AlertsSettings
from guardian_tui.demo.director import Director, Scene
from guardian_tui.demo.figures import Figures
from guardian_tui.demo.roles import roster
from guardian_tui.demo.simhost import SimFleet
from guardian_tui.engine.alerts.service import Alerts
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import HostsChanged, Sample, WaveDone
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.layouts import interned
from guardian_tui.engine.fleet.mounts import chosen, parse_rooms, room_values, rooms_request
from guardian_tui.engine.fleet.reading import parse
from guardian_tui.engine.fleet.sections import ALL, Raw, due_every, split
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.fleet import HostSpec
from guardian_tui.protocol.section_kinds import MEDIUM_SECONDS, RARE_SECONDS, SLOW_SECONDS
from tests.fleet.world import QUICK, StoreSettings, World

STEP_SECONDS = 60.0


@dataclass
class Day:
    """A simulated fleet without SSH between it and the engine."""

    world: World
    alerts: Alerts
    director: Director
    sims: SimFleet
    hosts: dict[str, Host]
    clock: ManualClock
    step_seconds: float = STEP_SECONDS
    """How often the hosts are asked."""
    scenes: list[Scene] = field(default_factory=list)
    fired: list[tuple[float, str, str]] = field(default_factory=list)
    """Minute, rule and host of each alert when it began to fire."""
    ended: list[tuple[float, str, str]] = field(default_factory=list)
    raws: dict[tuple[str, str], Raw] = field(default_factory=dict)
    told: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    minute: float = 0.0
    _firing: set[tuple[str, str]] = field(default_factory=set)

    async def step(self) -> None:
        """Ask every host once."""
        self.clock.advance(self.step_seconds)
        self.minute += self.step_seconds / 60
        fast: list[Sample] = []
        medium: list[Sample] = []
        for name, host in self.hosts.items():
            error = self._out_of_reach(name)
            if error is None:
                self._ask(host, fast, medium)
            else:
                self.world.fleet.watch.failed(SimpleNamespace(host=host), error)  # type: ignore[arg-type]  # all that it looks at
        self.world.bus.publish(WaveDone(tuple(fast), "fast"))
        self.world.bus.publish(WaveDone(tuple(medium), "medium"))
        self.world.fleet.watch_link()
        await self.alerts.tick()
        self._look()

    def _out_of_reach(self, name: str) -> ConnectFailed | None:
        host, fault = self.hosts[name], self.sims.hosts[name].fault
        for jump in host.spec.jump:
            if self.sims.hosts[jump].fault == "dead":
                return ConnectFailed("jump", f"{jump} can't be reached", parent_id=self.hosts[jump].id)
        if fault == "dead":
            return ConnectFailed("refused", "It refuses connections.")
        return ConnectFailed("key_changed", "Its key changed.") if fault == "key" else None

    def _ask(self, host: Host, fast: list[Sample], medium: list[Sample]) -> None:
        figures = self.sims.hosts[host.spec.name].figures
        reading = parse(figures.answer("1", "fto").encode())
        assert not reading.problems, reading.problems
        fast.append(self.world.fleet.watch.take(host, reading, 0.0, self.clock.now()))
        asked, _ = chosen(host.mounts)
        rooms = parse_rooms(figures.answer("2", rooms_request(asked)).encode(), asked)
        assert len(rooms) == len(figures.rooms)
        layout, values = room_values(rooms)
        series = dict(zip(layout.names, values, strict=True))
        due = due_every(MEDIUM_SECONDS)
        # an hour of the story, as an hour of the engine
        if (self.minute - 1) * 60 % SLOW_SECONDS < self.step_seconds:
            due += due_every(SLOW_SECONDS) + due_every(RARE_SECONDS)
        names = [section.name for section in due]
        for name, raw in split(
            figures.answer("3", f"q {' '.join(names)}").encode().rpartition(b".")[0], names
        ).items():
            before = self.raws.get((host.id, name))
            if before is not None and not ALL[name].rates and before.rows == raw.rows and name != "units":
                # what says the same again means the same
                series |= self.told[host.id, name]
                continue
            findings = ALL[name].read(raw, before, self.step_seconds if before else 0.0)
            told = dict(findings.values)
            if findings.items is not None:
                found = self.world.fleet.drift.compare(host.id, name, findings.items)
                told[f"{name}_drift"] = float(sum(one.kind in ALL[name].drift for one in found))
            series |= told
            self.raws[host.id, name], self.told[host.id, name] = raw, told
            assert not raw.problems, (name, raw.problems)
        medium.append(Sample(host.id, self.clock.now(), interned(tuple(series)), list(series.values())))

    def _look(self) -> None:
        names = {host.id: name for name, host in self.hosts.items()}
        firing = {(key[1], names.get(key[0], "")) for key in self.alerts.book.firing}
        self.fired += [(self.minute, *key) for key in sorted(firing - self._firing)]
        self.ended += [(self.minute, *key) for key in sorted(self._firing - firing)]
        self._firing = firing

    async def until(self, minute: float) -> None:
        """Let time pass."""
        while self.minute < minute:
            await self.step()

    async def play(self, acts: Sequence[Any]) -> None:
        """All acts of a day, and an hour of peace after it."""
        from guardian_tui.demo.director import scenes

        for minute, act, begins in scenes(acts):
            await self.until(minute)
            await (self.director.begin(act) if begins else self.director.heal(act))
        await self.until(minute + 60)


@asynccontextmanager
async def day(folder: Path, hosts: int, step_seconds: float = STEP_SECONDS) -> AsyncIterator[Day]:
    """So many hosts, all well, each asked so often."""
    clock = ManualClock()
    store = await Store.open(StoreSettings(), folder / "state", clock)
    world = World(store, clock, folder, QUICK)
    alerts = Alerts(store, world.bus, world.live, clock, AlertsSettings(), world.vault, world.sink)  # type: ignore[arg-type]  # remembers only
    places = roster(hosts)
    scenes: list[Scene] = []
    watched: dict[str, Host] = {}
    try:
        await alerts.start()
        for number, place in enumerate(places):
            figures = Figures(number, role=place.role, clock=clock.monotonic, wall=clock.now)
            sim = await world.sims.add(place.name, figures)
            spec = HostSpec(
                name=place.name, address=sim.address, port=sim.port, jump=place.jump, labels=place.labels
            )
            host = Host(
                f"id-{place.name}", spec, world.fleet.inventory.target(f"id-{place.name}", spec), clock.now()
            )
            world.fleet.inventory.hosts[host.id] = watched[place.name] = host
            world.bus.publish(HostsChanged((host.known(),)))
        director = Director(world.sims, places, 1.0, scenes.append)
        yield Day(world, alerts, director, world.sims, watched, clock, step_seconds, scenes)
    finally:
        await alerts.stop()
        await world.sims.stop()
        await store.close()
