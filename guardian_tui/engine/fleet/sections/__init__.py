"""All sections: how the probe is asked for them, and how its rows are read."""

from __future__ import annotations

from guardian_tui.engine.fleet.sections.base import Findings, Section
from guardian_tui.engine.fleet.sections.clock_sync import ClockSync
from guardian_tui.engine.fleet.sections.people import Accounts, Logins, Sessions
from guardian_tui.engine.fleet.sections.processes import Processes, Tasks
from guardian_tui.engine.fleet.sections.raw import Raw, split
from guardian_tui.engine.fleet.sections.units import Timers, UnitList, Units

__all__ = ["ALL", "Findings", "Raw", "Section", "due_every", "split"]

_SERVICES: tuple[Section, ...] = (
    Units(),
    UnitList(),
    Timers(),
    ClockSync(),
    Sessions(),
    Accounts(),
    Logins(),
)

ALL: dict[str, Section] = {section.name: section for section in (Processes(), Tasks(), *_SERVICES)}
"""By name, in the order in which they are asked."""


def due_every(seconds: float) -> tuple[Section, ...]:
    """The sections that the engine reads by itself with this period."""
    return tuple(section for section in ALL.values() if section.kind.period_seconds == seconds)
