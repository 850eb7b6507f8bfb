"""The catalogue's part of services, security, upkeep and storage."""

from __future__ import annotations

from guardian_tui.protocol.section_kinds import MEDIUM_SECONDS, SLOW_SECONDS, Column, SectionKind

SERVICE_KINDS: tuple[SectionKind, ...] = (
    SectionKind(
        "units", "units in trouble", "Units that failed or take long, and services that were restarted by their supervisor.",
        (
            Column("unit", "unit"), Column("active", "active"), Column("sub", "state"), Column("age", "since", "seconds"),
            Column("restarts", "restarts", "count"), Column("result", "result"), Column("description", "description"),
        ), period_seconds=MEDIUM_SECONDS, sort="unit",
    ),
    SectionKind(
        "unit_list", "units", "Every unit: whether it is loaded and active, since when, and what it takes.",
        (
            Column("unit", "unit"), Column("load", "load"), Column("active", "active"), Column("sub", "state"), Column("age", "since", "seconds"),
            Column("memory", "memory", "bytes"), Column("tasks", "tasks", "count"), Column("restarts", "restarts", "count"),
            Column("description", "description"),
        ), sort="unit",
    ),
    SectionKind(
        "timers", "timers", "When systemd's timers elapse next and did last, and what they start.",
        (
            Column("timer", "timer"), Column("next", "next", "time"), Column("in", "in", "seconds"), Column("last", "last", "time"),
            Column("unit", "unit"), Column("result", "result"),
        ), sort="next",
    ),
    SectionKind(
        "clock_sync", "clock", "Who keeps the clock, the server that it follows, and how far it is off.",
        (
            Column("by", "kept by"), Column("synchronised", "sync"), Column("server", "server"), Column("stratum", "stratum", "count"),
            Column("offset", "offset", "seconds"),
        ), period_seconds=MEDIUM_SECONDS,
    ),
    SectionKind(
        "sessions", "sessions", "Who is logged in, from where and since when.",
        (
            Column("user", "user"), Column("tty", "tty"), Column("from", "from"), Column("since", "since", "time"), Column("state", "state"),
            Column("service", "by"), Column("pid", "pid", "number"),
        ), sort="-since",
    ),
    SectionKind(
        "accounts", "accounts", "Accounts with a shell or the rights of root, the groups that make administrators, and their last login.",
        (
            Column("user", "user"), Column("uid", "uid", "number"), Column("shell", "shell"), Column("groups", "groups"),
            Column("last", "last login", "time"), Column("from", "from"), Column("home", "home"),
        ), period_seconds=SLOW_SECONDS, sort="user",
    ),
    SectionKind(
        "logins", "logins", "Where logins of the last five minutes came from: how many failed, how many were let in.",
        (
            Column("source", "from"), Column("failed", "failed", "count"), Column("accepted", "accepted", "count"), Column("user", "user"),
        ), period_seconds=MEDIUM_SECONDS, sort="-failed",
    ),
    SectionKind(
        "updates", "updates", "Packages that wait, and which of them are for security.",
        (
            Column("package", "package"), Column("installed", "installed"), Column("available", "available"), Column("security", "security"),
            Column("origin", "from"),
        ), period_seconds=SLOW_SECONDS, sort="-security",
    ),
    SectionKind(
        "certificates", "certificates", "Certificates on disk: whose they are, and how long they hold.",
        (
            Column("path", "file"), Column("ends", "ends", "time"), Column("days", "days left", "count"), Column("subject", "subject"),
            Column("names", "names"), Column("issuer", "issuer"), Column("key", "key"), Column("serial", "serial"),
        ), period_seconds=SLOW_SECONDS, sort="days",
    ),
    SectionKind(
        "host_keys", "host keys", "The SSH keys and certificates by which the host is known.",
        (
            Column("file", "file"), Column("kind", "kind"), Column("fingerprint", "fingerprint"), Column("ends", "ends", "time"),
            Column("comment", "comment"),
        ), period_seconds=SLOW_SECONDS, sort="file",
    ),
)  # fmt: skip
