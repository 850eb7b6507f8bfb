"""HTTP checks: one request with its redirects, and what its answer must be."""

from __future__ import annotations

import contextlib
import ssl
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import msgspec

from guardian_tui.engine.fleet.checks import tls
from guardian_tui.engine.fleet.checks.jsonpath import unmet
from guardian_tui.engine.fleet.checks.patterns import found
from guardian_tui.engine.fleet.checks.result import Failed, Figure, Result, Unsure, ok
from guardian_tui.engine.fleet.checks.site import Site, Stopwatch, Way
from guardian_tui.protocol.check_params import HttpParams
from guardian_tui.text import counted, safe

BODY_LIMIT_BYTES = 4 << 20
"""What is read of a body; what is longer is cut there."""
_CACHE_HEADERS = ("cache-status", "x-cache", "cf-cache-status", "x-cache-status", "x-proxy-cache")
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    url: str
    status: int
    headers: Any  # Any: httpx.Headers
    raw: bytes
    cut: bool
    first_byte_seconds: float
    seen: tls.Seen | None

    @property
    def size(self) -> int:
        """Bytes of the body as sent; as the answer says where we have not read all."""
        told = self.headers.get("content-length", "")
        return max(len(self.raw), int(told) if self.cut and told.isdecimal() and len(told) < 16 else 0)

    def text(self) -> str:
        """The body as text.

        Raises:
            Failed: it is not what its encoding says.
            Unsure: its encoding is one that we can't read.
        """
        encoding = self.headers.get("content-encoding", "").strip().lower()
        body = self.raw
        if encoding in ("gzip", "x-gzip", "deflate"):
            packed = zlib.decompressobj(47 if encoding != "deflate" else 15)
            try:
                body = packed.decompress(body, BODY_LIMIT_BYTES)
            except zlib.error as error:
                raise Failed(f"its body is no {safe(encoding, 20)}") from error
            if not packed.eof and not self.cut and len(body) < BODY_LIMIT_BYTES:
                raise Failed(f"its body is no whole {safe(encoding, 20)}")
        elif encoding not in ("", "identity"):
            raise Unsure(f"its body is encoded as {safe(encoding, 20)}, which can't be read here")
        return body.decode("utf-8", "replace")


async def check_http(params: HttpParams, site: Site) -> Result:
    """Ask, follow redirects, and judge the last answer."""
    watch, url, hops = Stopwatch(), params.url, 0
    while True:
        answer = await fetch(url, params, site)
        if isinstance(answer, Result):
            return answer
        following = answer.headers.get("location", "") if answer.status in _REDIRECTS else ""
        if not following or hops >= params.redirects:
            break
        url, hops = _next_url(url, following), hops + 1
        if not url:
            break
    return judge(answer, params, site.clock.now(), watch.seconds, hops)


def _next_url(url: str, location: str) -> str:
    try:
        following = urljoin(url, location[:2000])
        return following if urlsplit(following).hostname and following.startswith(("http:", "https:")) else ""
    except ValueError:
        return ""


def origin(url: str) -> tuple[str, int]:
    """Host and port of a URL.

    Raises:
        Failed: it is no URL.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Failed(f"{safe(url, 100)} is no URL") from error
    if not parts.hostname:
        raise Failed(f"{safe(url, 100)} is no URL")
    return parts.hostname, port


async def fetch(url: str, params: HttpParams, site: Site) -> Answer | Result:
    """One request; a TLS handshake that was refused is a result already.

    Raises:
        Failed, OSError: no answer.
    """
    host, port = origin(url)
    context = None
    if url.startswith("https:"):
        context = await tls.context_of(params.tls_minimum, verify=params.verify, authority=params.authority)
    headers = {
        "User-Agent": "guardian-tui", "Accept": "*/*", "Accept-Encoding": params.encoding or "gzip, identity",
    }  # fmt: skip
    # a secret goes to the host that it is meant for, not to where that sends us
    if params.authorization and origin(params.url) == (host, port):
        headers["Authorization"] = await site.secret(params.authorization)
    async with site.way(host, port) as way:
        try:
            return await _ask(way, url, params.method, headers, context)
        except ssl.SSLError as error:
            seen = await tls.look_again(way, host)
            return tls.refused(error, seen, params.tls_minimum, site.clock.now())


async def _ask(
    way: Way, url: str, method: str, headers: dict[str, str], context: ssl.SSLContext | None
) -> Answer:
    # loaded when the first check needs it
    import httpx

    transport = httpx.AsyncHTTPTransport(
        verify=context if context is not None else False, uds=way.path, trust_env=False
    )
    watch = Stopwatch()
    try:
        async with httpx.AsyncClient(transport=transport, timeout=None, trust_env=False) as client:  # noqa: S113  # the run has one
            request = client.build_request(method, url, headers=headers)
            response = await client.send(request, stream=True, follow_redirects=False)
            async with contextlib.aclosing(response):
                first = watch.seconds
                stream = response.extensions.get("network_stream")
                secured = stream.get_extra_info("ssl_object") if stream is not None else None
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) >= BODY_LIMIT_BYTES:
                        break
                return Answer(
                    url, response.status_code, response.headers, bytes(body[:BODY_LIMIT_BYTES]),
                    len(body) >= BODY_LIMIT_BYTES, first, tls.seen_of(secured) if secured else None,
                )  # fmt: skip
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLError | OSError):
                raise cause from error
        words = safe(str(error) or type(error).__name__, 200)
        raise Failed(f"no HTTP answer: {words}") from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """What lies under an error, the deepest last but TLS and system errors in any case."""
    waiting, looked = [error], 0
    while waiting and looked < 20:
        current = waiting.pop(0)
        looked += 1
        if current is None:
            continue
        if isinstance(current, BaseExceptionGroup):
            waiting += current.exceptions
        # "All connection attempts failed" says less than what stands below it
        elif not (type(current) is OSError and current.errno is None):
            yield current
        waiting.append(current.__cause__ or current.__context__)


def judge(answer: Answer, params: HttpParams, now: float, seconds: float, hops: int) -> Result:
    """An answer against what is wanted of it.

    Raises:
        Failed, Unsure: its body can't be read.
    """
    figures = [
        Figure("check_first_byte_seconds", answer.first_byte_seconds), Figure("check_body_bytes", float(answer.size)),
    ]  # fmt: skip
    words = f"status {answer.status} in {seconds * 1000:.0f} ms"
    if hops:
        words += f", {hops} redirect{'s' * (hops > 1)}"
    if answer.seen is not None:
        figures += tls.figures_of(answer.seen, now, invalid=False)
        words += f", {answer.seen.version.replace('TLSv', 'TLS ')}, {tls.left_words(answer.seen, now)}"
    result = ok(words, figures)
    wanted = ", ".join(map(str, params.status)) or "less than 400"
    good = answer.status in params.status if params.status else answer.status < 400
    result = result.and_if(not good, f"status {answer.status}, wanted {wanted}")
    for fault in _faults(answer, params):
        result = result.and_if(True, fault)
    return result


def _faults(answer: Answer, params: HttpParams) -> Iterator[str]:
    if params.text or params.regex or params.json:
        yield from _body_faults(answer.text(), params)
    yield from _header_faults(answer, params)
    if answer.size < params.size_min:
        yield f"{counted(answer.size, 'byte')}, wanted at least {params.size_min}"
    if params.size_max and answer.size > params.size_max:
        yield f"{counted(answer.size, 'byte')}, wanted at most {params.size_max}"
    if params.first_byte_max and answer.first_byte_seconds > params.first_byte_max:
        yield f"first byte after {answer.first_byte_seconds * 1000:.0f} ms, wanted within {params.first_byte_max * 1000:.0f}"


def _body_faults(text: str, params: HttpParams) -> Iterator[str]:
    if params.text and params.text not in text:
        yield f"the body lacks {safe(params.text, 60)!r}"
    if params.regex and not found(text, params.regex):
        yield f"the body does not match {safe(params.regex, 60)!r}"
    if not params.json:
        return
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        yield "the body is not JSON"
        return
    for condition in params.json:
        if fault := unmet(document, condition):
            yield fault


def _header_faults(answer: Answer, params: HttpParams) -> Iterator[str]:
    for line in params.header:
        name, _, wanted = line.partition(":")
        value = answer.headers.get(name.strip())
        if value is None:
            yield f"no header {safe(name.strip(), 40)}"
        elif not found(value, wanted.strip()):
            yield f"header {safe(name.strip(), 40)} is {safe(value, 80)!r}"
    if params.cache:
        told = " ".join(answer.headers.get(name, "") for name in _CACHE_HEADERS).strip()
        if params.cache.lower() not in told.lower():
            yield f"cache status {safe(told, 60)!r}, wanted {safe(params.cache, 40)}"
    if params.encoding:
        encoding = answer.headers.get("content-encoding", "")
        if encoding.strip().lower() != params.encoding.lower():
            yield f"content encoding {safe(encoding, 40)!r}, wanted {safe(params.encoding, 40)}"
