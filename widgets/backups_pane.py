"""The backups at a glance, for a pane: what runs, what is in trouble, and whether all could be restored tonight."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from guardian_tui.protocol.backups import JobRow, ReadinessRow, shown_job_state
from guardian_tui.text import safe
from widgets import figures
from widgets.backups_list import JOB_GLYPHS
from widgets.live_list import LiveList
from widgets.painting import Piece, fit

GOOD, TONIGHT, WORST = "good", "tonight", "worst"
"""Ids of the lines that are about all of them."""
_BAR = 8


_SAID_ELSEWHERE = (
    "its repository can't be read: ",
    "The repository ",
    "The ",
    "There is ",
    "Not all saved: ",
)
"""Beginnings that a narrow pane has no room for: what tells one reason from another comes after them."""


def _short(words: str) -> str:
    """A reason without what others begin with too."""
    for beginning in _SAID_ELSEWHERE:
        words = words.removeprefix(beginning)
    return words


class BackupsPane(LiveList):
    """Jobs that run or are in trouble, then a line for those that are good, one for the hosts, one for the slowest of them."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._jobs: dict[str, JobRow] = {}
        self._good: list[JobRow] = []
        self._hosts: Collection[ReadinessRow] = ()
        self._now = 0.0

    def show(self, jobs: Sequence[JobRow], hosts: Collection[ReadinessRow], now: float) -> None:
        """Show these, in the order in which they are given."""
        self._now = now
        judged = [(row, shown_job_state(row, now)) for row in jobs if row.enabled]
        self._good = [row for row, state in judged if state == "ok"]
        told = [row for row, state in judged if state != "ok"]
        self._jobs = {row.id: row for row in told}
        self._hosts = hosts
        ids = [row.id for row in sorted(told, key=lambda row: row.state != "running")]
        proven = any(row.rto_measured and row.rto_seconds is not None for row in hosts)
        whole = [
            *([GOOD] if self._good else []),
            *([TONIGHT] if judged else []),
            *([WORST] if proven else []),
        ]
        self.set_order([*ids, *whole])
        bad = sum(state in ("critical", "failed", "never") for _, state in judged)
        well = len(self._good) + sum(state == "running" for _, state in judged)
        self.set_caption(
            "backups",
            f"{well}/{len(judged)} in RPO" if judged else "none yet",
            f"{bad} in trouble" if bad else "",
            "critical",
        )
        self.redraw_changed()

    def look(self, id: str, width: int) -> object:
        """What decides how the line looks."""
        if id in (GOOD, TONIGHT, WORST):
            return tuple(map(str, self.line(id, width)))
        row = self._jobs[id]
        return (
            row.name,
            row.engine,
            row.words,
            row.run,
            row.anomaly,
            shown_job_state(row, self._now),
            self._age(row),
        )

    def _age(self, row: JobRow) -> str:
        return "never" if row.good_at is None else figures.age(self._now - row.good_at)

    def line(self, id: str, width: int) -> list[Piece]:
        """One line."""
        if id == GOOD:
            oldest = max(self._now - (row.good_at or self._now) for row in self._good)
            drilled = sum(row.drilled_at is not None and row.drill == "ok" for row in self._good)
            return [
                ("● ", "ok"),
                (f"{len(self._good)} good", "text"),
                (f"  oldest {figures.age(oldest)} · drilled {drilled}", "muted"),
            ]
        if id == TONIGHT:
            return self._tonight()
        if id == WORST:
            return self._worst()
        row, state = self._jobs[id], shown_job_state(self._jobs[id], self._now)
        glyph, paint = JOB_GLYPHS[state]
        name = max(8, min(16, width // 3))
        pieces: list[Piece] = [(f"{glyph} ", paint), (fit(safe(row.name, 60), name) + " ", "text")]
        progress = row.run.progress if state == "running" and row.run is not None else None
        if progress is not None and progress.bytes_total:
            filled, rest = figures.meter(progress.bytes_done / progress.bytes_total, _BAR)
            return [
                *pieces,
                (filled, "accent"),
                (rest, "rest"),
                (f" {min(100, progress.bytes_done * 100 // progress.bytes_total)} %", "text"),
            ]
        words = (
            f"stale {self._age(row)}" if state in ("late", "critical") else row.anomaly or row.words or state
        )
        room = max(0, width - name - 4)
        return [*pieces, (fit(safe(words if len(words) <= room else _short(words), 200), room), paint)]

    def _tonight(self) -> list[Piece]:
        ready = [row.ready for row in self._hosts]
        yes, no, none, unknown = (ready.count(word) for word in ("yes", "no", "none", "unknown"))
        pieces: list[Piece] = [("restore tonight? ", "muted"), (f"{yes} yes", "ok")]
        if no:
            pieces.append((f" {no} no", "critical"))
        if none:
            pieces.append((f" {none} none", "warning"))
        if unknown:
            pieces.append((f" {unknown} unknown", "muted"))
        return pieces

    def _worst(self) -> list[Piece]:
        """The host that was the slowest to come back when it was tried; what is only estimated is no measure."""
        measured = [
            (row.rto_seconds, row.host)
            for row in self._hosts
            if row.rto_measured and row.rto_seconds is not None
        ]
        seconds, host = max(measured)
        return [
            ("worst RTO ", "muted"),
            (figures.age(seconds), "text"),
            (f" measured, {safe(host, 253)}", "muted"),
        ]
