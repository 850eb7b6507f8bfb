"""Control groups, of version 2 and of version 1: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/ of Linux."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, number
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.engine.fleet.sections.values import values_of
from guardian_tui.protocol.section_kinds import Cell

_FILES = re.compile(r"(cpu|memory|pids|io|cpuacct)\.[a-z_]+")
_CONTROLLERS = frozenset(
    {"unified", "memory", "cpu", "cpuacct", "cpu,cpuacct", "cpuacct,cpu", "pids", "systemd", "blkio", "cpuset", "freezer", "devices"}
)  # fmt: skip
_LIMITLESS = float(1 << 60)
"""What version 1 writes for no limit is near 2^63, rounded to a page."""

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Use:
    """What a group used: seconds of processor in all, memory in bytes; None where it is not told."""

    cpu_seconds: float | None
    memory_bytes: float | None


def figures(raw: Raw) -> dict[str, Figures]:
    """Group → figure by ``file`` or ``file word``; a limit of none is left out."""
    found: dict[str, Figures] = {}
    told = list(values_of(raw, _FILES))
    first_version = any(name in ("memory.usage_in_bytes", "cpuacct.usage") for _, name, _ in told)
    for folder, name, value in told:
        head, _, rest = folder.partition("/")
        group = "/" + (rest if first_version and head in _CONTROLLERS else folder)
        words = value.split()
        with contextlib.suppress(ValueError):
            if len(words) == 1:
                found.setdefault(group, {})[name] = number(words[0])
            elif words and words[0] == "some":
                found.setdefault(group, {})[name] = number(words[1].removeprefix("avg10=")) / 100
            elif len(words) == 2:
                found.setdefault(group, {})[f"{name} {words[0]}"] = number(words[1])
    return found


def use_of(group: Mapping[str, float]) -> Use:
    """What a group used, of either version."""
    cpu = group.get("cpu.stat usage_usec")
    old = group.get("cpuacct.usage")
    seconds = cpu / 1e6 if cpu is not None else old / 1e9 if old is not None else None
    return Use(seconds, group.get("memory.current", group.get("memory.usage_in_bytes")))


def share(now: float | None, then: float | None, seconds: float) -> float | None:
    """Seconds of processor per second; None where it is not known."""
    if now is None or then is None or seconds <= 0 or now < then:
        return None
    return (now - then) / seconds


class ControlGroups(Section):
    """``R V path:value`` of the figures of each group."""

    name: ClassVar[str] = "cgroups"
    forks: ClassVar[bool] = True
    rates: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each group; shares are of one processor."""
        earlier = figures(before) if before else {}
        return Findings(
            tuple(_row(name, group, earlier.get(name, {}), seconds) for name, group in figures(raw).items())
        )


def _row(name: str, now: Figures, then: Figures, seconds: float) -> tuple[Cell, ...]:
    use = use_of(now)
    limit = now.get("memory.max", now.get("memory.limit_in_bytes"))
    if limit is not None and not 0 < limit < _LIMITLESS:
        limit = None
    periods = now.get("cpu.stat nr_periods", 0.0) - then.get("cpu.stat nr_periods", 0.0)
    throttled = now.get("cpu.stat nr_throttled", 0.0) - then.get("cpu.stat nr_throttled", 0.0)
    memory = use.memory_bytes
    return (
        cell(name, 200), share(use.cpu_seconds, use_of(then).cpu_seconds, seconds), throttled / periods if then and periods > 0 else None,
        memory, limit, memory / limit if memory is not None and limit else None, now.get("memory.pressure"), now.get("io.pressure"),
        now.get("pids.current"), now.get("pids.max"), now.get("memory.events oom_kill"),
    )  # fmt: skip
