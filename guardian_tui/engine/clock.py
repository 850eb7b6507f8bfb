"""Clocks: the one place where engine code reads the time, so that tests can hand it in."""

from __future__ import annotations

import time
from typing import NamedTuple, Protocol


class Clock(Protocol):
    """Wall time for what is stored and shown, monotonic time for what is measured."""

    def now(self) -> float:
        """Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()


class Moment(NamedTuple):
    """A moment, by both clocks: what is told of it, and what is measured from it."""

    at: float
    ticks: float

    @classmethod
    def of(cls, clock: Clock) -> Moment:
        """Now."""
        return cls(clock.now(), clock.monotonic())

    def ago(self, clock: Clock) -> float:
        """Seconds that have passed since, whatever the clock was set to meanwhile."""
        return clock.monotonic() - self.ticks


class Steady:
    """The clock as it was when this was made, and what has passed since: what is set afterwards moves it not."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = clock.now() - clock.monotonic()

    def age(self, since: float) -> float:
        """Seconds since then, by whichever is less: the clock, or what has passed since this was made.

        A clock that jumps ahead makes nothing old at once; one that is set back makes it no older than it is.
        """
        return min(self._clock.now(), self._clock.monotonic() + self._ahead) - since


class ManualClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> float:
        """Unix seconds."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as NTP or a person does; monotonic time stands."""
        self._now += seconds
