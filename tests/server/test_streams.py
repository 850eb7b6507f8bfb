"""Event streams of a whole engine: what a person may see follows their grants, also while they look on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pyotp
import pytest

from guardian_tui.client import Client
from guardian_tui.engine import streams as module
from guardian_tui.protocol.access import (
    Account,
    AccountRef,
    BeginEnrolment,
    ConfirmEnrolment,
    Enrolled,
    Enrolment,
    GrantSpec,
    Invite,
    Invited,
    SetGrants,
)
from guardian_tui.protocol.audit import AuditPage, AuditQuery
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import PermissionDenied, StoreUnavailable, TooManyRequests
from guardian_tui.protocol.events import Delta, End, Heartbeat, StreamEvent
from guardian_tui.protocol.fleet import HostRow, HostSpec
from guardian_tui.protocol.imports import ImportPreview, ImportRequest, SourceText
from guardian_tui.protocol.system import EngineStatus
from tests.support.console import WAIT_SECONDS, House, house

PASSWORD = "another donkey staple 3"


async def invited(one: House, name: str, *grants: GrantSpec) -> Client:
    """A client of a further person, logged in."""
    made = await one.client.call("accounts.invite", Invited, Invite(name=name, grants=grants))
    client = Client(one.paths.socket)
    order = BeginEnrolment(name=name, enrolment_code=made.enrolment_code, password=PASSWORD)
    begun = await client.call("enrol.begin", Enrolment, order)
    confirm = ConfirmEnrolment(token=begun.token, code=pyotp.TOTP(begun.secret).now())
    client.token = (await client.call("enrol.confirm", Enrolled, confirm)).session.token
    return client


async def add(one: House, name: str, role: str) -> None:
    order = HostSpec(name=name, address="127.0.0.1", port=1, labels={"role": role})
    await one.client.call("hosts.add", HostRow, order)


async def next_of(stream: AsyncIterator[StreamEvent], fits: Callable[[StreamEvent], object]) -> StreamEvent:
    async with asyncio.timeout(WAIT_SECONDS):
        async for event in stream:
            if fits(event):
                return event
    raise AssertionError("the stream ended")


def hosts_of(event: StreamEvent) -> set[str]:
    return {row.name for row in event.hosts} if isinstance(event, Delta) else set()


async def test_a_stream_follows_grants_that_change_and_ends_with_the_account(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await add(one, "web-1", "web")
        await add(one, "db-1", "db")
        eve = await invited(one, "eve", GrantSpec(profile="operator", scope="role=web"))
        stream = eve.events()
        first = await next_of(stream, hosts_of)
        assert hosts_of(first) == {"web-1"}
        # what is done to hosts outside of their scope stands in the audit log
        assert isinstance(first, Delta) and first.audit == ()
        with pytest.raises(PermissionDenied):
            await eve.call("audit.list", AuditPage, AuditQuery())
        grants = (GrantSpec(profile="viewer", scope="role=db"),)
        await one.client.call("accounts.grants", Account, SetGrants(account="eve", grants=grants))
        anew = await next_of(stream, lambda event: isinstance(event, Delta) and event.complete)
        assert hosts_of(anew) == {"db-1"}
        await one.client.call("accounts.disable", Done, AccountRef(account="eve"))
        end = await next_of(stream, lambda event: isinstance(event, End))
        assert isinstance(end, End) and end.reason == "revoked"
        await eve.close()


async def test_a_heartbeat_tells_one_of_some_hosts_nothing_of_the_others(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await add(one, "web-1", "web")
        await add(one, "db-1", "db")
        eve = await invited(one, "eve", GrantSpec(profile="viewer", scope="role=web"))
        stream = eve.events()
        await next_of(stream, hosts_of)
        beat = await next_of(stream, lambda event: isinstance(event, Heartbeat))
        assert isinstance(beat, Heartbeat)
        theirs = beat.status
        assert (theirs.hosts, theirs.memory_bytes, theirs.clients, theirs.connecting) == (1, 0, 0, 0)
        assert theirs.time > 0 and theirs.interval_seconds > 0
        with pytest.raises(PermissionDenied):
            await eve.call("engine.status", EngineStatus)
        # with every host, all of it: also while they look on
        grants = (GrantSpec(profile="viewer"),)
        await one.client.call("accounts.grants", Account, SetGrants(account="eve", grants=grants))
        full = await next_of(stream, lambda event: isinstance(event, Heartbeat) and event.status.hosts > 1)
        assert isinstance(full, Heartbeat) and full.status.memory_bytes > 0 and full.status.clients >= 1
        await eve.close()


async def test_one_who_comes_back_with_other_grants_begins_anew(tmp_path: Path) -> None:
    async with house(tmp_path) as one:
        await add(one, "web-1", "web")
        await add(one, "db-1", "db")
        eve = await invited(one, "eve", GrantSpec(profile="viewer", scope="role=web"))
        await next_of(eve.events(), hosts_of)
        again = await next_of(
            eve.events(eve.last_event_id), lambda event: isinstance(event, Delta | Heartbeat)
        )
        assert not (isinstance(again, Delta) and again.complete)
        grants = (GrantSpec(profile="viewer", scope="role=db"),)
        await one.client.call("accounts.grants", Account, SetGrants(account="eve", grants=grants))
        anew = await next_of(eve.events(eve.last_event_id), hosts_of)
        assert isinstance(anew, Delta) and anew.complete and hosts_of(anew) == {"db-1"}
        await eve.close()


async def test_one_of_some_hosts_imports_neither_others_nor_keys_for_them(tmp_path: Path) -> None:
    text = "Host web-1\n  HostName 127.0.0.1\nHost db-1\n  HostName 127.0.0.2\n"
    source = SourceText(format="ssh_config", name="config", text=text)
    async with house(tmp_path) as one:
        eve = await invited(one, "eve", GrantSpec(profile="operator", scope="host=web-1"))
        with pytest.raises(PermissionDenied, match="db-1"):
            order = ImportRequest(source=source, names=("web-1", "db-1"))
            await eve.call("hosts.import", ImportPreview, order)
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHo2eCg3zj+LkNF4J/LMyKQfA4bXDAz7dO8GpXpJZzIG"
        with pytest.raises(PermissionDenied, match="known_hosts"):
            order = ImportRequest(source=source, known_hosts=f"* {key}\n", names=("web-1",))
            await eve.call("hosts.import", ImportPreview, order)
        done = await eve.call("hosts.import", ImportPreview, ImportRequest(source=source, names=("web-1",)))
        assert done.added == 1
        await eve.close()


async def test_a_store_in_trouble_ends_no_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house(tmp_path) as one:
        stream = one.client.events()
        await next_of(stream, lambda event: isinstance(event, Heartbeat))

        async def locked(session_id: str, peer: object) -> object:
            raise StoreUnavailable("The database is locked.")

        monkeypatch.setattr(one.engine.streams, "_still", locked)
        for _ in range(2):
            event = await next_of(stream, lambda event: isinstance(event, Heartbeat | End))
            assert isinstance(event, Heartbeat)


async def test_no_session_takes_all_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_A_SESSION", 1)
    async with house(tmp_path) as one:
        eve = await invited(one, "eve", GrantSpec(profile="viewer"))
        mine, second = one.client.events(), Client(one.paths.socket, one.client.token)
        await next_of(mine, hosts_of)
        with pytest.raises(TooManyRequests, match="close some"):
            await anext(second.events())
        assert hosts_of(await next_of(eve.events(), hosts_of))
        # nor does a person who logs in once more
        monkeypatch.setattr(module, "MOST_OF_A_SESSION", 8)
        monkeypatch.setattr(module, "MOST_OF_AN_ACCOUNT", 1)
        with pytest.raises(TooManyRequests, match="Your account has 1"):
            await anext(second.events())
        await second.close()
        await eve.close()
