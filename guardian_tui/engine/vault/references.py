"""References to secrets that lie outside the vault: `env:NAME`, `keyring:SERVICE/NAME`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guardian_tui.protocol.errors import InvalidRequest, NotFound

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

# on a machine without a desktop keyring falls back to back ends that fail, or, with keyrings.alt, keep plain text
KEYRING_BACK_ENDS = frozenset(
    {
        "keyring.backends.SecretService.Keyring",
        "keyring.backends.kwallet.DBusKeyring",
        "keyring.backends.libsecret.Keyring",
        "keyring.backends.macOS.Keyring",
    }
)


def resolve_outside(reference: str) -> str:
    """The secret that a reference names.

    Raises:
        NotFound: it is not there, or the keyring is none that we trust.
        InvalidRequest: it is no reference.
    """
    kind, _, name = reference.partition(":")
    if kind == "env" and name:
        value = os.environ.get(name)
        if value is None:
            raise NotFound(f"The environment variable {name} is not set for the engine.")
        return value
    if kind == "keyring" and "/" in name:
        return _from_keyring(*name.split("/", 1))
    raise InvalidRequest(
        "A secret is given as secret:NAME, env:NAME or keyring:SERVICE/NAME, never as plain text."
    )


def trusted_keyring() -> KeyringBackend:
    """The machine's keyring.

    Raises:
        NotFound: it is none that we know by name: it may keep plain text.
    """
    import keyring  # 80 ms, and only some need it

    back_end = keyring.get_keyring()
    path = f"{type(back_end).__module__}.{type(back_end).__qualname__}"
    parts = [f"{type(b).__module__}.{type(b).__qualname__}" for b in getattr(back_end, "backends", ())]
    if path not in KEYRING_BACK_ENDS and not (parts and KEYRING_BACK_ENDS.issuperset(parts)):
        raise NotFound(
            f"This machine's keyring is {path}, which is not a safe place; use a secret of the vault (secret:NAME) "
            "or a systemd credential."
        )
    return back_end


def _from_keyring(service: str, name: str) -> str:
    value = trusted_keyring().get_password(service, name)
    if value is None:
        raise NotFound(f"The keyring has no {service}/{name}.")
    return value
