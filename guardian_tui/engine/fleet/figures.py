"""Figures as the probe made them: one line of numbers by the names that it told before, rates and all.

To read an answer word by word and make its rates costs the engine more than anything else about a host; the probe can do it at a tenth of what
its answer costs the host anyway.  Which names the numbers are of is learned from the lines that an answer has beside them; from then on the
numbers come alone, for as long as the names are the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import msgspec

from guardian_tui.engine.facts import Layout
from guardian_tui.engine.fleet.reading import ABSURD
from guardian_tui.engine.fleet.series import HOST_SERIES

_LINE = b"V "
UPTIME, CLOCK_OFFSET, OOM_KILLS, ROUND_TRIP = (
    HOST_SERIES.index(name) for name in ("uptime_seconds", "clock_offset_seconds", "oom_kills", "round_trip_seconds")
)  # fmt: skip
_SHARES = ("cpu_busy_ratio", "cpu_user_ratio", "cpu_system_ratio", "cpu_iowait_ratio", "cpu_steal_ratio", "memory_available_ratio",
           "memory_used_ratio", "swap_used_ratio")  # fmt: skip
"""What no host can have more of than all; the others are bounded by what a counter can count."""
_BUSY = "disk_busy_ratio{"
_A_HAIR = 1e-6
_LONGEST_NUMBER = 9
_decode = msgspec.json.Decoder(list[float | None]).decode


@dataclass(slots=True)
class Told:
    """What an answer has of figures.

    Attributes:
        number: tells the names that they are of.
        line: the numbers, not read yet.
        beside: what else it says.
    """

    number: int
    line: bytes
    beside: bytes


def told_in(answer: bytes) -> Told | None:
    """The figures of an answer; None if there are none."""
    if answer.startswith(_LINE):
        line, _, beside = answer.partition(b"\n")
    else:
        before, found, rest = answer.partition(b"\n" + _LINE)
        if not found:
            return None
        line, _, behind = rest.partition(b"\n")
        line, beside = _LINE + line, before + b"\n" + behind if behind else before
    number, _, numbers = line[len(_LINE) :].partition(b" ")
    if not number.isdigit() or len(number) > _LONGEST_NUMBER:
        return None
    return Told(int(number), numbers, beside)


def is_of_names(beside: bytes) -> bool:
    """Whether what stands beside figures says what they are of: more than the clock, mounts, and that these can't be read."""
    return (
        any(line and line[:2] not in (b"t ", b"o ") and line[:1] != b"!" for line in beside.split(b"\n"))
        if beside
        else False
    )


_shares: dict[int, Any] = {}  # Any: itemgetters, which return what they were asked for
_MOST_LAYOUTS = 4096


def _shares_of(layout: Layout) -> Any:
    getter = _shares.get(layout.id)
    if getter is None:
        if len(_shares) >= _MOST_LAYOUTS:
            _shares.clear()
        places = [layout.index[name] for name in _SHARES] + list(layout.places(_BUSY))
        getter = _shares[layout.id] = itemgetter(*places)
    return getter


def values_of(line: bytes, layout: Layout) -> list[float] | None:
    """Numbers as the values of a layout, gaps as NaN; None if they are not such.

    The count of OOM kills still stands for what was added to it; the clock's offset and the round trip are for us to fill in.
    """
    try:
        numbers = _decode(line)
    except msgspec.MsgspecError:
        return None
    if len(numbers) != len(layout.names):
        return None
    gaps = [place for place, number in enumerate(numbers) if number is None] if None in numbers else []
    for place in gaps:
        numbers[place] = 0.0
    values: list[float] = numbers  # type: ignore[assignment]  # no gap is left in it
    if min(values) < 0 or not sum(values) < ABSURD or max(_shares_of(layout)(values)) > 1 + _A_HAIR:
        return None
    for place in gaps:
        values[place] = math.nan
    return values
