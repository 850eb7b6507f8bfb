"""A backup job's page: what is saved, its run as it goes on, what came of the last half year, its snapshots."""

from __future__ import annotations

import datetime
import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from guardian_tui.protocol.backups import (
    JobDetail,
    JobRef,
    JobRow,
    RunRow,
    SnapshotList,
    SnapshotsQuery,
    TimerRow,
    shown_job_state,
)
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.text import safe
from guardian_tui.world import Change
from screens.backup_page import BackupPage
from screens.work import begin
from widgets import figures
from widgets.backups_list import (
    JOB_GLYPHS,
    RunsList,
    ago,
    progress_facts,
    progress_pieces,
    verdict_paint,
)
from widgets.box import Box, Line, folded
from widgets.heat_map import day_strip, heat_map
from widgets.painting import width_of
from widgets.snapshots_list import SnapshotsList

WEEKS = 26
DAYS_WIDTH = 60
"""Cells of the calendar."""
DAYS = 60
"""Of the strip that stands in for the calendar on a narrow terminal."""
REASON_LINES = 3
"""Of a reason, and of what to do: not so many that the facts below are out of sight; the run's log has all of it."""


class BackupScreen(BackupPage):
    """A job's page.

    Args:
        job_id: its id.
    """

    CONTEXT: ClassVar[str] = "backup"
    PANES: ClassVar[tuple[str, ...]] = ("runs", "snapshots")
    DEFAULT_CSS = """
    BackupScreen #top { height: 15; max-height: 60%; }
    BackupScreen #words { width: 1fr; height: 1fr; }
    BackupScreen #days { width: 60; height: 1fr; }
    BackupScreen.narrow #days { display: none; }
    BackupScreen.narrow #top { height: 12; }
    BackupScreen #lists { height: 1fr; }
    BackupScreen #runs { width: 1fr; height: 1fr; }
    BackupScreen #snapshots { width: 1fr; height: 1fr; }
    BackupScreen.narrow #lists { layout: vertical; }
    """

    def __init__(self, job_id: str) -> None:
        super().__init__()
        self.job_id = job_id
        self._row: JobRow | None = None
        self._detail: JobDetail | None = None
        self._read_of: tuple[object, ...] = ()

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Backups, then this one."""
        return ("backups", safe(self._row.name, 60) if self._row else "gone")

    @property
    def job(self) -> JobRow | None:
        """The job."""
        return self._row

    @property
    def run(self) -> RunRow | None:
        """The run under the cursor, else the one that is under way."""
        detail = self._detail
        if self.pane == "runs" and detail is not None:
            found = next((run for run in detail.runs if run.id == self.query_one(RunsList).cursor_id), None)
            if found is not None:
                return self.console.world.runs.get(found.id, found)
        return self._row.run if self._row else None

    @property
    def snapshot_id(self) -> str:
        """The snapshot under the cursor."""
        return self.query_one(SnapshotsList).cursor_id

    @property
    def subjects(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Its host."""
        return ((self._row.host_id,) if self._row else ()), ()

    def content(self) -> ComposeResult:
        """Words and the calendar, then runs and snapshots."""
        with Horizontal(id="top"):
            yield Box("backup", id="words")
            yield Box("half a year", id="days")
        with Horizontal(id="lists"), Vertical():
            yield RunsList(id="runs")
            yield SnapshotsList(id="snapshots")

    def on_resize(self) -> None:
        """The calendar needs room; where there is none, a strip of days stands in for it."""
        self.set_class(self.app.size.width < 110, "narrow")
        self._draw()

    def world_changed(self, change: Change) -> None:
        """Draw; the page is read again when something of it has changed."""
        if not (change.complete or change.backups):
            return
        self._row = row = self.console.world.backups.get(self.job_id)
        self._draw()
        known = (
            (row.good_at, row.snapshots, row.state, row.run.state if row.run else "", row.drilled_at)
            if row
            else ()
        )
        if row is not None and known != self._read_of:
            self._read_of = known
            begin(self, self._read, exclusive=True, group="page")

    def tick(self, now: float) -> None:
        """Ages tick."""
        super().tick(now)
        self._draw()

    async def _read(self) -> None:
        console = self.console
        try:
            self._detail = await console.client.call("backups.show", JobDetail, JobRef(job=self.job_id))
            found = await console.client.call(
                "backups.snapshots", SnapshotList, SnapshotsQuery(job=self.job_id)
            )
        except GuardianError as error:
            # the banner speaks for an engine that is gone; what is shown stays, and ages
            if error.status != 503:
                console.say_error(error)
            return
        self.query_one(SnapshotsList).show(found.snapshots, found.total, console.world.now())
        self._draw()

    def _draw(self) -> None:
        if not self.composed:
            return
        row, now, box = self._row, self.console.world.now(), self.query_one("#words", Box)
        if row is None:
            box.show([[("This job was removed.", "muted")]])
            return
        detail = self._detail
        today = datetime.datetime.fromtimestamp(now, datetime.UTC).date()
        # word of a run comes before its row is counted again
        newest = self.console.world.runs.get(row.run.id, row.run) if row.run else None
        # before the first layout the box has no width
        room = self.app.size.width - 3 - (0 if self.has_class("narrow") else DAYS_WIDTH)
        lines = [*_title(row, newest, now, room), *_run_lines(newest, room, row.anomaly or row.words)]
        if detail is not None and self.has_class("narrow"):
            lines.append([("days      ", "muted"), *day_strip(dict(detail.days), today, DAYS)])
        box.show([*lines, *_facts(row, detail, now)], title=safe(row.name, 60))
        if detail is not None:
            legend: Line = [
                ("■", "ok"),
                (" good  ", "muted"),
                ("▲", "warning"),
                (" in part  ", "muted"),
                ("✖", "critical"),
                (" bad  · none", "muted"),
            ]
            self.query_one("#days", Box).show(
                [*heat_map(dict(detail.days), today, WEEKS), [], legend, *_growth(detail)]
            )
            live = self.console.world.runs
            self.query_one(RunsList).show([live.get(run.id, run) for run in detail.runs], now)
        self.query_one(SnapshotsList).tick(now)

    # --- commands ------------------------------------------------------------------------------

    def command_open(self, arguments: tuple[str, ...]) -> None:
        """The run's log; a snapshot is restored from."""
        if self.pane == "runs":
            if self.run is not None:
                self.console.open_run(self.run)
        else:
            self.console.command_backup_restore(())


TIMER_WORDS = {
    "systemd": "systemd on the host", "user": "the user's systemd on the host", "cron": "cron on the host",
}  # fmt: skip
"""Who begins what is due, by the form of its timer."""
MENDED_SECONDS = 7 * 86400.0
"""What others changed is told so long."""


def _title(row: JobRow, run: RunRow | None, now: float, room: int) -> list[Line]:
    """What state it is in, and all of the reason: whoever looks here at night must not open something else to read on."""
    state = shown_job_state(row, now)
    glyph, paint = JOB_GLYPHS[state]
    words = safe(row.anomaly or row.words, REASON_LINES * (room - 10))
    head: Line = [(f"{glyph} {state}", paint), (f"  for {figures.age(now - row.since)}  ", "muted")]
    if run is not None and run.verdict and run.words == (row.anomaly or row.words):
        head.append((f"{run.verdict}  ", verdict_paint(run.verdict)))
    if width_of(head) + len(words) <= room:
        return [[*head, (words, "strong")]]
    return [head, *folded(" " * 10, words, room, "strong")]


def _run_lines(run: RunRow | None, room: int, told: str) -> list[Line]:
    """The run as it goes on, or what came of the last one; ``told`` stands above already."""
    if run is None:
        return [[("it has not run yet", "muted")]]
    if run.state in ("queued", "running"):
        facts: list[Line] = [
            [(f"{label:<10}", "muted"), (words, "muted")] for label, words in progress_facts(run)
        ]
        return [[(f"{run.operation:<10}", "muted"), *progress_pieces(run, 16)], *facts]
    lines = []
    if not (told and run.words == told):
        words = f"  {safe(run.words, 300)}"
        lines.append(
            [("last run  ", "muted"), (run.verdict or run.state, verdict_paint(run.verdict)), (words, "text")]
        )
    if run.advice:
        lines += folded("do        ", safe(run.advice, REASON_LINES * (room - 10)), room, "strong")
    return lines


def _facts(row: JobRow, detail: JobDetail | None, now: float) -> list[Line]:
    rto = row.measured_rto_seconds or row.estimated_rto_seconds
    rto_words = (
        f"not known: {'no drill yet' if row.drill is None else 'no drill went well'}"
        if rto is None
        else f"{'measured' if row.measured_rto_seconds else 'estimated'} {figures.age(rto)}"
    )
    worst = (
        f", worst in 30 days {figures.age(row.worst_age_seconds)}"
        if row.worst_age_seconds is not None
        else ""
    )
    rows = [
        ("archived" if row.archived else "good", f"{'none yet' if row.good_at is None else ago(row.good_at, now) + ' old'}, RPO {figures.age(row.rpo_seconds)}{worst}"),
        ("back in", f"{rto_words}, RTO {figures.age(row.rto_seconds)}"),
        ("proven", f"{_when_last('checked', row.verified_at, now)}, {_drilled(row, now)}"),
        ("from", f"{row.host} to {row.engine} {row.repository}, copies in time: {row.copies}"),
        ("when", _when(row)),
    ]  # fmt: skip
    if detail is not None:
        spec = detail.spec
        what = [*spec.sources, *(f"{dump.kind} {dump.database}" for dump in spec.dumps)]
        what += ["Guardian's own state"] if spec.own_state else []
        rows.append(("what", " ".join(what) or f"what another tool saves: {spec.match}"))
    if row.timer is not None:
        # on a small screen the last line is out of sight
        place = 0 if row.timer.words or _mended(row.timer, now) else len(rows)
        rows.insert(place, ("timer", _timer(row.timer, now)))
    return [[(f"{label:<10}", "muted"), (safe(words, 300), "text")] for label, words in rows]


def _when_last(what: str, at: float | None, now: float) -> str:
    return f"never {what}" if at is None else f"{what} {ago(at, now)} ago"


def _drilled(row: JobRow, now: float) -> str:
    """When a drill went well, and that a later one did not."""
    if row.drill in (None, "ok"):
        return _when_last("drilled", row.drilled_at, now)
    well = "none went well" if row.drilled_at is None else f"the last good one {ago(row.drilled_at, now)} ago"
    return f"the last drill {row.drill}, {well}"


def _when(row: JobRow) -> str:
    if row.observed:
        return "another tool makes it"
    if not row.schedule:
        return "only by hand"
    at = time.strftime("%a %H:%M", time.localtime(row.next_at)) if row.next_at else ""
    return f"{row.schedule}{', next ' + at if at else ''}"


def _timer(timer: TimerRow, now: float) -> str:
    """What is wrong with its timer, what somebody else did to it, and who begins what is due."""
    found = [timer.words] if timer.words and timer.place == "host" else []
    if _mended(timer, now):
        found.append(f"{timer.changed}: changed by others, put right {ago(timer.changed_at, now)} ago")
    if timer.place == "engine":
        found += ["the engine", *filter(None, [timer.words])]
    else:
        found += [TIMER_WORDS.get(timer.form, timer.form), f"compared {ago(timer.reconciled_at, now)} ago"]
    return "; ".join(found)


def _mended(timer: TimerRow, now: float) -> bool:
    """Whether somebody else changed it lately."""
    return bool(timer.changed) and timer.changed_at is not None and now - timer.changed_at < MENDED_SECONDS


def _growth(detail: JobDetail) -> list[Line]:
    points = [size for _, size in detail.growth][-52:]
    if len(points) < 2:
        return []
    top = max(points) or 1.0
    shares = tuple(round(100 * point / top) for point in points)
    return [
        [],
        [
            ("size ", "muted"),
            (figures.spark(shares, min(40, len(shares))), "meter"),
            (f" {figures.size(points[-1])}", "text"),
        ],
    ]
