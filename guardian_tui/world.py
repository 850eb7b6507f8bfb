"""What the client knows: the stream's deltas applied, and frozen snapshots of it for the screens.

Ages are reckoned on the engine's clock as its heartbeats tell it, moved on by our own monotonic clock: a wrong clock on either side, or a cut,
never makes an old value look fresh.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from guardian_tui.protocol.alerts import Alert, Silence
from guardian_tui.protocol.approvals import Approval
from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.protocol.backups import JobRow, ReadinessRow, RepositoryRow, RunRow, shown_job_state
from guardian_tui.protocol.checks import CheckRow, shown_check_state
from guardian_tui.protocol.events import Delta, Heartbeat
from guardian_tui.protocol.fleet import HostRow, HostState, Question
from guardian_tui.protocol.freshness import shown_state
from guardian_tui.protocol.runbooks import (
    RunbookNewest,
    RunbookProgress,
    RunbookResult,
    RunbookRow,
    RunbookRun,
    RunbookWatchers,
)
from guardian_tui.protocol.system import EngineStatus
from guardian_tui.text import in_order

AUDIT_KEPT = 500

_SEVERITY = {"critical": 0, "warning": 1, "info": 2}
_BACKUPS = frozenset({"backups", "runs", "repositories", "readiness"})
_RUNBOOKS = frozenset(
    {"runbooks", "runbook_runs", "runbook_progress", "runbook_results", "runbook_newest", "runbook_watchers"}
)
_JOB_STATES = {
    "failed": 0, "critical": 1, "never": 2, "late": 3, "unknown": 4, "running": 5, "ok": 6, "off": 7,
}  # fmt: skip
_RESULT_STATES = {"failed": 0, "unknown": 1, "running": 2, "ok": 3, "waiting": 4}
"""What has come of hosts stands above those that nothing was done on yet."""
_CHECK_STATES = {"failed": 0, "warning": 1, "unknown": 2, "waiting": 3, "ok": 4, "off": 5}


@dataclass(frozen=True, slots=True)
class Counts:
    """Hosts by state, and alerts."""

    states: Mapping[HostState, int]
    hosts: int
    alerts: int
    critical: int
    questions: int


@dataclass(frozen=True, slots=True)
class Change:
    """What one event changed, for screens that draw only what changed."""

    hosts: tuple[HostRow, ...] = ()
    hosts_gone: tuple[str, ...] = ()
    complete: bool = False
    alerts: bool = False
    audit: bool = False
    questions: bool = False
    checks: bool = False
    backups: bool = False
    """Jobs, runs, repositories or readiness."""
    runbooks: bool = False
    """The library, runs of it, their progress or results."""
    asking: tuple[RunbookRun, ...] = ()
    """Runs that have just come to an approval."""
    handed: tuple[RunbookRun, ...] = ()
    """Runs that another person leads since just now."""
    judged: tuple[RunbookRun, ...] = ()
    """Runs whose approval somebody has just given or refused."""
    orders: bool = False
    """Orders that wait for another person, or what was said of them."""
    approvals: tuple[Approval, ...] = ()
    """Orders that wait for another person, or no longer do, since just now."""
    fired: tuple[Alert, ...] = ()
    """Alerts of tier page or critical severity that are new and not silenced: for the bell."""

    def and_then(self, later: Change) -> Change:
        """Both in one, for a picture that is drawn less often; what is told at once is left out."""
        gone = dict.fromkeys((*self.hosts_gone, *later.hosts_gone))
        rows = {row.id: row for row in (*self.hosts, *later.hosts)}
        for id in later.hosts_gone:
            rows.pop(id, None)
        for row in later.hosts:
            gone.pop(row.id, None)
        return Change(
            hosts=tuple(rows.values()),
            hosts_gone=tuple(gone),
            complete=self.complete or later.complete,
            alerts=self.alerts or later.alerts,
            audit=self.audit or later.audit,
            questions=self.questions or later.questions,
            checks=self.checks or later.checks,
            backups=self.backups or later.backups,
            runbooks=self.runbooks or later.runbooks,
            orders=self.orders or later.orders,
        )


EVERYTHING = Change(
    complete=True, alerts=True, audit=True, questions=True, checks=True, backups=True, runbooks=True, orders=True
)  # fmt: skip
"""What a screen is told that was not drawn for a while."""


class World:
    """Applies the event stream; owned by the app, read by the screens."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.hosts: dict[str, HostRow] = {}
        self.alerts: dict[str, Alert] = {}
        self.silences: dict[str, Silence] = {}
        self.audit: dict[str, AuditEvent] = {}
        self.questions: dict[str, Question] = {}
        self.checks: dict[str, CheckRow] = {}
        self.backups: dict[str, JobRow] = {}
        self.runs: dict[str, RunRow] = {}
        self.repositories: dict[str, RepositoryRow] = {}
        self.readiness: dict[str, ReadinessRow] = {}
        self.approvals: dict[str, Approval] = {}
        self.runbooks: dict[str, RunbookRow] = {}
        self.runbook_runs: dict[str, RunbookRun] = {}
        self.runbook_progress: dict[str, RunbookProgress] = {}
        self.runbook_results: dict[str, RunbookResult] = {}
        self.runbook_newest: dict[str, RunbookNewest] = {}
        self.runbook_watchers: dict[str, RunbookWatchers] = {}
        self.status: EngineStatus | None = None
        self._engine_time = 0.0
        self._heard_at: float | None = None
        self.connected = False

    def now(self) -> float:
        """The engine's wall clock, as far as we know it."""
        if self._heard_at is None:
            return time.time()
        return self._engine_time + (self._monotonic() - self._heard_at)

    def silent_seconds(self) -> float:
        """How long nothing was heard of the engine."""
        return 0.0 if self._heard_at is None else self._monotonic() - self._heard_at

    def beat(self, heartbeat: Heartbeat) -> None:
        """Take a heartbeat."""
        self.status = heartbeat.status
        self._engine_time = heartbeat.status.time
        self._heard_at = self._monotonic()
        self.connected = True

    def apply(self, delta: Delta) -> Change:
        """Take a delta; says what changed."""
        first = delta.complete
        fired = () if first else tuple(a for a in delta.alerts if self._rings(a))
        asking = () if first else tuple(run for run in delta.runbook_runs if self._asks_anew(run))
        handed = () if first else tuple(run for run in delta.runbook_runs if self._is_handed(run))
        judged = () if first else tuple(run for run in delta.runbook_runs if self._is_judged(run))
        news = () if first else tuple(one for one in delta.approvals if self._is_news(one))
        if first:
            gone_hosts = tuple(set(self.hosts) - {row.id for row in delta.hosts})
            for table in self._tables():
                table.clear()
        else:
            gone_hosts = delta.gone.get("hosts", ())
        self.hosts.update((row.id, row) for row in delta.hosts)
        self.alerts.update((alert.id, alert) for alert in delta.alerts)
        self.silences.update((silence.id, silence) for silence in delta.silences)
        self.audit.update((str(event.seq), event) for event in delta.audit)
        self.questions.update((question.id, question) for question in delta.questions)
        self.checks.update((check.id, check) for check in delta.checks)
        self.backups.update((job.id, job) for job in delta.backups)
        self.runs.update((run.id, run) for run in delta.runs)
        self.repositories.update((one.id, one) for one in delta.repositories)
        self.readiness.update((ready.host_id, ready) for ready in delta.readiness)
        self.approvals.update((one.id, one) for one in delta.approvals)
        self.runbooks.update((row.id, row) for row in delta.runbooks)
        self.runbook_runs.update((run.id, run) for run in delta.runbook_runs)
        self.runbook_progress.update((one.id, one) for one in delta.runbook_progress)
        self.runbook_results.update((one.id, one) for one in delta.runbook_results)
        self.runbook_newest.update((one.id, one) for one in delta.runbook_newest)
        self.runbook_watchers.update((one.id, one) for one in delta.runbook_watchers)
        for name, ids in delta.gone.items():
            table = getattr(self, name, {})
            for id in ids:
                table.pop(id, None)
        gone_newest = () if first else delta.gone.get("runbook_newest", ())
        self._tell_newest(
            {*(row.id for row in delta.runbooks), *(one.id for one in delta.runbook_newest)}, gone_newest
        )
        while len(self.audit) > AUDIT_KEPT:
            del self.audit[next(iter(self.audit))]
        gone = delta.gone
        return Change(
            hosts=delta.hosts,
            hosts_gone=gone_hosts,
            complete=first,
            alerts=first
            or bool(delta.alerts or delta.silences or gone.get("alerts") or gone.get("silences")),
            audit=first or bool(delta.audit),
            questions=first or bool(delta.questions or gone.get("questions")),
            checks=first or bool(delta.checks or gone.get("checks")),
            backups=first
            or bool(
                delta.backups or delta.runs or delta.repositories or delta.readiness or _BACKUPS & gone.keys()
            ),
            runbooks=first
            or bool(
                delta.runbooks
                or delta.runbook_runs
                or delta.runbook_progress
                or delta.runbook_results
                or delta.runbook_newest
                or delta.runbook_watchers
                or _RUNBOOKS & gone.keys()
            ),
            asking=asking,
            handed=handed,
            judged=judged,
            orders=first or bool(delta.approvals or gone.get("approvals")),
            approvals=news,
            fired=fired,
        )

    def _tables(self) -> tuple[dict[str, Any], ...]:  # Any: rows of each kind
        return (
            self.hosts, self.alerts, self.silences, self.audit, self.questions, self.checks, self.backups, self.runs, self.repositories,
            self.readiness, self.approvals, self.runbooks, self.runbook_runs, self.runbook_progress, self.runbook_results,
            self.runbook_newest, self.runbook_watchers,
        )  # fmt: skip

    def _tell_newest(self, runbooks: Iterable[str], gone: Iterable[str]) -> None:
        """Lines of the library say which run of theirs is the newest that may be seen."""
        for runbook in runbooks:
            row, newest = self.runbooks.get(runbook), self.runbook_newest.get(runbook)
            if row is not None and newest is not None:
                told = replace(row, last_run=newest.run, last_at=newest.at, last_verdict=newest.verdict)
                self.runbooks[runbook] = told
        for runbook in gone:
            if (row := self.runbooks.get(runbook)) is not None:
                self.runbooks[runbook] = replace(row, last_run="", last_at=None, last_verdict="")

    def _rings(self, alert: Alert) -> bool:
        known = self.alerts.get(alert.id)
        loud = alert.state == "firing" and (alert.tier == "page" or alert.severity == "critical")
        news = known is None or known.state != "firing" or known.severity != alert.severity
        return (
            loud
            and news
            and not alert.preexisting
            and not alert.acknowledged_by
            and alert.silenced_until is None
        )

    def _is_news(self, one: Approval) -> bool:
        known = self.approvals.get(one.id)
        return known is None or known.state != one.state

    def orders_that_wait(self) -> list[str]:
        """Ids of orders that wait until another person has approved them."""
        return [one.id for one in self.approvals.values() if one.state == "waiting"]

    def wait_for_others(self) -> list[str]:
        """The same, with runs of runbooks."""
        runs = (run.id for run in self.runbook_runs.values() if run.asked == "approve")
        return [*self.orders_that_wait(), *runs]

    def _asks_anew(self, run: RunbookRun) -> bool:
        known = self.runbook_runs.get(run.id)
        return run.asked == "approve" and (
            known is None or (known.asked, known.step) != (run.asked, run.step)
        )

    def _is_handed(self, run: RunbookRun) -> bool:
        known = self.runbook_runs.get(run.id)
        return known is not None and known.leader != run.leader

    def _is_judged(self, run: RunbookRun) -> bool:
        known = self.runbook_runs.get(run.id)
        said = {(one.by, one.at) for one in run.approvals}
        return known is not None and bool(said - {(one.by, one.at) for one in known.approvals})

    def counts(self) -> Counts:
        """Figures of the header."""
        now = self.now()
        states = Counter(shown_state(row, now) for row in self.hosts.values())
        firing = [alert for alert in self.alerts.values() if alert.state == "firing"]
        return Counts(
            states=dict(states),
            hosts=len(self.hosts),
            alerts=len(firing),
            critical=sum(alert.severity == "critical" for alert in firing),
            questions=len(self.questions),
        )

    def firing(self) -> list[Alert]:
        """Alerts by severity, then the newest first; the resolved ones that are still shown at the end."""
        return sorted(
            self.alerts.values(), key=lambda a: (a.state != "firing", _SEVERITY[a.severity], -a.since)
        )

    def events(self) -> list[AuditEvent]:
        """Audit events, newest first."""
        return sorted(self.audit.values(), key=lambda event: -event.seq)

    def host_named(self, name: str) -> HostRow | None:
        """A host by name or id."""
        if name in self.hosts:
            return self.hosts[name]
        return next((row for row in self.hosts.values() if row.name == name), None)

    def alerts_of(self, host_id: str) -> list[Alert]:
        """Alerts of one host."""
        return [alert for alert in self.firing() if alert.host_id == host_id]

    def checks_by_trouble(self) -> list[CheckRow]:
        """Checks, what is wrong first, then by name."""
        now = self.now()
        return sorted(
            self.checks.values(),
            key=lambda row: (_CHECK_STATES[shown_check_state(row, now)], in_order(row.name)),
        )

    def backups_by_trouble(self) -> list[JobRow]:
        """Backup jobs, what is wrong first, then by name."""
        now = self.now()
        return sorted(
            self.backups.values(), key=lambda row: (_JOB_STATES[shown_job_state(row, now)], row.name)
        )

    def backups_as_they_run(self) -> list[JobRow]:
        """The same, each with its run as it is now: word of a run comes before its job is judged again."""
        return [
            replace(row, run=self.runs.get(row.run.id, row.run))
            if row.run is not None and row.run.state in ("queued", "running")
            else row
            for row in self.backups_by_trouble()
        ]

    def runbooks_for(self, rule: str) -> list[RunbookRow]:
        """Runbooks that answer a rule and can be run, by title."""
        found = [row for row in self.runbooks.values() if rule in row.rules and not row.problems]
        return sorted(found, key=lambda row: row.title)

    def runbook_fitting(self, host_id: str) -> RunbookRow | None:
        """The first runbook that answers an alert which fires on a host, the gravest first."""
        firing = (alert for alert in self.alerts_of(host_id) if alert.state == "firing")
        return next((row for alert in firing for row in self.runbooks_for(alert.rule)), None)

    def active_runs(self) -> list[RunbookRun]:
        """Runs of runbooks that have not ended, the newest first."""
        return sorted(
            (run for run in self.runbook_runs.values() if run.state != "ended"),
            key=lambda run: -run.started_at,
        )

    def results_of(self, run: RunbookRun) -> list[RunbookResult]:
        """What came of a run's current step, host by host, the worst first."""
        found = [one for one in self.runbook_results.values() if (one.run, one.step) == (run.id, run.step)]
        return sorted(found, key=lambda one: (_RESULT_STATES[one.state], one.host))

    def question_of(self, host_id: str) -> Question | None:
        """The oldest question about a host."""
        return next((q for q in self.questions.values() if q.host_id == host_id), None)
