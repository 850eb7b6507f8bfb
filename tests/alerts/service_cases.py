"""Cases of the rules over services, security, upkeep and storage; columns as in test_rules.CASES."""

from __future__ import annotations

FAILED = "unit_failed{nginx.service}"
RESTARTS = "unit_restarts{app.service}"
SYNC = "clock_synchronised"
SOURCE = ("logins_failed{192.0.2.7}", "logins_accepted{192.0.2.7}")
SECURITY = "updates_security"
REBOOT = "reboot_required"
DAYS = "certificate_days_left{letsencrypt/example.org}"
POOL = "zfs_pool_trouble{tank}"
SMART = "smart_failing{sda}"
THIN = "lvm_pool_used_ratio{vg0/pool}"
PATHS = "multipath_failed_paths{mpatha}"
DRIFTS = {
    "authorized_keys_changed": "authorized_keys", "new_suid_file": "suid_files", "sudoers_changed": "sudoers", "accounts_changed": "accounts",
    "host_keys_changed": "host_keys", "sshd_settings_changed": "sshd_settings", "firewall_changed": "firewall",
}  # fmt: skip

SERVICE_CASES = [
    ("unit_failed", "warning", (FAILED,), {FAILED: 1.0}, 300, None, {FAILED: 0.0}, 0),
    ("unit_crash_loop", "critical", (RESTARTS,), {RESTARTS: 5.0}, None, None, {RESTARTS: 0.0}, 100),
    ("clock_unsynchronised", "warning", (SYNC,), {SYNC: 0.0}, 600, None, {SYNC: 1.0}, 0),
    ("failed_logins", "warning", SOURCE, {SOURCE[0]: 21.0}, 0, None, {SOURCE[0]: 20.0}, 0),
    (
        "failed_logins",
        "critical",
        SOURCE,
        {SOURCE[0]: 21.0, SOURCE[1]: 1.0},
        0,
        None,
        {SOURCE[0]: 20.0, SOURCE[1]: 1.0},
        0,
    ),
    ("security_updates", "info", (SECURITY,), {SECURITY: 3.0}, 86400, None, {SECURITY: 0.0}, 0),
    ("security_updates", "warning", (SECURITY,), {SECURITY: 3.0}, 7 * 86400, None, {SECURITY: 0.0}, 0),
    ("reboot_required", "info", (REBOOT,), {REBOOT: 1.0}, 86400, None, {REBOOT: 0.0}, 0),
    ("certificate_on_disk", "warning", (DAYS,), {DAYS: 20.9}, 0, None, {DAYS: 21.0}, 0),
    ("certificate_on_disk", "critical", (DAYS,), {DAYS: -3.0}, 0, None, {DAYS: 89.0}, 0),
    ("zfs_degraded", "warning", (POOL,), {POOL: 1.0}, 0, None, {POOL: 0.0}, 0),
    ("zfs_degraded", "critical", (POOL,), {POOL: 2.0}, 0, None, {POOL: 0.0}, 0),
    ("smart", "critical", (SMART,), {SMART: 1.0}, 0, None, {SMART: 0.0}, 0),
    ("lvm_pool_low", "warning", (THIN,), {THIN: 0.81}, 0, {THIN: 0.79}, {THIN: 0.5}, 0),
    ("lvm_pool_low", "critical", (THIN,), {THIN: 0.96}, 0, {THIN: 0.94}, {THIN: 0.5}, 0),
    ("multipath_degraded", "warning", (PATHS,), {PATHS: 1.0}, 0, None, {PATHS: 0.0}, 0),
    *(
        (
            rule,
            "warning",
            (f"{section}_drift",),
            {f"{section}_drift": 1.0},
            0,
            None,
            {f"{section}_drift": 0.0},
            0,
        )
        for rule, section in DRIFTS.items()
    ),
]
