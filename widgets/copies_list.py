"""The 3-2-1-1-0 report: one job a line, its five figures, how fresh what is elsewhere is, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from guardian_tui.protocol.backups import CopiesRow
from guardian_tui.text import safe
from widgets import figures
from widgets.live_list import LiveList
from widgets.painting import Piece, fit

WANTED = (3, 2, 1, 1, 0)
"""Copies, places, one elsewhere, one that no key in use can delete; and no errors."""
_NARROW = 100


class CopiesList(LiveList):
    """Jobs, the worst first."""

    head = 1

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: dict[str, CopiesRow] = {}
        self._now = 0.0

    def show(self, rows: Sequence[CopiesRow], now: float) -> None:
        """Show these jobs."""
        self._now = now
        self._rows = {row.job: row for row in rows}
        self.set_order(list(self._rows))
        short = sum(bool(row.flags) for row in rows)
        self.set_caption(
            "copies 3-2-1-1-0",
            f"{len(rows) - short}/{len(rows)} as they should be",
            f"{short} short" if short else "",
            "critical",
        )
        self.redraw_changed()

    def row(self, job: str) -> CopiesRow | None:
        """The row of a job."""
        return self._rows.get(job)

    def look(self, id: str, width: int) -> object:
        """The row, and the age of what is elsewhere as it is shown."""
        row = self._rows[id]
        return (row, elsewhere_age(row, self._now))

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        job, host = _widths(width)
        figured = "3 copies  2 places  1 away  1 safe  0 bad" if width >= _NARROW else "3  2  1  1  0"
        return [(fit(f"  {fit('job', job)}{fit('host', host)}{figured} {'elsewhere':>10}  missing", width - 1), "muted")]  # fmt: skip

    def line(self, id: str, width: int) -> list[Piece]:
        """One job."""
        row = self._rows[id]
        job, host = _widths(width)
        well = not row.flags
        glyph, paint = ("●", "ok") if well else ("✖", "critical") if grave(row) else ("▲", "warning")
        cells = (8, 10, 8, 8, 7) if width >= _NARROW else (1, 3, 3, 3, 3)
        pieces: list[Piece] = [
            (f"{glyph} ", paint), (fit(safe(row.job, 60), job), "text" if well else "strong"), (fit(safe(row.host, 253), host), "muted"),
        ]  # fmt: skip
        for value, wanted, room in zip(figures_of(row), WANTED, cells, strict=True):
            short = value > 0 if wanted == 0 else value < wanted
            pieces.append((f"{value:>{room}}", "warning" if short else "text"))
        pieces.append((f" {elsewhere_age(row, self._now):>10}  ", "muted"))
        used = 2 + job + host + sum(cells) + 13
        pieces.append((fit(safe("; ".join(row.flags) or "nothing", 400), max(0, width - 1 - used)), "muted" if well else paint))  # fmt: skip
        return pieces


def _widths(width: int) -> tuple[int, int]:
    return (16, 14) if width < _NARROW else (18, 14)


def figures_of(row: CopiesRow) -> tuple[int, int, int, int, int]:
    """The five figures, in the order of the rule."""
    return (row.copies, row.places, row.elsewhere, row.untouchable, row.errors)


def grave(row: CopiesRow) -> bool:
    """Whether one loss takes all: no copy but the data, one host, or something is wrong with what there is."""
    return row.copies < 2 or row.places < 2 or row.errors > 0


def elsewhere_age(row: CopiesRow, now: float) -> str:
    """How old the newest copy at another site is."""
    newest = max((one.at for one in row.held if one.elsewhere and one.at is not None), default=None)
    return "none" if newest is None else figures.age(now - newest)


def copies_lines(row: CopiesRow, now: float) -> list[tuple[str, str]]:
    """One job's copies in full, as lines of a report: each place, how fresh it is, whose key can delete it, then what is missing."""
    lines = [
        (f"{title:<44}{value} {'' if ok else f'of {wanted}' if wanted else 'should be 0'}".rstrip(), "good" if ok else "error")
        for title, value, wanted, ok in (
            (title, value, wanted, value <= 0 if wanted == 0 else value >= wanted)
            for title, value, wanted in zip(_TITLES, figures_of(row), WANTED, strict=True)
        )
    ]  # fmt: skip
    lines += [("", ""), (f"{row.host}: the data itself", "muted")]
    for one in row.held:
        where = f", site {one.site}" if one.site else ", no site is known"
        age = (
            "nothing good is there"
            if one.at is None
            else f"{figures.age(now - one.at)} old" + ("" if one.in_time else ", too old to count")
        )
        key = "no key in use can delete it" if one.untouchable else f"{one.keeper} can delete it"
        lines.append((f"{one.repository} on {one.place}{where}{' (elsewhere)' if one.elsewhere else ''}: {age}; {key}", "strong"))  # fmt: skip
        if one.fault:
            lines.append((f"  {one.fault}", "error"))
    lines += [("", ""), *((flag, "error") for flag in row.flags)]
    return lines if row.flags else [*lines, ("Nothing is missing.", "good")]


_TITLES = (
    "copies, the data itself among them",
    "hosts that hold them",
    "copies at another site",
    "copies that no key in use can delete",
    "copies that are bad or unproven",
)
