"""TLS as checks see it: strict contexts, what a certificate says, and a second look without trust at what was refused."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509

from guardian_tui.engine.fleet.checks.result import Failed, Figure, Result, Unsure, tls_words
from guardian_tui.engine.fleet.checks.site import Way
from guardian_tui.text import safe

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1, "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3,
}  # fmt: skip
_EXPIRED = 10
"""X509_V_ERR_CERT_HAS_EXPIRED."""
_DAY = 86400.0
_HOUR_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Seen:
    """What a server showed."""

    version: str
    certificate: bytes | None


@lru_cache(maxsize=64)
def _context(minimum: str, verify: bool, authority: str, hour: int) -> ssl.SSLContext:
    del hour  # a store of certificates that was updated is read again within the hour
    context = ssl.create_default_context()
    context.minimum_version = _VERSIONS[minimum]
    if minimum in ("1.0", "1.1"):
        # OpenSSL leaves these out at its usual level
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if authority:
        try:
            context.load_verify_locations(authority)
        except (OSError, ssl.SSLError) as error:
            raise Unsure(f"the authority {safe(authority, 200)} can't be read: {error}") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def context_of(minimum: str, *, verify: bool = True, authority: str = "") -> ssl.SSLContext:
    """A context for a check; made off the loop (the system's certificates take a while to read) and kept.

    Raises:
        Unsure: the authority's file can't be read.
    """
    hour = int(time.monotonic() // _HOUR_SECONDS)
    return await asyncio.to_thread(_context, minimum, verify, authority, hour)


def seen_of(tls: ssl.SSLObject) -> Seen:
    """What a connection's other end showed."""
    return Seen(tls.version() or "", tls.getpeercert(binary_form=True))


def seconds_left(certificate: bytes | None, now: float) -> float | None:
    """Until when a certificate holds, from now; None if it can't be read."""
    if not certificate:
        return None
    try:
        until = x509.load_der_x509_certificate(certificate).not_valid_after_utc
        return (until - datetime.fromtimestamp(now, UTC)).total_seconds()
    except (ValueError, OverflowError, TypeError):
        return None


def figures_of(seen: Seen, now: float, *, invalid: bool) -> list[Figure]:
    """A certificate as figures."""
    figures = [Figure("check_certificate_invalid", float(invalid))]
    left = seconds_left(seen.certificate, now)
    if left is not None:
        figures.append(Figure("check_certificate_seconds", left))
    return figures


def left_words(seen: Seen, now: float) -> str:
    """``certificate 41 d``, or that it can't be read."""
    left = seconds_left(seen.certificate, now)
    if left is None:
        return "certificate can't be read"
    return (
        f"certificate {left / _DAY:.0f} d" if left >= 0 else f"certificate expired {-left / _DAY:.0f} d ago"
    )


async def look_again(way: Way, name: str) -> Seen | None:
    """What the server shows to one who trusts everybody; None if it does not even talk to that one.

    Args:
        way: to its port.
        name: asked for (SNI).
    """
    context = await context_of("1.0", verify=False)
    try:
        async with way.open(context, name) as (_, writer):
            return seen_of(writer.get_extra_info("ssl_object"))
    except (OSError, EOFError):
        return None


def refused(error: ssl.SSLError, seen: Seen | None, minimum: str, now: float) -> Result:
    """A handshake that did not come about, as a result: a certificate that does not hold, or a TLS too old."""
    if isinstance(error, ssl.SSLCertVerificationError):
        expired = error.verify_code == _EXPIRED
        words = f"certificate: {tls_words(error)}"
        if seen is None:
            return Result("failed", words)
        if expired:
            words = left_words(seen, now)
        return Result("failed", words, tuple(figures_of(seen, now, invalid=not expired)))
    if seen is not None and seen.version and seen.version not in ("TLSv1.2", "TLSv1.3"):
        return Result(
            "failed", f"it speaks {safe(seen.version, 20)} at most; {minimum} is wanted",
            tuple(figures_of(seen, now, invalid=False)),
        )  # fmt: skip
    if seen is not None and seen.version == "TLSv1.2" and minimum == "1.3":
        return Result(
            "failed", "it speaks TLSv1.2 at most; 1.3 is wanted", tuple(figures_of(seen, now, invalid=False))
        )
    return Result("failed", f"TLS: {tls_words(error)}")


async def talk_tls(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext, name: str
) -> Seen:
    """Begin TLS on a connection that stands (STARTTLS).

    Raises:
        ssl.SSLError: it does not hold.
        Failed: it closed the connection.
    """
    try:
        await writer.start_tls(context, server_hostname=name)
    except (ConnectionError, EOFError) as error:
        raise Failed("it closed the connection when TLS began") from error
    return seen_of(writer.get_extra_info("ssl_object"))
