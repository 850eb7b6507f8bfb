"""The gate: who may, what is recorded, and what happens when recording fails."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from guardian_tui.engine import dispatch as module
from guardian_tui.engine.calls import ANY_SCOPE, Call, Entry, Peer, Principal
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.dispatch import Dispatch
from guardian_tui.protocol.alerts import TestChannel as ChannelTest
from guardian_tui.protocol.audit import AuditVerdict
from guardian_tui.protocol.base import Done, Nothing, Request
from guardian_tui.protocol.errors import (
    AuditUnavailable,
    Conflict,
    HostUnavailable,
    InternalError,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    ResultUnrecorded,
    StepUpRequired,
    StoreUnavailable,
)
from guardian_tui.protocol.fleet import HostRef
from guardian_tui.protocol.routes import PERMISSIONS, ROUTES
from tests.support.gate import Gate, gate

ALL = {permission: ANY_SCOPE for permission in PERMISSIONS}
PEER = Peer(1000)


def principal(**more: Any) -> Principal:
    return Principal(
        **{
            "account_id": "a",
            "name": "ada",
            "session_id": "s" * 16,
            "peer_uid": 1000,
            "kind": "tui",
            "scopes": ALL,
            "fresh_until": 9e9,
            **more,
        }
    )


class Rig:
    """A dispatch with handlers of the test's own over a real audit log."""

    def __init__(self, one: Gate) -> None:
        self.one = one
        self.who = principal()
        self.dispatch = Dispatch(self._authenticate, one.audit, one.store.write, one.clock, self.host_name)

    def host_name(self, host: str) -> str:
        return {"4f00aa": "web-1"}.get(host, host)

    async def _authenticate(self, token: str, peer: Peer) -> Principal:
        if token != "good":
            raise NotAuthenticated("no")
        return self.who

    async def give(self, name: str, handler: Any = None, request: Any = None, token: str = "good") -> Any:
        if handler is not None:
            self.dispatch._handlers[name] = handler
        return await self.dispatch.call(name, request or Nothing(), token=token, peer=PEER, request_id="r1")

    def told(self) -> list[tuple[str, str, str]]:
        return [(e.action, e.target, e.outcome) for e in self.one.events()]


@pytest.fixture
async def rig(tmp_path: Path):  # type: ignore[no-untyped-def]  # an async generator
    async with gate(tmp_path) as one:
        yield Rig(one)


async def test_a_change_and_its_event_stand_or_fall_together(rig: Rig) -> None:
    async def change(call: Call, request: Any) -> Done:
        async with call.change("engine", body={"linger": True}):
            pass
        return Done()

    async def half(call: Call, request: Any) -> Done:
        async with call.change("engine"):
            raise Conflict("no")

    await rig.give("engine.linger", change)
    assert rig.told() == [("engine.linger", "engine", "ok")]
    with pytest.raises(Conflict):
        await rig.give("engine.linger", half)
    assert len(rig.told()) == 1


async def test_a_change_without_an_event_is_a_fault_unless_nothing_changed(rig: Rig) -> None:
    async def silent(call: Call, request: Any) -> Done:
        return Done()

    async def preview(call: Call, request: Any) -> Done:
        call.unchanged = True
        return Done()

    async def twice(call: Call, request: Any) -> Done:
        for _ in range(2):
            async with call.change("engine"):
                pass
        return Done()

    with pytest.raises(InternalError, match="left no audit event"):
        await rig.give("engine.linger", silent)
    await rig.give("engine.linger", preview)
    with pytest.raises(InternalError, match="one change"):
        await rig.give("engine.linger", twice)


async def test_a_remote_act_has_its_intent_before_and_its_result_after(rig: Rig) -> None:
    seen: list[list[tuple[str, str, str]]] = []

    async def test(call: Call, request: Any) -> Done:
        seen.append(rig.told())
        return Done()

    async def fails(call: Call, request: Any) -> Done:
        raise HostUnavailable("no route")

    async def breaks(call: Call, request: Any) -> Done:
        raise ZeroDivisionError

    # by its name or by its id, the event names it as people do
    for given in ("web-1", "4f00aa"):
        await rig.give("hosts.test", test, HostRef(host=given))
        assert seen.pop()[-1] == ("hosts.test", "web-1", "intent")
    assert rig.told()[-1] == ("hosts.test", "web-1", "ok")
    with pytest.raises(HostUnavailable):
        await rig.give("hosts.test", fails, HostRef(host="web-1"))
    assert rig.told()[-1] == ("hosts.test", "web-1", "failed")
    with pytest.raises(InternalError, match="r1"):
        await rig.give("channels.test", breaks, ChannelTest(channel="mail"))
    assert rig.told()[-1] == ("channels.test", "mail", "failed")
    with pytest.raises(InternalError):
        await rig.give("channels.test", breaks, Nothing())
    assert rig.told()[-1] == ("channels.test", "", "failed")


async def test_what_can_t_be_recorded_is_not_done(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    async def act(call: Call, request: Any) -> Done:
        done.append(call.route.name)
        return Done()

    async def full(entry: Any) -> int:
        raise AuditUnavailable("the disk is full")

    monkeypatch.setattr(rig.one.audit, "record", full)
    with pytest.raises(AuditUnavailable):
        await rig.give("hosts.test", act, HostRef(host="web-1"))
    assert done == []
    rig.who = principal(scopes={})
    with pytest.raises(PermissionDenied):
        await rig.give("hosts.list", act)
    assert done == []


async def test_what_was_done_and_can_t_be_recorded_is_not_told_as_if_it_had_not_been(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    record = rig.one.audit.record

    async def fills_up(entry: Entry) -> int:
        if entry.outcome != "intent":
            raise AuditUnavailable("the disk is full. Nothing was changed.")
        return await record(entry)

    async def act(call: Call, request: Any) -> Done:
        return Done()

    async def fails(call: Call, request: Any) -> Done:
        raise HostUnavailable("no route")

    monkeypatch.setattr(rig.one.audit, "record", fills_up)
    with pytest.raises(ResultUnrecorded, match="was carried out"):
        await rig.give("hosts.test", act, HostRef(host="web-1"))
    assert rig.told() == [("hosts.test", "web-1", "intent")]
    assert "hosts.test of web-1 was ok could not be recorded: the disk is full" in caplog.text
    # what went wrong on the host is what a person has to know
    with pytest.raises(HostUnavailable):
        await rig.give("hosts.test", fails, HostRef(host="web-1"))


async def test_a_result_is_recorded_though_its_order_is_given_up_at_that_moment(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = rig.one.audit.record
    begun, go_on, recorded = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slowly(entry: Entry) -> int:
        if entry.outcome == "intent":
            return await record(entry)
        begun.set()
        await go_on.wait()
        number = await record(entry)
        recorded.set()
        return number

    async def act(call: Call, request: Any) -> Done:
        return Done()

    monkeypatch.setattr(rig.one.audit, "record", slowly)
    order = asyncio.create_task(rig.give("hosts.test", act, HostRef(host="web-1")))
    async with asyncio.timeout(60):
        await begun.wait()
        order.cancel()
        with pytest.raises(asyncio.CancelledError):
            await order
        go_on.set()
        await recorded.wait()
    assert rig.told() == [("hosts.test", "web-1", "intent"), ("hosts.test", "web-1", "ok")]


async def test_a_host_out_of_scope_is_not_found_and_recorded_as_denied(rig: Rig) -> None:
    async def look(call: Call, request: Any) -> Done:
        call.host_in_scope({"role": "db"}, "the host")
        return Done()

    async def gone(call: Call, request: Any) -> Done:
        call.host_in_scope(None, "the host")
        return Done()

    from guardian_tui.engine.access.profiles import parse_scope

    rig.who = principal(scopes={"hosts.see": parse_scope("role=web")})
    with pytest.raises(NotFound):
        await rig.give("hosts.show", look, HostRef(host="db-1"))
    assert rig.told() == [("hosts.show", "", "denied")]
    with pytest.raises(NotFound):
        await rig.give("hosts.show", gone, HostRef(host="none"))
    assert len(rig.told()) == 1
    rig.who = principal(scopes={"hosts.edit": parse_scope("role=web")})
    with pytest.raises(NotFound):
        await rig.give("hosts.test", look, HostRef(host="db-1"))
    assert rig.told()[1:] == [("hosts.test", "db-1", "intent"), ("hosts.test", "db-1", "denied")]


async def test_a_dead_token_is_recorded_once_a_minute_and_none_not_at_all(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DENIALS_REMEMBERED", 1)
    for token in ("", "bad", "bad"):
        with pytest.raises(NotAuthenticated):
            await rig.give("hosts.list", token=token)
    assert rig.told() == [("hosts.list", "", "denied")]
    with pytest.raises(NotAuthenticated):
        await rig.give("alerts.list", token="bad")
    with pytest.raises(NotAuthenticated):
        await rig.give("hosts.list", token="bad")
    assert len(rig.told()) == 3


async def test_a_handler_that_hangs_is_given_up_and_a_broken_one_tells_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(call: Call, request: Any) -> Done:
        await asyncio.sleep(60)
        return Done()

    async def leak(call: Call, request: Any) -> Done:
        raise RuntimeError("secret hunter2")

    monkeypatch.setattr(module, "HANDLER_SECONDS", 0.05)
    with pytest.raises(InternalError, match="given up"):
        await rig.give("hosts.list", hang)

    async def long(call: Call, request: Any) -> AuditVerdict:
        await asyncio.sleep(0.2)
        return AuditVerdict(ok=True, events=0, checkpoints=0)

    # a chain of millions of events takes its time
    assert await rig.give("audit.verify", long)
    with pytest.raises(InternalError) as told:
        await rig.give("hosts.list", leak)
    assert "hunter2" not in str(told.value.problem("r1"))


async def test_an_unavailable_store_is_told_as_such(rig: Rig) -> None:
    async def broken(call: Call, request: Any) -> Done:
        raise StoreUnavailable("the disk is full")

    with pytest.raises(StoreUnavailable):
        await rig.give("hosts.list", broken)
    assert rig.told() == []


async def test_routes_are_bound_once_and_only_known_ones(rig: Rig) -> None:
    async def act(call: Call, request: Any) -> Done:
        return Done()

    rig.dispatch.bind({"hosts.list": act})
    with pytest.raises(ValueError, match="bound twice"):
        rig.dispatch.bind({"hosts.list": act})
    with pytest.raises(ValueError, match="no such route"):
        rig.dispatch.bind({"nonsense": act})
    assert "hosts.list" not in rig.dispatch.unbound()
    assert "hosts.add" in rig.dispatch.unbound()
    assert "events" not in rig.dispatch.unbound()
    with pytest.raises(NotFound):
        await rig.give("hosts.add")


def test_a_manual_clock_moves_only_by_hand() -> None:
    clock = ManualClock(10)
    clock.advance(5)
    clock.jump(-100)
    assert (clock.now(), clock.monotonic()) == (-85, 1005)


async def test_what_goes_on_by_itself_has_no_fresh_second_factor_to_give(rig: Rig) -> None:
    ran: list[Request] = []

    async def stepped(call: Call, request: Request) -> Done:
        ran.append(request)
        return Done()

    name = next(route.name for route in ROUTES.values() if route.step_up and route.scoping == "whole")
    rig.dispatch._handlers[name] = stepped
    with pytest.raises(StepUpRequired, match="goes on by itself"):
        await rig.dispatch.act(principal(fresh_until=0.0), name, Nothing())
    assert ran == []


async def test_what_goes_on_by_itself_is_bounded_and_told_as_what_a_person_asks_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def hang(call: Call, request: Any) -> Done:
        await asyncio.sleep(60)
        return Done()

    async def breaks(call: Call, request: Any) -> Done:
        raise TimeoutError("of its own")

    handlers = rig.dispatch._handlers
    monkeypatch.setattr(module, "HANDLER_SECONDS", 0.05)
    handlers["hosts.list"] = hang
    with pytest.raises(InternalError, match="given up"):
        await rig.dispatch.act(principal(), "hosts.list", Nothing())
    monkeypatch.setattr(module, "HANDLER_SECONDS", 60.0)
    handlers["hosts.list"] = breaks
    with pytest.raises(InternalError, match="Quote request"):
        await rig.dispatch.act(principal(), "hosts.list", Nothing())
    assert "hosts.list failed" in caplog.text and "of its own" in caplog.text
    # a denial is an event, whatever its route does
    with pytest.raises(PermissionDenied):
        await rig.dispatch.act(principal(scopes={}), "hosts.test", HostRef(host="web-1"))
    assert rig.told() == [("hosts.test", "", "denied")]
