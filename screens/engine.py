"""The engine's own page: what it costs, what waits, how late it is, its store, and errors of our own; read while it is looked at."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll

from guardian_tui.protocol.engine_figures import EngineFigures
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.text import safe
from guardian_tui.world import Change
from screens.base import GuardianScreen
from screens.engine_lines import box_lines, error_lines, groups, section_lines
from screens.work import begin
from widgets.box import Box, Line

READ_SECONDS = 2.0


class EngineScreen(GuardianScreen):
    """Figures that the engine measures of itself."""

    CONTEXT: ClassVar[str] = "engine"
    DEFAULT_CSS = """
    EngineScreen #all { height: 1fr; }
    EngineScreen #all Horizontal { height: auto; }
    EngineScreen #all Vertical { height: auto; width: 1fr; }
    EngineScreen Box { height: auto; }
    EngineScreen.narrow #all Horizontal { layout: vertical; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._asked_at = 0.0
        self._reading = False
        self._shown: dict[str, list[Line]] = {}

    def content(self) -> ComposeResult:
        """Boxes, two beside each other where there is room."""
        with VerticalScroll(id="all"):
            with Horizontal():
                with Vertical():
                    yield Box("engine", id="engine")
                    yield Box("what waits", id="what-waits")
                with Vertical():
                    yield Box("watching", id="watching")
                    yield Box("store", id="store")
            yield Box("errors of our own", id="errors")
            yield Box("sections of the probe", id="sections")

    def on_mount(self) -> None:
        """Read."""
        self.query_one(VerticalScroll).focus()

    def on_resize(self) -> None:
        """One column where two have no room."""
        self.set_class(self.app.size.width < 110, "narrow")

    def world_changed(self, change: Change) -> None:
        """Read when it comes into view."""
        if change.complete:
            self._read_soon()

    def tick(self, now: float) -> None:
        """Read again while it is looked at."""
        super().tick(now)
        if now - self._asked_at >= READ_SECONDS:
            self._read_soon()

    def _read_soon(self) -> None:
        if not self._reading:
            self._reading, self._asked_at = True, self.console.world.now()
            begin(self, self.read, group="page")

    async def read(self) -> None:
        """Ask the engine, and draw what changed."""
        try:
            found = await self.console.client.call("engine.figures", EngineFigures)
        except GuardianError as error:
            # the banner speaks for an engine that is gone
            if error.status != 503:
                self._draw("engine", [[(safe(error.detail, 300), "critical")]])
            return
        finally:
            self._reading = False
        if not self.composed:
            return
        for title, figures in groups(found).items():
            self._draw(title.replace(" ", "-"), box_lines(figures))
        self._draw("errors", error_lines(found), f"{sum(error.count for error in found.errors)} in all")
        self._draw("sections", section_lines(found), "from question to answer")

    def _draw(self, id: str, lines: list[Line], note: str = "") -> None:
        """Draw a box if its lines differ from those on screen."""
        if self._shown.get(id) == lines:
            return
        grown = len(lines) != len(self._shown.get(id, ()))
        self._shown[id] = lines
        box = self.query_one(f"#{id}", Box)
        box.show(lines, note=note)
        if grown:
            box.refresh(layout=True)

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Back to the fleet."""
        self.console.go("fleet")
