"""What algorithms a server offers, from the first packet it sends (RFC 4253, 7.1): read in the clear, before any key is agreed on.

A server that shares none with us may close the connection before asyncssh has told which; the doctor looks for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from guardian_tui.text import safe

KEXINIT = 20
MOST_BYTES = 35_000
"""Of one packet, by RFC 4253."""
KINDS = ("key exchange", "host key", "cipher", "cipher", "MAC", "MAC")
"""The lists of the packet, in its order, as far as they matter to us; the second of a kind is the other direction."""
SHOWN = 8


def parse(packet: bytes) -> list[list[str]]:
    """The lists of a packet; empty if it is no KEXINIT or is cut short."""
    if len(packet) < 18 or packet[1] != KEXINIT:
        return []
    lists, place = [], 18
    for _ in KINDS:
        length = int.from_bytes(packet[place : place + 4], "big")
        names = packet[place + 4 : place + 4 + length]
        if len(names) < length or place + 4 > len(packet):
            return []
        lists.append(names.decode("ascii", "replace").split(",") if names else [])
        place += 4 + length
    return lists


def unshared(offered: Sequence[Sequence[str]], ours: Mapping[str, Sequence[str]]) -> str:
    """What is not shared, with both sides' lists, in words; empty if there is something of everything."""
    for kind, theirs in zip(KINDS, offered, strict=False):
        # ciphers with authentication of their own need no MAC
        if kind == "MAC" and any("gcm" in name or "poly1305" in name for name in offered[2]):
            continue
        if not set(theirs) & set(ours[kind]):
            return f"for {kind} it offers {listed(theirs)}; we accept {listed(ours[kind])}"
    return ""


async def offered_by(address: str, port: int) -> list[list[str]]:
    """A server's lists; empty if it says none.

    Raises:
        OSError: it can't be reached.
    """
    reader, writer = await asyncio.open_connection(address, port, limit=MOST_BYTES)
    try:
        await reader.readline()
        writer.write(b"SSH-2.0-Guardian\r\n")
        length = int.from_bytes(await reader.readexactly(4), "big")
        return parse(await reader.readexactly(length)) if length <= MOST_BYTES else []
    except (asyncio.IncompleteReadError, ValueError):
        return []
    finally:
        writer.close()


def listed(names: Sequence[str]) -> str:
    """The first names of a list, in words."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (safe(", ".join(names[:SHOWN]), 300) or "none") + more
