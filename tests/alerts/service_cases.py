"""Cases of the rules over services, security, upkeep and storage; columns as in test_rules.CASES."""

from __future__ import annotations

FAILED = "unit_failed{nginx.service}"
RESTARTS = "unit_restarts{app.service}"

SERVICE_CASES = [
    ("unit_failed", "warning", (FAILED,), {FAILED: 1.0}, 300, None, {FAILED: 0.0}, 0),
    ("unit_crash_loop", "critical", (RESTARTS,), {RESTARTS: 5.0}, None, None, {RESTARTS: 0.0}, 100),
]
