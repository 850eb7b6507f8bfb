"""Services: systemd's units, and what OpenRC and runit tell of theirs.

Rows: ``B uptime``; ``W``: the list of what is in trouble is whole; ``U`` a line of `systemctl list-units`; ``S`` a unit in trouble or restarted
(id, restarts, active, sub, result, since), ``L`` any unit (id, restarts, load, active, sub, since, memory, tasks, description), ``T`` a timer
(id, next by the clock, next since boot, last, unit, result), each by `systemctl show`; ``C`` and ``O`` lines of `rc-status`, ``V`` of `sv status`.
"""

from __future__ import annotations

import re
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, figure, instance
from guardian_tui.engine.fleet.sections.lines import fixed, moment, span, texts, uptime
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

MOST_SERIES = 100
"""Units of one host that get series: what restarts all its services must not fill the store."""
UNANSWERED = ("units", "no service manager answered; systemd, OpenRC and runit are known", "")
RESTARTS_WINDOW_SECONDS = 300.0
_OPENRC = re.compile(r"^\s*(\S+)\s*\[\s*(\w+)[^]]*\]")
_RUNIT = re.compile(r"^(run|down|finish|fail|warning): ([^:]+):(?: \(pid \d+\))?(?: (\d+)s)?")
_TIMESTAMP = "%a %Y-%m-%d %H:%M:%S"


class Units(Section):
    """What is in trouble, and services that their supervisor has restarted."""

    name: ClassVar[str] = "units"
    forks: ClassVar[bool] = True
    looks_back: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each; series for what failed and for restarts, which need a reading before."""
        booted = uptime(raw)
        rows: dict[str, tuple[Cell, ...]] = {}
        for line in texts(raw, "U"):
            listed = _listed(line)
            if listed is None:
                raw.problem(f"not understood: {cell(line, 60)}")
                continue
            unit, _, active, sub, description = listed
            rows[unit] = (cell(unit), cell(active, 32), cell(sub, 32), None, 0.0, "", cell(description))
        for unit, restarts, active, sub, result, since in fixed(raw, "S", 6):
            known = rows.get(unit)
            rows[unit] = (
                cell(unit), cell(active, 32), cell(sub, 32), _age(booted, since), figure(restarts) or 0.0,
                cell("" if result == "success" else result, 60), known[6] if known else "",
            )  # fmt: skip
        for unit in _crashed(raw):
            rows[unit] = (cell(unit), "failed", "crashed", None, 0.0, "", "")
        for unit, state, age in _runit(raw):
            if state != "run":
                rows[unit] = (
                    cell(unit),
                    "failed" if state in ("fail", "finish") else state,
                    state,
                    age,
                    0.0,
                    "",
                    "",
                )
        if not rows and not raw.withheld and not any(row[0] == "W" for row in raw.rows):
            # nobody answered: that nothing is in trouble would be a guess
            raw.withheld.append(UNANSWERED)
        return Findings(tuple(rows.values()), _series(raw, before, seconds, rows))


def _series(
    raw: Raw, before: Raw | None, seconds: float, rows: dict[str, tuple[Cell, ...]]
) -> dict[str, float]:
    # what has failed until now is told to be well once, so that its alert ends without waiting for its series to be missed
    whole = any(row[0] == "W" for row in raw.rows)
    failed = dict.fromkeys(_failed(before), 0.0) if before is not None and whole else {}
    failed |= {unit: 1.0 for unit, row in rows.items() if row[1] == "failed"}
    values = {f"unit_failed{{{instance(unit)}}}": value for unit, value in list(failed.items())[:MOST_SERIES]}
    if before is None or seconds <= 0:
        return values
    earlier = _restarts(before)
    for unit, count in list(_restarts(raw).items())[:MOST_SERIES]:
        was = earlier.get(unit, 0.0)
        # a count that went back began anew
        moved = count - was if count >= was else count
        values[f"unit_restarts{{{instance(unit)}}}"] = moved * RESTARTS_WINDOW_SECONDS / seconds
    return values


def _failed(raw: Raw) -> list[str]:
    found = [listed[0] for line in texts(raw, "U") if (listed := _listed(line)) and listed[2] == "failed"]
    return found + _crashed(raw) + [unit for unit, state, _ in _runit(raw) if state in ("fail", "finish")]


def _restarts(raw: Raw) -> dict[str, float]:
    return {
        row[0]: count for row in fixed(raw, "S", 6) if (count := figure(row[1])) is not None and count > 0
    }


def _listed(line: str) -> list[str] | None:
    """Unit, load, active, sub, description of a line of `systemctl list-units`; a mark may stand before it."""
    words = line.split(None, 5)
    words = words[1:] if words and "." not in words[0] else line.split(None, 4)
    return [*words, ""][:5] if len(words) >= 4 else None


def _age(booted: float | None, since_microseconds: str) -> float | None:
    """Seconds since a moment that is told in microseconds since boot."""
    since = figure(since_microseconds)
    return None if booted is None or since is None or since <= 0 else max(0.0, booted - since / 1e6)


def _crashed(raw: Raw) -> list[str]:
    return [words[0] for line in texts(raw, "C") if (words := line.split())]


def _runit(raw: Raw) -> list[tuple[str, str, float | None]]:
    found = []
    for line in texts(raw, "V"):
        match = _RUNIT.match(line)
        if match is None:
            raw.problem(f"not understood: {cell(line, 60)}")
        else:
            found.append((match[2].rsplit("/", 1)[-1], match[1], figure(match[3] or "")))
    return found


class UnitList(Section):
    """Every unit, with what it takes."""

    name: ClassVar[str] = "unit_list"
    forks: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each."""
        booted = uptime(raw)
        rows: list[tuple[Cell, ...]] = []
        for unit, restarts, load, active, sub, since, memory, tasks, description in fixed(raw, "L", 9):
            rows.append(
                (
                    cell(unit), cell(load, 32), cell(active, 32), cell(sub, 32), _age(booted, since), _used(memory), _used(tasks),
                    figure(restarts), cell(description),
                )
            )  # fmt: skip
        for line in texts(raw, "O"):
            match = _OPENRC.match(line)
            if match is not None:
                active = {"started": "active", "stopped": "inactive", "crashed": "failed"}.get(
                    match[2], match[2]
                )
                rows.append((cell(match[1]), "", cell(active, 32), cell(match[2], 32), *(None,) * 4, ""))
        for unit, state, age in _runit(raw):
            active = {"run": "active", "down": "inactive"}.get(state, "failed")
            rows.append((cell(unit), "", active, state, age, None, None, None, ""))
        return Findings(tuple(rows))


def _used(word: str) -> float | None:
    """Memory or tasks; systemd says ``[not set]`` or the greatest number for what it does not count."""
    return figure(word)


class Timers(Section):
    """When timers elapse next and did last."""

    name: ClassVar[str] = "timers"
    forks: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each; ``next`` is seconds from now for timers that count from boot, else a time."""
        booted = uptime(raw)
        rows: list[tuple[Cell, ...]] = []
        for timer, real, monotonic, last, unit, result in fixed(raw, "T", 6):
            after = span(monotonic)
            rows.append(
                (
                    cell(timer), moment(real, _TIMESTAMP), None if after is None or booted is None else max(0.0, after - booted),
                    moment(last, _TIMESTAMP), cell(unit), cell(result, 60),
                )
            )  # fmt: skip
        return Findings(tuple(rows))
