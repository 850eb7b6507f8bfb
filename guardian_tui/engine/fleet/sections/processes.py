"""Processes: the whole table for a person, and the counts by state for the rules.

Fields of /proc/PID/stat by proc(5); states are R S D Z T t X I.
"""

from __future__ import annotations

from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, number
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

_STATES = {
    "R": "running", "S": "sleeping", "D": "waiting for a disk", "Z": "zombie", "T": "stopped", "t": "traced", "X": "dead", "I": "idle"
}  # fmt: skip


class Processes(Section):
    """``R H ticks_per_second page_bytes uptime``, ``R P pid ppid state ticks starttime rss threads name`` and ``R A pid user command``."""

    name: ClassVar[str] = "processes"
    forks: ClassVar[bool] = True
    rates: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each process; its CPU share is of one processor."""
        head = next((row for row in raw.rows if row[0] == "H"), None)
        try:
            hertz, page, uptime = map(number, head[1:4]) if head else (100.0, 4096.0, 0.0)
        except ValueError:
            raw.problem("the head of the processes can't be read")
            hertz, page, uptime = 100.0, 4096.0, 0.0
        spent = (
            {(row[1], row[5]): row[4] for row in before.rows if row[0] == "P" and len(row) == 9}
            if before
            else {}
        )
        commands = {row[1]: row for row in raw.rows if row[0] == "A" and len(row) >= 4}
        rows = []
        for row in raw.rows:
            if row[0] != "P":
                continue
            try:
                rows.append(_process(row, commands.get(row[1]), spent, (hertz, page, uptime), seconds))
            except (ValueError, IndexError, ZeroDivisionError):
                raw.problem(f"not understood: {cell(' '.join(row), 60)}")
        return Findings(rows=tuple(rows))


def _process(
    row: list[str], told: list[str] | None, spent: dict[tuple[str, str], str], head: tuple[float, float, float], seconds: float
) -> tuple[Cell, ...]:  # fmt: skip
    _, pid, parent, state, ticks, started, resident, threads, name = row
    hertz, page, uptime = head
    earlier = spent.get((pid, started))
    share = None
    if earlier is not None and seconds > 0:
        share = max(0.0, number(ticks) - number(earlier)) / hertz / seconds
    command = cell(" ".join(told[3:])) if told else ""
    return (
        number(pid), number(parent), cell(told[2], 32) if told else "", cell(state, 1), share, number(resident) * page, number(threads),
        max(0.0, uptime - number(started) / hertz), command or f"[{cell(name, 60)}]",
    )  # fmt: skip


class Tasks(Section):
    """``R state count`` for each state that some process is in."""

    name: ClassVar[str] = "tasks"

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """Counts by state, in words."""
        counts: dict[str, float] = {}
        for row in raw.rows:
            try:
                state, count = row
                if state in _STATES:
                    counts[state] = number(count)
            except ValueError:
                raw.problem(f"not understood: {cell(' '.join(row), 60)}")
        values = {}
        if counts:
            values = {
                "processes": sum(counts.values()), "processes_zombie": counts.get("Z", 0.0), "processes_uninterruptible": counts.get("D", 0.0)
            }  # fmt: skip
        return Findings(tuple((_STATES[state], count) for state, count in counts.items()), values)
