"""Routes of the vault: what can open it, and its secrets."""

from __future__ import annotations

from guardian_tui.protocol import fleet, vault
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.routes.route import Route

VAULT: tuple[Route, ...] = (
    Route("vault.slots", "GET", "/v1/vault/slots", "accounts.see", Nothing, vault.SlotList, "What can open the vault."),
    Route("vault.add_keyring", "POST", "/v1/vault/slots/keyring", "vault.edit", Nothing, vault.Slot,
          "Let the engine open the vault by a key in this machine's keyring.", "local", scoping="whole", step_up=True),
    Route("vault.add_credential", "POST", "/v1/vault/slots/credential", "vault.edit", Nothing, vault.Slot,
          "Let the engine open the vault by its systemd credential.", "local", scoping="whole", step_up=True),
    Route("vault.remove_slot", "DELETE", "/v1/vault/slots/{slot}", "vault.edit", vault.SlotRef, Done, "Take a keyring or credential slot away.",
          "local", scoping="whole", step_up=True),
    Route("secrets.list", "GET", "/v1/secrets", "secrets.write", Nothing, fleet.SecretList, "Names of the vault's secrets.",
          scoping="whole"),
    Route("secrets.set", "POST", "/v1/secrets", "secrets.write", fleet.SecretSet, Done, "Seal a secret.",
          "local", scoping="whole", step_up=True),
    Route("secrets.remove", "DELETE", "/v1/secrets/{name}", "secrets.write", fleet.SecretRef, Done, "Destroy a secret.",
          "local", scoping="whole", step_up=True),
)  # fmt: skip
