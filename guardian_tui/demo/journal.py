"""The journal of simulated hosts: lines that suit a role, and what a trouble has a host say.

Nothing is kept of it: which line stands at which moment follows from the host's seed, so that a cursor goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guardian_tui.demo.tables.rows import digits, role_of

if TYPE_CHECKING:
    from guardian_tui.demo.figures import Figures

MOST_LINES = 2000
LOOKED_BACK = 20_000
"""Moments that are looked through for the lines of a unit that says little."""


@dataclass(frozen=True, slots=True)
class Saying:
    """One kind of line: who says it, for which unit, how grave (as syslog counts), and what; ``{n}`` is a number of the moment."""

    source: str
    unit: str
    text: str
    priority: int = 6


_SSHD = (
    Saying("sshd-session", "ssh.service", "Accepted publickey for demo from 10.20.0.5 port 5{n:04} ssh2: ED25519 SHA256:kRgj0WvB3Uu2nTgq0bqTzVb1Vx2Y6m0m3y3l6Q9n2pE"),
    Saying("sshd-session", "ssh.service", "pam_unix(sshd:session): session opened for user demo(uid=1002) by demo(uid=0)"),
)  # fmt: skip
_EVERYWHERE = (
    Saying("CRON", "cron.service", "(root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 1 1)"),
    Saying("systemd", "init.scope", "Starting logrotate.service - Rotate log files..."),
    Saying("systemd", "init.scope", "logrotate.service: Deactivated successfully."),
    Saying("systemd", "init.scope", "Finished logrotate.service - Rotate log files."),
    Saying("chronyd", "chrony.service", "Selected source 192.168.10.1"), *_SSHD,
)  # fmt: skip
_OF_ROLE: Mapping[str, tuple[Saying, ...]] = {
    "web": (
        Saying("nginx", "nginx.service", '198.51.100.{b} "GET /products/{n} HTTP/2.0" 200 18211 0.012'),
        Saying("nginx", "nginx.service", '198.51.100.{b} "GET /static/app.{n}.js HTTP/2.0" 304 0 0.001'),
        Saying("nginx", "nginx.service", '198.51.100.{b} "POST /cart HTTP/2.0" 302 154 0.038'),
        Saying("nginx", "nginx.service", "upstream timed out (110: Connection timed out) while reading response header, upstream: http://10.20.0.14:8000/", 4),
    ),
    "app": (
        Saying("gunicorn", "gunicorn.service", "order {n} accepted in 41 ms"),
        Saying("gunicorn", "gunicorn.service", "cache miss for product {n}, read from the database in 9 ms"),
        Saying("celery", "gunicorn.service", "Task shop.mail.receipt[{n}] succeeded in 0.21s"),
        Saying("gunicorn", "gunicorn.service", "payment {n}: the bank was slow, tried again", 4),
    ),
    "db": (
        Saying("postgres", "postgresql@17-main.service", "checkpoint complete: wrote {n} buffers (2.1%); write=26.9 s, sync=0.011 s, total=27.0 s"),
        Saying("postgres", "postgresql@17-main.service", "automatic vacuum of table \"shop.public.orders\": index scans: 1, tuples removed: {n}"),
        Saying("postgres", "postgresql@17-main.service", "duration: 1{b} ms  statement: SELECT * FROM orders WHERE customer = {n}", 5),
    ),
    "cache": (
        Saying("redis-server", "redis-server.service", "10000 changes in 60 seconds. Saving..."),
        Saying("redis-server", "redis-server.service", "Background saving terminated with success"),
    ),
    "queue": (
        Saying("rabbitmq-server", "rabbitmq-server.service", "accepting AMQP connection 10.20.0.{b}:4{n:04} -> 10.20.0.16:5672"),
        Saying("rabbitmq-server", "rabbitmq-server.service", "connection 10.20.0.{b}:4{n:04}: user 'shop' authenticated and granted access to vhost '/'"),
    ),
    "files": (
        Saying("smbd", "smbd.service", "[10.20.0.{b}] connect to service projects initially as user grace"),
        Saying("rpc.mountd", "nfs-server.service", "v4.2 client attached from 10.20.0.{b}:7{n:03}"),
    ),
    "mail": (
        Saying("postfix/smtpd", "postfix@-.service", "connect from mx{b}.example.net[198.51.100.{b}]"),
        Saying("postfix/qmgr", "postfix@-.service", "4F{n:04}2A: removed"),
        Saying("dovecot", "dovecot.service", "imap-login: Login: user=<ada>, method=PLAIN, rip=198.51.100.{b}, TLS"),
        Saying("postfix/smtpd", "postfix@-.service", "NOQUEUE: reject: RCPT from unknown[203.0.113.{b}]: 554 5.7.1 Relay access denied", 5),
    ),
    "jump": _SSHD, "lab": (Saying("dockerd", "docker.service", "ignoring event module=libcontainerd topic=/tasks/delete type=*events.TaskDelete"),),
}  # fmt: skip
_IN_TROUBLE: Mapping[str, tuple[Saying, ...]] = {
    "cpu": (
        Saying("report", "report.service", "customer {n} of 48211: sorting in memory"),
        Saying("nginx", "nginx.service", "worker process is not responding, 512 requests wait", 4),
    ),
    "oom": (
        Saying("postgres", "postgresql@17-main.service", "could not fork new process for connection: Cannot allocate memory", 3),
        Saying("kernel", "", "postgres invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0", 4),
        Saying("kernel", "", "Out of memory: Killed process 1{n:04} (postgres) total-vm:6112{n:04}kB, anon-rss:5871{n:04}kB, UID:104", 3),
    ),
    "crash-loop": (
        Saying("rabbitmq-server", "rabbitmq-server.service", "BOOT FAILED: the table rabbit_durable_queue is damaged", 3),
        Saying("systemd", "rabbitmq-server.service", "rabbitmq-server.service: Main process exited, code=exited, status=1/FAILURE", 5),
        Saying("systemd", "rabbitmq-server.service", "rabbitmq-server.service: Failed with result 'exit-code'.", 4),
        Saying("systemd", "rabbitmq-server.service", "rabbitmq-server.service: Scheduled restart job, restart counter is at {b}."),
    ),
    "clock": (
        Saying("chronyd", "chrony.service", "Can't synchronise: no selectable sources (3 unreachable sources)", 4),
        Saying("chronyd", "chrony.service", "System clock wrong by {b} ms", 4),
    ),
    "disk": (
        Saying("smbd", "smbd.service", "vfs_write_fsp: /srv/files/projects/render_{n}.exr: No space left on device", 3),
        Saying("rsyslogd", "rsyslog.service", "file '/srv/files/audit.log': write error: No space left on device", 3),
    ),
    "container": (Saying("dockerd", "docker.service", "Health check for container 982d4486a93e error: context deadline exceeded", 4),),
    "raid": (
        Saying("kernel", "", "ata2.00: failed command: READ FPDMA QUEUED, error: {{ UNC }}, sector 71{n:04}", 3),
        Saying("kernel", "", "md/raid1:md0: Disk failure on sdb1, disabling device.", 2),
        Saying("mdadm", "mdmonitor.service", "Fail event detected on md device /dev/md0, component device /dev/sdb1", 2),
    ),
    "hostile": (Saying("\x1b]0;owned\x07", "docker.service", "\x1b]52;c;aGk=\x07[@click=app.quit]\u202e[/] \x1b[2Jlogin from \x9b31mnowhere"),),
}  # fmt: skip
_GAP_SECONDS = {"web": 2, "app": 3, "jump": 9, "lab": 20}


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a journal was asked for: a unit's lines (empty: all), the newest ones, or those after a moment."""

    unit: str = ""
    newest: int = 200
    after: int | None = None


def asked(argv: Sequence[str]) -> Asked:
    """What a command line of journalctl asks for."""
    unit, newest, after = "", 200, None
    for word, value in zip(argv, [*argv[1:], ""], strict=True):
        if word == "-u":
            unit = value
        elif word == "-n" and value.isdecimal():
            newest = int(value)
        elif word.startswith("--after-cursor="):
            after = int(word.rpartition("i=")[2], 16)
    return Asked(unit, newest, after)


def journal(figures: Figures, wanted: Asked) -> bytes:
    """The lines as journalctl writes them with ``-o json``, oldest first."""
    gap = _GAP_SECONDS.get(role_of(figures).name, 6)
    now = int(figures.wall() / gap)
    oldest = max(
        now - LOOKED_BACK,
        int((figures.wall() - figures.uptime) / gap),
        -1 if wanted.after is None else wanted.after,
    )
    most = wanted.newest if wanted.after is None else MOST_LINES
    found = []
    for entry in _backwards(figures, now, oldest, gap, wanted.unit):
        found.append(json.dumps(entry))
        if len(found) >= most:
            break
    return "".join(f"{line}\n" for line in reversed(found)).encode()


def _backwards(figures: Figures, now: int, oldest: int, gap: int, unit: str) -> Iterator[dict[str, str]]:
    usual = (*_OF_ROLE.get(role_of(figures).name, ()) * 8, *_EVERYWHERE)
    trouble, began, ended = figures.episode
    boot = digits(f"boot {figures.seed}", 32)
    for moment in range(now, oldest, -1):
        at = moment * gap
        # a cheap dice that is always the same for a host and a moment
        dice = (moment * 2654435761 + figures.seed * 40503) >> 7 & 0xFFFF
        ill = _IN_TROUBLE.get(trouble, ()) if began <= at < ended and dice % 3 else ()
        said = ill[moment % len(ill)] if ill else usual[dice % len(usual)]
        if unit and said.unit != unit:
            continue
        yield {
            "__CURSOR": f"s={boot};i={moment:x}", "__REALTIME_TIMESTAMP": f"{at * 1_000_000 + dice * 15}", "PRIORITY": str(said.priority),
            "SYSLOG_IDENTIFIER": said.source, "_SYSTEMD_UNIT": said.unit, "MESSAGE": said.text.format(n=dice % 10_000, b=dice % 250),
        }  # fmt: skip
