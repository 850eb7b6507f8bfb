"""Samples into columns, and columns into the chunks of each resolution: pure, so that it runs in a thread."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Mapping, Sequence

from guardian_tui.engine.store import codec
from guardian_tui.engine.store.codec import ChunkDamaged, Columns

RAW, MINUTE, QUARTER = 0, 60, 900
"""Resolutions: as sampled, and rolled up to so many seconds."""


def decoded(packed: Sequence[bytes], metric: str) -> tuple[list[Columns], int]:
    """One series of each chunk that has it, and how many chunks were damaged."""
    parts, damaged = [], 0
    for data in packed:
        try:
            columns = codec.decode(data, (metric,))
        except ChunkDamaged:
            damaged += 1
            continue
        if metric in columns.values:
            parts.append(columns)
    return parts, damaged


def between(columns: Columns, start: float, end: float) -> Columns:
    """The samples of a span."""
    places = [place for place, at in enumerate(columns.times) if start <= at < end]
    values = {
        name: tuple([kind[place] for place in places] for kind in kinds)
        for name, kinds in columns.values.items()
    }
    return Columns([columns.times[place] for place in places], values)


def chunks_of(columns: Columns, old: Mapping[int, bytes]) -> tuple[dict[int, bytes], int]:
    """An hour's chunks by resolution, each merged with the one that is there; and how many of those are damaged."""
    minute = codec.roll_up(columns, MINUTE)
    found, damaged = {}, 0
    for resolution, part in ((RAW, columns), (MINUTE, minute), (QUARTER, codec.roll_up(minute, QUARTER))):
        if resolution in old:
            try:
                part = codec.merge(codec.decode(old[resolution]), part)
            except ChunkDamaged:
                damaged += 1
        found[resolution] = codec.encode(part)
    return found, damaged


class Gathered:
    """Samples of one host, hour and period as they were read, packed; columns are made of them when they are wanted."""

    __slots__ = ("_names", "_packed", "_runs", "_times")

    def __init__(self) -> None:
        self._times: list[float] = []
        self._names: tuple[str, ...] = ()
        self._packed = bytearray()
        self._runs: list[tuple[tuple[str, ...], bytearray]] = []
        """Samples of one layout that follow each other; the newest of them go to the last."""

    def add(self, at: float, names: tuple[str, ...], vals: bytes) -> None:
        """One more sample."""
        self._times.append(at)
        if names is not self._names:
            self._names, self._packed = names, bytearray()
            self._runs.append((names, self._packed))
        self._packed += vals

    def columns(self, wanted: str | None = None) -> Columns:
        """By time; a series that a layout lacks is a gap there.  Only the one that is ``wanted``, if it is named."""
        times, values = self._times, self._values(wanted)
        order = sorted(range(len(times)), key=times.__getitem__)
        if order != list(range(len(times))):
            times = [times[place] for place in order]
            values = {name: [column[place] for place in order] for name, column in values.items()}
        return Columns(times, {name: (column,) for name, column in values.items()})

    def _values(self, wanted: str | None) -> dict[str, Sequence[float]]:
        if len(self._runs) == 1:
            # the usual hour, in which no device came or went
            return _turned(*self._runs[0], wanted)
        values: dict[str, Sequence[float]] = {}
        first, count = 0, len(self._times)
        for names, packed in self._runs:
            for name, part in _turned(names, packed, wanted).items():
                column = values.setdefault(name, array("f", [math.nan]) * count)
                column[first : first + len(part)] = part  # type: ignore[index]  # all are arrays
            first += len(packed) // (4 * len(names))
        return values


def _turned(names: tuple[str, ...], packed: bytearray, wanted: str | None) -> dict[str, Sequence[float]]:
    """Rows of one layout as columns, at the speed of C."""
    table, width = array("f", bytes(packed)), len(names)
    if sys.byteorder == "big":
        table.byteswap()
    if wanted is not None:
        return {wanted: table[names.index(wanted) :: width]} if wanted in names else {}
    return {name: table[place::width] for place, name in enumerate(names)}
