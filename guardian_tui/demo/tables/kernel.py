"""The kernel of simulated hosts: processors, interrupts, control groups and the containers in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from guardian_tui.demo.tables.rows import digits, role_of, valued

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures

UNEVEN = 0.5
"""By how much more the first processor does than the average; the last does as much less."""
RELEASE = "6.12.48+deb13-amd64"


def cores(figures: Figures) -> Sequence[str]:
    """Each processor's share of the ticks of all."""
    user, _, system, idle, iowait, *_ = figures.cpu_ticks
    count = figures.cpus
    whole = (user + system + idle + iowait) / count
    rows = []
    for number in range(count):
        # the bump of each is undone by another's, so that all together are what the host says
        weight = (1 + UNEVEN * (1 - 2 * ((number * 7 + figures.seed) % count) / max(1, count - 1))) / count
        did = (user * weight, system * weight, iowait * weight)
        rest = whole - sum(did)
        khz = 2_400_000 + (number * 37 + figures.seed * 13) % 900 * 1000
        rows.append(
            f"R\t{number}\t{did[0]:.0f}\t{did[1]:.0f}\t{rest:.0f}\t{did[2]:.0f}\t{did[1] / 20:.0f}\t0\t{khz}\t{0 if role_of(figures).metal else ''}"
        )
    return rows


def interrupts(figures: Figures) -> Sequence[str]:
    """What the host did, in interrupts."""
    up, (user, _, system, *_) = figures.uptime, figures.cpu_ticks
    packets, requests = figures.net_bytes / 900, figures.disk_sectors / 16
    counts = (
        ("hard", "24", packets * 0.4, "PCI-MSI 512000-edge eth0-rx-0"), ("hard", "25", packets * 0.3, "PCI-MSI 512001-edge eth0-tx-0"),
        ("hard", "26", requests, "PCI-MSI 524288-edge nvme0q1" if role_of(figures).metal else "PCI-MSI 524288-edge virtio1-req.0"),
        ("hard", "LOC", up * 100 + user * 2, "Local timer interrupts"), ("hard", "RES", system * 0.8, "Rescheduling interrupts"),
        ("hard", "CAL", system * 0.3, "Function call interrupts"), ("hard", "TLB", user * 0.05, "TLB shootdowns"),
        ("soft", "TIMER", up * 80 + user, ""), ("soft", "NET_RX", packets * 0.8, ""), ("soft", "NET_TX", packets * 0.02, ""),
        ("soft", "BLOCK", requests * 0.9, ""), ("soft", "SCHED", up * 60 + user, ""), ("soft", "RCU", up * 70 + system, ""),
    )  # fmt: skip
    return [f"R\t{kind}\t{name}\t{total:.0f}\t{source}" for kind, name, total, source in counts]


def kernel(figures: Figures) -> Sequence[str]:
    """The same for all hosts of a role."""
    return _kernel(role_of(figures).metal, int(figures.memory_kb))


@cache
def _kernel(metal: bool, memory_kb: int) -> tuple[str, ...]:
    told = (
        ("version", f"Linux version {RELEASE} (debian-kernel@lists.debian.org) #1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1"),
        ("cmdline", f"BOOT_IMAGE=/boot/vmlinuz-{RELEASE} root=UUID=6f3c1e2a-57d4-4c6e-9b61-0d5a8f1c2b3e ro quiet"), ("tainted", "0"), ("entropy", "256"),
        ("pool", "256"), ("hung", "0"), ("numa", "0-1" if metal else "0"), ("thp", "always [madvise] never"),
        ("lsm", "lockdown,capability,landlock,yama,apparmor"), ("lockdown", "[none] integrity confidentiality"),
        ("clocksource", "tsc" if metal else "kvm-clock"), ("modules", "118" if metal else "74"), ("HugePages_Total", "0"), ("HugePages_Free", "0"),
        ("Hugepagesize", "2048"), ("Committed_AS", f"{memory_kb * 0.7:.0f}"), ("CommitLimit", f"{memory_kb * 0.5 + 2097148:.0f}"),
        ("Slab", f"{memory_kb * 0.03:.0f}"),
    )  # fmt: skip
    return tuple(f"R\t{name}\t{value}" for name, value in told)


@dataclass(frozen=True, slots=True)
class Container:
    """One that docker runs: its share of the host's work, and its memory in MiB; ``checked``: its image has a health check."""

    name: str
    image: str
    share: float = 0.05
    mib: int = 120
    checked: bool = False
    status: str = ""
    """In place of being up."""

    @property
    def id(self) -> str:
        """As docker lists it with ``--no-trunc``."""
        return digits(self.name, 64)


_EXPORTER = Container("node-exporter", "quay.io/prometheus/node-exporter:v1.9.1", 0.01, 24)
_CONTAINERS = {
    "app": (
        Container("shop-api", "registry.example.com/shop/api:2026.11.3", 0.3, 610, True),
        Container("shop-worker", "registry.example.com/shop/worker:2026.11.3", 0.2, 480, True),
        Container("shop-migrate", "registry.example.com/shop/api:2026.11.3", status="Exited (0) 2 days ago"), _EXPORTER,
    ),
    "queue": (
        Container("mail-relay", "registry.example.com/shop/relay:1.14.0", 0.1, 190, True),
        Container("shovel", "registry.example.com/data/shovel:3.2.1", 0.15, 220), _EXPORTER,
    ),
    "lab": (
        Container("jupyter", "quay.io/jupyter/minimal-notebook:2026-10-20", 0.3, 700, True), Container("grafana", "docker.io/grafana/grafana:12.2.0", 0.1, 160),
        Container("scratch-db", "docker.io/library/postgres:17", status="Exited (0) 5 weeks ago"),
    ),
}  # fmt: skip


def containers(figures: Figures) -> Sequence[str]:
    """What docker lists, and the control groups of those that run."""
    rows: list[str] = []
    figures_of: dict[str, object] = {}
    for number, one in enumerate(_CONTAINERS.get(role_of(figures).name, ())):
        ill = figures.unhealthy and not number
        health = f" ({'unhealthy' if ill else 'healthy'})" if one.checked else ""
        rows.append(f"R\tE\tdocker\t{one.id}~{one.image}~{one.name}~{one.status or _up(figures) + health}")
        rows.append(f"R\tN\t{one.id}~0")
        if not one.status:
            figures_of |= _group(figures, f"system.slice/docker-{one.id}.scope", one.share, one.mib)
    return rows + valued(figures_of)


def _up(figures: Figures) -> str:
    days, hours = int(figures.uptime // 86400), int(figures.uptime // 3600)
    return f"Up {days} days" if days > 1 else f"Up {hours} hours" if hours > 1 else "Up 2 minutes"


def _group(figures: Figures, group: str, share: float, mib: float) -> dict[str, object]:
    seconds = (figures.cpu_ticks[0] + figures.cpu_ticks[2]) / 100
    return {
        f"{group}/cpu.stat": f"usage_usec {seconds * share * 1e6:.0f}",
        f"{group}/memory.current": int(mib * (1 << 20) * (0.9 + figures.busy / 5)),
    }


def cgroups(figures: Figures) -> Sequence[str]:
    """Slices, the host's service, what runs beside it, and its containers."""
    role = role_of(figures)
    used = figures.memory_kb / 1024 * (1 - figures.available)
    told: dict[str, object] = {}
    groups = [
        ("init.scope", 0.001, 13, 1), ("user.slice", 0.01, 40, 12), ("system.slice", 0.97, used * 0.95, 380), (f"system.slice/{role.unit}", 0.8, used * 0.8, 90),
        ("system.slice/systemd-journald.service", 0.01, 40, 1), ("system.slice/ssh.service", 0.004, 8, 1), ("system.slice/chrony.service", 0.001, 4, 2),
        ("system.slice/cron.service", 0.001, 5, 1), ("system.slice/rsyslog.service", 0.005, 7, 4),
    ]  # fmt: skip
    groups += [
        (f"system.slice/docker-{one.id}.scope", one.share, one.mib, 9)
        for one in _CONTAINERS.get(role.name, ())
        if not one.status
    ]
    pressed = figures.busy * figures.busy * 10
    for group, share, mib, pids in groups:
        told |= _group(figures, group, share, mib)
        told |= {
            f"{group}/memory.max": "max", f"{group}/memory.pressure": f"some avg10={pressed * share / 4:.2f} avg60=0.00 avg300=0.00 total=0",
            f"{group}/io.pressure": f"some avg10={pressed * share:.2f} avg60=0.00 avg300=0.00 total=0", f"{group}/pids.current": pids,
            f"{group}/pids.max": 9000, f"{group}/memory.events": f"oom_kill {figures.oom_kills if role.unit in group else 0}",
        }  # fmt: skip
    return valued(told)
