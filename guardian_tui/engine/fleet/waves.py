"""When each host is polled: turns of many hosts at once, since many wake-ups cost several times what one does.

Time is counted in ticks.  All hosts of one interval share as few turns as hold them, ``WAVE_HOSTS`` each, spread evenly over the
interval; which turn is a host's own is a hash of its id, so a restart changes nothing.
"""

from __future__ import annotations

import math
import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Generic, TypeVar

T = TypeVar("T")
_Turn = tuple[str, int, T]
"""Key, ticks between turns, item."""

WAVE_HOSTS = 250
"""Hosts that are asked together; beyond it the gain is small and an answer waits for the others to be asked."""
IDLE_TICKS = 1000
_HAIR = 1e-6
"""A timer may be early by so little of a tick."""


class Waves(Generic[T]):
    """Items by the tick at which they are due next.

    Args:
        tick_seconds: how long a tick is.
        now: seconds of a clock that no one sets.
    """

    def __init__(self, tick_seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._tick_seconds = tick_seconds
        self._now = now
        self._began = now()
        self._due: dict[int, list[_Turn[T]]] = {}
        self._turns: dict[str, _Turn[T]] = {}
        """Everyone's own, by key; an older one that is still filed is passed over."""
        self._once: dict[int, list[T]] = {}
        self._counts: Counter[int] = Counter()

    @property
    def _ticks(self) -> float:
        return (self._now() - self._began) / self._tick_seconds

    @property
    def due_at(self) -> float:
        """When somebody is due next, on the clock."""
        first = min(chain(self._due, self._once), default=math.floor(self._ticks) + IDLE_TICKS)
        return self._began + first * self._tick_seconds

    def join(self, key: str, interval_seconds: float, item: T) -> None:
        """Take part from now on, every ``interval_seconds``; who does already changes his pace."""
        ticks = max(1, round(interval_seconds / self._tick_seconds))
        before = self._turns.get(key)
        if before is not None:
            self._counts[before[1]] -= 1
        self._counts[ticks] += 1
        turn = self._turns[key] = (key, ticks, item)
        self._place(turn, math.floor(self._ticks))

    def once(self, seconds: float, item: T) -> None:
        """Be due once, no earlier than ``seconds`` from now, beside all turns; 0 is now, not at the next tick."""
        tick = (
            math.ceil(self._ticks + seconds / self._tick_seconds) if seconds > 0 else math.floor(self._ticks)
        )
        self._once.setdefault(tick, []).append(item)

    def take(self, member: Mapping[str, T]) -> tuple[list[T], list[T]]:
        """Whose turn has come, and who is due once; each is named once, however long nobody asked.

        Args:
            member: who still takes part, by key; whoever is not there under his key any more is left out for good.
        """
        tick = math.floor(self._ticks + _HAIR)
        due = []
        for passed in [at for at in self._due if at <= tick]:
            for turn in self._due.pop(passed):
                key, length, item = turn
                if self._turns.get(key) is not turn:
                    continue
                if member.get(key) is item:
                    due.append(item)
                    self._place(turn, tick)
                else:
                    self._counts[length] -= 1
                    del self._turns[key]
        return due, [item for at in [at for at in self._once if at <= tick] for item in self._once.pop(at)]

    def _place(self, turn: _Turn[T], now: int) -> None:
        key, ticks, _ = turn
        turns = min(ticks, -(-self._counts[ticks] // WAVE_HOSTS))
        mine = zlib.crc32(key.encode()) % turns * ticks // turns
        following = now + 1
        self._due.setdefault(following + (mine - following) % ticks, []).append(turn)
