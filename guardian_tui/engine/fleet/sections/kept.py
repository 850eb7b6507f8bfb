"""A section as it was read: packed, since a thousand hosts keep theirs in memory and somebody looks at few."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import msgspec

from guardian_tui.engine.fleet.sections.raw import Raw

_decode = msgspec.msgpack.Decoder(tuple[list[list[str]], list[tuple[str, str, str]], list[str]]).decode


@dataclass(frozen=True, slots=True)
class Kept:
    """One reading.

    Attributes:
        measured_at: Unix seconds of the engine's clock.
        read_at: of the monotonic clock.
        took_seconds: from the question to the answer.
    """

    packed: bytes
    measured_at: float
    read_at: float
    took_seconds: float

    @classmethod
    def of(cls, raw: Raw, measured_at: float, read_at: float, took_seconds: float) -> Kept:
        """Pack a reading."""
        packed = zlib.compress(msgspec.msgpack.encode((raw.rows, raw.withheld, raw.problems)), 1)
        return cls(packed, measured_at, read_at, took_seconds)

    @property
    def raw(self) -> Raw:
        """The reading again."""
        return Raw(*_decode(zlib.decompress(self.packed)))
