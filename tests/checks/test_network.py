"""Checks over the network, against small real servers and a real sshd."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.fleet.checks import dns, icmp, ntp
from guardian_tui.engine.fleet.checks.result import Failed, Unsure
from guardian_tui.engine.fleet.checks.tcp import unescaped
from tests.checks.certificates import Authority
from tests.checks.lab import Lab, Serve, server
from tests.support.sshd import Sshd, free_port

pytestmark = pytest.mark.timeout(120)


def says(*parts: bytes) -> Serve:
    """Says this when it is connected to."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
        await reader.read(1000)

    return serve


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1000):
        writer.write(data)


async def test_tcp_connects_sends_and_expects(lab: Lab, sshd: Callable[..., Sshd]) -> None:
    async with server(echo) as port:
        assert (await lab.made("tcp", {"port": port})).state == "ok"
        check = await lab.made("tcp", {"port": port, "send": r"PING\r\n\x41", "expect": r"PING\r\nA"})
        assert check.state == "ok", check.words
        check = await lab.made(
            "tcp", {"port": port, "send": "\\x1b[2J", "expect": "PONG"}, timeout_seconds=0.5
        )
        assert check.state == "failed" and "says" in check.words and check.words.isprintable()
        host = await lab.host(sshd())
        check = await lab.made(
            "tcp", {"port": port, "send": "hi", "expect": "hi"}, host=host.spec.name, where="forward"
        )
        assert check.state == "ok", check.words
    check = await lab.made("tcp", {"port": port})
    assert (check.state, check.words) == ("failed", "connection refused")
    check = await lab.made("tcp", {"port": port}, host=host.spec.name, where="forward")
    assert check.state == "failed" and "refused" in check.words
    check = await lab.made("tcp", {"port": 9, "address": "no-such-name.invalid"})
    assert check.state in ("failed", "unknown") and "can't be resolved" in check.words


def test_escapes_are_bytes() -> None:
    assert unescaped(r"a\r\n\t\\\x00é\q") == b"a\r\n\t\\\x00\xc3\xa9\\q"


async def test_ssh_shows_its_greeting_and_its_key_also_through_a_forward(
    lab: Lab, sshd: Callable[..., Sshd]
) -> None:
    one = sshd()
    params = {"address": one.address, "port": one.port, "banner": "OpenSSH", "fingerprint": one.fingerprint}
    check = await lab.made("ssh", params)
    assert check.state == "ok" and one.fingerprint in check.words, check.words
    host = await lab.host(one)
    check = await lab.made("ssh", params, host=host.spec.name, where="forward")
    assert check.state == "ok", check.words
    check = await lab.made("ssh", {**params, "fingerprint": "SHA256:" + "A" * 43})
    assert check.state == "failed" and "wanted SHA256:A" in check.words
    check = await lab.made("ssh", {**params, "banner": "dropbear"})
    assert check.state == "failed" and "it greets as" in check.words
    async with server(says(b"HTTP/1.1 400 Bad Request\r\n" * 30)) as port:
        check = await lab.made("ssh", {"port": port})
        assert (check.state, check.words) == ("failed", "it does not greet as SSH does")
    async with server(says(b"x" * 100_000)) as port:
        check = await lab.made("ssh", {"port": port})
        assert (check.state, check.words) == ("failed", "it sends a line without an end")


def mail(tls: object, *, smtp: bool, offers: bool = True) -> Serve:
    """A mail server that can STARTTLS."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"220-mail.test ESMTP\r\n220 ready\r\n" if smtp else b"* OK [CAPABILITY IMAP4rev1] ready\r\n"
        )
        while line := (await reader.readline()).decode():
            if line.startswith("EHLO"):
                writer.write(b"250-mail.test\r\n250 STARTTLS\r\n")
            elif "STARTTLS" in line and offers:
                writer.write(b"220 go\r\n" if smtp else b"g1 OK go\r\n")
                await writer.drain()
                await writer.start_tls(tls)  # type: ignore[arg-type]  # a context
            else:
                writer.write(b"502 no\r\n" if smtp else b"g1 BAD no\r\n")

    return serve


@pytest.mark.parametrize("kind", ["smtp", "imap"])
async def test_mail_is_greeted_and_its_certificate_judged(lab: Lab, authority: Authority, kind: str) -> None:
    smtp, params = kind == "smtp", {"name": "localhost", "authority": str(authority.file)}
    async with server(mail(authority.context(days=20.5), smtp=smtp)) as port:
        check = await lab.made(kind, {"port": port, **params})
        assert check.state == "ok" and "certificate 20 d" in check.words, check.words
        assert lab.figures(check)["check_certificate_invalid"] == 0
        assert (
            await lab.made(kind, {"port": port, "tls": "none", "greeting": "ready|mail.test"})
        ).state == "ok"
        check = await lab.made(kind, {"port": port, **params, "greeting": "Exchange"})
        assert check.state == "failed" and "it greets as" in check.words
    async with server(mail(authority.context(days=-2), smtp=smtp)) as port:
        check = await lab.made(kind, {"port": port, **params})
        assert (check.state, check.words) == ("failed", "certificate expired 2 d ago")
    async with server(mail(authority.context(own=True), smtp=smtp)) as port:
        check = await lab.made(kind, {"port": port, **params})
        assert check.state == "failed" and lab.figures(check)["check_certificate_invalid"] == 1
    async with server(mail(None, smtp=smtp, offers=False)) as port:
        check = await lab.made(kind, {"port": port, **params})
        assert check.state == "failed" and ("502" in check.words or "BAD" in check.words)
    async with server(says(b"SSH-2.0-x\r\n")) as port:
        assert (await lab.made(kind, {"port": port})).state == "failed"
    greeting = b"220 direct\r\n250 ok\r\n" if smtp else b"* OK direct\r\n"
    async with server(says(greeting), authority.context()) as port:
        check = await lab.made(kind, {"port": port, "tls": "direct", **params})
        assert check.state == "ok" and "direct" in check.words, check.words


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        if (told := self._answer(data)) is not None:
            self._transport.sendto(told, addr)  # type: ignore[attr-defined]  # a datagram transport


@asynccontextmanager
async def udp_server(answer: Callable[[bytes], bytes | None]) -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(answer), local_addr=("127.0.0.1", 0))
    yield int(transport.get_extra_info("sockname")[1])
    transport.close()


def dns_answer(query: bytes, *records: bytes, code: int = 0, flags: int = 0x8180) -> bytes:
    """An answer; each record is its type and its data."""
    head = query[:2] + struct.pack("!HHHHH", flags | code, 1, len(records), 0, 0)
    parts = [b"\xc0\x0c" + r[:2] + struct.pack("!HIH", 1, 60, len(r) - 2) + r[2:] for r in records]
    return head + query[12:] + b"".join(parts)


A1, A2 = b"\0\1" + bytes([10, 0, 0, 1]), b"\0\1" + bytes([10, 0, 0, 2])


async def test_dns_values_are_compared(lab: Lab) -> None:
    asked = []

    def twice(query: bytes) -> bytes | None:
        asked.append(query)
        # the first datagram is lost, and a forged one comes before the answer
        return dns_answer(query, A1, A2) if len(asked) > 1 else None

    async with udp_server(twice) as port:
        base = {"name": "web.example", "server": "127.0.0.1", "port": port}
        check = await lab.made("dns", base, timeout_seconds=3)
        assert check.state == "ok" and "10.0.0.1, 10.0.0.2" in check.words
        assert (await lab.made("dns", {**base, "expected": "10.0.0.2"})).state == "ok"
        check = await lab.made("dns", {**base, "expected": "10.0.0.3"})
        assert check.state == "failed" and "it lacks 10.0.0.3" in check.words
        check = await lab.made("dns", {**base, "expected": "10.0.0.1", "exact": True})
        assert check.state == "failed" and "1 value too many: 10.0.0.2" in check.words
        check = await lab.made("dns", {**base, "type": "MX"})
        assert check.state == "failed" and "there is no MX record" in check.words
    async with udp_server(lambda query: dns_answer(query, code=3)) as port:
        check = await lab.made("dns", {"name": "x.example", "server": "127.0.0.1", "port": port})
        assert (check.state, check.words) == ("failed", "there is no such name")
    async with udp_server(lambda query: query[:2] + b"\x80" * 40) as port:
        check = await lab.made("dns", {"name": "x.example", "server": "127.0.0.1", "port": port})
        assert check.state == "failed" and "can't be read" in check.words


async def test_dns_goes_over_tcp_when_cut_and_through_a_forward(lab: Lab, sshd: Callable[..., Sshd]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = await reader.readexactly(struct.unpack("!H", await reader.readexactly(2))[0])
        answer = dns_answer(query, b"\0\x10" + b"\x05hello")
        writer.write(struct.pack("!H", len(answer)) + answer)

    async with server(serve) as port:
        host = await lab.host(sshd())
        params = {
            "name": "x.example",
            "type": "TXT",
            "server": "127.0.0.1",
            "port": port,
            "expected": "hello",
        }
        check = await lab.made("dns", params, host=host.spec.name, where="forward")
        assert check.state == "ok", check.words
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Udp(lambda query: dns_answer(query, flags=0x8380)), local_addr=("127.0.0.1", port)
        )
        check = await lab.made("dns", params)
        assert check.state == "ok", check.words
        transport.close()


@given(st.binary(max_size=300), st.sampled_from(sorted(dns.TYPES)))
def test_any_dns_answer_is_read_or_refused(data: bytes, kind: str) -> None:
    header = b"\0\1\x81\x80" + b"\0\1\0\3\0\0\0\0"
    for message in (data, header + data, header + b"\1a\0\0\1\0\1" + data):
        with suppress(ValueError):
            dns.read_answer(message, 1, kind)


def test_dns_values_of_every_kind_are_read() -> None:
    query = dns.make_query(7, "a.example", "A")
    name = b"\2ns\xc0\x0c"
    for kind, data, wanted in (
        ("AAAA", bytes(15) + b"\1", "::1"), ("NS", name, "ns.a.example"), ("MX", b"\0\x0a" + name, "10 ns.a.example"),
        ("SRV", b"\0\1\0\2\1\xbb" + name, "1 2 443 ns.a.example"), ("TXT", b"\3abc\2de", "abcde"),
        ("SOA", name + name + struct.pack("!5I", 2024, 1, 1, 1, 1), "ns.a.example ns.a.example 2024"),
        ("CAA", b"\0\5issueca.example", "0 issue ca.example"),
    ):  # fmt: skip
        record = struct.pack("!H", dns.TYPES[kind]) + data
        assert dns.read_answer(dns_answer(query, record), 7, kind) == (0, [wanted])
    with pytest.raises(ValueError, match="go round"):
        dns.read_name(b"\xc0\0", 0)
    with pytest.raises(Failed):
        dns.make_query(1, "a" * 64, "A")


async def test_echoes_come_back_or_it_says_why_not(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    check = await lab.made("icmp", {"address": "127.0.0.1", "count": 2})
    if check.state == "unknown":
        assert "ping_group_range" in check.words or "no ping sockets" in check.words
    else:
        assert check.state == "ok" and lab.figures(check)["check_loss_ratio"] == 0, check.words
        check = await lab.made("icmp", {"address": "127.0.0.1", "count": 1, "round_trip_max": 1e-9})
        assert check.state == "failed"

    def refuse(*_: object) -> socket.socket:
        raise PermissionError

    monkeypatch.setattr(icmp.socket, "socket", refuse)
    with pytest.raises(Unsure, match="ping_group_range"):
        icmp._open(socket.AF_INET)
    assert icmp.checksum(b"\x08\0\0\0\0\0\0\1") == 0xF7FE


def ntp_answer(request: bytes, offset: float = 0.0, *, head: int = 0x24, stratum: int = 2) -> bytes:
    moment = time.time() + offset + 2208988800
    stamp = struct.pack("!II", int(moment), int(moment % 1 * (1 << 32)))
    return bytes([head, stratum, 6, 0xEC]) + bytes(8) + b"GPS\0" + bytes(8) + request[40:48] + stamp + stamp


async def test_a_time_server_is_compared_with_our_clock(lab: Lab) -> None:
    lost = []

    def late(request: bytes) -> bytes | None:
        lost.append(request)
        return ntp_answer(request, 0.2) if len(lost) > 1 else None

    async with udp_server(late) as port:
        check = await lab.made("ntp", {"address": "127.0.0.1", "port": port}, timeout_seconds=3)
        assert check.state == "ok" and "stratum 2" in check.words, check.words
        assert abs(lab.figures(check)["check_clock_offset_seconds"] - 0.2) < 0.15
        check = await lab.made("ntp", {"address": "127.0.0.1", "port": port, "offset_max": 0.05})
        assert check.state == "failed" and "wanted within 50" in check.words
    for answer, state, words in (
        (lambda r: ntp_answer(r, head=0xE4), "failed", "follows no server"),
        (lambda r: ntp_answer(r, stratum=0), "unknown", "asked less"),
        (lambda r: r[:24] + r[40:48] + b"x", "failed", "can't be read"),
    ):
        async with udp_server(answer) as port:
            check = await lab.made("ntp", {"address": "127.0.0.1", "port": port}, timeout_seconds=1)
            assert check.state == state and words in check.words, check.words
    check = await lab.made("ntp", {"address": "127.0.0.1", "port": free_port("127.0.0.1")}, timeout_seconds=1)
    assert check.state == "failed"


@given(st.binary(max_size=80))
def test_any_time_answer_is_read_or_refused(data: bytes) -> None:
    for message in (data, data[:24].ljust(24, b"\x24") + b"12345678" + data[24:].ljust(16, b"\xff")):
        with suppress(Failed, Unsure):
            ntp.read_answer(message, b"12345678", 0.0, 0.0)
