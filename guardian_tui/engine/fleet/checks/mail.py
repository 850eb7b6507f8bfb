"""SMTP and IMAP checks: the greeting, STARTTLS and the certificate (RFC 5321, 3207; RFC 9051)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from guardian_tui.engine.fleet.checks import tls
from guardian_tui.engine.fleet.checks.patterns import found
from guardian_tui.engine.fleet.checks.result import Failed, Result, ok
from guardian_tui.engine.fleet.checks.site import Site, Stopwatch, Stream, Way, read_line
from guardian_tui.protocol.check_params import MailParams
from guardian_tui.text import safe

MOST_LINES = 100
Talk = Callable[[Stream, bool], Awaitable[str]]
"""Talks up to where TLS may begin (or, without, ends); answers the greeting."""


async def check_smtp(params: MailParams, site: Site) -> Result:
    """An SMTP server."""
    return await _check(params, site, _talk_smtp, 465 if params.tls == "direct" else 25)


async def check_imap(params: MailParams, site: Site) -> Result:
    """An IMAP server."""
    return await _check(params, site, _talk_imap, 993 if params.tls == "direct" else 143)


async def _check(params: MailParams, site: Site, talk: Talk, port: int) -> Result:
    watch, address = Stopwatch(), site.default_address(params.address)
    name = params.name or address
    now = site.clock.now()
    async with site.way(address, params.port or port) as way:
        context = None
        if params.tls != "none":
            context = await tls.context_of(
                params.tls_minimum, verify=params.verify, authority=params.authority
            )
        try:
            greeting, seen = await _meet(way, params.tls, context, name, talk)
        except ssl.SSLError as error:
            again = None
            try:
                lax = await tls.context_of("1.0", verify=False)
                _, again = await _meet(way, params.tls, lax, name, talk)
            except (OSError, EOFError, Failed):
                pass
            return tls.refused(error, again, params.tls_minimum, now)
    words = f"{safe(greeting, 80)}, in {watch.seconds * 1000:.0f} ms"
    figures = []
    if seen is not None:
        words += f", {seen.version.replace('TLSv', 'TLS ')}, {tls.left_words(seen, now)}"
        figures = tls.figures_of(seen, now, invalid=False)
    wrong = bool(params.greeting) and not found(greeting, params.greeting)
    return ok(words, figures).and_if(wrong, f"it greets as {safe(greeting, 100)!r}")


async def _meet(
    way: Way, kind: str, context: ssl.SSLContext | None, name: str, talk: Talk
) -> tuple[str, tls.Seen | None]:
    async with way.open(context if kind == "direct" else None, name) as (reader, writer):
        greeting = await talk((reader, writer), kind == "starttls")
        if kind == "starttls" and context is not None:
            return greeting, await tls.talk_tls(reader, writer, context, name)
        secured = writer.get_extra_info("ssl_object")
        return greeting, tls.seen_of(secured) if secured else None


async def _smtp_answer(reader: asyncio.StreamReader, wanted: int) -> str:
    """A reply of any number of lines; answers its first.

    Raises:
        Failed: another code, or no reply at all.
    """
    first = ""
    for _ in range(MOST_LINES):
        line = (await read_line(reader)).decode("utf-8", "replace")
        first = first or line
        if not line[:3].isdecimal() or line[:3] != str(wanted):
            raise Failed(f"it answers {safe(line, 100)!r}")
        if line[3:4] != "-":
            return first
    raise Failed("it answers without an end")


async def _talk_smtp(stream: Stream, starttls: bool) -> str:
    reader, writer = stream
    greeting = await _smtp_answer(reader, 220)
    writer.write(b"EHLO guardian.invalid\r\n")
    await _smtp_answer(reader, 250)
    if starttls:
        writer.write(b"STARTTLS\r\n")
        await _smtp_answer(reader, 220)
    return greeting[4:]


async def _talk_imap(stream: Stream, starttls: bool) -> str:
    reader, writer = stream
    greeting = (await read_line(reader)).decode("utf-8", "replace")
    if not greeting.upper().startswith(("* OK", "* PREAUTH")):
        raise Failed(f"it greets as {safe(greeting, 100)!r}")
    if starttls:
        writer.write(b"g1 STARTTLS\r\n")
        for _ in range(MOST_LINES):
            line = (await read_line(reader)).decode("utf-8", "replace")
            if line.startswith("g1 "):
                if not line.upper().startswith("G1 OK"):
                    raise Failed(f"it offers no STARTTLS: {safe(line, 100)!r}")
                break
        else:
            raise Failed("it answers without an end")
    return greeting[2:]
