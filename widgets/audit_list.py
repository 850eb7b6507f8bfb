"""The audit log: who did what to what, when, and how it ended."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.cells import cell_len

from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.text import safe
from widgets.live_list import LiveList
from widgets.painting import Piece, fit

_OUTCOMES = {
    "ok": ("✓", "ok"),
    "denied": ("✗", "critical"),
    "failed": ("!", "warning"),
    "intent": ("…", "muted"),
}


class AuditList(LiveList):
    """Events, newest first."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._events: dict[str, AuditEvent] = {}
        self._who = 9
        """Cells for the names in a narrow pane."""

    def show(self, events: Sequence[AuditEvent], verified: str, *, holds: bool = True) -> None:
        """Show these events; ``verified`` says when the chain was checked."""
        self._events = {str(event.seq): event for event in events}
        self._who = min(9, max((cell_len(safe(event.actor, 64)) for event in events), default=9))
        self.set_order(list(self._events))
        self.say_verified(verified, holds=holds)
        self.redraw_changed()

    def say_verified(self, words: str, *, holds: bool = True) -> None:
        """Say when the chain was checked, and how that ended."""
        self.set_class(not holds, "broken")
        self.set_caption("audit", "", words, "muted" if holds else "critical")

    def event(self, id: str) -> AuditEvent | None:
        """The event of an id."""
        return self._events.get(id)

    def look(self, id: str, width: int) -> object:
        """Events never change."""
        return (self._events[id].hash or id, self._who)

    def line(self, id: str, width: int) -> list[Piece]:
        """Time, actor, action and target, outcome."""
        event = self._events[id]
        glyph, colour = _OUTCOMES.get(event.outcome, ("?", "warning"))
        when = time.localtime(event.time_ms / 1000)
        bad = event.outcome in ("denied", "failed")
        what = f"{safe(event.action, 80)} {safe(event.target, 300)}".strip()
        if width < 70:
            who = self._who
            return [
                (time.strftime("%H:%M ", when), "muted"), (fit(safe(event.actor, 64), who) + " ", "accent"),
                (fit(what, width - 1 - 6 - who - 1 - 2) + " ", "critical" if bad else "text"), (glyph, colour),
            ]  # fmt: skip
        stamp = time.strftime("%Y-%m-%d %H:%M:%S  " if width >= 100 else "%m-%d %H:%M:%S  ", when)
        who = 16 if width >= 100 else 10
        room = max(20, width - 1 - 8 - len(stamp) - who - 1 - 10)
        return [
            (f"{event.seq:>7} ", "faint"), (stamp, "muted"), (fit(safe(event.actor, 64), who) + " ", "accent"),
            (fit(what, room) + " ", "critical" if bad else "text"), (f"{glyph} ", colour), (fit(event.outcome, 7), colour),
        ]  # fmt: skip
