"""A host's page: charts, pressure and load, file systems, network, its alerts; everything loaded when it is opened."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.fleet import HostDetail, HostRef
from guardian_tui.protocol.freshness import is_stale, shown_state
from guardian_tui.text import safe
from guardian_tui.world import Change
from screens.base import GuardianScreen
from screens.chart_pane import ChartCommands, ChartPane, view_of
from screens.host_lines import device_lines, fact_lines, gauge_lines, readiness_line
from screens.host_panes import ChangesPane, LogPane, Pane, ProcessesPane, UnitsPane
from screens.host_past import detail_at
from screens.reports import ReportDialog
from screens.work import begin
from widgets import figures
from widgets.alerts_list import AlertsList
from widgets.box import Box, Line, file_system_lines, nic_lines
from widgets.painting import STATE_GLYPHS
from widgets.state_line import StateLine

VIEWS = (
    view_of("cpu_busy_ratio", "cpu"),
    view_of("memory_used_ratio", "memory"),
    view_of("load1_per_core", "load per core"),
    view_of("pressure_io_full_ratio", "io pressure"),
    view_of("cpu_iowait_ratio", "iowait"),
    view_of("round_trip_seconds", "round trip"),
)
"""What `m` goes through."""


SETTLE_SECONDS = 0.25
"""The panes follow the chart to a moment when it has stayed there for so long."""
PANES_SECONDS = 5.0
"""How often the panes below the chart are read while the page is open."""


class HostScreen(ChartCommands, GuardianScreen):
    """One host in full.

    Args:
        host_id: its id.
        metric: series to chart first; empty: CPU.
    """

    CONTEXT: ClassVar[str] = "host"
    FOOTER_FIRST = (
        "host.answer", "host.processes", "host.units", "host.logs", "host.section", "runbook.open", "alert.acknowledge", "range.wider", "time.back",
        "zoom",
    )  # fmt: skip
    DEFAULT_CSS = """
    HostScreen #state { height: 1; }
    HostScreen #top { height: 2fr; min-height: 8; }
    HostScreen #chart { width: 1fr; }
    HostScreen #gauges { width: 40; }
    HostScreen #middle { height: 11; }
    HostScreen #bottom { height: 1fr; min-height: 5; }
    HostScreen #left { width: 1fr; }
    HostScreen #disks { height: 1fr; }
    HostScreen #network { height: 5; }
    HostScreen #processes { width: 1fr; }
    HostScreen #side { width: 40; }
    HostScreen #alerts { height: 1fr; }
    HostScreen #units { height: 1fr; }
    HostScreen #changes { width: 1fr; }
    HostScreen #log { width: 1fr; }
    HostScreen.calm #alerts { display: none; }
    HostScreen.narrow #gauges { width: 36; }
    HostScreen.narrow #middle { height: 10; }
    HostScreen.narrow #processes { display: none; }
    HostScreen.narrow #left { width: 44; }
    HostScreen.narrow #network { height: 4; }
    HostScreen.narrow #side { width: 1fr; }
    HostScreen.low #bottom { display: none; }
    HostScreen.zoom #gauges, HostScreen.zoom #middle, HostScreen.zoom #bottom { display: none; }
    """

    def __init__(self, host_id: str, metric: str = "") -> None:
        super().__init__()
        self._host_id = host_id
        self._detail: HostDetail | None = None
        self._metric = metric
        self._asked = 0.0
        self._panes_at = 0.0
        self._reading_panes = False
        self._past: HostDetail | None = None
        """What it was like at the moment that the chart looks at; None: the present is shown."""
        self._past_at = 0.0

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Fleet, then the host."""
        row = self.console.world.hosts.get(self._host_id)
        return ("fleet", row.name if row else "gone")

    @property
    def subjects(self) -> tuple[Sequence[str], Sequence[str]]:
        """This host; its alert under the cursor."""
        return (self._host_id,), self.query_one(AlertsList).chosen_ids

    @property
    def questioned(self) -> bool:
        """Whether this host asks something."""
        return self.console.world.question_of(self._host_id) is not None

    def content(self) -> ComposeResult:
        """State; chart and gauges; disks, processes, alerts and units; what changed, and the log."""
        yield StateLine(id="state")
        yield StateLine(id="restore")
        with Horizontal(id="top"):
            yield ChartPane(id="chart")
            yield Box("pressure & load", id="gauges")
        with Horizontal(id="middle"):
            with Vertical(id="left"):
                yield Box("disks", id="disks")
                yield Box("network", id="network")
            yield ProcessesPane(id="processes")
            with Vertical(id="side"):
                yield AlertsList(id="alerts", one_host=True)
                yield UnitsPane(id="units")
        with Horizontal(id="bottom"):
            yield ChangesPane(id="changes")
            yield LogPane(id="log")

    def on_mount(self) -> None:
        """Load."""
        self._arrange()
        self.chart.offer(self._host_id, VIEWS)
        self.chart.next(self._metric or VIEWS[0].series)
        self._load()
        # once they have a size: a pane that is not seen is not read
        self.call_after_refresh(self._load_panes)

    def on_resize(self) -> None:
        """Other columns."""
        self._arrange()
        self.call_after_refresh(self._draw)

    def _arrange(self) -> None:
        size = self.app.size
        self.set_class(size.width < 110, "narrow")
        self.set_class(size.height < 30, "low")
        self._show_alerts()

    def _show_alerts(self) -> None:
        """Alerts stand above the units while there are any."""
        alerts = self.console.world.alerts_of(self._host_id)
        self.set_class(not alerts, "calm")
        shown = self.query_one(AlertsList)
        shown.show(alerts, self.console.world.now())
        if alerts and self.focused is None:
            shown.focus()

    def on_chart_pane_looked(self, event: ChartPane.Looked) -> None:
        """Every pane follows the chart through time."""
        begin(self, self._travel, exclusive=True, group="past")

    async def _travel(self) -> None:
        at = self.chart.looked_at
        changes = self.query_one(ChangesPane)
        changes.moment = math.inf if at is None else at
        if at is None:
            self._past = None
            self._draw()
            self._load_panes()
            return
        # a key that is held goes through many moments
        await asyncio.sleep(SETTLE_SECONDS)
        if self._detail is None:
            return
        self._past, self._past_at = await detail_at(self.console, self._detail, at), at
        self._draw()
        await changes.read(self.console, self._host_id)
        minute = figures.clock(at, self.console.world.now())
        changes.set_caption(changes.heading, "", f"before {minute}", "accent")
        for pane in (one for one in self.query(Pane) if one is not changes):
            pane.show([[("not kept: . returns to now", "muted")]], note=minute, note_paint="accent")

    def _load_panes(self) -> None:
        if self._past is not None:
            return
        if not self._reading_panes:
            self._reading_panes = True
            self._panes_at = self.console.world.now()
            begin(self, self._read_panes, group="panes")

    async def _read_panes(self) -> None:
        try:
            # one after another: a person looks at one host, and the host need not be asked four things at once
            for pane in self.query(Pane):
                if pane.display and pane.size.height and self._past is None:
                    await pane.read(self.console, self._host_id)
        finally:
            self._reading_panes = False

    def _load(self) -> None:
        self._asked = self.console.world.now()
        begin(self, self._read, exclusive=True, group="page")

    async def _read(self) -> None:
        console = self.console
        try:
            self._detail = await console.client.call("hosts.show", HostDetail, HostRef(host=self._host_id))
        except GuardianError as error:
            # the banner speaks for an engine that is gone; what is shown stays, and ages
            if error.status != 503:
                console.say_error(error)
            return
        self.chart.know(self._detail.values)
        self._draw()

    def world_changed(self, change: Change) -> None:
        """New figures of this host: read its page again."""
        if change.complete or any(row.id == self._host_id for row in change.hosts):
            row = self.console.world.hosts.get(self._host_id)
            interval = row.interval_seconds if row else 5.0
            self.chart.follow(interval)
            if self.console.world.now() - self._asked >= max(2.0, interval * 0.8):
                self._load()
        if change.alerts or change.complete:
            self._show_alerts()
        self._draw_state()

    def tick(self, now: float) -> None:
        """Ages tick."""
        super().tick(now)
        self.query_one(AlertsList).tick(now)
        self._draw()
        if now - self._panes_at >= PANES_SECONDS:
            self._load_panes()

    # --- drawing -------------------------------------------------------------------------------

    def _draw_state(self) -> None:
        ready = self.console.world.readiness.get(self._host_id) if self.console.world.backups else None
        restore = self.query_one("#restore", StateLine)
        restore.display = ready is not None
        if ready is not None:
            restore.show(*readiness_line(ready, self.console.world.now()))
        row, now = self.console.world.hosts.get(self._host_id), self.console.world.now()
        line = self.query_one("#state", StateLine)
        if row is None:
            line.show([("✖ gone", "critical"), (" · nobody watches this host any more", "muted")], [])
            return
        state = shown_state(row, now)
        glyph, paint = STATE_GLYPHS[state]
        left: Line = [(f"{glyph} {state}", paint), (f"  for {figures.age(now - row.since)}", "muted")]
        if row.why:
            left.append((f" · {safe(row.why, 200)}", "text"))
        fitting = self.console.world.runbook_fitting(self._host_id)
        if fitting is not None:
            left += [("  r ", "title"), (safe(fitting.title, 60), "muted")]
        facts = self._detail.facts if self._detail else {}
        right = [word for word in (facts.get("os", ""), facts.get("kernel", "")) if word]
        if facts.get("cpu_count"):
            right.append(f"{facts['cpu_count']} cpu")
        if row.uptime_seconds:
            right.append(f"up {figures.age(row.uptime_seconds)}")
        told: Line = [(" · ".join(right) + (" · " if row.measured_at else " "), "muted")] if right else []
        stale = row.measured_at is not None and is_stale(row, now)
        if row.measured_at is not None:
            words = f"{'STALE: ' if stale else ''}measured {figures.age(now - row.measured_at)} ago "
            told.append((words, "warning" if stale else "muted"))
        # how old it is must be known whatever else there is to say
        line.show(left, told, kept=int(stale))

    def _draw(self) -> None:
        detail = self._detail
        if not self.is_mounted:
            return
        if detail is None:
            self._draw_state()
            return
        detail = self._past or detail
        disks = self.query_one("#disks", Box)
        room = disks.size.width - 1
        self._show_figures(
            self.query_one("#gauges", Box), gauge_lines(detail, narrow=self.has_class("narrow"))
        )
        nothing = "not measured yet" if self._past is None else "not measured then"
        self._show_figures(disks, file_system_lines(detail.file_systems, 8, room) or [[(nothing, "muted")]])
        self._show_figures(
            self.query_one("#network", Box), [*nic_lines(detail.nics, 5, room), *device_lines(detail, room)]
        )
        self._draw_state()

    def _show_figures(self, box: Box, lines: list[Line]) -> None:
        """Show what was measured; what is old is faint, and says how old it is."""
        if self._past is not None:
            box.show(
                lines,
                note=f"at {figures.clock(self._past_at, self.console.world.now())}",
                note_paint="accent",
            )
            return
        row, now = self.console.world.hosts.get(self._host_id), self.console.world.now()
        at = row.measured_at if row else None
        if row is None or at is None or not is_stale(row, now):
            box.show(lines)
        else:
            faint: list[Line] = [[("".join(text for text, _ in line), "faint")] for line in lines]
            box.show(faint, note=f"{figures.age(now - at)} old", note_paint="warning")

    # --- commands ------------------------------------------------------------------------------

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Back to where it was opened."""
        self.console.pop_screen()

    def command_host_facts(self, arguments: tuple[str, ...]) -> None:
        """`i`: what the host is, and how it is reached."""
        if self._detail is not None:
            lines = [
                ("".join(text for text, _ in line), "error" if line[0][1] == "warning" else "")
                for line in fact_lines(self._detail)
            ]
            self.console.push_screen(
                ReportDialog(f"{self._detail.row.name}: what it is, and how it is reached", lines)
            )

    def command_open(self, arguments: tuple[str, ...]) -> None:
        """Open the alert under the cursor."""
        if self.query_one(AlertsList).cursor_id:
            self.console.open_alert(self.query_one(AlertsList).cursor_id)

    def command_pane_next(self, arguments: tuple[str, ...]) -> None:
        """`tab`: the chart, the alerts."""
        self.focus_next()

    def command_zoom(self, arguments: tuple[str, ...]) -> None:
        """`z`: the chart takes all the room."""
        self.toggle_class("zoom")
