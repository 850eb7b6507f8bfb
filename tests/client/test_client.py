"""The client against a real engine on a real socket."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import msgspec
import pytest

from guardian_tui.attach import engine_listens, last_words, start_engine, wait_until_listening
from guardian_tui.client import Client, wait_for_engine
from guardian_tui.config import Paths
from guardian_tui.protocol.alerts import AlertList, AlertsQuery, ChannelList, RuleList, SilenceList
from guardian_tui.protocol.audit import AuditBundle, AuditExport, AuditPage, AuditQuery, AuditVerdict
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import (
    EngineUnreachable,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    StepUpRequired,
)
from guardian_tui.protocol.events import Delta, End, Heartbeat
from guardian_tui.protocol.fleet import (
    History,
    HistoryQuery,
    HostDetail,
    HostList,
    HostRef,
    HostRow,
    HostSpec,
    HostsQuery,
    Maintenance,
    RemoveHost,
    SecretList,
    SecretSet,
)
from guardian_tui.protocol.imports import ImportPreview, ImportRequest, SourceList, SourceText
from guardian_tui.protocol.system import EngineStatus, Hello
from tests.support.console import house, until


async def test_this_machine_is_in_the_list_with_figures(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        async with asyncio.timeout(60):
            while True:
                (row,) = (await one.client.call("hosts.list", HostList, HostsQuery())).hosts
                if row.cpu is not None and row.disk is not None:
                    break
                await asyncio.sleep(0.1)
        assert row.state == "up"
        assert row.memory is not None and 0 < row.memory < 1
        detail = await one.client.call("hosts.show", HostDetail, HostRef(host=row.name))
        assert detail.file_systems and detail.facts["kernel"]
        now = row.measured_at or 0
        query = HistoryQuery(host=row.id, metric="memory_used_ratio", start=now - 60, end=now + 30, points=91)
        async with asyncio.timeout(60):
            # a sample is written within a second or two
            while not any(
                value is not None for value in (await one.client.call("hosts.history", History, query)).mean
            ):
                await asyncio.sleep(0.1)
        assert (await one.client.call("hosts.list", HostList, HostsQuery(filter="!" + row.name))).hosts == ()


async def test_an_answer_is_waited_for_as_long_as_its_order_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = msgspec.json.encode(AuditVerdict(ok=True, events=1, checkpoints=1))

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.5)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    monkeypatch.setattr("guardian_tui.client.CALL_SECONDS", 0.1)
    async with await asyncio.start_unix_server(slow, tmp_path / "socket"):
        client = Client(tmp_path / "socket")
        assert (await client.call("audit.verify", AuditVerdict)).ok
        await client.close()


async def test_the_stream_begins_with_a_snapshot_and_goes_on_where_it_was(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        seen: list[object] = []
        async for event in one.client.events():
            seen.append(event)
            if len(seen) > 3 and any(isinstance(e, Heartbeat) for e in seen):
                break
        first = seen[0]
        assert isinstance(first, Delta) and first.complete and first.hosts
        mark = one.client.last_event_id
        await one.client.call("hosts.add", HostRow, HostSpec(name="later", address="127.0.0.1", port=1))
        async for event in one.client.events(mark):
            if isinstance(event, Delta):
                assert not event.complete
                if any(row.name == "later" for row in event.hosts):
                    break
        one.client.last_event_id = ""
        other = Client(one.paths.socket, one.client.token)
        ends = [e async for e in _until_end(other, one.client)]
        assert isinstance(ends[-1], End) and ends[-1].reason == "logout"
        await other.close()


async def _until_end(stream: Client, other: Client):  # type: ignore[no-untyped-def]  # an async generator of events
    async for event in stream.events():
        yield event
        if isinstance(event, Heartbeat):
            await other.call("logout", Done)


async def test_routes_of_every_feature_answer(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        call = one.client.call
        assert (await call("hello", Hello)).set_up
        assert (await call("engine.status", EngineStatus)).hosts == 1
        assert (await call("rules.list", RuleList)).rules
        assert (await call("alerts.list", AlertList, AlertsQuery(resolved=True))).alerts == ()
        assert (await call("silences.list", SilenceList)).silences == ()
        assert (await call("channels.list", ChannelList)).channels == ()
        page = await call("audit.list", AuditPage, AuditQuery(filter="setup"))
        assert [event.action for event in page.events] == ["setup.confirm"]
        assert (await call("audit.verify", AuditVerdict)).ok
        assert (await call("audit.export", AuditBundle, AuditExport())).events
        await one.step_up()
        await call("secrets.set", Done, SecretSet(name="mail", value="s3cret"))
        assert (await call("secrets.list", SecretList)).names == ("mail",)
        source = SourceText(
            format="ssh_config", name="~/.ssh/config", text="Host web\n  HostName 127.0.0.1\n  Port 1\n"
        )
        preview = await call("hosts.import", ImportPreview, ImportRequest(source=source))
        assert [found.spec.name for found in preview.found] == ["web"]
        done = await call("hosts.import", ImportPreview, ImportRequest(source=source, names=("web",)))
        assert done.added == 1
        (known,) = (await call("hosts.sources", SourceList)).sources
        assert (known.name, known.hosts, known.imported_by) == ("~/.ssh/config", 1, "ada")
        row = await call("hosts.maintenance", HostRow, Maintenance(host="web", until=4e9, reason="new disk"))
        assert row.state == "maintenance"
        await call("hosts.remove", Done, RemoveHost(host="web"))
        with pytest.raises(NotFound):
            await call("hosts.show", HostDetail, HostRef(host="web"))
        with pytest.raises(InvalidRequest):
            await call("hosts.list", HostList, HostsQuery(filter="~("))


async def test_a_stale_second_factor_is_asked_for_again_and_a_dead_token_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        known = next(iter(one.engine.access._sessions._known.values()))
        known.fresh_until = 0.0
        with pytest.raises(StepUpRequired):
            await one.client.call("secrets.set", Done, SecretSet(name="a", value="b"))
        one.client.token = "nonsense"
        with pytest.raises(NotAuthenticated):
            await one.client.call("hosts.list", HostList, HostsQuery())


async def test_health_checks_and_metrics_answer_in_plain_text(tmp_path: Path) -> None:
    async with house(tmp_path, set_up=False) as one:
        http = one.client._http
        await until(lambda: one.engine.health.ready)
        assert (await http.get("/livez")).text == "ok\n"
        assert (await http.get("/readyz")).status_code == 200
        assert "guardian_hosts 1.0" in (await http.get("/metrics")).text
        assert (await http.get("/v1/openapi.json")).json()["openapi"] == "3.1.0"
        assert (await http.get("/v1/hello", headers={"origin": "http://evil"})).status_code == 403


async def test_the_socket_and_its_folder_are_ours_alone(tmp_path: Path) -> None:
    async with house(tmp_path, set_up=False) as one:
        assert stat.S_IMODE(one.paths.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(one.paths.socket.parent.stat().st_mode) == 0o700


async def test_no_engine_is_said_in_words(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "c", tmp_path / "s", tmp_path / "r")
    assert not engine_listens(paths.socket)
    with pytest.raises(EngineUnreachable):
        await wait_for_engine(paths.socket, 0.1)
    assert "engine.log" in last_words(paths)


@pytest.mark.timeout(180)
async def test_an_engine_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIAN_HOME", str(tmp_path))
    paths = Paths(tmp_path / "config", tmp_path / "state", tmp_path / "run")
    paths.config.mkdir()
    paths.settings_file.write_text("[fleet]\ninterval_secondz = 5\n")
    process = start_engine(paths, linger=False)
    with pytest.raises(EngineUnreachable, match="line 2"):
        await wait_until_listening(paths, process)
    assert process.wait(30) == 1
