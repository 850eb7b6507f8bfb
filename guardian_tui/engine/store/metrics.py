"""Metrics: a small hot table for the open hour, one compressed chunk per host and hour behind it, rollups of the same format.

Rows of the hot table (``waves``) are appended in the order of the waves, without an index: an index would dirty a page per host and tick.  Which
rows may be a host's is kept in memory and read again from the table at the start.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from operator import itemgetter
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import Layout, Sample
from guardian_tui.engine.store import codec
from guardian_tui.engine.store.charts import bucketed
from guardian_tui.engine.store.chunk_rows import DAY, HOUR, SPAN_OF, ChunkRows
from guardian_tui.engine.store.codec import ChunkDamaged, Columns
from guardian_tui.engine.store.faults import is_availability, words_of
from guardian_tui.engine.store.packing import MINUTE, QUARTER, RAW, Gathered, between, decoded
from guardian_tui.engine.store.tables import chunks, layouts, waves
from guardian_tui.engine.store.wave_writer import COLUMNS, wave_writer
from guardian_tui.engine.store.waves import (
    PARTS,
    HotRows,
    HotSample,
    bit_of,
    packed_floats,
    part_of,
    row_of,
    rows_of,
    samples_of,
)
from guardian_tui.protocol.errors import StoreUnavailable
from guardian_tui.protocol.fleet import History
from guardian_tui.protocol.metrics import METRICS

log = logging.getLogger(__name__)

PERIODS = {"fast": 0, "medium": 1, "slow": 2, "checks": 3, "backups": 4}
QUEUE_SAMPLES = 50_000
"""Samples that wait for the disk; beyond, the oldest are dropped and counted."""
CLOSE_SPREAD_SECONDS = 1800.0
"""Closings are spread over half an hour, each part of the hosts at its own time."""
READ_AT_ONCE = 500
GATHER_SECONDS = 1.0
"""A wave's samples come in several parts: written together, since a transaction costs as much as a hundred of them."""
RETRY_SECONDS = 2.0
"""Between tries to write while the disk does not take it."""


class MetricStore:
    """Writes samples and answers charts.

    Args:
        engine: connections to the database.
        dialect: ``sqlite`` or ``postgresql``.
        clock: the engine's clock.
        lost: why nothing may be written any more, in words; empty while it may.
    """

    def __init__(
        self, engine: AsyncEngine, dialect: str, clock: Clock, lost: Callable[[], str] = lambda: ""
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._lost = lost
        mark = "?" if dialect == "sqlite" else "%s"
        self._insert = f"INSERT INTO waves ({COLUMNS}) VALUES ({', '.join([mark] * 6)})"  # noqa: S608  # our own text
        is_sqlite = dialect == "sqlite"
        numbers = "(SELECT value FROM json_each(?))" if is_sqlite else "(SELECT unnest(%s::bigint[]))"
        self._rows_of = f"SELECT data FROM waves WHERE id IN {numbers} ORDER BY id"  # noqa: S608  # our own text
        self._listed: Callable[[list[int]], str | list[int]] = str if is_sqlite else list
        self._waves = wave_writer(engine, dialect)
        self._chunks = ChunkRows(mark)
        self._queue: deque[HotSample] = deque()
        self._more = asyncio.Event()
        self._hurry = asyncio.Event()
        """Somebody waits for what is queued."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._next_id = 1
        self._hot = [HotRows() for _ in range(PARTS)]
        self._layout_keys: dict[int, str] = {}
        self._layouts: dict[str, tuple[str, ...]] = {}
        self._unsaved: dict[str, bytes] = {}
        self.dropped = 0
        """Samples that were dropped because the disk did not keep up."""
        self.problem = ""
        """Why samples can't be written, in words; empty when they can."""
        self.damaged_chunks = 0

    # --- writing -------------------------------------------------------------------------------

    async def start(self) -> None:
        """Read what is hot, and begin to write."""
        async with self._engine.connect() as conn:
            broken = []
            for row in (await conn.execute(select(layouts))).all():
                try:
                    self._layouts[row.id] = tuple(zlib.decompress(row.names).decode().split("\n"))
                except (zlib.error, UnicodeDecodeError):
                    broken.append(row.id)
            if broken:
                # the next sample of such a layout writes it again, and its rows can be read
                log.error("%d damaged layouts were dropped", len(broken))
                await conn.execute(delete(layouts).where(layouts.c.id.in_(broken)))
                await conn.commit()
            query = select(
                waves.c.id, waves.c.part, waves.c.first, waves.c.last, waves.c.hosts, waves.c.data == b""
            )
            for id, part, first, last, hosts, is_mark in await conn.execute(query.order_by(waves.c.id)):
                if is_mark:
                    self._hot[part].close(first)
                else:
                    self._hot[part].add(id, first, last, hosts)
                self._next_id = id + 1
        self._writer = asyncio.create_task(self._write_for_ever(), name="metrics writer")

    async def stop(self) -> None:
        """Write what waits, then end."""
        if self._writer is None:
            return
        try:
            if not self._lost():
                await asyncio.wait_for(self.flush(), 10.0)
        except TimeoutError:
            log.error("%d samples could not be written before the end", len(self._queue))
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        self._writer = None
        await self._waves.close()

    def add(self, samples: Sequence[Sample], period: str) -> None:
        """Queue the samples of a wave; they are written in one transaction.  Never blocks."""
        number = PERIODS[period]
        queue = self._queue
        keys = self._layout_keys
        for sample in samples:
            layout = keys.get(sample.layout.id) or self._register(sample.layout)
            values = sample.values
            if len(values) > codec.MOST_SERIES:
                values = values[: codec.MOST_SERIES]
            queue.append((sample.host_id, number, sample.at, layout, packed_floats(values)))
        while len(queue) > QUEUE_SAMPLES:
            queue.popleft()
            self.dropped += 1
        if queue:
            self._idle.clear()
            self._more.set()

    @property
    def waiting(self) -> int:
        """Samples that wait to be written."""
        return len(self._queue)

    def _register(self, layout: Layout) -> str:
        names = layout.names[: codec.MOST_SERIES]
        text = "\n".join(names).encode()
        key = hashlib.blake2b(text, digest_size=12).hexdigest()
        self._layout_keys[layout.id] = key
        if len(self._layout_keys) > 20_000:
            self._layout_keys.pop(next(iter(self._layout_keys)))
        if key not in self._layouts:
            self._layouts[key] = names
            self._unsaved[key] = zlib.compress(text)
        return key

    async def _write_for_ever(self) -> None:
        while True:
            await self._more.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(GATHER_SECONDS):
                    await self._hurry.wait()
            self._more.clear()
            pause = 0.0
            try:
                await self._write_queue()
                self.problem = ""
            except (StoreUnavailable, SQLAlchemyError, OSError) as error:
                words = error.detail if isinstance(error, StoreUnavailable) else words_of(error)
                if words != self.problem:
                    log.warning("samples can't be written: %s", words)
                self.problem = words
                pause = RETRY_SECONDS
            except Exception:
                log.exception("samples that wait can't be written and are dropped; the next ones go on")
                self.dropped += len(self._queue)
                self._queue.clear()
            if not self._queue:
                self._idle.set()
            else:
                await asyncio.sleep(pause)
                self._more.set()

    async def _write_queue(self) -> None:
        batch, dropped = list(self._queue), self.dropped
        if not batch:
            return
        if self._unsaved:
            await self._save_layouts(dict(self._unsaved))
        async with self._alone():
            # numbered only when nobody else writes: closing an hour takes numbers too
            first = self._next_id
            rows = [(first + place, *row) for place, row in enumerate(rows_of(batch))]
            try:
                await self._waves.put(rows)
            except IntegrityError:
                # an engine that lost its lock wrote a last wave after our start: go on behind it
                self._next_id = first + QUEUE_SAMPLES
                raise
            self._next_id = first + len(rows)
        for id, part, earliest, latest, hosts, _ in rows:
            self._hot[part].add(id, earliest, latest, hosts)
        # those that were dropped meanwhile were the oldest: of the ones that we have written
        for _ in range(len(batch) - (self.dropped - dropped)):
            self._queue.popleft()

    async def _save_layouts(self, unsaved: dict[str, bytes]) -> None:
        """Write what names the series of samples, before the samples."""
        async with self._transaction() as conn:
            known = set((await conn.execute(select(layouts.c.id))).scalars())
            fresh = [{"id": key, "names": names} for key, names in unsaved.items() if key not in known]
            if fresh:
                await conn.execute(insert(layouts), fresh)
        for key in unsaved:
            self._unsaved.pop(key, None)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """While nobody else writes.

        Raises:
            StoreUnavailable: full, locked, damaged or gone, or the database is another engine's.
        """
        if words := self._lost():
            raise StoreUnavailable(words)
        try:
            async with self._writing:
                yield
        except DBAPIError as error:
            if not is_availability(error):
                raise
            raise StoreUnavailable(words_of(error)) from error
        except PoolTimeout as error:
            raise StoreUnavailable("all connections to the store are busy") from error

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """One write transaction at a time, committed at the end.

        Raises:
            StoreUnavailable: full, locked, damaged or gone, or the database is another engine's.
        """
        async with self._alone(), self._engine.connect() as conn:
            conn = await conn.execution_options(immediate=True)
            async with conn.begin():
                yield conn

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as conn:
                yield conn
        except (DBAPIError, PoolTimeout) as error:
            raise StoreUnavailable(f"The metrics can't be read: {words_of(error)}.") from error

    async def flush(self) -> None:
        """Wait until all that was added is on disk."""
        self._hurry.set()
        try:
            await self._idle.wait()
        finally:
            self._hurry.clear()

    # --- closing -------------------------------------------------------------------------------

    async def close_due_hours(self, now: float) -> int:
        """Close the hours that are over of one part of the hosts; answers how many parts were closed.  Call it every few seconds."""
        this_hour = now // HOUR * HOUR
        for part, rows in enumerate(self._hot):
            if not rows or rows.oldest >= this_hour:
                continue
            if now - this_hour >= part / PARTS * CLOSE_SPREAD_SECONDS or rows.oldest < this_hour - HOUR:
                await self._close(part, this_hour)
                return 1
        return 0

    async def close_host(self, host_id: str, before: float) -> None:
        """Close all whole hours of one host, and of those in its part, that ended by ``before``."""
        if self._hot[part_of(host_id)]:
            await self._close(part_of(host_id), before // HOUR * HOUR)

    async def _close(self, part: int, before: float) -> None:
        async with self._transaction() as conn:
            rows = self._hot[part].before(before)
            self.damaged_chunks += await self._chunks.put(conn, await self._hot_samples(conn, rows))
            # a part's rows lie in all pages of the table: to delete them for each part would write every page again for each.  A mark says
            # that they are closed, and they go, page by page, when all before them are
            first, self._next_id = self._next_id, self._next_id + 1
            await conn.exec_driver_sql(self._insert, [(first, part, before, before, 0, b"")])
            await self._delete_closed(conn, part, self._hot[part].first_since(before))
        self._hot[part].close(before)

    async def _delete_closed(self, conn: AsyncConnection, part: int, first: int | None) -> None:
        """Delete the rows before all open ones, of which ``first`` is this part's."""
        others = [rows.first_since(-math.inf) for other, rows in enumerate(self._hot) if other != part]
        open_from = min((id for id in (first, *others) if id is not None), default=self._next_id)
        await conn.execute(delete(waves).where(waves.c.id < open_from))

    async def _hot_samples(
        self, conn: AsyncConnection, rows: Sequence[int], host_id: str = ""
    ) -> dict[tuple[str, float, int], Gathered]:
        """Samples of hot rows, by (host, hour, period); only of one host if it is named."""
        found: dict[tuple[str, float, int], Gathered] = {}
        for ids in _portions(rows):
            told: Sequence[Any] = (
                await conn.exec_driver_sql(self._rows_of, (self._listed(ids),))
            ).all()  # Any: rows of text
            for (data,) in told:
                try:
                    samples = samples_of(data)
                except ChunkDamaged:
                    self.damaged_chunks += 1
                    continue
                for host, period, at, layout, packed in samples:
                    if host_id and host != host_id:
                        continue
                    names = self._layouts.get(layout)
                    if names is None or len(packed) != 4 * len(names):
                        self.damaged_chunks += 1
                        continue
                    key = host, at // HOUR * HOUR, period
                    (found.get(key) or found.setdefault(key, Gathered())).add(at, names, packed)
        return found

    # --- reading -------------------------------------------------------------------------------

    async def history(self, host_id: str, metric: str, start: float, end: float, points: int) -> History:
        """A chart's columns: from the coarsest resolution that fills them, the open hour from the hot table."""
        step = max((end - start) / points, 0.001)
        wanted = QUARTER if step >= QUARTER else MINUTE if step >= MINUTE else RAW
        found: list[Columns] = []
        problems: list[str] = []
        async with self._reading() as conn:
            # hot rows first: an hour that is closed in between is then seen twice, never not at all
            rows = self._hot[part_of(host_id)].of_host(host_id, start, end)
            hot_now = await self._hot_samples(conn, rows, host_id)
            for resolution in (r for r in (RAW, MINUTE, QUARTER) if r >= wanted):
                found, problems = await self._read_chunks(conn, host_id, metric, start, end, resolution)
                if found or problems:
                    break
            open_hours = [gathered.columns(metric) for gathered in hot_now.values()]
            found += [columns for columns in open_hours if metric in columns.values]
        return bucketed(found, metric, start, step, points, tuple(problems))

    async def _read_chunks(
        self, conn: AsyncConnection, host_id: str, metric: str, start: float, end: float, resolution: int
    ) -> tuple[list[Columns], list[str]]:
        found, problems = [], []
        rows: list[tuple[float, bytes]] = []
        for period in _periods_of(metric):
            rows += await self._chunks.between(conn, host_id, resolution, period, start, end)
        for begin, data in sorted(rows, key=itemgetter(0)):
            try:
                columns = codec.decode(data, (metric,))
            except ChunkDamaged as error:
                self.damaged_chunks += 1
                problems.append(f"the chunk of {int(begin)} is damaged ({error}); it is left out")
                continue
            if metric in columns.values:
                found.append(columns)
        return found, problems

    async def rollups(
        self, host_id: str, metric: str, start: float, end: float, resolution: int
    ) -> list[Columns]:
        """One series of closed hours between two moments; decoded off the loop, since weeks of it are asked for.

        Raises:
            StoreUnavailable: it can't be read.
        """
        query = select(chunks.c.data).where(
            chunks.c.host_id == host_id,
            chunks.c.resolution == resolution,
            # a series is always of one period: the others' chunks are not read
            chunks.c.period == _period_of(metric),
            chunks.c.start > start - SPAN_OF[resolution],
            chunks.c.start < end,
        )
        async with self._reading() as conn:
            packed = list((await conn.execute(query.order_by(chunks.c.start))).scalars())
        parts, damaged = await asyncio.to_thread(decoded, packed, metric)
        self.damaged_chunks += damaged
        return [between(part, start, end) for part in parts]

    async def last_values(self, host_id: str) -> dict[str, float]:
        """Newest value of each series that is still hot (empty after an hour without samples)."""
        rows = self._hot[part_of(host_id)].of_host(host_id, -math.inf, math.inf)
        values: dict[str, float] = {}
        async with self._reading() as conn:
            for gathered in (await self._hot_samples(conn, rows[-60:], host_id)).values():
                for name, (column,) in gathered.columns().values.items():
                    newest = next((value for value in reversed(column) if math.isfinite(value)), None)
                    if newest is not None:
                        values[name] = newest
        return values

    async def retain(self, now: float, raw_days: float, minute_days: float, quarter_hour_days: float) -> int:
        """Delete chunks past their days; answers how many."""
        removed = 0
        days_of = {RAW: raw_days, MINUTE: minute_days, QUARTER: quarter_hour_days}
        async with self._transaction() as conn:
            for resolution, days in days_of.items():
                too_old = now - days * DAY - SPAN_OF[resolution]
                done = await conn.execute(
                    delete(chunks).where(chunks.c.resolution == resolution, chunks.c.start < too_old)
                )
                removed += done.rowcount
        return removed

    async def forget_host(self, host_id: str) -> None:
        """Delete all of a host's metrics."""
        async with self._transaction() as conn:
            await conn.execute(delete(chunks).where(chunks.c.host_id == host_id))
            # all of its part, not by number: closed rows may still be there
            part = part_of(host_id)
            emptied: set[int] = set()
            query = select(waves.c.id, waves.c.hosts, waves.c.data).where(waves.c.part == part)
            for id, hosts, data in (await conn.execute(query)).all():
                if not hosts & bit_of(host_id):
                    continue
                others = [sample for sample in _readable(data) if sample[0] != host_id]
                if others:
                    kept = row_of(part, others)
                    await conn.execute(
                        update(waves).where(waves.c.id == id).values(hosts=kept.hosts, data=kept.data)
                    )
                else:
                    emptied.add(id)
            for ids in _portions(sorted(emptied)):
                await conn.execute(delete(waves).where(waves.c.id.in_(ids)))
            await self._delete_closed(conn, part, self._hot[part].first_since(-math.inf, emptied))
        self._hot[part].drop(emptied)

    async def counts(self) -> dict[str, int]:
        """Rows of each table, for the debug screen and tests."""
        async with self._reading() as conn:
            return {
                name: int((await conn.execute(select(func.count()).select_from(table))).scalar() or 0)
                for name, table in (("hot", waves), ("chunks", chunks), ("layouts", layouts))
            }


def _period_of(series: str) -> int:
    metric = METRICS.get(series.partition("{")[0])
    return PERIODS[metric.period] if metric else PERIODS["fast"]


def _periods_of(series: str) -> tuple[int, ...]:
    """Whose chunks may hold a series: it is always of one period, but of one that is not in the catalogue we don't know which."""
    return (_period_of(series),) if series.partition("{")[0] in METRICS else tuple(PERIODS.values())


def _portions(rows: Sequence[int]) -> list[list[int]]:
    return [list(rows[place : place + READ_AT_ONCE]) for place in range(0, len(rows), READ_AT_ONCE)]


def _readable(data: bytes) -> list[HotSample]:
    """The samples of a row; none of one that is damaged."""
    try:
        return samples_of(data)
    except ChunkDamaged:
        return []
