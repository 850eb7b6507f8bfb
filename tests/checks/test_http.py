"""HTTP checks against real servers, some of them broken."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.fleet.checks.jsonpath import unmet
from guardian_tui.engine.fleet.checks.tls import seconds_left
from tests.checks.certificates import Authority
from tests.checks.lab import Lab, answering, http, server
from tests.support.sshd import free_port

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize(
    ("answer", "params", "state", "words"),
    [
        (http(), {}, "ok", "status 200"),
        (http(status=503), {}, "failed", "status 503, wanted less than 400"),
        (http(status=404), {"status": "404,410"}, "ok", "status 404"),
        (http(), {"text": "hell"}, "ok", ""),
        (http(), {"text": "heaven"}, "failed", "the body lacks 'heaven'"),
        (http(), {"regex": "^h.*o$"}, "ok", ""),
        (http(), {"regex": "^x"}, "failed", "does not match"),
        (http(b'{"a": {"b": [1, {"c": "up"}]}}'), {"json": ["a.b[1].c=up", "a.b[0]<2"]}, "ok", ""),
        (http(b'{"a": 1}'), {"json": "a>1"}, "failed", "a is 1, wanted >1"),
        (http(b"<html>"), {"json": "a"}, "failed", "the body is not JSON"),
        (http(b"[" * 100_000), {"json": "a"}, "failed", "the body is not JSON"),
        (http(Server="nginx"), {"header": "server: nginx"}, "ok", ""),
        (http(), {"header": "Strict-Transport-Security: max-age"}, "failed", "no header Strict-Transport-Security"),
        (http(X_Cache="HIT from edge"), {"cache": "hit"}, "ok", ""),
        (http(X_Cache="MISS"), {"cache": "HIT"}, "failed", "cache status 'MISS', wanted HIT"),
        (http(gzip.compress(b"hello", mtime=0), Content_Encoding="gzip"), {"text": "hello", "encoding": "gzip"}, "ok", ""),
        (http(), {"encoding": "gzip"}, "failed", "content encoding ''"),
        (http(b"x", Content_Encoding="gzip"), {"text": "x"}, "failed", "its body is no whole gzip"),
        (http(b"x", Content_Encoding="br"), {"text": "x"}, "unknown", "which can't be read here"),
        (http(), {"size_min": 10}, "failed", "5 bytes, wanted at least 10"),
        (http(), {"size_max": 4}, "failed", "5 bytes, wanted at most 4"),
        (http(), {"first_byte_max": 0.000001}, "failed", "first byte after"),
        (b"220 smtp.example ESMTP\r\n", {}, "failed", "no HTTP answer"),
        (b"", {}, "failed", "no HTTP answer"),
        (http(b"\x1b]52;c;aaaa\x07", status=500, X_Cache="\x9b2J\u202e".encode().decode("latin-1")), {"cache": "HIT"}, "failed", "status 500"),
    ],
)  # fmt: skip
async def test_an_answer_is_judged(
    lab: Lab, answer: bytes, params: dict[str, object], state: str, words: str
) -> None:
    async with server(answering(answer)) as port:
        check = await lab.made("http", {"url": f"http://127.0.0.1:{port}/", **params})
    assert (check.state, words in check.words) == (state, True), check.words
    assert check.words.isprintable()


async def test_redirects_are_followed_and_counted_but_not_for_ever_and_carry_no_secret_elsewhere(
    lab: Lab,
) -> None:
    heads: list[bytes] = []

    async def last(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(http(b"there"))

    lab.secrets["env:TOKEN"] = "Bearer s3cret"
    lab.own["x"] = None  # type: ignore[assignment]  # never read: the checks have started
    async with server(last) as there:
        moved = http(b"", 302, Location=f"http://127.0.0.1:{there}/x")
        async with server(answering(moved)) as port:
            check = await lab.made("http", {"url": f"http://127.0.0.1:{port}/", "text": "there"})
            assert check.state == "ok" and "1 redirect" in check.words
            check = await lab.made(
                "http", {"url": f"http://127.0.0.1:{port}/", "redirects": 0, "status": 302}
            )
            assert check.state == "ok"

    async def round_and_round(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(http(b"", 301, Location="/again"))

    async with server(round_and_round) as port:
        check = await lab.made("http", {"url": f"http://127.0.0.1:{port}/", "status": 200})
    assert check.state == "failed" and "status 301" in check.words


async def test_who_does_not_answer_is_told_apart_from_who_can_not_be_found(lab: Lab) -> None:
    check = await lab.made("http", {"url": f"http://127.0.0.1:{free_port('127.0.0.1')}/"})
    assert (check.state, check.words) == ("failed", "connection refused")

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with server(silent) as port:
        check = await lab.made("http", {"url": f"http://127.0.0.1:{port}/"}, timeout_seconds=0.3)
        assert (check.state, check.words) == ("failed", "no answer within 0.3 s")
    check = await lab.made("http", {"url": "http://127.0.0.1:99999/"})
    assert check.state == "failed" and "is no URL" in check.words


async def test_an_endless_body_is_cut(lab: Lab) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with server(endless) as port:
        check = await lab.made("http", {"url": f"http://127.0.0.1:{port}/"}, timeout_seconds=30)
    assert check.state == "ok"
    assert lab.figures(check)["check_body_bytes"] == 4 << 20


async def test_a_certificate_is_judged_by_expiry_name_and_chain(lab: Lab, authority: Authority) -> None:
    async def look(context: ssl.SSLContext, **params: object) -> tuple[str, str, dict[str, float]]:
        async with server(answering(http()), context) as port:
            url = f"https://localhost:{port}/"
            check = await lab.made("http", {"url": url, "authority": str(authority.file), **params})
        return check.state, check.words, lab.figures(check)

    state, words, figures = await look(authority.context(days=30.5))
    assert state == "ok" and "TLS 1.3" in words and "certificate 30 d" in words
    assert figures["check_certificate_invalid"] == 0
    assert 30 * 86400 < figures["check_certificate_seconds"] < 31 * 86400

    state, words, figures = await look(authority.context(days=-3))
    assert (state, words) == ("failed", "certificate expired 3 d ago")
    assert figures["check_certificate_seconds"] < 0 and figures["check_certificate_invalid"] == 0

    state, words, figures = await look(authority.context(names=("other.example",)))
    assert state == "failed" and "localhost" in words
    assert figures["check_certificate_invalid"] == 1

    state, words, figures = await look(authority.context(own=True))
    assert state == "failed" and "self-signed" in words
    assert figures["check_certificate_invalid"] == 1
    assert (await look(authority.context(own=True), verify=False))[0] == "ok"

    state, words, figures = await look(authority.context(newest=ssl.TLSVersion.TLSv1_1))
    assert (state, words) == ("failed", "it speaks TLSv1.1 at most; 1.2 is wanted")
    assert (await look(authority.context(newest=ssl.TLSVersion.TLSv1_1), tls_minimum="1.1"))[0] == "ok"
    state, words, _ = await look(authority.context(newest=ssl.TLSVersion.TLSv1_2), tls_minimum="1.3")
    assert (state, words) == ("failed", "it speaks TLSv1.2 at most; 1.3 is wanted")

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp.example ESMTP\r\n")

    async with server(plain) as port:
        check = await lab.made("http", {"url": f"https://localhost:{port}/"})
    assert check.state == "failed" and check.words.startswith("TLS: ")


async def test_an_authority_that_can_not_be_read_is_our_fault(
    lab: Lab, authority: Authority, tmp_path: Path
) -> None:
    async with server(answering(http()), authority.context()) as port:
        check = await lab.made(
            "http", {"url": f"https://localhost:{port}/", "authority": str(tmp_path / "none")}
        )
    assert check.state == "unknown" and "can't be read" in check.words


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.text(),
)
def test_any_json_and_any_condition_give_an_answer(document: object, condition: str) -> None:
    assert isinstance(unmet(document, condition), str)


@given(st.binary(max_size=2000))
def test_any_certificate_gives_a_time_or_none(certificate: bytes) -> None:
    assert seconds_left(certificate, 0.0) is None
