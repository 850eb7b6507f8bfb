"""The network of simulated hosts: who they listen to, who is connected, links and mounts of NFS."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from guardian_tui.demo.tables.rows import digits, role_of, valued

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures

PEERS_SHOWN = 40
"""Connections that are told one by one; the figures count all."""


@dataclass(frozen=True, slots=True)
class Port:
    """What a program listens on: for everyone, or for this host alone."""

    port: int
    process: str
    uid: int = 0
    pid: int = 900
    everyone: bool = True
    protocol: str = "tcp"


_SSH = Port(22, "sshd", pid=356)
_ALWAYS = (_SSH, Port(323, "chronyd", 105, 335, False, "udp"))
_PORTS = {
    "web": (Port(80, "nginx"), Port(443, "nginx"), Port(8080, "nginx", everyone=False)), "app": (Port(8000, "gunicorn", 998), Port(9100, "node_exporter", 65534, 1400)),
    "db": (Port(5432, "postgres", 104), Port(9187, "postgres_export", 65534, 1400)), "cache": (Port(6379, "redis-server", 106),),
    "queue": (Port(5672, "beam.smp", 107), Port(15672, "beam.smp", 107), Port(25672, "beam.smp", 107), Port(4369, "epmd", 107, 880)),
    "files": (Port(2049, "", pid=0), Port(111, "rpcbind", 110, 600), Port(445, "smbd"), Port(139, "smbd")),
    "mail": (Port(25, "master"), Port(587, "master"), Port(993, "dovecot", pid=910), Port(143, "dovecot", pid=910, everyone=False)),
    "lab": (Port(3000, "docker-proxy", pid=1500), Port(8888, "docker-proxy", pid=1510)),
}  # fmt: skip
_SERVES = {"web": 443, "app": 8000, "db": 5432, "cache": 6379, "queue": 5672, "files": 2049, "mail": 993}
_BUSY_WITH = {"web": 900, "app": 160, "db": 120, "cache": 240, "queue": 180, "files": 60, "mail": 90}
"""Connections of a host that is fully busy."""


def address(words: str, port: int) -> str:
    """As /proc/net has it: words of 32 bits, their lowest byte first."""
    return f"{int.from_bytes(ipaddress.IPv4Address(words).packed, 'little'):08X}:{port:04X}"


def own_address(figures: Figures) -> str:
    """A private address that suits a host."""
    return f"10.20.{figures.seed // 200 % 256}.{10 + figures.seed % 200}"


def connected(figures: Figures) -> int:
    """How many are connected now: more on a busy host."""
    return 2 + int(_BUSY_WITH.get(role_of(figures).name, 10) * figures.busy)


def listening(figures: Figures) -> Sequence[str]:
    """The same for all hosts of a role."""
    return _listening(role_of(figures).name)


@cache
def _listening(role: str) -> tuple[str, ...]:
    rows = []
    for one in (*_ALWAYS, *_PORTS.get(role, ())):
        local = address("0.0.0.0" if one.everyone else "127.0.0.1", one.port)  # noqa: S104  # what a service of a simulated host listens on
        state = "0A" if one.protocol == "tcp" else "07"
        rows.append(
            f"R\t{one.protocol}\t{local}\t00000000:0000\t{state}\t{one.uid}\t{one.pid or ''}\t{one.process}"
        )
    return (*rows, "R\tports\t32768\t60999")


def connections(figures: Figures) -> Sequence[str]:
    """Who watches it, and who uses its service."""
    own, role = own_address(figures), role_of(figures).name
    rows = [
        f"R\ttcp\t{address(own, 22)}\t{address('10.20.0.5', 51000 + figures.seed % 9000)}\t01\t0\t{4100}\tsshd"
    ]
    port = _SERVES.get(role)
    if port is None:
        return rows
    one = next(one for one in _PORTS[role] if one.port == port)
    for number in range(min(PEERS_SHOWN, connected(figures))):
        other = (
            f"198.51.100.{1 + number * 7 % 250}"
            if role in ("web", "mail")
            else f"10.20.{number % 4}.{10 + number * 13 % 200}"
        )
        state = "06" if number % 9 == 8 else "01"
        owner = (
            "0\t\t"
            if state == "06"
            else f"{one.uid}\t{one.pid + 7 * (number % 16) if one.pid else ''}\t{one.process}"
        )
        rows.append(
            f"R\ttcp\t{address(own, port)}\t{address(other, 32768 + number * 611 % 28000)}\t{state}\t{owner}"
        )
    return rows


def sockets(figures: Figures) -> Sequence[str]:
    """Counts that follow what the host sends."""
    now, role = connected(figures), role_of(figures).name
    listen = sum(one.protocol == "tcp" for one in (*_ALWAYS, *_PORTS.get(role, ())))
    sent, opened = figures.net_bytes / 1400, figures.net_bytes / 60_000
    told = (
        ("sockets: used", now + 210), ("TCP: inuse", now + listen), ("TCP: orphan", 0), ("TCP: tw", now // 9), ("TCP: alloc", now + listen + 4),
        ("TCP: mem", now // 2 + 3), ("UDP: inuse", 3), ("UDP: mem", 1), ("RAW: inuse", 0), ("TCP6: inuse", 2), ("UDP6: inuse", 1), ("state 01", now),
        ("state 06", now // 9), ("state 0A", listen), ("Tcp ActiveOpens", opened * 0.2), ("Tcp PassiveOpens", opened), ("Tcp AttemptFails", opened * 0.01),
        ("Tcp EstabResets", opened * 0.02), ("Tcp CurrEstab", now), ("Tcp OutSegs", sent), ("Tcp RetransSegs", sent * 0.0004), ("Tcp InErrs", 0),
        ("Tcp OutRsts", opened * 0.03), ("Udp InErrors", 0), ("Udp RcvbufErrors", 0), ("Udp SndbufErrors", 0), ("TcpExt ListenOverflows", 0),
        ("TcpExt ListenDrops", 0), ("TcpExt TCPTimeouts", sent * 0.0001), ("TcpExt TCPSynRetrans", sent * 0.00002), ("TcpExt TCPMemoryPressures", 0),
    )  # fmt: skip
    return [f"R\t{name}\t{value:.0f}" for name, value in told]


def links(figures: Figures) -> Sequence[str]:
    """As many as the host has, and the loopback."""
    metal = role_of(figures).metal
    told: dict[str, object] = {
        "lo/operstate": "unknown", "lo/carrier": 1, "lo/mtu": 65536, "lo/address": "00:00:00:00:00:00", "lo/flags": "0x9", "lo/carrier_changes": 0,
    }  # fmt: skip
    for number in range(figures.nics):
        nic, mac = f"eth{number}", digits(f"{figures.seed} {number}", 6)
        told |= {
            f"{nic}/operstate": "up", f"{nic}/carrier": 1, f"{nic}/speed": 10000 if metal else -1, f"{nic}/duplex": "full" if metal else "unknown", f"{nic}/mtu": 1500,
            f"{nic}/address": f"52:54:00:{mac[:2]}:{mac[2:4]}:{mac[4:]}", f"{nic}/flags": "0x1003", f"{nic}/carrier_changes": 2,
        }  # fmt: skip
    return valued(told)


def nfs(figures: Figures) -> Sequence[str]:
    """Applications share files; the others mount nothing."""
    if role_of(figures).name != "app":
        return ()
    done = 20_000 + figures.disk_sectors / 40
    operations = (
        ("READ", 0.5, 0.9),
        ("WRITE", 0.12, 2.1),
        ("GETATTR", 0.3, 0.4),
        ("LOOKUP", 0.05, 0.5),
        ("ACCESS", 0.03, 0.4),
    )
    rows = ["R\tM\t/srv/shared\tfiles:/srv/files\tnfs4"]
    for name, share, ms in operations:
        count = int(done * share)
        rows.append(
            f"R\tO\t{name}\t{count}\t{count}\t0\t{count * 0.02:.0f}\t{count * ms:.0f}\t{count * (ms + 0.1):.0f}"
        )
    return rows
