"""Cases of the rules over services, security, upkeep and storage; columns as in test_rules.CASES."""

from __future__ import annotations

FAILED = "unit_failed{nginx.service}"
RESTARTS = "unit_restarts{app.service}"
SYNC = "clock_synchronised"
SOURCE = ("logins_failed{192.0.2.7}", "logins_accepted{192.0.2.7}")
SECURITY = "updates_security"
REBOOT = "reboot_required"
DAYS = "certificate_days_left{letsencrypt/example.org}"

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
]
