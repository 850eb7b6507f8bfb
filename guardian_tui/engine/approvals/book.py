"""Orders that wait for another person: asked for, judged, carried out once, or void.

A feature's handler asks for a :class:`Ticket` when it knows exactly what it would do.  The first time there is none, the order is kept
with its preview, and refused with words that say so.  Once enough others have approved it, whoever asked gives the same order again; if
it still is the same, it goes through, and the ticket is spent in the transaction of what it does.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from guardian_tui.config import ApprovalSettings
from guardian_tui.engine.approvals import records
from guardian_tui.engine.approvals.counting import May, check_another, why_void
from guardian_tui.engine.approvals.records import Said, Waiting
from guardian_tui.engine.calls import Call
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.protocol.approvals import Approval, ApprovalState, ApprovedOrder, GivenApproval
from guardian_tui.protocol.base import Request
from guardian_tui.protocol.errors import ApprovalNeeded, Conflict, TooManyRequests

GIVE = "approvals.give"
MOST_WAITING = 200
KEPT_SECONDS = 30 * 86400.0
SHOWN_SECONDS = 86400.0
"""How long one that is over stays on screens."""
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What would be done, exactly."""

    order: ApprovedOrder
    request: Request
    target: str
    host_id: str
    host: str
    words: str
    lines: tuple[str, ...]
    bound_to: tuple[object, ...]
    """What of the preview must still be so when it is done; JSON values."""

    @property
    def digest(self) -> str:
        """SHA-256 of the order and of its preview."""
        body = [_SCHEMA, self.order, self.request, self.host_id, self.bound_to]
        return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()


@dataclass(slots=True)
class Ticket:
    """An approved order, good for one time."""

    book: Book
    one: Waiting

    async def spend(self, tx: Tx, call: Call, run: str) -> None:
        """Note in the transaction of what it does what became of it, and in its event who approved it.

        Raises:
            Conflict: it was spent or refused meanwhile.
        """
        one = self.book.open_one(self.one.id)
        done = msgspec.structs.replace(one, state="done", run=run, ended_at=call.now)
        call.body |= {"approval": one.id, "approved_by": [said.by for said in one.said if said.ok]}
        await records.put(tx, done)
        tx.after_commit(lambda: self.book.show(done))


class Book:
    """All orders that wait.

    Args:
        may: whether an account still may do something.
        labels_of: labels of a host by its id, which decide who sees what waits; None: it is gone.
    """

    def __init__(
        self, store: Store, live: Live, clock: Clock, settings: ApprovalSettings, may: May, labels_of: Callable[[str], Mapping[str, str] | None],
    ) -> None:  # fmt: skip
        self._store = store
        self._live = live
        self._clock = clock
        self._settings = settings
        self._may = may
        self._all: dict[str, Waiting] = {}
        self._labels_of = labels_of

    async def start(self) -> None:
        """Read what waited when the engine ended."""
        async with self._store.write() as tx:
            await records.forget(tx, self._clock.now() - KEPT_SECONDS)
        for one in await records.read_all(self._store):
            self.show(one)

    def labels(self, one: Waiting) -> Mapping[str, str]:
        """Labels of its host."""
        return self._labels_of(one.host_id) or {"host": one.host}

    def wants(self, order: ApprovedOrder) -> bool:
        """Whether such an order waits for another person."""
        return order in self._settings.orders

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
        if not self.wants(wanted.order):
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
            same = await self._ask(call, wanted, digest, mine)
        void = await self.void_of(same)
        if self.counted(same, void) >= same.quorum:
            return Ticket(self, same)
        given = self.counted(same, void)
        lost = next(iter(void.values()), "")
        raise ApprovalNeeded(
            f"{same.words} It waits for the approval of another person ({given} of {same.quorum}) as {same.id}"
            f"{f'; an earlier one no longer holds: {lost}' if lost else '.'} When it is given, carry it out with :approvals or "
            f"`guardian-tui approvals go {same.id}`.",
            field=same.id,
        )

    async def _ask(self, call: Call, wanted: Wanted, digest: str, older: list[Waiting]) -> Waiting:
        if sum(one.open for one in self._all.values()) >= MOST_WAITING:
            raise TooManyRequests(f"{MOST_WAITING} orders wait for an approval already.")
        principal = call.principal
        assert principal is not None  # noqa: S101  # by ticket
        one = Waiting(
            secrets.token_hex(4), wanted.order, msgspec.Raw(msgspec.json.encode(wanted.request)), principal.account_id, principal.name, wanted.target,
            wanted.host_id, wanted.host, wanted.words, wanted.lines, digest, self._settings.quorum, call.now,
            call.now + self._settings.expires_seconds,
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
        check_another(principal, (one.account,), "Whoever asks for something does not approve it")
        if digest != one.digest:
            raise Conflict("What would be done is not what you looked at: read it again.", field="digest")
        said = Said(principal.account_id, principal.name, call.now, ok, one.expires_at, digest, note)
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
        enough = self.counted(now, await self.void_of(now)) >= now.quorum
        return msgspec.structs.replace(now, state="approved" if enough else "waiting")

    async def void_of(self, one: Waiting) -> dict[str, str]:
        """Account → why its approval counts no more."""
        now, found = self._clock.now(), {}
        for said in one.said:
            if said.ok and (
                why := await why_void(said, GIVE, now=now, may=self._may, digest=lambda: one.digest)
            ):
                found[said.account] = why
        return found

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
            if one.open and one.expires_at <= now:
                self.show(self._ended(one, "void", "It was not approved and carried out in time."))
            elif one.ended_at is not None and one.ended_at < now - SHOWN_SECONDS:
                del self._all[one.id]
                self._live.approvals.drop(one.id)

    def show(self, one: Waiting) -> None:
        """Put it, as it is now, before those who may see it."""
        self._all[one.id] = one
        self._live.approvals.put(one.id, view(one), self.labels(one))


def view(one: Waiting, void: Mapping[str, str] | None = None) -> Approval:
    """One as clients see it."""
    return Approval(
        id=one.id, order=one.order, target=one.target, host=one.host, words=one.words, lines=one.lines, digest=one.digest, by=one.by,
        asked_at=one.asked_at, expires_at=one.expires_at, state=one.state, quorum=one.quorum, why=one.why, run=one.run,
        given=tuple(
            GivenApproval(by=s.by, at=s.at, ok=s.ok, until=s.until, note=s.note, void=(void or {}).get(s.account, "")) for s in one.said
        ),
    )  # fmt: skip
