"""What simulated hosts are for, as data: figures that suit a role, and a fleet of any size made of roles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, cycle


@dataclass(frozen=True, slots=True)
class Volume:
    """A file system: its mount point, its size in GiB, and the share in use between which a host begins."""

    mount: str
    gib: float
    used: tuple[float, float] = (0.25, 0.55)


@dataclass(frozen=True, slots=True)
class Role:
    """What a host does, and what that looks like.

    ``busy``: between which its processors are in use on an ordinary day.  ``memory_used``: the same of its memory.  ``disk_rate``,
    ``net_rate``: bytes a second when it is fully busy.  ``unit``: the service that is the reason for the host.
    """

    name: str
    unit: str
    cpus: int = 4
    memory_gib: float = 8.0
    volumes: tuple[Volume, ...] = (Volume("/", 40),)
    busy: tuple[float, float] = (0.05, 0.25)
    memory_used: tuple[float, float] = (0.3, 0.6)
    disk_rate: float = 2e6
    net_rate: float = 2e6
    os: str = "Debian GNU/Linux 13 (trixie)"
    metal: bool = False
    """A machine of its own; else a virtual one."""


WEB = Role(
    "web",
    "nginx.service",
    4,
    8,
    (Volume("/", 40), Volume("/var/log", 20)),
    (0.15, 0.45),
    (0.3, 0.5),
    4e6,
    6e7,
)
APP = Role(
    "app",
    "gunicorn.service",
    8,
    16,
    (Volume("/", 60), Volume("/srv/app", 80)),
    (0.2, 0.55),
    (0.5, 0.75),
    3e6,
    2e7,
)
DB = Role(
    "db", "postgresql@17-main.service", 16, 64,
    (Volume("/", 40), Volume("/var/lib/postgresql", 800, (0.4, 0.58)), Volume("/srv/backup", 1200)), (0.1, 0.4), (0.6, 0.8), 9e7, 3e7,
    metal=True,
)  # fmt: skip
CACHE = Role("cache", "redis-server.service", 4, 32, (Volume("/", 40),), (0.05, 0.2), (0.6, 0.8), 1e6, 4e7)
QUEUE = Role(
    "queue",
    "rabbitmq-server.service",
    4,
    16,
    (Volume("/", 40), Volume("/var/lib/rabbitmq", 100)),
    (0.1, 0.35),
    (0.4, 0.6),
    2e7,
    2e7,
)
FILES = Role(
    "files",
    "nfs-server.service",
    4,
    16,
    (Volume("/", 40), Volume("/srv/files", 200, (0.5, 0.58))),
    (0.05, 0.2),
    (0.5, 0.7),
    6e7,
    8e7,
    metal=True,
)
MAIL = Role(
    "mail",
    "postfix@-.service",
    2,
    8,
    (Volume("/", 40), Volume("/var/mail", 300)),
    (0.03, 0.15),
    (0.3, 0.5),
    1e7,
    5e6,
)
JUMP = Role("jump", "ssh.service", 2, 4, (Volume("/", 20),), (0.01, 0.08), (0.15, 0.3), 2e5, 4e6)
LAB = Role(
    "lab", "docker.service", 2, 4, (Volume("/", 30), Volume("/srv/scratch", 50)), (0.02, 0.3), (0.2, 0.5), 5e6, 2e6, "Fedora Linux 43 (Server Edition)"
)  # fmt: skip
ROLES = {role.name: role for role in (WEB, APP, DB, CACHE, QUEUE, FILES, MAIL, JUMP, LAB)}

SITES = ("ams", "fra", "nyc", "sin", "syd", "gru", "lon", "sfo")
HOSTS_PER_SITE = 20
OWNERS = {
    "web": "edge",
    "mail": "edge",
    "jump": "edge",
    "app": "shop",
    "queue": "shop",
    "cache": "shop",
    "db": "data",
    "files": "data",
    "lab": "lab",
}

# what a site is made of, again and again; those behind its jump host are marked
_FIRST = (
    (JUMP, False),
    (WEB, False),
    (WEB, False),
    (APP, True),
    (APP, True),
    (DB, True),
    (QUEUE, True),
    (FILES, True),
    (MAIL, False),
    (LAB, False),
)
_MORE = (
    (APP, True),
    (WEB, False),
    (DB, True),
    (CACHE, True),
    (APP, True),
    (WEB, False),
    (LAB, False),
    (CACHE, True),
    (APP, True),
    (QUEUE, True),
)


@dataclass(frozen=True, slots=True)
class Place:
    """One host of the fleet: what it is called, what it does, and what it is reached through."""

    name: str
    role: Role
    environment: str
    jump: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


def roster(hosts: int) -> list[Place]:
    """A believable fleet of so many hosts: sites with jump hosts and what stands behind them.

    A fleet of a size is always the same one, and jump hosts come before those that are reached through them.
    """
    sites = SITES[: max(1, min(len(SITES), round(hosts / HOSTS_PER_SITE)))]
    takes = {site: _of_site(site) for site in sites}
    return [next(takes[site]) for _, site in zip(range(hosts), cycle(sites), strict=False)]


def _of_site(site: str) -> Iterator[Place]:
    numbers = {name: count(1) for name in ROLES}
    for turn in count():
        for role, behind in _FIRST if not turn else _MORE:
            number = next(numbers[role.name])
            # every fourth host of what there are many of is the one where changes are tried first
            staging = role in (WEB, APP, DB) and number % 4 == 0
            environment = "lab" if role is LAB else "staging" if staging else "prod"
            yield Place(
                f"{role.name}-{site}-{number}" if role is not JUMP else f"jump-{site}", role, environment,
                (f"jump-{site}",) if behind else (), {"role": role.name, "site": site, "team": OWNERS[role.name]},
            )  # fmt: skip
