"""Mounts of NFS: /proc/self/mountstats, whose columns are those of rpc_print_iostats() in net/sunrpc/stats.c of Linux."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from guardian_tui.engine.fleet.reading import unescaped
from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, few, instance, number
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

Counts = tuple[float, ...]
"""Operations, transmissions, timeouts; milliseconds in the queue, at the server, in all."""


@dataclass(slots=True)
class _Mount:
    server: str
    kind: str
    operations: dict[str, Counts] = field(default_factory=dict)


class Nfs(Section):
    """``R M mount server kind``, then for it ``R O operation count transmissions timeouts queue rtt whole``."""

    name: ClassVar[str] = "nfs"
    rates: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each mount: since the reading before, or (the first time) since it was mounted."""
        earlier = _mounts(before) if before else {}
        rows: list[tuple[Cell, ...]] = []
        values: dict[str, float] = {}
        for name, mount in _mounts(raw).items():
            then = earlier[name].operations if name in earlier else {}
            spent = {
                operation: _since(counts, then.get(operation))
                for operation, counts in mount.operations.items()
            }
            whole = tuple(map(sum, zip(*spent.values(), strict=True))) if spent else (0.0,) * 6
            done, sent, timeouts, _, rtt, all_ms = whole
            again = max(0.0, sent - done) / sent if sent > 0 else 0.0
            slowest = max(
                spent, key=lambda operation: spent[operation][5] / (spent[operation][0] or 1.0), default=""
            )
            known = bool(then) and seconds > 0
            rows.append(
                (
                    cell(name, 200), cell(mount.server, 120), done / seconds if known else None, rtt / done / 1000 if done else None,
                    all_ms / done / 1000 if done else None, again, timeouts, cell(slowest, 30),
                )
            )  # fmt: skip
            if known:
                label = instance(name)
                if done:
                    values[f"nfs_round_trip_seconds{{{label}}}"] = rtt / done / 1000
                values[f"nfs_retransmit_ratio{{{label}}}"] = again
                values[f"nfs_timeouts_per_second{{{label}}}"] = timeouts / seconds
        return Findings(tuple(rows), few(values))


def _since(now: Counts, then: Counts | None) -> Counts:
    # it was mounted anew
    if then is None or any(a < b for a, b in zip(now, then, strict=True)):
        return now
    return tuple(a - b for a, b in zip(now, then, strict=True))


def _mounts(raw: Raw) -> dict[str, _Mount]:
    found: dict[str, _Mount] = {}
    mount: _Mount | None = None
    for row in raw.rows:
        try:
            if row[0] == "M":
                _, name, server, kind = row
                mount = found.setdefault(unescaped(name), _Mount(unescaped(server), kind))
            elif row[0] == "O" and mount is not None:
                _, operation, *counts = row
                told = tuple(number(count) for count in counts)
                if len(told) != 6 or min(told) < 0:
                    raise ValueError("not six figures")
                mount.operations[operation] = told
        except ValueError:
            raw.problem(f"not understood: {cell(' '.join(row), 60)}")
    return found
