"""The shipped rules over what the engine's checks find."""

from __future__ import annotations

from guardian_tui.engine.alerts.rule_kinds import MINUTE, MetricRule, Term, one, two

DAY = 86400.0

CHECK_RULES: tuple[MetricRule, ...] = (
    one(
        "http_check_failed",
        "HTTP check failed",
        "page",
        Term("check_http_trouble", ">", 1.0),
        severity="critical",
        why="it failed 3 times in a row",
    ),
    two(
        "check_failed",
        "Check failed",
        ("notify", "page"),
        Term("check_trouble", ">", 0.0),
        Term("check_trouble", ">", 1.0),
        why="it was in trouble 3 times in a row",
    ),
    two(
        "tls_certificate",
        "TLS certificate expires",
        ("notify", "page"),
        Term("check_certificate_seconds", "<", 21 * DAY),
        Term("check_certificate_seconds", "<", 7 * DAY),
        why="it expires in {value}",
    ),
    one(
        "tls_certificate_invalid",
        "TLS certificate does not hold",
        "page",
        Term("check_certificate_invalid", ">", 0.5),
        severity="critical",
        why="its chain or its name does not hold",
    ),
    one(
        "database_replication_lag",
        "Replication lags",
        "notify",
        Term("check_replication_lag_seconds", ">", 30.0, 15.0),
        wait=5 * MINUTE,
        why="{value} behind, limit {limit}",
    ),
    one(
        "database_connections",
        "Database connections nearly used up",
        "notify",
        Term("check_connections_ratio", ">", 0.80, 0.75),
        wait=5 * MINUTE,
        why="{value} of connections used, limit {limit}",
    ),
)
