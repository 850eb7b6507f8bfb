"""First start, and the first login of an invited person: password, then the authenticator, confirmed by a code."""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass

from guardian_tui.engine.access import codes, people
from guardian_tui.engine.access.first_code import FirstCode
from guardian_tui.engine.access.login import NOBODY, Logins
from guardian_tui.engine.access.passwords import check_password
from guardian_tui.engine.access.people import Person
from guardian_tui.engine.access.sessions import Sessions
from guardian_tui.engine.calls import Call, Peer
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.vault.sealing import (
    SALT_BYTES,
    KdfParameters,
    SealBroken,
    Stretched,
    Stretcher,
    derive,
    seal,
)
from guardian_tui.engine.vault.vault import Vault
from guardian_tui.protocol.access import BeginEnrolment, ConfirmEnrolment, Enrolled, Enrolment, Grant, SetUp
from guardian_tui.protocol.errors import Conflict, NotFound, PermissionDenied, TooManyRequests

PENDING_SECONDS = 600.0
MOST_PENDING = 64
TRIES = 10
_FIRST = "(the first admin)"
"""Under what name wrong codes of a first admin are counted; no account can have it."""


@dataclass(slots=True)
class _Pending:
    """An enrolment between its password and its first code; in memory only."""

    person_id: str
    name: str
    salt: bytes
    kdf: KdfParameters
    stretched: Stretched
    secret: str
    data_key: bytes
    peer_uid: int
    expires_at: float
    first: bool
    tries: int = 0


class Enrolments:
    """Begins and confirms enrolments."""

    def __init__(
        self, store: Store, vault: Vault, clock: Clock, stretcher: Stretcher, logins: Logins, sessions: Sessions,
        *, shortest_password: int, engine_uid: int, first_code: FirstCode | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self._vault = vault
        self._clock = clock
        self._stretcher = stretcher
        self._logins = logins
        self._sessions = sessions
        self._shortest = shortest_password
        self._engine_uid = engine_uid
        self._first_code = first_code
        self._pending: dict[str, _Pending] = {}

    async def begin_first(self, call: Call, request: SetUp) -> Enrolment:
        """`setup.begin`: the first admin chooses a name and a password."""
        self._check_may_be_first(call, request.code)
        await self._check_first()
        people.check_name(request.name)
        check_password(request.password, request.name, self._shortest)
        salt = os.urandom(SALT_BYTES)
        stretched = await self._stretcher.stretch(request.password, salt)
        return self._keep(
            request.name, people.new_id(), salt, stretched, self._vault.create(), call.peer, first=True
        )

    def wants_code(self, peer: Peer) -> bool:
        """Whether this peer can make the first admin only with the code that `engine install` printed."""
        return self._first_code is not None and peer.uid not in (self._engine_uid, 0)

    def _check_may_be_first(self, call: Call, code: str) -> None:
        if call.peer.uid in (self._engine_uid, 0):
            return
        if self._first_code is None:
            raise PermissionDenied("Only the account that the engine runs as can make the first admin.")
        # guessing is slowed down as a login's is
        self._logins.begin(_FIRST, call.peer)
        if not self._first_code.fits(code, self._clock.now()):
            self._logins.refuse(_FIRST, call.peer)
            call.target = "the first admin"
            raise PermissionDenied(
                "The first admin of a shared engine is made by root, or with the one-time code that `guardian-tui engine install` printed. "
                "`guardian-tui engine first-code`, by root, prints another."
            )
        self._logins.welcome(_FIRST, call.peer)

    async def _check_first(self) -> None:
        async with self._store.read() as conn:
            accounts = await people.count(conn)
        if accounts:
            raise Conflict("The first admin exists already; log in, or ask an admin to invite you.")

    async def begin_invited(self, call: Call, request: BeginEnrolment) -> Enrolment:
        """`enrol.begin`: an invited person shows the code and chooses a password."""
        call.target = request.name
        check_password(request.password, request.name, self._shortest)
        self._logins.begin(request.name, call.peer)
        async with self._store.read() as conn:
            person = await people.find(conn, name=request.name)
        call.target = request.name if person else NOBODY
        invited = person is not None and person.state == "invited"
        salt = person.salt if person and invited else bytes(SALT_BYTES)
        given = await self._stretcher.stretch(codes.normal(request.enrolment_code), salt)
        right = hmac.compare_digest(given.verifier, person.verifier if person and invited else bytes(32))
        if person is None or not right or (person.enrolment_expires_at or 0) < self._clock.now():
            raise self._logins.refuse(request.name, call.peer)
        try:
            data_key = await self._vault.unwrap("enrolment", person.id, given.slot_key)
        except SealBroken:
            raise self._logins.refuse(request.name, call.peer) from None
        new_salt = os.urandom(SALT_BYTES)
        stretched = await self._stretcher.stretch(request.password, new_salt)
        return self._keep(request.name, person.id, new_salt, stretched, data_key, call.peer, first=False)

    def _keep(
        self,
        name: str,
        person_id: str,
        salt: bytes,
        stretched: Stretched,
        data_key: bytes,
        peer: Peer,
        *,
        first: bool,
    ) -> Enrolment:
        now = self._clock.now()
        for token in [t for t, pending in self._pending.items() if pending.expires_at < now]:
            del self._pending[token]
        if len(self._pending) >= MOST_PENDING:
            raise TooManyRequests("Too many enrolments are under way.", retry_after_seconds=60)
        token, secret = secrets.token_urlsafe(24), codes.new_totp_secret()
        self._pending[token] = _Pending(
            person_id, name, salt, self._stretcher.parameters, stretched, secret, data_key, peer.uid, now + PENDING_SECONDS, first
        )  # fmt: skip
        return Enrolment(token=token, secret=secret, uri=codes.totp_uri(secret, name))

    async def confirm(self, call: Call, request: ConfirmEnrolment) -> Enrolled:
        """`setup.confirm` and `enrol.confirm`: one code ends it and logs in."""
        pending = self._pending.get(request.token)
        if pending is None or pending.peer_uid != call.peer.uid or pending.expires_at < self._clock.now():
            raise NotFound("This enrolment has run out (ten minutes); begin again.")
        if pending.first != (call.route.name == "setup.confirm"):
            raise NotFound("This enrolment is of another kind; begin again.")
        pending.tries += 1
        self._logins.begin(pending.name, call.peer)
        step = codes.matching_step(pending.secret, request.code, self._clock.now())
        if step is None:
            if pending.tries >= TRIES:
                del self._pending[request.token]
            raise self._logins.refuse(pending.name, call.peer)
        enrolled = await (self._finish_first if pending.first else self._finish_invited)(
            call, request, pending, step
        )
        self._pending.pop(request.token, None)
        self._logins.welcome(pending.name, call.peer)
        return enrolled

    async def _finish_first(
        self, call: Call, request: ConfirmEnrolment, pending: _Pending, step: int
    ) -> Enrolled:
        await self._check_first()
        now, key = self._clock.now(), codes.new_recovery_key()
        recovery = codes.new_recovery_codes()
        sealed = seal(pending.data_key, f"totp:{pending.person_id}", pending.secret.encode())
        person = Person(
            pending.person_id, pending.name, "active", pending.salt, pending.kdf, pending.stretched.verifier, sealed, None, now,
            None, (Grant(profile="admin"),),
        )  # fmt: skip
        salt = os.urandom(SALT_BYTES)
        async with call.change(pending.name, actor=pending.name, body={"first": True}) as tx:
            # within the transaction: two who set up at once
            if await people.count(tx.conn):
                raise Conflict("The first admin exists already.")
            await people.add(tx, person)
            await self._vault.add_slot(
                tx, "account", person.id, person.salt, pending.stretched.slot_key, pending.data_key
            )
            await self._vault.add_slot(tx, "recovery", "key", salt, recovery_slot_key(key), pending.data_key)
            await people.use_step(tx, person.id, step)
            await people.set_recovery_codes(tx, person.id, recovery)
            await people.logged_in(tx, person.id, call.now)
            known, token = await self._sessions.open(tx, person, request.kind, call.peer)
            tx.after_commit(lambda: self._vault.adopt(pending.data_key))
        if self._first_code is not None:
            self._first_code.spend()
        return Enrolled(session=self._sessions.view(known, token), recovery_codes=recovery, recovery_key=key)

    async def _finish_invited(
        self, call: Call, request: ConfirmEnrolment, pending: _Pending, step: int
    ) -> Enrolled:
        recovery = codes.new_recovery_codes()
        sealed = seal(pending.data_key, f"totp:{pending.person_id}", pending.secret.encode())
        async with call.change(pending.name, actor=pending.name) as tx:
            person = await people.find(tx.conn, id=pending.person_id)
            if person is None or person.state != "invited":
                raise NotFound("This enrolment was ended meanwhile.")
            await people.set_password(
                tx, person.id, pending.salt, pending.kdf, pending.stretched.verifier, sealed
            )
            await self._vault.remove_slot(tx, "enrolment", person.id)
            await self._vault.add_slot(
                tx, "account", person.id, pending.salt, pending.stretched.slot_key, pending.data_key
            )
            await people.use_step(tx, person.id, step)
            await people.set_recovery_codes(tx, person.id, recovery)
            await people.logged_in(tx, person.id, call.now)
            known, token = await self._sessions.open(tx, person, request.kind, call.peer)
            tx.after_commit(lambda: self._vault.adopt(pending.data_key))
        return Enrolled(session=self._sessions.view(known, token), recovery_codes=recovery)


def recovery_slot_key(recovery_key: str) -> bytes:
    """The slot key of a recovery key; it is random, so HKDF alone will do."""
    return derive(codes.normal(recovery_key).encode(), b"recovery")
