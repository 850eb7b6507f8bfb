"""Slots with which the engine opens the vault itself: orders on them (`vault.*`), and the opening at the start."""

from __future__ import annotations

import asyncio
import logging
import secrets

from guardian_tui.engine.calls import AuditSink, Call, Entry, Handler
from guardian_tui.engine.vault import openers
from guardian_tui.engine.vault.sealing import SealBroken, new_key
from guardian_tui.engine.vault.vault import AT_START, Vault
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.errors import (
    AuditUnavailable,
    Conflict,
    GuardianError,
    NotFound,
    StoreUnavailable,
    VaultLocked,
)
from guardian_tui.protocol.vault import Slot, SlotList, SlotRef
from guardian_tui.text import safe

log = logging.getLogger(__name__)


class SlotOrders:
    """Handlers of the slots' routes, and the engine's own opening of the vault."""

    def __init__(self, vault: Vault, audit: AuditSink) -> None:
        self._vault = vault
        self._audit = audit
        self._opening: asyncio.Task[None] | None = None

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "vault.slots": self.list, "vault.add_keyring": self.add_keyring, "vault.add_credential": self.add_credential,
            "vault.remove_slot": self.remove,
        }  # fmt: skip

    async def start(self) -> None:
        """Begin to open the vault, while the engine goes on starting: a keyring may take its time."""
        self._opening = asyncio.create_task(self._open_and_say(), name="open the vault")

    async def stop(self) -> None:
        """End."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
            self._opening = None

    async def _open_and_say(self) -> None:
        try:
            await self.open()
        except StoreUnavailable as error:
            log.warning("the vault stays locked until somebody logs in: %s", error.detail)
        except Exception:
            log.exception("the vault stays locked until somebody logs in")

    async def open(self) -> bool:
        """Open the vault by the first keyring or credential slot whose key is there; True if it is open.

        Raises:
            StoreUnavailable: the store can't be read.
        """
        for slot in await self._vault.slots():
            if not slot.at_start or not self._vault.locked:
                continue
            try:
                key = await self._slot_key(slot)
                data_key = await self._vault.unwrap(slot.kind, slot.owner, key)
            except NotFound as error:
                log.warning(
                    "the vault's %s slot %s does not open it: %s", slot.kind, slot.owner, error.detail
                )
                continue
            except SealBroken:
                log.warning(
                    "the vault's %s slot %s does not open it: its key is another", slot.kind, slot.owner
                )
                continue
            self._vault.adopt(data_key)
            await self._record(slot)
        return not self._vault.locked

    async def _slot_key(self, slot: Slot) -> bytes:
        if slot.kind == "keyring":
            return await openers.keyring_get(slot.owner)
        owner, key = openers.credential()
        if owner != slot.owner:
            raise NotFound("the credential that the engine was given is another")
        return key

    async def _record(self, slot: Slot) -> None:
        log.info("opened the vault by its %s slot %s", slot.kind, slot.owner)
        try:
            await self._audit.record(Entry("engine", "vault.open", f"{slot.kind} {slot.owner}", "ok"))
        except AuditUnavailable as error:
            log.error("that the vault was opened could not be recorded: %s", error.detail)

    # --- orders --------------------------------------------------------------------------------------

    async def list(self, call: Call, request: Nothing) -> SlotList:
        """`vault.slots`."""
        return SlotList(slots=tuple(await self._vault.slots()))

    async def add_keyring(self, call: Call, request: Nothing) -> Slot:
        """`vault.add_keyring`: a random key goes into this machine's keyring, and opens the vault from the next start on."""
        self._check()
        owner, key = secrets.token_hex(8), new_key()
        # first there, then here: a slot whose key is nowhere would be a promise that is not kept
        await openers.keyring_put(owner, key)
        try:
            return await self._add(call, "keyring", owner, key)
        except GuardianError:
            await self._forget(owner)
            raise

    async def add_credential(self, call: Call, request: Nothing) -> Slot:
        """`vault.add_credential`: the credential that systemd gave this engine opens the vault from the next start on."""
        self._check()
        owner, key = openers.credential()
        if any((slot.kind, slot.owner) == ("credential", owner) for slot in await self._vault.slots()):
            raise Conflict("This credential opens the vault already.")
        return await self._add(call, "credential", owner, key)

    async def _add(self, call: Call, kind: str, owner: str, key: bytes) -> Slot:
        async with call.change(f"{kind} {owner}") as tx:
            await self._vault.add_slot(tx, kind, owner, b"", key)
        return next(slot for slot in await self._vault.slots() if (slot.kind, slot.owner) == (kind, owner))

    async def remove(self, call: Call, request: SlotRef) -> Done:
        """`vault.remove_slot`: the engine no longer opens itself by it."""
        self._check()
        slot = next((slot for slot in await self._vault.slots() if slot.id == request.slot), None)
        if slot is None:
            raise NotFound(f"The vault has no slot {safe(request.slot, 40)}.")
        if slot.kind not in AT_START:
            raise Conflict(
                "This slot goes with its account, or is the recovery key's; only keyring and credential slots are removed."
            )
        async with call.change(f"{slot.kind} {slot.owner}") as tx:
            await self._vault.remove_slot(tx, slot.kind, slot.owner)
        if slot.kind == "keyring":
            await self._forget(slot.owner)
        return Done()

    def _check(self) -> None:
        if self._vault.locked:
            raise VaultLocked("Somebody must log in once after the engine's start; that opens the vault.")

    async def _forget(self, owner: str) -> None:
        try:
            await openers.keyring_remove(owner)
        except NotFound as error:
            # without its slot it opens nothing
            log.warning("the keyring keeps %s: %s", openers.entry_name(owner), error.detail)
