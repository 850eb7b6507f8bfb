"""ICMP checks: echoes by an unprivileged ping socket, where the kernel lets the engine's user have one."""

from __future__ import annotations

import asyncio
import os
import socket
import struct

from guardian_tui.engine.fleet.checks.result import Figure, Result, Unsure, ok
from guardian_tui.engine.fleet.checks.site import Site, Stopwatch
from guardian_tui.protocol.check_params import IcmpParams
from guardian_tui.text import counted

PAUSE_SECONDS = 0.2
_ECHO, _ECHO6 = (8, 0), (128, 129)


async def check_icmp(params: IcmpParams, site: Site) -> Result:
    """Send echoes one after the other, and count what comes back."""
    address = site.default_address(params.address)
    loop = asyncio.get_running_loop()
    family, _, _, _, target = (await loop.getaddrinfo(address, 0, type=socket.SOCK_DGRAM))[0]
    patience = max(0.1, site.timeout_seconds * 0.9 / params.count - PAUSE_SECONDS)
    times: list[float] = []
    with _open(family) as sock:
        sock.setblocking(False)
        sock.connect(target)
        for number in range(params.count):
            if number:
                await asyncio.sleep(PAUSE_SECONDS)
            took = await _echo(sock, family, number + 1, patience)
            if took is not None:
                times.append(took)
    loss = 1 - len(times) / params.count
    mean = sum(times) / len(times) if times else None
    figures = [Figure("check_loss_ratio", loss)]
    words = f"{len(times)} of {counted(params.count, 'echo', 'echoes')}"
    if mean is not None:
        figures.append(Figure("check_round_trip_seconds", mean))
        words += f", {mean * 1000:.1f} ms"
    result = ok(words, figures).and_if(
        loss > params.loss_max, f"{len(times)} of {counted(params.count, 'echo', 'echoes')} came back"
    )
    slow = bool(params.round_trip_max) and mean is not None and mean > params.round_trip_max
    return result.and_if(
        slow, f"{(mean or 0) * 1000:.1f} ms, wanted within {params.round_trip_max * 1000:.1f}"
    )


def _open(family: int) -> socket.socket:
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    try:
        return socket.socket(family, socket.SOCK_DGRAM, protocol)
    except PermissionError as error:
        raise Unsure(
            "the engine's user may not send echoes: its group must be in the range of sysctl net.ipv4.ping_group_range"
        ) from error
    except OSError as error:
        raise Unsure(f"this machine has no ping sockets: {error.strerror}") from error


async def _echo(sock: socket.socket, family: int, number: int, seconds: float) -> float | None:
    """How long an echo took; None: it did not come back."""
    loop = asyncio.get_running_loop()
    request, reply = _ECHO6 if family == socket.AF_INET6 else _ECHO
    token = os.urandom(16)
    head = struct.pack("!BBHHH", request, 0, 0, 0, number)
    packet = head + token
    # the kernel sets the identifier, and the checksum of IPv6
    packet = struct.pack("!BBHHH", request, 0, checksum(packet), 0, number) + token
    came: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        try:
            data = sock.recv(2048)
        except BlockingIOError:
            return
        except OSError as error:
            if not came.done():
                came.set_exception(error)
            return
        if data[:1] == bytes([reply]) and data.endswith(token) and not came.done():
            came.set_result(None)

    watch = Stopwatch()
    loop.add_reader(sock, readable)
    try:
        sock.send(packet)
        async with asyncio.timeout(seconds):
            await came
        return watch.seconds
    except (TimeoutError, ConnectionError):
        return None
    finally:
        loop.remove_reader(sock)
        came.cancel()


def checksum(packet: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = packet + b"\0" * (len(packet) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
