"""Turns: loops that look at something now and then wake together, since many wake-ups cost several times as much as one."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager

from guardian_tui.protocol.errors import StoreUnavailable

log = logging.getLogger(__name__)

_SHARE = 0.25
"""What is left until the next turn must be at least so much of a period."""


def until_turn(now: float, seconds: float) -> float:
    """Seconds until the next multiple of a period; a little longer than that where it is about to be."""
    left = (math.floor(now / seconds) + 1) * seconds - now
    return left if left >= seconds * _SHARE else left + seconds


async def next_turn(seconds: float) -> None:
    """Wait for the next turn of this period: that of 5 s is one of 1 s too."""
    await asyncio.sleep(until_turn(asyncio.get_running_loop().time(), seconds))


@contextmanager
def going_on(words: str) -> Iterator[None]:
    """Inside a loop that nothing may end: a fault is told in the log with these words.  The store tells of its own trouble itself."""
    try:
        yield
    except StoreUnavailable:
        pass
    except Exception:
        log.exception("%s", words)
