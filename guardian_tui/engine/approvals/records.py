"""Orders that wait, in the store: the order itself, what it is bound to, and what was said of it."""

from __future__ import annotations

import logging

import msgspec
from sqlalchemy import delete, insert, select

from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import approvals
from guardian_tui.protocol.approvals import ApprovalState, ApprovedOrder

log = logging.getLogger(__name__)


class Said(msgspec.Struct, frozen=True):
    """What one person said."""

    account: str
    by: str
    at: float
    ok: bool
    until: float
    digest: str
    note: str = ""
    uid: int = -1
    """The Unix account that it was said from; -1: not known."""


class About(msgspec.Struct, frozen=True):
    """What an order is about, beside the hosts that decide who may: their rules count too."""

    host_ids: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()


class Waiting(msgspec.Struct, frozen=True):
    """One order."""

    id: str
    order: ApprovedOrder
    request: msgspec.Raw
    account: str
    by: str
    target: str
    host_id: str
    host: str
    words: str
    lines: tuple[str, ...]
    digest: str
    quorum: int
    asked_at: float
    expires_at: float
    said: tuple[Said, ...] = ()
    state: ApprovalState = "waiting"
    why: str = ""
    run: str = ""
    ended_at: float | None = None
    uid: int = -1
    """The Unix account that it was asked from; -1: not known."""
    host_ids: tuple[str, ...] = ()
    """Hosts that whoever sees or approves it must be allowed to on; none: that of ``host_id``."""
    about: About = About()
    """By what rules are found for it."""

    @property
    def open(self) -> bool:
        """Whether it can still be approved or carried out."""
        return self.state in ("waiting", "approved")


async def read_all(store: Store) -> list[Waiting]:
    """All of them, the oldest first; what can't be read is told in the log and left alone."""
    async with store.read() as conn:
        rows = (await conn.execute(select(approvals).order_by(approvals.c.asked_at))).all()
    found = []
    for row in rows:
        try:
            found.append(msgspec.json.decode(row.body, type=Waiting))
        except msgspec.DecodeError as error:
            log.warning("the approval %s can't be read from the store: %s", row.id, error)
    return found


async def put(tx: Tx, one: Waiting) -> None:
    """Write one as it is now."""
    await tx.execute(delete(approvals).where(approvals.c.id == one.id))
    body = msgspec.json.encode(one).decode()
    await tx.execute(insert(approvals), {"id": one.id, "asked_at": one.asked_at, "body": body})


async def forget(tx: Tx, before: float) -> None:
    """Remove those that were asked for before a moment."""
    await tx.execute(delete(approvals).where(approvals.c.asked_at < before))
