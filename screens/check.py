"""One check: its state, what it wants, the newest figures, and any of them over time."""

from __future__ import annotations

import time
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal

from guardian_tui.protocol.checks import CheckDetail, CheckRef, CheckRow, fresh_until, shown_check_state
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.text import safe
from guardian_tui.world import Change
from screens.base import GuardianScreen
from screens.chart_pane import ChartCommands, ChartPane, View
from screens.check_figures import figure_lines, view_of_figure
from screens.work import begin
from widgets import figures
from widgets.box import Box, Line
from widgets.checks_list import CHECK_GLYPHS

FIGURES_PERCENT = 46
"""Of the width."""


class CheckScreen(ChartCommands, GuardianScreen):
    """A check's page.

    Args:
        check_id: its id.
    """

    CONTEXT: ClassVar[str] = "check"
    DEFAULT_CSS = f"""
    CheckScreen #top {{ height: 16; max-height: 55%; }}
    CheckScreen #words {{ width: 1fr; height: 1fr; }}
    CheckScreen #figures {{ width: {FIGURES_PERCENT}%; height: 1fr; }}
    CheckScreen #chart {{ height: 1fr; min-height: 8; }}
    """

    def __init__(self, check_id: str) -> None:
        super().__init__()
        self.check_id = check_id
        self._row: CheckRow | None = None
        self._detail: CheckDetail | None = None
        self._read_of: float | None = -1.0

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Checks, then this one."""
        return ("checks", safe(self._row.name, 100) if self._row else "gone")

    def content(self) -> ComposeResult:
        """Words and figures, then the chart."""
        with Horizontal(id="top"):
            yield Box("check", id="words")
            yield Box("figures", id="figures")
        yield ChartPane(id="chart")

    def world_changed(self, change: Change) -> None:
        """Draw; the page is read again after each run."""
        self._row = self.console.world.checks.get(self.check_id)
        self._draw()
        if self._row is not None and self._row.measured_at != self._read_of:
            self._load()

    def tick(self, now: float) -> None:
        """Ages tick."""
        super().tick(now)
        self._draw()

    def _load(self) -> None:
        self._read_of = self._row.measured_at if self._row else None
        begin(self, self._read, exclusive=True, group="page")

    async def _read(self) -> None:
        row, console = self._row, self.console
        if row is None:
            return
        try:
            self._detail = await console.client.call("checks.show", CheckDetail, CheckRef(check=row.id))
        except GuardianError as error:
            # the banner speaks for an engine that is gone; what is shown stays, and ages
            if error.status != 503:
                console.say_error(error)
            return
        self.chart.offer(row.host_id, _views(self._detail), instance=row.name)
        self.chart.load()
        self._draw()

    def _draw(self) -> None:
        if not self.composed:
            return
        row, box = self._row, self.query_one("#words", Box)
        if row is None:
            box.show([[("This check was removed.", "muted")]])
            return
        now = self.console.world.now()
        box.show(
            [_title(row, now), [("", "text")], *_facts(row, self._detail, now)], title=safe(row.name, 100)
        )
        detail = self._detail
        if detail is not None:
            # before it is laid out, the box has no width of its own
            width = self.size.width * FIGURES_PERCENT // 100 - 2
            self.query_one("#figures", Box).show(figure_lines(detail, width), note="m charts the next")

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Back to where it was opened."""
        self.console.pop_screen()

    def command_open(self, arguments: tuple[str, ...]) -> None:
        """Its host's page."""
        if self._row is not None and self._row.host_id in self.console.world.hosts:
            self.console.open_host(self._row.host_id)


def _views(detail: CheckDetail) -> list[View]:
    """What of it can be charted: how long it took, whether it was well, and each of its figures."""
    name = detail.row.name
    took, well = f"check_seconds{{{name}}}", f"check_ok{{{name}}}"
    own = [View(took, took, "seconds"), View(well, well, "flag", 1.0)]
    return [*own, *(view_of_figure(figure) for figure in detail.figures)]


def _title(row: CheckRow, now: float) -> Line:
    state = shown_check_state(row, now)
    glyph, paint = CHECK_GLYPHS[state]
    words = safe(row.words, 300)
    if now > fresh_until(row):
        words = f"no run in time; it was {row.state}: {words}"
    return [
        (f"{glyph} {state}", paint),
        (f"  for {figures.age(now - row.since)}  ", "muted"),
        (words, "strong"),
    ]


def _facts(row: CheckRow, detail: CheckDetail | None, now: float) -> list[Line]:
    ways = {
        "engine": "the engine", "forward": "a port forwarded by its SSH connection", "host": "a command on the host",
    }  # fmt: skip
    measured = ""
    if row.measured_at is not None:
        at = time.strftime("%H:%M:%S", time.localtime(row.measured_at))
        took = f", took {figures.quantity(row.seconds, 'seconds')}" if row.seconds is not None else ""
        measured = f"{figures.age(now - row.measured_at)} ago, at {at}{took}"
    spec = detail.spec if detail else None
    params = [
        f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in (spec.params if spec else {}).items()
    ]
    rows = [
        ("host", row.host), ("kind", row.kind), ("from", ways[row.where]),
        ("every", f"{figures.age(row.period_seconds)}, at most {row.timeout_seconds:g} s"), ("measured", measured),
        ("in a row", f"{row.failures} failed" if row.failures else ""), ("labels", " ".join(f"{k}={v}" for k, v in row.labels.items())),
        ("made by", "the config file" if row.source == "config" else ""),
        *(("wants" if place == 0 else "", words) for place, words in enumerate(params)),
    ]  # fmt: skip
    return [[(f"{label:<10}", "muted"), (safe(words, 300), "text")] for label, words in rows if words.strip()]
