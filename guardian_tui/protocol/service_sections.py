"""The catalogue's part of services, security, upkeep and storage."""

from __future__ import annotations

from guardian_tui.protocol.section_kinds import MEDIUM_SECONDS, Column, SectionKind

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
)  # fmt: skip
