"""Engine and clients killed at any moment, as whole processes: what was acknowledged is there, and nothing is there by halves."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from guardian_tui.protocol.alerts import AlertList, AlertsQuery, SilenceList
from guardian_tui.protocol.audit import AuditEvent, AuditPage, AuditQuery, AuditVerdict
from guardian_tui.protocol.events import Delta
from guardian_tui.protocol.fleet import HostList, HostsQuery
from tests.support.engine import ROOT, WAIT_SECONDS, EngineProcess, engine_process

ALWAYS = """
[fleet]
interval_seconds = 1
[alerts.rules.memory_low]
warning = 0.9999
for_seconds = 0
"""
"""Settings with an alert that fires at once and for ever: there is always something to acknowledge."""

Orders = list[tuple[str, str]]


class Writing:
    """A client process, and what it said."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.tried: Orders = []
        self.done: Orders = []

    async def hear(self) -> None:
        """Its next line."""
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_SECONDS):
            line = await self.process.stdout.readline()
        assert line, "the client ended by itself"
        self._note(line)

    def _note(self, line: bytes) -> None:
        if line.endswith(b"\n"):
            for when, (kind, word) in json.loads(line).items():
                (self.tried if when == "try" else self.done).append((kind, word))

    async def acknowledged(self, count: int) -> None:
        """So many more of its orders were acknowledged."""
        wanted = len(self.done) + count
        while len(self.done) < wanted:
            await self.hear()

    async def kill(self) -> None:
        """End it, and hear what it had still said."""
        assert self.process.stdout is not None
        self.process.kill()
        for line in (await self.process.stdout.read()).splitlines(keepends=True):
            self._note(line)
        await self.process.wait()


@asynccontextmanager
async def writing(engine: EngineProcess, name: str, alert: str) -> AsyncIterator[Writing]:
    """A client that writes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.writer", str(engine.paths.socket), name, alert,
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(f"{engine.client.token}\n".encode())
    one = Writing(process)
    try:
        yield one
    finally:
        if process.returncode is None:
            await one.kill()


async def firing_alert(engine: EngineProcess) -> str:
    """The alert that always fires."""
    found: list[str] = []

    async def fires() -> bool:
        alerts = (await engine.client.call("alerts.list", AlertList, AlertsQuery())).alerts
        found[:] = [alert.id for alert in alerts if alert.rule == "memory_low"]
        return bool(found)

    await engine.until(fires, "the alert that always fires")
    return found[0]


async def whole_log(engine: EngineProcess) -> list[AuditEvent]:
    """All audit events, oldest first."""
    events: list[AuditEvent] = []
    before: int | None = None
    while True:
        page = await engine.client.call("audit.list", AuditPage, AuditQuery(before=before, limit=1000))
        events += page.events
        if not page.more:
            return events[::-1]
        before = page.events[-1].seq


async def nothing_is_lost(engine: EngineProcess, alert: str, writers: list[Writing]) -> None:
    """What was acknowledged is there; what was not is there with its audit event, or not at all."""
    verdict = await engine.client.call("audit.verify", AuditVerdict)
    assert verdict.ok, verdict.words
    events = [event for event in await whole_log(engine) if event.outcome == "ok"]
    tried = {order for writer in writers for order in writer.tried}
    done = {order for writer in writers for order in writer.done}

    def told(action: str, field: str) -> list[str]:
        return [json.loads(event.body)[field] for event in events if event.action == action]

    # silences: those that hold are those that the log says were added and not ended
    reason_of = dict(zip(told("silences.add", "silence"), told("silences.add", "reason"), strict=True))
    added, ended = list(reason_of.values()), [reason_of[id] for id in told("silences.end", "silence")]
    silences = await engine.client.call("silences.list", SilenceList)
    holding = sorted(silence.reason for silence in silences.silences)
    assert holding == sorted(set(added) - set(ended))
    assert {word for kind, word in done if kind == "silence"} <= set(added)
    assert {word for kind, word in done if kind == "end"} <= set(ended)
    # hosts: the same
    hosts = {
        row.name
        for row in (await engine.client.call("hosts.list", HostList, HostsQuery())).hosts
        if row.name.startswith("h-")
    }
    assert hosts == {
        event.target for event in events if event.action == "hosts.add" and event.target.startswith("h-")
    }
    assert {word for kind, word in done if kind == "host"} <= hosts
    # the alert carries the note that the log names last
    notes = told("alerts.acknowledge", "note")
    assert {word for kind, word in done if kind == "note"} <= set(notes)
    shown = [
        one
        for one in (await engine.client.call("alerts.list", AlertList, AlertsQuery())).alerts
        if one.id == alert
    ]
    assert [one.note for one in shown] == notes[-1:]
    # and nothing happened twice, or that nobody asked for
    for kind, words in (("silence", added), ("end", ended), ("note", notes), ("host", list(hosts))):
        assert len(words) == len(set(words)), f"{kind} carried out twice"
        assert {(kind, word) for word in words} <= tried


async def kill_engines(home: Path, times: int, seed: int, url: str = "") -> None:
    """Kill an engine again and again while a client writes; then look."""
    chance = random.Random(seed)
    async with engine_process(home, f'{ALWAYS}[store]\nurl = "{url}"\n') as engine:
        alert = await firing_alert(engine)
        async with writing(engine, "w", alert) as writer:
            for number in range(times):
                await writer.acknowledged(chance.randrange(1, 25))
                await asyncio.sleep(chance.random() / 50)  # anywhere within the next orders
                engine.kill()
                if number % 3 == 2:
                    # and once more while it starts
                    engine.begin()
                    await asyncio.sleep(chance.random())
                    engine.kill()
                await engine.start()
                if number % 10 == 9:
                    verdict = await engine.client.call("audit.verify", AuditVerdict)
                    assert verdict.ok, verdict.words
            await writer.acknowledged(1)
            await writer.kill()
            # what the killed client's last order did is done by now, or never will be
            await engine.client.call("audit.verify", AuditVerdict)
            await nothing_is_lost(engine, alert, [writer])
            assert engine.stop() == 0
            await engine.start()
            await nothing_is_lost(engine, alert, [writer])


async def test_an_engine_that_is_killed_in_mid_write_loses_nothing_that_it_acknowledged(
    tmp_path: Path,
) -> None:
    await kill_engines(tmp_path / "g", times=6, seed=2)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(2))
async def test_a_hundred_kills_lose_nothing_that_was_acknowledged(
    tmp_path: Path, store_url: str, seed: int
) -> None:
    await kill_engines(tmp_path / "g", times=25, seed=seed, url=store_url)


async def kill_clients(home: Path, times: int, seed: int) -> None:
    """Kill clients in mid-write while another one watches; then look."""
    chance = random.Random(seed)
    async with engine_process(home, ALWAYS) as engine:
        alert = await firing_alert(engine)
        seen: set[str] = set()

        async def watch() -> None:
            async for event in engine.client.events():
                if isinstance(event, Delta):
                    seen.update(silence.reason for silence in event.silences)

        watching = asyncio.create_task(watch())
        writers: list[Writing] = []
        for number in range(times):
            async with writing(engine, f"w{number}", alert) as writer:
                writers.append(writer)
                await writer.acknowledged(chance.randrange(1, 15))
                await asyncio.sleep(chance.random() / 50)
                await writer.kill()
        assert engine.process.poll() is None
        last = [word for kind, word in writers[-1].done if kind == "silence"][-1:]

        async def shown() -> bool:
            return set(last) <= seen

        await engine.until(shown, "the other client sees what the killed one wrote")
        assert not watching.done()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await nothing_is_lost(engine, alert, writers)


async def test_a_client_that_is_killed_in_mid_write_leaves_the_engine_and_the_others_whole(
    tmp_path: Path,
) -> None:
    await kill_clients(tmp_path / "g", times=3, seed=3)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_a_hundred_killed_clients_leave_the_engine_whole(tmp_path: Path) -> None:
    await kill_clients(tmp_path / "g", times=100, seed=4)
