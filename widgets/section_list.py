"""Any section of a host as a live table: columns from its catalogue entry, sorted, filtered, or as a tree."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from guardian_tui.protocol.section_kinds import Cell, CellUnit, Column, SectionKind
from guardian_tui.protocol.section_order import rank
from widgets import figures
from widgets.live_list import LiveList
from widgets.painting import Piece, fit

Row = tuple[Cell, ...]
Keep = Callable[[Mapping[str, Cell], str], bool]
"""Whether a row passes a filter, by its columns and by its text."""

_BAD = frozenset(
    {
        "failed",
        "unhealthy",
        "dead",
        "faulted",
        "degraded",
        "down",
        "expired",
        "Z",
        "zombie",
        "critical",
        "error",
        "not-found",
        "new",
    }
)
_ODD = frozenset(
    {
        "activating",
        "deactivating",
        "D",
        "exited",
        "inactive",
        "stopped",
        "warning",
        "changed",
        "gone",
        "unknown",
    }
)
WIDEST_TEXT = 36
"""Cells of a text column that is not the last: what is longer is cut, and whole in what is opened."""
NARROWEST_TEXT = 8
"""To what a text column shrinks where a screen is narrow, before a column is left out."""
NARROWEST_NAME = 24
"""To what the column shrinks by which a row is known."""
_KNOWN_BY = {"processes": "command"}
"""Columns by which rows are known, where that is not the first."""
_DISPENSABLE = {"processes": ("threads", "parent"), "unit_list": ("tasks",)}
"""Columns that go first where a screen is narrow."""
FEW = 100_000
"""Counts from here on are written in thousands or millions: a figure is never cut."""
_GAP = 2
_FIGURE_WIDTHS: dict[CellUnit, int] = {
    "count": 5, "bytes": 5, "ratio": 4, "seconds": 5, "per_second": 7, "time": 10, "number": 7, "text": 0
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """How rows are ordered: by a column, the greatest first or not; as a tree or flat."""

    column: str = ""
    falling: bool = False
    tree: bool = False

    def by(self, column: str, *, number: bool) -> Order:
        """This order by another column; by the same one again: the other way round.  Numbers begin with the greatest."""
        if column == self.column:
            return Order(column, not self.falling, self.tree)
        return Order(column, number, self.tree)


def first_order(kind: SectionKind) -> Order:
    """The order in which a section is shown first."""
    return Order(kind.sort.lstrip("-"), kind.sort.startswith("-"))


def cell_words(value: Cell, unit: CellUnit, now: float) -> str:
    """A cell as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if unit == "ratio":
        return f"{value * 100:.0f}" if value >= 0.0995 else f"{value * 100:.1f}" if value >= 0.0005 else "0"
    if unit == "bytes":
        return figures.amount(value)
    if unit == "seconds":
        return figures.span(value) if value >= 0 else f"-{figures.span(-value)}"
    if unit == "time":
        far = abs(now - value) > 20 * 3600
        return time.strftime("%Y-%m-%d" if far else "%H:%M:%S", time.localtime(value))
    if unit == "per_second":
        return figures.amount(value, base=1000.0) + "/s"
    if unit == "count" and value >= FEW:
        return figures.amount(value, base=1000.0)
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def branches(rows: Sequence[tuple[Row, int]]) -> list[str]:
    """What stands before each row of a tree: lines to its parent and past it to those below."""
    drawn: list[str] = []
    below: set[int] = set()
    for _, depth in reversed(rows):
        past = "".join("│ " if level in below else "  " for level in range(1, depth))
        drawn.append(past + ("├ " if depth in below else "└ ") if depth else "")
        below = {level for level in below if level < depth} | {depth}
    return drawn[::-1]


def arranged(rows: Sequence[Row], kind: SectionKind, order: Order) -> list[tuple[Row, int]]:
    """Rows in their order, each with its depth in the tree (0 when flat)."""
    names = [column.name for column in kind.columns]
    place = names.index(order.column) if order.column in names else -1
    ranked = (
        sorted(rows, key=lambda row: rank(row[place], kind.columns[place], falling=order.falling))
        if place >= 0
        else list(rows)
    )
    if not (order.tree and kind.parent in names):
        return [(row, 0) for row in ranked]
    parent = names.index(kind.parent)
    known = {row[0] for row in ranked}
    children: dict[Cell, list[Row]] = {}
    for row in ranked:
        # what has no parent here, or is its own, is a root
        above = row[parent] if row[parent] in known and row[parent] != row[0] else None
        children.setdefault(above, []).append(row)
    out: list[tuple[Row, int]] = []
    waiting = [(row, 0) for row in reversed(children.get(None, []))]
    seen: set[Cell] = set()
    while waiting:
        row, depth = waiting.pop()
        if row[0] in seen:
            continue
        seen.add(row[0])
        out.append((row, depth))
        waiting += [(child, depth + 1) for child in reversed(children.get(row[0], []))]
    # a circle of parents has no root: its rows are shown all the same
    return out + [(row, 0) for row in ranked if row[0] not in seen]


class SectionList(LiveList):
    """The rows of a section.

    Args:
        kind: its catalogue entry.
    """

    head = 1

    def __init__(self, kind: SectionKind, id: str | None = None) -> None:
        super().__init__(id=id)
        self.kind = kind
        self.order = first_order(kind)
        self._rows: tuple[Row, ...] = ()
        self._shown: dict[str, tuple[Row, int]] = {}
        self._words: dict[str, list[str]] = {}
        self._branches: dict[str, str] = {}
        # until rows come, columns are as wide as their headings need
        self._widths = [self._fitting(place, column, ()) for place, column in enumerate(kind.columns)]
        self._laid: tuple[int, tuple[int, ...]] = (0, ())
        self._titled = self.order
        self._keep: Keep | None = None
        self._now = 0.0

    def show(self, rows: Sequence[Row], now: float) -> None:
        """Show these rows."""
        self._rows, self._now = tuple(rows), now
        self._arrange()

    def set_filter(self, keep: Keep | None) -> None:
        """Show only rows that pass; None: all."""
        self._keep = keep
        self._arrange()

    def sort_by(self, column: str) -> None:
        """Order by a column; again: the other way round."""
        unit = next((c.unit for c in self.kind.columns if c.name == column), "text")
        self.order = self.order.by(column, number=unit not in ("text", "number"))
        self._arrange()

    def toggle_tree(self) -> bool:
        """As a tree, or flat; answers whether it is a tree now."""
        self.order = Order(
            self.order.column, self.order.falling, not self.order.tree and bool(self.kind.parent)
        )
        self._arrange()
        return self.order.tree

    def row(self, id: str) -> dict[str, Cell]:
        """A row by the id of its line; empty if there is none."""
        found = self._shown.get(id)
        return dict(zip((c.name for c in self.kind.columns), found[0], strict=True)) if found else {}

    @property
    def rows(self) -> list[Row]:
        """What is shown, in its order."""
        return [self._shown[id][0] for id in self.ids]

    @property
    def count(self) -> int:
        """All rows, also those that the filter hides."""
        return len(self._rows)

    def _arrange(self) -> None:
        columns = self.kind.columns
        kept = [row for row in self._rows if self._passes(row)]
        self._shown, self._branches = {}, {}
        rows = arranged(kept, self.kind, self.order)
        for (row, depth), branch in zip(rows, branches(rows), strict=True):
            id = cell_words(row[0], columns[0].unit, self._now)
            while id in self._shown:
                id += "'"
            self._shown[id] = (row, depth)
            if branch:
                self._branches[id] = branch
        self._words = {}
        widths = [self._fitting(place, column, kept) for place, column in enumerate(columns)]
        if (widths, self.order) != (self._widths, self._titled):
            self._widths, self._titled, self._laid = widths, self.order, (0, ())
            self.redraw_all()
        self.set_order(list(self._shown))
        self.redraw_changed()

    def _fitting(self, place: int, column: Column, rows: Sequence[Row]) -> int:
        """Cells of a column: figures have the same always, so that nothing moves; text has what its longest needs."""
        least = len(self.title(column))
        if column.unit != "text":
            return max(least, _FIGURE_WIDTHS[column.unit])
        return min(
            WIDEST_TEXT, max([least, *(len(value) for row in rows if isinstance(value := row[place], str))])
        )

    def _words_of(self, id: str) -> list[str]:
        words = self._words.get(id)
        if words is None:
            row = self._shown[id][0]
            columns = self.kind.columns
            words = [
                cell_words(value, column.unit, self._now) for value, column in zip(row, columns, strict=True)
            ]
            self._words[id] = words
        return words

    def _passes(self, row: Row) -> bool:
        if self._keep is None:
            return True
        named = dict(zip((c.name for c in self.kind.columns), row, strict=True))
        return self._keep(named, " ".join(v for v in row if isinstance(v, str)).lower())

    # --- drawing -----------------------------------------------------------------------------------

    def title(self, column: Column) -> str:
        """A heading, with its arrow if rows are ordered by it; shares say that they are percent."""
        words = column.title + (" %" if column.unit == "ratio" else "")
        return words + (" ▾" if self.order.falling else " ▴") if column.name == self.order.column else words

    def titles(self, width: int) -> list[Piece]:
        """The headings."""
        pieces: list[Piece] = [(" ", "muted")]
        widths = self._layout(width)
        for place, (column, cells) in enumerate(zip(self.kind.columns, widths, strict=False)):
            chosen = column.name == self.order.column
            text = fit(self.title(column), cells, right=column.unit != "text")
            pieces.append((text + _gap(place, widths), "accent" if chosen else "muted"))
        if len(widths) < len(self.kind.columns) or 0 in widths:
            pieces.append(("…", "faint"))
        return pieces

    def _layout(self, width: int) -> tuple[int, ...]:
        """The widths of the columns that fit: texts give way first, then what can be done without and the last columns are left out; figures are never cut."""
        if self._laid[0] != width:
            self._laid = (width, self._fit_columns(width))
        return self._laid[1]

    def _fit_columns(self, width: int) -> tuple[int, ...]:
        columns, widths = self.kind.columns, list(self._widths)
        known_by = _KNOWN_BY.get(self.kind.name, self.kind.key)
        name_cells = max(NARROWEST_TEXT, min(NARROWEST_NAME, width // 3))
        least = [
            min(name_cells if column.name == known_by else NARROWEST_TEXT, cells)
            if column.unit == "text"
            else cells
            for column, cells in zip(columns, widths, strict=True)
        ]
        for name in _DISPENSABLE.get(self.kind.name, ()):
            if _taken(least) > width and name != self.order.column:
                place = next(place for place, column in enumerate(columns) if column.name == name)
                widths[place] = least[place] = 0

        def room() -> int:
            """Without the cell of the sign in the headings that says that something is left out."""
            return width - (0 in widths or len(widths) < len(columns))

        while len(widths) > 1 and _taken(least[: len(widths)]) > room():
            widths.pop()
        over = _taken(widths) - room()
        while over > 0:
            slack, place = max((cells - least[place], place) for place, cells in enumerate(widths))
            if slack <= 0:
                break
            widths[place] -= 1
            over -= 1
        if over < 0 and columns[len(widths) - 1].unit == "text":
            widths[-1] -= over
        return tuple(widths)

    def look(self, id: str, width: int) -> object:
        """The words of its cells, its place in the tree, and the widths that they are drawn in."""
        return (tuple(self._words_of(id)), self._branches.get(id, ""), self._layout(width))

    def line(self, id: str, width: int) -> list[Piece]:
        """One row."""
        words = self._words_of(id)
        row, _ = self._shown[id]
        pieces: list[Piece] = [(" ", "text")]
        widths = self._layout(width)
        for place, (text, column, cells) in enumerate(zip(words, self.kind.columns, widths, strict=False)):
            if place == len(words) - 1:
                text = self._branches.get(id, "") + text
            shown = fit(text, cells, right=column.unit != "text")
            pieces.append((shown + _gap(place, widths), _paint(row[place], column, place)))
        return pieces


def _gap(place: int, widths: Sequence[int]) -> str:
    return " " * _GAP if widths[place] and place < len(widths) - 1 else ""


def _taken(widths: Sequence[int]) -> int:
    """Cells of a line of columns of these widths, 0 for none, with the cursor's edge and a sign for what is left out."""
    shown = sum(cells > 0 for cells in widths)
    return sum(widths) + _GAP * (shown - 1) + 2


def _paint(value: Cell, column: Column, place: int) -> str:
    if isinstance(value, str):
        if value in _BAD:
            return "critical"
        if value in _ODD:
            return "warning"
        return "strong" if place == 0 else "text"
    if value is None:
        return "faint"
    if column.unit == "ratio" and value >= 0.9:
        return "warning"
    if column.name.endswith("days_left") and value < 21:
        return "critical" if value < 7 else "warning"
    return "text" if place == 0 or column.unit in ("ratio", "bytes") else "muted"
