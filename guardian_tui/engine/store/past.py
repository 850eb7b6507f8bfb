"""By what time things are old: a clock that is wrong must not make all of them old at once."""

from __future__ import annotations

from guardian_tui.engine.clock import Clock

CATCH_UP = 4.0
"""A second of running lets so many pass: what an engine was away for is caught up with, a clock that is years ahead is noticed before it
costs anything."""


class Past:
    """The time by which what is kept for so many days is removed.

    It never is later than the clock, and follows one that is set forward, or an engine that was stopped for long, by and by.

    Args:
        clock: the engine's.
        known: what it was when the engine ended; None at the first start.
    """

    def __init__(self, clock: Clock, known: float | None = None) -> None:
        self._clock = clock
        self._at = clock.now() if known is None else known
        self._seen = clock.monotonic()

    def now(self) -> float:
        """Unix seconds."""
        ticks = self._clock.monotonic()
        self._at = min(self._clock.now(), self._at + (ticks - self._seen) * CATCH_UP)
        self._seen = ticks
        return self._at
