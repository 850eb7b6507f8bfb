"""The mail channel: one plain-text mail through a relay.

smtplib blocks, so each channel has one thread of its own: a relay that hangs holds up nobody else.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import urlsplit

from guardian_tui.config import ChannelSettings
from guardian_tui.engine.alerts.channels import DeliveryFailed, Resolve, resolve_setting, sends_password_bare
from guardian_tui.engine.alerts.messages import Message, plain_text, subject
from guardian_tui.engine.clock import Clock
from guardian_tui.text import safe

log = logging.getLogger(__name__)

PATIENCE = 4
"""A whole conversation may take this many times the time allowed for one answer."""
WORDS_LIMIT = 200
TOO_LARGE = 552
"""A mail is larger than is taken (RFC 1870)."""


class Smtp:
    """Sends messages as mail."""

    def __init__(
        self, settings: ChannelSettings, resolve: Resolve, clock: Clock, environment: str = ""
    ) -> None:
        self._settings = settings
        self._resolve = resolve
        self._clock = clock
        self._environment = environment
        self._thread: ThreadPoolExecutor | None = None
        self._relay: smtplib.SMTP | None = None

    async def send(self, message: Message) -> None:
        """Hand a message to the relay.

        Raises:
            DeliveryFailed: it was refused or nobody answered.
            VaultLocked: the password is in the vault.
        """
        url = await resolve_setting(self._settings.url, self._resolve)
        password = await self._resolve(self._settings.password) if self._settings.password else ""
        mail = make_mail(message, self._settings, self._clock.now())
        if self._thread is None:
            self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="guardian-mail")
        limit = PATIENCE * self._settings.timeout_seconds
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._send, url, password, mail)
        try:
            async with asyncio.timeout(limit):
                await work
        except TimeoutError as error:
            self._hang_up()
            raise DeliveryFailed(f"the relay took longer than {limit:g} s") from error
        except asyncio.CancelledError:
            self._hang_up()
            raise

    def _send(self, url: str, password: str, mail: EmailMessage) -> None:
        try:
            self._converse(url, password, mail)
        except smtplib.SMTPRecipientsRefused as error:
            codes = [answer[0] for answer in error.recipients.values()]
            raise DeliveryFailed(
                f"no recipient was accepted: {_answer(*next(iter(error.recipients.values())))}",
                permanent=all(500 <= code < 600 for code in codes),
            ) from error
        except smtplib.SMTPAuthenticationError as error:
            raise DeliveryFailed(
                f"the relay refused the login: {_answer(error.smtp_code, error.smtp_error)}"
            ) from error
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            permanent = 500 <= error.smtp_code < 600 and error.smtp_code not in (530, 535)
            raise DeliveryFailed(
                f"refused: {_answer(error.smtp_code, error.smtp_error)}",
                permanent=permanent,
                too_large=error.smtp_code == TOO_LARGE,
            ) from error
        except smtplib.SMTPResponseException as error:
            raise DeliveryFailed(_answer(error.smtp_code, error.smtp_error)) from error
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise DeliveryFailed(f"{type(error).__name__}: {_words(str(error))}") from error

    def _converse(self, url: str, password: str, mail: EmailMessage) -> None:
        if sends_password_bare(url, self._settings):
            # what a reference stands for is known only now
            raise DeliveryFailed(
                "url leads to a relay that is not on this machine, and with starttls = false all on the way could read the password: "
                "leave starttls out, or use smtps://"
            )
        parts = urlsplit(url)
        host, timeout = parts.hostname or "", self._settings.timeout_seconds
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if parts.scheme == "smtps":
            relay: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=timeout, context=context)
        else:
            relay = smtplib.SMTP(host, parts.port or 25, timeout=timeout)
        self._relay = relay
        try:
            if parts.scheme != "smtps" and self._settings.starttls:
                relay.starttls(context=context)
            if self._settings.user:
                relay.login(self._settings.user, password)
            refused = relay.send_message(mail, self._settings.sender, list(self._settings.to))
            if refused:
                # some took it: sending it again would tell those twice
                log.warning("the relay refused %d of %d recipients", len(refused), len(self._settings.to))
        finally:
            self._relay = None
            with suppress(smtplib.SMTPException, OSError):
                relay.quit()

    def _hang_up(self) -> None:
        """Wake the thread from a conversation that goes on for too long."""
        relay = self._relay
        line = relay.sock if relay is not None else None
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """End the conversation and the thread."""
        self._hang_up()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown(wait=False, cancel_futures=True)


def make_mail(message: Message, settings: ChannelSettings, now: float) -> EmailMessage:
    """The mail of a message.  Its Message-ID is made from the key: a mail that is sent twice is the same
    mail.
    """
    mail = EmailMessage()
    mail["From"] = settings.sender
    mail["To"] = ", ".join(settings.to)
    mail["Subject"] = subject(message)
    mail["Date"] = format_datetime(datetime.fromtimestamp(now, UTC))
    domain = settings.sender.rpartition("@")[2].strip("<> ") or "guardian.invalid"
    mail["Message-ID"] = f"<{hashlib.sha256(message.key.encode()).hexdigest()[:32]}@{domain}>"
    mail["X-Guardian-Key"] = message.key
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(plain_text(message), cte="quoted-printable")
    return mail


def _answer(code: int, said: bytes | str) -> str:
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {_words(words)}"


def _words(text: str) -> str:
    return " ".join(safe(text[: 4 * WORDS_LIMIT]).split())[:WORDS_LIMIT]
