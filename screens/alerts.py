"""All alerts that fire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult

from guardian_tui import filter as filters
from guardian_tui.protocol.alerts import Alert
from guardian_tui.rows import alert_columns, alert_text
from guardian_tui.world import Change
from screens.base import GuardianScreen
from widgets.alerts_list import AlertsList
from widgets.live_list import LiveList


class AlertsScreen(GuardianScreen):
    """The alerts, over the whole width."""

    CONTEXT: ClassVar[str] = "alerts"
    DEFAULT_CSS = "AlertsScreen #alerts { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._filter = filters.parse("")

    def content(self) -> ComposeResult:
        """One list."""
        yield AlertsList(id="alerts")

    def on_mount(self) -> None:
        """Focus it."""
        self.query_one(AlertsList).focus()

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The filter is part of where we are."""
        return ("alerts", f"/{self._filter.text}") if self._filter.text.strip() else ("alerts",)

    @property
    def subjects(self) -> tuple[Sequence[str], Sequence[str]]:
        """Marked alerts, or the one under the cursor."""
        return (), self.query_one(AlertsList).chosen_ids

    @property
    def alerts_shown(self) -> list[Alert]:
        """What passes the filter."""
        return [
            a for a in self.console.world.firing() if self._filter.matches(alert_columns(a), alert_text(a))
        ]

    def world_changed(self, change: Change) -> None:
        """Draw."""
        if change.alerts:
            self.query_one(AlertsList).show(self.alerts_shown, self.console.world.now())

    def tick(self, now: float) -> None:
        """Ages tick."""
        super().tick(now)
        self.query_one(AlertsList).tick(now)

    def filter_typed(self, text: str, *, done: bool) -> None:
        """Filter as it is typed."""
        wanted = self.parsed_filter(text, done=done)
        if wanted is None:
            return
        self._filter = wanted
        self.world_changed(Change(alerts=True))

    def give_back_focus(self) -> None:
        """Back to the list."""
        self.query_one(AlertsList).focus()

    def command_open(self, arguments: tuple[str, ...]) -> None:
        """Open the alert under the cursor."""
        if self.query_one(AlertsList).cursor_id:
            self.console.open_alert(self.query_one(AlertsList).cursor_id)

    def on_live_list_chosen(self, event: LiveList.Chosen) -> None:
        """A double click opens."""
        self.console.open_alert(event.id)

    def command_mark(self, arguments: tuple[str, ...]) -> None:
        """Mark the row."""
        self.query_one(AlertsList).toggle_mark()

    def command_range(self, arguments: tuple[str, ...]) -> None:
        """Mark from the last mark to here."""
        self.query_one(AlertsList).mark_range()

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Undo the marks, the filter, then back to the fleet."""
        if self.query_one(AlertsList).clear_marks():
            return
        if self._filter.text.strip():
            self.filter_typed("", done=True)
        else:
            self.console.go("fleet")
