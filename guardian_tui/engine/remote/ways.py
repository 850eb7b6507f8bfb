"""The ways to hosts, as features see them that are not the fleet: whom there is, and how commands get there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from guardian_tui.engine.remote.target import Target


@dataclass(frozen=True, slots=True)
class Way:
    """One host of the inventory.

    Attributes:
        labels: those that decide who may see it; ``host`` and ``environment`` are among them.
        target: the way for commands; None: this machine.
    """

    host_id: str
    name: str
    labels: Mapping[str, str]
    target: Target | None


class Ways(Protocol):
    """All hosts; the fleet's inventory is one."""

    def way(self, host: str) -> Way | None:
        """The way to a host by id or by name; an empty name is this machine."""
        ...

    def ways(self) -> Iterable[Way]:
        """The ways to all."""
        ...
