"""Channels: how a message leaves the engine, and what a refusal means."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

from guardian_tui.config import ChannelSettings
from guardian_tui.engine.alerts.messages import Message
from guardian_tui.protocol.errors import InvalidRequest

Resolve = Callable[[str], Awaitable[str]]
"""Turns a reference (``secret:NAME``, ``env:NAME``, ``keyring:…``) into what it stands for; raises
VaultLocked."""


class Secrets(Protocol):
    """The vault, as channels see it."""

    async def resolve(self, reference: str) -> str:
        """What a reference stands for; raises VaultLocked."""
        ...


REFERENCES = ("secret:", "env:", "keyring:")
ERROR_LIMIT = 300


class DeliveryFailed(Exception):
    """A message was not taken.

    Args:
        words: why, without secrets.
        permanent: this message will never be taken; trying again is of no use.
        too_large: a smaller one would be taken.
        retry_after_seconds: the other end's wish; 0 if it has none.
    """

    def __init__(
        self,
        words: str,
        *,
        permanent: bool = False,
        too_large: bool = False,
        retry_after_seconds: float = 0.0,
    ) -> None:
        super().__init__(words[:ERROR_LIMIT])
        self.words = words[:ERROR_LIMIT]
        self.permanent = permanent
        self.too_large = too_large
        self.retry_after_seconds = retry_after_seconds


class Sender(Protocol):
    """Sends messages through one channel."""

    async def send(self, message: Message) -> None:
        """Hand over a message.  Returns once the other end took it; raises DeliveryFailed or VaultLocked."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads."""
        ...


def is_reference(text: str) -> bool:
    """Whether a setting stands for a secret."""
    return text.startswith(REFERENCES)


async def resolve_setting(text: str, resolve: Resolve) -> str:
    """A setting, or what its reference stands for."""
    return (await resolve(text)).strip() if is_reference(text) else text


def target_words(settings: ChannelSettings) -> str:
    """Where a channel goes, without secrets: a webhook's path often is one."""
    if is_reference(settings.url):
        place = settings.url
    else:
        parts = urlsplit(settings.url)
        place = f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "")
        if settings.kind == "webhook" and parts.path not in ("", "/"):
            place += "/…"
    return place if settings.kind == "webhook" else f"{', '.join(settings.to)} via {place}"


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def sends_password_bare(url: str, settings: ChannelSettings) -> bool:
    """Whether a mail relay at this URL would be given a password that everybody on the way can read."""
    if settings.kind != "smtp" or not settings.password or settings.starttls:
        return False
    parts = urlsplit(url)
    return parts.scheme.lower() != "smtps" and not _is_loopback(parts.hostname or "")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        # other names may lead anywhere, at any time
        return False


def check_channel(name: str, settings: ChannelSettings) -> None:
    """Raise InvalidRequest, with the key and what it wants, if a channel can never work."""
    schemes = ("http://", "https://") if settings.kind == "webhook" else ("smtp://", "smtps://")
    place = f"[alerts.channels.{name}]"
    if not settings.url.startswith(schemes + REFERENCES):
        raise InvalidRequest(
            f"{place}: url must begin with {' or '.join(schemes)}, or be a reference.",
            field=f"alerts.channels.{name}.url",
        )
    if not is_reference(settings.url) and not _has_host(settings.url):
        raise InvalidRequest(
            f"{place}: url must name a host (and a port as a number).", field=f"alerts.channels.{name}.url"
        )
    if settings.kind == "smtp":
        for key, value in (("sender", settings.sender), ("to", "".join(settings.to))):
            if not value or any(ord(mark) < 32 for mark in value):
                raise InvalidRequest(
                    f"{place}: {key} must be an address.", field=f"alerts.channels.{name}.{key}"
                )
    for key, value in (("password", settings.password), ("signing_secret", settings.signing_secret)):
        if value and not is_reference(value):
            raise InvalidRequest(
                f"{place}: {key} must be a reference (secret:NAME, env:NAME, keyring:SERVICE/NAME), "
                "never the secret itself.",
                field=f"alerts.channels.{name}.{key}",
            )
    if not is_reference(settings.url) and sends_password_bare(settings.url, settings):
        raise InvalidRequest(
            f"{place}: with starttls = false the password would go to {target_words(settings)} where all on the way can read it. "
            "Leave starttls out, or use smtps://; only a relay on this machine (localhost, 127.0.0.1, ::1) is given it so.",
            field=f"alerts.channels.{name}.starttls",
        )
