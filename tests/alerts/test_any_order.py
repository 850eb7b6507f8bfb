"""Whatever happens in whatever order, with restarts and kills in between: what must always be so."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import replace

import msgspec
import pytest
from sqlalchemy import select

from guardian_tui.config import AlertsSettings, AuditSettings, ChannelSettings
from guardian_tui.engine.alerts.messages import Note
from guardian_tui.engine.alerts.records import StoredAlert
from guardian_tui.engine.audit.log import AuditLog
from guardian_tui.engine.facts import CutOff, HostsChanged
from guardian_tui.engine.live import Live
from guardian_tui.engine.store import tables
from guardian_tui.engine.store.database import Store, StoreSettings
from guardian_tui.protocol.alerts import Acknowledge, AddSilence, EndSilence
from tests.alerts.conftest import FakeAudit, Stage

HOOKS = AlertsSettings(
    channels={
        "all": ChannelSettings(kind="webhook", url="secret:hook"),
        "page": ChannelSettings(kind="webhook", url="secret:hook", tiers=("page",)),
    }
)
HOSTS = ("jump", "db-1", "db-2", "web-1")
ACTIONS = (
    *("down", "up", "sick", "calm", "down", "up", "sick", "calm", "behind", "cut", "back", "work", "remove"),
    *("silence", "end", "acknowledge", "tick", "long", "unknown", "key"),
)
CALM = {"oom_kills": 0.0, "memory_available_ratio": 0.5, "swap_used_ratio": 0.1}
SICK = {"oom_kills": 1.0, "memory_available_ratio": 0.01, "swap_used_ratio": 0.95}


class Play:
    """Random events, seeded."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.chance = random.Random(seed)

    def announce(self) -> None:
        for host in HOSTS:
            self.stage.hosts(host, jump_id="jump" if host.startswith("db") else "")

    async def act(self) -> None:
        stage, host = self.stage, self.chance.choice(HOSTS)
        what = self.chance.choice(ACTIONS)
        if what == "down":
            stage.down(host)
        elif what == "up":
            stage.up(host)
        elif what == "behind":
            stage.reach(self.chance.choice(["db-1", "db-2"]), "unreachable", parent_id="jump")
        elif what in ("sick", "calm"):
            stage.during(self.chance.choice([60, 400, 2000]), SICK if what == "sick" else CALM, host)
        elif what == "cut":
            stage.bus.publish(CutOff(stage.clock.now(), 3, 4))
        elif what == "back":
            stage.bus.publish(CutOff(None))
        elif what == "work":
            stage.hosts(host, maintenance_until=stage.clock.now() + 300)
        elif what == "remove":
            stage.bus.publish(HostsChanged(removed=(host,)))
            self.announce()
        elif what == "silence":
            await stage.ask("silences.add", AddSilence(host=self.chance.choice(["", host]), seconds=120))
        elif what == "end" and stage.live.silences.rows():
            await stage.ask("silences.end", EndSilence(silence=stage.live.silences.rows()[0].id))
        elif what == "acknowledge" and stage.firing():
            await stage.ask("alerts.acknowledge", Acknowledge(alert=stage.firing()[0].id))
        elif what in ("unknown", "key"):
            stage.reach(host, "key_changed" if what == "key" else "unknown")
        elif what == "long":
            stage.clock.advance(3000)
        await stage.alerts.tick()


async def check(stage: Stage) -> None:
    """What is in memory is in the store, on screen and in what the fleet was told; nobody was told twice."""
    await stage.written()
    async with stage.store.read() as conn:
        bodies = (await conn.execute(select(tables.alerts.c.body))).scalars().all()
        notes = (await conn.execute(select(tables.outbox).order_by(tables.outbox.c.id))).mappings().all()
    stored = {
        entry.alert.id: entry for entry in (msgspec.json.decode(body, type=StoredAlert) for body in bodies)
    }
    book = stage.alerts.book
    firing = {held.alert.id: held.alert for held in book.firing.values()}
    assert {id for id, entry in stored.items() if entry.alert.state == "firing"} == set(firing)
    assert len({(a.host_id, a.rule, a.instance) for a in firing.values()}) == len(firing)
    for id, alert in firing.items():
        assert (stored[id].alert.severity, stored[id].alert.acknowledged_by) == (
            alert.severity,
            alert.acknowledged_by,
        )
    shown = {alert.id for alert in stage.live.alerts.rows() if alert.state == "firing"}
    assert shown == {id for id, alert in firing.items() if not alert.host_id or alert.host_id in book.hosts}
    told = {fact.host_id: fact for fact in stage.heard}
    for host in book.hosts:
        loud = [a for a in firing.values() if a.host_id == host and a.silenced_until is None]
        assert (told[host].count if host in told else 0) == len(loud)
    kinds = defaultdict(list)
    for row in notes:
        kinds[row["channel"], row["alert_id"]].append(msgspec.json.decode(row["payload"], type=Note).kind)
    for (channel, _), sequence in kinds.items():
        assert sequence[0] == "firing"
        assert Counter(sequence)["firing"] == 1
        assert "resolved" not in sequence[:-1]
        assert channel in HOOKS.channels
    for id, entry in stored.items():
        quiet = entry.alert.preexisting or entry.owed or entry.alert.tier == "show"
        if entry.alert.state == "firing" and not quiet:
            assert ("all", id) in kinds, "somebody must hear of it"
        if entry.alert.preexisting:
            assert ("all", id) not in kinds


@pytest.mark.parametrize("seed", range(8))
async def test_memory_store_screen_and_messages_agree_whatever_happens(stage: Stage, seed: int) -> None:
    stage.pace = replace(stage.pace, give_up_seconds=1e9)
    play = Play(stage, seed)
    for life in range(4):
        async with stage.running(HOOKS, kill=bool(life % 2)):
            stage.heard.clear()
            play.announce()
            if not life:
                stage.wave(CALM, *HOSTS)
            for _ in range(25):
                await play.act()
            await check(stage)


async def test_what_fired_is_found_in_an_audit_log_that_verifies(stage: Stage) -> None:
    stage.folder.mkdir(parents=True)
    store = await Store.open(StoreSettings(url=stage.url), stage.folder, stage.clock)
    log = AuditLog(store, Live(), stage.clock, AuditSettings(syslog=False), stage.folder)
    await log.start()
    try:
        stage.audit = log
        stage.lend(store)
        async with stage.running():
            stage.hosts("web-1")
            stage.wave(CALM)
            stage.down("web-1")
            await stage.written()
            await stage.ask("alerts.acknowledge", Acknowledge(alert=stage.firing()[0].id, note="on it"))
            stage.up("web-1")
            await stage.written()
        async with store.read() as conn:
            actions = (
                await conn.execute(select(tables.audit_events.c.action).order_by(tables.audit_events.c.seq))
            ).scalars()
            assert list(actions) == ["alert.fired", "alerts.acknowledge", "alert.resolved"]
        assert (await log.verify()).ok
    finally:
        await log.stop()
        await store.close()
        stage.audit = FakeAudit()
