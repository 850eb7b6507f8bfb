"""Sockets by kind and state: /proc/net/sockstat, /proc/net/snmp and the states of include/net/tcp_states.h."""

from __future__ import annotations

import math
from typing import ClassVar

from guardian_tui.engine.fleet.sections.base import Findings, Section, cell, number
from guardian_tui.engine.fleet.sections.raw import Raw
from guardian_tui.protocol.section_kinds import Cell

STATES = {
    "01": "established", "02": "syn sent", "03": "syn received", "04": "fin wait 1", "05": "fin wait 2", "06": "time wait", "07": "close",
    "08": "close wait", "09": "last ack", "0A": "listen", "0B": "closing", "0C": "new syn received",
}  # fmt: skip
_GAUGES = {
    "sockets_tcp": ("TCP: inuse", "TCP6: inuse"), "sockets_time_wait": ("TCP: tw",), "sockets_orphaned": ("TCP: orphan",),
    "sockets_udp": ("UDP: inuse", "UDP6: inuse"),
}  # fmt: skip
_BY_STATE = {
    "sockets_established": "state 01",
    "sockets_close_wait": "state 08",
    "sockets_syn_received": "state 03",
}
_CURRENT, _SENT, _AGAIN, _DROPPED = "Tcp CurrEstab", "Tcp OutSegs", "Tcp RetransSegs", "TcpExt ListenDrops"
_NEEDED = frozenset(
    {name for names in _GAUGES.values() for name in names}
    | {f"state {state}" for state in STATES}
    | {_CURRENT, _SENT, _AGAIN, _DROPPED}
)
_COUNTERS = ("Tcp ", "TcpExt ", "Udp ", "UdpLite ")
_NOT_COUNTED = _CURRENT


class Sockets(Section):
    """``R name number``; names as the kernel has them, and ``state 0A`` for sockets of TCP in one state."""

    name: ClassVar[str] = "sockets"
    rates: ClassVar[bool] = True

    def read(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """A row for each figure; counters have a rate."""
        now, then = _figures(raw), _figures(before) if before else {}
        rows: list[tuple[Cell, ...]] = []
        for name, value in now.items():
            rate = None
            if name.startswith(_COUNTERS) and name != _NOT_COUNTED:
                change = value - then.get(name, math.nan)
                rate = change / seconds if seconds > 0 and change >= 0 else None
            words = (
                f"TCP {STATES.get(name[6:], name[6:])}"
                if name.startswith("state ")
                else name.replace(": ", " ")
            )
            rows.append((cell(words, 60), value, rate))
        return Findings(tuple(rows), _values(now, then, seconds))

    def survey(self, raw: Raw, before: Raw | None, seconds: float) -> Findings:
        """Series alone: of a hundred figures they need some ten."""
        return Findings(
            values=_values(_figures(raw, _NEEDED), _figures(before, _NEEDED) if before else {}, seconds)
        )


def _figures(raw: Raw, needed: frozenset[str] = frozenset()) -> dict[str, float]:
    found = {}
    for row in raw.rows:
        try:
            name, value = row
            if not needed or name in needed:
                found[name] = number(value)
        except ValueError:
            raw.problem(f"not understood: {cell(' '.join(row), 60)}")
    return found


def _values(now: dict[str, float], then: dict[str, float], seconds: float) -> dict[str, float]:
    values = {}
    for metric, names in _GAUGES.items():
        found = [now[name] for name in names if name in now]
        if found:
            values[metric] = sum(found)
    if any(name[:6] == "state " for name in now):
        values |= {metric: now.get(name, 0.0) for metric, name in _BY_STATE.items()}
    elif _CURRENT in now:
        values["sockets_established"] = now[_CURRENT]
    sent = now.get(_SENT, math.nan) - then.get(_SENT, math.nan)
    again = now.get(_AGAIN, math.nan) - then.get(_AGAIN, math.nan)
    if sent > 0 and again >= 0:
        values["tcp_retransmit_ratio"] = again / sent
    dropped = now.get(_DROPPED, math.nan) - then.get(_DROPPED, math.nan)
    if dropped >= 0 and seconds > 0:
        values["listen_drops_per_second"] = dropped / seconds
    return values
