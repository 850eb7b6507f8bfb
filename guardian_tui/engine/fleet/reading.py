"""What one answer of the probe says, before rates: counters and gauges, typed and bounded.

Parsing never fails a host: a line that can't be read is a problem of its own value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from guardian_tui.engine.facts import Layout
from guardian_tui.engine.fleet.counters import DISK_NUMBERS, NIC_NUMBERS, Counters, disks, nics
from guardian_tui.text import safe

MOST_DEVICES = 64
MOST_PROBLEMS = 20
MOST_MOUNTS = 256
SHARED_MOUNTS, SHARED_CHARS = 2048, 500
"""Mounts that are kept for all hosts, and how long one may be: what they say is theirs."""
MOST_LINES = 2000
"""Of one answer: a host that sends more must not keep the others waiting while it is read."""
MEMORY = ("MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal", "SwapFree")
PRESSURE = tuple(
    (what, kind, window) for what in ("cpu", "memory", "io") for kind in ("some", "full") for window in ("avg10", "avg60")
)  # fmt: skip
ABSURD = float(1 << 64)
"""No counter of 64 bits reaches it.  systemd sets the limit of open files to 2^63 - 1, which is 2^63 as a float."""


@dataclass(slots=True)
class Counts:
    """What rates are made of, as far as the next reading needs it.

    ``cpu``: ticks of user, nice, system, idle, iowait, irq, softirq, steal.
    """

    cpu: list[float] | None = None
    cpus: float = 0.0
    major_faults: float | None = None
    oom_kills: float | None = None
    uptime: float | None = None
    disks: Counters = field(default_factory=disks)
    nics: Counters = field(default_factory=nics)


@dataclass(slots=True)
class Reading(Counts):
    """Counters and gauges of one moment.

    ``memory``: kB by the names of /proc/meminfo.  ``pressure``: percent by (what, some or full, window).
    """

    running: float | None = None
    blocked: float | None = None
    memory: dict[str, float] = field(default_factory=dict)
    load: list[float] | None = None
    tasks: float | None = None
    pressure: dict[tuple[str, str, str], float] = field(default_factory=dict)
    files: tuple[float, float] | None = None
    pid_max: float | None = None
    conntrack: tuple[float, float] | None = None
    clock: float | None = None
    mounts: list[tuple[str, str, str, bool]] = field(default_factory=list)
    """Device, mount point, type, read-only."""
    missing: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    layout: Layout | None = None
    """That of its devices' series, where it is known already."""

    def counts(self) -> Counts:
        """What is kept of it until the next one."""
        return Counts(
            self.cpu, self.cpus, self.major_faults, self.oom_kills, self.uptime, self.disks.packed(), self.nics.packed()
        )  # fmt: skip


def known_memory(values: list[float]) -> dict[str, float]:
    """By name, without what this kernel does not say."""
    return {name: value for name, value in zip(MEMORY, values, strict=True) if value >= 0}


def known_pressure(values: list[float]) -> dict[tuple[str, str, str], float]:
    """By (what, some or full, window), without what this kernel does not say."""
    return {key: min(value, 100.0) for key, value in zip(PRESSURE, values, strict=True) if value >= 0}


def _numbers(words: list[str]) -> list[float]:
    values = list(map(float, words))
    # one NaN makes the sum NaN, which compares false
    if values and not (min(values) >= 0 and sum(values) < ABSURD):
        raise ValueError("out of bounds")
    return values


def _known(words: list[str], count: int) -> list[float]:
    """As many numbers as are due, -1 where the host has none."""
    values = list(map(float, words))
    if len(values) != count or not (min(values) >= -1 and sum(values) < ABSURD):
        raise ValueError("out of bounds")
    return values


def _cpu(reading: Reading, rest: list[str]) -> None:
    values = _numbers(rest[:8])
    # older kernels have fewer columns
    reading.cpu = values + [0.0] * (8 - len(values))
    if len(values) < 4:
        reading.cpu = None
        raise ValueError("too few columns")


def _tasks(reading: Reading, rest: list[str]) -> None:
    running, blocked, cpus = _known(rest, 3)
    reading.running = running if running >= 0 else None
    reading.blocked = blocked if blocked >= 0 else None
    reading.cpus = min(max(cpus, 0.0), 65536.0)


def _memory(reading: Reading, rest: list[str]) -> None:
    values = _known(rest, len(MEMORY))
    reading.memory = known_memory(values)


def _vm(reading: Reading, rest: list[str]) -> None:
    faults, kills = _known(rest, 2)
    reading.major_faults = faults if faults >= 0 else None
    reading.oom_kills = kills if kills >= 0 else None


def _load(reading: Reading, rest: list[str]) -> None:
    reading.load = _numbers(rest[:3])
    if len(reading.load) != 3:
        reading.load = None
        raise ValueError("too few columns")
    if len(rest) > 3:
        reading.tasks = _numbers([rest[3].rpartition("/")[2]])[0]


def _uptime(reading: Reading, rest: list[str]) -> None:
    reading.uptime = _numbers(rest[:1])[0]


def _pressure(reading: Reading, rest: list[str]) -> None:
    values = _known(rest, len(PRESSURE))
    reading.pressure = known_pressure(values)


def _disk(reading: Reading, rest: list[str]) -> None:
    values = _numbers(rest[1 : 1 + DISK_NUMBERS])
    if len(values) != DISK_NUMBERS:
        raise ValueError("too few columns")
    if len(reading.disks) < MOST_DEVICES:
        reading.disks.put(safe(rest[0], 40), values)


def _nic(reading: Reading, rest: list[str]) -> None:
    values = _numbers(rest[1 : 1 + NIC_NUMBERS])
    if len(values) != NIC_NUMBERS:
        raise ValueError("too few columns")
    if len(reading.nics) < MOST_DEVICES:
        reading.nics.put(safe(rest[0], 40), values)


def _files(reading: Reading, rest: list[str]) -> None:
    values = _numbers(rest[:3])
    reading.files = (values[0], values[2])


def _pid_max(reading: Reading, rest: list[str]) -> None:
    reading.pid_max = _numbers(rest[:1])[0]


def _conntrack(reading: Reading, rest: list[str]) -> None:
    count, most = _numbers(rest[:2])
    reading.conntrack = (count, most)


def _clock(reading: Reading, rest: list[str]) -> None:
    # busybox date has no nanoseconds and leaves "%N" standing
    reading.clock = _numbers([rest[0].replace(".%N", "").replace(".N", "")])[0]


def _mount(reading: Reading, rest: list[str]) -> None:
    if len(reading.mounts) < MOST_MOUNTS:
        device, point, kind, options = rest[:4]
        read = _shared_mount if len("".join(rest[:4])) <= SHARED_CHARS else _mount_of
        reading.mounts.append(read(device, point, kind, options))


def _mount_of(device: str, point: str, kind: str, options: str) -> tuple[str, str, str, bool]:
    return unescaped(device), unescaped(point), safe(kind, 40), "ro" in options.split(",")


_shared_mount = lru_cache(maxsize=SHARED_MOUNTS)(_mount_of)
"""Hosts are much alike: what many of them mount is read once, and kept once."""


def unescaped(word: str) -> str:
    """Undo the octal escapes of /proc/self/mounts: blank, tab, newline, backslash."""
    for escape, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        word = word.replace(escape, char)
    return word


_LINES = {
    "c": _cpu, "p": _tasks, "m": _memory, "v": _vm, "l": _load, "u": _uptime, "P": _pressure, "d": _disk,
    "N": _nic, "F": _files, "T": _pid_max, "K": _conntrack, "t": _clock, "o": _mount,
}  # fmt: skip


def parse(answer: bytes) -> Reading:
    """An answer of the probe, without its first and last line."""
    reading = Reading()
    lines = answer.decode("utf-8", "replace").split("\n", MOST_LINES)
    if len(lines) > MOST_LINES:
        lines.pop()
        reading.problems.append(f"more than {MOST_LINES} lines; the rest was not read")
    for line in lines:
        words = line.split()
        if not words:
            continue
        take = _LINES.get(words[0])
        if take is None:
            if line[0] == "!":
                if len(reading.missing) < MOST_PROBLEMS:
                    reading.missing.append(safe(line[1:], 80))
            elif line[0] not in "=." and len(reading.problems) < MOST_PROBLEMS:
                reading.problems.append(f"not understood: {safe(line, 60)}")
            continue
        try:
            take(reading, words[1:])
        except (ValueError, IndexError, OverflowError):
            if len(reading.problems) < MOST_PROBLEMS:
                reading.problems.append(f"not understood: {safe(line, 60)}")
    return reading
