"""Which columns the hosts table has at which width, by itself or as a person chose them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from guardian_tui.protocol.fleet import HostRow
from guardian_tui.text import safe
from widgets import figures
from widgets.painting import fit

STATE_CELLS = 11
SPARK_CELLS = 6
BAR_CELLS = 5
FIGURES = {"cpu": 4 + SPARK_CELLS, "memory": 4 + BAR_CELLS, "disk": 4 + BAR_CELLS}
"""Figures with their bars, and the cells that they take."""
PLAIN = {"net": 9, "load": 7, "up": 6, "fullest": 14, "environment": 14, "groups": 14}
"""What stands to the right of the figures, in the order in which wide terminals show it, all but the last."""
COLUMN_HELP = {
    "cpu": "share of its processors, and how it was of late", "memory": "share that is in use", "disk": "of its fullest file system",
    "net": "received and sent per second", "load": "per core", "up": "since its start", "fullest": "which file system is fullest",
    "environment": "where it belongs", "groups": "of the inventory",
}  # fmt: skip
LABEL = "label:"
_LABEL_CELLS = 14
BY_ITSELF = (*FIGURES, *tuple(PLAIN)[:-1])
_ALIASES = {"mem": "memory", "uptime": "up", "mount": "fullest", "env": "environment"}


def column_named(word: str) -> str:
    """The column that a person means; empty: there is none."""
    name = _ALIASES.get(word, word)
    known = name in FIGURES or name in PLAIN or (name.startswith(LABEL) and name != LABEL)
    return name if known else ""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns at one width of the table."""

    name: int
    """Cells of the host's name."""
    figures: tuple[str, ...]
    right: tuple[tuple[str, int], ...]
    before: int
    """Cells to the left of the words or of what stands right of the figures, with the cursor's edge."""


@lru_cache(maxsize=64)
def columns_for(width: int, chosen: tuple[str, ...] = ()) -> Columns:
    """More columns on wide terminals, not wider gaps; of those that a person chose, the ones that there is room for."""
    name = 16 if width < 100 else 22
    wanted = chosen or BY_ITSELF
    shown = [one for one in wanted if one in FIGURES]
    while (before := _before(name, shown)) > width and shown:
        # none is better than half of one
        shown.pop()
    right: list[tuple[str, int]] = []
    used = before
    for one in wanted:
        if one in FIGURES:
            continue
        cells = PLAIN.get(one, _LABEL_CELLS)
        if used + cells > width:
            break
        used += cells
        right.append((one, cells))
    return Columns(name, tuple(shown), tuple(right), before)


def _before(name: int, shown: Sequence[str]) -> int:
    """Cells that name, state and figures take."""
    return 3 + name + 1 + STATE_CELLS + 1 + sum(FIGURES[one] + 1 for one in shown) + (1 if shown else 0)


def titles(columns: Columns, width: int) -> str:
    """Names of the columns, over the first digits and letters that stand in them."""
    text = f"  {fit('host', columns.name + 1)}{fit('state', STATE_CELLS + 1)} "
    for one in columns.figures:
        text += fit("mem" if one == "memory" else one, FIGURES[one] + 1)
    if columns.right == (("net", PLAIN["net"]),):
        return text + ("why / net ↓ ↑" if width - columns.before >= 13 else "why / ↓ ↑")
    for one, cells in columns.right:
        if one == "net":
            text += fit("net ↓  ↑", cells)
        elif one in ("load", "up"):
            text += f"{one:>{cells}}"
        else:
            text += "  " + fit(safe(one.removeprefix(LABEL), 40), cells - 2)
    return text


def right_words(row: HostRow, columns: Sequence[tuple[str, int]]) -> str:
    """What a row says right of its figures."""
    text = ""
    for one, cells in columns:
        if one == "net":
            down, up = map(figures.amount, (row.receive_bytes_per_second, row.transmit_bytes_per_second))
            text += f"{down:>4} {up:>4}"
        elif one == "load":
            text += f"{'' if row.load_per_core is None else f'{row.load_per_core:.2f}':>{cells}}"
        elif one == "up":
            text += f"{'' if row.uptime_seconds is None else figures.age(row.uptime_seconds):>{cells}}"
        else:
            text += "  " + fit(_text(row, one), cells - 2)
    return text


def _text(row: HostRow, column: str) -> str:
    if column.startswith(LABEL):
        return safe(row.labels.get(column.removeprefix(LABEL), ""), 40)
    if column == "groups":
        return safe(" ".join(row.groups), 100)
    return safe(row.disk_mount, 100) if column == "fullest" else safe(row.environment, 40)
