"""Which columns a table of the headless commands has, and how a value of each reads: ages, sizes, shares, times."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from guardian_tui.protocol.access import Account, Grant, Session
from guardian_tui.protocol.alerts import Alert, Channel, Rule, Silence
from guardian_tui.protocol.approvals import Approval
from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.protocol.backups import CopiesRow, JobRow, ReadinessRow, RepositoryRow, RunRow, Snapshot
from guardian_tui.protocol.checks import CheckRow
from guardian_tui.protocol.fleet import HostRow, Question
from guardian_tui.protocol.runbooks import RunbookResult, RunbookRow, RunbookRun
from guardian_tui.protocol.views import View
from guardian_tui.text import safe
from widgets import figures

PROOF = frozenset({"chain", "prev_hash", "hash", "mac"})
"""Columns that nobody reads: what verifies an event is in its JSON and in an export."""
_TIMES = frozenset({"since", "until", "fresh_until", "at", "earliest", "latest", "start", "end"})
_AGES = frozenset(
    {"since", "good_at", "verified_at", "drilled_at", "measured_at", "next_at", "listed_at", "newest_at", "last_at", "asked_at", "expires_at",
     "full_at", "last_ok_at", "last_login_at", "last_seen_at"}
)  # fmt: skip
"""Times of which a table tells how long ago they are, or in how long."""
_SHARES = frozenset({"cpu", "memory", "disk"})
COLUMNS: Mapping[type[msgspec.Struct], tuple[str, ...]] = {
    HostRow: ("name", "state", "since", "environment", "cpu", "memory", "disk", "disk_mount", "load_per_core", "uptime_seconds", "alerts", "why"),
    Alert: ("id", "severity", "title", "host", "instance", "state", "since", "acknowledged_by", "why"),
    Silence: ("id", "rule", "host", "instance", "until", "by", "reason"),
    Rule: ("rule", "severity", "tier", "for_seconds", "condition", "clears"),
    Channel: ("name", "kind", "state", "last_ok_at", "waiting", "target", "last_error"),
    CheckRow: ("name", "host", "kind", "where", "state", "since", "measured_at", "seconds", "period_seconds", "words"),
    Question: ("id", "host", "kind", "asked_at", "algorithm", "fingerprint", "pinned_fingerprint", "words"),
    AuditEvent: ("seq", "time_ms", "actor", "action", "target", "outcome", "body"),
    Session: ("id", "account", "kind", "created_at", "last_seen_at", "expires_at", "locked", "peer_uid"),
    Account: ("id", "name", "state", "grants", "created_at", "last_login_at"),
    JobRow: ("name", "host", "repository", "engine", "state", "good_at", "rpo_seconds", "verified_at", "drilled_at", "drill", "next_at", "anomaly", "words"),
    ReadinessRow: ("host", "ready", "good_at", "verified_at", "drilled_at", "rto_seconds", "rto_measured", "copies", "jobs", "why"),
    RepositoryRow: (
        "name", "engine", "location", "host", "verdict", "snapshots", "newest_at", "listed_at", "verified_at", "bytes", "capacity_bytes", "full_at",
        "forecast", "words", "advice",
    ),
    RunRow: ("id", "job", "repository", "operation", "state", "verdict", "proof", "by", "queued_at", "started_at", "ended_at", "words", "advice"),
    Snapshot: ("id", "at", "repository", "bytes", "files", "good", "why", "verified_at", "drilled_at"),
    RunbookRow: ("id", "title", "version", "steps", "dangerous", "rules", "roles", "last_at", "last_verdict", "commit", "problems"),
    RunbookRun: ("id", "runbook", "state", "verdict", "asked", "step", "leader", "started_at", "ended_at", "proof", "words"),
    RunbookResult: ("step", "host", "state", "exit_code", "words", "last_line"),
    Approval: ("id", "order", "target", "host", "state", "by", "asked_at", "expires_at", "quorum", "words", "why"),
    View: ("name", "screen", "filter", "sort", "problems", "columns", "shared", "owner"),
    CopiesRow: ("job", "host", "copies", "places", "elsewhere", "untouchable", "errors", "flags"),
}  # fmt: skip
"""What a table tells of rows that have more than fits a terminal, what is long at the end."""


def title(name: str) -> str:
    """A column's head: its field without the unit, which its values have."""
    for end in ("_at", "_ms", "_seconds", "_bytes", "_ratio"):
        name = name.removesuffix(end)
    return name.replace("_bytes_per_second", "/s").replace("_per_", "/").replace("_", " ")


def cell(name: str, value: object, *, now: float | None = None, kind: type | None = None) -> str:
    """A value as it reads.

    Args:
        name: its field, whose end says its unit; a series' name too.
        value: what it is.
        now: Unix seconds, where a table tells ages; None: times in full.
        kind: the row that it stands in.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(name.partition("{")[0], value, now, kind)
    if isinstance(value, tuple) and all(isinstance(one, str | int | float) for one in value):
        return safe(", ".join(str(one) for one in value), 2000)
    if isinstance(value, tuple) and all(isinstance(one, Grant) for one in value):
        return safe(
            ", ".join(f"{one.profile}@{one.scope}" if one.scope else one.profile for one in value), 2000
        )
    if isinstance(value, msgspec.Struct | dict | tuple):
        return safe(msgspec.json.encode(value).decode(), 2000)
    return safe(str(value), 500)


def is_number(name: str, value: object) -> bool:
    """Whether a column is right-aligned: numbers, and what they were made into."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and (name in _AGES or not _is_time(name))
    )


def _number(name: str, value: float, now: float | None, kind: type | None) -> str:
    if _is_time(name) and value > 0:
        at = value / 1000 if name.endswith("_ms") else value
        return _age(at, now) if now is not None and name in _AGES else time_words(at, zone=now is None)
    if name in ("bytes", "size") or name.endswith("_bytes"):
        return figures.size(value) if value >= 0 else str(value)
    if name.endswith("_bytes_per_second"):
        return f"{figures.size(value)}/s" if value >= 0 else str(value)
    if name == "seconds" or name.endswith("_seconds"):
        return figures.span(value) if value >= 0 else f"{value:g}s"
    if name.endswith("_ratio") or (kind is HostRow and name in _SHARES):
        return f"{value * 100:.0f}%"
    return (
        f"{value:.3f}".rstrip("0").rstrip(".")
        if isinstance(value, float) and abs(value) < 1e15
        else str(value)
    )


def _is_time(name: str) -> bool:
    return name in _TIMES or name == "time_ms" or name.endswith("_at")


def _age(at: float, now: float) -> str:
    if abs(at) > 1e12:
        return str(at)
    return figures.age(now - at) if at <= now else f"in {figures.age(at - now)}"


def time_words(seconds: float, *, zone: bool = True) -> str:
    """In this terminal's zone, which is that of the person who reads it."""
    try:
        at = datetime.fromtimestamp(seconds).astimezone()
    except (OverflowError, ValueError, OSError):
        return str(seconds)
    return at.isoformat(" ", "seconds") if zone else at.replace(tzinfo=None).isoformat(" ", "seconds")
