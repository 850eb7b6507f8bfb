"""Delays after failed logins: exponential, per account name and per peer, in a bounded table."""

from __future__ import annotations

from dataclasses import dataclass

from guardian_tui.engine.clock import Clock

MOST_KEYS = 4096
LONGEST_SECONDS = 300.0
FORGET_SECONDS = 3600.0


@dataclass(slots=True)
class _Record:
    failures: int = 0
    until: float = 0.0
    last: float = 0.0


class Delays:
    """Counts failures by key; after ``free`` of them each further one doubles the wait."""

    def __init__(self, clock: Clock, free: int) -> None:
        self._clock = clock
        self._free = free
        self._records: dict[str, _Record] = {}

    def wait_seconds(self, key: str) -> float:
        """How long this key must wait; 0 when it need not."""
        record = self._records.get(key)
        return max(0.0, record.until - self._clock.monotonic()) if record else 0.0

    def failed(self, key: str) -> None:
        """One more failure."""
        now = self._clock.monotonic()
        record = self._records.pop(key, None)
        if record is None or now - record.last > FORGET_SECONDS:
            record = _Record()
        record.failures += 1
        record.last = now
        if record.failures >= self._free:
            # capped before the power: a patient attacker must not make the number itself large
            doublings = min(record.failures - self._free, 16)
            record.until = now + min(LONGEST_SECONDS, 2.0**doublings)
        self._records[key] = record
        while len(self._records) > MOST_KEYS:
            # the one that failed longest ago; it is the least worth keeping
            del self._records[next(iter(self._records))]

    def succeeded(self, key: str) -> None:
        """Forget its failures."""
        self._records.pop(key, None)
