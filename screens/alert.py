"""One alert: what, since when, the value against the threshold, who has it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from guardian_tui.protocol.alerts import Alert
from guardian_tui.text import counted, safe
from guardian_tui.world import Change
from screens.base import GuardianScreen
from screens.chart_pane import ChartCommands, ChartPane, view_of
from screens.chart_views import Limits
from screens.chart_window import Window
from screens.host import VIEWS
from screens.host_panes import BeforePane
from screens.work import begin
from widgets import figures
from widgets.box import Box, Line, folded
from widgets.painting import SEVERITY_GLYPHS
from widgets.plot import ChartData, Mark

WIDE = 110
"""Cells from which two boxes stand beside each other."""
_BEFORE_SECONDS = 1800.0


class AlertScreen(ChartCommands, GuardianScreen):
    """An alert's page.

    Args:
        alert_id: its id.
    """

    CONTEXT: ClassVar[str] = "alert"
    DEFAULT_CSS = """
    AlertScreen #top { height: auto; min-height: 8; }
    AlertScreen #words { width: 1fr; height: auto; min-height: 8; }
    AlertScreen #before { width: 1fr; height: 100%; }
    AlertScreen.narrow #before { display: none; }
    AlertScreen #chart { height: 1fr; }
    """

    def __init__(self, alert_id: str) -> None:
        super().__init__()
        self._alert_id = alert_id
        self._alert: Alert | None = None
        self._charted = False

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Alerts, then this one."""
        alert = self._alert
        return ("alerts", f"{alert.title} {alert.host}".strip() if alert else "")

    @property
    def subjects(self) -> tuple[Sequence[str], Sequence[str]]:
        """This alert."""
        return (), (self._alert_id,)

    def content(self) -> ComposeResult:
        """Words, then the chart."""
        with Horizontal(id="top"):
            yield Box("alert", id="words")
            yield BeforePane(id="before")
        yield ChartPane(id="chart")

    def world_changed(self, change: Change) -> None:
        """Draw; the chart goes on with its host's figures."""
        self._alert = self.console.world.alerts.get(self._alert_id) or self._alert
        self._draw()
        if self._alert is None:
            return
        if not self._charted:
            self._charted = True
            self._chart_it(self._alert)
            self._look_before()
        elif change.complete or any(row.id == self._alert.host_id for row in change.hosts):
            row = self.console.world.hosts.get(self._alert.host_id)
            self.chart.follow(row.interval_seconds if row else 5.0)

    def tick(self, now: float) -> None:
        """Ages tick."""
        super().tick(now)
        self._draw()

    @property
    def _words_cells(self) -> int:
        """Cells that a line of words has: the box is half of the screen, or all of it."""
        width = self.app.size.width
        return max(20, (width if width < WIDE else width // 2) - 4)

    def _draw(self) -> None:
        alert = self._alert
        box = self.query_one("#words", Box)
        if alert is None:
            box.show(
                [
                    [
                        (
                            "This alert is over and no longer kept on screen; `alerts list --resolved` has it.",
                            "muted",
                        )
                    ]
                ]
            )
            return
        now = self.console.world.now()
        glyph, paint = SEVERITY_GLYPHS[alert.severity]
        over = alert.state != "firing"
        state = "✓ resolved" if over else f"{glyph} {alert.severity}"
        title = folded(
            f"{state}  ",
            safe(alert.why or alert.title, 300),
            self._words_cells,
            "strong",
            "ok" if over else paint,
        )
        box.show(
            [
                *title,
                [("", "text")],
                *_facts(alert, now, self._key("alert.acknowledge")),
                *self._runbook_lines(alert),
            ],
            title=f"{safe(alert.title, 100)} · {safe(alert.host or 'engine', 100)}",
            note=self._keys(alert),
        )

    def _runbook_lines(self, alert: Alert) -> list[Line]:
        """Runs that answer it now, else runbooks that fit."""
        world = self.console.world
        runs = [run for run in world.active_runs() if run.alert == alert.id]
        lines: list[Line] = [
            [
                (f"{'answered by':<12}", "muted"), (safe(run.title, 100), "strong"),
                (f"  {safe(run.leader, 60)} leads, step {run.number} of {len(run.marks)}", "muted"),
            ]
            for run in runs[:3]
        ]  # fmt: skip
        fitting = world.runbooks_for(alert.rule) if alert.state == "firing" else []
        if fitting and not runs:
            names = ", ".join(safe(row.title, 80) for row in fitting[:4])
            key = self._key("runbook.open")
            how = f"  {key} starts it" if key else ""
            lines.append([(f"{'runbook':<12}", "muted"), (names, "title"), (how, "muted")])
        return lines

    def _key(self, name: str) -> str:
        """The key of a command as this person has it; empty: they may not give it."""
        return next((self.console.key_of(one) for one in self.offered() if one.name == name), "")

    def _keys(self, alert: Alert) -> str:
        """What can be done with it, for the box's border."""
        if alert.state != "firing":
            return ""
        can = {"alert.acknowledge": "acknowledge", "alert.silence": "silence", "runbook.open": "runbook"}
        can |= {"open": "host"} if alert.host_id else {}
        return " · ".join(f"{key} {word}" for name, word in can.items() if (key := self._key(name)))

    def _chart_it(self, alert: Alert) -> None:
        """Its series from before it began, with the threshold that it was judged by; behind it what its host's page charts."""
        if not alert.host_id:
            self.chart.show(ChartData(alert.title, "", None, words="this alert has no value to chart"))
            return
        views = [view for view in VIEWS if view.series != alert.metric]
        if alert.metric:
            # one that has no value of its own has how its host was before and since
            own = view_of(alert.metric, f"{alert.title} {alert.instance}".strip())
            if alert.threshold is not None and own.limits is None:
                words = f"limit {figures.quantity(alert.threshold, alert.unit)}"
                own = replace(own, limits=Limits((alert.threshold,), words=words))
            views.insert(0, own)
        began = Mark(alert.since, "⚑", "warning", alert.title)
        self.chart.offer(alert.host_id, views, instance=alert.instance, marks=[began])
        self.chart.look_at(Window.holding(alert.since - _BEFORE_SECONDS, self.console.world.now()))
        self.chart.load()

    def on_resize(self, event: events.Resize) -> None:
        """What changed before has room beside the words on a wide terminal."""
        self.set_class(self.app.size.width < WIDE, "narrow")
        if self.composed:
            self._draw()
        self._look_before()

    def _look_before(self) -> None:
        alert = self._alert
        if alert is None or not alert.host_id or self.has_class("narrow"):
            return
        pane = self.query_one(BeforePane)
        pane.moment = alert.since
        begin(self, partial(pane.read, self.console, alert.host_id), exclusive=True, group="before")

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Back to where it was opened."""
        self.console.pop_screen()

    def command_open(self, arguments: tuple[str, ...]) -> None:
        """Its host's page."""
        if self._alert is not None and self._alert.host_id in self.console.world.hosts:
            self.console.open_host(self._alert.host_id)


def _facts(alert: Alert, now: float, take_key: str) -> list[Line]:
    def at(moment: float) -> str:
        return (
            f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(moment))}, {figures.age(now - moment)} ago"
        )

    told = ", ".join(alert.delivered) or (
        "nobody: it was so when the host was added" if alert.preexisting else "nobody yet"
    )
    value = figures.quantity(alert.value, alert.unit)
    if alert.threshold is not None:
        value += f", threshold {figures.quantity(alert.threshold, alert.unit)}"
    has = (
        f"{alert.acknowledged_by}, {at(alert.acknowledged_at)} {alert.note}"
        if alert.acknowledged_by and alert.acknowledged_at
        else "nobody took it"
        if alert.state != "firing"
        else f"nobody; {take_key} takes it"
        if take_key
        else "nobody"
    )
    rows = [
        ("host", f"{alert.host or 'the engine'} {alert.instance}"), ("since", at(alert.since)), ("resolved", at(alert.resolved_at) if alert.resolved_at else ""),
        ("value", value if alert.value is not None else ""), ("rule", f"{alert.rule} ({alert.tier})"), ("who has it", has), ("told", told),
        ("silenced", f"until {figures.clock(alert.silenced_until, now)}" if alert.silenced_until else ""),
        ("behind it", f"{counted(alert.folded, 'host is', 'hosts are')} unreachable because of it" if alert.folded else ""),
    ]  # fmt: skip
    return [[(f"{label:<12}", "muted"), (safe(words, 300), "text")] for label, words in rows if words.strip()]
