"""The shipped rules over services, security, upkeep and storage: what sections of the probe tell."""

from __future__ import annotations

from guardian_tui.engine.alerts.rule_kinds import HOUR, MINUTE, Level, MetricRule, Term, mean, one, two
from guardian_tui.protocol.alerts import Tier

DAY = 24 * HOUR


def _differs(rule: str, title: str, tier: Tier, section: str) -> MetricRule:
    return one(
        rule, title, tier, Term(f"{section}_drift", ">", 0.0), why="{value} not as in the accepted baseline"
    )


SERVICE_RULES: tuple[MetricRule, ...] = (
    one(
        "unit_failed",
        "Unit failed",
        "notify",
        Term("unit_failed", ">", 0.5),
        wait=5 * MINUTE,
        why="it is in the state failed",
    ),
    one(
        "unit_crash_loop",
        "Service restarts again and again",
        "page",
        mean("unit_restarts", 2.0, minutes=5),
        wait=15 * MINUTE,
        severity="critical",
        why="{value} restarts in 5 minutes, limit {limit}",
    ),
    one(
        "clock_unsynchronised",
        "Clock follows no server",
        "notify",
        Term("clock_synchronised", "<", 0.5),
        wait=10 * MINUTE,
        why="nothing keeps it right",
    ),
    MetricRule(
        "failed_logins",
        "Failed logins",
        (
            Level("warning", "notify", (Term("logins_failed", ">", 20.0),)),
            Level("critical", "page", (Term("logins_failed", ">", 20.0), Term("logins_accepted", ">", 0.0))),
        ),
        why="{value} failed in 5 minutes, limit {limit}",
    ),
    MetricRule(
        "security_updates",
        "Security updates wait",
        (
            Level("info", "show", (Term("updates_security", ">", 0.0),), DAY),
            Level("warning", "notify", (Term("updates_security", ">", 0.0),), 7 * DAY),
        ),
        why="{value} packages",
    ),
    one(
        "reboot_required",
        "Reboot required",
        "show",
        Term("reboot_required", ">", 0.5),
        wait=DAY,
        severity="info",
        why="for what was updated",
    ),
    two(
        "certificate_on_disk",
        "Certificate on disk runs out",
        ("notify", "page"),
        Term("certificate_days_left", "<", 21.0),
        Term("certificate_days_left", "<", 7.0),
        why="{value} days left, limit {limit}",
    ),
    two(
        "zfs_degraded",
        "ZFS pool degraded",
        ("page", "page"),
        Term("zfs_pool_trouble", ">", 0.5),
        Term("zfs_pool_trouble", ">", 1.5),
        why="the pool is not on line with all its members",
    ),
    one(
        "smart",
        "Disk fails",
        "page",
        Term("smart_failing", ">", 0.5),
        severity="critical",
        why="the disk says so itself",
    ),
    two(
        "lvm_pool_low",
        "Thin pool or snapshot nearly full",
        ("notify", "page"),
        Term("lvm_pool_used_ratio", ">", 0.80, 0.78),
        Term("lvm_pool_used_ratio", ">", 0.95, 0.93),
    ),
    one("multipath_degraded", "Path to a disk failed", "notify", Term("multipath_failed_paths", ">", 0.0)),
    _differs("authorized_keys_changed", "authorized_keys changed", "notify", "authorized_keys"),
    _differs("new_suid_file", "New SUID file", "notify", "suid_files"),
    _differs("sudoers_changed", "sudoers changed", "notify", "sudoers"),
    _differs("accounts_changed", "Accounts changed", "notify", "accounts"),
    _differs("host_keys_changed", "SSH keys of the host changed", "show", "host_keys"),
    _differs("sshd_settings_changed", "Settings of sshd changed", "show", "sshd_settings"),
    _differs("firewall_changed", "Firewall changed", "show", "firewall"),
)
