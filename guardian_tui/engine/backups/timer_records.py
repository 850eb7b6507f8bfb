"""Timers in the store: what may be installed where, until nothing of it is on its host."""

from __future__ import annotations

import logging

import msgspec
from sqlalchemy import delete, insert, select

from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import backup_timers

log = logging.getLogger(__name__)


class TimerMemory(msgspec.Struct):
    """What is known of the timer of one job on one host."""

    job: str
    host: str
    form: str = ""
    """As it was installed; empty: nothing is, and the engine begins what is due."""
    schedule: str = ""
    sums: dict[str, str] = msgspec.field(default_factory=dict)
    """Text → SHA-256 as it was installed; of secrets nothing is kept."""
    zone_seconds: int = 0
    reconciled_at: float | None = None
    begun_at: float | None = None
    words: str = ""
    unable: bool = False
    """Whether its host can have none at all: nothing is wrong where the engine begins what is due."""
    refused_at: float | None = None
    """When its host could not take it last, and what that was: it is not tried again soon."""
    refused: str = ""
    changed: str = ""
    mended_ats: list[float] = msgspec.field(default_factory=list)
    """When something that others had changed was put right, within a day."""


Key = tuple[str, str]
"""Ids of the job and of the host."""


async def read_timers(store: Store) -> dict[Key, TimerMemory]:
    """All of them; what can't be read is told in the log and left alone."""
    async with store.read() as conn:
        rows = (await conn.execute(select(backup_timers))).all()
    found = {}
    for row in rows:
        try:
            found[row.job_id, row.host_id] = msgspec.json.decode(row.body, type=TimerMemory)
        except msgspec.DecodeError as error:
            log.warning(
                "the timer of %s on %s can't be read from the store: %s", row.job_id, row.host_id, error
            )
    return found


async def put_timer(tx: Tx, key: Key, memory: TimerMemory) -> None:
    """Write what is known of one."""
    await remove_timer(tx, key)
    body = msgspec.json.encode(memory).decode()
    await tx.execute(insert(backup_timers), {"job_id": key[0], "host_id": key[1], "body": body})


async def remove_timer(tx: Tx, key: Key) -> None:
    """Forget one of which nothing is on its host."""
    table = backup_timers.c
    await tx.execute(delete(backup_timers).where(table.job_id == key[0], table.host_id == key[1]))
