"""Arrays of disks (/proc/mdstat, md(4)) and errors of ECC memory (/sys/devices/system/edac)."""

from __future__ import annotations

import re
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, few, instance, number
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

_ARRAY = re.compile(r"^(md\S*) : (active|inactive)(.*)$")
_MEMBERS = re.compile(r"\[(\d{1,6})/(\d{1,6})\]")
_WORK = re.compile(r"(recovery|resync|reshape|check) *= *([\d.]{1,8})%")
_FINISH = re.compile(r"finish=([\d.]{1,12})min")


class Raid(Section):
    """``R line`` for each line of /proc/mdstat."""

    name: ClassVar[str] = "raid"

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each array."""
        rows: list[tuple[Cell, ...]] = []
        values: dict[str, float] = {}
        for name, block in _blocks(raw).items():
            row = _array(name, block)
            rows.append(row)
            label = instance(name)
            missing, sync = row[3], row[6]
            if isinstance(missing, float):
                values[f"raid_missing_members{{{label}}}"] = missing
            if isinstance(sync, float):
                values[f"raid_sync_ratio{{{label}}}"] = sync
        return Findings(tuple(rows), few(values))


def _blocks(raw: Raw) -> dict[str, str]:
    """Array → its lines as one; what follows an array's head is indented."""
    found: dict[str, str] = {}
    name = ""
    for row in raw.rows:
        line = " ".join(row)
        head = _ARRAY.match(line)
        if head:
            name = head[1]
            found[name] = f"{head[2]}{head[3]}"
        elif line[:1] == " " and name:
            found[name] += line
        else:
            name = ""
    return found


def _array(name: str, block: str) -> tuple[Cell, ...]:
    words = block.split()
    state = words[0]
    devices = [word for word in words if re.fullmatch(r"[^\s\[\]]+\[\d+\](\([A-Z]\))*", word)]
    level = next((word for word in words[1:4] if re.fullmatch(r"raid\d+|linear|multipath|faulty", word)), "")
    failed = [device.partition("[")[0] for device in devices if "(F)" in device]
    members = _MEMBERS.search(block)
    missing: float | None = 0.0
    total: float | None = float(len(devices))
    if members:
        total = float(members[1])
        missing = max(0.0, total - float(members[2]))
    elif state == "inactive" and "super external:" in block:
        # a container of firmware RAID: its arrays are listed by themselves
        state, missing = "container", None
    elif state == "inactive":
        missing = 1.0
    if missing and state == "active":
        state = "degraded"
    work, finish = _WORK.search(block), _FINISH.search(block)
    if work:
        state += f", {work[1]}"
    elif "resync=DELAYED" in block or "resync=PENDING" in block:
        state += ", waits to resync"
    return (
        cell(name, 40), cell(state, 60), level, missing, total, cell(" ".join(failed), 100), _figure(work[2]) / 100 if work else None,
        _figure(finish[1]) * 60 if finish else None, cell(" ".join(devices)),
    )  # fmt: skip


def _figure(word: str) -> float:
    try:
        return number(word)
    except ValueError:
        return 0.0


class MemoryErrors(Section):
    """``R controller corrected uncorrected name megabytes``."""

    name: ClassVar[str] = "ecc"

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each memory controller."""
        rows: list[tuple[Cell, ...]] = []
        values: dict[str, float] = {}
        for row in raw.rows:
            try:
                controller, corrected, uncorrected, name, size = row
                once, never = number(corrected), number(uncorrected or "0")
                rows.append(
                    (
                        cell(controller, 20),
                        once,
                        never,
                        number(size) * (1 << 20) if size else None,
                        cell(name, 60),
                    )
                )
                values[f"memory_errors{{{instance(controller)}}}"] = once + never
                values[f"memory_errors_uncorrected{{{instance(controller)}}}"] = never
            except ValueError:
                raw.problem(f"not understood: {cell(' '.join(row), 60)}")
        return Findings(tuple(rows), few(values))
