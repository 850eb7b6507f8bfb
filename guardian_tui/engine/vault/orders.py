"""Orders on the vault: `secrets.*`.  Values go in; no order brings them out."""

from __future__ import annotations

from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.vault.vault import Vault
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.fleet import SecretList, SecretRef, SecretSet


class VaultOrders:
    """Handlers of the secrets' routes."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {"secrets.list": self.list, "secrets.set": self.set, "secrets.remove": self.remove}

    async def list(self, call: Call, request: Nothing) -> SecretList:
        """Names only."""
        return SecretList(names=tuple(await self._vault.names()))

    async def set(self, call: Call, request: SecretSet) -> Done:
        """Seal a value under a name."""
        async with call.change(request.name) as tx:
            await self._vault.put_secret(tx, request.name, request.value.encode())
        return Done()

    async def remove(self, call: Call, request: SecretRef) -> Done:
        """Destroy a secret."""
        async with call.change(request.name) as tx:
            await self._vault.remove_secret(tx, request.name)
        return Done()
