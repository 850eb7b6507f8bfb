"""Network interfaces and bonds: Documentation/ABI/testing/sysfs-class-net and networking/bonding.rst of Linux."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, few, instance, number
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.engine.fleet.sections.values import values_of
from guardian_tui.protocol.section_kinds import Cell
from guardian_tui.text import counted

_FILES = re.compile(r"operstate|carrier|speed|duplex|mtu|address|flags|carrier_changes")
_VIRTUAL = re.compile(
    r"(lo$|veth|docker|br-|virbr|cni|flannel|cali|cilium|kube-|lxc|vnet|tap|dummy|ifb|sit|tunl|ip6tnl|gre|erspan)"
)
"""What containers and virtual machines make, and their bridges: they come and go with these."""
_UP = 0x1


@dataclass(slots=True)
class _Bond:
    """One /proc/net/bonding file."""

    mode: str = ""
    aggregator: str = ""
    members: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Member → its state and its aggregator."""

    def inactive(self) -> list[str]:
        """Members that carry nothing: without a link, or (802.3ad) agreed with another partner than the active ones."""
        return [
            name
            for name, (state, aggregator) in self.members.items()
            if state != "up" or (self.aggregator and aggregator and aggregator != self.aggregator)
        ]


class Links(Section):
    """``R V eth0/operstate:up`` and the like, ``R B bond0 line`` for each line of /proc/net/bonding."""

    name: ClassVar[str] = "links"
    forks: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each interface; flags for those of metal and for bonds."""
        nics: dict[str, dict[str, str]] = {}
        for folder, name, value in values_of(raw, _FILES):
            nics.setdefault(folder, {})[name] = value
        bonds = _bonds(raw)
        of = {member: name for name, bond in bonds.items() for member in bond.members}
        rows: list[tuple[Cell, ...]] = []
        values: dict[str, float] = {}
        for nic, files in nics.items():
            speed = _figure(files.get("speed"))
            speed = speed if speed and speed > 0 and speed < 1e7 else None
            carrier = {"1": "yes", "0": "no"}.get(files.get("carrier", ""), "")
            bond = bonds.get(nic)
            duplex = files.get("duplex", "")
            rows.append(
                (
                    cell(nic, 40), cell(files.get("operstate", ""), 20), carrier, speed, cell("" if duplex == "unknown" else duplex, 10),
                    _figure(files.get("mtu")), cell(of.get(nic, ""), 40), cell(files.get("address", ""), 60), _figure(files.get("carrier_changes")),
                    cell(_words(bond)) if bond else "",
                )
            )  # fmt: skip
            if _VIRTUAL.match(nic):
                continue
            if carrier and _is_on(files.get("flags")):
                values[f"link_down{{{instance(nic)}}}"] = float(carrier == "no")
            if speed:
                values[f"link_bits_per_second{{{instance(nic)}}}"] = speed * 1e6
        for name, bond in bonds.items():
            if bond.members:
                values[f"bond_inactive_members{{{instance(name)}}}"] = float(len(bond.inactive()))
        return Findings(tuple(rows), few(values))


def _words(bond: _Bond) -> str:
    inactive = bond.inactive()
    words = f"{bond.mode or 'bond'}, {counted(len(bond.members), 'member')}"
    return f"{words}, inactive: {', '.join(inactive)}" if inactive else words


def _figure(word: str | None) -> float | None:
    with contextlib.suppress(ValueError):
        return number(word) if word else None
    return None


def _is_on(flags: str | None) -> bool:
    # a kernel that does not tell it has only what is on
    try:
        return bool(int(flags, 16) & _UP) if flags else True
    except ValueError:
        return True


def _bonds(raw: Raw) -> dict[str, _Bond]:
    bonds: dict[str, _Bond] = {}
    members: dict[str, str] = {}
    for row in raw.rows:
        if row[0] != "B" or len(row) < 3:
            continue
        bond = bonds.setdefault(row[1], _Bond())
        member = members.get(row[1], "")
        key, _, value = (part.strip() for part in row[2].partition(":"))
        if key == "Slave Interface" and value:
            members[row[1]] = value
            bond.members[value] = ("", "")
        elif key == "Bonding Mode":
            bond.mode = value
        elif key == "MII Status" and member:
            bond.members[member] = (value, bond.members[member][1])
        elif key == "Aggregator ID" and member:
            bond.members[member] = (bond.members[member][0], value)
        elif key == "Aggregator ID" and not bond.aggregator:
            bond.aggregator = value
    return bonds
