"""Chunks in the store: the hours of many hosts are put away together, each merged with what is there of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from guardian_tui.engine.store.packing import MINUTE, QUARTER, RAW, Gathered, chunks_of

HOUR = 3600.0
DAY = 86400.0
SPAN_OF = {RAW: HOUR, MINUTE: HOUR, QUARTER: DAY}
"""How long a chunk of a resolution is."""
KEYS_AT_ONCE = 100
"""Chunks that one statement asks for."""

Hour = tuple[str, float, int]
"""Host, hour, period."""
_Key = tuple[str, int, int, float]
"""Host, resolution, period, start."""


class ChunkRows:
    """Statements about chunks, as text: neither a chart nor the closing of an hour must wait for one to be put together.

    Args:
        mark: of a parameter, as the driver has it.
    """

    def __init__(self, mark: str) -> None:
        columns = "host_id, resolution, period, start, data"
        one = f"FROM chunks WHERE host_id = {mark} AND resolution = {mark} AND period = {mark}"
        self._at = f"SELECT {columns} {one} AND start = {mark}"  # our own text
        # one period at a time, since asked for several at once SQLite goes through the chunks of all hosts of that time
        self._between = f"SELECT start, data {one} AND start > {mark} AND start < {mark}"  # our own text
        self._put = (
            f"INSERT INTO chunks ({columns}) VALUES ({', '.join([mark] * 5)})"  # noqa: S608  # our own text
            " ON CONFLICT (host_id, resolution, period, start) DO UPDATE SET data = excluded.data"
        )

    async def between(
        self, conn: AsyncConnection, host_id: str, resolution: int, period: int, start: float, end: float
    ) -> list[tuple[float, bytes]]:
        """Start and data of a host's chunks of one period that hold anything of a span."""
        span = (host_id, resolution, period, start - SPAN_OF[resolution], end)
        rows: Sequence[Any] = (await conn.exec_driver_sql(self._between, span)).all()  # Any: rows of text
        return [(row[0], row[1]) for row in rows]

    async def put(self, conn: AsyncConnection, hours: Mapping[Hour, Gathered]) -> int:
        """Write these hours; how many chunks that were there are damaged."""
        known = await self._known(conn, [key for hour in hours for key in _keys_of(hour).values()])
        fresh: dict[_Key, bytes] = {}
        damaged = 0
        for hour, gathered in hours.items():
            keys = _keys_of(hour)
            old = {resolution: known[key] for resolution, key in keys.items() if key in known}
            # off the loop: polls and people don't wait for an hour to be packed
            packed, bad = await asyncio.to_thread(_packed, gathered, old)
            damaged += bad
            own = {keys[resolution]: data for resolution, data in packed.items()}
            fresh |= own
            # hours of one day share a chunk: the next one goes on with it
            known |= own
        if fresh:
            await conn.exec_driver_sql(self._put, [(*key, data) for key, data in fresh.items()])
        return damaged

    async def _known(self, conn: AsyncConnection, keys: Sequence[_Key]) -> dict[_Key, bytes]:
        known: dict[_Key, bytes] = {}
        for place in range(0, len(keys), KEYS_AT_ONCE):
            some = keys[place : place + KEYS_AT_ONCE]
            query = " UNION ALL ".join([self._at] * len(some))
            values = tuple(value for key in some for value in key)
            rows: Sequence[Any] = (await conn.exec_driver_sql(query, values)).all()  # Any: as above
            known |= {(row[0], row[1], row[2], row[3]): row[4] for row in rows}
        return known


def _packed(gathered: Gathered, old: Mapping[int, bytes]) -> tuple[dict[int, bytes], int]:
    return chunks_of(gathered.columns(), old)


def _keys_of(hour: Hour) -> dict[int, _Key]:
    """The chunks of an hour, by resolution."""
    host_id, start, period = hour
    return {
        resolution: (host_id, resolution, period, start // span * span)
        for resolution, span in SPAN_OF.items()
    }
