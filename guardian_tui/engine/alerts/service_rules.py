"""The shipped rules over services, security, upkeep and storage: what sections of the probe tell."""

from __future__ import annotations

from guardian_tui.engine.alerts.rule_kinds import HOUR, MINUTE, Level, MetricRule, Term, mean, one, two

DAY = 24 * HOUR

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
)
