"""What waits for another person, what one asked for oneself, and what was decided: each a list of its own, with how many have said yes and how long it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from guardian_tui.text import safe
from widgets import figures
from widgets.live_list import LiveList
from widgets.painting import Piece, fit

AskedState = Literal["for you", "waiting", "said yes", "approved", "refused", "void", "done"]
"""``for you``: this person can answer it; ``said yes``: they have; ``waiting``: others can."""

ASKED_GLYPHS: dict[AskedState, tuple[str, str]] = {
    "for you": ("?", "warning"),
    "waiting": ("○", "muted"),
    "said yes": ("◐", "muted"),
    "approved": ("●", "ok"),
    "refused": ("✖", "critical"),
    "void": ("◌", "muted"),
    "done": ("●", "muted"),
}
"""Glyph and paint of a state; the word always stands beside it."""
_NARROW = 100
_SOON_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class AskedRow:
    """One thing that waits for another person, or did: an order, or a step of a run of a runbook.

    Attributes:
        id: of the order, or of the run.
        run: whether it is a run.
        given, quorum: how many have approved it, of how many.
        expires_at: when it is void, or the approvals that it has; None: it waits for as long as it takes.
        at: since when it is so.
    """

    id: str
    run: bool
    state: AskedState
    words: str
    where: str
    by: str
    given: int
    quorum: int
    at: float
    expires_at: float | None = None
    why: str = ""


class ApprovalsList(LiveList):
    """Rows in the order in which they are given."""

    head = 1

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: dict[str, AskedRow] = {}
        self._now = 0.0

    def show(self, rows: Sequence[AskedRow], title: str, now: float) -> None:
        """Show these."""
        self._now = now
        self._rows = {row.id: row for row in rows}
        self.set_order(list(self._rows))
        yours = sum(row.state == "for you" for row in rows)
        self.set_caption(title, f"{len(rows)}", f"{yours} for you" if yours else "", "warning")
        self.redraw_changed()

    def row(self, id: str) -> AskedRow | None:
        """A row that is shown."""
        return self._rows.get(id)

    def _time(self, row: AskedRow) -> tuple[str, str]:
        """What is left until it is void, counted down; of what is over, its age."""
        if row.state in ("refused", "void", "done"):
            return figures.age(self._now - row.at), "muted"
        if row.expires_at is None:
            return "–", "muted"
        left = row.expires_at - self._now
        return figures.age(left), "warning" if left < _SOON_SECONDS else "muted"

    def look(self, id: str, width: int) -> object:
        """The row, and its time as it is shown."""
        row = self._rows[id]
        return row, self._time(row)

    def _widths(self, width: int) -> tuple[int, int]:
        """Cells of who asked and where."""
        return (10, 0) if width < _NARROW else (14, 20)

    def _room(self, width: int) -> int:
        by, where = self._widths(width)
        return width - 1 - 11 - by - 1 - where - bool(where) - 6 - 6

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        by, where = self._widths(width)
        line = f"{'state':<11}{fit('by', by)} {fit('where', where)}{' ' * bool(where)}{fit('what', self._room(width))}{'yes':>5} {'left':>6}"
        return [(line, "muted")]

    def line(self, id: str, width: int) -> list[Piece]:
        """One of them."""
        row = self._rows[id]
        glyph, paint = ASKED_GLYPHS[row.state]
        by, where = self._widths(width)
        # why first: there may be no room for both
        words = f"{row.why.removesuffix('.')}: {row.words}" if row.why else row.words
        left, tone = self._time(row)
        return [
            (f"{glyph} {row.state:<9}", paint), (fit(safe(row.by, 64), by) + " ", "muted"),
            (fit(safe(row.where, 253), where) + " " * bool(where), "muted"),
            (fit(safe(words, 400), self._room(width)), "strong" if row.state == "for you" else "text"),
            (f"{f'{row.given}/{row.quorum}' if row.quorum else '':>5} ", "muted"), (f"{left:>6}", tone),
        ]  # fmt: skip
