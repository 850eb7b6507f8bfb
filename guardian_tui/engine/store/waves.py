"""Rows of the hot table: what some hosts sent in one wave, together in one row.

A row for each sample costs more to write, to find and to delete than the sample itself.  Hosts are dealt into parts by their ids; a row holds the
samples of one part, one hour and one transaction, and an hour is closed part by part, so that every row is read once.  Which rows hold a
host's samples is known by a bit of the host's own: others may share it, so a row that has it may still hold none.
"""

from __future__ import annotations

import math
import struct
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import NamedTuple

import msgspec

from guardian_tui.engine.store.codec import FLOAT32_MAX, ChunkDamaged

PARTS = 32
ROW_SAMPLES = 256
"""At most in one row."""
HOUR = 3600.0
_BITS = 62


HotSample = tuple[str, int, float, str, bytes]
"""One sample as it waits for its chunk: host, period, time, layout, values as little-endian float32."""


class HotRow(NamedTuple):
    """A row without its number."""

    part: int
    first: float
    last: float
    hosts: int
    data: bytes


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(list[HotSample]).decode


@lru_cache(maxsize=1 << 16)
def part_of(host_id: str) -> int:
    """The part that a host belongs to, in every engine."""
    return zlib.crc32(host_id.encode()) % PARTS


@lru_cache(maxsize=1 << 16)
def bit_of(host_id: str) -> int:
    """The bit that stands for a host in its part's rows."""
    return 1 << zlib.crc32(host_id.encode()) // PARTS % _BITS


def rows_of(samples: Iterable[HotSample]) -> list[HotRow]:
    """Samples as rows: apart by part and hour, in the order in which they came."""
    groups: dict[tuple[int, float], list[HotSample]] = {}
    for sample in samples:
        key = part_of(sample[0]), sample[2] // HOUR
        group = groups.get(key)
        if group is None:
            groups[key] = [sample]
        else:
            group.append(sample)
    return [
        row_of(part, group[place : place + ROW_SAMPLES])
        for (part, _), group in groups.items()
        for place in range(0, len(group), ROW_SAMPLES)
    ]


def row_of(part: int, samples: list[HotSample]) -> HotRow:
    """These samples as one row."""
    times, hosts = [sample[2] for sample in samples], 0
    for sample in samples:
        hosts |= bit_of(sample[0])
    return HotRow(part, min(times), max(times), hosts, _encode(samples))


@lru_cache(maxsize=1024)
def _packer(count: int) -> Callable[..., bytes]:
    """Makes little-endian float32 of so many numbers, in a third of the time that an array takes."""
    return struct.Struct(f"<{count}f").pack


def packed_floats(values: list[float]) -> bytes:
    """Values as a sample keeps them; what does not fit float32 becomes infinite, and is a gap where it is read."""
    try:
        return _packer(len(values))(*values)
    except OverflowError:
        fitting = [math.copysign(math.inf, value) if abs(value) > FLOAT32_MAX else value for value in values]
        return _packer(len(values))(*fitting)


def samples_of(data: bytes) -> list[HotSample]:
    """The samples of a row.

    Raises:
        ChunkDamaged: it can't be read.
    """
    try:
        return _decode(data)
    except msgspec.DecodeError as error:
        raise ChunkDamaged(f"not readable: {error}") from error


class HotRows:
    """What is known of one part's rows: numbers, first and last time, hosts (32 bytes a row)."""

    __slots__ = ("_firsts", "_hosts", "_ids", "_lasts")

    def __init__(self) -> None:
        self._empty()

    def __bool__(self) -> bool:
        return bool(self._ids)

    def add(self, id: int, first: float, last: float, hosts: int) -> None:
        """One more row."""
        self._ids.append(id)
        self._firsts.append(first)
        self._lasts.append(last)
        self._hosts.append(hosts)

    @property
    def oldest(self) -> float:
        """When the first row begins: after a clock that stepped back others may be older, and are closed with it."""
        return self._firsts[0]

    def of_host(self, host_id: str, start: float, end: float) -> list[int]:
        """Rows that may hold samples of a host in a span."""
        bit = bit_of(host_id)
        return [id for id, first, last, hosts in self._all() if hosts & bit and first < end and last >= start]

    def before(self, hour: float) -> list[int]:
        """Rows of hours before one that begins then."""
        return [id for id, first, _, _ in self._all() if first < hour]

    def first_since(self, hour: float, without: AbstractSet[int] = frozenset()) -> int | None:
        """The first row that stays when the hours before are closed, and some rows are gone."""
        return next((id for id, first, _, _ in self._all() if first >= hour and id not in without), None)

    def close(self, hour: float) -> None:
        """Forget the rows of hours before."""
        self._keep(row for row in self._all() if row[1] >= hour)

    def drop(self, ids: AbstractSet[int]) -> None:
        """Forget these rows."""
        self._keep(row for row in self._all() if row[0] not in ids)

    def _all(self) -> Iterator[tuple[int, float, float, int]]:
        return zip(self._ids, self._firsts, self._lasts, self._hosts, strict=True)

    def _keep(self, rows: Iterable[tuple[int, float, float, int]]) -> None:
        kept = list(rows)
        self._empty()
        for row in kept:
            self.add(*row)

    def _empty(self) -> None:
        self._ids, self._firsts, self._lasts, self._hosts = array("q"), array("d"), array("d"), array("q")
