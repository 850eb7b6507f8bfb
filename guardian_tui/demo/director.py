"""Plays a script on simulated hosts: lets each trouble begin and heal in its time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from guardian_tui.demo.roles import Place
from guardian_tui.demo.script import DAY_MINUTES, KINDS, Act, victims
from guardian_tui.demo.simhost import Fault, SimFleet, SimHost

FULL_RATIO = 0.99
FILLS_BY = 0.75
"""Share of its time after which a filling disk is full; then it stays so."""
DRIFT_SECONDS = 3.0
"""How wrong a drifting clock is in the end."""
LEAKS = 2.0
"""Times that memory runs out while it leaks."""


@dataclass(frozen=True, slots=True)
class Scene:
    """An act that begins (or ends) on these hosts."""

    act: Act
    hosts: tuple[str, ...]
    begins: bool


class Director:
    """Plays acts on a fleet.

    Args:
        fleet: the simulated hosts, named as in ``places``.
        places: what the hosts are.
        speed: minutes of the story that pass in a minute.
        told: hears of each act that begins or ends.
    """

    def __init__(
        self, fleet: SimFleet, places: Sequence[Place], speed: float, told: Callable[[Scene], None]
    ) -> None:
        self._fleet = fleet
        self._places = places
        self._speed = speed
        self._told = told
        self._active: list[Act] = []
        self._rooms: dict[str, float] = {}
        """What was available before a disk was filled."""

    def seconds(self, minutes: float) -> float:
        """How long minutes of the story last."""
        return minutes * 60.0 / self._speed

    async def play(self, acts: Sequence[Act]) -> None:
        """Play a day, and then the next, for ever."""
        day = 0.0
        began = asyncio.get_running_loop().time()
        while True:
            for minute, act, begins in scenes(acts):
                due = began + self.seconds(day + minute)
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                await (self.begin(act) if begins else self.heal(act))
            day += DAY_MINUTES
            await asyncio.sleep(max(0.0, began + self.seconds(day) - asyncio.get_running_loop().time()))

    async def begin(self, act: Act) -> None:
        """Let a trouble begin."""
        await self._turn(act, begins=True)

    async def heal(self, act: Act) -> None:
        """Let it be over."""
        await self._turn(act, begins=False)

    async def _turn(self, act: Act, *, begins: bool) -> None:
        if begins == (act in self._active):
            return
        if begins:
            self._active.append(act)
        else:
            self._active.remove(act)
        hosts = victims(self._places, act)
        for name in hosts:
            host = self._fleet.hosts[name]
            await self._show_fault(host)
            self._change(host, act, begins=begins)
        if hosts:
            self._told(Scene(act, tuple(hosts), begins))

    async def _show_fault(self, host: SimHost) -> None:
        """What keeps a host from answering: the gravest of all that goes on with it."""
        mine = {act.trouble for act in self._active if host.name in victims(self._places, act)}
        fault: Fault = "dead" if mine & {"link", "jump", "reboot"} else "key" if "key" in mine else ""
        if fault != host.fault:
            await self._fleet.set_fault(host.name, fault)

    def _change(self, host: SimHost, act: Act, *, begins: bool) -> None:
        figures, lasts = host.figures, self.seconds(act.ends - act.at)
        if begins:
            figures.episode = (act.trouble, figures.wall(), math.inf)
        elif figures.episode[0] == act.trouble:
            figures.episode = (*figures.episode[:2], figures.wall())
        if act.trouble == "reboot" and not begins:
            figures.restart()
        elif act.trouble == "clock":
            figures.clock_drift = DRIFT_SECONDS / lasts if begins else 0.0
            figures.clock_offset = 0.0
        elif act.trouble == "cpu":
            figures.runaway = begins
        elif act.trouble == "crash-loop":
            figures.crash_loop = begins
        elif act.trouble == "container":
            figures.unhealthy = begins
        elif act.trouble == "raid":
            figures.disk_lost = begins
        elif act.trouble == "oom":
            figures.memory_leak = LEAKS / lasts if begins else 0.0
        elif act.trouble == "disk":
            self._fill(host, begins, lasts * FILLS_BY)
        elif act.trouble == "hostile":
            figures.turn_hostile(begins)
            self._fill(host, begins, 0.0)
            # the engine learns new mounts when it connects
            host.cut()

    def _fill(self, host: SimHost, begins: bool, seconds: float) -> None:
        room = host.figures.rooms[-1]
        if not begins:
            room.filling, room.available = 0.0, self._rooms.pop(host.name, room.available)
            return
        self._rooms[host.name] = room.available
        left = room.size * (1 - FULL_RATIO)
        if seconds:
            room.filling, room.floor = (room.available - left) / seconds, left
        else:
            room.available = left


def scenes(acts: Sequence[Act]) -> list[tuple[float, Act, bool]]:
    """When each act of a day begins and ends, in order."""
    times = [(act.at, act, True) for act in acts] + [(act.ends, act, False) for act in acts]
    return sorted(times, key=lambda scene: (scene[0], scene[2]))


def title(scene: Scene) -> str:
    """A scene in a line."""
    kind = KINDS[scene.act.trouble]
    where = scene.hosts[0] if len(scene.hosts) == 1 else f"{len(scene.hosts)} hosts"
    return f"{kind.words} ({where})" if scene.begins else f"over: {kind.words} ({where})"
