"""The audit log's orders: list, verify, export."""

from __future__ import annotations

from typing import Protocol

from guardian_tui.engine.audit.inspection import BATCH
from guardian_tui.engine.audit.rows import ChainRows
from guardian_tui.engine.calls import Call
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.audit import AuditBundle, AuditExport, AuditPage, AuditQuery, AuditVerdict
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.errors import AuditUnavailable, InvalidRequest

EXPORT_MOST = 50_000
"""Events in one export, about 30 MB; a longer span is exported in pieces."""


class Chain(Protocol):
    """What the orders need of the audit log."""

    chain: str

    @property
    def public_key(self) -> str:
        """Hex of the public key."""
        ...

    @property
    def head(self) -> int:
        """Number of the newest event."""
        ...

    async def verify(self) -> AuditVerdict:
        """Check the whole chain."""
        ...

    async def checkpoint(self) -> bool:
        """Sign the newest event."""
        ...


class Orders:
    """Handlers of the ``audit.*`` routes."""

    def __init__(self, log: Chain, store: Store) -> None:
        self._log = log
        self._store = store

    def _rows(self) -> ChainRows:
        return ChainRows(self._store, self._log.chain)

    async def list(self, call: Call, request: AuditQuery) -> AuditPage:
        """``audit.list``: newest first."""
        return await self._rows().page(request)

    async def verify(self, call: Call, request: Nothing) -> AuditVerdict:
        """``audit.verify``: the whole chain."""
        return await self._log.verify()

    async def export(self, call: Call, request: AuditExport) -> AuditBundle:
        """``audit.export``: a span with its checkpoints; it ends on one, so that all of it is signed, or has more to come."""
        first, last = max(1, request.first), request.last or self._log.head + 1
        # the export's own event comes next, so that an export without an end holds it
        if last < first or first > self._log.head + 1:
            raise InvalidRequest(
                f"There are no events {first} to {last}; the newest is {self._log.head}.", field="first"
            )
        async with call.change(f"{request.first}-{request.last or ''}"):
            pass
        try:
            await self._log.checkpoint()
        except OSError as error:
            raise AuditUnavailable(
                f"No checkpoint can be written ({error.strerror}), so nothing can be exported."
            ) from error
        rows = self._rows()
        end = await rows.checkpoint_from(last) or last
        if end - first >= EXPORT_MOST:
            most = first + EXPORT_MOST - 1
            end = await rows.checkpoint_until(most) or 0
            if end < first:
                # none among so many: a later part has the checkpoint that proves this one
                end = most
        # in batches, so that others are answered meanwhile
        events = [
            event
            for start in range(first, end + 1, BATCH)
            for event in await rows.span(start, min(start + BATCH - 1, end))
        ]
        points = await rows.checkpoints(first, end)
        return AuditBundle(
            chain=self._log.chain,
            public_key=self._log.public_key,
            events=tuple(events),
            checkpoints=tuple(points),
            more=end < min(last, self._log.head),
        )
