"""The engine's HTTP face: every answer has its form, and no client holds it up."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import json
import logging
import re
from pathlib import Path

import pytest

from guardian_tui.engine import listener, server
from guardian_tui.engine.main import JsonLines, LogFile
from guardian_tui.protocol.fleet import HostRow, HostSpec
from guardian_tui.protocol.routes import PUBLIC, ROUTES
from guardian_tui.protocol.system import Hello
from tests.support.console import WAIT_SECONDS, house

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/v1/hosts/", 404, "not-found"),
        ("POST", "/livez", 405, "method-not-allowed"),
        ("GET", "/v1/hosts", 401, "not-authenticated"),
        ("POST", "/v1/login", 400, "invalid-request"),
    ],
)
async def test_every_refusal_is_a_problem_document_with_a_request_id(
    tmp_path: Path, method: str, path: str, status: int, code: str
) -> None:
    async with house(tmp_path, set_up=False) as one:
        answer = await one.client._http.request(
            method, path, content=b'{"no": 1}' if method == "POST" else None
        )
        problem = answer.json()
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
        assert problem["type"] == f"urn:guardian:problem:{code}"
        assert problem["status"] == status and problem["title"] and problem["detail"]
        assert problem["request_id"] == answer.headers["x-request-id"]
        if status == 405:
            assert "GET" in answer.headers["allow"]


async def test_orders_and_refusals_are_in_the_log_under_their_request_ids(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "guardian_tui")
    async with house(tmp_path) as one:
        await one.client.call("hosts.add", HostRow, HostSpec(name="web-1", address="127.0.0.1", port=1))
        refused = await one.client._http.get("/v1/hosts", headers={"authorization": "Bearer dead"})
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    told = {line["request_id"]: line["message"] for line in lines if "request_id" in line}
    assert any(re.fullmatch(r"hosts\.add by uid \d+", message) for message in told.values())
    assert told[refused.headers["x-request-id"]] == "hosts.list refused: not-authenticated"
    assert "dead" not in " ".join(told.values())


class Full(io.StringIO):
    """A file whose disk is full."""

    def write(self, text: str) -> int:
        """Refuse."""
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_whose_disk_is_full_loses_lines_and_says_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = LogFile(tmp_path / "engine.log", delay=True)
    log.stream = Full()  # type: ignore[assignment]  # as a file
    record = logging.LogRecord("x", logging.INFO, "", 0, "words", None, None)
    log.handle(record)
    assert capsys.readouterr().err == ""
    # a fault of ours is told
    record.args = (1,)
    log.handle(record)
    assert "not all arguments converted" in capsys.readouterr().err
    log.close()


async def test_the_openapi_document_has_every_route_and_every_reference_leads_somewhere(
    tmp_path: Path,
) -> None:
    async with house(tmp_path, set_up=False) as one:
        document = (await one.client._http.get("/v1/openapi.json")).json()
    offered = {
        operation["operationId"]: (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(offered) == set(ROUTES)
    for name, (method, path, operation) in offered.items():
        route = ROUTES[name]
        assert (method, path, operation["x-permission"]) == (route.method, route.path, route.permission)
        assert ("security" in operation) == (route.permission != PUBLIC)
    names = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document))
    assert "Problem" in names and set(names) <= set(document["components"]["schemas"])


SILENT = (
    b"", b"GET /v1/hel", b"GET /livez HTTP/1.1\r\nhost: e\r\n\r\n|GET /v1/hel",
    b"POST /v1/login HTTP/1.1\r\nhost: e\r\ncontent-length: 99\r\n\r\n{",
)  # fmt: skip
"""Nothing, half a head, half a second head, half a body."""
DRIBBLED = (
    b"GET /livez HTTP/1.1\r\nx: ",
    b"POST /v1/login HTTP/1.1\r\nhost: e\r\ncontent-length: 9999\r\n\r\n{",
)


async def test_clients_that_fall_silent_or_dribble_are_hung_up_on_and_the_others_are_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(server, "BODY_SECONDS", 0.5)
    async with house(tmp_path, set_up=False) as one:

        async def silent(said: bytes) -> None:
            reader, writer = await asyncio.open_unix_connection(one.paths.socket)
            first, _, rest = said.rpartition(b"|")
            if first:
                writer.write(first)
                await reader.readuntil(b"ok\n")
            writer.write(rest)
            assert (b"did not come whole" in await reader.read()) == said.endswith(b"{")
            writer.close()

        async def dribbling(begins: bytes) -> None:
            reader, writer = await asyncio.open_unix_connection(one.paths.socket)
            writer.write(begins)
            hearing = asyncio.create_task(reader.read())
            while not hearing.done():
                # each byte comes in time, and all of them never
                writer.write(b"x")
                await asyncio.sleep(0.05)
            with contextlib.suppress(ConnectionError):
                assert (b"did not come whole" in await hearing) == begins.endswith(b"{")
            writer.close()

        async with asyncio.timeout(WAIT_SECONDS), asyncio.TaskGroup() as clients:
            for said in SILENT:
                clients.create_task(silent(said))
            for begins in DRIBBLED:
                clients.create_task(dribbling(begins))
            assert (await one.client.call("hello", Hello)).version


async def test_what_is_no_http_and_what_is_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(tmp_path, set_up=False) as one:
        for said in (b"\x00\xff garbage\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"y" * (1 << 17)):
            reader, writer = await asyncio.open_unix_connection(one.paths.socket)
            writer.write(said)
            async with asyncio.timeout(WAIT_SECONDS):
                assert b" 400 " in (await reader.read()).splitlines()[0]
            writer.close()
        answer = await one.client._http.post("/v1/login", content=b"x" * (1 << 17))
        assert (answer.status_code, answer.headers["content-type"]) == (400, PROBLEM)
        assert "larger than 64 KiB" in answer.json()["detail"]
        assert (await one.client.call("hello", Hello)).version


async def test_nothing_is_read_of_who_may_not_ask_and_no_more_than_is_borne_of_who_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "BODY_LIMIT_BYTES", 1 << 17)
    async with house(tmp_path) as one:
        reader, writer = await asyncio.open_unix_connection(one.paths.socket)
        # the rest of it never comes, and is not waited for
        writer.write(b"POST /v1/hosts HTTP/1.1\r\nhost: e\r\ncontent-length: 9999\r\n\r\n{")
        async with asyncio.timeout(WAIT_SECONDS):
            heard = await reader.read()
        assert b" 401 " in heard.splitlines()[0]
        writer.close()
        bearer = {"authorization": f"Bearer {one.client.token}"}
        answer = await one.client._http.post("/v1/hosts", content=b"x" * (1 << 18), headers=bearer)
        assert answer.status_code == 400 and "larger than 128 KiB" in answer.json()["detail"]
        assert (await one.client.call("hello", Hello)).version
