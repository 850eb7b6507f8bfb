"""A chart of one host that owns all it shows: the series, the span, the moment at its end; it reads its history itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events
from textual.screen import Screen

from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.fleet import History, HistoryQuery
from guardian_tui.protocol.metrics import METRICS
from guardian_tui.text import safe
from widgets.chart import Chart, ChartData, Mark

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp

SPANS = ((3600.0, "1 h"), (6 * 3600.0, "6 h"), (86400.0, "24 h"), (7 * 86400.0, "7 d"))


@dataclass(frozen=True, slots=True)
class View:
    """One series that can be charted; ``top`` fixes the axis' end."""

    series: str
    title: str
    unit: str = ""
    top: float | None = None
    threshold: float | None = None


def view_of(
    series: str, title: str = "", *, top: float | None = None, threshold: float | None = None
) -> View:
    """A view with the unit that the catalogue of metrics has for it."""
    metric = METRICS.get(series.partition("{")[0])
    return View(series, title or series, metric.unit if metric else "", top, threshold)


class ChartPane(Chart):
    """Reads and shows one series of a host at a time.

    Args:
        id: its id.
    """

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._host_id = ""
        self._instance = ""
        self._views: list[View] = []
        self._place = 0
        self._span = 0
        self._end: float | None = None
        self._asked = 0.0
        self._asked_points = 0
        self._history: History | None = None

    @property
    def console(self) -> GuardianApp:
        """The app, by its own type."""
        return self.app  # type: ignore[return-value]  # there is no other app

    def offer(self, host_id: str, views: Sequence[View], *, instance: str = "") -> None:
        """Say what can be charted; what is shown stays if it is still among it.

        Args:
            host_id: whose series they are.
            views: in the order of `m`.
            instance: mark only alerts about this one.
        """
        shown = self.view.series if self._views else ""
        self._host_id, self._instance, self._views = host_id, instance, list(views)
        self._place = next((place for place, view in enumerate(views) if view.series == shown), 0)

    @property
    def view(self) -> View:
        """What is shown."""
        return self._views[self._place]

    @property
    def follows(self) -> bool:
        """Whether it ends now, not in the past."""
        return self._end is None

    @property
    def has_values(self) -> bool:
        """Whether what was read holds any value."""
        return self._history is not None and any(value is not None for value in self._history.mean)

    # --- reading -------------------------------------------------------------------------------

    def on_resize(self, event: events.Resize) -> None:
        """Another width holds other columns."""
        if self._points != self._asked_points:
            self.load()

    @property
    def _points(self) -> int:
        return max(20, min(400, self.columns))

    def load(self) -> None:
        """Read what is to be shown."""
        if self._views:
            self._asked, self._asked_points = self.console.world.now(), self._points
            self.run_worker(self._read(), exclusive=True, group="chart", exit_on_error=False)

    def follow(self, interval_seconds: float) -> None:
        """The host has new figures: read again, unless the past is looked at or no column would change."""
        step = self._history.step_seconds if self._history else 0.0
        wait = max(2.0, interval_seconds * 0.8, step / 2)
        if self._end is None and self.console.world.now() - self._asked >= wait:
            self.load()

    async def _read(self) -> None:
        console, view = self.console, self.view
        end = self._end or console.world.now()
        query = HistoryQuery(
            host=self._host_id, metric=view.series, start=end - SPANS[self._span][0], end=end, points=self._asked_points,
        )  # fmt: skip
        try:
            history = await console.client.call("hosts.history", History, query)
        except GuardianError as error:
            # the banner speaks for an engine that is gone; what is shown stays, and ages
            if error.status != 503:
                self.show(ChartData(view.title, "", None, words=safe(error.detail, 200)))
            return
        self._history = history
        self.draw()

    # --- drawing -------------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw what was read, with what is known of alerts now."""
        if self._history is None or not self.is_mounted:
            return
        view = self.view
        marks = [
            Mark(alert.since, "⚑", "warning", alert.title)
            for alert in self.console.world.alerts_of(self._host_id)
            if not self._instance or alert.instance == self._instance
        ]
        data = ChartData(safe(view.title, 200), view.unit, self._history, view.threshold, view.top, marks)
        spans = " ".join(
            f"[{words}]" if place == self._span else words for place, (_, words) in enumerate(SPANS)
        )
        past = " · in the past, . returns" if self._end is not None else ""
        problems = len(self._history.problems)
        damaged = f" · {problems} damaged chunk(s) left out" if problems else ""
        self.show(data, f"{spans}{past}{damaged}")

    # --- what a person does ----------------------------------------------------------------------

    def wider(self) -> None:
        """1 h, 6 h, 24 h, 7 d, and again from the start."""
        self._span = (self._span + 1) % len(SPANS)
        self.load()

    def narrower(self) -> None:
        """7 d, 24 h, 6 h, 1 h."""
        self._span = max(0, self._span - 1)
        self.load()

    def back(self) -> None:
        """Half a span into the past."""
        self._end = (self._end or self.console.world.now()) - SPANS[self._span][0] / 2
        self.load()

    def forward(self) -> None:
        """Half a span towards now."""
        if self._end is not None:
            end = self._end + SPANS[self._span][0] / 2
            self._end = end if end < self.console.world.now() else None
            self.load()

    def now(self) -> None:
        """Follow again."""
        self._end = None
        self.load()

    def next(self, series: str = "") -> None:
        """The next view, or the series named."""
        if not self._views:
            return
        if series:
            known = next((place for place, view in enumerate(self._views) if view.series == series), None)
            if known is None:
                self._views.insert(0, view_of(series))
                known = 0
            self._place = known
        else:
            self._place = (self._place + 1) % len(self._views)
        self.load()


class ChartCommands(Screen[None]):
    """Mixed into a screen with a :class:`ChartPane`: the commands of charts go to it."""

    @property
    def chart(self) -> ChartPane:
        """The pane."""
        return self.query_one(ChartPane)

    def command_range_wider(self, arguments: tuple[str, ...]) -> None:
        """`+`."""
        self.chart.wider()

    def command_range_narrower(self, arguments: tuple[str, ...]) -> None:
        """`_`."""
        self.chart.narrower()

    def command_time_back(self, arguments: tuple[str, ...]) -> None:
        """`[`."""
        self.chart.back()

    def command_time_forward(self, arguments: tuple[str, ...]) -> None:
        """`]`."""
        self.chart.forward()

    def command_time_now(self, arguments: tuple[str, ...]) -> None:
        """`.`."""
        self.chart.now()

    def command_chart_next(self, arguments: tuple[str, ...]) -> None:
        """`m`, or `:chart METRIC`."""
        self.chart.next(arguments[0] if arguments else "")
