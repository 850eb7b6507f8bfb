"""Where the key of a slot can lie so that the engine opens the vault itself at its start: a keyring, a systemd credential.

A slot key in the keyring is random, one entry per slot.  A credential is the file ``guardian-vault-key`` of ``$CREDENTIALS_DIRECTORY``
(systemd.exec(5), LoadCredentialEncrypted=): at least 32 random bytes, which only the service can read.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from guardian_tui.engine.vault.keyrings import ask_keyring
from guardian_tui.engine.vault.sealing import KEY_BYTES, derive
from guardian_tui.protocol.errors import NotFound

SERVICE = "guardian-tui"
CREDENTIAL = "guardian-vault-key"


def entry_name(owner: str) -> str:
    """The user name under which a slot's key lies in the keyring."""
    return f"vault-{owner}"


async def keyring_put(owner: str, key: bytes) -> None:
    """Keep a slot key in the keyring.

    Raises:
        NotFound: there is no keyring that we trust, or it does not take it.
    """
    await ask_keyring(lambda ring: ring.set_password(SERVICE, entry_name(owner), key.hex()))


async def keyring_get(owner: str) -> bytes:
    """A slot key from the keyring.

    Raises:
        NotFound: there is no keyring that we trust, or it does not have it.
    """
    value = await ask_keyring(lambda ring: ring.get_password(SERVICE, entry_name(owner)))
    try:
        return bytes.fromhex(value or "")
    except ValueError:
        # as good as none: it opens nothing
        return b""


async def keyring_remove(owner: str) -> None:
    """Take a slot key out of the keyring.

    Raises:
        NotFound: there is no keyring that we trust, or it does not have it.
    """
    await ask_keyring(lambda ring: ring.delete_password(SERVICE, entry_name(owner)))


def credential() -> tuple[str, bytes]:
    """The systemd credential: the owner of its slot (which tells nothing of the key), and the slot key.

    Raises:
        NotFound: there is none, others can read it, or it is too short to be random.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise NotFound(
            f"The engine was started without systemd credentials. Give its unit LoadCredentialEncrypted={CREDENTIAL}:PATH."
        )
    path = Path(folder) / CREDENTIAL
    try:
        mode, content = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise NotFound(f"The credential {CREDENTIAL} can't be read: {error.strerror}.") from error
    # 0400, or 0440 where systemd lets the service in by an ACL, which shows as the group's bits
    if stat.S_IMODE(mode) & 0o037:
        raise NotFound(
            f"The credential {CREDENTIAL} can be read or changed by others (mode {stat.S_IMODE(mode):o})."
        )
    if len(content) < KEY_BYTES:
        raise NotFound(
            f"The credential {CREDENTIAL} has {len(content)} bytes; make one of {KEY_BYTES} random bytes or more."
        )
    return derive(content, b"credential name").hex()[:16], derive(content, b"credential slot")
