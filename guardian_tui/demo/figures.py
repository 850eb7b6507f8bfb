"""Living figures of a simulated host, in the probe's own lines: random walks from a seed, counters that only grow."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

TICKS = 100.0
"""Of CPU time per second and processor, as the kernel counts them."""
GIB_KB = 1 << 20
HOSTILE = "\x1b]52;c;aGk=\x07[@click=app.quit]\u202e[/]\x00"


@dataclass(slots=True)
class Room:
    """One file system, in kB."""

    mount: str
    device: str
    size: float
    available: float


@dataclass(slots=True)
class Figures:
    """What one host has to say.

    Args:
        seed: two hosts with the same seed walk alike.
        disks, nics: how many devices it has: a wider host has more series.
        hostile: its devices and mounts are named to harm a terminal.
    """

    seed: int
    disks: int = 2
    nics: int = 2
    hostile: bool = False
    cpus: int = 4
    memory_kb: float = 16.0 * GIB_KB
    clock_offset: float = 0.0
    """Seconds by which its clock is wrong."""
    filling_kb_per_second: float = 0.0
    """How fast its root fills."""
    busy: float = 0.2
    available: float = 0.6
    rooms: list[Room] = field(init=False)
    _walk: random.Random = field(init=False)
    _booted: float = field(init=False)
    _at: float = field(init=False)
    _cpu: list[float] = field(init=False)
    _io: float = 0.0
    _net: float = 0.0

    def __post_init__(self) -> None:
        """Begin somewhere, by the seed."""
        self._walk = walk = random.Random(self.seed)  # noqa: S311  # figures, not secrets
        self._at = time.monotonic()
        self._booted = self._at - walk.uniform(7200, 90 * 86400)
        self.busy, self.available = walk.uniform(0.03, 0.5), walk.uniform(0.3, 0.8)
        up = self._at - self._booted
        self._cpu = [up * 10, 0.0, up * 4, up * 380, up, 0.0, up / 2, 0.0]
        size = walk.choice((40, 80, 200)) * float(GIB_KB)
        self.rooms = [Room("/", "/dev/vda1", size, size * walk.uniform(0.2, 0.8))]
        for number in range(1, self.disks):
            # seen by df as it is, by /proc/self/mounts with a blank escaped
            name = f"/srv/data{number}{HOSTILE if self.hostile else ''}"
            self.rooms.append(Room(name, f"/dev/vd{chr(97 + number % 26)}1", size * 2, size))

    def restart(self) -> None:
        """As after a reboot: up since now, all counters from nothing."""
        self._booted = self._at = time.monotonic()
        self._cpu = [0.0] * 8
        self._io = self._net = 0.0

    def _go_on(self) -> None:
        now, walk = time.monotonic(), self._walk
        passed, self._at = now - self._at, now
        self.busy = min(0.98, max(0.01, self.busy + walk.uniform(-0.04, 0.04)))
        self.available = min(0.95, max(0.1, self.available + walk.uniform(-0.01, 0.01)))
        ticks = passed * TICKS * self.cpus
        for place, share in (
            (0, self.busy * 0.7),
            (2, self.busy * 0.28),
            (3, 1 - self.busy),
            (4, self.busy * 0.02),
        ):
            self._cpu[place] += ticks * share
        self._io += passed * self.busy * 400
        self._net += passed * self.busy * 2_000_000
        self.rooms[0].available = max(0.0, self.rooms[0].available - passed * self.filling_kb_per_second)

    def answer(self, seq: str, sections: str) -> str:
        """A whole answer to one request, framed."""
        self._go_on()
        parts = [f"={seq} 1\n"]
        letters = sections.partition(" ")[0]
        if "t" in letters:
            parts.append(f"t {time.time() + self.clock_offset:.6f}\n")
        if "f" in letters:
            parts.append(self._fast())
        if "o" in letters:
            for room in self.rooms:
                parts.append(
                    f"o {room.device} {room.mount.replace(' ', chr(92) + '040')} ext4 rw,relatime 0 0\n"
                )
        if "i" in letters:
            parts.append(f"i k 6.1.0-sim\ni a x86_64\ni s Simulated Linux\ni n {self.cpus}\n")
        if "r" in letters:
            parts.append(self._df())
        parts.append(f".{seq}\n")
        return "".join(parts)

    def _fast(self) -> str:
        up, busy, memory = self._at - self._booted, self.busy, self.memory_kb
        load, pressed = busy * self.cpus, busy * 5
        lines = [
            f"u {up:.2f} {up * 3:.2f}",
            "c " + " ".join(f"{ticks:.0f}" for ticks in self._cpu),
            f"p {1 + int(load)} 0 {self.cpus}",
            f"m {memory:.0f} {memory * self.available / 2:.0f} {memory * self.available:.0f} 100000 {memory * 0.2:.0f} 2097148 2000000",
            f"v {int(up)} 0",
            f"l {load:.2f} {load:.2f} {load:.2f} 1/321 4711",
            f"P {pressed:.2f} {pressed:.2f} 0 0 0 0 0 0 0 0 0 0",
        ]
        evil = HOSTILE if self.hostile else ""
        io, net = self._io, self._net
        for number in range(self.disks):
            lines.append(
                f"d vd{chr(97 + number % 26)}{number}{evil} {io:.0f} {io * 16:.0f} {io / 2:.0f} {io:.0f} {io * 24:.0f} {io:.0f} 0 {io / 3:.0f} {io:.0f}"
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
