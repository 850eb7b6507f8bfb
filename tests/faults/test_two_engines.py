"""Two engines, as whole processes, on one store: one has it, the other one says who and ends, and nobody's screen is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psycopg
import pytest

from guardian_tui.protocol.alerts import AddSilence, Silence
from guardian_tui.protocol.errors import AuditUnavailable, StoreUnavailable
from tests.support.engine import WAIT_SECONDS, EngineProcess, engine_process


async def ended(engine: EngineProcess) -> int:
    """The exit code of an engine that ends by itself."""
    return await asyncio.to_thread(engine.process.wait, WAIT_SECONDS)


async def write(engine: EngineProcess) -> None:
    """An order that changes the store."""
    await engine.client.call("silences.add", Silence, AddSilence(rule="load"))


async def test_the_second_engine_says_who_has_the_store_and_the_first_one_goes_on(
    bare_store_url: str, tmp_path: Path
) -> None:
    settings = f'[store]\nurl = "{bare_store_url}"\n'
    async with engine_process(tmp_path / "g", settings) as first:
        # SQLite: the same folder; PostgreSQL: another one, as on another machine
        second = EngineProcess(tmp_path / ("other" if bare_store_url else "g"), settings)
        second.begin()
        assert await ended(second) == 1
        assert f"{first.process.pid}" in second.said()
        assert "One engine per store" in second.said()
        assert (await first.readyz())[0] == 200
        await write(first)
        # the lock goes with its holder, however that ends
        first.kill()
        await second.start()
        assert second.stop() == 0
        await second.client.close()


async def test_of_two_engines_started_at_once_one_runs(bare_store_url: str, tmp_path: Path) -> None:
    settings = f'[store]\nurl = "{bare_store_url}"\n'
    both = [
        EngineProcess(tmp_path / name, settings) for name in (("a", "b") if bare_store_url else ("a", "a"))
    ]
    try:
        for engine in both:
            engine.begin()

        async def one_ended() -> bool:
            return any(engine.process.poll() is not None for engine in both)

        await both[0].until(one_ended, "one of them gives up")
        (loser,) = [engine for engine in both if engine.process.poll() is not None]
        (winner,) = [engine for engine in both if engine is not loser]
        assert loser.process.returncode == 1
        assert "One engine per store" in loser.said()
        await winner.until(winner.watches, "the other one watches")
        await winner.set_up()
        await write(winner)
    finally:
        for engine in both:
            if engine.process.poll() is None:
                engine.kill()
            await engine.client.close()


async def test_an_engine_that_slept_while_another_one_took_over_writes_nothing_and_says_so(
    postgres_url: str, tmp_path: Path
) -> None:
    def cut() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as conn:
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    settings = f'[store]\nurl = "{postgres_url}"\n'
    async with engine_process(tmp_path / "g", settings) as first:
        second = EngineProcess(tmp_path / "other", settings)
        os.kill(first.process.pid, signal.SIGSTOP)
        try:
            # as when a machine sleeps: its connections time out
            await asyncio.to_thread(cut)
            await second.start()
        finally:
            os.kill(first.process.pid, signal.SIGCONT)

        async def says_so() -> bool:
            return "took this database" in (await first.readyz())[1]

        await first.until(says_so, "the first one knows, though nobody writes")
        with pytest.raises((StoreUnavailable, AuditUnavailable), match="writes nothing any more"):
            await write(first)
        assert "Stop one of them" in (await first.status()).store_problem
        second.client.token = first.client.token
        await write(second)
        assert first.stop() == 0
        assert (await second.readyz())[0] == 200
        assert second.stop() == 0
        await second.client.close()
