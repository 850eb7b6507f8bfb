"""How often a host is asked: one that answers slowly more seldom, so that what burdens it is not our asking."""

from __future__ import annotations

SHARE = 0.25
"""Of the time between two polls, which an answer may take before the host is asked more seldom."""
FINE_SECONDS = 1.0
"""An answer that took no longer is not slow, however often the host is asked."""
LONGEST_FACTOR = 8
MOST_SECONDS = 300.0
_WEIGHT = 0.3
"""Of the newest answer in the smoothed time; a single slow one changes nothing."""


class Pace:
    """The time between two polls of one host.

    Args:
        interval_seconds: what was asked for; the pace is that or a doubling of it.
    """

    __slots__ = ("_interval_seconds", "_smoothed", "seconds")

    def __init__(self, interval_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._smoothed = 0.0
        self.seconds = interval_seconds

    @property
    def slowed(self) -> bool:
        """Whether the host is asked more seldom than was asked for."""
        return self.seconds > self._interval_seconds

    @property
    def words(self) -> str:
        """For people; empty while all is as asked for."""
        if not self.slowed:
            return ""
        return f"answers slowly ({self._smoothed:.1f} s): asked every {self.seconds:.0f} s, not {self._interval_seconds:.0f} s"

    def took(self, seconds: float) -> bool:
        """An answer took so long; whether the pace has changed.

        Polls without an answer don't count: they are the test of life, and go on at their pace.
        """
        self._smoothed += _WEIGHT * (seconds - self._smoothed)
        if self._smoothed <= FINE_SECONDS and not self.slowed:
            return False
        longest = max(self._interval_seconds, min(self._interval_seconds * LONGEST_FACTOR, MOST_SECONDS))
        if self._smoothed > max(FINE_SECONDS, SHARE * self.seconds) and self.seconds * 2 <= longest:
            self.seconds *= 2
            return True
        # back only with room to spare: no going to and fro
        if self.slowed and self._smoothed < max(FINE_SECONDS, SHARE * self.seconds / 2) / 2:
            self.seconds /= 2
            return True
        return False
