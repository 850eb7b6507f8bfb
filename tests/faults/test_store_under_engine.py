"""The store fails under a running engine: the screen stays live, alerts go on, orders are refused in words, and it heals by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import psycopg
import pytest

from guardian_tui.app import GuardianApp
from guardian_tui.attach import engine_listens
from guardian_tui.protocol.alerts import AddSilence, AlertList, AlertsQuery, Silence, SilenceList
from guardian_tui.protocol.audit import AuditVerdict
from guardian_tui.protocol.errors import AuditUnavailable, StoreUnavailable
from guardian_tui.protocol.fleet import HostList, HostsQuery
from tests.e2e.test_newcomer import enrol
from tests.support.console import house, until
from tests.support.disks import fill, small_disk
from tests.support.engine import ROOT, WAIT_SECONDS, EngineProcess, engine_process
from tests.support.sims import Sims, sims
from tests.support.terminal import Terminal

SETTINGS = """
[fleet]
interval_seconds = 1
breaker_max_seconds = 1
[store]
reserve_bytes = 0
"""


@asynccontextmanager
async def watching(home: Path, settings: str = SETTINGS) -> AsyncIterator[tuple[EngineProcess, Sims]]:
    """An engine that watches this machine and two hosts, all of them well."""
    async with sims(2) as hosts, engine_process(home, settings) as engine:
        await hosts.join(engine.client)

        async def well() -> bool:
            return set((await states(engine)).values()) == {"up"}

        await engine.until(well, "all hosts are up")
        yield engine, hosts


async def states(engine: EngineProcess) -> dict[str, str]:
    """Name → state of each host."""
    rows = (await engine.client.call("hosts.list", HostList, HostsQuery())).hosts
    return {row.name: row.state for row in rows}


async def order(engine: EngineProcess, word: str) -> None:
    """An order that writes a little more than nothing."""
    reason = (word + " ").ljust(100, "x")
    await engine.client.call("silences.add", Silence, AddSilence(rule="load", instance=word, reason=reason))


async def refusal(engine: EngineProcess) -> str:
    """Orders until one is refused; answers in which words."""
    for number in range(20_000):
        try:
            await order(engine, f"try-{number}")
        except (StoreUnavailable, AuditUnavailable) as error:
            return error.detail
    raise AssertionError("every order was carried out")


async def fails_well(engine: EngineProcess, hosts: Sims, words: str) -> None:
    """While the store fails: orders are refused and say why, figures are live, and a host that dies is an alert."""
    assert words in await refusal(engine)
    assert words in (await engine.status()).store_problem
    status, said = await engine.readyz()
    assert (status, words in said) == (503, True)
    old = {
        row.name: row.measured_at
        for row in (await engine.client.call("hosts.list", HostList, HostsQuery())).hosts
    }

    async def fresh() -> bool:
        rows = (await engine.client.call("hosts.list", HostList, HostsQuery())).hosts
        return all((row.measured_at or 0) > (old[row.name] or 0) for row in rows)

    await engine.until(fresh, "figures go on")
    await hosts.fault("sim-001", "dead")

    async def alarmed() -> bool:
        alerts = (await engine.client.call("alerts.list", AlertList, AlertsQuery())).alerts
        return [alert.host for alert in alerts if alert.rule == "host_down"] == ["sim-001"]

    await engine.until(alarmed, "a dead host is an alert")


async def heals(engine: EngineProcess, hosts: Sims) -> None:
    """After the fault: it is noticed by itself, orders go through, nothing is lost of what happened meanwhile."""

    async def noticed() -> bool:
        return (await engine.readyz())[0] == 200 and not (await engine.status()).store_problem

    await engine.until(noticed, "the end of the fault is noticed")
    await order(engine, "after")
    await hosts.fault("sim-001", "")

    async def written() -> bool:
        alerts = (
            await engine.client.call("alerts.list", AlertList, AlertsQuery(resolved=True, filter="host_down"))
        ).alerts
        return [alert.state for alert in alerts] == ["resolved"]

    await engine.until(written, "the alert of meanwhile is in the store, and over")
    verdict = await engine.client.call("audit.verify", AuditVerdict)
    assert verdict.ok, verdict.words
    assert engine.process.poll() is None
    silences = (await engine.client.call("silences.list", SilenceList)).silences
    engine.kill()
    await engine.start()
    kept = (await engine.client.call("silences.list", SilenceList)).silences
    assert {silence.id for silence in kept} == {silence.id for silence in silences}
    assert any(silence.instance == "after" for silence in kept)


async def test_a_store_that_is_locked_by_another_process(tmp_path: Path) -> None:
    async with watching(tmp_path / "g") as (engine, hosts):
        with closing(sqlite3.connect(engine.paths.state / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await fails_well(engine, hosts, "locked by another process")
        await heals(engine, hosts)


async def test_a_store_whose_disk_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 16) as disk:
        async with watching(disk / "g") as (engine, hosts):
            ballast = fill(disk)
            await fails_well(engine, hosts, "disk")
            ballast.unlink()
            await heals(engine, hosts)


async def test_a_postgresql_that_turns_read_only(postgres_url: str, tmp_path: Path) -> None:
    def let(writes: bool) -> None:
        with psycopg.connect(postgres_url, autocommit=True) as conn:
            (name,) = conn.execute("SELECT current_database()").fetchone() or ("",)
            conn.execute("SET default_transaction_read_only = off")
            conn.execute(
                f"ALTER DATABASE {name} SET default_transaction_read_only = {'off' if writes else 'on'}"
            )
            conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    settings = SETTINGS.replace("[store]", f'[store]\nurl = "{postgres_url}"')
    async with watching(tmp_path / "g", settings) as (engine, hosts):
        await asyncio.to_thread(let, writes=False)
        await fails_well(engine, hosts, "read-only")
        await asyncio.to_thread(let, writes=True)
        await heals(engine, hosts)


async def test_a_store_that_is_damaged_under_the_engine_and_restored(tmp_path: Path) -> None:
    async with watching(tmp_path / "g") as (engine, hosts):
        await order(engine, "before")
        file = engine.paths.state / "state.db"
        good = tmp_path / "good.db"
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(good)) as target:
            source.backup(target)
        for part, header in ((file, 100), (file.with_name("state.db-wal"), 32)):
            with part.open("r+b") as out:
                out.seek(header)
                out.write(os.urandom(part.stat().st_size - header))
        await fails_well(engine, hosts, "damaged")
        engine.kill()
        # it does not start over a damaged file, does not touch it, and says what to do
        before = file.read_bytes()
        engine.begin()
        assert await asyncio.to_thread(engine.process.wait, 60) == 1
        assert "state.db is damaged" in engine.said()
        assert "restore it from a backup" in engine.said()
        assert file.read_bytes() == before
        for part in engine.paths.state.glob("state.db*"):
            part.unlink()
        shutil.copy(good, file)
        await hosts.fault("sim-001", "")
        await engine.start()
        silences = (await engine.client.call("silences.list", SilenceList)).silences
        assert [silence.instance for silence in silences] == ["before"]


async def test_metrics_that_are_damaged_cost_the_charts_and_are_told(tmp_path: Path) -> None:
    async with engine_process(tmp_path / "g", SETTINGS) as engine:
        assert engine.stop() == 0
        (engine.paths.state / "metrics.db").write_bytes(b"garbage " * 1000)
        await engine.start()
        status, words = await engine.readyz()
        assert (status, words.splitlines()[0]) == (200, "ok")
        assert "set aside as metrics-damaged-" in words
        assert "set aside" in (await engine.status()).store_mended[0]
        told = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "guardian_tui", "engine", "status"],
            cwd=ROOT, env={**os.environ, "GUARDIAN_HOME": str(engine.home)}, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert "set aside as metrics-damaged-" in told.stdout


async def test_a_person_is_told_at_login_what_was_mended(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "metrics.db").write_bytes(b"garbage " * 1000)
    async with house(tmp_path) as one, one.app().run_test(size=(120, 40)) as pilot:
        app = pilot.app
        assert isinstance(app, GuardianApp) and one.enrolled is not None
        await until(lambda: app.hello is not None)
        app.begin(one.enrolled.session)
        await until(lambda: any("was set aside" in str(note.message) for note in app._notifications))
        await app.shut()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineProcess]:
    """An engine that has just begun."""
    one = EngineProcess(tmp_path / "g", SETTINGS)
    one.begin()
    deadline = time.monotonic() + WAIT_SECONDS
    while not engine_listens(one.paths.socket):
        assert time.monotonic() < deadline, one.said()
        time.sleep(0.05)
    yield one
    one.kill()


def test_a_console_shows_that_the_store_fails_goes_on_and_takes_any_size(
    terminal: Callable[..., Terminal], engine: EngineProcess
) -> None:
    home = {"GUARDIAN_HOME": str(engine.home), "HOME": str(engine.home)}
    console = terminal(f"cd {ROOT} && {sys.executable} -m guardian_tui", 120, 40, **home)
    enrol(console)
    name = os.uname().nodename.split(".")[0]
    files = [engine.paths.state / "state.db", engine.paths.state / "metrics.db"]
    others = [sqlite3.connect(file, isolation_level=None) for file in files]
    for other in others:
        other.execute("BEGIN IMMEDIATE")
    shown = console.wait_for("The store can't be written: the store is locked by another process", name)
    assert "up" in shown
    for other in others:
        other.close()
    console.wait_until_gone("The store can't be written")
    console.resize(20, 5)
    console.wait_until_gone("audit")
    console.wait_for("hosts 1", "alerts")
    console.resize(120, 40)
    console.wait_for("hosts 1", "audit", name)
    console.type("q")
    console.wait_for("ended 0")
