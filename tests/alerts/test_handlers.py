"""What people may see of alerts and do with them, within their scope."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from sqlalchemy import select

from guardian_tui.config import AlertsSettings, ChannelSettings
from guardian_tui.engine.calls import ANY_SCOPE, Principal, Scope
from guardian_tui.engine.facts import CutOff, HostFacts, HostsChanged
from guardian_tui.engine.store import tables
from guardian_tui.engine.streams import visibility
from guardian_tui.protocol.alerts import (
    Acknowledge,
    AddSilence,
    AlertRef,
    AlertsQuery,
    EndSilence,
)
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.errors import (
    Conflict,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    StoreUnavailable,
)
from guardian_tui.protocol.events import Delta
from tests.alerts.conftest import Labels, Stage

QUIET = {"load1_per_core": 0.1}
HOOK = ChannelSettings(kind="webhook", url="secret:hook")
DEV = Labels(environment="dev")


async def two_dead(stage: Stage) -> None:
    """One dead host in production, one in development."""
    stage.bus.publish(
        HostsChanged((HostFacts("p", "prod-1", {}, "prod"), HostFacts("d", "dev-1", {}, "dev")))
    )
    stage.wave(QUIET, "p", "d")
    stage.down("p", "d")
    await stage.written()


def of(stage: Stage, host: str) -> str:
    return next(alert.id for alert in stage.firing() if alert.host == host)


async def queued(stage: Stage) -> int:
    await stage.written()
    async with stage.store.read() as conn:
        return len((await conn.execute(select(tables.outbox.c.id))).all())


async def test_one_sees_the_alerts_of_ones_own_hosts_and_no_others(stage: Stage) -> None:
    async with stage.running():
        await two_dead(stage)
        stage.bus.publish(CutOff(stage.clock.now(), 9, 9))
        stage.bus.publish(CutOff(None))
        await stage.written()
        everything = await stage.ask("alerts.list", AlertsQuery(resolved=True))
        assert {(alert.host, alert.rule) for alert in everything.alerts} >= {("", "engine_cut_off")}
        own = await stage.ask("alerts.list", AlertsQuery(resolved=True), scope=DEV)
        assert {alert.host for alert in own.alerts} == {"dev-1"}


@pytest.mark.parametrize("scope", [DEV, ANY_SCOPE])
async def test_a_stream_shows_of_alerts_and_silences_what_the_lists_show(stage: Stage, scope: Scope) -> None:
    async with stage.running():
        await two_dead(stage)
        stage.bus.publish(CutOff(stage.clock.now(), 9, 9))
        for host in ("", "prod-1", "dev-1"):
            await stage.ask("silences.add", AddSilence(host=host))
        principal = Principal("a1", "eve", "5e5510000000000a", 1000, "tui", {"alerts.see": scope}, 0.0)
        await stage.written()
        body = stage.live.subscribe(visibility(principal)).take()
        assert body is not None
        streamed = msgspec.json.decode(body, type=Delta)
        listed = await stage.ask("alerts.list", AlertsQuery(resolved=True), scope=scope)
        assert {alert.id for alert in streamed.alerts} == {alert.id for alert in listed.alerts} != set()
        held = await stage.ask("silences.list", Nothing(), scope=scope)
        assert {one.id for one in streamed.silences} == {one.id for one in held.silences} != set()
        of_the_whole = {alert.host for alert in streamed.alerts} | {one.host for one in streamed.silences}
        assert ("" in of_the_whole) == (scope is ANY_SCOPE)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", ["prod-1", "dev-1"]),
        ("prod", ["prod-1"]),
        ("!prod host_down", ["dev-1"]),
        ("host=dev-1 severity=critical", ["dev-1"]),
        ("!host=dev-1", ["prod-1"]),
        ("rule=disk_low", []),
        ("x=y", []),
        ("~^host.*prod-[0-9]", ["prod-1"]),
        ("!~prod-[0-9]", ["dev-1"]),
        ("environment=dev", ["dev-1"]),
        ("tier=page firing", ["prod-1", "dev-1"]),
        ("since>1", ["prod-1", "dev-1"]),
        ("since<1", []),
        ("value>0", []),
    ],
)
async def test_the_list_is_filtered(stage: Stage, text: str, hosts: list[str]) -> None:
    async with stage.running():
        await two_dead(stage)
        found = (await stage.ask("alerts.list", AlertsQuery(filter=text))).alerts
        assert sorted(alert.host for alert in found) == sorted(hosts)


@pytest.mark.parametrize("text", ["~(", "value>much"])
async def test_a_filter_that_can_t_be_read_is_refused_with_its_place(stage: Stage, text: str) -> None:
    async with stage.running():
        with pytest.raises(InvalidRequest, match="At character 1"):
            await stage.ask("alerts.list", AlertsQuery(filter=text))


async def test_ended_alerts_are_read_from_the_store_newest_first_and_bounded(stage: Stage) -> None:
    async with stage.running():
        stage.hosts("web-1")
        stage.wave(QUIET)
        for _ in range(5):
            stage.down("web-1")
            stage.up("web-1")
        stage.down("web-1")
        await stage.written()
        stage.clock.advance(100)
        await stage.alerts.tick()
        listed = (await stage.ask("alerts.list", AlertsQuery(resolved=True, limit=4))).alerts
        assert [alert.state for alert in listed] == ["firing", "resolved", "resolved", "resolved"]
        ends = [alert.resolved_at for alert in listed[1:]]
        assert ends == sorted(ends, reverse=True)
        assert len((await stage.ask("alerts.list", AlertsQuery())).alerts) == 1
        shown = await stage.ask("alerts.show", AlertRef(alert=listed[3].id))
        assert shown == listed[3]


async def test_an_alert_out_of_scope_looks_like_one_that_does_not_exist(stage: Stage) -> None:
    async with stage.running():
        await two_dead(stage)
        for request in ("nothing", of(stage, "prod-1")):
            with pytest.raises(NotFound) as caught:
                await stage.ask("alerts.show", AlertRef(alert=request), scope=DEV)
            assert caught.value.detail == f"the alert {request} does not exist or is not yours to see"
            with pytest.raises(NotFound):
                await stage.ask("alerts.acknowledge", Acknowledge(alert=request), scope=DEV)


async def test_an_acknowledgement_shows_who_and_when_survives_a_kill_and_can_be_taken_back(
    stage: Stage,
) -> None:
    async with stage.running(kill=True):
        await two_dead(stage)
        id = of(stage, "dev-1")
        answer = await stage.ask("alerts.acknowledge", Acknowledge(alert=id, note="on it"), scope=DEV)
        assert (answer.acknowledged_by, answer.acknowledged_at, answer.note) == (
            "ada",
            stage.clock.now(),
            "on it",
        )
        assert stage.live.alerts.get(id) == answer
        assert stage.heard[-1].acknowledged
        entry = stage.audit.entries[-1]
        assert (entry.action, entry.target, entry.actor) == ("alerts.acknowledge", "dev-1/host_down", "ada")
    async with stage.running():
        stage.bus.publish(HostsChanged((HostFacts("d", "dev-1", {}, "dev"),)))
        assert stage.live.alerts.get(id).acknowledged_by == "ada"
        undone = await stage.ask("alerts.acknowledge", Acknowledge(alert=id, undo=True))
        assert (undone.acknowledged_by, undone.acknowledged_at, undone.note) == ("", None, "")
        with pytest.raises(Conflict):
            await stage.ask("alerts.acknowledge", Acknowledge(alert=id, undo=True))
        stage.up("d")
        with pytest.raises(Conflict):
            await stage.ask("alerts.acknowledge", Acknowledge(alert=id))


async def test_of_two_who_take_an_alert_at_once_the_first_has_it_and_the_second_is_told(stage: Stage) -> None:
    async with stage.running():
        await two_dead(stage)
        id = of(stage, "dev-1")
        both = await asyncio.gather(
            stage.ask("alerts.acknowledge", Acknowledge(alert=id), actor="ada"),
            stage.ask("alerts.acknowledge", Acknowledge(alert=id), actor="grace"),
            return_exceptions=True,
        )
        has_it, told = sorted(both, key=lambda one: isinstance(one, Exception))
        assert isinstance(told, Conflict) and f"{has_it.acknowledged_by} has it already" in told.detail
        assert stage.live.alerts.get(id).acknowledged_by == has_it.acknowledged_by
        # who has seen the name can take it over, and who has it may say more about it
        order = Acknowledge(alert=id, taken_from=has_it.acknowledged_by, note="mine now")
        assert (await stage.ask("alerts.acknowledge", order, actor="alan")).acknowledged_by == "alan"
        assert (
            await stage.ask("alerts.acknowledge", Acknowledge(alert=id, note="nearly"), actor="alan")
        ).note == "nearly"
        with pytest.raises(Conflict, match="alan has it"):
            await stage.ask("alerts.acknowledge", order, actor="grace")


async def test_an_acknowledgement_that_cannot_be_written_is_not_shown(stage: Stage, monkeypatch) -> None:
    async with stage.running():
        await two_dead(stage)
        id = of(stage, "dev-1")
        stage.audit.broken = True
        with pytest.raises(Exception, match="full"):
            await stage.ask("alerts.acknowledge", Acknowledge(alert=id))
        assert stage.live.alerts.get(id).acknowledged_by == ""


async def test_an_alert_that_is_not_written_yet_can_be_acknowledged(stage: Stage, monkeypatch) -> None:
    async with stage.running():
        stage.hosts("web-1")
        stage.wave(QUIET)
        stage.down("web-1")
        [alert] = stage.firing()
        await stage.ask("alerts.acknowledge", Acknowledge(alert=alert.id))
        await stage.written()
        async with stage.store.read() as conn:
            rows = (await conn.execute(select(tables.alerts.c.body))).scalars().all()
        assert len(rows) == 1
        assert '"acknowledged_by":"ada"' in rows[0]


async def test_a_silence_tells_nobody_until_it_ends_and_then_what_still_fires_is_told(stage: Stage) -> None:
    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        stage.hosts("web-1", "web-2")
        stage.wave(QUIET, "web-1", "web-2")
        silence = await stage.ask(
            "silences.add", AddSilence(rule="host_down", host="web-1", reason="move", seconds=600)
        )
        assert stage.live.silences.get(silence.id) == silence
        stage.down("web-1", "web-2")
        by_host = {alert.host: alert for alert in stage.firing()}
        assert by_host["web-1"].silenced_until == silence.until
        assert by_host["web-2"].silenced_until is None
        assert await queued(stage) == 1
        await stage.ask("silences.end", EndSilence(silence=silence.id))
        assert stage.live.silences.rows() == []
        assert {alert.silenced_until for alert in stage.firing()} == {None}
        assert await queued(stage) == 2
        assert [entry.action for entry in stage.audit.entries if entry.actor == "ada"] == [
            "silences.add",
            "silences.end",
        ]
        with pytest.raises(NotFound):
            await stage.ask("silences.end", EndSilence(silence=silence.id))


async def test_a_silence_survives_a_restart_and_runs_out(stage: Stage) -> None:
    async with stage.running():
        stage.hosts("web-1")
        await stage.ask("silences.add", AddSilence(instance="/", seconds=600))
    async with stage.running():
        [silence] = (await stage.ask("silences.list", Nothing())).silences
        assert stage.live.silences.get(silence.id) == silence
        stage.clock.advance(601)
        await stage.alerts.tick()
        assert (await stage.ask("silences.list", Nothing())).silences == ()
        assert stage.live.silences.rows() == []


async def test_nobody_silences_what_is_outside_their_scope(stage: Stage) -> None:
    async with stage.running():
        await two_dead(stage)
        with pytest.raises(PermissionDenied):
            await stage.ask("silences.add", AddSilence(rule="host_down"), scope=DEV)
        for host in ("prod-1", "nowhere"):
            with pytest.raises(NotFound):
                await stage.ask("silences.add", AddSilence(host=host), scope=DEV)
        for request in (AddSilence(), AddSilence(host="prod-1")):
            silence = await stage.ask("silences.add", request)
            assert (await stage.ask("silences.list", Nothing(), scope=DEV)).silences == ()
            with pytest.raises((NotFound, PermissionDenied)):
                await stage.ask("silences.end", EndSilence(silence=silence.id), scope=DEV)
        mine = await stage.ask("silences.add", AddSilence(host="dev-1"), scope=DEV)
        assert (await stage.ask("silences.list", Nothing(), scope=DEV)).silences == (mine,)
        stage.bus.publish(HostsChanged(removed=("d",)))
        assert len((await stage.ask("silences.list", Nothing())).silences) == 3


async def test_a_silence_of_a_rule_that_does_not_exist_names_the_one_that_was_meant(stage: Stage) -> None:
    async with stage.running():
        with pytest.raises(InvalidRequest) as caught:
            await stage.ask("silences.add", AddSilence(rule="disk_lwo"))
        assert "disk_low" in caught.value.detail


async def test_silences_are_bounded(stage: Stage, monkeypatch) -> None:
    from guardian_tui.engine.alerts import handlers

    monkeypatch.setattr(handlers, "SILENCES_LIMIT", 1)
    async with stage.running():
        await stage.ask("silences.add", AddSilence())
        with pytest.raises(Conflict):
            await stage.ask("silences.add", AddSilence())


async def test_rules_are_listed_level_by_level(stage: Stage) -> None:
    async with stage.running():
        rules = (await stage.ask("rules.list", Nothing())).rules
        assert [(r.severity, r.tier) for r in rules if r.rule == "disk_low"] == [
            ("warning", "notify"),
            ("critical", "page"),
        ]
        assert all(rule.condition for rule in rules)


async def test_the_alert_stays_when_the_store_is_gone_at_the_end(stage: Stage, monkeypatch, caplog) -> None:
    async with stage.running():
        await two_dead(stage)
        stage.up("d")

        def refuse():
            raise StoreUnavailable("the disk is full")

        monkeypatch.setattr(stage.store, "write", refuse)
    assert "could not be written: the disk is full" in caplog.text
