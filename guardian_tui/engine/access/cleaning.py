"""What of access is over is removed after a kept time: ended sessions, used recovery codes, invitations that ran out."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy import delete, or_, select

from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import accounts, recovery_codes, sessions, vault_slots
from guardian_tui.protocol.errors import StoreUnavailable

log = logging.getLogger(__name__)

PERIOD_SECONDS = 3600.0
MOST_ROWS = 1000
"""Of each kind, at most so many in one transaction; the rest goes at the next."""


class Cleaning:
    """Removes what is over, once an hour.

    Args:
        store: the engine's.
        keep_seconds: how long it is kept.
    """

    def __init__(self, store: Store, keep_seconds: float) -> None:
        self._store = store
        self._keep_seconds = keep_seconds
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._go_on(), name="access cleaning")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _go_on(self) -> None:
        while True:
            try:
                gone = await self.clean()
                if gone:
                    log.info("removed %d ended sessions, used codes and invitations that ran out", gone)
            except StoreUnavailable as error:
                log.warning("what is over was not removed: %s", error.detail)
            except Exception:
                log.exception("what is over was not removed; tried again in an hour")
            await asyncio.sleep(PERIOD_SECONDS)

    async def clean(self) -> int:
        """Remove what has been over for longer than it is kept, in one short transaction; answers how many rows.

        Raises:
            StoreUnavailable: the store can't be written.
        """
        before = self._store.past.now() - self._keep_seconds
        over = select(sessions.c.token_hash).where(
            or_(sessions.c.ended_at < before, sessions.c.expires_at < before)
        )
        invited = select(accounts.c.id).where(
            accounts.c.state == "invited", accounts.c.enrolment_expires_at < before
        )
        async with self._store.write() as tx:
            ids = list((await tx.execute(invited.limit(MOST_ROWS))).scalars())
            # their grants go with them (ON DELETE CASCADE)
            await tx.execute(delete(vault_slots).where(vault_slots.c.owner.in_(ids)))
            gone = [
                await tx.execute(delete(accounts).where(accounts.c.id.in_(ids))),
                await tx.execute(delete(sessions).where(sessions.c.token_hash.in_(over.limit(MOST_ROWS)))),
                await tx.execute(delete(recovery_codes).where(recovery_codes.c.used_at < before)),
            ]
        return sum(done.rowcount for done in gone)
