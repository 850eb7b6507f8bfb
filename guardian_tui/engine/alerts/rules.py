"""The shipped alert rules, as data.

Thresholds follow what the common rule packs agree on (Netdata's health.d, the node-exporter mixin, Checkmk's
and Zabbix's defaults), with hysteresis and waiting times against false alarms.  Ids are stable: silences and
runbooks refer to them.
"""

from __future__ import annotations

from guardian_tui.engine.alerts.backup_rules import BACKUP_RULES
from guardian_tui.engine.alerts.check_rules import CHECK_RULES
from guardian_tui.engine.alerts.machine_rules import MACHINE_RULES
from guardian_tui.engine.alerts.rule_kinds import (
    GIB,
    HOUR,
    MINUTE,
    EventRule,
    MetricRule,
    Term,
    mean,
    one,
    two,
)
from guardian_tui.engine.alerts.service_rules import SERVICE_RULES

WRITABLE = Term("filesystem_readonly", "<", 0.5, optional=True)
"""A read-only image is always full and never fuller."""


def _full(used_ratio: float, available_bytes: float) -> tuple[Term, ...]:
    return (
        Term("filesystem_used_ratio", ">", used_ratio, used_ratio - 0.01),
        Term("filesystem_available_bytes", "<", available_bytes, available_bytes * 1.1),
        WRITABLE,
    )


def _fills(hours: float, used_ratio: float) -> tuple[Term, ...]:
    return (
        Term("filesystem_available_bytes", "<", hours * HOUR, hours * HOUR * 1.5, "until_zero", 6 * HOUR),
        Term("filesystem_used_ratio", ">", used_ratio, used_ratio - 0.02),
        WRITABLE,
    )


METRIC_RULES: tuple[MetricRule, ...] = (
    two(
        "disk_low",
        "Disk low",
        ("notify", "page"),
        _full(0.95, 20 * GIB),
        _full(0.97, 5 * GIB),
        wait=(10 * MINUTE, MINUTE),
        why="{value} used, limit {limit}",
    ),
    two(
        "disk_forecast",
        "Disk will be full",
        ("notify", "page"),
        _fills(24, 0.60),
        _fills(4, 0.80),
        wait=(30 * MINUTE, 30 * MINUTE),
        why="full in {value} if it goes on like this",
    ),
    two(
        "inodes_low",
        "Inodes low",
        ("notify", "notify"),
        Term("filesystem_inodes_free_ratio", "<", 0.05, 0.06),
        Term("filesystem_inodes_free_ratio", "<", 0.03, 0.04),
        wait=(10 * MINUTE, 10 * MINUTE),
        why="{value} of inodes free, limit {limit}",
    ),
    one(
        "file_system_read_only",
        "File system turned read-only",
        "page",
        Term("filesystem_readonly", ">", 0.5, view="turned"),
        wait=MINUTE,
        severity="critical",
        why="it was writable before",
    ),
    two(
        "cpu_busy",
        "CPU busy",
        ("show", "notify"),
        mean("cpu_busy_ratio", 0.85, 0.75),
        mean("cpu_busy_ratio", 0.95, 0.85),
        boot_grace=True,
    ),
    one(
        "iowait",
        "CPU waits for I/O",
        "show",
        mean("cpu_iowait_ratio", 0.40, 0.20),
        wait=30 * MINUTE,
        boot_grace=True,
    ),
    one(
        "cpu_steal",
        "CPU stolen by the hypervisor",
        "show",
        mean("cpu_steal_ratio", 0.10, 0.05, minutes=20),
        boot_grace=True,
    ),
    one("load", "Load", "show", Term("load1_per_core", ">", 2.0), wait=15 * MINUTE, boot_grace=True),
    one(
        "memory_pressure",
        "Memory pressure",
        "page",
        Term("pressure_memory_full_ratio", ">", 0.10),
        wait=5 * MINUTE,
        severity="critical",
        boot_grace=True,
    ),
    one(
        "io_pressure",
        "I/O pressure",
        "notify",
        Term("pressure_io_full_ratio", ">", 0.40),
        wait=10 * MINUTE,
        boot_grace=True,
    ),
    two(
        "memory_low",
        "Memory low",
        ("notify", "notify"),
        Term("memory_available_ratio", "<", 0.10, 0.12),
        Term("memory_available_ratio", "<", 0.05, 0.07),
        wait=(15 * MINUTE, 5 * MINUTE),
        why="{value} available, limit {limit}",
    ),
    two(
        "swap",
        "Swap nearly full",
        ("show", "show"),
        Term("swap_used_ratio", ">", 0.90, 0.80),
        Term("swap_used_ratio", ">", 0.98, 0.90),
        wait=(30.0, 30.0),
    ),
    one(
        "oom_kill",
        "Process killed for memory",
        "notify",
        Term("oom_kills", ">", 0.0),
        keep=30 * MINUTE,
        why="{value} killed",
    ),
    one(
        "major_faults",
        "Major page faults",
        "show",
        Term("major_faults_per_second", ">", 500.0),
        wait=15 * MINUTE,
        boot_grace=True,
    ),
    one(
        "blocked_tasks",
        "Blocked tasks",
        "notify",
        Term("tasks_blocked", ">", 5.0),
        wait=5 * MINUTE,
        boot_grace=True,
    ),
    one("zombies", "Zombies", "show", Term("processes_zombie", ">", 5.0), wait=5 * MINUTE),
    two(
        "clock_offset",
        "Clock off",
        ("notify", "notify"),
        (
            Term("clock_offset_seconds", ">", 0.05, 0.04, "absolute"),
            Term("clock_offset_seconds", ">", HOUR, HOUR / 2, "until_zero", 10 * MINUTE),
        ),
        Term("clock_offset_seconds", ">", 0.5, 0.4, "absolute"),
        wait=(10 * MINUTE, 10 * MINUTE),
        boot_grace=True,
    ),
    one(
        "rebooted",
        "Rebooted",
        "notify",
        Term("uptime_seconds", "<", 10 * MINUTE),
        severity="info",
        why="up for {value}",
    ),
    one("nic_errors", "Network errors", "notify", Term("network_error_ratio", ">", 0.01), wait=10 * MINUTE),
    one("nic_drops", "Network drops", "show", mean("network_drop_ratio", 0.02), wait=MINUTE),
    two(
        "conntrack",
        "Connection table nearly full",
        ("notify", "notify"),
        Term("conntrack_used_ratio", ">", 0.75, 0.70),
        Term("conntrack_used_ratio", ">", 0.95, 0.90),
        wait=(5 * MINUTE, 5 * MINUTE),
    ),
    two(
        "file_descriptors",
        "File handles nearly used up",
        ("notify", "notify"),
        Term("file_descriptors_used_ratio", ">", 0.70, 0.65),
        Term("file_descriptors_used_ratio", ">", 0.90, 0.85),
        wait=(15 * MINUTE, 15 * MINUTE),
    ),
    two(
        "pids",
        "Process ids nearly used up",
        ("notify", "notify"),
        Term("pids_used_ratio", ">", 0.85, 0.80),
        Term("pids_used_ratio", ">", 0.95, 0.90),
        wait=(5 * MINUTE, 5 * MINUTE),
    ),
    one(
        "disk_queue",
        "Disk queue long",
        "show",
        Term("disk_queue", ">", 10.0),
        wait=30 * MINUTE,
        boot_grace=True,
    ),
    one(
        "disk_await",
        "Disk slow",
        "show",
        Term("disk_await_seconds", ">", 0.020),
        wait=30 * MINUTE,
        boot_grace=True,
    ),
    *SERVICE_RULES,
    *MACHINE_RULES,
    *CHECK_RULES,
    *BACKUP_RULES,
)

DOWN_POLLS = 3
"""Polls in a row that must fail before a host is down."""
UP_POLLS = 2
"""Polls in a row that must succeed before it is up again."""
BEHIND_SECONDS = 120.0
CHANNEL_FAILURES = 3
"""Tries in a row that must fail before a channel counts as failing."""

EVENT_RULES: tuple[EventRule, ...] = (
    EventRule(
        "host_down",
        "Host down",
        "critical",
        "page",
        f"{DOWN_POLLS} polls in a row failed, and what stands before it answers",
        f"{UP_POLLS} polls in a row succeeded",
    ),
    EventRule(
        "host_key_changed",
        "Host key changed",
        "critical",
        "page",
        "the host's key is not the pinned one",
        "the host shows the pinned key",
    ),
    EventRule(
        "engine_cut_off",
        "Engine cut off",
        "critical",
        "page",
        "most independent hosts failed in one wave",
        "hosts answer again",
    ),
    EventRule(
        "engine_behind",
        "Engine behind",
        "warning",
        "notify",
        "polls are late by more than one interval",
        "polls are on time",
        BEHIND_SECONDS,
    ),
    EventRule(
        "notifications_failing",
        "Notifications failing",
        "critical",
        "page",
        f"a channel failed {CHANNEL_FAILURES} times in a row, or had to give up a message",
        "a message is delivered",
    ),
)
