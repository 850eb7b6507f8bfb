"""References to secrets that lie outside the vault: `env:NAME`, `keyring:SERVICE/NAME`."""

from __future__ import annotations

import os

from guardian_tui.engine.environment import hide
from guardian_tui.engine.vault.keyrings import ask_keyring
from guardian_tui.protocol.errors import InvalidRequest, NotFound


async def resolve_outside(reference: str) -> str:
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
        hide(name)
        return value
    if kind == "keyring" and "/" in name:
        return await _from_keyring(*name.split("/", 1))
    raise InvalidRequest(
        "A secret is given as secret:NAME, env:NAME or keyring:SERVICE/NAME, never as plain text."
    )


async def _from_keyring(service: str, name: str) -> str:
    value = await ask_keyring(lambda ring: ring.get_password(service, name))
    if value is None:
        raise NotFound(f"The keyring has no {service}/{name}.")
    return value
