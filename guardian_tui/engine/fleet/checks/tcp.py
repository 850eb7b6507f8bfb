"""TCP checks: a connection, and what is said over it."""

from __future__ import annotations

import asyncio
import re

from guardian_tui.engine.fleet.checks.patterns import found
from guardian_tui.engine.fleet.checks.result import Failed, Result, ok
from guardian_tui.engine.fleet.checks.site import READ_LIMIT_BYTES, Site, Stopwatch, read_some
from guardian_tui.protocol.check_params import TcpParams
from guardian_tui.text import safe

_ESCAPE = re.compile(r"\\(r|n|t|\\|x[0-9a-fA-F]{2})")
_PLAIN = {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}
PART_OF_TIME = 0.9
"""How much of the run's time is waited for what is expected: so that there is time to say what came instead."""


def unescaped(text: str) -> bytes:
    r"""Bytes of a text with ``\r``, ``\n``, ``\t`` and ``\xNN``."""
    parts, place = [], 0
    for match in _ESCAPE.finditer(text):
        parts.append(text[place : match.start()].encode())
        word = match[1]
        parts.append(bytes([int(word[1:], 16)]) if word[0] == "x" else _PLAIN[word].encode())
        place = match.end()
    return b"".join([*parts, text[place:].encode()])


async def check_tcp(params: TcpParams, site: Site) -> Result:
    """Connect; send and expect where that is wanted."""
    watch = Stopwatch()
    async with (
        site.way(site.default_address(params.address), params.port) as way,
        way.open() as (reader, writer),
    ):
        connected = watch.seconds
        if params.send:
            writer.write(unescaped(params.send))
            await writer.drain()
        if not params.expect:
            return ok(f"connected in {connected * 1000:.0f} ms")
        came = await _gather(reader, params.expect, site.timeout_seconds * PART_OF_TIME - connected)
        if not found(came, params.expect):
            raise Failed(f"it says {safe(came, 80)!r}" if came else "it says nothing")
        return ok(f"answers in {watch.seconds * 1000:.0f} ms: {safe(came.strip(), 80)}")


async def _gather(reader: asyncio.StreamReader, wanted: str, seconds: float) -> str:
    """What comes until the pattern is there, the connection ends, or the time is over."""
    came = bytearray()
    try:
        async with asyncio.timeout(max(0.05, seconds)):
            while len(came) < READ_LIMIT_BYTES and (part := await read_some(reader)):
                came += part
                if found(came.decode("utf-8", "replace"), wanted):
                    break
    except TimeoutError:
        pass
    return came[:READ_LIMIT_BYTES].decode("utf-8", "replace")
