"""This machine, read with psutil and /proc: in the list from the first second, with the same series as any host."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path

import psutil

from guardian_tui.engine.fleet import probe
from guardian_tui.engine.fleet.mounts import Mount, Room, chosen
from guardian_tui.engine.fleet.reading import Reading, parse, unescaped
from guardian_tui.text import safe

_SKIPPED_NICS = ("lo", "veth", "docker", "br-", "virbr", "cni", "flannel", "cali", "tap", "dummy")
_SKIPPED_DISKS = ("loop", "ram", "zram", "fd", "sr")


def read_machine() -> Reading:
    """One reading; may touch the disk, so call it in a thread."""
    reading = parse(_small_files())
    times = psutil.cpu_times()
    tick = 100.0
    reading.cpu = [
        value * tick
        for value in (
            times.user, getattr(times, "nice", 0.0), times.system, times.idle, getattr(times, "iowait", 0.0),
            getattr(times, "irq", 0.0), getattr(times, "softirq", 0.0), getattr(times, "steal", 0.0),
        )
    ]  # fmt: skip
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    reading.memory = {
        "MemTotal": memory.total / 1024, "MemAvailable": memory.available / 1024, "MemFree": memory.free / 1024,
        "Cached": getattr(memory, "cached", 0) / 1024, "Buffers": getattr(memory, "buffers", 0) / 1024,
        "SwapTotal": swap.total / 1024, "SwapFree": swap.free / 1024,
    }  # fmt: skip
    for name, nic in psutil.net_io_counters(pernic=True).items():
        if not name.startswith(_SKIPPED_NICS):
            counts = (
                nic.bytes_recv, nic.packets_recv, nic.errin, nic.dropin, nic.bytes_sent, nic.packets_sent, nic.errout, nic.dropout
            )  # fmt: skip
            reading.nics.put(safe(name, 40), [float(count) for count in counts])
    return reading


def _small_files() -> bytes:
    """What psutil has no name for, as the probe's lines."""
    lines: list[str] = []
    for key, path in (
        ("u", "/proc/uptime"),
        ("l", "/proc/loadavg"),
        ("F", "/proc/sys/fs/file-nr"),
        ("T", "/proc/sys/kernel/pid_max"),
    ):
        text = _text(path)
        lines.append(f"{key} {text.splitlines()[0]}" if text else f"!{path}")
    lines.append(f"P {' '.join(_pressure())}")
    events = dict(line.split(" ", 1) for line in _text("/proc/vmstat").splitlines())
    lines.append(f"v {events.get('pgmajfault', -1)} {events.get('oom_kill', -1)}")
    tasks = dict(line.split()[:2] for line in _text("/proc/stat").splitlines() if line.startswith("procs_"))
    running, blocked = (tasks.get(f"procs_{name}", -1) for name in ("running", "blocked"))
    lines.append(f"p {running} {blocked} {psutil.cpu_count() or 0}")
    for line in _text("/proc/diskstats").splitlines():
        words = line.split()
        if len(words) >= 14 and not words[2].startswith(_SKIPPED_DISKS) and int(words[3]) + int(words[7]):
            lines.append(" ".join(["d", words[2], words[3], *words[5:8], *words[9:14]]))
    count, most = (
        _text("/proc/sys/net/netfilter/nf_conntrack_count"),
        _text("/proc/sys/net/netfilter/nf_conntrack_max"),
    )
    if count and most:
        lines.append(f"K {count.strip()} {most.strip()}")
    lines += [f"o {line}" for line in _text("/proc/self/mounts").splitlines()]
    return "\n".join(lines).encode()


def _pressure() -> list[str]:
    words = []
    for what in ("cpu", "memory", "io"):
        lines = {line.split(" ", 1)[0]: line for line in _text(f"/proc/pressure/{what}").splitlines()}
        for kind in ("some", "full"):
            words += [word.partition("=")[2] for word in lines.get(kind, "").split()[1:3]] or ["-1", "-1"]
    return words


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def read_rooms(mounts: list[Mount]) -> list[Room]:
    """File systems of this machine, local ones only; call it in a thread."""
    rooms, frozen = [], read_only_points(_text("/proc/self/mountinfo"))
    for device, point, kind, read_only in chosen(mounts)[0]:
        try:
            usage = psutil.disk_usage(point)
            nodes = os.statvfs(point)
        except OSError:
            continue
        whole = usage.used + usage.free
        free = nodes.f_ffree / nodes.f_files if nodes.f_files else float("nan")
        used = usage.used / whole if whole else 0.0
        ro = read_only if frozen is None else point in frozen
        rooms.append(Room(safe(point, 200), kind, safe(device, 200), usage.total, usage.free, used, free, ro))
    return rooms


def read_only_points(mountinfo: str) -> frozenset[str] | None:
    """Mount points whose file system itself is read-only; None where that can't be read.

    A unit with ``ProtectSystem=`` sees read-only what is mounted so for it alone; the machine writes there and fills it.
    """
    frozen: dict[str, bool] = {}
    for line in mountinfo.splitlines():
        mount, _, system = line.partition(" - ")
        words, options = mount.split(" "), system.split(" ")[-1].split(",")
        if len(words) > 4:
            # what was mounted last is on top
            frozen[unescaped(words[4])] = "ro" in options
    return frozenset(point for point, ro in frozen.items() if ro) if frozen else None


def machine_facts() -> dict[str, str]:
    """Name, system, kernel and size."""
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    return {
        "os": safe(release.get("PRETTY_NAME", platform.system()), 60),
        "kernel": safe(platform.release(), 60),
        "architecture": platform.machine(),
        "cpu_count": str(psutil.cpu_count() or ""),
        "probe": probe.version(),
        "memory_bytes": str(psutil.virtual_memory().total),
    }


def machine_name() -> str:
    """This machine's host name."""
    return socket.gethostname().split(".")[0] or "localhost"
