"""An engine at rest: nothing is asked of the store while nothing happens, what waits is counted once something did, and loops wake together."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, insert

from guardian_tui.config import AuditSettings, FleetSettings, Settings
from guardian_tui.engine import main as engine_module
from guardian_tui.engine import streams
from guardian_tui.engine.audit import log as audit
from guardian_tui.engine.store.tables import outbox
from guardian_tui.engine.turns import until_turn
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.events import Heartbeat
from guardian_tui.protocol.system import EngineStatus
from tests.support.console import WAIT_SECONDS, House, house

RESTING = Settings(fleet=FleetSettings(watch_this_machine=False), audit=AuditSettings(syslog=False))
NOTE = {
    "id": "n1",
    "dedup_key": "d1",
    "channel": "desk",
    "payload": "{}",
    "created_at": 1.0,
    "next_try_at": 1e12,
}


async def beats(one: House, count: int) -> None:
    """Hear so many heartbeats."""
    async with asyncio.timeout(WAIT_SECONDS):
        async for found in one.client.events():
            count -= isinstance(found, Heartbeat)
            if count == 0:
                return


async def settled(statements: Callable[[], int]) -> None:
    """What the start and the login have begun is over."""
    async with asyncio.timeout(WAIT_SECONDS):
        before = -1
        while statements() != before:
            before = statements()
            await asyncio.sleep(0.3)


async def test_while_nothing_happens_heartbeats_and_counts_ask_nothing_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(engine_module, "COUNT_SECONDS", 0.02)
    monkeypatch.setattr(audit, "LOOP_SECONDS", 0.02)
    async with house(tmp_path, RESTING) as one:
        asked: list[str] = []

        @event.listens_for(one.engine.store._state.sync_engine, "before_cursor_execute")
        def note(conn: object, cursor: object, statement: str, *more: object) -> None:
            asked.append(statement)

        def about(table: str) -> int:
            return sum(statement.startswith("SELECT") and f"FROM {table}" in statement for statement in asked)

        await settled(lambda: about("outbox"))
        asked.clear()
        commits = one.engine.store.commits
        await beats(one, 50)
        assert about("sessions") == 0
        # what the engine writes by itself meanwhile may be a message
        assert about("outbox") <= 1 + one.engine.store.commits - commits < 10

        async def waiting() -> int:
            return (await one.client.call("engine.status", EngineStatus, Nothing())).outbox_waiting

        assert await waiting() == 0
        async with one.engine.store.write() as tx:
            await tx.execute(insert(outbox), NOTE)
        async with asyncio.timeout(WAIT_SECONDS):
            while await waiting() != 1:
                await asyncio.sleep(0.02)


@given(now=st.floats(0, 1e7), seconds=st.sampled_from([0.25, 1.0, 2.0, 5.0, 30.0]))
def test_turns_of_all_periods_meet_and_none_is_missed(now: float, seconds: float) -> None:
    left = until_turn(now, seconds)
    assert seconds / 4 <= left <= seconds * 1.25
    assert math.isclose((now + left) / seconds, round((now + left) / seconds), abs_tol=1e-6)
