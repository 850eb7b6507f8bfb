"""All alerts that fire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from guardian_tui.protocol.alerts import Alert
from guardian_tui.rows import Table, alert_columns, alert_text, table_of
from guardian_tui.world import Change
from screens.list_screen import ListScreen
from widgets.alerts_list import AlertsList


class AlertsScreen(ListScreen):
    """The alerts, over the whole width."""

    CONTEXT: ClassVar[str] = "alerts"
    LIST = AlertsList
    NOTHING = "Nothing fires. What was is kept: guardian-tui alerts list --resolved."

    @property
    def subjects(self) -> tuple[Sequence[str], Sequence[str]]:
        """Marked alerts, or the one under the cursor."""
        return (), self.listing.chosen_ids

    @property
    def alerts_shown(self) -> list[Alert]:
        """What passes the filter."""
        return [
            a for a in self.console.world.firing() if self.wanted.matches(alert_columns(a), alert_text(a))
        ]

    @property
    def table_shown(self) -> Table:
        """What `^s` saves: the alerts, as they are filtered."""
        return table_of(Alert, self.alerts_shown, {"id", "host_id"})

    def concerns(self, change: Change) -> bool:
        """Alerts."""
        return change.alerts

    def draw(self, now: float) -> None:
        """Show them."""
        self.query_one(AlertsList).show(self.alerts_shown, now)

    def open_row(self, id: str) -> None:
        """Open an alert."""
        self.console.open_alert(id)
