"""The audit log's keys: files of 0600 beside the store, or systemd credentials, never inside the store.

They lie outside so that a denied login is recorded while the vault is locked, and so that whoever writes the
database can't forge events.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from guardian_tui.protocol.errors import StoreUnavailable

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class AuditKeys:
    """The MAC key and the signing key."""

    mac: bytes = field(repr=False)
    signing: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> str:
        """The public key, hex: what a verifier needs."""
        return self.signing.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def load_keys(folder: Path) -> AuditKeys:
    """The keys of ``folder`` (or of systemd's credentials), made at the first start.

    Raises:
        StoreUnavailable: a key can be read by others, is damaged, can't be read, or can't be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mac = _key(folder, "audit-mac", lambda: os.urandom(KEY_BYTES))
        signing = _key(folder, "audit-signing", _new_signing_key)
    except OSError as error:
        raise StoreUnavailable(
            f"The audit log's keys in {folder} can't be used: {error.strerror}."
        ) from error
    return AuditKeys(mac, Ed25519PrivateKey.from_private_bytes(signing))


def are_made(folder: Path) -> bool:
    """Whether both keys are there, so that :func:`load_keys` makes none.

    Raises:
        StoreUnavailable: systemd's credentials can't be looked at.
    """
    return all(
        _credential(name) is not None or _file(folder, name).exists()
        for name in ("audit-mac", "audit-signing")
    )


def _credential(name: str) -> Path | None:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    path = Path(folder) / name
    try:
        return path if path.exists() else None
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"The audit log's key {path}, a systemd credential, can't be read: {error.strerror}. No other is made in its place: "
        "let the engine's unit load it (LoadCredentialEncrypted=), or unset CREDENTIALS_DIRECTORY."
    )


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.key"


def _new_signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


def _key(folder: Path, name: str, make: Callable[[], bytes]) -> bytes:
    credential = _credential(name)
    if credential is not None:
        try:
            return _checked(credential.read_bytes(), name)
        except OSError as error:
            raise _unreadable(credential, error) from error
    path = _file(folder, name)
    if not path.exists():
        _write(path, make())
    info = path.stat()
    # others who can write to the folder could put a key of theirs in its place
    folder_open = stat.S_IMODE(folder.stat().st_mode) & 0o022
    if folder_open or stat.S_IMODE(info.st_mode) & 0o077 or info.st_uid != os.geteuid():
        raise StoreUnavailable(
            f"{path} must be yours alone (chmod 600, its folder 700): others could forge the audit log."
        )
    return _checked(path.read_bytes(), name)


def _checked(key: bytes, name: str) -> bytes:
    if len(key) != KEY_BYTES:
        raise StoreUnavailable(
            f"The key {name} has {len(key)} bytes and should have {KEY_BYTES}; restore it from a backup."
        )
    return key


def _write(path: Path, key: bytes) -> None:
    """Whole or not at all, and on disk before it is used."""
    new = path.with_suffix(".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, key)
        os.fsync(handle)
    finally:
        os.close(handle)
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
