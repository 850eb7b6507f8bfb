"""Connections and listening ports with their processes: /proc/net/tcp and its like by proc(5)."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import ClassVar, NamedTuple

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, number
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.engine.fleet.sections.sockets import STATES
from guardian_tui.protocol.section_kinds import Cell

_PROTOCOLS = frozenset({"tcp", "tcp6", "udp", "udp6"})
_PASSING_PORTS = (32768, 60999)
"""What Linux gives to whoever asks for any port, where it does not say otherwise."""


class _End(NamedTuple):
    """One end of a connection.

    ``joined``: address and port as people write them.
    """

    address: str
    port: int
    joined: str
    is_loopback: bool
    is_unspecified: bool


class _Socket(NamedTuple):
    protocol: str
    local: _End
    remote: _End
    state: str
    uid: float
    pid: float | None
    process: str


# a fleet's hosts listen on the same few addresses, and a host on the same ones each time
@lru_cache(maxsize=8192)
def _end(word: str, big: bool) -> _End:
    """``0100007F:0016``: words of 32 bits as the host's processor writes them (``big``: the greatest byte first); then the port.

    Raises:
        ValueError: it is none.
    """
    digits, _, port = word.partition(":")
    if len(digits) not in (8, 32) or len(port) != 4:
        raise ValueError("no address")
    raw = bytes.fromhex(digits)
    turned = raw if big else b"".join(raw[place : place + 4][::-1] for place in range(0, len(raw), 4))
    found: ipaddress.IPv4Address | ipaddress.IPv6Address = (
        ipaddress.IPv4Address(turned) if len(turned) == 4 else ipaddress.IPv6Address(turned)
    )
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    number = int(port, 16)
    joined = f"[{found}]:{number}" if found.version == 6 else f"{found}:{number}"
    return _End(str(found), number, joined, found.is_loopback, found.is_unspecified)


def _sockets(raw: Raw) -> list[_Socket]:
    found = []
    big = ["order", "big"] in raw.rows
    for row in raw.rows:
        if row[0] in ("ports", "order"):
            continue
        try:
            protocol, local, remote, state, uid, pid, process = row
            if protocol not in _PROTOCOLS:
                raise ValueError("no protocol of ours")
            found.append(
                _Socket(
                    protocol.removesuffix("6"),
                    _end(local, big),
                    _end(remote, big),
                    state,
                    number(uid),
                    number(pid) if pid else None,
                    cell(process, 40),
                )
            )
        except ValueError:
            raw.problem(f"not understood: {cell(' '.join(row), 60)}")
    return found


class Connections(Section):
    """``R protocol local remote state uid pid process``; addresses as /proc/net has them, ``R order big`` where they begin with the greatest byte."""

    name: ClassVar[str] = "connections"
    forks: ClassVar[bool] = True
    timeout_seconds: ClassVar[float] = 30.0

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each connection."""
        rows: list[tuple[Cell, ...]] = [
            (
                one.local.joined, one.remote.joined, one.protocol, STATES.get(one.state, "unknown"), one.pid, one.process, one.uid
            )
            for one in _sockets(raw)
        ]  # fmt: skip
        return Findings(tuple(rows))


class Listening(Section):
    """As connections, and ``R ports LOWEST HIGHEST`` of the ports that are given to whoever asks for any."""

    name: ClassVar[str] = "listening"
    forks: ClassVar[bool] = True
    drift: ClassVar[tuple[str, ...]] = ("new",)
    timeout_seconds: ClassVar[float] = 30.0

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each port; what others can reach is held against the baseline."""
        lowest, highest = _passing(raw)
        sockets = _sockets(raw)
        rows: dict[tuple[Cell, ...], None] = {}
        items: dict[str, str] = {}
        for one in sockets:
            end, local = one.local, one.local.is_loopback
            reach = "this host" if local else "everyone" if end.is_unspecified else "this address"
            rows[end.address, float(end.port), one.protocol, one.pid, one.process, one.uid, reach] = None
            passing = lowest <= end.port <= highest
            # forwards of sessions come and go on the loopback, and clients of UDP wait on passing ports
            if local or (passing and one.protocol == "udp"):
                continue
            # a service that asks for any port has another after each start
            item = (
                f"{one.protocol} {end.address} any port, {one.process}"
                if passing
                else f"{one.protocol} {end.joined}"
            )
            items[item] = one.process
        if not sockets:
            # a host that tells of none is one that can't be read: whoever is asked listens
            return Findings()
        values = {"listening_ports": float(len({(one.protocol, one.local.port) for one in sockets}))}
        return Findings(tuple(rows), values, items=items)


def _passing(raw: Raw) -> tuple[int, int]:
    for row in raw.rows:
        words = " ".join(row[1:]).split() if row[0] == "ports" else []
        if len(words) == 2 and all(word.isdecimal() and len(word) <= 5 for word in words):
            return int(words[0]), int(words[1])
    return _PASSING_PORTS
