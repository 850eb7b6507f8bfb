"""The hosts table: trouble first, reason in words beside the state, figures muted until they are wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

from rich.cells import cell_len

from guardian_tui.protocol.fleet import HostRow, HostState
from guardian_tui.protocol.freshness import believed_until, is_stale, shown_state
from guardian_tui.text import in_order, safe
from widgets import figures
from widgets.hosts_columns import (
    BAR_CELLS,
    BY_ITSELF,
    SPARK_CELLS,
    STATE_CELLS,
    Columns,
    column_named,
    columns_for,
    right_words,
    titles,
)
from widgets.live_list import LiveList
from widgets.painting import STATE_GLYPHS, Piece, fit, width_of

_RANK = {"down": 0, "unreachable": 1, "degraded": 2, "unknown": 3, "maintenance": 4, "up": 5}
_SEVERITY = {"critical": 0, "warning": 1, "info": 2, "": 3}
_FOLD = "fold:"
LEAST_FOLDED = 2
LEAST_FIGURES = 1
"""Of a host's figures the share of its processors stays, however long the reason beside it is."""
SORTS = ("state", "name", "cpu", "memory", "disk", "load", "net", "up")
_TITLES = {
    "state": "by trouble",
    "name": "by name",
    "cpu": "by cpu",
    "memory": "by memory",
    "disk": "by disk",
    "load": "by load",
    "net": "by traffic",
    "up": "by uptime",
}


_Standing = tuple[bool, str, tuple[object, ...]]
"""Whether a row is shown, behind which dead host, and its place in the order."""


@dataclass(frozen=True, slots=True)
class Looks:
    """How a person looks at the table: what is kept of it in a view."""

    sort: str = "state"
    reverse: bool = False
    problems: bool = False
    columns: tuple[str, ...] = ()
    """Empty: those that there is room for."""


class HostsTable(LiveList):
    """Rows of the fleet; changes go in by :meth:`apply`, the time by :meth:`tick`."""

    show_cursor_always = True
    head = 1

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: dict[str, HostRow] = {}
        self._changes = 0
        # a row can't be hashed (its labels): what was drawn is known by the number of the row's last change
        self._versions: dict[str, int] = {}
        self._now = 0.0
        self._sort = "state"
        self._reverse = False
        self._filter: Callable[[HostRow], bool] | None = None
        self._problems_only = False
        self._open: set[str] = set()
        self._folded: dict[str, list[str]] = {}
        self._standings: dict[str, _Standing] = {}
        # until when the state that the engine told is believed
        self._until: dict[str, float] = {}
        self._count = ""
        self._columns: tuple[str, ...] = ()

    # --- data --------------------------------------------------------------------------------------

    def apply(self, changed: Sequence[HostRow], gone: Sequence[str], now: float) -> None:
        """Take changed rows and ids that went."""
        moved = self._let_pass(now)
        for id in gone:
            moved |= self._rows.pop(id, None) is not None
            for known in (self._versions, self._standings, self._until):
                known.pop(id, None)
        for row in changed:
            if self._rows.get(row.id) == row:
                continue
            self._changes += 1
            self._versions[row.id] = self._changes
            self._rows[row.id] = row
            moved |= self._stand(row)
        if moved or not self.caption:
            self._arrange()
        self.redraw_changed()

    def tick(self, now: float) -> None:
        """Time has passed: ages tick, values grow stale, hosts unknown."""
        if self._let_pass(now):
            self._arrange()
        self.redraw_changed()

    def _let_pass(self, now: float) -> bool:
        """Set the time; True if that moves a row."""
        back, self._now = now < self._now, now
        if back:
            late = list(self._rows)
        elif self._until and now > min(self._until.values()):
            late = [id for id, until in self._until.items() if now > until]
        else:
            return False
        return any([self._stand(self._rows[id]) for id in late])

    def _stand(self, row: HostRow) -> bool:
        """Note where a row belongs; True if it is elsewhere than before."""
        until = believed_until(row)
        state: HostState = "unknown" if self._now > until else row.state
        self._until[row.id] = until if self._now <= until else math.inf
        passes = not (self._problems_only and state in ("up", "maintenance"))
        if passes and self._filter is not None:
            passes = self._filter(row)
        standing = (passes, row.behind if state == "unreachable" else "", self._sort_key(row, state))
        if self._standings.get(row.id) == standing:
            return False
        self._standings[row.id] = standing
        return True

    def _stand_all(self) -> None:
        for row in self._rows.values():
            self._stand(row)
        self._arrange()

    def row(self, id: str) -> HostRow | None:
        """The row of an id."""
        return self._rows.get(id)

    @property
    def shown(self) -> list[HostRow]:
        """Rows in the order shown, without fold lines."""
        return [self._rows[id] for id in self.ids if id in self._rows]

    # --- order -------------------------------------------------------------------------------------

    def _sort_key(self, row: HostRow, state: HostState) -> tuple[object, ...]:
        if self._sort == "name":
            return (in_order(row.name),)
        if self._sort == "state":
            return (_RANK[state], row.behind, _SEVERITY.get(row.severity, 3), in_order(row.name))
        step = _step_of(row, self._sort)
        if step is None or state not in ("up", "degraded"):
            return (1, 0, in_order(row.name))
        return (0, step if self._reverse else -step, in_order(row.name))

    def sort_by(self, column: str) -> None:
        """Sort by a column; the same again: the other way round."""
        if column not in SORTS:
            return
        self._reverse = not self._reverse if column == self._sort else False
        self._sort = column
        self._stand_all()

    @property
    def looked_at(self) -> Looks:
        """How it is looked at now."""
        return Looks(self._sort, self._reverse, self._problems_only, self._columns)

    def look_at(self, looks: Looks) -> None:
        """Look at it as it was looked at."""
        self._sort = looks.sort if looks.sort in SORTS else "state"
        self._reverse, self._problems_only = looks.reverse, looks.problems
        self._stand_all()
        self.set_columns(looks.columns)

    @property
    def columns_chosen(self) -> tuple[str, ...]:
        """The columns that are wanted."""
        return self._columns or BY_ITSELF

    def set_columns(self, names: Sequence[str]) -> None:
        """Show these columns, as far as there is room; none: those that there is room for."""
        self._columns = tuple(filter(None, map(column_named, names)))
        self.redraw_all()

    def set_filter(self, wanted: Callable[[HostRow], bool] | None) -> None:
        """Show only rows that pass."""
        self._filter = wanted
        self._stand_all()

    def toggle_problems(self) -> bool:
        """Only hosts that are not well, or all again; answers which."""
        self._problems_only = not self._problems_only
        self._stand_all()
        return self._problems_only

    def toggle_fold(self, id: str) -> bool:
        """Open or close a line of hosts behind one; False if the id is no such line."""
        if not id.startswith(_FOLD):
            return False
        name = id.removeprefix(_FOLD)
        self._open ^= {name}
        self._arrange()
        return True

    def hosts_of(self, ids: Sequence[str]) -> list[str]:
        """Host ids that these lines stand for: a fold line stands for all behind it."""
        return [
            host
            for id in ids
            for host in self._folded.get(id.removeprefix(_FOLD), [id])
            if host in self._rows
        ]

    def _arrange(self) -> None:
        standings = self._standings
        shown = [id for id in self._rows if standings[id][0]]
        # figures carry their direction in the key, so that hosts without one stay last
        turned = self._reverse and self._sort in ("state", "name")
        shown.sort(key=lambda id: standings[id][2], reverse=turned)
        behind: dict[str, list[str]] = {}
        for id in shown:
            if standings[id][1]:
                behind.setdefault(standings[id][1], []).append(id)
        self._folded = {name: ids for name, ids in behind.items() if len(ids) >= LEAST_FOLDED}
        order: list[str] = []
        told: set[str] = set()
        for id in shown:
            name = standings[id][1]
            if name not in self._folded:
                order.append(id)
            elif name not in told:
                told.add(name)
                order.append(_FOLD + name)
                # together, whatever the sort: they are one thing
                order += self._folded[name] if name in self._open else ()
        self.set_order(order)
        of = f" of {len(self._rows)}" if len(shown) != len(self._rows) else ""
        self._count = f"{len(shown)}{of}"
        self._say_order()

    def _say_order(self) -> None:
        """How rows are ordered, and how much trouble is scrolled out of sight above them."""
        only = "problems only · " if self._problems_only else ""
        words = f"{only}{_TITLES[self._sort]} {'▴' if self._reverse else '▾'}"
        above = set(self.hosts_of(self.ids[: self.scroll_offset.y])) if self.is_mounted else ()
        states = [shown_state(self._rows[id], self._now) for id in above]
        if trouble := sum(state not in ("up", "maintenance") for state in states):
            words = f"▲ {trouble} in trouble above, home shows · {words}"
        self.set_caption("hosts", self._count, words, "warning" if trouble else "muted")

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other rows are out of sight."""
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._say_order()

    # --- looks --------------------------------------------------------------------------------------

    def titles(self, width: int) -> list[Piece]:
        """Names of the columns."""
        return [(titles(columns_for(width, self._columns), width), "muted")]

    def look(self, id: str, width: int) -> object:
        """Which change of the row it is, and what of it the time decides."""
        if id.startswith(_FOLD):
            name = id.removeprefix(_FOLD)
            ids = self._folded.get(name, [])
            since = min((self._rows[i].since for i in ids), default=self._now)
            return (name, len(ids), name in self._open, figures.age(self._now - since))
        row = self._rows[id]
        return (self._versions[id], self._age_shown(row), is_stale(row, self._now))

    def _age_shown(self, row: HostRow) -> str:
        state = shown_state(row, self._now)
        if state == "up":
            return ""
        return f"{state} {figures.age(self._now - _since(row, state))}"

    def line(self, id: str, width: int) -> list[Piece]:
        """The pieces of a row."""
        c = columns_for(width, self._columns)
        if id.startswith(_FOLD):
            return self._fold_line(id, c)
        row = self._rows[id]
        state = shown_state(row, self._now)
        glyph, colour = STATE_GLYPHS[state]
        name = safe(row.name, 253)
        trouble = state not in ("up", "maintenance")
        pieces: list[Piece] = [
            (f"{glyph} ", colour),
            (fit(name, c.name) + " ", "strong" if trouble else "text"),
            (fit(state, STATE_CELLS) + " ", colour if trouble else "muted"),
        ]
        since = figures.age(self._now - _since(row, state))
        if state in ("down", "unreachable", "unknown", "maintenance") or row.measured_at is None:
            why = row.why if state == row.state else "no news of it"
            if row.until is not None:
                why = f"{safe(why, 100)} until {figures.clock(row.until, self._now)}"
            room = width - 1 - width_of(pieces) - 1
            return [
                *pieces,
                (" ", "text"),
                *_words(why, since, room, "critical" if state == "down" else "muted"),
            ]
        parts = self._figures(row, c)
        if row.state == "degraded" and not is_stale(row, self._now):
            # what is wrong goes before how the host is otherwise: figures make room for it from the right
            wanted = cell_len(_value(safe(row.why, 200))) + cell_len(since) + 2
            room = width - 1 - width_of(pieces) - sum(map(width_of, parts))
            while len(parts) > LEAST_FIGURES and room < wanted:
                room += width_of(parts.pop())
        shown = [*pieces, *chain.from_iterable(parts)]
        return [*shown, *self._right(row, c, since, width - 1 - width_of(shown))]

    def _figures(self, row: HostRow, c: Columns) -> list[list[Piece]]:
        """What the host is at, in the parts that can fall away from the right."""
        stale = is_stale(row, self._now)
        parts: list[list[Piece]] = []
        for one in c.figures:
            gap: Piece = ("  " if one == c.figures[-1] else " ", "text")
            if one == "cpu":
                spark = figures.spark(row.cpu_points, SPARK_CELLS)
                paint = _paint(row.cpu, 0.90, 0.95, stale, "meter")
                parts += [_number(row.cpu, 0.90, 0.95, stale), [(spark, paint), gap]]
            elif one == "memory":
                number = _number(row.memory, 0.85, 0.95, stale)
                parts.append([*number, *_bar(row.memory, BAR_CELLS, 0.85, 0.95, stale), gap])
            else:
                bar = _bar(row.disk, BAR_CELLS, 0.90, 0.95, stale)
                parts += [_number(row.disk, 0.90, 0.95, stale), [*bar, gap]]
        return parts

    def _right(self, row: HostRow, c: Columns, since: str, room: int) -> list[Piece]:
        """What is wrong in words, or else the traffic and what a wide terminal has room for."""
        if is_stale(row, self._now):
            return [(f"stale {figures.age(self._now - (row.measured_at or 0))}", "warning")]
        if row.state == "degraded":
            return _words(row.why, since, room, "critical" if row.severity == "critical" else "warning")
        return [(right_words(row, c.right), "muted")]

    def _fold_line(self, id: str, c: Columns) -> list[Piece]:
        name = id.removeprefix(_FOLD)
        ids = self._folded.get(name, [])
        since = min((self._rows[i].since for i in ids), default=self._now)
        glyph, colour = STATE_GLYPHS["unreachable"]
        title = f"{len(ids)} behind {safe(name, 253)}"
        hint = "⏎ closes" if name in self._open else "⏎ shows them"
        return [
            (f"{glyph} ", colour), (fit(title, c.name) + " ", "strong"), (fit("unreachable", STATE_CELLS) + "  ", "muted"),
            (f"{safe(name, 60)} does not answer  {figures.age(self._now - since)}  ", "muted"), (hint, "faint"),
        ]  # fmt: skip


def _step_of(row: HostRow, column: str) -> int | None:
    """A figure in steps so large that what trembles moves no row under somebody's eyes; None: it is not known."""
    if column == "net":
        ways = (row.receive_bytes_per_second, row.transmit_bytes_per_second)
        known = [way for way in ways if way is not None]
        # by half of it more or less
        return round(math.log(1 + max(0.0, sum(known)), 1.5)) if known else None
    value, steps = {
        "cpu": (row.cpu, 100.0), "memory": (row.memory, 100.0), "disk": (row.disk, 100.0), "load": (row.load_per_core, 20.0),
        "up": (row.uptime_seconds, 1 / 60),
    }[column]  # fmt: skip
    return None if value is None else round(value * steps)


def _since(row: HostRow, state: HostState) -> float:
    return row.since if state == row.state else row.measured_at or row.since


def _words(why: str, since: str, room: int, paint: str) -> list[Piece]:
    """A reason and its age; a reason that is too long is cut, and where there is hardly any room the age falls away."""
    text = safe(why, 200)
    if cell_len(text) + len(since) + 2 > room:
        text = _shorter(text, room - len(since) - 2)
    size = cell_len(text)
    if size + len(since) + 2 <= room:
        return [(text, paint), (f"  {since}", paint)]
    if room < 14:
        return [(text, paint)]
    return [(fit(text, min(size, room - len(since) - 1)), paint), (f" {since}", paint)]


def _value(why: str) -> str:
    """A reason without its threshold."""
    return re.split(r" [<>≥≤] | over | if |, ", why, maxsplit=1)[0]


def _shorter(why: str, room: int) -> str:
    """A reason without its threshold, or its name alone, if that has room; else the whole, to be cut."""
    value = _value(why)
    return next((one for one in (value, value.partition(": ")[0]) if cell_len(one) <= room), why)


def _number(value: float | None, warning: float, critical: float, stale: bool) -> list[Piece]:
    return [(f"{figures.percent(value):>3} ", _paint(value, warning, critical, stale, "text"))]


def _paint(value: float | None, warning: float, critical: float, stale: bool, calm: str) -> str:
    if stale or value is None:
        return "faint"
    return "critical" if value >= critical else "warning" if value >= warning else calm


def _bar(value: float | None, width: int, warning: float, critical: float, stale: bool) -> list[Piece]:
    if value is None:
        return [("─" * width, "rest")]
    filled, rest = figures.meter(value, width)
    return [(filled, _paint(value, warning, critical, stale, "meter")), (rest, "rest")]
