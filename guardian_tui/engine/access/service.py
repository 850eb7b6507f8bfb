"""Access as the engine sees it: authentication for the gate, and the orders of people."""

from __future__ import annotations

import hmac
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from guardian_tui.config import AccessSettings
from guardian_tui.engine.access import codes, people
from guardian_tui.engine.access.cleaning import Cleaning
from guardian_tui.engine.access.enrolment import Enrolments
from guardian_tui.engine.access.first_code import FirstCode
from guardian_tui.engine.access.login import NOBODY, Logins, NameUnknown
from guardian_tui.engine.access.passwords import check_password
from guardian_tui.engine.access.people import Person
from guardian_tui.engine.access.profiles import (
    PROFILES,
    check_grants,
    contains,
    is_admin,
    scopes_of,
)
from guardian_tui.engine.access.sessions import Known, Sessions
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import Call, Handler, Peer, Principal
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import AgentOffered
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.vault.sealing import SALT_BYTES, Stretcher
from guardian_tui.engine.vault.vault import Vault
from guardian_tui.protocol import access as wire
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.errors import (
    AuditUnavailable,
    Conflict,
    LoginRefused,
    LoginUnavailable,
    NotFound,
    PermissionDenied,
    StoreUnavailable,
)
from guardian_tui.text import safe


@asynccontextmanager
async def _same_for_all() -> AsyncIterator[None]:
    """While the store can't be used, right credentials get the answer that wrong ones get (from dispatch)."""
    try:
        yield
    except (StoreUnavailable, AuditUnavailable) as error:
        raise LoginUnavailable from error


class Access:
    """People and sessions.

    Args:
        store, vault, bus, clock: the engine's.
        settings: lives and lengths.
        engine_uid: the uid that the engine runs as; only it (or root) makes the first admin.
        advisory: roles are advisory, since people run this engine under their own uid.
        stretcher: runs argon2id; tests hand in a cheap one.
        first_code: of a shared engine's first admin.
    """

    def __init__(
        self, store: Store, vault: Vault, bus: Bus, clock: Clock, settings: AccessSettings, *, engine_uid: int,
        advisory: bool, stretcher: Stretcher | None = None, first_code: FirstCode | None = None,
    ) -> None:  # fmt: skip
        self._store = store
        self._vault = vault
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._stretcher = stretcher or Stretcher()
        self._sessions = Sessions(store, bus, clock, settings, advisory=advisory, engine_uid=engine_uid)
        self._logins = Logins(store, vault, clock, self._stretcher)
        self._enrolments = Enrolments(
            store, vault, clock, self._stretcher, self._logins, self._sessions,
            shortest_password=settings.password_min_length, engine_uid=engine_uid,
            first_code=None if advisory else first_code,
        )  # fmt: skip
        self._cleaning = Cleaning(store, settings.keep_days * 86400.0)

    async def start(self) -> None:
        """Begin to remove what has been over for long."""
        await self._cleaning.start()

    async def stop(self) -> None:
        """End."""
        await self._cleaning.stop()

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "setup.begin": self._enrolments.begin_first, "setup.confirm": self._enrolments.confirm,
            "enrol.begin": self._enrolments.begin_invited, "enrol.confirm": self._enrolments.confirm,
            "login": self.login, "session": self.session, "session.attach": self.attach, "session.touch": self.touch,
            "session.lock": self.lock, "session.unlock": self.unlock, "session.step_up": self.step_up, "logout": self.logout,
            "sessions.list": self.list_sessions, "sessions.revoke": self.revoke, "password.change": self.change_password,
            "recovery.renew": self.renew_recovery, "accounts.list": self.list_accounts, "accounts.invite": self.invite,
            "accounts.grants": self.set_grants, "accounts.disable": self.disable, "accounts.enable": self.enable,
            "profiles.list": self.list_profiles,
        }  # fmt: skip

    async def authenticate(self, token: str, peer: Peer) -> Principal:
        """The principal of a bearer token, for the gate and for open streams.

        Raises:
            NotAuthenticated: there is no such session for this peer.
        """
        return self._sessions.principal(await self._sessions.find(token, peer))

    async def still(self, session_id: str, peer: Peer) -> Principal:
        """The principal of a session that a stream was opened for, under whatever token it goes on by now.

        Raises:
            NotAuthenticated: it has ended.
        """
        return self._sessions.principal(await self._sessions.find_by_id(session_id, peer))

    async def why_not(
        self, account_id: str, permission: str, hosts: Sequence[Mapping[str, str]] = (), /
    ) -> str:
        """Why an account may not do something now, whether or not somebody is logged in; empty: it may, on each of these hosts.

        Args:
            account_id: whose.
            permission: for what.
            hosts: labels of the hosts; none: it is enough that it may on some.
        """
        async with self._store.read() as conn:
            person = await people.find(conn, id=account_id)
        if person is None:
            return "There is no such account any more."
        if person.state != "active":
            return f"The account {person.name} is closed."
        scope = scopes_of(person.grants).get(permission)
        if scope is None:
            return f"{person.name} may no longer do that."
        lost = next((labels for labels in hosts if not scope.covers(labels)), None)
        return (
            "" if lost is None else f"{person.name} may no longer do that on {lost.get('host', 'that host')}."
        )

    def wants_code(self, peer: Peer) -> bool:
        """Whether this peer can make the first admin only with the code that `engine install` printed."""
        return self._enrolments.wants_code(peer)

    async def is_set_up(self) -> bool:
        """Whether there is an account."""
        async with self._store.read() as conn:
            return await people.count(conn) > 0

    # --- one's own session -------------------------------------------------------------------------

    @_same_for_all()
    async def login(self, call: Call, request: wire.Login) -> wire.Session:
        """`login`: a session for name, password and code."""
        call.target = safe(request.name, 64)
        name = request.name.strip().lower()
        try:
            proof = await self._logins.prove(name, request.password, request.code.strip(), call.peer)
        except NameUnknown:
            call.target = NOBODY
            raise
        async with call.change(name, actor=name, body={"kind": request.kind}) as tx:
            person = await self._logins.use(tx, proof, call.peer)
            known, token = await self._sessions.open(tx, person, request.kind, call.peer)
            await people.logged_in(tx, proof.person.id, call.now)
            tx.after_commit(lambda: self._vault.adopt(proof.data_key))
        self._logins.welcome(name, call.peer)
        self._offer_agent(request.agent_socket, call.peer)
        return self._sessions.view(known, token)

    def _offer_agent(self, path: str, peer: Peer) -> None:
        if path.startswith("/"):
            self._bus.publish(AgentOffered(path, peer.uid))

    async def _mine(self, call: Call) -> Known:
        return await self._sessions.find(call.token, call.peer)

    async def session(self, call: Call, request: Nothing) -> wire.Session:
        """`session`: mine."""
        return self._sessions.view(await self._mine(call))

    async def attach(self, call: Call, request: wire.Attach) -> wire.Session:
        """`session.attach`: a client hands over its ssh-agent."""
        known = await self._mine(call)
        self._offer_agent(request.agent_socket, call.peer)
        return self._sessions.view(known)

    async def touch(self, call: Call, request: Nothing) -> wire.Session:
        """`session.touch`: the idle lock is put off."""
        known = await self._mine(call)
        await self._sessions.touch(known)
        return self._sessions.view(known)

    async def lock(self, call: Call, request: Nothing) -> Done:
        """`session.lock`: by hand."""
        known = await self._mine(call)
        async with call.change(known.account) as tx:
            await self._sessions.lock(tx, known)
        return Done()

    @_same_for_all()
    async def unlock(self, call: Call, request: wire.Unlock) -> wire.Session:
        """`session.unlock`: password and code, as at login."""
        known = await self._mine(call)
        call.target = known.account
        proof = await self._logins.prove(known.account, request.password, request.code.strip(), call.peer)
        async with call.change(known.account) as tx:
            await self._logins.use(tx, proof, call.peer)
            await self._sessions.unlock(tx, known)
            tx.after_commit(lambda: self._vault.adopt(proof.data_key))
        self._logins.welcome(known.account, call.peer)
        return self._sessions.view(known)

    @_same_for_all()
    async def step_up(self, call: Call, request: wire.StepUp) -> wire.Session:
        """`session.step_up`: a fresh code; the session goes on under a new token."""
        known = await self._mine(call)
        call.target = known.account
        proof = await self._logins.prove_code(
            await self._person(known.account_id), request.code.strip(), call.peer
        )
        async with call.change(known.account) as tx:
            person = await self._logins.use(tx, proof, call.peer)
            renewed, token = await self._sessions.refresh(tx, known, person)
        self._logins.welcome(known.account, call.peer)
        return self._sessions.view(renewed, token)

    async def logout(self, call: Call, request: Nothing) -> Done:
        """`logout`: end my session."""
        known = await self._mine(call)
        async with call.change(known.account) as tx:
            await self._sessions.end(tx, id=known.id)
        return Done()

    @_same_for_all()
    async def change_password(self, call: Call, request: wire.ChangePassword) -> Done:
        """`password.change`: my own; my slot of the vault is wrapped anew, my other sessions end."""
        known = await self._mine(call)
        person = await self._person(known.account_id)
        self._logins.begin(person.name, call.peer)
        old = await self._stretcher.stretch(request.old, person.salt, person.kdf)
        if not hmac.compare_digest(old.verifier, person.verifier):
            raise self._logins.refuse(person.name, call.peer)
        check_password(request.new, person.name, self._settings.password_min_length)
        salt = os.urandom(SALT_BYTES)
        new = await self._stretcher.stretch(request.new, salt)
        async with call.change(person.name) as tx:
            await self._logins.unchanged(tx, person, call.peer)
            await people.set_password(tx, person.id, salt, self._stretcher.parameters, new.verifier)
            await self._vault.add_slot(tx, "account", person.id, salt, new.slot_key)
            await self._sessions.end(tx, account_id=person.id, but=known.id, reason="revoked")
        self._logins.welcome(person.name, call.peer)
        return Done()

    async def renew_recovery(self, call: Call, request: Nothing) -> wire.RecoveryCodes:
        """`recovery.renew`: ten new codes."""
        known, renewed = await self._mine(call), codes.new_recovery_codes()
        async with call.change(known.account) as tx:
            await people.set_recovery_codes(tx, known.account_id, renewed)
        return wire.RecoveryCodes(codes=renewed)

    # --- other people ----------------------------------------------------------------------------------

    async def list_sessions(self, call: Call, request: Nothing) -> wire.SessionList:
        """`sessions.list`."""
        return wire.SessionList(sessions=tuple(await self._sessions.open_ones()))

    async def revoke(self, call: Call, request: wire.SessionRef) -> Done:
        """`sessions.revoke`."""
        async with call.change(request.session) as tx:
            owner = await self._sessions.owner(tx, request.session)
            if owner is not None:
                self._check_held(call, owner.grants)
            _at_least_one(await self._sessions.end(tx, id=request.session, reason="revoked"))
        return Done()

    async def list_accounts(self, call: Call, request: Nothing) -> wire.AccountList:
        """`accounts.list`."""
        async with self._store.read() as conn:
            return wire.AccountList(accounts=tuple(person.view() for person in await people.everyone(conn)))

    async def invite(self, call: Call, request: wire.Invite) -> wire.Invited:
        """`accounts.invite`: an account and the code with which its person enrols."""
        people.check_name(request.name)
        grants = _grants(request.grants)
        self._check_held(call, grants)
        code, salt, now = codes.new_enrolment_code(), os.urandom(SALT_BYTES), self._clock.now()
        stretched = await self._stretcher.stretch(codes.normal(code), salt)
        expires = now + self._settings.enrolment_seconds
        person = Person(
            people.new_id(), request.name, "invited", salt, self._stretcher.parameters, stretched.verifier, b"", expires, now,
            None, grants,
        )  # fmt: skip
        async with call.change(request.name, body={"grants": _words(grants)}) as tx:
            if await people.find(tx.conn, name=request.name):
                raise Conflict(f"There is an account {request.name} already.", field="name")
            await people.add(tx, person)
            await self._vault.add_slot(tx, "enrolment", person.id, salt, stretched.slot_key)
        return wire.Invited(account=person.view(), enrolment_code=code, expires_at=expires)

    async def set_grants(self, call: Call, request: wire.SetGrants) -> wire.Account:
        """`accounts.grants`: replace what a person may do."""
        grants = _grants(request.grants)
        self._check_held(call, grants)
        async with call.change(request.account, body={"grants": _words(grants)}) as tx:
            person = await self._named(tx, request.account)
            self._check_held(call, person.grants)
            call.body["before"] = _words(person.grants)
            if is_admin(person.grants) and not is_admin(grants):
                await self._keep_an_admin(tx, person)
            await people.set_grants(tx, person.id, grants)
            tx.after_commit(lambda: self._sessions.reload(person.id))
        return (await self._person(person.id)).view()

    async def disable(self, call: Call, request: wire.AccountRef) -> Done:
        """`accounts.disable`: close an account, its slots and its sessions; password and authenticator are kept."""
        async with call.change(request.account) as tx:
            person = await self._named(tx, request.account)
            self._check_held(call, person.grants)
            if is_admin(person.grants):
                await self._keep_an_admin(tx, person)
            await people.set_state(tx, person.id, "disabled")
            await self._vault.shelve_slots(tx, person.id)
            await self._sessions.end(tx, account_id=person.id, reason="revoked")
        return Done()

    async def enable(self, call: Call, request: wire.AccountRef) -> Done:
        """`accounts.enable`: open a closed account; its old sessions stay ended."""
        async with call.change(request.account) as tx:
            person = await self._named(tx, request.account)
            self._check_held(call, person.grants)
            if person.state != "disabled":
                raise Conflict(f"The account {person.name} is not closed.")
            if not await self._vault.unshelve_slots(tx, person.id):
                raise Conflict(
                    f"The vault has no slot of {person.name} any more: invite them under another name."
                )
            # who never ended the enrolment goes on with that
            await people.set_state(tx, person.id, "active" if person.totp_sealed else "invited")
        return Done()

    async def list_profiles(self, call: Call, request: Nothing) -> wire.ProfileList:
        """`profiles.list`."""
        return wire.ProfileList(
            profiles=tuple(
                wire.Profile(name=name, permissions=tuple(sorted(held)), help=words)
                for name, (held, words) in PROFILES.items()
            )
        )

    async def _person(self, account_id: str) -> Person:
        async with self._store.read() as conn:
            person = await people.find(conn, id=account_id)
        if person is None:
            raise LoginRefused("The account is gone.")
        return person

    async def _named(self, tx: Tx, account: str) -> Person:
        # an id first: no name may stand for somebody else's account
        person = await people.find(tx.conn, id=account) or await people.find(tx.conn, name=account)
        if person is None:
            raise NotFound(f"There is no account {safe(account, 64)}.")
        return person

    async def _keep_an_admin(self, tx: Tx, leaving: Person) -> None:
        others = [
            p
            for p in await people.everyone(tx.conn)
            if p.id != leaving.id and p.state == "active" and is_admin(p.grants)
        ]
        if not others:
            raise Conflict("This is the last admin; make another one first.")

    def _check_held(self, call: Call, grants: tuple[wire.Grant, ...]) -> None:
        """Nobody gives, or takes away, what they don't hold themselves on all the hosts that it is about."""
        held = call.principal.scopes if call.principal else {}
        missing = sorted(
            {
                permission
                for grant in grants
                for permission, scope in scopes_of([grant]).items()
                if permission not in held or not contains(held[permission], scope)
            }
        )
        if missing:
            raise PermissionDenied(
                f"You don't hold this yourself on all of these hosts: {', '.join(missing)}."
            )


def _at_least_one(ended: int) -> None:
    """Raise NotFound, which takes the transaction back, unless a session was ended."""
    if not ended:
        raise NotFound("There is no such open session.")


def _grants(wanted: tuple[wire.GrantSpec, ...]) -> tuple[wire.Grant, ...]:
    grants = tuple(wire.Grant(profile=spec.profile, scope=" ".join(spec.scope.split())) for spec in wanted)
    check_grants(grants)
    return grants


def _words(grants: tuple[wire.Grant, ...]) -> list[str]:
    return [f"{grant.profile} {grant.scope}".strip() for grant in grants]
