"""Waves are written at once on a connection of their own: all rows or none, and the next wave is written whatever became of the one before."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import Layout, Sample
from guardian_tui.engine.store import sqlite as files
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import waves
from guardian_tui.engine.store.wave_writer import WaveRow, WaveWriter, wave_writer
from guardian_tui.engine.store.waves import packed_floats


def rows(*numbers: int) -> list[WaveRow]:
    return [(number, 3, 1.5, 2.5, 1 << 61, bytes(range(256))) for number in numbers]


@pytest.fixture
async def writer(store: Store) -> AsyncIterator[WaveWriter]:
    """Writes to an empty store."""
    made = wave_writer(store._metrics_engine, store.dialect)
    yield made
    await made.close()


async def numbers(store: Store) -> list[int]:
    async with store._metrics_engine.connect() as conn:
        return list((await conn.execute(select(waves.c.id).order_by(waves.c.id))).scalars())


async def test_rows_are_as_they_were_given(store: Store, writer: WaveWriter) -> None:
    await writer.put(rows(1, 2))
    await writer.put(rows(3))
    async with store._metrics_engine.connect() as conn:
        found = (await conn.execute(select(waves).order_by(waves.c.id))).all()
    assert [(*row[:5], bytes(row[5])) for row in found] == rows(1, 2, 3)


async def test_a_wave_is_written_whole_or_not_at_all(store: Store, writer: WaveWriter) -> None:
    await writer.put(rows(7))
    with pytest.raises(IntegrityError):
        await writer.put(rows(5, 6, 7))
    assert await numbers(store) == [7]
    await writer.put(rows(8))
    assert await numbers(store) == [7, 8]


async def test_a_file_that_another_holds_is_told_and_written_after(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "BUSY_SECONDS", 0.05)
    engine, _ = await files.open_metrics(tmp_path, clock)
    writer = wave_writer(engine, "sqlite")
    await writer.put(rows(1))
    other = sqlite3.connect(tmp_path / "metrics.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DBAPIError, match="locked"):
        await writer.put(rows(2))
    other.execute("ROLLBACK")
    other.close()
    await writer.put(rows(3))
    await writer.close()
    async with engine.connect() as conn:
        assert (await conn.execute(text("SELECT id FROM waves"))).scalars().all() == [1, 3]
    await engine.dispose()


async def test_a_connection_that_the_server_cut_costs_no_wave(postgres_url: str, tmp_path: Path) -> None:
    store = await Store.open(StoreSettings(url=postgres_url), tmp_path, ManualClock())
    writer = wave_writer(store._metrics_engine, "postgresql")
    await writer.put(rows(1))
    with psycopg.connect(postgres_url, autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO waves%'"
        )
    await writer.put(rows(2))
    assert await numbers(store) == [1, 2]
    await writer.close()
    await store.close()


async def test_columns_of_an_hour_in_which_a_device_came_and_the_clock_stepped_back(
    store: Store, clock: ManualClock
) -> None:
    start = clock.now()
    one, two = Layout(("cpu",)), Layout(("cpu", "disk{sdb}"))
    for at, layout, values in (
        (20.0, one, [3.0]),
        (30.0, two, [4.0, 9.0]),
        (0.0, two, [1.0, 8.0]),
        (10.0, one, [2.0]),
    ):
        store.metrics.add([Sample("h1", start + at, layout, values)], "fast")
        await store.metrics.flush()
    for _ in range(2):
        cpu = await store.metrics.history("h1", "cpu", start, start + 40, 4)
        disk = await store.metrics.history("h1", "disk{sdb}", start, start + 40, 4)
        assert cpu.mean == (1.0, 2.0, 3.0, 4.0) and disk.mean == (8.0, None, None, 9.0)
        # from the open hour first, then from its chunk
        await store.metrics.close_host("h1", start + 7200)


def test_numbers_beyond_float32_become_infinite_and_the_others_stay() -> None:
    data = packed_floats([1.5, 1e300, -1e300, float("nan")])
    assert data.hex() == "0000c03f0000807f000080ff0000c07f"
