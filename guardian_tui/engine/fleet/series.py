"""Readings into samples: rates between two readings, and the fixed order of their series.

Formulas: proc(5) for the counters; CPU shares as top(1) has them; disk figures as iostat(1): busy is the share of time with I/O in flight,
await the mean time of a finished I/O, queue the weighted time over the time.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from operator import add, sub

from guardian_tui.engine.facts import Layout
from guardian_tui.engine.fleet.counters import DISK_NUMBERS, NIC_NUMBERS, Counters
from guardian_tui.engine.fleet.reading import Counts, Reading

NAN = math.nan
SECTOR_BYTES = 512.0
MOST_LAYOUTS = 4096

HOST_SERIES = (
    "cpu_busy_ratio", "cpu_user_ratio", "cpu_system_ratio", "cpu_iowait_ratio", "cpu_steal_ratio", "cpu_count",
    "load1", "load5", "load15", "load1_per_core", "tasks_running", "tasks_blocked",
    "memory_total_bytes", "memory_available_bytes", "memory_available_ratio", "memory_used_ratio", "memory_cached_bytes",
    "swap_total_bytes", "swap_used_bytes", "swap_used_ratio", "major_faults_per_second", "oom_kills",
    "pressure_cpu_some_ratio", "pressure_memory_some_ratio", "pressure_memory_full_ratio", "pressure_io_some_ratio",
    "pressure_io_full_ratio", "uptime_seconds", "clock_offset_seconds", "file_descriptors_used_ratio", "pids_used_ratio",
    "conntrack_used_ratio", "round_trip_seconds",
)  # fmt: skip
DISK_SERIES = (
    "disk_read_bytes_per_second",
    "disk_write_bytes_per_second",
    "disk_busy_ratio",
    "disk_await_seconds",
    "disk_queue",
)
NIC_SERIES = (
    "network_receive_bytes_per_second", "network_transmit_bytes_per_second", "network_error_ratio", "network_drop_ratio"
)  # fmt: skip

_PRESSURE = (
    ("cpu", "some", "avg10"), ("memory", "some", "avg10"), ("memory", "full", "avg60"), ("io", "some", "avg10"), ("io", "full", "avg60")
)  # fmt: skip
_NO_DISK, _NO_NIC = [NAN] * len(DISK_SERIES), [NAN] * len(NIC_SERIES)

_layouts: OrderedDict[tuple[tuple[str, ...], tuple[str, ...]], Layout] = OrderedDict()


def layout_of(disks: tuple[str, ...], nics: tuple[str, ...]) -> Layout:
    """The layout of a host with these devices; hosts of one shape share it."""
    key = (disks, nics)
    layout = _layouts.get(key)
    if layout is None:
        names = list(HOST_SERIES)
        names += [f"{name}{{{disk}}}" for disk in disks for name in DISK_SERIES]
        names += [f"{name}{{{nic}}}" for nic in nics for name in NIC_SERIES]
        layout = _layouts[key] = Layout(tuple(names))
        if len(_layouts) > MOST_LAYOUTS:
            _layouts.popitem(last=False)
    return layout


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else NAN


def sample_values(
    now: Reading, before: Counts | None, seconds: float, *, round_trip: float, clock_offset: float
) -> tuple[Layout, list[float]]:
    """The series of one sample, in the order of its layout.

    Args:
        now: this reading.
        before: the one before; None: rates are gaps.
        seconds: between them; 0 or less (a reboot, a clock that stood): rates are gaps.
        round_trip: from request to whole answer.
        clock_offset: the host's clock minus ours; NaN if not measured.
    """
    if before is not None and (seconds <= 0 or rebooted(now, before)):
        before = None
    pressure = now.pressure.get
    values = [
        *_cpu(now, before), *_load(now), *_memory(now),
        _rate(now.major_faults, before.major_faults if before else None, seconds),
        delta(now.oom_kills, before.oom_kills if before else None),
        *[pressure(key, NAN) / 100.0 for key in _PRESSURE],
        now.uptime if now.uptime is not None else NAN,
        clock_offset,
        _ratio(*now.files) if now.files else NAN,
        _ratio(now.tasks, now.pid_max) if now.tasks is not None and now.pid_max else NAN,
        _ratio(*now.conntrack) if now.conntrack else NAN,
        round_trip,
    ]  # fmt: skip
    values += _disks(now.disks, before.disks if before else None, seconds)
    values += _nics(now.nics, before.nics if before else None, seconds)
    return now.layout or layout_of(now.disks.names, now.nics.names), values


def rebooted(now: Counts, before: Counts) -> bool:
    """Whether the host has booted between two readings."""
    return now.uptime is not None and before.uptime is not None and now.uptime < before.uptime


def delta(now: float | None, before: float | None) -> float:
    """By how much a counter has grown."""
    # a counter that went back was reset or has wrapped: a gap is true, a guess is not
    return now - before if now is not None and before is not None and now >= before else NAN


def _rate(now: float | None, before: float | None, seconds: float) -> float:
    return delta(now, before) / seconds if seconds > 0 else NAN


def _cpu(now: Counts, before: Counts | None) -> list[float]:
    if now.cpu is None or before is None or before.cpu is None or now.cpus != before.cpus:
        return [NAN, NAN, NAN, NAN, NAN, now.cpus or NAN]
    deltas = list(map(sub, now.cpu, before.cpu))
    if min(deltas) < 0:
        # iowait may step back by a tick (proc(5)); all others only on a reset
        deltas = [max(0.0, delta) for delta in deltas]
    user, nice, system, idle, iowait, irq, softirq, steal = deltas
    total = user + nice + system + idle + iowait + irq + softirq + steal
    if total <= 0:
        return [NAN, NAN, NAN, NAN, NAN, now.cpus or NAN]
    busy = (total - idle - iowait) / total
    return [
        busy,
        (user + nice) / total,
        (system + irq + softirq) / total,
        iowait / total,
        steal / total,
        now.cpus or NAN,
    ]


def _load(now: Reading) -> list[float]:
    load = now.load or [NAN, NAN, NAN]
    per_core = load[0] / now.cpus if now.cpus else NAN
    running = now.running if now.running is not None else NAN
    blocked = now.blocked if now.blocked is not None else NAN
    return [*load, per_core, running, blocked]


def _memory(now: Reading) -> list[float]:
    memory = now.memory
    total = memory.get("MemTotal", NAN)
    available = memory.get("MemAvailable")
    cached = memory.get("Cached", 0.0) + memory.get("Buffers", 0.0)
    if available is None:
        # kernels before 3.14 don't say it
        available = memory.get("MemFree", NAN) + cached
    available = min(available, total)
    free_ratio = _ratio(available, total)
    swap, swap_free = memory.get("SwapTotal", 0.0), memory.get("SwapFree", 0.0)
    used = max(0.0, swap - swap_free)
    return [
        total * 1024, available * 1024, free_ratio, 1 - free_ratio, cached * 1024, swap * 1024, used * 1024, _ratio(used, swap)
    ]  # fmt: skip


def _disks(now: Counters, before: Counters | None, seconds: float) -> list[float]:
    """The series of all disks: in one step if they are those of before, and none was reset."""
    if before is None:
        return _NO_DISK * len(now)
    deltas = now.since(before)
    if deltas is not None:
        # how many are in flight is no counter
        deltas[6::DISK_NUMBERS] = [0.0] * len(now)
        if not deltas or min(deltas) >= 0:
            return _disk_rates(deltas, seconds)
    values: list[float] = []
    for name, disk in now.items():
        values += _disk(disk, before.get(name), seconds)
    return values


def _disk(now: list[float], before: list[float] | None, seconds: float) -> list[float]:
    if before is None:
        return _NO_DISK
    deltas = list(map(sub, now, before))
    reads, read, _, writes, written, _, _, busy, _ = deltas
    if reads < 0 or read < 0 or writes < 0 or written < 0 or busy < 0:
        return _NO_DISK
    if deltas[2] + deltas[5] < 0:
        deltas[2] = deltas[5] = 0.0
    deltas[8] = max(0.0, deltas[8])
    return _disk_rates(deltas, seconds)


def _disk_rates(deltas: list[float], seconds: float) -> list[float]:
    """By the series' order; deltas of one disk or of several."""
    values = [0.0] * (len(deltas) // DISK_NUMBERS * len(DISK_SERIES))
    column = [deltas[place::DISK_NUMBERS] for place in range(DISK_NUMBERS)]
    values[0::5] = [read * SECTOR_BYTES / seconds for read in column[1]]
    values[1::5] = [written * SECTOR_BYTES / seconds for written in column[4]]
    values[2::5] = [share if (share := busy / 1000 / seconds) < 1.0 else 1.0 for busy in column[7]]
    values[3::5] = [
        (read_ms + write_ms) / (reads + writes) / 1000 if reads + writes else 0.0
        for reads, read_ms, writes, write_ms in zip(column[0], column[2], column[3], column[5], strict=True)
    ]
    values[4::5] = [weighted / 1000 / seconds for weighted in column[8]]
    return values


def _nics(now: Counters, before: Counters | None, seconds: float) -> list[float]:
    """The series of all interfaces: in one step if they are those of before, and none was reset."""
    if before is None:
        return _NO_NIC * len(now)
    deltas = now.since(before)
    if deltas is not None and (not deltas or min(deltas) >= 0):
        return _nic_rates(deltas, seconds)
    values: list[float] = []
    for name, nic in now.items():
        values += _nic(nic, before.get(name), seconds)
    return values


def _nic(now: list[float], before: list[float] | None, seconds: float) -> list[float]:
    if before is None:
        return _NO_NIC
    deltas = list(map(sub, now, before))
    return _NO_NIC if min(deltas) < 0 else _nic_rates(deltas, seconds)


def _nic_rates(deltas: list[float], seconds: float) -> list[float]:
    """By the series' order; deltas of one interface or of several."""
    values = [0.0] * (len(deltas) // NIC_NUMBERS * len(NIC_SERIES))
    column = [deltas[place::NIC_NUMBERS] for place in range(NIC_NUMBERS)]
    values[0::4] = [received / seconds for received in column[0]]
    values[1::4] = [sent / seconds for sent in column[4]]
    packets = list(map(add, column[1], column[5]))
    values[2::4] = map(_share, map(add, column[2], column[6]), packets)
    values[3::4] = map(_share, map(add, column[3], column[7]), packets)
    return values


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
