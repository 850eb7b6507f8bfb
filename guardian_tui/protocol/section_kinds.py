"""What a section of a host is: a table whose columns are known beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CellUnit = Literal["text", "count", "bytes", "ratio", "seconds", "per_second", "time", "number"]
"""``time`` is Unix seconds, ``seconds`` a span, ``number`` an identifier that is written without separators (a pid, a port)."""
Cell = str | float | None
"""Text is safe already; None is not known."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name (for filters, CSV and JSON), its heading on screen, and what its cells are.

    ``address``: its texts are addresses of the network, which stand in the order of their numbers.
    """

    name: str
    title: str
    unit: CellUnit = "text"
    address: bool = False


@dataclass(frozen=True, slots=True)
class SectionKind:
    """What one section holds.

    ``period_seconds``: how often the engine reads it by itself; 0: only when it is opened.  ``key``: the column that names a row.
    ``sort``: the column by which it is shown first, ``-`` before it for the greatest first.  ``parent``: the column that names a
    row's parent, for a tree.
    """

    name: str
    title: str
    help: str
    columns: tuple[Column, ...]
    period_seconds: float = 0.0
    sort: str = ""
    parent: str = ""

    @property
    def key(self) -> str:
        """The first column names a row."""
        return self.columns[0].name


MEDIUM_SECONDS = 60.0
SLOW_SECONDS = 3600.0
RARE_SECONDS = 6 * SLOW_SECONDS
"""For what costs a host seconds each time and seldom changes."""
