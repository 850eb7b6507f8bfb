"""What we accept of a server: modern algorithms alone, what is cheapest first."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import asyncssh

# the -14-sha1, ssh-rsa and hmac-sha1 that asyncssh still offers are left out
KEX = (
    "mlkem768x25519-sha256", "curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521", "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512", "diffie-hellman-group14-sha256",
)  # fmt: skip
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
)
MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")
SIGNATURES = (
    "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "rsa-sha2-512", "rsa-sha2-256",
    "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
)  # fmt: skip


def accepted() -> dict[str, list[str]]:
    """What we accept, by kind, as :mod:`~guardian_tui.engine.remote.kexinit` names them."""
    signatures = available(SIGNATURES, asyncssh.public_key.get_public_key_algs())
    return {
        "key exchange": available(KEX, asyncssh.kex.get_kex_algs()), "host key": signatures,
        "cipher": available(CIPHERS, asyncssh.encryption.get_encryption_algs()), "MAC": available(MACS, asyncssh.mac.get_mac_algs()),
    }  # fmt: skip


def available(wanted: Sequence[str], known: Sequence[bytes]) -> list[str]:
    """Those of ``wanted`` that this asyncssh knows, in our order."""
    return list(_available(tuple(wanted), tuple(known)))


@lru_cache(maxsize=16)
def _available(wanted: tuple[str, ...], known: tuple[bytes, ...]) -> tuple[str, ...]:
    """Found once: each connection asks for the same four lists."""
    names = {name.decode() for name in known}
    return tuple(name for name in wanted if name in names)


def certificates() -> list[str]:
    """Kinds of certificates that we ask a server for, where we trust an authority."""
    return available(
        (
            "ssh-ed25519-cert-v01@openssh.com",
            "ecdsa-sha2-nistp256-cert-v01@openssh.com",
            "rsa-sha2-512-cert-v01@openssh.com",
        ),
        asyncssh.public_key.get_certificate_algs(),
    )
