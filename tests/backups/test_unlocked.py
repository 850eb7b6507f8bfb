"""What could not be read while the vault was locked is read as soon as it is open."""

from __future__ import annotations

import asyncio
from pathlib import Path

from guardian_tui.engine.facts import VaultUnlocked
from tests.backups.house import house


async def test_a_repository_whose_secret_was_locked_up_is_read_when_the_vault_opens(
    tmp_path: Path, store_url: str
) -> None:
    async with house(tmp_path, store_url) as home:
        locked, gone = await home.repository("locked"), await home.repository("gone")
        # nothing begins by itself: it is as if they had been read while the vault was locked
        home.bus.publish(VaultUnlocked())
        assert not home.backups._reads
        await home.start()
        for task in home.backups._tasks:
            task.cancel()
        await asyncio.gather(*home.backups._tasks, return_exceptions=True)
        locked.memory.verdict, gone.memory.verdict = "auth", "missing"
        home.backups.repositories = {one.id: one for one in (locked, gone)}
        home.bus.publish(VaultUnlocked())
        await asyncio.gather(*home.backups._reads)
        assert (locked.memory.verdict, gone.memory.verdict) == ("ok", "missing")
