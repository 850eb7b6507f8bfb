"""How large a job's snapshots were, as a chart over a whole screen."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.screen import ModalScreen

from guardian_tui.protocol.backups import JobDetail
from guardian_tui.protocol.fleet import History
from guardian_tui.text import safe
from widgets import figures
from widgets.chart import Chart
from widgets.plot import ChartData

MONTH = 30 * 86400.0


class GrowthDialog(ModalScreen[None]):
    """Draws the sizes of a job's snapshots; esc closes it."""

    DEFAULT_CSS = """
    GrowthDialog { align: center middle; background: $background 60%; }
    GrowthDialog Chart { width: 94%; height: 80%; }
    """
    BINDINGS = [("escape,q,enter", "dismiss(None)", "Close")]  # as Textual has it

    def __init__(self, detail: JobDetail) -> None:
        super().__init__()
        self._detail = detail

    def compose(self) -> ComposeResult:
        """The chart."""
        yield Chart(id="growth")

    def on_resize(self) -> None:
        """As many columns as there is room for."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        chart, points = self.query_one(Chart), self._detail.growth
        history = history_of(points, max(2, chart.columns))
        words = "" if history else "two snapshots of known size are needed"
        title = f"size of {safe(self._detail.row.name, 60)}"
        chart.show(ChartData(title, "bytes", history, words=words), note=f"{pace(points)} · esc closes")


def history_of(points: Sequence[tuple[float, float]], columns: int) -> History | None:
    """Sizes as columns of a chart, each with what stood there last; None: too few to draw."""
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return None
    start = points[0][0]
    step = (points[-1][0] - start) / (columns - 1)
    mean: list[float] = []
    place = 0
    for column in range(columns):
        while place + 1 < len(points) and points[place + 1][0] <= start + column * step + step / 2:
            place += 1
        mean.append(points[place][1])
    found = tuple(mean)
    return History("size", start, step, found, found, found)


def pace(points: Sequence[tuple[float, float]]) -> str:
    """By how much it grows in a month, from the first snapshot to the last."""
    if len(points) < 2 or points[-1][0] <= points[0][0]:
        return "no pace yet"
    a_month = (points[-1][1] - points[0][1]) / (points[-1][0] - points[0][0]) * MONTH
    return f"{'−' if a_month < 0 else '+'}{figures.size(abs(a_month))} a month"
