"""What a section is: which words ask the probe for it, and what its rows say."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell, SectionKind
from guardian_tui.protocol.sections import SECTIONS
from guardian_tui.text import safe

ABSURD = float(1 << 63)
CELL_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Findings:
    """What one reading of a section says.

    Attributes:
        rows: in the order of the section's columns; text is safe.
        values: series by name, ``metric`` or ``metric{instance}``; a gap is left out.
        facts: what belongs to the host's identity (its page, its filter).
        items: what is held against the accepted baseline: item → what it looks like.
    """

    rows: tuple[tuple[Cell, ...], ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    items: Mapping[str, str] | None = None


class Section(ABC):
    """One section of the probe.

    ``name`` is its name in the catalogue and in the probe's request.  ``forks``: the host starts programs for it, so it may
    hang, and is asked apart from those that don't; alone if it takes its time (the slow ones), or once something has hung.
    ``rates``: it is read twice when it is opened, since its rows need a reading before.
    ``looks_back``: a round reads it beside the reading before, which is also so of those with rates.
    ``timeout_seconds``: after which it counts as hung.  ``drift``: which differences of its items from the baseline count in the
    series ``NAME_drift``.
    """

    name: ClassVar[str]
    forks: ClassVar[bool] = False
    drift: ClassVar[tuple[str, ...]] = ("new", "changed", "gone")
    rates: ClassVar[bool] = False
    looks_back: ClassVar[bool] = False
    timeout_seconds: ClassVar[float] = 10.0

    @property
    def kind(self) -> SectionKind:
        """Its entry in the catalogue."""
        return SECTIONS[self.name]

    @abstractmethod
    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """What the rows say.  Never fails a host: a row that can't be read is a problem of ``raw``.

        Args:
            raw: this reading.
            before: the one before, for rates; None: there is none.
            seconds: between them.
        """

    def survey(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """The same for a round, which has no use for the rows: a section of many need not make them."""
        return self.read(raw, before, seconds)


def number(word: str) -> float:
    """A finite number of a host, at most 2^63 either way.

    Raises:
        ValueError: it is none.
    """
    value = float(word)
    if not -ABSURD < value < ABSURD:
        raise ValueError("out of bounds")
    return value


def number_or_gap(word: str) -> float:
    """A number; NaN for what is none (``-``, empty, ``N/A``)."""
    try:
        return number(word)
    except ValueError:
        return math.nan


def figure(word: str) -> float | None:
    """A number as a cell; None for what is none."""
    try:
        return number(word)
    except ValueError:
        return None


def few(values: Mapping[str, float], most: int = 128) -> dict[str, float]:
    """The first of a section's series: a host has room for 512 in all."""
    return dict(list(values.items())[:most])


def cell(word: str, limit: int = CELL_CHARACTERS) -> str:
    """A host's text as a cell."""
    return safe(word, limit)


def instance(word: str) -> str:
    """A host's text as the instance of a series: short, and without what would break its name."""
    return safe(word, 60).replace("{", "(").replace("}", ")").replace("\n", " ")
