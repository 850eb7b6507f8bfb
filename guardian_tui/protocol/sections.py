"""Sections of a host: tables that are read when somebody or a rule needs them, and the one catalogue that says what they hold.

A section is a table whose columns are known beforehand, so that one widget, one CLI command and one export serve them all.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.machine_sections import HARDWARE_SECTIONS, KERNEL_SECTIONS, NETWORK_SECTIONS
from guardian_tui.protocol.section_kinds import MEDIUM_SECONDS, Cell, Column, SectionKind
from guardian_tui.protocol.service_sections import SERVICE_KINDS


def _catalogue(*kinds: SectionKind) -> dict[str, SectionKind]:
    return {kind.name: kind for kind in kinds}


SECTIONS: dict[str, SectionKind] = _catalogue(
    SectionKind(
        "processes", "processes", "Every process, with its share of a processor since the reading before.",
        (
            Column("pid", "pid", "number"), Column("parent", "parent", "number"), Column("user", "user"), Column("state", "s"),
            Column("cpu", "cpu", "ratio"), Column("memory", "memory", "bytes"), Column("threads", "thr", "count"),
            Column("age", "age", "seconds"), Column("command", "command"),
        ), sort="-cpu", parent="parent",
    ),
    SectionKind(
        "tasks", "tasks by state", "How many processes run, sleep, wait for a disk, or are zombies.",
        (Column("state", "state"), Column("count", "count", "count")), period_seconds=MEDIUM_SECONDS,
    ),
    *SERVICE_KINDS,
    *KERNEL_SECTIONS,
    *HARDWARE_SECTIONS,
    *NETWORK_SECTIONS,
)  # fmt: skip


class SectionQuery(Request, frozen=True):
    """Ask for a section of a host.

    ``fresh``: read it now, even if the engine has it from its own round.  ``filter``: in the grammar of ``/``.
    """

    host: str
    section: Annotated[str, msgspec.Meta(max_length=60)]
    fresh: bool = False
    filter: Annotated[str, msgspec.Meta(max_length=500)] = ""
    sort: Annotated[str, msgspec.Meta(max_length=60)] = ""
    """A column, ``-`` before it for the greatest first; empty: as the section comes."""
    most: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 5000
    """Rows of the answer at most."""


class Withheld(Response, frozen=True):
    """Something that the probe's account may not see: why, and the sudoers rule that would let it."""

    what: str
    why: str
    rule: str = ""
    """A line for ``visudo``, ready to paste; empty: no rule would help."""


class SectionTable(Response, frozen=True):
    """One section of one host as it was at one time."""

    host: str
    section: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    measured_at: float
    took_seconds: float
    withheld: tuple[Withheld, ...] = ()
    problems: tuple[str, ...] = ()
    left_out: int = 0
    """Rows beyond what one answer may hold."""


class Difference(Response, frozen=True):
    """One item that is not as it was accepted."""

    section: str
    item: str
    kind: Literal["new", "changed", "gone"]
    was: str
    now: str
    accepted_at: float
    """When the baseline was taken or last accepted."""


class Differences(Response, frozen=True):
    """What differs from the accepted baseline on a host."""

    host: str
    differences: tuple[Difference, ...]


class AcceptDrift(Request, frozen=True):
    """Take what is there now as meant; ``count`` is how many differences the person saw, and must still be true."""

    host: str
    count: Annotated[int, msgspec.Meta(ge=1)]
    section: Annotated[str, msgspec.Meta(max_length=60)] = ""
    """Only of this section; empty: of all."""
