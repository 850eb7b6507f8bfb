"""Orders that wait for another person: asked for, judged, carried out once, or void.

A feature's handler asks for a :class:`Ticket` when it knows exactly what it would do.  The first time there is none, the order is kept
with its preview, and refused with words that say so.  Once enough others have approved it, whoever asked gives the same order again; if
it still is the same, it goes through, and the ticket is spent in the transaction of what it does.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from guardian_tui.config import ApprovalSettings
from guardian_tui.engine.approvals import records
from guardian_tui.engine.approvals.counting import May, check_another, uids_of_others, voids
from guardian_tui.engine.approvals.policy import Concerned, Demand, Policy
from guardian_tui.engine.approvals.records import About, Said, Waiting
from guardian_tui.engine.approvals.views import shared_labels, view
from guardian_tui.engine.approvals.wanted import Wanted
from guardian_tui.engine.calls import Call
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.turns import going_on, next_turn
from guardian_tui.protocol.approvals import (
    GIVEN_AGAIN,
    Approval,
    ApprovalState,
    ApprovedOrder,
)
from guardian_tui.protocol.errors import ApprovalNeeded, Conflict, TooManyRequests

GIVE = "approvals.give"
MOST_WAITING = 200
MOST_OF_ONE = 40
"""So that nobody keeps the others from asking."""
KEPT_SECONDS = 30 * 86400.0
SHOWN_SECONDS = 86400.0
"""How long one that is over stays on screens."""
LOOK_SECONDS = 2.0
"""So soon everybody sees that an approval no longer holds; whoever carries it out is told at once."""


@dataclass(slots=True)
class Ticket:
    """An approved order, good for one time."""

    book: Book
    one: Waiting

    async def spend(self, tx: Tx, call: Call, run: str = "") -> None:
        """Note in the transaction of what it does what became of it, and in its event who approved it.

        Args:
            tx: that transaction.
            call: the order.
            run: what began with it; empty: it is done at once.

        Raises:
            Conflict: it was spent or refused meanwhile.
        """
        one = self.book.open_one(self.one.id)
        # as it is within the transaction: a giver may have been withdrawn since it was looked at
        if not await self.book.enough(one, call.peer.uid):
            raise Conflict("An approval of it has fallen meanwhile: ask again.")
        done = msgspec.structs.replace(one, state="done", run=run, ended_at=call.now)
        call.body |= {"approval": one.id, "approved_by": [said.by for said in one.said if said.ok]}
        await records.put(tx, done)
        tx.after_commit(lambda: self.book.show(done))


class Book:
    """All orders that wait.

    Args:
        may: whether an account still may do something.
        labels_of: labels of a host by its id, which decide who sees what waits; None: it is gone.
        by_uid: whether each person has a Unix account of their own, so that two approvals from one are one person's.
    """

    def __init__(
        self, store: Store, live: Live, clock: Clock, settings: ApprovalSettings, may: May,
        labels_of: Callable[[str], Mapping[str, str] | None], *, by_uid: bool = False,
    ) -> None:  # fmt: skip
        self._store = store
        self._live = live
        self._clock = clock
        self._policy = Policy(settings)
        self._may = may
        self._all: dict[str, Waiting] = {}
        self._due: dict[str, float] = {}
        """When each that is open runs out, by the clock that never jumps: one that is set prolongs none, and ends none."""
        self._labels_of = labels_of
        self._by_uid = by_uid
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Read what waited when the engine ended."""
        async with self._store.write() as tx:
            await records.forget(tx, self._store.past.now() - KEPT_SECONDS)
        for one in await records.read_all(self._store):
            self.show(one)
        self._looking = asyncio.create_task(self._look(), name="approvals: what still holds")

    async def stop(self) -> None:
        """End; what waits is in the store."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            with going_on("what still holds of approvals could not be looked at"):
                await self.look_again()
            await next_turn(LOOK_SECONDS)

    async def look_again(self) -> None:
        """Show what no longer holds: a giver was withdrawn, a time is over, more are wanted by now."""
        self.sweep()
        for one in [one for one in self._all.values() if one.open and one.said]:
            row = await self.seen(one)
            # somebody may have spoken meanwhile
            if self._all.get(one.id) is one and self._live.approvals.get(one.id) != row:
                self._live.approvals.put(one.id, row)

    def labels(self, one: Waiting) -> list[Mapping[str, str]]:
        """Labels of each host that whoever sees or approves it must be allowed to on."""
        ids = one.host_ids or (one.host_id,)
        return [
            self._labels_of(ident) or {"host": one.host if ident == one.host_id else ident} for ident in ids
        ]

    def demand(self, order: ApprovedOrder, host_ids: Iterable[str], about: About) -> Demand | None:
        """What such an order needs before it is done; None: nobody is asked."""
        found = [self._labels_of(ident) for ident in dict.fromkeys((*host_ids, *about.host_ids))]
        hosts = tuple(labels for labels in found if labels is not None)
        return self._policy.demand(order, Concerned(hosts, about.jobs, about.repositories))

    def rows(self) -> list[Waiting]:
        """All that are open or were lately, the newest first."""
        self.sweep()
        return sorted(self._all.values(), key=lambda one: -one.asked_at)

    def find(self, ident: str) -> Waiting | None:
        """One by its id."""
        return self._all.get(ident)

    def open_one(self, ident: str) -> Waiting:
        """One that can still be approved or carried out.

        Raises:
            Conflict: it is over.
        """
        self.sweep()
        one = self._all.get(ident)
        if one is None or not one.open:
            raise Conflict(f"It waits no more: {(one.why or one.state) if one else 'it is gone'}")
        return one

    # --- asked for ------------------------------------------------------------------------------------

    async def ticket(self, call: Call, wanted: Wanted) -> Ticket | None:
        """Leave to do this now; None where nobody has to give it.

        Raises:
            ApprovalNeeded: another person has to approve it first; it waits for that from now on.
        """
        demand = self.demand(wanted.order, wanted.host_ids, wanted.about)
        if demand is None:
            return None
        principal = call.principal
        assert principal is not None  # noqa: S101  # by the routes' permissions
        self.sweep()
        digest = wanted.digest
        mine = [
            one for one in self._all.values()
            if one.open and (one.order, one.account, one.target) == (wanted.order, principal.account_id, wanted.target)
        ]  # fmt: skip
        same = next((one for one in mine if one.digest == digest), None)
        if same is None:
            same = await self._ask(call, wanted, digest, mine, demand)
        void = await self.void_of(same, call.peer.uid)
        given, quorum = self.counted(same, void), self.quorum(same)
        if given >= quorum:
            return Ticket(self, same)
        lost = next(iter(void.values()), "")
        how = (
            "give the order again: its value is kept nowhere until then."
            if same.order in GIVEN_AGAIN
            else f"carry it out with :approvals or `guardian-tui approvals go {same.id}`."
        )
        raise ApprovalNeeded(
            f"{same.words} It waits for the approval of another person ({given} of {quorum}) as {same.id}"
            f"{f'; an earlier one no longer holds: {lost}' if lost else '.'} When it is given, {how}",
            field=same.id,
        )

    async def _ask(
        self, call: Call, wanted: Wanted, digest: str, older: list[Waiting], demand: Demand
    ) -> Waiting:
        principal = call.principal
        assert principal is not None  # noqa: S101  # by ticket
        waiting = [one for one in self._all.values() if one.open]
        if len(waiting) >= MOST_WAITING:
            raise TooManyRequests(f"{MOST_WAITING} orders wait for an approval already.")
        if sum(one.account == principal.account_id for one in waiting) - len(older) >= MOST_OF_ONE:
            raise TooManyRequests(f"{MOST_OF_ONE} orders of yours wait for an approval already.")
        one = Waiting(
            secrets.token_hex(4), wanted.order, msgspec.Raw(msgspec.json.encode(wanted.request)), principal.account_id, principal.name, wanted.target,
            wanted.host_id, wanted.host, wanted.words, wanted.lines, digest, demand.quorum, call.now,
            call.now + demand.expires_seconds, uid=call.peer.uid, host_ids=wanted.host_ids, about=wanted.about,
        )  # fmt: skip
        body = {"approval": one.id, "digest": digest, "host": one.host, "quorum": one.quorum}
        async with call.begin() as tx:
            why = "What would be done is another thing now, and was asked for anew."
            over = [self._ended(old, "void", why) for old in older]
            for each in (*over, one):
                await records.put(tx, each)
            await call.audit.append(tx, call.entry("intent", target=one.target, body=body))
        for each in (*over, one):
            self.show(each)
        return one

    # --- judged ---------------------------------------------------------------------------------------

    async def judge(self, call: Call, one: Waiting, *, ok: bool, digest: str, note: str) -> None:
        """Take what another person says.

        Raises:
            Conflict: it waits no more, or is other than what was seen.
            PermissionDenied: it is whoever asked for it.
        """
        principal = call.principal
        assert principal is not None  # noqa: S101  # by the routes' permissions
        self.open_one(one.id)
        uids: tuple[int, ...] = ()
        if self._by_uid:
            uids = (one.uid, *uids_of_others(one.said, principal, await self.void_of(one)))
        check_another(principal, (one.account,), "Whoever asks for something does not approve it", uids)
        if digest != one.digest:
            raise Conflict("What would be done is not what you looked at: read it again.", field="digest")
        said = Said(
            principal.account_id, principal.name, call.now, ok, one.expires_at, digest, note, call.peer.uid
        )
        body = {
            "approval": one.id, "order": one.order, "digest": digest, "ok": ok, "asked_by": one.by, "note": note,
        }  # fmt: skip
        async with call.change(one.target, body=body) as tx:
            # as it is within the transaction: two may speak at once
            now = await self._after(self.open_one(one.id), said)
            await records.put(tx, now)
            tx.after_commit(lambda: self.show(now))

    async def _after(self, one: Waiting, said: Said) -> Waiting:
        """What it is once somebody has spoken: who speaks twice counts once, and what was said last counts."""
        others = (old for old in one.said if old.account != said.account)
        now = msgspec.structs.replace(one, said=(*others, said))
        if not said.ok:
            words = f"{said.by} refused: {said.note}" if said.note else f"{said.by} refused."
            return self._ended(now, "refused", words)
        return msgspec.structs.replace(now, state="approved" if await self.enough(now) else "waiting")

    async def enough(self, one: Waiting, uid: int = -1) -> bool:
        """Whether as many approvals of it hold as are wanted now, were it carried out from that Unix account."""
        return self.counted(one, await self.void_of(one, uid)) >= self.quorum(one)

    def quorum(self, one: Waiting) -> int:
        """How many have to approve it: as many as when it was asked for, or more if the settings want more by now."""
        demand = self.demand(one.order, one.host_ids, one.about)
        return max(one.quorum, demand.quorum if demand else 0)

    async def void_of(self, one: Waiting, uid: int = -1) -> dict[str, str]:
        """Account → why its approval counts no more.

        Args:
            one: what waits.
            uid: the Unix account that carries it out; -1: that is not known yet.
        """
        return await voids(
            one.said, GIVE, over=lambda said: said.until < self._now_for(one), may=self._may, digest=lambda said: one.digest, hosts=self.labels(one),
            asked_from=(one.uid, uid) if self._by_uid else None,
        )  # fmt: skip

    @staticmethod
    def counted(one: Waiting, void: Mapping[str, str]) -> int:
        """How many approvals of it hold."""
        return sum(said.ok and said.account not in void for said in one.said)

    # --- shown ----------------------------------------------------------------------------------------

    def _ended(self, one: Waiting, state: ApprovalState, why: str) -> Waiting:
        return msgspec.structs.replace(one, state=state, why=why, ended_at=self._clock.now())

    def sweep(self) -> None:
        """What ran out is void, and what is long over is shown no more."""
        now = self._clock.now()
        for one in list(self._all.values()):
            if one.open and one.expires_at <= self._now_for(one):
                self.show(self._ended(one, "void", "It was not approved and carried out in time."))
            elif one.ended_at is not None and one.ended_at < now - SHOWN_SECONDS:
                del self._all[one.id]
                self._live.approvals.drop(one.id)

    def _now_for(self, one: Waiting) -> float:
        """The time by which it runs out: the clock's, as it would be had nobody set it."""
        due = self._due.get(one.id)
        return self._clock.now() if due is None else one.expires_at - (due - self._clock.monotonic())

    def show(self, one: Waiting) -> None:
        """Put it, as it is now, before those who may see it."""
        self._all[one.id] = one
        if one.open:
            # no longer than it was given for, should the clock have been set back while we were away
            left = min(one.expires_at - self._clock.now(), one.expires_at - one.asked_at)
            self._due.setdefault(one.id, self._clock.monotonic() + left)
        else:
            self._due.pop(one.id, None)
        self._live.approvals.put(one.id, view(one), shared_labels(self.labels(one)))

    async def seen(self, one: Waiting) -> Approval:
        """One as clients see it, with what counts by now of what was said."""
        void, quorum = await self.void_of(one), self.quorum(one)
        state = one.state
        if state == "approved" and self.counted(one, void) < quorum:
            state = "waiting"
        return msgspec.structs.replace(view(one, void), state=state, quorum=quorum)
