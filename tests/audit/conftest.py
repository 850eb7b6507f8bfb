"""An audit log over a real store, SQLite and PostgreSQL, and hands to tamper with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, text

from guardian_tui.config import AuditSettings, StoreSettings
from guardian_tui.engine.audit import log as audit_module
from guardian_tui.engine.audit.log import AuditLog
from guardian_tui.engine.calls import ANY_SCOPE, Call, Entry, Peer, Principal
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import audit_events
from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.protocol.base import Response
from guardian_tui.protocol.routes import ROUTES

LOUD = AuditSettings(checkpoint_events=10, checkpoint_seconds=300, syslog=False)


@dataclass
class Bench:
    """A store with an audit log."""

    store: Store
    live: Live
    clock: ManualClock
    log: AuditLog
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "audit" / "checkpoints.jsonl"

    async def write(self, count: int, actor: str = "ada") -> None:
        for number in range(count):
            await self.log.record(Entry(actor, "hosts.add", f"host-{number}", "ok", body={"n": number}))

    async def sql(self, statement: str, **values: Any) -> list[Any]:
        async with self.store.write() as tx:
            result = await tx.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    async def events(self) -> list[AuditEvent]:
        async with self.store.read() as conn:
            rows = (await conn.execute(select(audit_events).order_by(audit_events.c.seq))).mappings()
            return [AuditEvent(**row) for row in rows]

    async def put(self, row: Mapping[str, Any]) -> None:
        async with self.store.write() as tx:
            await tx.execute(insert(audit_events), dict(row))

    async def order(self, name: str, request: Any) -> Any:
        principal = Principal("1", "ada", "5e55100000000000", 1000, "admin", {"audit.see": ANY_SCOPE}, 0.0)
        call = Call(ROUTES[name], principal, Peer(1000), "r1", self.clock.now(), self.log, self.store.write)
        response: Response = await self.log.handlers()[name](call, request)
        return response

    @asynccontextmanager
    async def again(self, settings: AuditSettings = LOUD) -> AsyncIterator[AuditLog]:
        """The next start of the log on the same store."""
        log = AuditLog(self.store, Live(), self.clock, settings, self.folder, reserve_bytes=0)
        await log.start()
        try:
            yield log
        finally:
            await log.stop()


async def eventually(true: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while True:
            found = true()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


@pytest.fixture
async def bench(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """A started log; its loop turns fast."""
    monkeypatch.setattr(audit_module, "LOOP_SECONDS", 0.01)
    clock = ManualClock()
    store = await Store.open(StoreSettings(url=store_url), tmp_path, clock)
    live = Live()
    log = AuditLog(store, live, clock, LOUD, tmp_path, reserve_bytes=1 << 20)
    await log.start()
    try:
        yield Bench(store, live, clock, log, tmp_path)
    finally:
        await log.stop()
        await store.close()
