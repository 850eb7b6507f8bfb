"""Appends events until it is killed; prints each number once it is committed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from guardian_tui.config import AuditSettings, StoreSettings
from guardian_tui.engine.audit.log import AuditLog
from guardian_tui.engine.calls import Entry
from guardian_tui.engine.clock import SystemClock
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store


async def main(folder: Path, url: str) -> None:
    store = await Store.open(StoreSettings(url=url), folder, SystemClock())
    settings = AuditSettings(checkpoint_events=3, syslog=False)
    log = AuditLog(store, Live(), SystemClock(), settings, folder, reserve_bytes=1 << 16)
    await log.start()
    if not log.ok:
        sys.stdout.write(f"broken {log.words}\n")
        return
    while True:
        sys.stdout.write(f"{await log.record(Entry('ada', 'hosts.add', 'web-1', 'ok'))}\n")
        sys.stdout.flush()
        await log.checkpoint_if_due()


asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
