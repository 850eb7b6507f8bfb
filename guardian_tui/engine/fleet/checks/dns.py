"""DNS checks: a record and its values (RFC 1035), over UDP, or TCP where that is cut or forwarded."""

from __future__ import annotations

import ipaddress
import secrets
import struct
from pathlib import Path

from guardian_tui.engine.fleet.checks import udp
from guardian_tui.engine.fleet.checks.result import Failed, Result, Unsure, ok
from guardian_tui.engine.fleet.checks.site import Site, Stopwatch
from guardian_tui.protocol.check_params import DnsParams
from guardian_tui.text import counted, safe

TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "CAA": 257,
}  # fmt: skip
_RCODES = {
    1: "it can't read the question",
    2: "it failed",
    3: "there is no such name",
    4: "it does not do that",
    5: "it refuses",
}
_HEADER = struct.Struct("!HHHHHH")
_TRUNCATED = 0x0200
MOST_RECORDS = 500
MOST_POINTERS = 64
RESOLV_CONF = Path("/etc/resolv.conf")


def make_query(number: int, name: str, kind: str) -> bytes:
    """A question.

    Raises:
        Failed: the name can't be asked for.
    """
    labels = [label.encode() for label in name.rstrip(".").split(".")]
    if not all(0 < len(label) < 64 for label in labels):
        raise Failed(f"{safe(name, 100)} is no name")
    body = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return _HEADER.pack(number, 0x0100, 1, 0, 0, 0) + body + struct.pack("!HH", TYPES[kind], 1)


def read_name(data: bytes, place: int) -> tuple[str, int]:
    """A name, and where what follows it begins.

    Raises:
        ValueError: it runs out of the message, or its pointers go round.
    """
    labels: list[str] = []
    after, jumps = -1, 0
    while True:
        if place >= len(data):
            raise ValueError("a name runs out of the message")
        length = data[place]
        if length & 0xC0 == 0xC0:
            if place + 1 >= len(data):
                raise ValueError("a name runs out of the message")
            jumps += 1
            if jumps > MOST_POINTERS:
                raise ValueError("the pointers of a name go round")
            after = place + 2 if after < 0 else after
            place = (length & 0x3F) << 8 | data[place + 1]
            continue
        if length & 0xC0:
            raise ValueError("a label of an unknown kind")
        place += 1
        if not length:
            return ".".join(labels) or ".", place if after < 0 else after
        if place + length > len(data):
            raise ValueError("a label runs out of the message")
        labels.append(data[place : place + length].decode("ascii", "backslashreplace"))
        place += length


def read_answer(data: bytes, number: int, kind: str) -> tuple[int, list[str]]:
    """The code of an answer, and its values of the kind asked for.

    Raises:
        ValueError: it is none that can be read.
    """
    if len(data) < _HEADER.size:
        raise ValueError("too short")
    got, flags, questions, answers, _, _ = _HEADER.unpack_from(data)
    if got != number or not flags & 0x8000:
        raise ValueError("no answer to our question")
    place = _HEADER.size
    for _ in range(min(questions, MOST_RECORDS)):
        _, place = read_name(data, place)
        place += 4
    values = []
    for _ in range(min(answers, MOST_RECORDS)):
        _, place = read_name(data, place)
        if place + 10 > len(data):
            raise ValueError("a record runs out of the message")
        type_, _, _, length = struct.unpack_from("!HHIH", data, place)
        place += 10
        if place + length > len(data):
            raise ValueError("a record runs out of the message")
        if type_ == TYPES[kind]:
            values.append(_value(data, place, length, kind))
        place += length
    return flags & 0xF, values


def _value(data: bytes, place: int, length: int, kind: str) -> str:
    part = data[place : place + length]
    try:
        if kind in ("A", "AAAA"):
            return str(ipaddress.ip_address(part))
        if kind in ("NS", "CNAME", "PTR"):
            return read_name(data, place)[0]
        if kind == "MX":
            return f"{struct.unpack_from('!H', part)[0]} {read_name(data, place + 2)[0]}"
        if kind == "SRV":
            priority, weight, port = struct.unpack_from("!HHH", part)
            return f"{priority} {weight} {port} {read_name(data, place + 6)[0]}"
        if kind == "SOA":
            primary, place = read_name(data, place)
            mailbox, place = read_name(data, place)
            return f"{primary} {mailbox} {struct.unpack_from('!I', data, place)[0]}"
        if kind == "CAA":
            size = part[1]
            return f"{part[0]} {part[2 : 2 + size].decode('ascii', 'replace')} {part[2 + size :].decode('ascii', 'replace')}"
    except (IndexError, struct.error) as error:
        raise ValueError("a record is too short") from error
    return _text(part)


def _text(part: bytes) -> str:
    words, place = [], 0
    while place < len(part):
        words.append(part[place + 1 : place + 1 + part[place]].decode("utf-8", "backslashreplace"))
        place += 1 + part[place]
    return "".join(words)


def name_server() -> str:
    """The first name server of this machine.

    Raises:
        Unsure: it names none.
    """
    try:
        lines = RESOLV_CONF.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    for words in (line.split() for line in lines):
        if len(words) > 1 and words[0] == "nameserver":
            return words[1]
    raise Unsure(f"{RESOLV_CONF} names no server; give one as server")


async def check_dns(params: DnsParams, site: Site) -> Result:
    """Ask, and compare."""
    watch, server = Stopwatch(), params.server or name_server()
    number = secrets.randbelow(1 << 16)
    query = make_query(number, params.name, params.type)
    try:
        data = await _ask(server, params.port, query, site)
    except (TimeoutError, OSError) as error:
        if params.server:
            raise
        raise Unsure(f"the engine's own name server {server} does not answer") from error
    try:
        code, values = read_answer(data, number, params.type)
    except ValueError as error:
        raise Failed(f"its answer can't be read: {error}") from error
    if code:
        words = _RCODES.get(code, f"it answers with code {code}")
        if not params.server and code in (2, 5):
            raise Unsure(f"{words} (the engine's own name server)")
        raise Failed(words)
    return _judge(values, params, watch.seconds)


async def _ask(server: str, port: int, query: bytes, site: Site) -> bytes:
    if site.where != "forward":
        data = await udp.ask(
            server, port, query, site.timeout_seconds * 0.9, lambda answer: answer[:2] == query[:2]
        )
        if len(data) < _HEADER.size or not _HEADER.unpack_from(data)[1] & _TRUNCATED:
            return data
    async with site.way(server, port) as way, way.open() as (reader, writer):
        writer.write(struct.pack("!H", len(query)) + query)
        return await reader.readexactly(struct.unpack("!H", await reader.readexactly(2))[0])


def _judge(values: list[str], params: DnsParams, seconds: float) -> Result:
    told = ", ".join(safe(value, 80) for value in values[:6])
    result = ok(f"{told or 'no values'} in {seconds * 1000:.0f} ms")
    result = result.and_if(not values, f"there is no {params.type} record")
    have = {value.lower().rstrip(".") for value in values}
    wanted = {value.lower().rstrip(".") for value in params.expected}
    missing, more = wanted - have, have - wanted
    result = result.and_if(
        bool(missing), f"it lacks {', '.join(sorted(missing))[:80]}; it has {told or 'nothing'}"
    )
    return result.and_if(
        bool(wanted) and params.exact and bool(more), f"{counted(len(more), 'value')} too many: {safe(', '.join(sorted(more)), 80)}"
    )  # fmt: skip
