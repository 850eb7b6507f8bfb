"""Rows as the filter and the files that are saved see them: columns by name, and the text that is searched."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import msgspec

from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.backups import CopiesRow, JobRow, ReadinessRow, RepositoryRow, RunRow
from guardian_tui.protocol.checks import CheckRow
from guardian_tui.protocol.fleet import HostRow
from guardian_tui.protocol.runbooks import RunbookResult, RunbookRow, RunbookRun

_FACT_COLUMNS = {"cpu": "processor", "memory": "ram"}
_NUMBERS = frozenset({"cpu_count", "memory", "packages"})


Table = tuple[list[str], list[tuple[object, ...]]]
"""Names of columns, and rows of cells: what is saved to a file."""


def table_of(
    kind: type[msgspec.Struct], rows: Sequence[msgspec.Struct], without: Set[str] = frozenset()
) -> Table:
    """Rows of one kind as a table, without the columns that nobody would look for in a file."""
    names = [name for name in kind.__struct_fields__ if name not in without]
    return names, [tuple(getattr(row, name) for name in names) for row in rows]


def _number(words: str) -> float | str:
    """The number that a fact begins with, if it does."""
    try:
        return float(words.split(" ", 1)[0])
    except ValueError:
        return words


def host_columns(row: HostRow) -> dict[str, Any]:  # Any: the row's values
    """A host's columns by name; its facts stand among them, those of a column's name under another (``processor``, ``ram`` in GiB)."""
    columns = msgspec.structs.asdict(row)
    facts = columns.pop("facts")
    for name, words in facts.items():
        columns[_FACT_COLUMNS.get(name, name)] = _number(words) if name in _NUMBERS else words
    return columns


def host_text(row: HostRow) -> str:
    """The text of a host in which words are looked for, in lower case."""
    labels = " ".join(f"{key}={value}" for key, value in row.labels.items())
    return (
        f"{row.name} {row.state} {row.why} {row.environment} @{row.environment} {row.behind} {labels} {' '.join(row.groups)}"
    ).lower()


def alert_columns(alert: Alert) -> dict[str, Any]:  # Any: the row's values
    """An alert's columns by name."""
    return msgspec.structs.asdict(alert)


def alert_text(alert: Alert) -> str:
    """The text of an alert in which words are looked for, in lower case."""
    return (
        f"{alert.title} {alert.rule} {alert.host} {alert.instance} {alert.severity} {alert.tier} {alert.state} {alert.why} "
        f"{alert.acknowledged_by}"
    ).lower()


def check_columns(row: CheckRow) -> dict[str, Any]:  # Any: the row's values
    """A check's columns by name."""
    return msgspec.structs.asdict(row)


def check_text(row: CheckRow) -> str:
    """The text of a check in which words are looked for, in lower case."""
    labels = " ".join(f"{key}={value}" for key, value in row.labels.items())
    return f"{row.name} {row.host} {row.kind} {row.where} {row.state} {row.words} {labels}".lower()


def job_columns(row: JobRow) -> dict[str, Any]:  # Any: the row's values
    """A backup job's columns by name."""
    return msgspec.structs.asdict(row)


def job_text(row: JobRow) -> str:
    """The text of a backup job in which words are looked for, in lower case."""
    labels = " ".join(f"{key}={value}" for key, value in row.labels.items())
    came = f"{row.run.verdict or ''} {row.run.words}" if row.run else ""
    return f"{row.name} {row.host} {row.repository} {row.engine} {row.state} {row.words} {came} {row.anomaly} {labels}".lower()


def repository_columns(row: RepositoryRow) -> dict[str, Any]:  # Any: the row's values
    """A repository's columns by name."""
    return msgspec.structs.asdict(row)


def repository_text(row: RepositoryRow) -> str:
    """The text of a repository in which words are looked for, in lower case."""
    return f"{row.name} {row.host} {row.engine} {row.location} {row.verdict or ''} {row.words} {row.site} {row.keeper}".lower()


def readiness_columns(row: ReadinessRow) -> dict[str, Any]:  # Any: the row's values
    """A host's readiness, by name."""
    return msgspec.structs.asdict(row)


def readiness_text(row: ReadinessRow) -> str:
    """The text of a host's readiness in which words are looked for, in lower case."""
    return f"{row.host} {row.ready} {' '.join(row.why)}".lower()


def copies_columns(row: CopiesRow) -> dict[str, Any]:  # Any: the row's values
    """A job's copies by name; ``short`` of the rule or not."""
    return {**msgspec.structs.asdict(row), "short": "yes" if row.flags else "no"}


def copies_text(row: CopiesRow) -> str:
    """The text of a job's copies in which words are looked for, in lower case."""
    held = " ".join(f"{one.repository} {one.place} {one.site} {one.keeper}" for one in row.held)
    return f"{row.job} {row.host} {' '.join(row.flags)} {held}".lower()


def run_columns(row: RunRow) -> dict[str, Any]:  # Any: the row's values
    """A run's columns by name."""
    return msgspec.structs.asdict(row)


def run_text(row: RunRow) -> str:
    """The text of a run in which words are looked for, in lower case."""
    return f"{row.job} {row.host} {row.repository} {row.operation} {row.state} {row.verdict or ''} {row.words} {row.by}".lower()


def runbook_columns(row: RunbookRow) -> dict[str, Any]:  # Any: the row's values
    """A runbook's columns by name."""
    return msgspec.structs.asdict(row)


def runbook_text(row: RunbookRow) -> str:
    """The text of a runbook in which words are looked for, in lower case."""
    told = f"{row.id} {row.title} {row.file} {row.summary} {' '.join(row.rules)} {' '.join(row.tags)} {row.last_verdict}"
    return f"{told} {' '.join(row.problems)}".lower()


def runbook_run_columns(run: RunbookRun) -> dict[str, Any]:  # Any: the row's values
    """A run's columns by name."""
    return msgspec.structs.asdict(run)


def runbook_run_text(run: RunbookRun) -> str:
    """The text of a run in which words are looked for, in lower case."""
    told = f"{run.id} {run.runbook} {run.title} {run.state} {run.verdict} {run.by} {run.leader} {run.step} {run.words}"
    return f"{told} {' '.join(run.hosts)} {run.rule} {run.reason}".lower()


def result_columns(one: RunbookResult) -> dict[str, Any]:  # Any: the row's values
    """What came of a step on a host, by the names of the columns that a person sees."""
    took = one.ended_at - one.started_at if one.started_at is not None and one.ended_at is not None else None
    return {
        "host": one.host, "state": one.state, "batch": one.batch, "exit": one.exit_code, "took": took, "attempt": one.attempt,
        "words": one.words, "last_line": one.last_line,
    }  # fmt: skip


def result_text(one: RunbookResult) -> str:
    """The text of what came of a step on a host in which words are looked for, in lower case."""
    return f"{one.host} {one.state} {one.words} {one.last_line}".lower()
