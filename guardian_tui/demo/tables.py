"""What a simulated host answers when it is asked for a section: tables in the probe's own rows, that suit its role and its troubles.

What does not change is made once per role; a host keeps nothing of its own for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from guardian_tui.demo.roles import LAB, Role

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures

PROCESSES = 400
HERTZ = 100
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
_OF_ROLE: Mapping[str, tuple[Program, ...]] = {
    "web": (
        Program("nginx: master process /usr/sbin/nginx -g daemon on; master_process on;", "root", 1, 0.0, 12),
        Program("nginx: worker process", "www-data", 32, 0.02, 40),
    ),
    "app": (
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
    "queue": (Program("/usr/lib/erlang/erts-15.2/bin/beam.smp -W w -MBas ageffcbf", "rabbitmq", 1, 0.5, 6_000, 60),),
    "files": (Program("[nfsd]", "root", 16, 0.01, 0), Program("/usr/sbin/smbd --foreground --no-process-group", "root", 24, 0.005, 30)),
    "mail": (
        Program("/usr/lib/postfix/sbin/master -w", "root", 1, 0.001, 6),
        Program("smtpd -n smtp -t inet -u -c", "postfix", 14, 0.003, 12),
        Program("dovecot/imap", "vmail", 80, 0.001, 9),
    ),
    "jump": (Program("sshd: ops@notty", "ops", 24, 0.001, 8),),
    "lab": (Program("/usr/bin/dockerd -H fd://", "root", 1, 0.02, 90, 18), Program("/usr/bin/containerd", "root", 1, 0.01, 50, 14)),
}  # fmt: skip
_UNITS = (
    ("cron.service", "Regular background program processing daemon"), ("dbus.service", "D-Bus System Message Bus"),
    ("chrony.service", "chrony, an NTP client/server"), ("rsyslog.service", "System Logging Service"),
    ("ssh.service", "OpenBSD Secure Shell server"), ("systemd-journald.service", "Journal Service"),
    ("systemd-logind.service", "User Login Management"), ("systemd-udevd.service", "Rule-based Manager for Device Events and Files"),
    ("unattended-upgrades.service", "Unattended Upgrades Shutdown"), ("nftables.service", "nftables"),
    ("ssh.socket", "OpenBSD Secure Shell server socket"), ("dbus.socket", "D-Bus System Message Bus Socket"),
    ("multi-user.target", "Multi-User System"), ("network-online.target", "Network is Online"), ("-.mount", "Root Mount"),
)  # fmt: skip
_TIMERS = (
    ("apt-daily.timer", 43_200), ("apt-daily-upgrade.timer", 86_400), ("logrotate.timer", 86_400), ("fstrim.timer", 604_800),
    ("man-db.timer", 86_400), ("systemd-tmpfiles-clean.timer", 86_400),
)  # fmt: skip
_NOBODY = Role("host", "host.service")


def _role(figures: Figures) -> Role:
    return figures.role or _NOBODY


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


def _processes(figures: Figures) -> list[str]:
    up = figures.uptime
    rows = [f"R\tH\t{HERTZ}\t{PAGE_KB * 1024}\t{up:.2f}"]
    told = []
    cast = _cast(_role(figures).name, figures.cpus)
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
            f"R\tP\t31337\t1\tR\t{figures.runaway_seconds * HERTZ:.0f}\t{figures.runaway_since * HERTZ:.0f}\t120000\t{figures.cpus}\treport"
        )
        told.append("R\tA\t31337\twww-data\t/usr/bin/python3 /srv/report/report.py --all --every-customer")
    return rows + told


def _tasks(figures: Figures) -> list[str]:
    running = max(1, round(figures.busy * figures.cpus))
    cast = _cast(_role(figures).name, figures.cpus)
    idle = sum(program.command.startswith("[") for program in cast)
    return [f"R\tR\t{running}", f"R\tS\t{len(cast) - idle - running}", f"R\tI\t{idle}"]


def _booted(figures: Figures) -> str:
    return f"R\tB\t{figures.uptime:.2f} {figures.uptime * 3:.2f}"


def _units(figures: Figures) -> list[str]:
    rows = [_booted(figures), "R\tW"]
    unit, restarts = _role(figures).unit, int(figures.restarts)
    since = max(0.0, figures.uptime - 8) * 1e6
    if figures.crash_loop:
        rows.append(f"R\tU\t{unit} loaded activating auto-restart {_words(unit)}")
        rows.append(f"R\tS\t{unit}\t{restarts}\tactivating\tauto-restart\texit-code\t{since:.0f}")
    elif restarts:
        rows.append(f"R\tS\t{unit}\t{restarts}\tactive\trunning\tsuccess\t{since:.0f}")
    return rows


def _words(unit: str) -> str:
    return f"{unit.partition('.')[0].partition('@')[0].capitalize()} of this host"


def _unit_list(figures: Figures) -> list[str]:
    rows = [_booted(figures)]
    mine, restarts = _role(figures).unit, int(figures.restarts)
    for number, (unit, words) in enumerate((*_UNITS, (mine, _words(mine)))):
        service = unit.endswith(".service")
        active, sub = (
            "active",
            "running" if service else "listening" if unit.endswith(".socket") else "active",
        )
        if unit == mine and figures.crash_loop:
            active, sub = "activating", "auto-restart"
        memory, tasks = ((4 + number * 3) << 20, 1 + number % 5) if service else ("[not set]", "[not set]")
        count = restarts if unit == mine else 0
        rows.append(
            f"R\tL\t{unit}\t{count}\tloaded\t{active}\t{sub}\t{(9 + number) * 1_000_000}\t{memory}\t{tasks}\t{words}"
        )
    return rows


def _timers(figures: Figures) -> list[str]:
    now = figures.wall()
    rows = [_booted(figures)]
    for number, (timer, every) in enumerate(_TIMERS):
        after = every - (now + figures.seed * 977 + number * 311) % every
        rows.append(
            f"R\tT\t{timer}\t{_stamp(now + after)}\t\t{_stamp(now + after - every)}\t{timer.replace('.timer', '.service')}\tsuccess"
        )
    return rows


def _stamp(at: float) -> str:
    return time.strftime("%a %Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def _clock_sync(figures: Figures) -> list[str]:
    offset = figures.clock_offset
    lost = figures.clock_drift or abs(offset) > 1
    return [
        _booted(figures), f"R\tD\t{figures.wall() + offset:.0f}",
        f"R\tC\tReference ID    : {'00000000 ()' if lost else 'C0A80A01 (192.168.10.1)'}", f"R\tC\tStratum         : {0 if lost else 3}",
        f"R\tC\tSystem time     : {abs(offset) + 0.000012:.9f} seconds {'slow' if offset < 0 else 'fast'} of NTP time",
        f"R\tC\tLeap status     : {'Not synchronised' if lost else 'Normal'}",
    ]  # fmt: skip


def _sessions(figures: Figures) -> list[str]:
    now = figures.wall()
    rows = [f"R\tD\t{now:.0f}"]
    people = (
        ("ada", "grace", "linus")[: 1 + figures.seed % 2] if _role(figures).name in ("jump", "lab") else ()
    )
    rows += [
        f"R\tL\t{4 + n}\t{4100 + n * 17}\t{who}\tpts/{n}\t10.20.0.{11 + n}\tsshd\tactive\t{_stamp(now - 1800 - 700 * n)}" for n, who in enumerate(people)
    ]  # fmt: skip
    return rows


def _accounts(figures: Figures) -> list[str]:
    now = figures.wall()
    came = [time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(now - 90_000 * n - 7000)) for n in (1, 2)]
    return [
        f"R\tD\t{now:.0f}", "R\tP\troot\t0\t/root\t/bin/bash", "R\tP\tada\t1000\t/home/ada\t/bin/bash", "R\tP\tgrace\t1001\t/home/grace\t/bin/zsh",
        "R\tP\tdemo\t1002\t/home/demo\t/bin/sh", "R\tG\tsudo\tada", "R\tG\tadm\tada,grace",
        *([] if _role(figures).name != LAB.name else ["R\tG\tdocker\tgrace"]),
        f"R\tL\tada      pts/0        10.20.0.11       {came[0]} - still logged in", f"R\tL\tgrace    pts/1        10.20.0.12       {came[1]} - gone",
    ]  # fmt: skip


def _logins(figures: Figures) -> list[str]:
    # the noise that any port 22 on the internet hears
    tried = figures.seed % 7 if _role(figures).name in ("jump", "mail") else 0
    rows = ["R\tN"]
    if tried:
        rows.append(f"R\tF\t203.0.113.{tried * 31 % 250}\t{tried}\t{tried}\t0\t")
    return rows


TABLES: dict[str, Callable[[Figures], list[str]]] = {
    "processes": _processes, "tasks": _tasks, "units": _units, "unit_list": _unit_list, "timers": _timers, "clock_sync": _clock_sync,
    "sessions": _sessions, "accounts": _accounts, "logins": _logins,
}  # fmt: skip


def answer(figures: Figures, sections: str) -> str:
    """The body of an answer to ``q NAME NAME…``."""
    lines = []
    for name in sections.split()[1:]:
        lines.append(f"S\t{name}")
        table = TABLES.get(name)
        lines += table(figures) if table else [f"X\t{name}\tthis probe has no such section"]
    return "\n".join(lines) + "\n" if lines else ""
