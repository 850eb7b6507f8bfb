"""Checks, what is wrong first: state, name, host, what the last run found, how long it took and how old that is."""

from __future__ import annotations

from collections.abc import Sequence

from guardian_tui.protocol.checks import CheckRow, CheckState, fresh_until, shown_check_state
from guardian_tui.text import safe
from widgets import figures
from widgets.live_list import LiveList
from widgets.painting import Piece, fit

CHECK_GLYPHS: dict[CheckState, tuple[str, str]] = {
    "ok": ("●", "ok"),
    "warning": ("▲", "warning"),
    "failed": ("✖", "critical"),
    "unknown": ("◌", "muted"),
    "waiting": ("○", "muted"),
    "off": ("◼", "faint"),
}
"""Glyph and paint of a check's state; the word always stands beside it."""
_NARROW = 100
_TAIL = 14


class ChecksList(LiveList):
    """Checks in the order in which they are given."""

    head = 1

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._checks: dict[str, CheckRow] = {}
        self._now = 0.0

    def show(self, checks: Sequence[CheckRow], now: float) -> None:
        """Show these checks."""
        self._now = now
        self._checks = {row.id: row for row in checks}
        self.set_order([row.id for row in checks])
        states = [shown_check_state(row, now) for row in checks]
        failed, warning = states.count("failed"), states.count("warning")
        note = ", ".join(
            f"{count} {word}" for count, word in ((failed, "failed"), (warning, "warning")) if count
        )
        self.set_caption("checks", f"{len(checks)}", note, "critical" if failed else "warning")
        self.redraw_changed()

    def tick(self, now: float) -> None:
        """Ages tick."""
        self._now = now
        self.redraw_changed()

    def _age(self, row: CheckRow) -> str:
        return "–" if row.measured_at is None else figures.age(self._now - row.measured_at)

    def look(self, id: str, width: int) -> object:
        """The row, its age as it is shown, and whether it is still believed."""
        row = self._checks[id]
        return (
            row.state,
            row.words,
            row.name,
            row.host,
            row.seconds,
            self._age(row),
            self._now > fresh_until(row),
        )

    def _widths(self, width: int) -> tuple[int, int, int]:
        """Cells of name, host and kind."""
        return (18, 12, 0) if width < _NARROW else (24, 18, 11)

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        name, host, kind = self._widths(width)
        words = width - 1 - 10 - name - host - kind - 3 - _TAIL
        line = f"{'state':<10}{fit('check', name)} {fit('host', host)} {fit('kind', kind)}{' ' * bool(kind)}{fit('found', words)}"
        return [(line + f"{'took':>7} {'age':>5}", "muted")]

    def line(self, id: str, width: int) -> list[Piece]:
        """One check."""
        row = self._checks[id]
        state = shown_check_state(row, self._now)
        glyph, paint = CHECK_GLYPHS[state]
        stale = state != row.state
        name, host, kind = self._widths(width)
        room = width - 1 - 10 - name - host - kind - 3 - _TAIL
        words = safe(row.words, 300)
        if stale:
            words = f"no run for {self._age(row)}; it was {row.state}: {words}"
        took = "" if row.seconds is None or stale else figures.quantity(row.seconds, "seconds")
        quiet = state in ("ok", "off", "waiting")
        return [
            (f"{glyph} {state:<8}", paint), (fit(safe(row.name, 100), name) + " ", "text" if quiet else "strong"),
            (fit(safe(row.host, 253), host) + " ", "muted"), (fit(row.kind, kind) + " " * bool(kind), "muted"),
            (fit(words, room), "muted" if quiet else paint), (f"{took:>7} ", "muted"),
            (f"{self._age(row):>5}", "warning" if stale else "muted"),
        ]  # fmt: skip
