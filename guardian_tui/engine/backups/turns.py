"""Whose turn it is in a repository: what needs it for itself waits for the others, and they for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Readers and one writer per key, in the order in which they came."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        """Key → how many share it; -1: one has it for itself."""
        self._changed = asyncio.Condition()
        self._line: dict[str, list[object]] = {}
        self._guests: dict[str, list[bool]] = {}
        """Key → for each who did not wait whether it would have had it for itself."""

    @asynccontextmanager
    async def turn(self, key: str, *, alone: bool, waits: bool = True) -> AsyncIterator[None]:
        """Wait for a turn, and hold it; who does not wait is there already, and is only waited for."""
        if not waits:
            guests = self._guests.setdefault(key, [])
            guests.append(alone)
            try:
                yield
            finally:
                guests.remove(alone)
                async with self._changed:
                    self._changed.notify_all()
            return
        ticket = object()
        line = self._line.setdefault(key, [])
        line.append(ticket)
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: line[0] is ticket and self._free(key, alone))
                self._held[key] = -1 if alone else self._held.get(key, 0) + 1
        finally:
            line.remove(ticket)
            async with self._changed:
                self._changed.notify_all()
        try:
            yield
        finally:
            async with self._changed:
                self._held[key] = 0 if alone else self._held[key] - 1
                self._changed.notify_all()

    def _free(self, key: str, alone: bool) -> bool:
        held, guests = self._held.get(key, 0), self._guests.get(key, ())
        if any(guests) or (guests and alone):
            return False
        return held == 0 or (held > 0 and not alone)
