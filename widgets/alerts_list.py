"""Alerts, worst first: what, where, since when, and whether somebody has it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from guardian_tui.protocol.alerts import Alert
from guardian_tui.text import safe
from widgets import figures
from widgets.live_list import LiveList
from widgets.painting import SEVERITY_GLYPHS, Piece, fit


class AlertsList(LiveList):
    """Alerts in the order in which they are given; narrow as a pane, wide as a screen.

    Args:
        id: of the widget.
        one_host: all are of the host whose page it is, so that none needs to name it.
    """

    def __init__(self, id: str | None = None, *, one_host: bool = False) -> None:
        super().__init__(id=id)
        self._one_host = one_host
        self._alerts: dict[str, Alert] = {}
        self._now = 0.0
        self._widest = (0, 0)
        """Cells of the longest name and the longest host: no column is wider than what stands in it."""

    def show(self, alerts: Sequence[Alert], now: float) -> None:
        """Show these alerts."""
        self._now = now
        self._alerts = {alert.id: alert for alert in alerts}
        self._widest = (
            max((cell_len(_name(alert)) for alert in alerts), default=0),
            max((cell_len(_host(alert)) for alert in alerts), default=0),
        )
        self.set_order([alert.id for alert in alerts])
        firing = [alert for alert in alerts if alert.state == "firing"]
        critical = sum(alert.severity == "critical" for alert in firing)
        self.set_caption("alerts", f"{len(firing)}", f"{critical} critical" if critical else "", "critical")
        self.redraw_changed()

    def tick(self, now: float) -> None:
        """Ages tick."""
        self._now = now
        self.redraw_changed()

    def alert(self, id: str) -> Alert | None:
        """The alert of an id."""
        return self._alerts.get(id)

    def look(self, id: str, width: int) -> object:
        """The alert, and its age as it is shown."""
        alert = self._alerts[id]
        return (alert, figures.age(self._now - alert.since), self._widest)

    def line(self, id: str, width: int) -> list[Piece]:
        """Glyph, title, host, age, and @ where somebody has it."""
        alert = self._alerts[id]
        glyph, colour = SEVERITY_GLYPHS[alert.severity]
        over = alert.state != "firing"
        quiet = over or alert.silenced_until is not None or alert.preexisting
        hand = (
            "✓"
            if over
            else "@"
            if alert.acknowledged_by
            else "z"
            if alert.silenced_until is not None
            else " "
        )
        tail: list[Piece] = [(f"{figures.age(self._now - alert.since):>5} ", "muted"), (hand, "accent")]
        name, host = _name(alert), _host(alert)
        longest_name, longest_host = self._widest
        room = width - 1 - 2 - 7
        if self._one_host and room < 44:
            return [
                ("✓ " if over else f"{glyph} ", "ok" if over else colour),
                (fit(name, room), "muted" if quiet else "strong"),
                *tail,
            ]
        if width < 70 and not self._one_host:
            # hosts differ in their last letters, so that a title is cut before a name is
            host_width = min(longest_host, max(room * 3 // 5, room - 1 - longest_name))
            return [
                ("✓ " if over else f"{glyph} ", "ok" if over else colour), (fit(name, room - host_width - 1) + " ", "muted" if quiet else "strong"),
                (fit(host, host_width), "muted"), *tail,
            ]  # fmt: skip
        why = safe(alert.why, 300)
        if alert.acknowledged_by:
            why = f"{safe(alert.acknowledged_by, 40)} has it{': ' + safe(alert.note, 100) if alert.note else ''} · {why}"
        name_width, host_width = (
            min(longest_name, max(16, room // 3)),
            0 if self._one_host else min(longest_host, max(12, room // 5)),
        )
        where: list[Piece] = [(fit(host, host_width) + " ", "text")] if host_width else []
        left = room - name_width - 1 - (host_width + 1 if host_width else 0)
        return [
            ("✓ " if over else f"{glyph} ", "ok" if over else colour), (fit(name, name_width) + " ", "muted" if quiet else "strong"),
            *where, (fit(why, left), "muted" if quiet else colour), *tail,
        ]  # fmt: skip


def _name(alert: Alert) -> str:
    return safe(alert.title + (f" {alert.instance}" if alert.instance else ""), 120)


def _host(alert: Alert) -> str:
    return safe(alert.host or "engine", 253) + (f" +{alert.folded}" if alert.folded else "")
