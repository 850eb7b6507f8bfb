"""A chart of one host that owns all it shows: the series, the stretch of time, the cursor, what it is compared with; it reads its history itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

from guardian_tui.commands import Command
from guardian_tui.moments import parse_duration
from guardian_tui.protocol.alerts import Rule, RuleList
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.changes import Change, ChangeList, ChangesQuery
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.fleet import History, HistoryQuery
from guardian_tui.text import safe
from screens.base import GuardianScreen
from screens.chart_views import View, limits_for, view_of, views_beside
from screens.chart_window import Window
from screens.work import begin
from widgets.chart import Chart
from widgets.plot import ChartData, Mark

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp

__all__ = ["ChartCommands", "ChartPane", "View", "view_of"]

COMPARISONS = ("", "1d", "1w")
"""What `c` goes through."""
FAR_CELLS = 10
_CHANGE_GLYPHS = {"mark": ("◆", "mark"), "reboot": ("↻", "warning")}
"""Of a host's changes, those that its charts show."""


LEAST_POINTS, MOST_POINTS = 20, 400
SAMPLE_ROOM = 1.25
"""A column holds a sample also where one comes late by a quarter of the interval."""


class ChartPane(Chart):
    """Reads and shows one series of a host at a time.

    Args:
        id: its id.
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._host_id = ""
        self._instance = ""
        self._usual: list[View] = []
        self._views: list[View] = []
        self._place = 0
        self._window = Window()
        self._known: set[str] = set()
        self._compared = ""
        """``1d``, or another host's id; empty: nothing."""
        self._asked = 0.0
        self._asked_points = 0
        self._history: History | None = None
        self._other: History | None = None
        self._rules: tuple[Rule, ...] | None = None
        self._changes: tuple[Change, ...] = ()
        self._own_marks: tuple[Mark, ...] = ()

    @property
    def console(self) -> GuardianApp:
        """The app, by its own type."""
        return self.app  # type: ignore[return-value]  # there is no other app

    def offer(
        self, host_id: str, views: Sequence[View], *, instance: str = "", marks: Sequence[Mark] = ()
    ) -> None:
        """Say what can be charted; what is shown stays if it is still among it.

        Args:
            host_id: whose series they are.
            views: in the order of `m`.
            instance: mark only alerts about this one.
            marks: what is marked besides, though nothing fires any more.
        """
        shown = self.view.series if self._views else ""
        self._host_id, self._instance, self._own_marks = host_id, instance, tuple(marks)
        self._usual, self._views = list(views), list(views)
        self._place = next((place for place, view in enumerate(views) if view.series == shown), 0)

    def know(self, series: Iterable[str]) -> None:
        """The host's own series, for completion."""
        self._known = set(series)

    @property
    def known(self) -> list[str]:
        """Names of series that can be charted, by name."""
        return sorted(self._known.union(view.series for view in self._views))

    @property
    def view(self) -> View:
        """What is shown."""
        return self._views[self._place]

    @property
    def follows(self) -> bool:
        """Whether it ends now, not in the past."""
        return self._window.end is None

    @property
    def has_values(self) -> bool:
        """Whether what was read holds any value."""
        return self._history is not None and any(value is not None for value in self._history.mean)

    class Looked(Message):
        """Another moment is looked at, or the present again."""

    @property
    def looked_at(self) -> float | None:
        """The moment in the past that is looked at: the cursor's, or the chart's end; None: it follows the present."""
        if self._window.end is None:
            return None
        return self._window.end if self.cursor is None else self.cursor

    # --- reading -------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Another width holds other columns."""
        if self._points != self._asked_points:
            self.load()

    @property
    def _points(self) -> int:
        row = self.console.world.hosts.get(self._host_id)
        # finer than its samples lie, a chart would be a fence of gaps
        samples = int(self._window.seconds / (SAMPLE_ROOM * row.interval_seconds)) if row else MOST_POINTS
        return max(LEAST_POINTS, min(MOST_POINTS, self.columns, samples))

    def load(self) -> None:
        """Read what is to be shown."""
        if self._views and self._host_id and self.is_attached:
            self._asked, self._asked_points = self.console.world.now(), self._points
            begin(self, self._read, exclusive=True, group="chart")

    def follow(self, interval_seconds: float) -> None:
        """The host has new figures: read again, unless the past is looked at or no column would change."""
        step = self._history.step_seconds if self._history else 0.0
        wait = max(2.0, interval_seconds * 0.8, step / 2)
        if self.follows and self.console.world.now() - self._asked >= wait:
            self.load()

    async def _read(self) -> None:
        call, view = self.console.client.call, self.view
        start, end = self._window.bounds(self.console.world.now())

        def query(host: str, earlier: float = 0.0, *, band: bool = False) -> HistoryQuery:
            return HistoryQuery(
                host=host, metric=view.series, start=start - earlier, end=end - earlier, points=self._asked_points, band=band,
            )  # fmt: skip

        try:
            history = await call("hosts.history", History, query(self._host_id, band=True))
            other = None
            if self._compared:
                earlier = parse_duration(self._compared)
                whose = self._host_id if earlier else self._compared
                other = await call("hosts.history", History, query(whose, earlier or 0.0))
        except GuardianError as error:
            # the banner speaks for an engine that is gone; what is shown stays, and ages
            if error.status != 503:
                self.show(ChartData(view.title, "", None, words=safe(error.detail, 200)))
            return
        await self._read_limits()
        if not self._instance:
            try:
                changed = await call(
                    "hosts.changes", ChangeList, ChangesQuery(host=self._host_id, since=start)
                )
                self._changes = changed.changes
            except GuardianError:
                # marks are a help: a chart without them is a chart
                self._changes = ()
        self._history, self._other = history, other
        self.draw()

    async def _read_limits(self) -> None:
        """The rules in force, once: they change with the engine's settings, at its start."""
        session = self.console.session
        if self._rules is not None or session is None or "alerts.see" not in session.permissions:
            return
        try:
            self._rules = (await self.console.client.call("rules.list", RuleList, Nothing())).rules
        except GuardianError:
            # without its line a chart is still a chart; the next reading asks again
            return

    # --- drawing -------------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw what was read, with what is known of alerts now."""
        if self._history is None or not self.is_mounted:
            return
        view, limits = self.view, limits_for(self.view, self._rules or ())
        data = ChartData(
            safe(view.title, 200), view.unit, self._history, limits.critical, view.top, self._marks(), warning=limits.warning,
            limit_words=limits.words, other=self._other, other_words=self._compared_words(),
        )  # fmt: skip
        past = "" if self.follows else " · in the past, . returns"
        problems = len(self._history.problems)
        damaged = f" · {problems} damaged chunk(s) left out" if problems else ""
        self.show(data, f"{self._window.words}{past}{damaged}")

    def _marks(self) -> list[Mark]:
        marks = []
        for change in self._changes:
            if change.kind in _CHANGE_GLYPHS:
                glyph, paint = _CHANGE_GLYPHS[change.kind]
                marks.append(Mark(change.at, glyph, paint, change.words))
        # alerts last: where two things share a cell, the alert is seen
        for alert in self.console.world.alerts_of(self._host_id):
            if not self._instance or alert.instance == self._instance:
                marks.append(Mark(alert.since, "⚑", "warning", alert.title))
        return [*marks, *self._own_marks]

    def _compared_words(self) -> str:
        if parse_duration(self._compared) is not None:
            return {"1d": "a day before", "1w": "a week before"}.get(
                self._compared, f"{self._compared} before"
            )
        row = self.console.world.hosts.get(self._compared)
        return row.name if row else ""

    # --- what a person does ----------------------------------------------------------------------

    def look_at(self, window: Window) -> None:
        """Show another stretch of time."""
        if window != self._window:
            self._window = window
            self.load()
            self.post_message(self.Looked())

    def wider(self) -> None:
        """1 h, 6 h, 24 h, 7 d, and again from the start."""
        self.look_at(self._window.wider())

    def narrower(self) -> None:
        """7 d, 24 h, 6 h, 1 h."""
        self.look_at(self._window.narrower())

    def move(self, spans: float) -> None:
        """Into the past (less than 0) or towards now, by parts of its span."""
        if spans < 0 or not self.follows:
            self.look_at(self._window.moved(spans, self.console.world.now()))

    def now(self) -> None:
        """Follow again."""
        self.hide_cursor()
        self.look_at(Window(self._window.seconds))

    def point(self, cells: int) -> None:
        """Move the cursor; beyond the edge the chart moves under it."""
        if not self.move_cursor(cells):
            self.move(-0.5 if cells < 0 else 0.5)
        elif not self.follows:
            self.post_message(self.Looked())

    def zoom(self, factor: float) -> None:
        """Look closer or wider, around the cursor."""
        self.look_at(self._window.zoomed(factor, self.cursor, self.console.world.now()))

    def next(self, series: str = "") -> None:
        """The next view, or the series named, with the others of its instance behind it."""
        if series:
            self._views, self._place = views_beside(series, self._known, self._usual), 0
        elif self._views:
            self._place = (self._place + 1) % len(self._views)
        self.load()

    def compare(self, words: str | None) -> None:
        """Put a second line in: a day or another duration before, or another host; None takes the next of a few."""
        if words is None:
            now = self._compared if self._compared in COMPARISONS else ""
            words = COMPARISONS[(COMPARISONS.index(now) + 1) % len(COMPARISONS)]
        elif words == "off":
            words = ""
        elif parse_duration(words) is None:
            row = self.console.world.host_named(words)
            if row is None:
                self.console.say(f"There is no host {words}; or say 1d, 1w, off.", severity="error")
                return
            words = row.id
        self._compared, self._other = words, None
        self.load()


class ChartCommands(GuardianScreen):
    """A screen with a :class:`ChartPane`: the commands of charts go to it."""

    @property
    def chart(self) -> ChartPane:
        """The pane."""
        return self.query_one(ChartPane)

    def arguments_of(self, command: Command) -> Sequence[str]:
        """The host's own series; what a chart can be compared with."""
        if command.name == "chart.next":
            return self.chart.known
        others = super().arguments_of(command)
        return [*COMPARISONS[1:], "off", *others] if command.name == "chart.compare" else others

    def command_range_wider(self, arguments: tuple[str, ...]) -> None:
        """`+`."""
        self.chart.wider()

    def command_range_narrower(self, arguments: tuple[str, ...]) -> None:
        """`_`."""
        self.chart.narrower()

    def command_time_back(self, arguments: tuple[str, ...]) -> None:
        """`[`."""
        self.chart.move(-0.5)

    def command_time_forward(self, arguments: tuple[str, ...]) -> None:
        """`]`."""
        self.chart.move(0.5)

    def command_time_now(self, arguments: tuple[str, ...]) -> None:
        """`.`."""
        self.chart.now()

    def command_cursor_left(self, arguments: tuple[str, ...]) -> None:
        """`←`."""
        self.chart.point(-1)

    def command_cursor_right(self, arguments: tuple[str, ...]) -> None:
        """`→`."""
        self.chart.point(1)

    def command_cursor_far_left(self, arguments: tuple[str, ...]) -> None:
        """`⇧←`."""
        self.chart.point(-FAR_CELLS)

    def command_cursor_far_right(self, arguments: tuple[str, ...]) -> None:
        """`⇧→`."""
        self.chart.point(FAR_CELLS)

    def command_chart_closer(self, arguments: tuple[str, ...]) -> None:
        """`x`."""
        self.chart.zoom(0.5)

    def command_chart_farther(self, arguments: tuple[str, ...]) -> None:
        """`X`."""
        self.chart.zoom(2.0)

    def command_chart_next(self, arguments: tuple[str, ...]) -> None:
        """`m`, or `:chart SERIES`."""
        self.chart.next(arguments[0] if arguments else "")

    def command_chart_compare(self, arguments: tuple[str, ...]) -> None:
        """`c`, or `:compare HOST`, `:compare 1d`."""
        self.chart.compare(arguments[0] if arguments else None)
