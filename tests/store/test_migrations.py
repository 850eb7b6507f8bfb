"""The schema that the code knows is the one that the migrations make, on both databases, up and down with data."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import Layout, Sample
from guardian_tui.engine.store.chunk_rows import HOUR
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.migrate import (
    HEADS,
    METADATA,
    METRICS,
    SCRIPTS,
    STATE,
    migrate,
    stored_revision,
    version_table,
)
from guardian_tui.engine.store.sqlite import engine_of
from guardian_tui.engine.store.tables import chunks, meta
from guardian_tui.protocol.errors import StoreUnavailable

KINDS = (STATE, METRICS)


@pytest.fixture
async def engine(bare_store_url: str, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    url = bare_store_url.replace("postgresql://", "postgresql+psycopg://")
    made = create_async_engine(url) if url else engine_of(tmp_path / "x.db", "NORMAL")
    yield made
    await made.dispose()


@pytest.mark.parametrize("kind", KINDS)
def test_the_known_head_is_alembics_head(kind: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("version_locations", str(SCRIPTS / kind))
    config.set_main_option("path_separator", "newline")
    assert ScriptDirectory.from_config(config).get_current_head() == HEADS[kind]


def differences(connection: Connection, kind: str) -> list[object]:
    def ours(name: str | None, type_: str, parents: object) -> bool:
        return type_ != "table" or name in METADATA[kind].tables

    options = {"include_name": ours, "compare_type": True, "version_table": version_table(kind)}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA[kind]))


@pytest.mark.parametrize("kind", KINDS)
async def test_models_and_migrations_agree(engine: AsyncEngine, kind: str) -> None:
    await migrate(engine, kind)
    async with engine.connect() as conn:
        assert await conn.run_sync(differences, kind) == []


async def test_up_down_and_up_again_with_data(engine: AsyncEngine) -> None:
    for kind in KINDS:
        await migrate(engine, kind)
    async with engine.begin() as conn:
        await conn.execute(insert(meta), {"key": "k", "value": "v"})
        await conn.execute(
            insert(chunks), {"host_id": "h", "resolution": 0, "period": 0, "start": 0.0, "data": b"x"}
        )
    for kind in KINDS:
        await migrate(engine, kind, "base")
        async with engine.connect() as conn:
            assert await conn.run_sync(stored_revision, kind) is None
        await migrate(engine, kind)
        async with engine.connect() as conn:
            assert await conn.run_sync(stored_revision, kind) == HEADS[kind]
            assert await conn.run_sync(differences, kind) == []


async def test_the_open_hour_is_charted_after_both_ways_between_a_row_for_each_sample_and_for_each_wave(
    bare_store_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    settings, layout, start = StoreSettings(url=bare_store_url), Layout(("cpu",)), clock.now() // HOUR * HOUR
    hosts = [f"h{n}" for n in range(20)]
    store = await Store.open(settings, tmp_path, clock)
    for n in range(5):
        store.metrics.add([Sample(host, start + n, layout, [float(n)]) for host in hosts], "fast")
        store.metrics.add([Sample(host, start + HOUR + n, layout, [9.0]) for host in hosts], "fast")
        await store.metrics.flush()
    # its chunk is written, its rows are still there
    await store.metrics.close_host("h3", start + HOUR)
    await migrate(store._metrics_engine, METRICS, "m0001")
    async with store._metrics_engine.connect() as conn:
        kept = (await conn.execute(text("SELECT host_id, at FROM hot"))).all()
    assert len([row for row in kept if row.host_id == "h3"]) == 5 and len(kept) >= 150
    async with store._metrics_engine.begin() as conn:
        mark = {"id": 100_000, "host_id": "h4", "period": -1, "at": start + HOUR, "layout": "", "vals": b""}
        names = ", ".join(mark)
        marks = ", ".join(f":{name}" for name in mark)
        await conn.execute(text(f"INSERT INTO hot ({names}) VALUES ({marks})"), mark)
    await migrate(store._metrics_engine, METRICS)
    await store.close()
    store = await Store.open(settings, tmp_path, clock)
    for host, first in (("h1", 0.0), ("h3", 0.0), ("h4", None)):
        chart = await store.metrics.history(host, "cpu", start, start + HOUR + 5, 3605)
        assert (chart.mean[0], chart.mean[3604]) == (first, 9.0)
    await store.close()


async def test_a_store_of_a_newer_program_is_refused_and_left_alone(
    bare_store_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    settings = StoreSettings(url=bare_store_url)
    store = await Store.open(settings, tmp_path, clock)
    async with store.write() as tx:
        await tx.execute(text("UPDATE revision_state SET version_num = 's9999'"))
    await store.close()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="newer version"):
            await Store.open(settings, tmp_path, clock)


KILLED = """
import asyncio, sys, time
from pathlib import Path
from guardian_tui.config import StoreSettings
from guardian_tui.engine.clock import SystemClock
from guardian_tui.engine.store import migrate
from guardian_tui.engine.store.database import Store
run = migrate.run_alembic
def and_wait(*args):
    run(*args)
    print("migrated, not committed", flush=True)
    time.sleep(600)
migrate.run_alembic = and_wait
asyncio.run(Store.open(StoreSettings(url=sys.argv[1]), Path(sys.argv[2]), SystemClock()))
"""


async def test_an_engine_that_is_killed_while_it_migrates_leaves_the_store_as_it_was(
    engine: AsyncEngine, bare_store_url: str, tmp_path: Path, clock: ManualClock
) -> None:
    if not bare_store_url:
        await engine.dispose()
        engine = engine_of(tmp_path / "state.db", "FULL")
    await migrate(engine, STATE, "s0006")
    async with engine.begin() as conn:
        await conn.execute(insert(meta), {"key": "k", "value": "v"})
    command = [sys.executable, "-c", KILLED, bare_store_url, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "migrated, not committed\n"
        process.kill()
    async with engine.connect() as conn:
        assert await conn.run_sync(stored_revision, STATE) == "s0006"
    await engine.dispose()
    settings = StoreSettings(url=bare_store_url)
    async with asyncio.timeout(60):
        while True:
            try:
                store = await Store.open(settings, tmp_path, clock)
                break
            except StoreUnavailable as error:
                # PostgreSQL needs a moment to notice that its client is gone
                assert "Another engine" in error.detail
                await asyncio.sleep(0.05)
    async with store.read() as conn:
        assert (await conn.execute(text("SELECT value FROM meta WHERE key = 'k'"))).scalar_one() == "v"
        assert await conn.run_sync(stored_revision, STATE) == HEADS[STATE]
    await store.close()


TOLD_TO_END = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from guardian_tui.config import Paths
from guardian_tui.engine.main import run_engine
from guardian_tui.engine.store import migrate
run = migrate.run_alembic
def and_be_told(connection, *how):
    told = []
    def tell(connection, cursor, statement, *_):
        if statement.lstrip().upper().startswith(("ALTER", "CREATE")) and not told:
            told.append(os.kill(os.getpid(), signal.SIGTERM))
    event.listen(connection, "after_cursor_execute", tell)
    run(connection, *how)
    print("told to end in the midst" if told else "not told", flush=True)
migrate.run_alembic = and_be_told
home = Path(sys.argv[1])
sys.exit(run_engine(Paths(home / "c", home, home / "r"), linger=True))
"""


async def test_an_engine_that_is_told_to_end_while_it_migrates_ends_after_it(
    tmp_path: Path, clock: ManualClock
) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "config.toml").write_text("[audit]\nsyslog = false\n")
    engine = engine_of(tmp_path / "state.db", "FULL")
    await migrate(engine, STATE, "s0006")
    async with engine.begin() as conn:
        await conn.execute(insert(meta), {"key": "k", "value": "v"})
    await engine.dispose()
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", TOLD_TO_END, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    assert done.returncode == 0, done
    assert "told to end in the midst" in done.stdout
    # nothing is left to be migrated
    store = await Store.open(StoreSettings(), tmp_path, clock)
    async with store.read() as conn:
        assert (await conn.execute(text("SELECT value FROM meta WHERE key = 'k'"))).scalar_one() == "v"
        assert await conn.run_sync(stored_revision, STATE) == HEADS[STATE]
    await store.close()


def test_alembic_is_not_imported_when_there_is_nothing_to_migrate(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from guardian_tui.config import StoreSettings\n"
        "from guardian_tui.engine.clock import SystemClock\n"
        "from guardian_tui.engine.store.database import Store\n"
        "async def main():\n"
        "    store = await Store.open(StoreSettings(), Path(sys.argv[1]), SystemClock())\n"
        "    await store.close()\n"
        "asyncio.run(main())\n"
        "print('alembic' in sys.modules)\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert said == ["True", "False"]
