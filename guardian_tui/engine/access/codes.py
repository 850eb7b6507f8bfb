"""TOTP (RFC 6238, 30 s, six digits, SHA-1 as authenticator apps have it), recovery codes, the recovery key, enrolment codes."""

from __future__ import annotations

import hashlib
import hmac
import secrets

import pyotp

STEP_SECONDS = 30
RECOVERY_CODES = 10
# no 0/o, 1/l/i: these are copied by hand
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
_KEY_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


def new_totp_secret() -> str:
    """160 random bits in base32."""
    return pyotp.random_base32(32)


def totp_uri(secret: str, account: str) -> str:
    """The otpauth:// URI for a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name="Guardian")


def matching_step(secret: str, code: str, now: float) -> int | None:
    """The time step whose code this is, one step either way allowed; None if it is none.

    The caller stores the step and accepts only later ones: a code can be used once.
    """
    if len(code) != 6 or not code.isdecimal() or not code.isascii():
        return None
    totp = pyotp.TOTP(secret)
    current = int(now) // STEP_SECONDS
    found = None
    for step in (current - 1, current, current + 1):
        if hmac.compare_digest(totp.at(step * STEP_SECONDS), code):
            found = step
    return found


def seconds_to_next(now: float) -> float:
    """Until the app shows another code."""
    return STEP_SECONDS - now % STEP_SECONDS


def new_recovery_codes() -> tuple[str, ...]:
    """Ten codes of 50 bits, to be used once each."""
    return tuple(f"{_word(_ALPHABET, 5)}-{_word(_ALPHABET, 5)}" for _ in range(RECOVERY_CODES))


def recovery_hash(account_id: str, code: str) -> bytes:
    """What is stored of a recovery code; 50 random bits and the login's delays make a slow hash needless."""
    return hashlib.sha256(f"recovery:{account_id}:{normal(code)}".encode()).digest()


def new_recovery_key() -> str:
    """A key to print: 158 bits in groups of four."""
    return "-".join(_word(_KEY_ALPHABET, 4) for _ in range(8))


def new_enrolment_code() -> str:
    """A one-time code to hand to a new person: 99 bits."""
    return "-".join(_word(_ALPHABET, 5) for _ in range(4))


def normal(code: str) -> str:
    """Without the dashes and blanks that people add or leave out."""
    return "".join(code.split()).replace("-", "").lower()


def _word(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
