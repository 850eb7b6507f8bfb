"""When each host is polled: turns of many hosts at once, since many wake-ups cost several times what one does.

Time is counted in ticks.  All hosts of one interval share as few turns as hold them, ``WAVE_HOSTS`` each, spread evenly over the
interval; which turn is a host's own is a hash of its id, so a restart changes nothing.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from typing import Generic, TypeVar

T = TypeVar("T")

WAVE_HOSTS = 250
"""Hosts that are asked together; beyond it the gain is small and an answer waits for the others to be asked."""


class Waves(Generic[T]):
    """Items by the tick at which they are due next.

    Args:
        tick_seconds: how long a tick is.
    """

    def __init__(self, tick_seconds: float) -> None:
        self._tick_seconds = tick_seconds
        self._due: dict[int, list[tuple[str, int, T]]] = {}
        self._counts: Counter[int] = Counter()
        self._once: dict[int, list[T]] = {}
        self.tick = 0

    def join(self, key: str, interval_seconds: float, item: T) -> None:
        """Take part from now on, every ``interval_seconds``."""
        ticks = max(1, round(interval_seconds / self._tick_seconds))
        self._counts[ticks] += 1
        self._place(key, ticks, item)

    def once(self, seconds: float, item: T) -> None:
        """Be due once, at the first tick that is no earlier than ``seconds`` from now, beside all turns."""
        # this tick began up to a whole one ago
        ticks = 1 + math.ceil(seconds / self._tick_seconds)
        self._once.setdefault(self.tick + ticks, []).append(item)

    def turn(self, key: str, ticks: int) -> int:
        """The next tick after this one at which an item of ``ticks`` has its turn."""
        turns = min(ticks, -(-self._counts[ticks] // WAVE_HOSTS))
        mine = zlib.crc32(key.encode()) % turns * ticks // turns
        following = self.tick + 1
        return following + (mine - following) % ticks

    def advance(self, member: dict[str, T]) -> tuple[list[T], list[T]]:
        """Go on by one tick.

        Args:
            member: who still takes part, by key; whoever is not there under his key any more is left out for good.

        Returns:
            whose turn it is, and who is due once.
        """
        self.tick += 1
        due = []
        for key, ticks, item in self._due.pop(self.tick, ()):
            if member.get(key) is item:
                due.append(item)
                self._place(key, ticks, item)
            else:
                self._counts[ticks] -= 1
        return due, self._once.pop(self.tick, [])

    def _place(self, key: str, ticks: int, item: T) -> None:
        self._due.setdefault(self.turn(key, ticks), []).append((key, ticks, item))
