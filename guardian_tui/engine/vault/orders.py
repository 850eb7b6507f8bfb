"""Orders on the vault: `secrets.*`.  Values go in; no order brings them out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.store.database import Tx
from guardian_tui.engine.vault.vault import Vault
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.errors import Conflict
from guardian_tui.protocol.fleet import SecretList, SecretRef, SecretSet


class Leave(Protocol):
    """What another person has given, good for one time."""

    async def spend(self, tx: Tx, call: Call) -> None:
        """Note in the transaction of what it does that it is used up."""
        ...


AskLeave = Callable[[Call, str], Awaitable[Leave | None]]
"""Asks for leave to replace or destroy the secret of a name; None: nobody has to give it."""


class VaultOrders:
    """Handlers of the secrets' routes.

    Args:
        ask: what else stands on a secret is not known here.
    """

    def __init__(self, vault: Vault, ask: AskLeave) -> None:
        self._vault = vault
        self._ask = ask

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {"secrets.list": self.list, "secrets.set": self.set, "secrets.remove": self.remove}

    async def list(self, call: Call, request: Nothing) -> SecretList:
        """Names only."""
        return SecretList(names=tuple(await self._vault.names()))

    async def set(self, call: Call, request: SecretSet) -> Done:
        """Seal a value under a name; one that is there already may be another person's to give up."""
        there = request.name in await self._vault.names()
        leave = await self._ask(call, request.name) if there else None
        async with call.change(request.name) as tx:
            replaced = await self._vault.put_secret(tx, request.name, request.value.encode())
            if replaced and not there:
                raise Conflict(f"Somebody else has set {request.name} at this moment: look again.")
            if leave is not None:
                await leave.spend(tx, call)
        return Done()

    async def remove(self, call: Call, request: SecretRef) -> Done:
        """Destroy a secret."""
        leave = await self._ask(call, request.name) if request.name in await self._vault.names() else None
        async with call.change(request.name) as tx:
            await self._vault.remove_secret(tx, request.name)
            if leave is not None:
                await leave.spend(tx, call)
        return Done()
