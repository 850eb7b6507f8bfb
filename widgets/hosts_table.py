"""The hosts table: trouble first, reason in words beside the state, figures muted until they are wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from guardian_tui.protocol.fleet import HostRow
from guardian_tui.protocol.freshness import is_stale, shown_state
from guardian_tui.text import safe
from widgets import figures
from widgets.live_list import LiveList
from widgets.painting import STATE_GLYPHS, Piece, fit

_RANK = {"down": 0, "unreachable": 1, "degraded": 2, "unknown": 3, "maintenance": 4, "up": 5}
_SEVERITY = {"critical": 0, "warning": 1, "info": 2, "": 3}
_FOLD = "fold:"
LEAST_FOLDED = 2
SORTS = ("state", "name", "cpu", "memory", "disk")
_TITLES = {
    "state": "by trouble",
    "name": "by name",
    "cpu": "by cpu",
    "memory": "by memory",
    "disk": "by disk",
}


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths of the columns at one width of the table; 0: not shown."""

    name: int
    state: int
    spark: int
    bar: int
    net: int
    load: int
    uptime: int
    environment: int


def columns_for(width: int) -> Columns:
    """More columns on wide terminals, not wider gaps."""
    name = 16 if width < 110 else 22
    state = 12
    spark, bar = 8, 6
    used = 3 + name + state + 4 + spark + 2 + 4 + bar + 2 + 4 + bar + 2
    net = 13 if width - used >= 13 else 0
    used += net
    load = 7 if width - used >= 8 else 0
    used += load
    uptime = 7 if width - used >= 8 else 0
    used += uptime
    environment = 12 if width - used >= 12 else 0
    return Columns(name, state, spark, bar, net, load, uptime, environment)


class HostsTable(LiveList):
    """Rows of the fleet; changes go in by :meth:`apply`, the time by :meth:`tick`."""

    show_cursor_always = True

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
        self._keys: dict[str, tuple[object, ...]] = {}

    # --- data --------------------------------------------------------------------------------------

    def apply(self, changed: Sequence[HostRow], gone: Sequence[str], now: float) -> None:
        """Take changed rows and ids that went."""
        self._now = now
        resort = bool(gone)
        for id in gone:
            self._rows.pop(id, None)
            self._versions.pop(id, None)
            self._keys.pop(id, None)
        for row in changed:
            if self._rows.get(row.id) != row:
                self._changes += 1
                self._versions[row.id] = self._changes
            self._rows[row.id] = row
            key = self._sort_key(row)
            if self._keys.get(row.id) != key:
                self._keys[row.id] = key
                resort = True
        if resort:
            self._arrange()
        self.redraw_changed([row.id for row in changed])

    def tick(self, now: float) -> None:
        """Time has passed: ages tick, values grow stale."""
        self._now = now
        if self._sort == "state":
            late = [row for row in self._rows.values() if shown_state(row, now) != row.state]
            if any(self._keys.get(row.id) != self._sort_key(row) for row in late):
                self._keys |= {row.id: self._sort_key(row) for row in late}
                self._arrange()
        self.redraw_changed()

    def row(self, id: str) -> HostRow | None:
        """The row of an id."""
        return self._rows.get(id)

    @property
    def shown(self) -> list[HostRow]:
        """Rows in the order shown, without fold lines."""
        return [self._rows[id] for id in self.ids if id in self._rows]

    # --- order -------------------------------------------------------------------------------------

    def _sort_key(self, row: HostRow) -> tuple[object, ...]:
        if self._sort == "name":
            return (row.name.lower(),)
        if self._sort == "state":
            state = shown_state(row, self._now)
            return (_RANK[state], row.behind, _SEVERITY.get(row.severity, 3), row.name.lower())
        value = {"cpu": row.cpu, "memory": row.memory, "disk": row.disk}[self._sort]
        # whole percent: a tenth must not move a row under somebody's eyes
        return (-round(value * 100) if value is not None else 1, row.name.lower())

    def sort_by(self, column: str) -> None:
        """Sort by a column; the same again: the other way round."""
        if column not in SORTS:
            return
        self._reverse = not self._reverse if column == self._sort else False
        self._sort = column
        self._keys = {row.id: self._sort_key(row) for row in self._rows.values()}
        self._arrange()

    def set_filter(self, wanted: Callable[[HostRow], bool] | None) -> None:
        """Show only rows that pass."""
        self._filter = wanted
        self._arrange()

    def toggle_problems(self) -> bool:
        """Only hosts that are not well, or all again; answers which."""
        self._problems_only = not self._problems_only
        self._arrange()
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
        rows = [row for row in self._rows.values() if self._passes(row)]
        keys = self._keys
        rows.sort(key=lambda row: keys[row.id], reverse=self._reverse)
        behind: dict[str, list[str]] = {}
        for row in rows:
            if row.behind and shown_state(row, self._now) == "unreachable":
                behind.setdefault(row.behind, []).append(row.id)
        self._folded = {name: ids for name, ids in behind.items() if len(ids) >= LEAST_FOLDED}
        order: list[str] = []
        told: set[str] = set()
        for row in rows:
            name = row.behind if row.id in self._folded.get(row.behind, ()) else ""
            if name and name not in told:
                told.add(name)
                order.append(_FOLD + name)
            if not name or name in self._open:
                order.append(row.id)
        self.set_order(order)
        hosts = len(rows)
        of = f"{hosts} of {len(self._rows)}" if hosts != len(self._rows) else f"{hosts}"
        self.border_title = f"hosts {of}"
        arrow = "▴" if self._reverse else "▾"
        only = "problems only · " if self._problems_only else ""
        self.border_subtitle = f"{only}{_TITLES[self._sort]} {arrow}"

    def _passes(self, row: HostRow) -> bool:
        if self._problems_only and shown_state(row, self._now) in ("up", "maintenance"):
            return False
        return self._filter is None or self._filter(row)

    # --- looks --------------------------------------------------------------------------------------

    def titles(self, width: int) -> list[Piece]:
        """Names of the columns."""
        c = columns_for(width)
        text = f"  {fit('host', c.name)}{fit('state', c.state)}{fit('cpu', 4 + c.spark + 2)}{fit('mem', 4 + c.bar + 2)}{fit('disk', 4 + c.bar + 2)}"
        text += f"{'why / net ↓ ↑':13}" if c.net else ""
        text += f"{'load':>6} " if c.load else ""
        text += f"{'up':>5}  " if c.uptime else ""
        text += fit("environment", c.environment) if c.environment else ""
        return [(text, "muted")]

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
        return f"{state} {figures.age(self._now - (row.since if state == row.state else row.measured_at or row.since))}"

    def line(self, id: str, width: int) -> list[Piece]:
        """The pieces of a row."""
        c = columns_for(width)
        if id.startswith(_FOLD):
            return self._fold_line(id, c)
        row = self._rows[id]
        state = shown_state(row, self._now)
        glyph, colour = STATE_GLYPHS[state]
        name = safe(row.name, 253)
        trouble = state not in ("up", "maintenance")
        pieces: list[Piece] = [
            (f"{glyph} ", colour),
            (fit(name, c.name - 1) + " ", "strong" if trouble else "text"),
            (fit(state, c.state), colour if trouble else "muted"),
        ]
        since = row.since if state == row.state else (row.measured_at or row.since)
        if state in ("down", "unreachable", "unknown", "maintenance") or row.measured_at is None:
            why = row.why if state == row.state else "no news of it"
            colour = "critical" if state == "down" else "muted"
            return [*pieces, (safe(why, 200), colour), (f"  {figures.age(self._now - since)}", colour)]
        return [*pieces, *self._figures(row, c, figures.age(self._now - since))]

    def _figures(self, row: HostRow, c: Columns, since: str) -> list[Piece]:
        stale = is_stale(row, self._now)
        pieces = [
            *self._number(row.cpu, 0.90, 0.95, stale),
            (figures.spark(row.cpu_points, c.spark), _paint(row.cpu, 0.90, 0.95, stale, "meter")),
            ("  ", "text"),
            *self._number(row.memory, 0.85, 0.95, stale),
            *_bar(row.memory, c.bar, 0.85, 0.95, stale),
            ("  ", "text"),
            *self._number(row.disk, 0.90, 0.95, stale),
            *_bar(row.disk, c.bar, 0.90, 0.95, stale),
            ("  ", "text"),
        ]
        if stale:
            return [*pieces, (f"stale {figures.age(self._now - (row.measured_at or 0))}", "warning")]
        if row.state == "degraded":
            return [
                *pieces,
                (safe(row.why, 120), "critical" if row.severity == "critical" else "warning"),
                (f"  {since}", "muted"),
            ]
        if c.net:
            down, up = (
                figures.amount(row.receive_bytes_per_second),
                figures.amount(row.transmit_bytes_per_second),
            )
            pieces.append((f"{down:>5} {up:>5}  ", "muted"))
        if c.load:
            load = "" if row.load_per_core is None else f"{row.load_per_core:.2f}"
            pieces.append((f"{load:>6} ", "muted"))
        if c.uptime:
            uptime = "" if row.uptime_seconds is None else figures.age(row.uptime_seconds)
            pieces.append((f"{uptime:>5}  ", "muted"))
        if c.environment:
            pieces.append((fit(safe(row.environment, 40), c.environment), "muted"))
        return pieces

    @staticmethod
    def _number(value: float | None, warning: float, critical: float, stale: bool) -> list[Piece]:
        return [(f"{figures.percent(value):>3} ", _paint(value, warning, critical, stale, "text"))]

    def _fold_line(self, id: str, c: Columns) -> list[Piece]:
        name = id.removeprefix(_FOLD)
        ids = self._folded.get(name, [])
        since = min((self._rows[i].since for i in ids), default=self._now)
        glyph, colour = STATE_GLYPHS["unreachable"]
        title = f"{len(ids)} behind {safe(name, 253)}"
        hint = "⏎ closes" if name in self._open else "⏎ shows them"
        return [
            (f"{glyph} ", colour), (fit(title, c.name - 1) + " ", "strong"), (fit("unreachable", c.state), "muted"),
            (f"{safe(name, 60)} does not answer  {figures.age(self._now - since)}  ", "muted"), (hint, "faint"),
        ]  # fmt: skip


def _paint(value: float | None, warning: float, critical: float, stale: bool, calm: str) -> str:
    if stale or value is None:
        return "faint"
    return "critical" if value >= critical else "warning" if value >= warning else calm


def _bar(value: float | None, width: int, warning: float, critical: float, stale: bool) -> list[Piece]:
    if value is None:
        return [("─" * width, "rest")]
    filled, rest = figures.meter(value, width)
    return [(filled, _paint(value, warning, critical, stale, "meter")), (rest, "rest")]
