"""Accounts in the store."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from guardian_tui.engine.access.codes import recovery_hash
from guardian_tui.engine.store.database import Tx
from guardian_tui.engine.store.tables import accounts, grants, recovery_codes
from guardian_tui.engine.vault.sealing import KdfParameters
from guardian_tui.protocol.access import Account, AccountState, Grant
from guardian_tui.protocol.errors import InvalidRequest

_ID_BYTES = 8
_LIKE_AN_ID = re.compile(rf"[0-9a-f]{{{2 * _ID_BYTES}}}")


def new_id() -> str:
    """A random id for an account."""
    return secrets.token_hex(_ID_BYTES)


def check_name(name: str) -> None:
    """Raise InvalidRequest for a name that could be taken for an account's id."""
    if _LIKE_AN_ID.fullmatch(name):
        raise InvalidRequest(
            f"{name} looks like the id of an account; choose a name with another letter in it.", field="name"
        )


@dataclass(frozen=True, slots=True)
class Person:
    """An account with what its login needs."""

    id: str
    name: str
    state: AccountState
    salt: bytes
    kdf: KdfParameters
    verifier: bytes
    totp_sealed: bytes
    enrolment_expires_at: float | None
    created_at: float
    last_login_at: float | None
    grants: tuple[Grant, ...]

    def view(self) -> Account:
        """The account as others see it."""
        return Account(
            id=self.id, name=self.name, grants=self.grants, state=self.state, created_at=self.created_at,
            last_login_at=self.last_login_at,
        )  # fmt: skip


async def find(conn: AsyncConnection, *, name: str = "", id: str = "") -> Person | None:
    """An account by name or by id."""
    where = accounts.c.name == name if name else accounts.c.id == id
    return next(iter(await _select(conn, where)), None)


async def everyone(conn: AsyncConnection) -> list[Person]:
    """All accounts, by name."""
    return await _select(conn, accounts.c.id == accounts.c.id)


async def count(conn: AsyncConnection) -> int:
    """How many accounts there are."""
    return int((await conn.execute(select(func.count()).select_from(accounts))).scalar() or 0)


async def _select(conn: AsyncConnection, where: object) -> list[Person]:
    rows = (await conn.execute(select(accounts).where(where).order_by(accounts.c.name))).all()  # type: ignore[arg-type]  # a column expression
    ids = [row.id for row in rows]
    held: dict[str, list[Grant]] = {id: [] for id in ids}
    query = select(grants).where(grants.c.account_id.in_(ids)).order_by(grants.c.account_id, grants.c.place)
    for grant in await conn.execute(query):
        held[grant.account_id].append(Grant(profile=grant.profile, scope=grant.scope))
    return [
        Person(
            row.id, row.name, row.state, row.salt, msgspec.json.decode(row.kdf, type=KdfParameters), row.verifier, row.totp_sealed,
            row.enrolment_expires_at, row.created_at, row.last_login_at, tuple(held[row.id]),
        )
        for row in rows
    ]  # fmt: skip


async def add(tx: Tx, person: Person) -> None:
    """Insert an account and its grants."""
    row = {
        "id": person.id, "name": person.name, "state": person.state, "salt": person.salt,
        "kdf": msgspec.json.encode(person.kdf).decode(), "verifier": person.verifier, "totp_sealed": person.totp_sealed,
        "enrolment_expires_at": person.enrolment_expires_at, "created_at": person.created_at,
    }  # fmt: skip
    await tx.execute(insert(accounts), row)
    await set_grants(tx, person.id, person.grants)


async def set_grants(tx: Tx, account_id: str, held: Sequence[Grant]) -> None:
    """Replace an account's grants."""
    await tx.execute(delete(grants).where(grants.c.account_id == account_id))
    rows = [
        {"account_id": account_id, "place": place, "profile": grant.profile, "scope": grant.scope}
        for place, grant in enumerate(held)
    ]
    await tx.execute(insert(grants), rows)


async def set_password(
    tx: Tx,
    account_id: str,
    salt: bytes,
    kdf: KdfParameters,
    verifier: bytes,
    totp_sealed: bytes | None = None,
) -> None:
    """Replace what a login is compared with; with a TOTP secret, the account is active from now on."""
    values: dict[str, object] = {"salt": salt, "kdf": msgspec.json.encode(kdf).decode(), "verifier": verifier}
    if totp_sealed is not None:
        values |= {
            "totp_sealed": totp_sealed,
            "state": "active",
            "enrolment_expires_at": None,
            "last_step": 0,
        }
    await tx.execute(update(accounts).where(accounts.c.id == account_id).values(**values))


async def set_state(tx: Tx, account_id: str, state: AccountState) -> None:
    """Open or close an account."""
    await tx.execute(update(accounts).where(accounts.c.id == account_id).values(state=state))


async def use_step(tx: Tx, account_id: str, step: int) -> bool:
    """Take a TOTP step; False if it, or a later one, was used before."""
    done = await tx.execute(
        update(accounts)
        .where(accounts.c.id == account_id, accounts.c.last_step < step)
        .values(last_step=step)
    )
    return done.rowcount == 1


async def has_recovery_code(conn: AsyncConnection, account_id: str, code: str) -> bool:
    """Whether a recovery code is there and was not used; :func:`use_recovery_code` takes it."""
    query = select(recovery_codes.c.hash).where(
        recovery_codes.c.account_id == account_id,
        recovery_codes.c.hash == recovery_hash(account_id, code),
        recovery_codes.c.used_at.is_(None),
    )
    return (await conn.execute(query)).first() is not None


async def use_recovery_code(tx: Tx, account_id: str, code: str, now: float) -> bool:
    """Take a recovery code; False if there is no such code, or it was used before."""
    done = await tx.execute(
        update(recovery_codes)
        .where(
            recovery_codes.c.account_id == account_id,
            recovery_codes.c.hash == recovery_hash(account_id, code),
            recovery_codes.c.used_at.is_(None),
        )
        .values(used_at=now)
    )
    return done.rowcount == 1


async def set_recovery_codes(tx: Tx, account_id: str, codes: Sequence[str]) -> None:
    """Replace the recovery codes."""
    await tx.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))
    rows = [{"account_id": account_id, "hash": recovery_hash(account_id, code)} for code in codes]
    await tx.execute(insert(recovery_codes), rows)


async def logged_in(tx: Tx, account_id: str, now: float) -> None:
    """Note the time of a login."""
    await tx.execute(update(accounts).where(accounts.c.id == account_id).values(last_login_at=now))
