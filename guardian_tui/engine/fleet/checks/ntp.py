"""NTP checks: a time server's clock against ours (SNTP, RFC 4330)."""

from __future__ import annotations

import secrets
import struct
from functools import partial

from guardian_tui.engine.fleet.checks import udp
from guardian_tui.engine.fleet.checks.result import Failed, Figure, Result, Unsure, ok
from guardian_tui.engine.fleet.checks.site import Site
from guardian_tui.protocol.check_params import NtpParams
from guardian_tui.text import safe

_PACKET = struct.Struct("!BBBb11I")
_SINCE_1900 = 2208988800
_UNSYNCHRONISED, _SERVER = 3, 4


def read_answer(data: bytes, token: bytes, sent: float, came: float) -> tuple[float, int]:
    """Offset in seconds and stratum of an answer.

    Raises:
        Failed: it is none, or its clock follows nobody.
        Unsure: the server wishes to be left alone.
    """
    if len(data) < _PACKET.size or data[24:32] != token:
        raise Failed("its answer can't be read")
    head, stratum = data[0], data[1]
    if head & 7 != _SERVER:
        raise Failed("its answer can't be read")
    if stratum == 0:
        raise Unsure(f"it wishes to be asked less: {safe(data[12:16], 20)}")
    if head >> 6 == _UNSYNCHRONISED or stratum > 15:
        raise Failed("its clock follows no server")
    fields = _PACKET.unpack_from(data)
    received, answered = _seconds(fields[11], fields[12]), _seconds(fields[13], fields[14])
    if not received or not answered:
        raise Failed("its answer can't be read")
    return ((received - sent) + (answered - came)) / 2, stratum


def _seconds(whole: int, part: int) -> float:
    """Unix seconds of a timestamp; those below the middle are of the era that begins in 2036."""
    if not whole and not part:
        return 0.0
    era = 1 << 32 if whole < 1 << 31 else 0
    return whole + era - _SINCE_1900 + part / (1 << 32)


def _is_answer(token: bytes, data: bytes) -> bool:
    return data[24:32] == token


async def check_ntp(params: NtpParams, site: Site) -> Result:
    """Ask for the time, half the round trip taken off."""
    address, part = site.default_address(params.address), site.timeout_seconds * 0.9 / udp.TRIES
    for left in reversed(range(udp.TRIES)):
        token, sent = secrets.token_bytes(8), site.clock.now()
        request = bytes([0x23]) + bytes(39) + token
        try:
            # asked anew each time: the answer to a question that was sent twice would tell no time
            data = await udp.ask(address, params.port, request, part, partial(_is_answer, token), tries=1)
            break
        except TimeoutError:
            if not left:
                raise
    offset, stratum = read_answer(data, token, sent, site.clock.now())
    result = ok(f"stratum {stratum}, {offset * 1000:+.1f} ms", [Figure("check_clock_offset_seconds", offset)])
    return result.and_if(
        bool(params.offset_max) and abs(offset) > params.offset_max,
        f"{offset * 1000:+.0f} ms, wanted within {params.offset_max * 1000:.0f}",
    )
