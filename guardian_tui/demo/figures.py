"""Living figures of a simulated host, in the probe's own lines: random walks from a seed, counters that only grow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from guardian_tui.demo import tables
from guardian_tui.demo.roles import Role
from guardian_tui.demo.tables.kernel import RELEASE
from guardian_tui.demo.told import Teller
from guardian_tui.engine.fleet import probe

TICKS = 100.0
"""Of CPU time per second and processor, as the kernel counts them."""
GIB_KB = 1 << 20
HOSTILE = "\x1b]52;c;aGk=\x07[@click=app.quit]\u202e[/]\x00"
HOSTILE_MOUNT = "\x9b31m[@click=app.quit]\u202e[/]"
"""Without control characters, at which nobody asks for its room; there are harmful ones beside those."""
RESTART_SECONDS = 12.0
"""From one start of a service in a crash loop to the next."""
_MASK = (1 << 64) - 1


class Walk:
    """Random numbers from a seed, in a few bytes: a thousand hosts have one each (Knuth's 64-bit congruential generator)."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        # neighbouring seeds far apart (the finalizer of splitmix64)
        mixed = ((seed + 1) * 0x9E3779B97F4A7C15) & _MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        self._state = mixed ^ (mixed >> 31)

    def between(self, low: float, high: float) -> float:
        """The next number, evenly from low to high."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return low + (high - low) * (self._state >> 11) / (1 << 53)


@dataclass(slots=True)
class Room:
    """One file system, in kB."""

    mount: str
    device: str
    size: float
    available: float
    filling: float = 0.0
    """kB a second by which it gets fuller."""
    floor: float = 0.0
    """What stays available however long it fills."""


@dataclass(slots=True)
class Figures:
    """What one host has to say.

    Args:
        seed: two hosts with the same seed walk alike.
        disks, nics: how many devices it has: a wider host has more series.
        hostile: its devices and mounts are named to harm a terminal.
        role: what it does; with one, its size, disks and rates are the role's.
        clock: seconds that never jump; simulated time in tests.
        wall: Unix seconds.
    """

    seed: int
    disks: int = 2
    nics: int = 2
    hostile: bool = False
    cpus: int = 4
    memory_kb: float = 16.0 * GIB_KB
    clock_offset: float = 0.0
    """Seconds by which its clock is wrong."""
    clock_drift: float = 0.0
    """Seconds by which it gets more wrong each second."""
    role: Role | None = None
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    runaway: bool = False
    """Something takes all processors, and more would be taken."""
    oom_kills: int = 0
    memory_leak: float = 0.0
    """Share of what is usually free that is lost each second; when all of it is, the kernel kills what holds it."""
    crash_loop: bool = False
    """Its service dies and is started again, over and over."""
    unhealthy: bool = False
    """The first of its containers fails its check."""
    disk_lost: bool = False
    """The second disk of its mirror has failed."""
    episode: tuple[str, float, float] = ("", 0.0, 0.0)
    """The last trouble that it has or had, and from when to when, in Unix seconds: its journal tells of it."""
    busy: float = 0.2
    available: float = 0.6
    """Share of its memory."""
    rooms: list[Room] = field(init=False)
    _walk: Walk = field(init=False)
    _home: tuple[float, float] = field(init=False)
    _rates: tuple[float, float] = (400.0, 2e6)
    _booted: float = field(init=False)
    _at: float = field(init=False)
    _cpu: list[float] = field(init=False)
    restarts: float = 0.0
    """How often its service was started again since it was booted."""
    runaway_seconds: float = 0.0
    """Processor time that the runaway has had."""
    runaway_since: float = 0.0
    """Seconds after boot at which it began."""
    _load: float = 0.0
    _spare: float = 0.5
    _leaked: float = 0.0
    _io: float = 0.0
    _net: float = 0.0

    def __post_init__(self) -> None:
        """Begin somewhere, by the seed."""
        self._walk = walk = Walk(self.seed)
        self._at = self.clock()
        self._booted = self._at - walk.between(7200, 90 * 86400)
        role = self.role
        if role is None:
            self._home = walk.between(0.03, 0.5), walk.between(0.2, 0.7)
            size = (40, 80, 200)[int(walk.between(0, 3))] * float(GIB_KB)
            self.rooms = [Room("/", "/dev/vda1", size, size * walk.between(0.3, 0.8))]
            for number in range(1, self.disks):
                self.rooms.append(
                    Room(f"/srv/data{number}", f"/dev/vd{chr(97 + number % 26)}1", size * 2, size)
                )
        else:
            self.cpus, self.memory_kb = role.cpus, role.memory_gib * GIB_KB
            self._home = walk.between(*role.busy), walk.between(*role.memory_used)
            # sectors of 512 bytes
            self._rates = role.disk_rate / 512, role.net_rate
            self.disks = len(role.volumes)
            self.rooms = [
                Room(v.mount, f"/dev/{self.device(n)}1", v.gib * GIB_KB, v.gib * GIB_KB * (1 - walk.between(*v.used)))
                for n, v in enumerate(role.volumes)
            ]  # fmt: skip
        self.busy, self._spare = self._home[0], 1 - self._home[1]
        self.available = self._spare
        self._load = self.busy * self.cpus
        up = self._at - self._booted
        self._cpu = [up * 10, 0.0, up * 4, up * 380, up, 0.0, up / 2, 0.0]
        if self.hostile:
            self.turn_hostile(True)

    def turn_hostile(self, hostile: bool) -> None:
        """Begin, or cease, to name things so that they harm a terminal."""
        self.hostile = hostile
        for room in self.rooms[1:]:
            # seen by df as it is, by /proc/self/mounts with a blank escaped
            room.mount = room.mount.removesuffix(HOSTILE_MOUNT) + (HOSTILE_MOUNT if hostile else "")

    @property
    def uptime(self) -> float:
        """Seconds since it was started."""
        return self.clock() - self._booted

    @property
    def cpu_ticks(self) -> list[float]:
        """Of all processors together, in the order of /proc/stat."""
        return self._cpu

    @property
    def disk_sectors(self) -> float:
        """That each disk has written."""
        return self._io

    @property
    def net_bytes(self) -> float:
        """That each interface has received."""
        return self._net

    def device(self, number: int) -> str:
        """What its disks are called."""
        letter, more = chr(97 + number % 26), number // 26 or ""
        return f"{'sd' if self.role and self.role.metal else 'vd'}{letter}{more}"

    def restart(self) -> None:
        """As after a reboot: up since now, all counters from nothing."""
        self._booted = self._at = self.clock()
        self._cpu = [0.0] * 8
        self._io = self._net = self._load = 0.0
        self.oom_kills = 0
        self.restarts = 0.0

    def _go_on(self) -> None:
        now, walk = self.clock(), self._walk
        passed, self._at = now - self._at, now
        # back home by a tenth in five seconds, however often it is asked
        pull, noise = 1 - math.exp(-passed / 50), min(1.0, math.sqrt(passed / 5))
        busy_home, used_home = (0.99, self._home[1]) if self.runaway else self._home
        if self.runaway:
            pull = 1 - math.exp(-passed / 3)
        self.busy += (busy_home - self.busy) * pull + noise * walk.between(-0.03, 0.03)
        self.busy = min(0.99, max(0.01, self.busy))
        self._spare += (1 - used_home - self._spare) * pull + noise * walk.between(-0.006, 0.006)
        self._spare = min(0.95, max(0.05, self._spare))
        self._leak(passed)
        self.available = self._spare * (1 - self._leaked)
        load = self.cpus * (3.2 if self.runaway else self.busy * 1.1)
        self._load += (load - self._load) * (1 - math.exp(-passed / 20))
        ticks = passed * TICKS * self.cpus
        for place, share in (
            (0, self.busy * 0.7),
            (2, self.busy * 0.28),
            (3, 1 - self.busy),
            (4, self.busy * 0.02),
        ):
            self._cpu[place] += ticks * share
        wobble = self.busy * walk.between(0.6, 1.4)
        self._io += passed * self._rates[0] * wobble
        self._net += passed * self._rates[1] * wobble
        self.clock_offset += passed * self.clock_drift
        self.restarts += passed / RESTART_SECONDS if self.crash_loop else 0.0
        if self.runaway and not self.runaway_seconds:
            self.runaway_since = now - passed - self._booted
        self.runaway_seconds = self.runaway_seconds + passed * self.cpus * 0.95 if self.runaway else 0.0
        for room in self.rooms:
            if room.filling:
                room.available = max(room.floor, room.available - passed * room.filling)

    def _leak(self, passed: float) -> None:
        self._leaked = self._leaked + self.memory_leak * passed if self.memory_leak else 0.0
        if self._leaked > 0.97:
            self.oom_kills += 1
            self._leaked = 0.0

    def answer(self, seq: str, sections: str, teller: Teller | None = None) -> str:
        """A whole answer to one request, framed; a probe that makes figures itself has a ``teller``."""
        self._go_on()
        parts = [f"={seq} 1\n"]
        letters = sections.partition(" ")[0]
        if "t" in letters:
            parts.append(f"t {self.wall() + self.clock_offset:.6f}\n")
        if "f" in letters:
            fast, known = self._fast(), letters.partition("p")[2]
            parts.append(teller.told(fast, known) if teller is not None and known else fast)
        if "o" in letters:
            for room in self.rooms:
                parts.append(
                    f"o {room.device} {room.mount.replace(' ', chr(92) + '040')} ext4 rw,relatime 0 0\n"
                )
        if "i" in letters:
            system = self.role.os if self.role else "Simulated Linux"
            evil = HOSTILE.replace("\x00", "") if self.hostile else ""
            parts.append(
                f"i k {RELEASE}\ni a x86_64\ni s {system}{evil}\ni n {self.cpus}\ni v {probe.version()}\n"
            )
        if "r" in letters:
            parts.append(self._df())
        if letters in ("q", "rq"):
            parts.append(tables.answer(self, sections))
        parts.append(f".{seq}\n")
        return "".join(parts)

    def _fast(self) -> str:
        up, busy, memory, load = self._at - self._booted, self.busy, self.memory_kb, self._load
        pressed = busy * busy * 20 if not self.runaway else 60.0
        lines = [
            f"u {up:.2f} {up * 3:.2f}",
            "c " + " ".join(f"{ticks:.0f}" for ticks in self._cpu),
            f"p {1 + int(load)} 0 {self.cpus}",
            f"m {memory:.0f} {memory * self.available / 2:.0f} {memory * self.available:.0f} 100000 {memory * 0.2:.0f} 2097148 2000000",
            f"v {int(up)} {self.oom_kills}",
            f"l {load:.2f} {load:.2f} {load:.2f} 1/321 4711",
            f"P {pressed:.2f} {pressed:.2f} 0 0 0 0 0 0 0 0 0 0",
        ]
        evil = HOSTILE if self.hostile else ""
        io, net = self._io, self._net
        for number in range(self.disks):
            lines.append(
                f"d {self.device(number)}{evil} {io / 32:.0f} {io / 2:.0f} {io / 64:.0f} {io / 32:.0f} {io:.0f} {io / 50:.0f} 0 {io / 200:.0f} {io / 100:.0f}"
            )
        for number in range(self.nics):
            lines.append(
                f"N eth{number}{evil} {net:.0f} {net / 900:.0f} 0 0 {net / 2:.0f} {net / 1500:.0f} 0 0"
            )
        lines.append("F 2048 0 800000\nT 4194304\n")
        return "\n".join(lines)

    def _df(self) -> str:
        rooms = "".join(
            f"D {r.device} {r.size:.0f} {r.size - r.available:.0f} {r.available:.0f} {(1 - r.available / r.size):.0%} {r.mount}\n"
            for r in self.rooms
        )
        nodes = "".join(f"I {r.device} 1000000 200000 800000 20% {r.mount}\n" for r in self.rooms)
        return f"{rooms}{nodes}"
