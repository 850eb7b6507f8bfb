r"""Chunks: one compressed block of samples, in columns, of which each can be read alone.

Layout, little endian::

    magic "GC1\0" | header length u32 | header (zlib of JSON) | times | column 0 | column 1 | …

The header holds `rows`, `kinds` (1 value a row for raw samples; 3, mean low high, for rollups), the `names` of the series, and per block
its length and CRC-32, so that damage to one column costs that column alone.  Times are milliseconds, delta coded as 64-bit
integers; values 32-bit floats, each XORed with the one before (as in Facebook's Gorilla), the bytes then gathered by their place (as in
Blosc's shuffle), then zlib.  A gap is NaN.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAGIC = b"GC1\0"
LEVEL = 6
MOST_SERIES = 512
MOST_ROWS = 1 << 20
NAN = math.nan
FLOAT32_MAX = 3.4028234663852886e38
_HEAD = struct.Struct("<4sI")
_INFINITY = b"\x80\x7f"
_NEGATIVE_INFINITY = b"\x80\xff"
"""The upper halves of infinite float32 numbers."""


class ChunkDamaged(Exception):
    """A chunk, or the block that was asked for, can't be read."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples in columns: ``values[name]`` has one sequence per kind (mean; or mean, low, high), each as long as ``times``."""

    times: list[float]
    values: Mapping[str, tuple[Sequence[float], ...]]


def encode(columns: Columns) -> bytes:
    """A chunk of these columns; series beyond :data:`MOST_SERIES` are left out."""
    names = list(columns.values)[:MOST_SERIES]
    kinds = len(columns.values[names[0]]) if names else 1
    blocks = [_pack_times(columns.times)]
    blocks += [_pack_floats(kind) for name in names for kind in columns.values[name]]
    header = json.dumps(
        {
            "rows": len(columns.times),
            "kinds": kinds,
            "names": names,
            "sizes": [len(block) for block in blocks],
            "crcs": [zlib.crc32(block) for block in blocks],
        },
        separators=(",", ":"),
    ).encode()
    packed = zlib.compress(header, LEVEL)
    return b"".join((_HEAD.pack(MAGIC, len(packed)), packed, *blocks))


def decode(chunk: bytes, wanted: Sequence[str] | None = None) -> Columns:
    """The columns of a chunk; only those ``wanted``, if some are named.

    Raises:
        ChunkDamaged: the header, the times or a wanted column is damaged.
    """
    try:
        return _decode(chunk, wanted)
    except (struct.error, zlib.error, ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise ChunkDamaged(f"not readable: {type(error).__name__}") from error


def _decode(chunk: bytes, wanted: Sequence[str] | None) -> Columns:
    magic, length = _HEAD.unpack_from(chunk)
    if magic != MAGIC:
        raise ChunkDamaged("not a chunk")
    start = _HEAD.size + length
    header = json.loads(zlib.decompress(chunk[_HEAD.size : start]))
    names, kinds, rows = header["names"], header["kinds"], header["rows"]
    if not (0 <= rows <= MOST_ROWS and kinds in (1, 3)):
        raise ChunkDamaged("header out of bounds")
    offsets = [start]
    for size in header["sizes"]:
        offsets.append(offsets[-1] + size)

    def block(place: int) -> bytes:
        data = chunk[offsets[place] : offsets[place + 1]]
        if zlib.crc32(data) != header["crcs"][place]:
            raise ChunkDamaged("checksum differs")
        return data

    places = {name: place for place, name in enumerate(names)}
    chosen = names if wanted is None else [name for name in wanted if name in places]
    values = {
        name: tuple(_unpack_floats(block(1 + places[name] * kinds + kind), rows) for kind in range(kinds))
        for name in chosen
    }
    return Columns(_unpack_times(block(0), rows), values)


def _little(values: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return values.tobytes()


def _pack_times(times: Sequence[float]) -> bytes:
    deltas, before = array("q"), 0
    for time in times:
        now = round(time * 1000)
        deltas.append(now - before)
        before = now
    return zlib.compress(_shuffle(_little(deltas), 8), LEVEL)


def _unpack_times(block: bytes, rows: int) -> list[float]:
    deltas = array("q", _unshuffle(_inflate(block, rows * 8), 8))
    if sys.byteorder == "big":
        deltas.byteswap()
    times, now = [], 0
    for delta in deltas:
        now += delta
        times.append(now / 1000)
    return times


def _pack_floats(values: Sequence[float]) -> bytes:
    data = _little(values if isinstance(values, array) else array("f", values))
    if _INFINITY in data or _NEGATIVE_INFINITY in data:
        # what float32 can't hold became infinite; the same bytes across two numbers do no harm
        data = _little(array("f", [_fit(value) for value in values]))
    # the whole column as one number: each 32-bit word XORed with the word before it
    word = int.from_bytes(data, "little")
    mixed = (word ^ (word << 32)) & ((1 << (8 * len(data))) - 1)
    return zlib.compress(_shuffle(mixed.to_bytes(len(data), "little"), 4), LEVEL)


def _unpack_floats(block: bytes, rows: int) -> list[float]:
    data = _unshuffle(_inflate(block, rows * 4), 4)
    word, mask, shift = int.from_bytes(data, "little"), (1 << (32 * rows)) - 1, 32
    while shift < 32 * rows:
        # prefix XOR by doubling
        word = (word ^ (word << shift)) & mask
        shift *= 2
    values = array("f", word.to_bytes(4 * rows, "little"))
    if sys.byteorder == "big":
        values.byteswap()
    return values.tolist()


def _fit(value: float) -> float:
    """The value, or a gap beyond float32: there is no such number of a host."""
    return value if -FLOAT32_MAX <= value <= FLOAT32_MAX else NAN


def _inflate(block: bytes, size: int) -> bytes:
    inflater = zlib.decompressobj()
    data = inflater.decompress(block, size + 1)
    if len(data) != size:
        raise ChunkDamaged("a block is of another length")
    return data


def _shuffle(data: bytes, width: int) -> bytes:
    return b"".join(data[place::width] for place in range(width))


def _unshuffle(data: bytes, width: int) -> bytes:
    rows = len(data) // width
    out = bytearray(len(data))
    for place in range(width):
        out[place::width] = data[place * rows : (place + 1) * rows]
    return bytes(out)


def roll_up(columns: Columns, seconds: int) -> Columns:
    """Mean, low and high of each series per ``seconds``; rows without any sample are left out.

    Raw columns (one kind) and finer rollups (three) are both taken; a mean of means is weighted alike, which holds as samples are
    evenly spaced.
    """
    buckets: dict[float, list[int]] = {}
    for place, time in enumerate(columns.times):
        buckets.setdefault(time // seconds * seconds, []).append(place)
    starts = sorted(buckets)
    rolled: dict[str, tuple[Sequence[float], ...]] = {}
    for name, kinds in columns.values.items():
        # looked at three times: an array makes its numbers anew each time
        first_kind = list(kinds[0])
        means, lows, highs = (first_kind, *kinds[1:]) if len(kinds) == 3 else (first_kind,) * 3
        mean, low, high = [], [], []
        for start in starts:
            places = buckets[start]
            first, last = places[0], places[-1] + 1
            if last - first == len(places) and math.isfinite(total := sum(means[first:last])):
                # rows side by side without a gap: the usual case, at the speed of C
                mean.append(total / len(places))
                low.append(min(lows[first:last]))
                high.append(max(highs[first:last]))
                continue
            rows = [place for place in buckets[start] if math.isfinite(means[place])]
            mean.append(sum(means[p] for p in rows) / len(rows) if rows else NAN)
            low.append(min((lows[p] for p in rows), default=NAN))
            high.append(max((highs[p] for p in rows), default=NAN))
        rolled[name] = (mean, low, high)
    return Columns(starts, rolled)


def merge(first: Columns, second: Columns) -> Columns:
    """Both, in the order of time; where one has no such series there is a gap."""
    order = sorted(
        [(time, 0, place) for place, time in enumerate(first.times)]
        + [(time, 1, place) for place, time in enumerate(second.times)]
    )
    parts = (first, second)
    kinds = next((len(k) for part in parts for k in part.values.values()), 1)
    values: dict[str, tuple[Sequence[float], ...]] = {}
    for name in {**first.values, **second.values}:
        columns = [part.values.get(name) for part in parts]
        values[name] = tuple(
            [
                source[kind][place] if (source := columns[which]) is not None else NAN
                for _, which, place in order
            ]
            for kind in range(kinds)
        )
    return Columns([time for time, _, _ in order], values)
