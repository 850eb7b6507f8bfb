"""A section as it was read: packed, since a thousand hosts keep theirs in memory and somebody looks at few."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

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
        earlier: the reading before, of a section whose rows need it.
    """

    packed: bytes
    measured_at: float
    read_at: float
    took_seconds: float
    earlier: Kept | None = None

    @classmethod
    def of(cls, raw: Raw, measured_at: float, read_at: float, took_seconds: float) -> Kept:
        """Pack a reading."""
        packed = zlib.compress(msgspec.msgpack.encode((raw.rows, raw.withheld, raw.problems)), 1)
        return cls(packed, measured_at, read_at, took_seconds)

    def after(self, earlier: Kept | None) -> Kept:
        """The same with the reading before, of which none is kept in turn."""
        return replace(self, earlier=replace(earlier, earlier=None) if earlier is not None else None)

    @property
    def before(self) -> tuple[Raw | None, float]:
        """The reading before and the seconds since; None: none is kept."""
        return (
            (self.earlier.raw, self.read_at - self.earlier.read_at)
            if self.earlier is not None
            else (None, 0.0)
        )

    @property
    def raw(self) -> Raw:
        """The reading again."""
        return Raw(*_decode(zlib.decompress(self.packed)))
