"""Sealing: AES-256-GCM with the context as associated data, keys from argon2id and HKDF.

A sealed blob is ``version (1 byte) | nonce (12) | ciphertext and tag``.  The context (what it is, whose) is authenticated, so that a
blob can't be moved to another column or person.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

import msgspec
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
SALT_BYTES = 16
_NONCE_BYTES = 12
_VERSION = b"\x01"


class SealBroken(Exception):
    """A blob does not open: wrong key, wrong context, or damaged."""


def new_key() -> bytes:
    """A random 256-bit key."""
    return os.urandom(KEY_BYTES)


def seal(key: bytes, context: str, plain: bytes) -> bytes:
    """Seal under a key, for one context."""
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + AESGCM(key).encrypt(nonce, plain, context.encode())


def unseal(key: bytes, context: str, sealed: bytes) -> bytes:
    """Open what :func:`seal` made.

    Raises:
        SealBroken: wrong key, wrong context, or damaged.
    """
    if sealed[:1] != _VERSION:
        raise SealBroken("not a sealed blob of this version")
    try:
        return AESGCM(key).decrypt(sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :], context.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken("wrong key, or damaged") from error


class KdfParameters(msgspec.Struct, frozen=True):
    """Cost of argon2id (RFC 9106), stored with each account so that it can grow."""

    memory_kib: int = 65536
    passes: int = 3
    lanes: int = 4


@dataclass(frozen=True, slots=True)
class Stretched:
    """What one argon2id run yields: what is compared, and what opens the person's slot."""

    verifier: bytes
    slot_key: bytes


class Stretcher:
    """Runs argon2id in threads, two at a time: each run takes 64 MiB."""

    def __init__(self, parameters: KdfParameters | None = None) -> None:
        self.parameters = parameters or KdfParameters()
        self._turn = asyncio.Semaphore(2)
        self.runs = 0
        """How many runs there were: tests count them instead of timing them."""

    async def stretch(self, secret: str, salt: bytes, parameters: KdfParameters | None = None) -> Stretched:
        """One argon2id run, then HKDF-SHA-256 (RFC 5869) to a verifier and a slot key."""
        cost = parameters or self.parameters
        async with self._turn:
            self.runs += 1
            root = await asyncio.to_thread(
                hash_secret_raw,
                secret.encode(),
                salt,
                cost.passes,
                cost.memory_kib,
                cost.lanes,
                KEY_BYTES,
                Type.ID,
            )
        return Stretched(derive(root, b"verifier"), derive(root, b"slot"))


def derive(root: bytes, purpose: bytes) -> bytes:
    """A key for one purpose from a strong root key (HKDF-SHA-256, RFC 5869)."""
    return HKDF(SHA256(), KEY_BYTES, None, b"guardian " + purpose).derive(root)
