"""Authorities that sign host keys: a line for each, and whom the one under the cursor covers."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from guardian_tui.protocol.trust import Authority
from guardian_tui.text import safe
from widgets import figures
from widgets.box import Box, Line
from widgets.live_list import LiveList
from widgets.painting import Piece, fit

_FINGERPRINT = 52
_MOST_NAMED = 40


class AuthoritiesList(LiveList):
    """A line per pinned authority."""

    head = 1

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._authorities: dict[str, Authority] = {}
        self._now = 0.0

    def show(self, authorities: Sequence[Authority], now: float) -> None:
        """Show these, in the engine's order."""
        self._now = now
        self._authorities = {f"{one.pattern} {one.fingerprint}": one for one in authorities}
        self.set_order(list(self._authorities))
        self.set_caption("authorities that sign host keys", f"{len(authorities)}")
        self.redraw_changed()

    def tick(self, now: float) -> None:
        """Ages tick."""
        self._now = now
        self.redraw_changed()

    @property
    def authority(self) -> Authority | None:
        """The one under the cursor."""
        return self._authorities.get(self.cursor_id)

    def look(self, id: str, width: int) -> object:
        """The authority, and how long ago it was pinned."""
        one = self._authorities[id]
        return (one, figures.age(self._now - one.pinned_at))

    def _places(self, width: int) -> tuple[int, int]:
        fingerprint = _FINGERPRINT if width >= 150 else 0
        return max(10, width - 1 - 21 - fingerprint - 7 - 8 - 14), fingerprint

    def titles(self, width: int) -> list[Piece]:
        """Names of the columns."""
        pattern, fingerprint = self._places(width)
        words = f"{fit('hosts named', pattern)}{fit('kind', 21)}{fit('fingerprint', fingerprint)}{'covers':>7}{'pinned':>8}  by"
        return [(fit(words, width - 1), "muted")]

    def line(self, id: str, width: int) -> list[Piece]:
        """One authority."""
        one = self._authorities[id]
        pattern, fingerprint = self._places(width)
        return [
            (fit(safe(one.pattern, 300), pattern - 1) + " ", "strong"), (fit(safe(one.algorithm, 40), 20) + " ", "text"),
            (fit(safe(one.fingerprint, 100), fingerprint), "muted"), (f"{len(one.hosts):>7}", "text" if one.hosts else "muted"),
            (f"{figures.age(self._now - one.pinned_at):>8}  ", "muted"), (fit(safe(one.pinned_by, 64), 12), "muted"),
        ]  # fmt: skip


class AuthorityDetails(Box):
    """All of one authority: its fingerprint, and the hosts that it covers."""

    def tell(self, one: Authority | None) -> None:
        """Show another."""
        if one is None:
            self.show([], "none is pinned")
            return
        named = ", ".join(safe(name, 60) for name in one.hosts[:_MOST_NAMED])
        more = f" and {len(one.hosts) - _MOST_NAMED} more" if len(one.hosts) > _MOST_NAMED else ""
        words = named + more or "no host that you see"
        room = max(20, self.size.width - 14)
        lines: list[Line] = [[(fit("fingerprint", 12), "muted"), (safe(one.fingerprint, 100), "text")]]
        for number, part in enumerate(textwrap.wrap(words, room, break_on_hyphens=False)):
            lines.append([(fit("" if number else "covers", 12), "muted"), (part, "text")])
        self.show(lines, safe(one.pattern, 100))
