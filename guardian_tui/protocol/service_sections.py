"""The catalogue's part of services, security, upkeep and storage."""

from __future__ import annotations

from guardian_tui.protocol.section_kinds import (
    MEDIUM_SECONDS,
    RARE_SECONDS,
    SLOW_SECONDS,
    Column,
    SectionKind,
)

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
            Column("by", "kept by"), Column("synchronised", "sync"), Column("server", "server", address=True), Column("stratum", "stratum", "count"),
            Column("offset", "offset", "seconds"),
        ), period_seconds=MEDIUM_SECONDS,
    ),
    SectionKind(
        "sessions", "sessions", "Who is logged in, from where and since when.",
        (
            Column("user", "user"), Column("tty", "tty"), Column("from", "from", address=True), Column("since", "since", "time"), Column("state", "state"),
            Column("service", "by"), Column("pid", "pid", "number"),
        ), sort="-since",
    ),
    SectionKind(
        "accounts", "accounts", "Accounts with a shell or the rights of root, the groups that make administrators, and their last login.",
        (
            Column("user", "user"), Column("uid", "uid", "number"), Column("shell", "shell"), Column("groups", "groups"),
            Column("last", "last login", "time"), Column("from", "from", address=True), Column("home", "home"),
        ), period_seconds=SLOW_SECONDS, sort="user",
    ),
    SectionKind(
        "logins", "logins", "Where logins of the last five minutes came from: how many failed, how many were let in.",
        (
            Column("source", "from", address=True), Column("failed", "failed", "count"), Column("accepted", "accepted", "count"), Column("user", "user"),
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
    SectionKind(
        "firewall", "firewall", "Chains of the firewall: their policy, how many rules they have, and a checksum of these.",
        (
            Column("chain", "chain"), Column("hook", "hook"), Column("policy", "policy"), Column("rules", "rules", "count"),
            Column("checksum", "checksum"),
        ), period_seconds=SLOW_SECONDS, sort="chain",
    ),
    SectionKind(
        "authorized_keys", "authorized keys", "Keys that let somebody in without a password.",
        (
            Column("user", "user"), Column("kind", "kind"), Column("fingerprint", "fingerprint"), Column("comment", "comment"),
            Column("options", "options"), Column("file", "file"),
        ), period_seconds=SLOW_SECONDS, sort="user",
    ),
    SectionKind(
        "sudoers", "sudoers", "Who may use sudo, and for what.",
        (Column("line", "line"), Column("nopasswd", "no password"), Column("file", "file")), period_seconds=SLOW_SECONDS, sort="file",
    ),
    SectionKind(
        "suid_files", "SUID files", "Files that run with the rights of their owner or group, on local file systems.",
        (Column("path", "file"), Column("owner", "owner"), Column("group", "group"), Column("mode", "mode")),
        period_seconds=RARE_SECONDS, sort="path",
    ),
    SectionKind(
        "sshd_settings", "sshd", "Settings of sshd that decide who gets in, and what is risky about them.",
        (Column("setting", "setting"), Column("value", "value"), Column("risk", "risk")), period_seconds=SLOW_SECONDS, sort="-risk",
    ),
    SectionKind(
        "smart", "disk health", "What disks say of themselves by SMART and NVMe: their verdict, wear, age, sectors and errors.",
        (
            Column("disk", "disk"), Column("model", "model"), Column("health", "health"), Column("wear", "worn", "ratio"),
            Column("hours", "hours", "count"), Column("reallocated", "reallocated", "count"), Column("pending", "pending", "count"),
            Column("errors", "errors", "count"), Column("temperature", "°C", "count"),
        ), period_seconds=SLOW_SECONDS, sort="disk",
    ),
    SectionKind(
        "lvm", "LVM", "Logical volumes and their groups, and how full thin pools and snapshots are.",
        (
            Column("name", "name"), Column("kind", "kind"), Column("size", "size", "bytes"), Column("free", "free", "bytes"),
            Column("used", "used", "ratio"), Column("metadata", "metadata", "ratio"), Column("pool", "pool"), Column("trouble", "trouble"),
        ), period_seconds=SLOW_SECONDS, sort="name",
    ),
    SectionKind(
        "zfs", "ZFS", "Pools of ZFS: their health, how full they are, and what is wrong.",
        (
            Column("pool", "pool"), Column("health", "health"), Column("size", "size", "bytes"), Column("free", "free", "bytes"),
            Column("used", "used", "ratio"), Column("fragmented", "frag", "ratio"), Column("status", "status"),
        ), period_seconds=MEDIUM_SECONDS, sort="pool",
    ),
    SectionKind(
        "multipath", "multipath", "Paths to disks, and which of them have failed.",
        (Column("disk", "disk"), Column("map", "map"), Column("path", "path"), Column("state", "state")), period_seconds=SLOW_SECONDS, sort="map",
    ),
)  # fmt: skip
