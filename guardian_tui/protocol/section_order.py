"""How cells of a section stand in order, the same on screen and in what the engine answers; values in, values out."""

from __future__ import annotations

import ipaddress

from guardian_tui.protocol.section_kinds import Cell, Column

_PORT_DIGITS = 5
_LAST = 0x10FFFF
"""The greatest character."""

Rank = tuple[int, float, str]


def rank(value: Cell, column: Column, *, falling: bool) -> Rank:
    """What rows are sorted by: numbers before texts, and what is not known last, either way."""
    if value is None:
        return (2, 0.0, "")
    if isinstance(value, str):
        text = address_key(value) if column.address else value.lower()
        return (1, 0.0, "".join(chr(_LAST - ord(char)) for char in text) if falling else text)
    return (0, -value if falling else value, "")


def address_key(text: str) -> str:
    """A text by whose order addresses stand by number, IPv4 before IPv6, then ports by number; names come after all of them.

    Args:
        text: an address, alone or as ``192.0.2.7:22`` or ``[2001:db8::7]:22``; a name; anything.
    """
    host, port = text, ""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    known = not port or (port.isascii() and port.isdecimal() and len(port) <= _PORT_DIGITS)
    try:
        address = ipaddress.ip_address(host) if known else None
    except ValueError:
        address = None
    if address is None:
        return f"7{text.lower()}"
    if isinstance(address, ipaddress.IPv6Address):
        mapped, zone = address.ipv4_mapped, address.scope_id or ""
        if mapped is None:
            return f"6{int(address):032x}{zone} {port:0>{_PORT_DIGITS}}"
        address = mapped
    return f"4{int(address):08x} {port:0>{_PORT_DIGITS}}"
