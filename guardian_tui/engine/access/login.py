"""Login: password and code, checked in the same time for everybody, each code once."""

from __future__ import annotations

import hmac
import os

from guardian_tui.engine.access import people
from guardian_tui.engine.access.codes import matching_step, new_totp_secret, seconds_to_next
from guardian_tui.engine.access.delays import Delays
from guardian_tui.engine.access.people import Person
from guardian_tui.engine.calls import Peer
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.vault.sealing import SALT_BYTES, SealBroken, Stretcher
from guardian_tui.engine.vault.vault import Vault
from guardian_tui.protocol.errors import LoginRefused, TooManyRequests

FREE_TRIES_ACCOUNT = 4
FREE_TRIES_PEER = 20
_DUMMY_SALT = os.urandom(SALT_BYTES)
_DUMMY_SECRET = new_totp_secret()
NOBODY = "(nobody's name)"
"""In an audit event, in place of a name that no account has: what was typed may be a password in the wrong field."""


class NameUnknown(LoginRefused):
    """Nobody's name: whoever asks is told the same."""


class Proof:
    """A password that was right, and a code that fits and is still to be used up.

    ``step`` is its TOTP step; None means that it is a recovery code.
    """

    def __init__(self, person: Person, data_key: bytes, code: str, step: int | None) -> None:
        self.person = person
        self.data_key = data_key
        self.code = code
        self.step = step


class Logins:
    """Checks passwords and codes, and slows down those who guess."""

    def __init__(self, store: Store, vault: Vault, clock: Clock, stretcher: Stretcher) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._stretcher = stretcher
        self._by_account = Delays(clock, FREE_TRIES_ACCOUNT)
        self._by_peer = Delays(clock, FREE_TRIES_PEER)

    def check_delay(self, name: str, peer: Peer) -> None:
        """Raise TooManyRequests while this peer, or this name from it, must wait."""
        wait = self._wait(name, peer)
        if wait > 0:
            raise TooManyRequests("Too many tries went wrong.", retry_after_seconds=wait)

    def _wait(self, name: str, peer: Peer) -> float:
        return max(
            self._by_account.wait_seconds(_account_key(name, peer)),
            self._by_peer.wait_seconds(_peer_key(peer)),
        )

    def begin(self, name: str, peer: Peer) -> None:
        """Begin a try: it counts as a failure until :meth:`welcome` takes that back.

        So a burst of tries at once is slowed down like tries one after the other.

        Raises:
            TooManyRequests: too many tries went wrong.
        """
        self.check_delay(name, peer)
        self._by_account.failed(_account_key(name, peer))
        self._by_peer.failed(_peer_key(peer))

    def refuse(self, name: str, peer: Peer) -> LoginRefused:
        """The error of a try that failed, the same whatever was wrong."""
        wait = self._wait(name, peer)
        soon = seconds_to_next(self._clock.now())
        return LoginRefused(
            f"Check name, password and code. Each code works once; the next comes in {soon:.0f} s.",
            retry_after_seconds=wait,
        )

    def welcome(self, name: str, peer: Peer) -> None:
        """Forget the failures of a name and a peer that got in."""
        self._by_account.succeeded(_account_key(name, peer))
        self._by_peer.succeeded(_peer_key(peer))

    async def prove(self, name: str, password: str, code: str, peer: Peer) -> Proof:
        """Check a password and a code; one argon2id run whoever asks.

        Raises:
            TooManyRequests: too many tries went wrong.
            LoginRefused: name, password or code is wrong.
        """
        self.begin(name, peer)
        async with self._store.read() as conn:
            person = await people.find(conn, name=name) if name else None
        who, verifier, salt, kdf = (
            (person.id, person.verifier, person.salt, person.kdf)
            if person
            else ("", bytes(32), _DUMMY_SALT, None)
        )
        stretched = await self._stretcher.stretch(password, salt, kdf)
        right = hmac.compare_digest(stretched.verifier, verifier)
        # all of what follows is done for a wrong password too: how long it takes must not tell which part was wrong
        data_key, secret = await self._unsealed(
            who, person.totp_sealed if person else b"", stretched.slot_key
        )
        step = matching_step(secret, code, self._clock.now())
        async with self._store.read() as conn:
            fits = await people.has_recovery_code(conn, who, code) or step is not None
        refusal = self.refuse(name, peer)
        if person is None:
            raise NameUnknown(refusal.detail, retry_after_seconds=refusal.retry_after_seconds)
        if not (right and data_key and fits and person.state == "active"):
            raise refusal
        return Proof(person, data_key, code, step)

    async def _unsealed(self, account_id: str, totp_sealed: bytes, slot_key: bytes) -> tuple[bytes, str]:
        """The data key and the TOTP secret; no key and a secret of nobody's if the slot key is wrong."""
        try:
            data_key = await self._vault.unwrap("account", account_id, slot_key)
            return data_key, self._vault.open(f"totp:{account_id}", totp_sealed, data_key).decode()
        except SealBroken:
            return b"", _DUMMY_SECRET

    async def unchanged(self, tx: Tx, person: Person, peer: Peer) -> Person:
        """Whose password was proved, as they are within the transaction.

        Raises:
            LoginRefused: what was proved has changed since: the account was closed, its password replaced.
        """
        now = await people.find(tx.conn, id=person.id)
        if now is None or now.state != "active" or now.verifier != person.verifier:
            raise self.refuse(person.name, peer)
        return now

    async def use(self, tx: Tx, proof: Proof, peer: Peer) -> Person:
        """Use up the code, in the transaction of what it was given for; answers whose it is, as they are within it.

        Raises:
            LoginRefused: it was used before, or is none.
        """
        now = await self.unchanged(tx, proof.person, peer)
        if proof.step is not None:
            used = await people.use_step(tx, proof.person.id, proof.step)
        else:
            used = await people.use_recovery_code(tx, proof.person.id, proof.code, self._clock.now())
        if not used:
            raise self.refuse(proof.person.name, peer)
        return now

    async def prove_code(self, person: Person, code: str, peer: Peer) -> Proof:
        """A code alone, of somebody who is logged in (step-up).

        Raises:
            TooManyRequests, LoginRefused: as :meth:`prove`.
            VaultLocked: after a restart of the engine nobody has logged in yet.
        """
        secret = self._vault.open(f"totp:{person.id}", person.totp_sealed).decode()
        self.begin(person.name, peer)
        step = matching_step(secret, code, self._clock.now())
        async with self._store.read() as conn:
            fits = await people.has_recovery_code(conn, person.id, code) or step is not None
        if not fits:
            raise self.refuse(person.name, peer)
        return Proof(person, b"", code, step)


def _account_key(name: str, peer: Peer) -> str:
    # by peer, or whoever may attach could keep anybody else out of their account by guessing at it
    return f"{_peer_key(peer)} {name}"


def _peer_key(peer: Peer) -> str:
    return f"{peer.address}:{peer.uid}"
