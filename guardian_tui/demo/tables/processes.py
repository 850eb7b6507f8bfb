"""Processes of simulated hosts: what runs on one of a role, and a runaway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from guardian_tui.demo.tables.rows import role_of

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures

PROCESSES = 400
HERTZ = 100
RUNAWAY_PID = 31337
PAGE_KB = 4


@dataclass(frozen=True, slots=True)
class Program:
    """Processes of one program: whose, how many, the share of a processor and the MiB of each."""

    command: str
    user: str
    count: int = 1
    share: float = 0.001
    mib: float = 8.0
    threads: int = 1

    @property
    def name(self) -> str:
        """As the kernel has it: without its path, 15 characters."""
        return self.command.split()[0].rsplit("/", 1)[-1].rstrip(":")[:15]


_BASE = (
    Program("/usr/lib/systemd/systemd-journald", "root", 1, 0.002, 40),
    Program("/usr/lib/systemd/systemd-udevd", "root", 1, 0.0005, 9),
    Program("/usr/lib/systemd/systemd-logind", "root", 1, 0.0005, 9),
    Program(
        "/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile", "messagebus", 1, 0.0005, 5
    ),
    Program("/usr/sbin/chronyd -F 1", "_chrony", 2, 0.0002, 3),
    Program("/usr/sbin/cron -f", "root", 1, 0.0002, 3),
    Program("/usr/sbin/rsyslogd -n -iNONE", "root", 1, 0.001, 6, 4),
    Program("sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", "root", 1, 0.0003, 8),
    Program("/sbin/agetty -o -p -- \\u --noclear tty1 linux", "root", 1, 0.0, 2),
)
_DOCKER = (
    Program("/usr/bin/dockerd -H fd://", "root", 1, 0.02, 90, 18), Program("/usr/bin/containerd", "root", 1, 0.01, 50, 14),
)  # fmt: skip
_OF_ROLE: Mapping[str, tuple[Program, ...]] = {
    "web": (
        Program("nginx: master process /usr/sbin/nginx -g daemon on; master_process on;", "root", 1, 0.0, 12),
        Program("nginx: worker process", "www-data", 32, 0.02, 40),
    ),
    "app": (
        *_DOCKER,
        Program("gunicorn: master [shop]", "app", 1, 0.001, 90),
        Program("gunicorn: worker [shop]", "app", 64, 0.04, 140, 4),
        Program("/srv/app/bin/celery -A shop worker", "app", 12, 0.03, 180, 2),
    ),
    "db": (
        Program("/usr/lib/postgresql/17/bin/postgres -D /var/lib/postgresql/17/main", "postgres", 1, 0.002, 220),
        Program("postgres: 17/main: checkpointer", "postgres", 1, 0.01, 900),
        Program("postgres: 17/main: walwriter", "postgres", 1, 0.01, 20),
        Program("postgres: 17/main: shop shop 10.20.0.17(51234) idle", "postgres", 120, 0.02, 60),
    ),
    "cache": (Program("/usr/bin/redis-server 0.0.0.0:6379", "redis", 1, 0.25, 20_000, 5),),
    "queue": (*_DOCKER, Program("/usr/lib/erlang/erts-15.2/bin/beam.smp -W w -MBas ageffcbf", "rabbitmq", 1, 0.5, 6_000, 60),),
    "files": (Program("[nfsd]", "root", 16, 0.01, 0), Program("/usr/sbin/smbd --foreground --no-process-group", "root", 24, 0.005, 30)),
    "mail": (
        Program("/usr/lib/postfix/sbin/master -w", "root", 1, 0.001, 6),
        Program("smtpd -n smtp -t inet -u -c", "postfix", 14, 0.003, 12),
        Program("dovecot/imap", "vmail", 80, 0.001, 9),
    ),
    "jump": (Program("sshd: ops@notty", "ops", 24, 0.001, 8),),
    "lab": _DOCKER,
}  # fmt: skip


@cache
def _cast(role: str, cpus: int) -> tuple[Program, ...]:
    """All processes of a role, systemd first; kernel threads fill up."""
    programs = (*_BASE, *_OF_ROLE.get(role, ()))
    cast = [Program("/sbin/init", "root", 1, 0.001, 13)]
    cast += [program for program in programs for _ in range(program.count)]
    kinds = ("kworker/{}:{}-events", "ksoftirqd/{}", "migration/{}", "cpuhp/{}", "kworker/u{}:{}-flush")
    number = 0
    while len(cast) < PROCESSES:
        name = kinds[number % len(kinds)].format(number // len(kinds) % cpus, number // (len(kinds) * cpus))
        cast.append(Program(f"[{name}]", "root", 1, 0.0002, 0))
        number += 1
    return tuple(cast)


@cache
def _count(role: str, cpus: int) -> tuple[int, int]:
    """Programs, and threads of the kernel."""
    cast = _cast(role, cpus)
    idle = sum(program.command.startswith("[") for program in cast)
    return len(cast) - idle, idle


def processes(figures: Figures) -> list[str]:
    """All of them, and the runaway where there is one."""
    up = figures.uptime
    rows = [f"R\tH\t{HERTZ}\t{PAGE_KB * 1024}\t{up:.2f}"]
    told = []
    cast = _cast(role_of(figures).name, figures.cpus)
    for number, program in enumerate(cast):
        pid = 1 if not number else 300 + number * 7
        kernel = program.command.startswith("[")
        spread = 0.6 + (number * 37 + figures.seed * 11) % 80 / 100
        ticks = up * HERTZ * program.share * spread
        pages = program.mib * spread * 1024 / PAGE_KB
        name = program.command[1:-1][:15] if kernel else program.name
        rows.append(
            f"R\tP\t{pid}\t{0 if not number else 2 if kernel else 1}\t{'I' if kernel else 'S'}\t{ticks:.0f}\t{number}\t{pages:.0f}\t{program.threads}\t{name}"
        )
        if not kernel:
            told.append(f"R\tA\t{pid}\t{program.user}\t{program.command}")
    if figures.runaway:
        rows.append(
            f"R\tP\t{RUNAWAY_PID}\t1\tR\t{figures.runaway_seconds * HERTZ:.0f}\t{figures.runaway_since * HERTZ:.0f}\t120000\t{figures.cpus}\treport"
        )
        told.append(
            f"R\tA\t{RUNAWAY_PID}\twww-data\t/usr/bin/python3 /srv/report/report.py --all --every-customer"
        )
    return rows + told


def tasks(figures: Figures) -> list[str]:
    """As many run as the processors are busy."""
    running = max(1, round(figures.busy * figures.cpus))
    programs, idle = _count(role_of(figures).name, figures.cpus)
    return [f"R\tR\t{running}", f"R\tS\t{programs - running}", f"R\tI\t{idle}"]
