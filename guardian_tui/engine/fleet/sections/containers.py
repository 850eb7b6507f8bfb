"""Containers: what docker and podman list, and what control groups show of any kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, instance, number
from guardian_tui.engine.fleet.sections.cgroups import Use, figures, share, use_of
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

_GROUP = re.compile(
    r"(?:^|/)(docker|libpod|cri-containerd|crio|lxc\.payload|containerd)[-:./]([0-9a-f]{12,64}|(?<=payload\.)[^/]+)(?:\.scope)?(?:/|$)"
)
_STATES = {
    "up": "running", "exited": "exited", "created": "created", "restarting": "restarting", "paused": "paused", "dead": "dead", "removal": "going",
    "initialized": "created", "stopping": "stopping", "stopped": "exited",
}  # fmt: skip
_HEALTH = re.compile(r"\((?:health: )?(healthy|unhealthy|starting)\)")
_CODE = re.compile(r"^\w+ \((\d+)\)")
MOST_WATCHED = 100
"""Containers with series of their own; those that fail come first."""
_ASKED = frozenset({0, 130, 143})
"""Exit statuses of a good end: by itself, or by SIGINT or SIGTERM, which is how one is stopped."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A line of ``docker ps -a`` or ``podman ps -a``."""

    engine: str
    id: str
    image: str
    name: str
    status: str

    @property
    def state(self) -> str:
        if "(paused)" in self.status.lower():
            return "paused"
        return _STATES.get(self.status.partition(" ")[0].lower(), "unknown")

    @property
    def health(self) -> str:
        found = _HEALTH.search(self.status)
        return found[1] if found else ""

    @property
    def unhealthy(self) -> bool:
        """Its own check says so, or it does not stay up."""
        return self.health == "unhealthy" or self.state in ("restarting", "dead")

    @property
    def failed(self) -> bool:
        """It ended, and not because it was done or was told to."""
        code = _CODE.match(self.status)
        return self.state == "exited" and code is not None and int(code[1][:9]) not in _ASKED


class Containers(Section):
    """``R E engine ID~IMAGE~NAMES~STATUS``, ``R N ID~RESTARTS``, and ``R V path:value`` of their control groups."""

    name: ClassVar[str] = "containers"
    forks: ClassVar[bool] = True
    rates: ClassVar[bool] = True
    timeout_seconds: ClassVar[float] = 30.0

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each container; flags of those that an engine lists."""
        listed = list(_listed(raw))
        restarts = _restarts(raw)
        uses, earlier = _uses(raw), _uses(before) if before else {}
        rows: list[tuple[Cell, ...]] = []
        values: dict[str, float] = {}
        for one in listed:
            rows.append(
                (
                    cell(one.name, 80), one.state, one.health, restarts.get(one.id), *_used(one.id, uses, earlier, seconds), cell(one.image, 120),
                    cell(one.status, 80), one.engine, cell(one.id, 12),
                )
            )  # fmt: skip
        if len(listed) > MOST_WATCHED:
            raw.problem(f"of {len(listed)} containers, rules watch {MOST_WATCHED}")
        for one in sorted(listed, key=lambda one: not (one.unhealthy or one.failed))[:MOST_WATCHED]:
            values[f"container_unhealthy{{{instance(one.name)}}}"] = float(one.unhealthy)
            values[f"container_exited{{{instance(one.name)}}}"] = float(one.failed)
        known = {one.id for one in listed}
        for identity, (engine, _) in uses.items():
            if identity not in known:
                used = _used(identity, uses, earlier, seconds)
                rows.append(
                    (
                        cell(identity, 12),
                        "running",
                        "",
                        None,
                        *used,
                        "",
                        "seen in its control group",
                        cell(engine, 20),
                        cell(identity, 12),
                    )
                )
        if rows:
            values["containers_running"] = float(sum(row[1] == "running" for row in rows))
        return Findings(tuple(rows), values)


def _listed(raw: Raw) -> list[_Listed]:
    found = []
    for row in raw.rows:
        if row[0] != "E":
            continue
        words = row[2].split("~", 3) if len(row) == 3 else []
        if len(words) != 4 or row[1] not in ("docker", "podman"):
            raw.problem(f"not understood: {cell(' '.join(row), 60)}")
            continue
        identity, image, names, status = words
        # a link's other name has a slash
        name = next((name for name in names.split(",") if "/" not in name), names)
        found.append(_Listed(row[1], identity, image, name, status))
    return found


def _restarts(raw: Raw) -> dict[str, float]:
    found = {}
    for row in raw.rows:
        if row[0] == "N" and len(row) == 2:
            identity, _, count = row[1].partition("~")
            try:
                found[identity] = number(count)
            except ValueError:
                raw.problem(f"not understood: {cell(row[1], 60)}")
    return found


def _uses(raw: Raw) -> dict[str, tuple[str, Use]]:
    """Container's id → its engine, and what it used; of nested groups the outermost."""
    found: dict[str, tuple[str, Use]] = {}
    for group, told in sorted(figures(raw).items()):
        match = _GROUP.search(group)
        if match and match[2] not in found:
            found[match[2]] = (match[1].removesuffix(".payload"), use_of(told))
    return found


def _used(
    identity: str, uses: dict[str, tuple[str, Use]], earlier: dict[str, tuple[str, Use]], seconds: float
) -> tuple[Cell, Cell]:
    now, then = uses.get(identity), earlier.get(identity)
    if now is None:
        return None, None
    return share(now[1].cpu_seconds, then[1].cpu_seconds if then else None, seconds), now[1].memory_bytes
