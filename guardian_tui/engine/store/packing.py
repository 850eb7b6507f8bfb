"""Samples into columns, and columns into the chunks of each resolution: pure, so that it runs in a thread."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from operator import itemgetter

from guardian_tui.engine.store import codec
from guardian_tui.engine.store.codec import ChunkDamaged, Columns

_time = itemgetter(0)
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


def as_columns(samples: list[tuple[float, tuple[str, ...], bytes]], wanted: str | None) -> Columns:
    """Rows of any layouts as columns, by time; a series that a row lacks is a gap there."""
    samples.sort(key=_time)
    times = [at for at, _, _ in samples]
    values: dict[str, tuple[list[float], ...]] = {}
    first = samples[0][1]
    if wanted is None and all(names is first for _, names, _ in samples):
        # the usual hour, in which no device came or went: turned at the speed of C
        table, width = array("f", b"".join([packed for _, _, packed in samples])), len(first)
        return Columns(times, {name: (table[place::width].tolist(),) for place, name in enumerate(first)})
    count = len(samples)
    for place, (_at, names, packed) in enumerate(samples):
        row = array("f", packed)
        if wanted is not None:
            if wanted in names:
                column = values.setdefault(wanted, ([math.nan] * count,))
                column[0][place] = row[names.index(wanted)]
            continue
        for name, value in zip(names, row, strict=True):
            column = values.get(name) or values.setdefault(name, ([math.nan] * count,))
            column[0][place] = value
    return Columns(times, values)
