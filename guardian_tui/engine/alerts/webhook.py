"""The webhook channel: one POST of JSON, signed if wanted."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
from typing import TYPE_CHECKING

from guardian_tui.config import ChannelSettings
from guardian_tui.engine.alerts.channels import DeliveryFailed, Resolve, resolve_setting
from guardian_tui.engine.alerts.messages import Message, as_json
from guardian_tui.engine.clock import Clock
from guardian_tui.text import safe

if TYPE_CHECKING:
    import httpx

ANSWER_LIMIT_BYTES = 16 * 1024
WORDS_LIMIT = 120
NEVER = frozenset({400, 405, 406, 411, 413, 414, 415, 422, 431})
"""Answers that say that this very message will never be taken.  401, 403 and 404 are mended by a person:
they are tried again."""
TOO_LARGE = 413
LONGEST_WISH_SECONDS = 3600.0


class Webhook:
    """Posts messages to an HTTP endpoint."""

    def __init__(self, settings: ChannelSettings, resolve: Resolve, clock: Clock) -> None:
        self._settings = settings
        self._resolve = resolve
        self._clock = clock
        self._client: httpx.AsyncClient | None = None

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            import httpx

            context = ssl.create_default_context()
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            self._client = httpx.AsyncClient(
                verify=context,
                follow_redirects=False,
                trust_env=False,
                timeout=httpx.Timeout(self._settings.timeout_seconds),
                limits=httpx.Limits(max_connections=2, max_keepalive_connections=1),
            )
        return self._client

    async def send(self, message: Message) -> None:
        """Post a message.

        Raises:
            DeliveryFailed: it was refused or nobody answered.
            VaultLocked: the URL or the signing secret is in the vault.
        """
        url = await resolve_setting(self._settings.url, self._resolve)
        body = as_json(message, self._clock.now())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "guardian-tui",
            "Idempotency-Key": message.key,
        }
        if self._settings.signing_secret:
            secret = await self._resolve(self._settings.signing_secret)
            headers["X-Guardian-Signature"] = signature(secret, int(self._clock.now()), body)
        client = self._open()
        import httpx

        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                await self._post(client, url, body, headers)
        except TimeoutError as error:
            raise DeliveryFailed(f"no answer within {self._settings.timeout_seconds:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            raise DeliveryFailed(
                f"{type(error).__name__}: {_words(str(error).replace(url, 'the URL'))}"
            ) from error

    async def _post(self, client: httpx.AsyncClient, url: str, body: bytes, headers: dict[str, str]) -> None:
        async with client.stream("POST", url, content=body, headers=headers) as response:
            status = response.status_code
            if 200 <= status < 300:
                return
            if 300 <= status < 400:
                raise DeliveryFailed(
                    f"it answered with a redirect (HTTP {status}), which is not followed: give the final URL"
                )
            said = b""
            async for part in response.aiter_raw(1024):
                said += part
                if len(said) >= ANSWER_LIMIT_BYTES:
                    break
            words = _words(said.decode("utf-8", "replace"))
            raise DeliveryFailed(
                f"HTTP {status}" + (f": {words}" if words else ""),
                permanent=status in NEVER,
                too_large=status == TOO_LARGE,
                retry_after_seconds=_wish(response.headers.get("retry-after", "")),
            )

    async def close(self) -> None:
        """Close connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def signature(secret: str, at: int, body: bytes) -> str:
    """``t=SECONDS,v1=HEX``: HMAC-SHA256 with the secret over ``SECONDS.BODY``."""
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


def _wish(header: str) -> float:
    return (
        min(float(header), LONGEST_WISH_SECONDS)
        if header.isdecimal() and header.isascii() and len(header) < 10
        else 0.0
    )


def _words(text: str) -> str:
    return " ".join(safe(text[: 4 * WORDS_LIMIT]).split())[:WORDS_LIMIT]
