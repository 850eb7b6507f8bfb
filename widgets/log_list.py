"""Log lines of one host or several, oldest first; the newest stay in view while it follows."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from guardian_tui.protocol.acts import LogLine
from widgets.live_list import LiveList
from widgets.painting import LEVEL_SIGNS, Piece, fit

MOST_LINES = 5000
"""Kept; the oldest go first."""
PRIORITY_PAINTS = {
    0: "critical",
    1: "critical",
    2: "critical",
    3: "critical",
    4: "warning",
    5: "strong",
    6: "text",
    7: "muted",
}


@dataclass(frozen=True, slots=True)
class HostLine:
    """A line and whose it is."""

    host: str
    line: LogLine


class LogList(LiveList):
    """Bounded lines of logs.

    Args:
        many: several hosts: each line names its own.
    """

    show_cursor_always = True

    def __init__(self, *, many: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self._many = many
        self._lines: deque[tuple[str, HostLine]] = deque(maxlen=MOST_LINES)
        self._by_id: dict[str, HostLine] = {}
        self._number = 0
        self._keep: Callable[[HostLine], bool] | None = None
        self.following = True

    def add(self, lines: Iterable[HostLine]) -> None:
        """Add what came, by its time."""
        new = sorted(lines, key=lambda one: one.line.at or 0.0)
        for one in new:
            self._number += 1
            self._lines.append((str(self._number), one))
        if new:
            self._arrange()

    def set_filter(self, keep: Callable[[HostLine], bool] | None) -> None:
        """Show only lines that pass; None: all."""
        self._keep = keep
        self._arrange()

    def follow(self, on: bool) -> None:
        """Keep the newest in view, or stay where it is."""
        self.following = on
        if on:
            self.action_jump(-1)

    @property
    def lines(self) -> list[HostLine]:
        """What is shown, oldest first."""
        return [self._by_id[id] for id in self.ids]

    def at(self, id: str) -> HostLine | None:
        """The line of an id."""
        return self._by_id.get(id)

    def _arrange(self) -> None:
        self._by_id = {id: one for id, one in self._lines if self._keep is None or self._keep(one)}
        self.set_order(list(self._by_id))
        if self.following and self.ids:
            # once its new length is laid out
            self.call_after_refresh(self._to_the_end)

    def _to_the_end(self) -> None:
        if self.following:
            self.action_jump(-1)

    def look(self, id: str, width: int) -> object:
        """Lines never change."""
        return id

    def line(self, id: str, width: int) -> list[Piece]:
        """Time, host, source, text."""
        one = self._by_id[id]
        line = one.line
        when = time.strftime("%H:%M:%S", time.localtime(line.at)) if line.at else "        "
        paint = PRIORITY_PAINTS[line.priority]
        pieces: list[Piece] = [(when + " ", "muted"), (f"{LEVEL_SIGNS.get(paint, ' ')} ", paint)]
        if self._many:
            pieces.append((fit(one.host, 14) + " ", "accent"))
        source = 14 if width >= 100 else 0
        if source:
            pieces.append((fit(line.source, source) + "  ", "muted"))
        taken = 1 + 11 + (15 if self._many else 0) + (source + 2 if source else 0)
        pieces.append((fit(line.text, max(10, width - taken)), paint))
        return pieces
