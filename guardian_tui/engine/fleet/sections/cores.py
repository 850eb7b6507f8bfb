"""Processors and interrupts, each by itself: fields of /proc/stat and /proc/interrupts by proc(5)."""

from __future__ import annotations

from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, number
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell


class Cores(Section):
    """``R core user system idle iowait interrupts steal kHz throttled``: ticks; the last two are empty where there are none."""

    name: ClassVar[str] = "cores"
    rates: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each processor; shares are of its own time since the reading before."""
        earlier = {row[0]: row for row in before.rows} if before else {}
        rows: list[tuple[Cell, ...]] = []
        for row in raw.rows:
            try:
                ticks = [number(word) for word in row[1:7]]
                last = [number(word) for word in earlier.get(row[0], ())[1:7]]
                mhz, throttled = (number(word) if word else None for word in row[7:9])
                rows.append((number(row[0]), *_shares(ticks, last), mhz / 1000 if mhz else None, throttled))
            except ValueError:
                raw.problem(f"not understood: {cell(' '.join(row), 60)}")
        return Findings(tuple(rows))


def _shares(ticks: list[float], last: list[float]) -> tuple[float | None, ...]:
    spent = [max(0.0, now - then) for now, then in zip(ticks, last, strict=len(last) > 0)]
    whole = sum(spent)
    if len(ticks) != 6:
        raise ValueError("not six figures")
    if whole <= 0:
        return (None,) * 6
    user, system, idle, iowait, interrupts, steal = (part / whole for part in spent)
    return 1 - idle - iowait, user, system, iowait, interrupts, steal


class Interrupts(Section):
    """``R kind name total source``."""

    name: ClassVar[str] = "interrupts"
    rates: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each interrupt that ever came."""
        earlier = {(row[0], row[1]): row[2] for row in before.rows if len(row) >= 3} if before else {}
        rows: list[tuple[Cell, ...]] = []
        for row in raw.rows:
            try:
                kind, name, total, source = row
                rate = None
                if seconds > 0 and (kind, name) in earlier:
                    rate = max(0.0, number(total) - number(earlier[kind, name])) / seconds
                rows.append((cell(name, 30), cell(kind, 10), rate, number(total), cell(source, 100)))
            except ValueError:
                raw.problem(f"not understood: {cell(' '.join(row), 60)}")
        return Findings(tuple(rows))
