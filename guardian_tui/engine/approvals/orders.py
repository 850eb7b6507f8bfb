"""Orders on approvals: `approvals.*`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from guardian_tui.engine.approvals.book import Book
from guardian_tui.engine.approvals.records import Waiting
from guardian_tui.engine.calls import Call, Handler, Principal
from guardian_tui.protocol import approvals as wire
from guardian_tui.protocol.base import Nothing, Request, Response
from guardian_tui.protocol.errors import Conflict, PermissionDenied
from guardian_tui.protocol.routes import ROUTES

Act = Callable[[Principal, str, Request], Awaitable[Response]]
"""Carries out an order with a person's rights, through the gate."""


class ApprovalOrders:
    """Handlers of these routes."""

    def __init__(self, book: Book, act: Act) -> None:
        self._book = book
        self._act = act
        self._going: set[str] = set()

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "approvals.list": self.list_,
            "approvals.show": self.show,
            "approvals.approve": self.approve,
            "approvals.refuse": self.refuse,
            "approvals.go": self.go,
        }

    async def list_(self, call: Call, request: Nothing) -> wire.ApprovalList:
        """`approvals.list`: those of hosts in scope, with what counts of what was said."""
        seen = [one for one in self._book.rows() if all(map(call.sees, self._book.labels(one)))]
        return wire.ApprovalList(approvals=tuple([await self._book.seen(one) for one in seen]))

    async def show(self, call: Call, request: wire.ApprovalRef) -> wire.Approval:
        """`approvals.show`."""
        return await self._book.seen(self._seen(call, request.approval))

    def _seen(self, call: Call, ident: str) -> Waiting:
        one = self._book.find(ident)
        for labels in self._book.labels(one) if one else (None,):
            call.host_in_scope(labels, f"an order {ident[:16]!r} that waits for an approval")
        assert one is not None  # noqa: S101  # host_in_scope has raised
        call.target = one.target
        return one

    async def approve(self, call: Call, request: wire.GiveApproval) -> wire.Approval:
        """`approvals.approve`."""
        return await self._judge(call, request, ok=True)

    async def refuse(self, call: Call, request: wire.GiveApproval) -> wire.Approval:
        """`approvals.refuse`."""
        return await self._judge(call, request, ok=False)

    async def _judge(self, call: Call, request: wire.GiveApproval, *, ok: bool) -> wire.Approval:
        one = self._seen(call, request.approval)
        await self._book.judge(call, one, ok=ok, digest=request.digest, note=request.note)
        return await self._book.seen(self._seen(call, request.approval))

    async def go(self, call: Call, request: wire.ApprovalRef) -> wire.Approval:
        """`approvals.go`: the same order once more, by the same person; the gate and its handler look at all of it again."""
        one = self._seen(call, request.approval)
        principal = call.principal
        assert principal is not None  # noqa: S101  # by the route's permission
        if principal.account_id != one.account:
            raise PermissionDenied(f"It was {one.by} who asked for it, and who carries it out.")
        self._book.open_one(one.id)
        if one.order in wire.GIVEN_AGAIN:
            raise Conflict(f"The value of {one.target} is kept nowhere: give the order {one.order} again.")
        if one.id in self._going:
            raise Conflict("It is being carried out.")
        self._going.add(one.id)
        try:
            order = msgspec.json.decode(one.request, type=ROUTES[one.order].request)
            await self._act(principal, one.order, order)
        finally:
            self._going.discard(one.id)
        return await self._book.seen(self._seen(call, request.approval))
