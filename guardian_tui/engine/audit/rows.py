"""The chain's rows in the store, read; they may be anything, for whoever wrote to the database wrote them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import audit_checkpoints, audit_events
from guardian_tui.protocol.audit import AuditEvent, AuditPage, AuditQuery

_FIELDS = AuditEvent.__struct_fields__
_SEARCHED = (audit_events.c.actor, audit_events.c.action, audit_events.c.target, audit_events.c.outcome)


class ChainRows:
    """Reads one chain."""

    def __init__(self, store: Store, chain: str) -> None:
        self._store = store
        self._own: ColumnElement[bool] = audit_events.c.chain == chain
        self._points: ColumnElement[bool] = audit_checkpoints.c.chain == chain

    async def newest(self, count: int) -> list[AuditEvent]:
        """The newest events, oldest of them first."""
        query = select(audit_events).where(self._own).order_by(audit_events.c.seq.desc()).limit(count)
        async with self._store.read() as conn:
            return [_event(row) for row in reversed((await conn.execute(query)).all())]

    async def span(self, first: int, last: int) -> list[AuditEvent]:
        """Events ``first`` to ``last``, in order."""
        span = self._own & audit_events.c.seq.between(first, last)
        query = select(audit_events).where(span).order_by(audit_events.c.seq)
        async with self._store.read() as conn:
            return [_event(row) for row in await conn.execute(query)]

    async def next_after(self, seq: int) -> object:
        """The number of the first event from ``seq`` on, or None; no int if the row is no event."""
        query = select(func.min(audit_events.c.seq)).where(self._own & (audit_events.c.seq >= seq))
        async with self._store.read() as conn:
            return await _scalar(conn, query)

    async def page(self, request: AuditQuery) -> AuditPage:
        """Newest first; every word of the filter must be in actor, action, target or outcome."""
        query = select(audit_events).where(self._own)
        if request.before is not None:
            query = query.where(audit_events.c.seq < request.before)
        for word in request.filter.split():
            match = _SEARCHED[0].icontains(word, autoescape=True)
            for column in _SEARCHED[1:]:
                match = match | column.icontains(word, autoescape=True)
            query = query.where(match)
        query = query.order_by(audit_events.c.seq.desc()).limit(request.limit + 1)
        async with self._store.read() as conn:
            rows = (await conn.execute(query)).all()
        return AuditPage(
            events=tuple(_event(row) for row in rows[: request.limit]), more=len(rows) > request.limit
        )

    async def checkpoints(self, first: int = 0, last: int | None = None) -> list[str]:
        """Checkpoints on events ``first`` to ``last``, in order."""
        span = self._points & (audit_checkpoints.c.seq >= first)
        if last is not None:
            span = span & (audit_checkpoints.c.seq <= last)
        query = select(audit_checkpoints.c.body).where(span).order_by(audit_checkpoints.c.seq)
        async with self._store.read() as conn:
            return list((await conn.execute(query)).scalars())

    async def newest_checkpoints(self, count: int) -> list[str]:
        """The newest checkpoints, oldest of them first."""
        query = select(audit_checkpoints.c.body).where(self._points)
        query = query.order_by(audit_checkpoints.c.seq.desc()).limit(count)
        async with self._store.read() as conn:
            return list(reversed((await conn.execute(query)).scalars().all()))

    async def checkpoint_from(self, seq: int) -> int | None:
        """The event of the first checkpoint at or after ``seq``."""
        return await self._checkpoint(func.min(audit_checkpoints.c.seq), audit_checkpoints.c.seq >= seq)

    async def checkpoint_until(self, seq: int) -> int | None:
        """The event of the last checkpoint at or before ``seq``."""
        return await self._checkpoint(func.max(audit_checkpoints.c.seq), audit_checkpoints.c.seq <= seq)

    async def _checkpoint(self, which: ColumnElement[int], span: ColumnElement[bool]) -> int | None:
        async with self._store.read() as conn:
            found: int | None = await _scalar(conn, select(which).where(self._points & span))
            return found


async def _scalar(conn: AsyncConnection, query: Any) -> Any:  # Any: one column, one row
    return (await conn.execute(query)).scalar()


def _event(row: Any) -> AuditEvent:  # Any: a row
    fields = row._mapping
    return AuditEvent(**{name: fields[name] for name in _FIELDS})
