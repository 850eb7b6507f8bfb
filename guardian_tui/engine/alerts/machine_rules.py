"""The shipped rules about containers, hardware, links and mounts over the network."""

from __future__ import annotations

from guardian_tui.engine.alerts.rule_kinds import MINUTE, MetricRule, Term, one, two

ANY_ERROR = Term("memory_errors", ">", 0.0)

MACHINE_RULES: tuple[MetricRule, ...] = (
    one(
        "container_unhealthy",
        "Container unhealthy",
        "notify",
        Term("container_unhealthy", ">", 0.5),
        wait=2 * MINUTE,
        boot_grace=True,
        why="its health check fails, or it starts again and again",
    ),
    one(
        "container_exited",
        "Container exited",
        "notify",
        Term("container_exited", ">", 0.5, view="turned"),
        wait=2 * MINUTE,
        why="it ended with an error, and ran before",
    ),
    two(
        "temperature",
        "Hot",
        ("notify", "notify"),
        Term("temperature_ratio", ">", 0.80, 0.75),
        Term("temperature_ratio", ">", 1.00, 0.95),
        wait=(5 * MINUTE, 5 * MINUTE),
        why="{value} of what its sensor calls critical, limit {limit}",
    ),
    two(
        "ecc",
        "Memory errors",
        ("notify", "page"),
        ANY_ERROR,
        (ANY_ERROR, Term("memory_errors_uncorrected", ">", 0.0)),
        why="{value} since boot",
    ),
    one(
        "raid_degraded",
        "RAID degraded",
        "page",
        Term("raid_missing_members", ">", 0.0),
        severity="critical",
        why="{value} of its members missing",
    ),
    one(
        "link_down",
        "Link down",
        "notify",
        Term("link_down", ">", 0.5, view="turned"),
        wait=5 * MINUTE,
        why="it had carrier before",
    ),
    one(
        "bond_degraded",
        "Bond degraded",
        "notify",
        Term("bond_inactive_members", ">", 0.0),
        wait=5 * MINUTE,
        why="{value} of its members carry nothing",
    ),
    one(
        "new_listening_port",
        "New listening port",
        "notify",
        Term("listening_drift", ">", 0.0),
        why="{value} not in the accepted baseline",
    ),
    # a request that waits doubles or lengthens its patience each time, so that minutes without a timeout are no sign of an answer
    one(
        "nfs_stalled",
        "NFS server does not answer",
        "notify",
        Term("nfs_timeouts_per_second", ">", 0.0),
        keep=10 * MINUTE,
        why="requests wait that were not answered in time",
    ),
)
