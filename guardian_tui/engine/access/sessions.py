"""Sessions: opaque tokens stored as hashes, bound to the peer's uid, with idle lock and absolute expiry."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, insert, select, update

from guardian_tui.config import AccessSettings
from guardian_tui.engine.access import people
from guardian_tui.engine.access.profiles import roles_of, scopes_of
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import NotYours, Peer, Principal, Scope
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import SessionEnded
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import sessions
from guardian_tui.protocol.access import Session, SessionKind
from guardian_tui.protocol.errors import NotAuthenticated, StoreUnavailable

TOUCH_WRITE_SECONDS = 30.0
"""The last key press is written at most so often."""
MOST_CACHED = 2048
STEP_SECONDS = 60.0
"""A clock that is set back by more was wrong before: a session from what is now the future is not believed."""

_ENDED = "Your session has ended; log in again."


@dataclass(slots=True)
class Known:
    """A session as the engine keeps it."""

    token_hash: bytes
    id: str
    account_id: str
    account: str
    profiles: tuple[str, ...]
    scopes: dict[str, Scope]
    kind: SessionKind
    peer_uid: int
    created_at: float
    expires_at: float
    last_seen_at: float
    fresh_until: float
    locked: bool
    written_at: float = 0.0


def hash_token(token: str) -> bytes:
    """What is stored of a token: it is random, so a plain hash will do."""
    return hashlib.sha256(token.encode()).digest()


class Sessions:
    """Opens, finds, locks and ends sessions."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        settings: AccessSettings,
        *,
        advisory: bool,
        engine_uid: int = 0,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._advisory = advisory
        self._above = (0, engine_uid)
        """Accounts that could go round the roles on every engine."""
        self._known: dict[bytes, Known] = {}
        self._changes = 0
        """Raised whenever what is stored of sessions or grants changed: what was read before must not be kept."""

    def view(self, known: Known, token: str = "") -> Session:
        """A session as its client sees it."""
        idle = self._settings.idle_seconds if known.kind == "tui" else known.expires_at - known.created_at
        return Session(
            id=known.id, account=known.account, profiles=known.profiles, permissions=tuple(sorted(known.scopes)),
            kind=known.kind, created_at=known.created_at, expires_at=known.expires_at, idle_seconds=idle,
            fresh_until=self._fresh_until(known), token=token, locked=known.locked,
            advisory=self._advisory or known.peer_uid in self._above,
            last_seen_at=known.last_seen_at, peer_uid=known.peer_uid,
        )  # fmt: skip

    async def open(self, tx: Tx, person: people.Person, kind: SessionKind, peer: Peer) -> tuple[Known, str]:
        """A new session and its token, in the login's transaction; known once that is committed."""
        now, token = self._clock.now(), secrets.token_urlsafe(32)
        life = self._settings.session_seconds if kind == "tui" else self._settings.cli_session_seconds
        digest = hash_token(token)
        known = Known(
            digest, digest.hex()[:16], person.id, person.name, tuple(g.profile for g in person.grants), scopes_of(person.grants),
            kind, peer.uid, now, now + life, now, now + self._settings.fresh_seconds, locked=False, written_at=now,
        )  # fmt: skip
        await tx.execute(insert(sessions), _row(known))
        tx.after_commit(lambda: self._keep(known))
        return known, token

    def _keep(self, known: Known) -> None:
        self._known[known.token_hash] = known
        while len(self._known) > MOST_CACHED:
            del self._known[next(iter(self._known))]

    async def find(self, token: str, peer: Peer) -> Known:
        """The session of a token.

        Raises:
            NotAuthenticated: there is none, it has ended, or the token is another uid's.
        """
        if not token:
            raise NotAuthenticated("Log in first.")
        digest = hash_token(token)
        known = self._known.get(digest) or await self._read(sessions.c.token_hash == digest)
        return self._checked(known, peer)

    async def find_by_id(self, id: str, peer: Peer) -> Known:
        """A session by its id, under whatever token it goes on: for streams, which outlive a step-up.

        Raises:
            NotAuthenticated: as :meth:`find`.
        """
        known = next((known for known in self._known.values() if known.id == id), None)
        return self._checked(known or await self._read(sessions.c.id == id), peer)

    async def _read(self, where: ColumnElement[bool]) -> Known | None:
        while True:
            before = self._changes
            known = await self._load(where)
            if known is None:
                return None
            # else it was ended or changed while it was read
            if self._changes == before:
                self._keep(known)
                return known

    def _checked(self, known: Known | None, peer: Peer) -> Known:
        now = self._clock.now()
        if known is None:
            raise NotAuthenticated(_ENDED)
        if known.peer_uid != peer.uid:
            raise NotYours(_ENDED, known.account, known.id)
        if now >= known.expires_at or known.created_at - now > STEP_SECONDS:
            self._known.pop(known.token_hash, None)
            self._bus.publish(SessionEnded(known.id, "expired"))
            raise NotAuthenticated(_ENDED)
        if not known.locked and self._idle(known, now):
            known.locked = True
            self._bus.publish(SessionEnded(known.id, "locked"))
        return known

    async def _load(self, where: ColumnElement[bool]) -> Known | None:
        async with self._store.read() as conn:
            query = select(sessions).where(where, sessions.c.ended_at.is_(None))
            row = (await conn.execute(query)).first()
            person = await people.find(conn, id=row.account_id) if row else None
        if row is None or person is None or person.state != "active":
            return None
        return _known(row, person)

    def _idle(self, known: Known, now: float) -> bool:
        idle = now - known.last_seen_at
        return known.kind == "tui" and not -STEP_SECONDS <= idle <= self._settings.idle_seconds

    def _fresh_until(self, known: Known) -> float:
        """Until when its second factor is fresh; 0 where it was given in what is now the future, and would be for as long as that is away."""
        longest = self._settings.fresh_seconds + STEP_SECONDS
        return known.fresh_until if known.fresh_until - self._clock.now() <= longest else 0.0

    def principal(self, known: Known) -> Principal:
        """The session as the gate sees it."""
        return Principal(
            known.account_id, known.account, known.id, known.peer_uid, known.kind, known.scopes,
            self._fresh_until(known), known.locked, known.expires_at, roles_of(known.scopes),
        )  # fmt: skip

    async def touch(self, known: Known) -> None:
        """A key was pressed: the idle lock is put off."""
        now = self._clock.now()
        known.last_seen_at = now
        if now - known.written_at < TOUCH_WRITE_SECONDS:
            return
        known.written_at = now
        try:
            async with self._store.write() as tx:
                own = update(sessions).where(sessions.c.token_hash == known.token_hash)
                await tx.execute(own.values(last_seen_at=now))
        except StoreUnavailable:
            # it holds in memory; a session is not to end because the disk is full
            return

    async def lock(self, tx: Tx, known: Known) -> None:
        """Lock a session.

        Raises:
            NotAuthenticated: it has ended meanwhile.
        """
        await self._change(tx, sessions.c.id == known.id, locked_at=self._clock.now())

        def done() -> None:
            self._changes += 1
            for one in self._held(known):
                one.locked = True
            self._bus.publish(SessionEnded(known.id, "locked"))

        tx.after_commit(done)

    async def unlock(self, tx: Tx, known: Known) -> None:
        """Open a locked session; a full login counts as a fresh second factor.

        Raises:
            NotAuthenticated: it has ended meanwhile.
        """
        now = self._clock.now()
        fresh = now + self._settings.fresh_seconds
        await self._change(tx, sessions.c.id == known.id, locked_at=None, last_seen_at=now, fresh_until=fresh)

        def done() -> None:
            self._changes += 1
            for one in self._held(known):
                one.locked, one.last_seen_at, one.fresh_until = False, now, fresh

        tx.after_commit(done)

    async def refresh(self, tx: Tx, known: Known, person: people.Person) -> tuple[Known, str]:
        """A fresh second factor: the session goes on under a new token, the old one is dead.

        Args:
            tx: the transaction that uses up the code.
            known: the session.
            person: whose it is, as they are within the transaction: what they may do may have changed since it was looked up.

        Raises:
            NotAuthenticated: it has ended meanwhile, or goes on under another token already.
        """
        now, token = self._clock.now(), secrets.token_urlsafe(32)
        digest = hash_token(token)
        fresh = now + self._settings.fresh_seconds
        await self._change(
            tx, sessions.c.token_hash == known.token_hash, token_hash=digest, fresh_until=fresh, last_seen_at=now
        )  # fmt: skip
        renewed = replace(
            known, token_hash=digest, fresh_until=fresh, last_seen_at=now,
            profiles=tuple(g.profile for g in person.grants), scopes=scopes_of(person.grants),
        )  # fmt: skip

        def done() -> None:
            self._changes += 1
            self._known.pop(known.token_hash, None)
            self._keep(renewed)

        tx.after_commit(done)
        return renewed, token

    async def end(
        self, tx: Tx, *, id: str = "", account_id: str = "", but: str = "", reason: str = "logout"
    ) -> int:
        """End one session, or all of an account ``but`` one; answers how many."""
        where = sessions.c.id == id if id else sessions.c.account_id == account_id
        done = await tx.execute(
            update(sessions)
            .where(where, sessions.c.id != but, sessions.c.ended_at.is_(None))
            .values(ended_at=self._clock.now())
        )

        def forget() -> None:
            self._changes += 1
            found = [
                k
                for k in self._known.values()
                if (k.id == id if id else k.account_id == account_id) and k.id != but
            ]
            for known in found:
                self._known.pop(known.token_hash, None)
                self._bus.publish(SessionEnded(known.id, "logout" if reason == "logout" else "revoked"))

        tx.after_commit(forget)
        return done.rowcount

    async def owner(self, tx: Tx, id: str) -> people.Person | None:
        """Whose session it is; None if there is none by this id."""
        account_id = (await tx.execute(select(sessions.c.account_id).where(sessions.c.id == id))).scalar()
        return await people.find(tx.conn, id=account_id) if account_id else None

    def reload(self, account_id: str) -> None:
        """Forget what is cached of an account's sessions: its grants have changed."""
        self._changes += 1
        for digest in [d for d, known in self._known.items() if known.account_id == account_id]:
            del self._known[digest]

    async def open_ones(self) -> list[Session]:
        """Sessions that are open, the newest first."""
        now = self._clock.now()
        async with self._store.read() as conn:
            names = {person.id: person for person in await people.everyone(conn)}
            query = select(sessions).where(
                sessions.c.ended_at.is_(None),
                sessions.c.expires_at > now,
                sessions.c.created_at <= now + STEP_SECONDS,
            )
            rows = (await conn.execute(query.order_by(sessions.c.created_at.desc()))).all()
        shown = []
        for row in rows:
            known = self._known.get(row.token_hash) or _known(row, names[row.account_id])
            view = self.view(known)
            locked = view.locked or self._idle(known, now)
            shown.append(msgspec.structs.replace(view, permissions=(), locked=locked))
        return shown

    async def _change(self, tx: Tx, which: ColumnElement[bool], **values: object) -> None:
        """Change a session that is open.

        Raises:
            NotAuthenticated: it is not, for another order was faster.
        """
        done = await tx.execute(update(sessions).where(which, sessions.c.ended_at.is_(None)).values(**values))
        if not done.rowcount:
            raise NotAuthenticated(_ENDED)

    def _held(self, known: Known) -> list[Known]:
        """All that stand in memory for a session: it may have been read anew meanwhile, or go on under another token."""
        return [known, *(one for one in self._known.values() if one.id == known.id)]


def _known(row: Any, person: people.Person) -> Known:  # Any: a row of sessions
    return Known(
        row.token_hash, row.id, person.id, person.name, tuple(g.profile for g in person.grants), scopes_of(person.grants), row.kind,
        row.peer_uid, row.created_at, row.expires_at, row.last_seen_at, row.fresh_until, row.locked_at is not None,
        row.last_seen_at,
    )  # fmt: skip


def _row(known: Known) -> dict[str, object]:
    return {
        "token_hash": known.token_hash, "id": known.id, "account_id": known.account_id, "kind": known.kind,
        "peer_uid": known.peer_uid, "created_at": known.created_at, "expires_at": known.expires_at,
        "last_seen_at": known.last_seen_at, "fresh_until": known.fresh_until,
    }  # fmt: skip
