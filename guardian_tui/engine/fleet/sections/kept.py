"""A section as it was read: packed, since a thousand hosts keep theirs in memory and somebody looks at few."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from hashlib import blake2b

from guardian_tui.engine.fleet.sections.raw import Raw, raw_of

WINDOW_BYTES = 8192
_MEMORY_LEVEL = 5
PACKED_FROM = 200
"""Bytes from which packing saves room; less is kept as it came, which costs a tenth of the time."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One reading.

    Attributes:
        packed: the section's lines as the host wrote them, compressed if they are many.
        measured_at: Unix seconds of the engine's clock.
        read_at: of the monotonic clock.
        took_seconds: from the question to the answer.
        earlier: the reading before, of a section whose rows need it.
        digest: tells whether another reading says the same.
    """

    packed: bytes
    measured_at: float
    read_at: float
    took_seconds: float
    earlier: Kept | None = None
    digest: bytes = b""
    plain: bool = False

    @classmethod
    def of(cls, lines: bytes, measured_at: float, read_at: float, took_seconds: float) -> Kept:
        """Pack a reading."""
        plain = len(lines) < PACKED_FROM
        packed = lines if plain else _packed(lines)
        return cls(packed, measured_at, read_at, took_seconds, None, digest_of(lines), plain)

    def again(self, measured_at: float, read_at: float, took_seconds: float) -> Kept:
        """The same, read again."""
        return Kept(self.packed, measured_at, read_at, took_seconds, self.earlier, self.digest, self.plain)

    def after(self, earlier: Kept | None) -> Kept:
        """The same with the reading before, of which none is kept in turn."""
        if earlier is None:
            return self
        alone = earlier._with(None) if earlier.earlier is not None else earlier
        return self._with(alone)

    def _with(self, earlier: Kept | None) -> Kept:
        return Kept(
            self.packed, self.measured_at, self.read_at, self.took_seconds, earlier, self.digest, self.plain
        )

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
        return raw_of(self.packed if self.plain else zlib.decompress(self.packed))


def _packed(lines: bytes) -> bytes:
    if len(lines) > WINDOW_BYTES:
        return zlib.compress(lines, 1)
    # a window as large as any of these: zlib's usual one is a quarter of a megabyte to be taken, cleared and given back each time
    packer = zlib.compressobj(1, zlib.DEFLATED, WINDOW_BYTES.bit_length() - 1, _MEMORY_LEVEL)
    return packer.compress(lines) + packer.flush()


def digest_of(lines: bytes) -> bytes:
    """What is the same for the same lines, and for no others."""
    return blake2b(lines, digest_size=12).digest()
