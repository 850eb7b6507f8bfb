"""Answers as a person reads them in a terminal: tables and fields, times as times, nothing cut unseen.

Scripts take ``--json``, which leaves nothing out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from guardian_tui.protocol.approvals import Approval
from guardian_tui.protocol.backups import CopiesRow, JobRow, ReadinessRow, RepositoryRow, RunRow, Snapshot
from guardian_tui.protocol.base import Response
from guardian_tui.protocol.discovery import FoundBackups
from guardian_tui.protocol.runbooks import RunbookResult, RunbookRow, RunbookRun
from guardian_tui.text import safe

WIDEST_CELLS = 40
_PROOF = frozenset({"chain", "prev_hash", "hash", "mac"})
"""Columns that nobody reads: what verifies an event is in its JSON and in an export."""
_TIMES = frozenset({"since", "until", "fresh_until", "at", "earliest", "latest"})
_COLUMNS: Mapping[type[msgspec.Struct], tuple[str, ...]] = {
    JobRow: ("name", "host", "repository", "engine", "state", "good_at", "rpo_seconds", "verified_at", "drilled_at", "drill", "next_at", "anomaly", "words"),
    ReadinessRow: ("host", "ready", "good_at", "verified_at", "drilled_at", "rto_seconds", "rto_measured", "copies", "jobs", "why"),
    RepositoryRow: ("name", "engine", "location", "host", "verdict", "snapshots", "newest_at", "listed_at", "verified_at", "bytes", "words", "advice"),
    RunRow: ("id", "job", "repository", "operation", "state", "verdict", "proof", "by", "queued_at", "started_at", "ended_at", "words", "advice"),
    Snapshot: ("id", "at", "repository", "bytes", "files", "good", "why", "verified_at", "drilled_at"),
    RunbookRow: ("id", "title", "version", "steps", "dangerous", "rules", "roles", "last_at", "last_verdict", "commit", "problems"),
    RunbookRun: ("id", "runbook", "state", "verdict", "asked", "step", "leader", "started_at", "ended_at", "proof", "words"),
    RunbookResult: ("step", "host", "state", "exit_code", "words", "last_line"),
    Approval: ("id", "order", "target", "host", "state", "by", "asked_at", "expires_at", "quorum", "words", "why"),
    CopiesRow: ("job", "host", "copies", "places", "elsewhere", "untouchable", "errors", "flags"),
}  # fmt: skip
"""What a table tells of rows that have more than fits a terminal, what is long at the end."""


def words_of(answer: Response) -> str:
    """An answer for a person: a table where it holds rows, else its fields."""
    if isinstance(answer, FoundBackups):
        return _found(answer)
    fields = _fields(answer)
    rows = next(filter(None, map(_rows, fields.values())), None)
    if rows is not None and len(fields) <= 3:
        return _table(rows)
    if fields == {"ok": True}:
        return "Done."
    return "\n".join(_lines(fields)) or "None."


def _found(answer: FoundBackups) -> str:
    """Set-ups of a host, each with its repositories below it; the ids are what `repositories observe` wants."""
    lines = [f"{answer.host}, read as {answer.user}: {', '.join(answer.programs) or 'no program of backups'}"]
    for setup in answer.setups:
        name = f"{setup.file}{f' [{setup.profile}]' if setup.profile else ''}"
        lines += ["", f"{setup.tool}  {name}"]
        told = [
            ("but", setup.words),
            ("last run", f"{_time(setup.ran_at)}, {setup.ran_words}" if setup.ran_at else ""),
        ]
        told += [(plan.kind, f"{plan.when}  {plan.what}  ({plan.where})") for plan in setup.schedules]
        lines += [f"  {what}: {words}" for what, words in told if words]
        for one in setup.repositories:
            here = (
                f"observed as {one.observed}" if one.observed else f"not observed, id {one.id}, as {one.name}"
            )
            lines.append(f"  repository: {one.location}  ({here})")
            lines += [f"    but: {one.problem}"] if one.problem else []
    lines += ["", *(f"unread: {words}" for words in answer.unread)] if answer.unread else []
    return safe(
        "\n".join(lines if answer.setups else [*lines, "Nothing that makes backups was found."]),
        200_000,
        newlines=True,
    )


def _fields(struct: msgspec.Struct) -> dict[str, object]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def _rows(value: object) -> tuple[msgspec.Struct, ...]:
    """The rows that a field holds; none if it holds something else."""
    return value if isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct) else ()


def _lines(fields: Mapping[str, object]) -> list[str]:
    lines: list[str] = []
    for name, value in fields.items():
        if value in ("", None, ()) or value == {}:
            continue
        if isinstance(value, msgspec.Struct | dict):
            inner = _fields(value) if isinstance(value, msgspec.Struct) else value
            below = _lines({safe(str(key), 200): one for key, one in inner.items()})
            lines += [f"{name}:", *(f"  {line}" for line in below)]
        elif rows := _rows(value):
            lines += [f"{name}:", *(f"  {line}" for line in _table(rows).splitlines())]
        else:
            lines.append(f"{name}: {_cell(name, value)}")
    return lines


def _table(rows: Sequence[msgspec.Struct]) -> str:
    names = [
        name
        for name in _COLUMNS.get(type(rows[0]), rows[0].__struct_fields__)
        if name not in _PROOF and any(_told(rows[0], getattr(row, name)) for row in rows)
    ]
    lines = [[*names], *([_cell(name, getattr(row, name)) for name in names] for row in rows)]
    widths = [min(WIDEST_CELLS, max(len(line[place]) for line in lines)) for place in range(len(names))]
    return "\n".join(
        "  ".join(_fit(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _fit(cell: str, width: int) -> str:
    return cell.ljust(width) if len(cell) <= width else cell[: width - 1] + "…"


def _told(row: msgspec.Struct, value: object) -> bool:
    """Whether a column has something to tell: lists of words too, where the column was chosen."""
    return _plain(value) or (type(row) in _COLUMNS and isinstance(value, tuple) and bool(value))


def _plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool) and value not in ("", None)


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and value > 0 and _is_time(name):
        return _time(value / 1000 if name.endswith("_ms") else value)
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, tuple) and all(isinstance(one, str | int | float) for one in value):
        return safe(", ".join(str(one) for one in value), 2000)
    if isinstance(value, msgspec.Struct | dict | tuple):
        return safe(msgspec.json.encode(value).decode(), 2000)
    return safe(str(value), 500)


def _is_time(name: str) -> bool:
    return name in _TIMES or name == "time_ms" or name.endswith("_at")


def _time(seconds: float) -> str:
    """In this terminal's zone, which is that of the person who reads it."""
    try:
        return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")
    except (OverflowError, ValueError, OSError):
        return str(seconds)
