"""Sections about a host's kernel, its hardware and its network."""

from __future__ import annotations

from guardian_tui.protocol.section_kinds import MEDIUM_SECONDS, SLOW_SECONDS, Column, SectionKind

KERNEL_SECTIONS: tuple[SectionKind, ...] = (
    SectionKind(
        "cores", "processors", "Each processor by itself: what it does, how fast it runs, how often heat slowed it down.",
        (
            Column("core", "core", "number"), Column("busy", "busy", "ratio"), Column("user", "user", "ratio"),
            Column("system", "system", "ratio"), Column("iowait", "iowait", "ratio"), Column("interrupts", "irq", "ratio"),
            Column("steal", "steal", "ratio"), Column("mhz", "MHz", "count"), Column("throttled", "throttled", "count"),
        ), sort="core",
    ),
    SectionKind(
        "interrupts", "interrupts", "Hardware and software interrupts, all processors together.",
        (
            Column("interrupt", "interrupt"), Column("kind", "kind"), Column("rate", "rate", "per_second"), Column("total", "total", "count"),
            Column("source", "source"),
        ), sort="-rate",
    ),
    SectionKind(
        "kernel", "kernel", "What the kernel says of itself: taint, command line, modules, huge pages, known weaknesses.",
        (Column("name", "name"), Column("value", "value")), period_seconds=SLOW_SECONDS,
    ),
    SectionKind(
        "cgroups", "control groups", "Slices, services and containers: what they use and what they may use.",
        (
            Column("group", "group"), Column("cpu", "cpu", "ratio"), Column("throttled", "throttled", "ratio"),
            Column("memory", "memory", "bytes"), Column("memory_limit", "limit", "bytes"), Column("memory_used", "used", "ratio"),
            Column("memory_pressure", "mem psi", "ratio"), Column("io_pressure", "io psi", "ratio"), Column("pids", "pids", "count"),
            Column("pids_limit", "most", "count"), Column("oom_kills", "oom", "count"),
        ), sort="-cpu",
    ),
    SectionKind(
        "containers", "containers", "What docker and podman list, and what control groups show of containers of any kind.",
        (
            Column("name", "name"), Column("state", "state"), Column("health", "health"), Column("restarts", "restarts", "count"),
            Column("cpu", "cpu", "ratio"), Column("memory", "memory", "bytes"), Column("image", "image"), Column("status", "status"),
            Column("engine", "engine"), Column("id", "id"),
        ), period_seconds=MEDIUM_SECONDS, sort="name",
    ),
)  # fmt: skip

HARDWARE_SECTIONS: tuple[SectionKind, ...] = (
    SectionKind(
        "sensors", "temperatures and fans", "Sensors of processors, boards, disks and fans.",
        (
            Column("sensor", "sensor"), Column("kind", "kind"), Column("celsius", "°C", "count"), Column("high", "high", "count"),
            Column("critical", "critical", "count"), Column("rpm", "rpm", "count"), Column("alarm", "alarm"),
        ), period_seconds=MEDIUM_SECONDS, sort="sensor",
    ),
    SectionKind(
        "ecc", "memory errors", "Errors that ECC memory corrected, and those that it could not, since boot.",
        (
            Column("controller", "controller"), Column("corrected", "corrected", "count"), Column("uncorrected", "uncorrected", "count"),
            Column("memory", "memory", "bytes"), Column("name", "name"),
        ), period_seconds=MEDIUM_SECONDS,
    ),
    SectionKind(
        "raid", "RAID arrays", "Arrays of md: level, members, and how far a repair is.",
        (
            Column("array", "array"), Column("state", "state"), Column("level", "level"), Column("missing", "missing", "count"),
            Column("members", "members", "count"), Column("failed", "failed"), Column("sync", "sync", "ratio"), Column("finish", "finish", "seconds"),
            Column("devices", "devices"),
        ), period_seconds=MEDIUM_SECONDS,
    ),
    SectionKind(
        "disks", "disks", "Disks and other block devices: model, size, kind.",
        (
            Column("disk", "disk"), Column("size", "size", "bytes"), Column("kind", "kind"), Column("model", "model"), Column("serial", "serial"),
            Column("scheduler", "scheduler"), Column("notes", "notes"),
        ), period_seconds=SLOW_SECONDS, sort="disk",
    ),
    SectionKind(
        "hardware", "hardware", "What the machine is: product, firmware, processors, memory, virtualisation.",
        (Column("name", "name"), Column("value", "value")), period_seconds=SLOW_SECONDS,
    ),
)  # fmt: skip

NETWORK_SECTIONS: tuple[SectionKind, ...] = (
    SectionKind(
        "sockets", "sockets", "Sockets by kind and state, and what went wrong with them since the reading before.",
        (Column("name", "name"), Column("count", "count", "count"), Column("rate", "rate", "per_second")), period_seconds=MEDIUM_SECONDS,
    ),
    SectionKind(
        "connections", "connections", "Connections of TCP and UDP, with the process where it can be seen.",
        (
            Column("local", "local", address=True), Column("remote", "remote", address=True),
            Column("protocol", "protocol"), Column("state", "state"), Column("pid", "pid", "number"),
            Column("process", "process"), Column("uid", "uid", "number"),
        ), sort="remote",
    ),
    SectionKind(
        "listening", "listening ports", "Ports that this host listens on, with the process where it can be seen.",
        (
            Column("address", "address", address=True), Column("port", "port", "number"), Column("protocol", "protocol"), Column("pid", "pid", "number"),
            Column("process", "process"), Column("uid", "uid", "number"), Column("reach", "reach"),
        ), period_seconds=MEDIUM_SECONDS, sort="port",
    ),
    SectionKind(
        "links", "links", "Network interfaces: carrier, speed, duplex, and bonds with their members.",
        (
            Column("interface", "interface"), Column("state", "state"), Column("carrier", "carrier"), Column("mbits", "Mb/s", "count"),
            Column("duplex", "duplex"), Column("mtu", "mtu", "number"), Column("bond", "bond"), Column("mac", "address"),
            Column("changes", "changes", "count"), Column("notes", "notes"),
        ), period_seconds=MEDIUM_SECONDS, sort="interface",
    ),
    SectionKind(
        "nfs", "NFS", "Mounts of NFS: how fast their server answers, and what had to be sent again.",
        (
            Column("mount", "mount"), Column("server", "server"), Column("rate", "ops/s", "per_second"), Column("round_trip", "rtt", "seconds"),
            Column("whole", "whole", "seconds"), Column("again", "again", "ratio"), Column("timeouts", "timeouts", "count"),
            Column("slowest", "slowest"),
        ), period_seconds=MEDIUM_SECONDS,
    ),
)  # fmt: skip
