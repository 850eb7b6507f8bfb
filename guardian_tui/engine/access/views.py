"""Views that people keep: `views.*`.  They hold words of a person's own, and nothing of a host."""

from __future__ import annotations

import logging

import msgspec
from sqlalchemy import delete, func, insert, select

from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import accounts, views
from guardian_tui.protocol import views as wire
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.errors import Conflict, NotFound

log = logging.getLogger(__name__)

MOST_VIEWS = 100
"""Of one person."""
MOST_LISTED = 1000


class Views:
    """Handlers of the routes of views."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {"views.list": self.list_, "views.save": self.save, "views.remove": self.remove}

    async def list_(self, call: Call, request: Nothing) -> wire.ViewList:
        """`views.list`: one's own by name, then those that others share."""
        mine = _account(call)
        query = (
            select(views.c.account_id, views.c.name, views.c.body, accounts.c.name.label("owner"))
            .join(accounts, accounts.c.id == views.c.account_id)
            .where((views.c.account_id == mine) | (views.c.shared == 1))
            .order_by(views.c.account_id != mine, views.c.name, accounts.c.name)
            .limit(MOST_LISTED)
        )
        async with self._store.read() as conn:
            rows = (await conn.execute(query)).all()
        found = []
        for row in rows:
            try:
                kept = msgspec.json.decode(row.body, type=wire.SaveView)
            except msgspec.DecodeError as error:
                log.warning("the view %s of %s can't be read from the store: %s", row.name, row.owner, error)
                continue
            found.append(_view(kept, row.owner, mine=row.account_id == mine))
        return wire.ViewList(views=tuple(found))

    async def save(self, call: Call, request: wire.SaveView) -> wire.View:
        """`views.save`: under a name of one's own; what was kept under it before is replaced."""
        mine = _account(call)
        body = msgspec.json.encode(request).decode()
        async with call.change(request.name, body={"screen": request.screen, "shared": request.shared}) as tx:
            await tx.execute(delete(views).where(views.c.account_id == mine, views.c.name == request.name))
            kept = await tx.conn.scalar(
                select(func.count()).select_from(views).where(views.c.account_id == mine)
            )
            if (kept or 0) >= MOST_VIEWS:
                raise Conflict(f"You keep {MOST_VIEWS} views already: remove one first.", field="name")
            row = {"account_id": mine, "name": request.name, "shared": int(request.shared), "body": body}
            await tx.execute(insert(views), row)
        return _view(request, call.actor, mine=True)

    async def remove(self, call: Call, request: wire.ViewRef) -> Done:
        """`views.remove`: one's own alone."""
        async with call.change(request.name) as tx:
            gone = await tx.execute(
                delete(views).where(views.c.account_id == _account(call), views.c.name == request.name)
            )
            if not gone.rowcount:
                raise NotFound(f"You keep no view {request.name}.")
        return Done()


def _account(call: Call) -> str:
    assert call.principal is not None  # noqa: S101  # its routes want a session
    return call.principal.account_id


def _view(kept: wire.SaveView, owner: str, *, mine: bool) -> wire.View:
    return wire.View(**msgspec.structs.asdict(kept), owner=owner, mine=mine)
