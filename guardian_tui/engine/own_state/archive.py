"""The archive's format: a tar of a manifest, a seal, and the parts that the manifest names with their hashes.

What is private (the audit log's keys, the settings) is sealed by a passphrase, with the manifest as associated data: who has not the passphrase can read
how the archive is made up and see whether it is whole, and can't change it unnoticed.  The parts are not compressed, so that a repository that
shares what did not change finds it again.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import msgspec
from argon2.low_level import Type, hash_secret_raw

from guardian_tui import __version__
from guardian_tui.engine.vault.sealing import (
    KEY_BYTES,
    SALT_BYTES,
    KdfParameters,
    SealBroken,
    derive,
    seal,
    unseal,
)
from guardian_tui.protocol.errors import InvalidRequest

FORMAT = 1
MANIFEST = "manifest.json"
SEAL = "seal.json"
STATE = "state/state.db"
METRICS = "state/metrics.db"
DUMP = "state/store.dump"
CHECKPOINTS = "state/audit/checkpoints.jsonl"
KEYS = "config/keys.toml"
THEMES = "config/themes/"
PASSPHRASE_LETTERS = 12
HEAD_BYTES = 4 << 20
"""A manifest or a seal that is longer is none."""
_CHUNK = 1 << 20
_NAME = re.compile(r"(state/(state\.db|metrics\.db|store\.dump|audit/checkpoints\.jsonl)|config/keys\.toml|config/themes/[^/\0]{1,200}\.toml)\Z")  # fmt: skip
_DEAREST = KdfParameters(memory_kib=1 << 20, passes=20, lanes=16)
"""An archive that asks for more than that is not ours."""


class Part(msgspec.Struct, frozen=True):
    """One file of the archive."""

    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What the archive holds, and of which state."""

    format: int
    program: str = __version__
    made_at: float
    machine: str
    store: Literal["sqlite", "postgresql"]
    revisions: dict[str, str]
    """Of the tables, as the migrations count them: ``state``, ``metrics``."""
    metrics: bool
    """Whether the samples are in it."""
    chain: str
    """Id of the audit log's chain."""
    head: int
    """Number of its newest event."""
    head_hash: str
    public_key: str
    """With which the audit log's exports and checkpoints are verified, hex."""
    parts: tuple[Part, ...]

    @property
    def bytes(self) -> int:
        """What all parts take on a disk."""
        return sum(part.bytes for part in self.parts)


class Private(msgspec.Struct, frozen=True):
    """What is sealed."""

    audit_mac: bytes
    audit_signing: bytes
    settings: str | None = None
    """Text of ``config.toml``: it may hold the store's password; None: there is no such file."""


class _Seal(msgspec.Struct, frozen=True):
    manifest_sha256: str
    sealed_sha256: str
    kdf: KdfParameters
    salt: bytes
    sealed: bytes


class _AnyFormat(msgspec.Struct, frozen=True):
    format: int


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive whose hashes were all found right."""

    path: Path
    manifest: Manifest
    _seal: _Seal

    def open(self, passphrase: str) -> Private:
        """What is sealed in it.

        Raises:
            InvalidRequest: the passphrase is not the one that it was made with.
        """
        key = _key(passphrase, self._seal.salt, self._seal.kdf)
        try:
            plain = unseal(key, _context(self._seal.manifest_sha256), self._seal.sealed)
        except SealBroken:
            raise InvalidRequest(
                f"The passphrase does not open {self.path.name}: it was made with another one (or the archive was forged).",
                field="passphrase",
            ) from None
        return msgspec.json.decode(plain, type=Private)


def check_passphrase(passphrase: str) -> None:
    """Refuse one that could be guessed.

    Raises:
        InvalidRequest: it is too short.
    """
    if len(passphrase) < PASSPHRASE_LETTERS:
        raise InvalidRequest(
            f"The passphrase must have at least {PASSPHRASE_LETTERS} characters: whoever has the archive can guess at leisure.",
            field="passphrase",
        )


def write(
    file: IO[bytes],
    manifest: Manifest,
    private: Private,
    passphrase: str,
    parts: Sequence[tuple[Part, Path]],
    parameters: KdfParameters | None = None,
) -> None:
    """Write an archive.

    Args:
        file: where to.
        manifest: of the parts.
        private: what is sealed.
        passphrase: that opens it.
        parts: the parts, and the files that hold them.
        parameters: what opening it costs; as a login if they are not given.
    """
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
    cost, salt = parameters or KdfParameters(), os.urandom(SALT_BYTES)
    digest = hashlib.sha256(text).hexdigest()
    sealed = seal(_key(passphrase, salt, cost), _context(digest), msgspec.json.encode(private))
    sealing = _Seal(digest, hashlib.sha256(sealed).hexdigest(), cost, salt, sealed)
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in ((MANIFEST, text), (SEAL, msgspec.json.encode(sealing))):
            tar.addfile(_member(name, len(data), manifest.made_at), io.BytesIO(data))
        for part, path in parts:
            with path.open("rb") as source:
                tar.addfile(_member(part.name, part.bytes, manifest.made_at), source)


def _member(name: str, size: int, at: float) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(at)
    return member


def part_of(name: str, path: Path) -> Part:
    """A file as a part of this name."""
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return Part(name, size, digest.hexdigest())


Sink = Callable[[Part], AbstractContextManager[IO[bytes] | None]]
"""Where a part goes to; None: it is only read."""


def read(path: Path, sink: Sink = lambda part: nullcontext()) -> Archive:
    """Read an archive to its end, each part compared with its hash.

    Raises:
        InvalidRequest: it is no archive, cut, damaged, or of a newer program; says which.
        OSError: it can't be read, or a part can't be written.
    """
    with path.open("rb") as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                return _read(path, tar, sink)
        except (tarfile.TarError, EOFError, OverflowError, UnicodeError) as error:
            raise InvalidRequest(
                f"{path.name} is no archive of Guardian's state, or its beginning is damaged: {error}."
            ) from error


def _read(path: Path, tar: tarfile.TarFile, sink: Sink) -> Archive:
    text = _head(path, tar, MANIFEST)
    sealing = _head(path, tar, SEAL)
    damaged = InvalidRequest(f"{path.name} is damaged: its manifest is not what it was. Take another copy.")
    try:
        found = msgspec.json.decode(text, type=_AnyFormat).format
        if found > FORMAT:
            raise InvalidRequest(
                f"{path.name} was made by a newer program (format {found}, this one knows {FORMAT}). Update guardian-tui."
            )
        manifest = msgspec.json.decode(text, type=Manifest)
        its_seal = msgspec.json.decode(sealing, type=_Seal)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise damaged from error
    if (
        hashlib.sha256(text).hexdigest() != its_seal.manifest_sha256
        or hashlib.sha256(its_seal.sealed).hexdigest() != its_seal.sealed_sha256
    ):
        raise damaged
    if any(not _NAME.match(part.name) for part in manifest.parts):
        raise InvalidRequest(f"{path.name} names a file that is no part of Guardian's state: it is not ours.")
    for part in manifest.parts:
        _one(path, tar, part, sink)
    return Archive(path, manifest, its_seal)


def _head(path: Path, tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.next()
    if member is None or member.name != name or not member.isreg() or member.size > HEAD_BYTES:
        raise InvalidRequest(
            f"{path.name} is no archive of Guardian's state, or its beginning is cut or damaged."
        )
    file = tar.extractfile(member)
    data = file.read() if file is not None else b""
    if len(data) != member.size:
        raise InvalidRequest(f"{path.name} is cut: it ends within its {name}. Take another copy.")
    return data


def _one(path: Path, tar: tarfile.TarFile, part: Part, sink: Sink) -> None:
    cut = InvalidRequest(f"{path.name} is cut or damaged at {part.name}. Take another copy.")
    try:
        member = tar.next()
        file = tar.extractfile(member) if member is not None and member.isreg() else None
    except tarfile.TarError as error:
        raise cut from error
    if member is None or file is None or (member.name, member.size) != (part.name, part.bytes):
        raise cut
    digest, size = hashlib.sha256(), 0
    with sink(part) as out:
        while chunk := _chunk(file, cut):
            digest.update(chunk)
            size += len(chunk)
            if out is not None:
                out.write(chunk)
    if size != part.bytes:
        raise cut
    if digest.hexdigest() != part.sha256:
        raise InvalidRequest(f"{path.name} is damaged: {part.name} is not what it was. Take another copy.")


def _chunk(file: IO[bytes], cut: InvalidRequest) -> bytes:
    try:
        return file.read(_CHUNK)
    except tarfile.TarError as error:
        raise cut from error


def _key(passphrase: str, salt: bytes, cost: KdfParameters) -> bytes:
    """One argon2id run, then HKDF, as a login's (the vault's ``Stretcher`` does the same for a loop)."""
    fits = 0 < cost.lanes <= _DEAREST.lanes and 0 < cost.passes <= _DEAREST.passes
    if not fits or not 8 * cost.lanes <= cost.memory_kib <= _DEAREST.memory_kib or len(salt) < SALT_BYTES:
        raise InvalidRequest(
            "The archive asks for more memory or time than any of ours to be opened: it was forged."
        )
    root = hash_secret_raw(
        passphrase.encode(), salt, cost.passes, cost.memory_kib, cost.lanes, KEY_BYTES, Type.ID
    )
    return derive(root, b"own state")


def _context(manifest_sha256: str) -> str:
    return f"own-state:{manifest_sha256}"
