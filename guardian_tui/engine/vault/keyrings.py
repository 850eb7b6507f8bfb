"""This machine's keyring: only back ends that we know by name, and never waited for without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from guardian_tui.protocol.errors import NotFound
from guardian_tui.text import safe

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

KEYRING_SECONDS = 15.0
"""A keyring that is locked may ask its person; nobody waits for ever."""

# on a machine without a desktop keyring falls back to back ends that fail, or, with keyrings.alt, keep plain text
KEYRING_BACK_ENDS = frozenset(
    {
        "keyring.backends.SecretService.Keyring",
        "keyring.backends.kwallet.DBusKeyring",
        "keyring.backends.libsecret.Keyring",
        "keyring.backends.macOS.Keyring",
    }
)


async def ask_keyring(work: Callable[[KeyringBackend], str | None]) -> str | None:
    """Ask the keyring, in a thread: it may talk to another process, and that to a person.

    Raises:
        NotFound: it is none that we know by name, it refuses, or it does not answer in time.
    """
    from keyring.errors import KeyringError

    try:
        async with asyncio.timeout(KEYRING_SECONDS):
            return await asyncio.to_thread(lambda: work(_trusted()))
    except KeyringError as error:
        raise NotFound(f"The keyring refuses: {safe(str(error), 200) or type(error).__name__}.") from error
    except TimeoutError as error:
        raise NotFound(
            f"The keyring did not answer in {KEYRING_SECONDS:.0f} s; is it locked, or does it ask on another screen?"
        ) from error


def _trusted() -> KeyringBackend:
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
