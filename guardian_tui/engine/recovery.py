"""Recovery on the machine itself: a new password by the printed recovery key, while the engine is stopped."""

from __future__ import annotations

import os

from sqlalchemy import update

from guardian_tui.config import Paths, load_settings
from guardian_tui.engine.access import people
from guardian_tui.engine.access.enrolment import recovery_slot_key
from guardian_tui.engine.access.passwords import check_password
from guardian_tui.engine.audit.log import AuditLog
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import Entry
from guardian_tui.engine.clock import SystemClock
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import sessions
from guardian_tui.engine.vault.sealing import SALT_BYTES, SealBroken, Stretcher
from guardian_tui.engine.vault.vault import Vault
from guardian_tui.protocol.errors import LoginRefused, NotFound


async def recover(paths: Paths, name: str, recovery_key: str, password: str) -> None:
    """Set a new password for an account; the event is in the audit log.

    Raises:
        LoginRefused: the recovery key does not open the vault.
        NotFound: there is no such active account.
        InvalidRequest: the password will not do.
        StoreUnavailable: the engine still runs, or the store can't be used.
    """
    settings, clock = load_settings(paths), SystemClock()
    check_password(password, name, settings.access.password_min_length)
    store = await Store.open(settings.store, paths.state, clock)
    try:
        vault, stretcher = Vault(store, Bus(), clock), Stretcher()
        audit = AuditLog(store, Live(), clock, settings.audit, paths.state)
        await audit.start()
        async with store.read() as conn:
            person = await people.find(conn, name=name)
        if person is None or person.state != "active":
            raise NotFound(f"There is no active account {name}.")
        try:
            data_key = await vault.unwrap("recovery", "key", recovery_slot_key(recovery_key))
        except SealBroken:
            raise LoginRefused("This recovery key does not open the vault.") from None
        salt = os.urandom(SALT_BYTES)
        new = await stretcher.stretch(password, salt)
        async with store.write() as tx:
            await people.set_password(tx, person.id, salt, stretcher.parameters, new.verifier)
            await vault.add_slot(tx, "account", person.id, salt, new.slot_key, data_key)
            # whoever has the old password may be logged in with it
            await tx.execute(
                update(sessions).where(sessions.c.account_id == person.id).values(ended_at=clock.now())
            )
            entry = Entry(f"uid:{os.getuid()}", "recover", name, "ok", peer_uid=os.getuid())
            await audit.append(tx, entry)
        await audit.stop()
    finally:
        await store.close()
