"""The vault: one data key that seals every secret, wrapped once per slot that can open it.

Slots are a person's password, the printed recovery key, a pending enrolment, an entry of the machine's keyring and a systemd credential.
The data key is in memory from the first login (or, with one of the last two, from the start) until the engine stops; an idle lock locks a
session, not the vault.
"""

from __future__ import annotations

import secrets as random
from collections.abc import Awaitable, Callable

from sqlalchemy import delete, insert, select, update

from guardian_tui.engine.bus import Bus
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import SecretChanged, VaultUnlocked
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import accounts, secrets, vault_slots
from guardian_tui.engine.vault.references import resolve_outside
from guardian_tui.engine.vault.sealing import SealBroken, new_key, seal, unseal
from guardian_tui.protocol.errors import InvalidRequest, NotFound, VaultLocked
from guardian_tui.protocol.vault import Slot

AT_START = ("keyring", "credential")
"""Kinds of slots with which the engine opens the vault itself."""
_PERSONAL = ("account", "enrolment")
_SHELVED = "closed-"
"""Begins the kind of a slot whose account is closed."""


class Vault:
    """Seals and opens; knows nothing of people but their slots."""

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._key: bytes | None = None

    @property
    def locked(self) -> bool:
        """True until the first login after the engine's start."""
        return self._key is None

    def _need_key(self) -> bytes:
        if self._key is None:
            raise VaultLocked("Somebody must log in once after the engine's start; that opens the vault.")
        return self._key

    # --- the data key and its slots --------------------------------------------------------------

    def create(self) -> bytes:
        """A new data key, not yet in use; :meth:`adopt` it once its first slot is committed."""
        return new_key()

    def adopt(self, key: bytes) -> None:
        """Keep an unwrapped data key: the vault is open."""
        if self._key is None:
            self._key = key
            self._bus.publish(VaultUnlocked())

    async def add_slot(
        self, tx: Tx, kind: str, owner: str, salt: bytes, slot_key: bytes, data_key: bytes | None = None
    ) -> None:
        """Wrap the data key for one more opener; replaces the owner's slot of this kind."""
        key = data_key if data_key is not None else self._need_key()
        await self.remove_slot(tx, kind, owner)
        row = {
            "id": random.token_hex(8),
            "kind": kind,
            "owner": owner,
            "salt": salt,
            "wrapped": seal(slot_key, f"slot:{kind}:{owner}", key),
            "created_at": self._clock.now(),
        }
        await tx.execute(insert(vault_slots), row)

    async def remove_slot(self, tx: Tx, kind: str, owner: str) -> None:
        """Take an opener away."""
        await tx.execute(delete(vault_slots).where(vault_slots.c.kind == kind, vault_slots.c.owner == owner))

    async def shelve_slots(self, tx: Tx, owner: str) -> None:
        """Close an owner's slots: each is sealed once more under the data key, so that its own key alone opens nothing.

        Raises:
            VaultLocked: nobody has logged in yet.
        """
        await self._reseal(tx, owner, "", _SHELVED, self.seal)

    async def unshelve_slots(self, tx: Tx, owner: str) -> int:
        """Open an owner's shelved slots again; answers how many there were.

        Raises:
            VaultLocked: nobody has logged in yet.
        """
        return await self._reseal(tx, owner, _SHELVED, "", self.open)

    async def _reseal(
        self, tx: Tx, owner: str, old: str, new: str, change: Callable[[str, bytes], bytes]
    ) -> int:
        kinds = [old + kind for kind in _PERSONAL]
        query = select(vault_slots).where(vault_slots.c.owner == owner, vault_slots.c.kind.in_(kinds))
        rows = (await tx.execute(query)).all()
        for row in rows:
            kind = row.kind.removeprefix(_SHELVED)
            blob = change(f"{_SHELVED}{kind}:{owner}", row.wrapped)
            await tx.execute(
                update(vault_slots).where(vault_slots.c.id == row.id).values(kind=new + kind, wrapped=blob)
            )
        return len(rows)

    async def unwrap(self, kind: str, owner: str, slot_key: bytes) -> bytes:
        """The data key, by one slot.

        Raises:
            SealBroken: there is no such slot, or the key is not its.
        """
        async with self._store.read() as conn:
            query = select(vault_slots.c.wrapped).where(
                vault_slots.c.kind == kind, vault_slots.c.owner == owner
            )
            wrapped = (await conn.execute(query)).scalar()
        if wrapped is None:
            raise SealBroken("no such slot")
        return unseal(slot_key, f"slot:{kind}:{owner}", wrapped)

    async def slot_salt(self, kind: str, owner: str) -> bytes | None:
        """The salt of a slot, if there is one."""
        async with self._store.read() as conn:
            query = select(vault_slots.c.salt).where(vault_slots.c.kind == kind, vault_slots.c.owner == owner)
            return (await conn.execute(query)).scalar()

    async def slots(self) -> list[Slot]:
        """All slots, the oldest first; people by their names."""
        query = (
            select(vault_slots, accounts.c.name)
            .join(accounts, accounts.c.id == vault_slots.c.owner, isouter=True)
            .order_by(vault_slots.c.created_at, vault_slots.c.id)
        )
        async with self._store.read() as conn:
            rows = (await conn.execute(query)).all()
        return [
            Slot(
                id=row.id, kind=row.kind, owner=row.name or row.owner, created_at=row.created_at,
                at_start=row.kind in AT_START,
            )
            for row in rows
        ]  # fmt: skip

    # --- sealing -----------------------------------------------------------------------------------

    def seal(self, context: str, plain: bytes) -> bytes:
        """Seal bytes for one context (table, column and row).

        Raises:
            VaultLocked: nobody has logged in yet.
        """
        return seal(self._need_key(), context, plain)

    def open(self, context: str, sealed: bytes, key: bytes | None = None) -> bytes:
        """Open what was sealed for this context; with ``key``, before the vault is open.

        Raises:
            VaultLocked: nobody has logged in yet.
            SealBroken: damaged, or moved from another context.
        """
        return unseal(key if key is not None else self._need_key(), context, sealed)

    # --- secrets by name -----------------------------------------------------------------------------

    async def put_secret(self, tx: Tx, name: str, value: bytes) -> bool:
        """Seal a secret under a name; tells whether it replaced one that was there."""
        sealed, now = self.seal(f"secret:{name}", value), self._clock.now()
        done = await tx.execute(
            update(secrets).where(secrets.c.name == name).values(sealed=sealed, updated_at=now)
        )
        if not done.rowcount:
            await tx.execute(
                insert(secrets), {"name": name, "sealed": sealed, "created_at": now, "updated_at": now}
            )
        tx.after_commit(lambda: self._bus.publish(SecretChanged(name)))
        return bool(done.rowcount)

    async def secret(self, name: str) -> bytes:
        """A secret by its name.

        Raises:
            VaultLocked: nobody has logged in yet.
            NotFound: there is none of that name.
        """
        self._need_key()
        async with self._store.read() as conn:
            sealed = (await conn.execute(select(secrets.c.sealed).where(secrets.c.name == name))).scalar()
        if sealed is None:
            raise NotFound(f"The vault has no secret named {name}.")
        return self.open(f"secret:{name}", sealed)

    async def remove_secret(self, tx: Tx, name: str) -> None:
        """Destroy a secret.

        Raises:
            NotFound: there is none of that name.
        """
        done = await tx.execute(delete(secrets).where(secrets.c.name == name))
        if not done.rowcount:
            raise NotFound(f"The vault has no secret named {name}.")
        tx.after_commit(lambda: self._bus.publish(SecretChanged(name)))

    async def names(self) -> list[str]:
        """Names of all secrets."""
        async with self._store.read() as conn:
            return list((await conn.execute(select(secrets.c.name).order_by(secrets.c.name))).scalars())

    async def resolve(
        self, reference: str, outside: Callable[[str], Awaitable[str]] = resolve_outside
    ) -> str:
        """The secret that a reference of the config names.

        Raises:
            VaultLocked: it is in the vault, which is locked.
            NotFound: it is not there.
            InvalidRequest: it is no reference.
        """
        if reference.startswith("secret:"):
            value = await self.secret(reference.removeprefix("secret:"))
            try:
                return value.decode()
            except UnicodeDecodeError as error:
                raise InvalidRequest(f"{reference} is not text.") from error
        return await outside(reference)
