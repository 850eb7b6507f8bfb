"""Snapshots as a person understands them: when, how old, how much, whether it is whole and was proven."""

from __future__ import annotations

import time
from collections.abc import Sequence

from guardian_tui.protocol.backups import Snapshot
from guardian_tui.text import counted, safe
from widgets import figures
from widgets.live_list import LiveList
from widgets.painting import Piece, fit


class SnapshotsList(LiveList):
    """Snapshots in the order in which they are given."""

    head = 1

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._snapshots: dict[str, Snapshot] = {}
        self._now = 0.0

    def show(self, snapshots: Sequence[Snapshot], total: int, now: float) -> None:
        """Show these; there are ``total`` in all."""
        self._now = now
        self._snapshots = {one.id: one for one in snapshots}
        self.set_order([one.id for one in snapshots])
        more = f"the newest {len(snapshots)}" if total > len(snapshots) else ""
        self.set_caption("snapshots", f"{total}", more, "muted")
        self.redraw_changed()

    def snapshot(self, id: str) -> Snapshot | None:
        """The snapshot of an id."""
        return self._snapshots.get(id)

    def tick(self, now: float) -> None:
        """Ages tick."""
        self._now = now
        self.redraw_changed()

    def look(self, id: str, width: int) -> object:
        """The snapshot, and how old it is as it is shown."""
        one = self._snapshots[id]
        return (one, figures.age(self._now - one.at), when(one.at, self._now))

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        return [(fit(f"  {'when':<24}{'age':>5}{'size':>10}{'files':>9}  proof", width - 1), "muted")]

    def line(self, id: str, width: int) -> list[Piece]:
        """One snapshot."""
        one = self._snapshots[id]
        glyph, paint = ("●", "ok") if one.good else ("▲", "warning")
        words = ", ".join(_proofs(one)) if one.good else f"not whole: {one.why}"
        room = width - 1 - 52
        return [
            (f"{glyph} ", paint), (fit(when(one.at, self._now), 24), "text"), (f"{figures.age(self._now - one.at):>5}", "muted"),
            (f"{'' if one.bytes is None else figures.size(one.bytes):>10}", "text"), (f"{'' if one.files is None else one.files:>9}  ", "muted"),
            (fit(safe(words, 300), max(0, room)), "muted" if one.good else paint),
        ]  # fmt: skip


def _proofs(one: Snapshot) -> list[str]:
    return [
        words for words, at in (("drilled", one.drilled_at), ("verified", one.verified_at)) if at is not None
    ]


def point_words(one: Snapshot, now: float) -> str:
    """What is to be known of a point in time before it is picked: ``5h ago, 12.3 GiB, 30 files, drilled``."""
    told = [f"{figures.age(now - one.at)} ago"]
    if one.bytes is not None:
        told.append(figures.size(one.bytes))
    if one.files is not None:
        told.append(counted(one.files, "file"))
    return ", ".join([*told, *(_proofs(one) if one.good else [f"not whole: {one.why}"])])


def when(at: float, now: float) -> str:
    """A time as people say it: ``today 02:30``, ``yesterday 02:30``, ``Mon 23 Nov 02:30``."""
    day, today = time.localtime(at), time.localtime(now)
    clock = time.strftime("%H:%M", day)
    if day[:3] == today[:3]:
        return f"today {clock}"
    # not 24 hours ago: a day on which clocks are changed has 23 or 25
    noon_before = time.mktime((*today[:2], today.tm_mday - 1, 12, 0, 0, 0, 0, -1))
    if day[:3] == time.localtime(noon_before)[:3]:
        return f"yesterday {clock}"
    return time.strftime("%a %d %b %H:%M" if day.tm_year == today.tm_year else "%a %d %b %Y %H:%M", day)
