"""What a person sees of alerts when hosts get ill, die, come back, and the engine is restarted."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from guardian_tui.config import AlertsSettings, ChannelSettings, RuleOverride
from guardian_tui.engine.facts import CutOff, EngineBehind, HostFacts, HostsChanged
from guardian_tui.engine.store import tables
from guardian_tui.protocol import alerts as protocol
from guardian_tui.protocol.errors import ChannelFailed, InvalidRequest
from tests.alerts.conftest import Stage, eventually

HOOK = ChannelSettings(kind="webhook", url="secret:hook")
"""The stage's vault is locked: what is queued for it waits."""
QUIET = {"load1_per_core": 0.1}
MOUNT = {
    "filesystem_used_ratio{/}": 0.5,
    "filesystem_available_bytes{/}": 1e12,
    "filesystem_readonly{/}": 0.0,
}
FULL = {**MOUNT, "filesystem_used_ratio{/}": 0.96, "filesystem_available_bytes{/}": 1e9}
FULLER = {**FULL, "filesystem_used_ratio{/}": 0.99}


async def notes(stage: Stage) -> list[tuple[str, str]]:
    """(channel, kind) of all that was ever queued."""
    await stage.written()
    async with stage.store.read() as conn:
        rows = (await conn.execute(select(tables.outbox).order_by(tables.outbox.c.id))).mappings().all()
    return [(row["channel"], row["payload"].split('"')[3]) for row in rows]


async def test_a_host_that_dies_is_an_alert_and_it_ends_when_the_host_is_back(stage: Stage) -> None:
    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        stage.hosts("web-1")
        stage.wave(QUIET)
        stage.reach("web-1", "failing", failures=2)
        assert stage.firing() == [], "two failed polls are not yet a dead host"
        stage.down("web-1")
        [alert] = stage.firing()
        assert (alert.rule, alert.severity, alert.tier, alert.host, alert.why) == (
            "host_down",
            "critical",
            "page",
            "web-1",
            "connection refused",
        )
        assert stage.heard[-1].worst_tier == "page"
        assert stage.heard[-1].count == 1
        stage.reach("web-1", "up", successes=1)
        assert stage.rules() == ["host_down"], "one good poll is not yet a living host"
        stage.clock.advance(5)
        stage.wave(QUIET)
        assert stage.firing() == []
        assert stage.live.alerts.get(alert.id).state == "resolved", "a person sees it go"
        assert stage.heard[-1].count == 0
        assert await notes(stage) == [("hook", "firing"), ("hook", "resolved")]
        assert [entry.action for entry in stage.audit.entries] == ["alert.fired", "alert.resolved"]
        assert stage.audit.entries[0].target == "web-1/host_down"
        stage.clock.advance(61)
        await stage.alerts.tick()
        assert stage.live.alerts.get(alert.id) is None


async def test_one_alert_gets_worse_and_better_and_stays_the_same_alert(stage: Stage) -> None:
    async with stage.running(
        AlertsSettings(
            channels={
                "hook": HOOK,
                "pager": ChannelSettings(kind="webhook", url="secret:hook", tiers=("page",)),
            }
        )
    ):
        stage.hosts("web-1")
        stage.during(300, MOUNT, period="medium", step=30)
        stage.during(660, FULL, period="medium", step=30)
        [first] = stage.firing()
        assert (first.rule, first.severity, first.instance) == ("disk_low", "warning", "/")
        assert first.why == "96 % used, limit 95 %, for 10m"
        stage.during(120, FULLER, period="medium", step=30)
        [worse] = stage.firing()
        assert (worse.id, worse.severity, worse.tier, worse.since) == (
            first.id,
            "critical",
            "page",
            first.since,
        )
        stage.during(60, MOUNT, period="medium", step=30)
        assert stage.firing() == []
        assert await notes(stage) == [
            ("hook", "firing"),
            ("hook", "worse"),
            ("pager", "firing"),
            ("hook", "resolved"),
            ("pager", "resolved"),
        ]


async def test_what_was_wrong_when_the_host_was_added_tells_nobody_until_it_happens_again(
    stage: Stage,
) -> None:
    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        stage.hosts("web-1", "dead")
        stage.during(700, FULL, period="medium", step=30)
        [alert] = stage.firing()
        assert alert.preexisting
        stage.during(700, FULLER, period="medium", step=30)
        stage.down("dead")
        assert [alert.preexisting for alert in stage.firing()] == [True, True]
        stage.during(60, MOUNT, period="medium", step=30)
        stage.up("dead")
        assert await notes(stage) == []
        stage.during(700, FULL, period="medium", step=30)
        [again] = stage.firing()
        assert not again.preexisting
        assert await notes(stage) == [("hook", "firing")]


async def test_a_dead_jump_host_raises_one_alert_not_forty(stage: Stage) -> None:
    async with stage.running():
        stage.hosts("jump")
        behind = [f"db-{number}" for number in range(40)]
        stage.hosts(*behind, jump_id="jump")
        stage.hosts("deep", jump_id="db-0")
        stage.wave(QUIET, "jump", "deep", *behind)
        stage.reach("jump", "failing", failures=1)
        stage.down("db-0")
        assert stage.firing() == [], "what stands before it is in doubt"
        stage.down("jump")
        for host in behind:
            stage.reach(host, "unreachable", parent_id="jump")
        stage.reach("deep", "unreachable", parent_id="db-0")
        [alert] = stage.firing()
        assert (alert.host, alert.folded) == ("jump", 41)
        stage.up("jump")
        stage.down("jump")
        assert stage.firing()[0].folded == 41, "known from the first moment, so that the message says it"
        stage.up("jump", *behind)
        assert stage.firing() == []


async def test_a_host_that_was_down_before_its_jump_host_died_is_folded_into_it(stage: Stage) -> None:
    async with stage.running():
        stage.hosts("jump")
        stage.hosts("db", jump_id="jump")
        stage.wave(QUIET, "jump", "db")
        stage.down("db")
        assert [alert.host for alert in stage.firing()] == ["db"]
        stage.down("jump")
        stage.reach("db", "unreachable", parent_id="jump")
        [alert] = stage.firing()
        assert (alert.host, alert.folded) == ("jump", 1)
        stage.bus.publish(HostsChanged(removed=("db",)))
        assert stage.firing()[0].folded == 0


async def test_two_hundred_dead_at_once_are_one_alert_of_ours(stage: Stage) -> None:
    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        hosts = [f"h{number}" for number in range(200)]
        stage.hosts(*hosts)
        stage.wave(QUIET, *hosts)
        stage.down(hosts[0])
        stage.bus.publish(CutOff(stage.clock.now(), 200, 200))
        stage.down(*hosts)
        [alert] = stage.firing()
        assert (alert.rule, alert.host_id, alert.why) == (
            "engine_cut_off",
            "",
            "200 of 200 independent hosts failed at once",
        )
        stage.bus.publish(CutOff(None))
        stage.up(*hosts)
        assert stage.firing() == []
        assert ("hook", "firing") in await notes(stage)


async def test_a_changed_host_key_pages_and_ends_when_the_pinned_key_is_back(stage: Stage) -> None:
    async with stage.running():
        stage.hosts("web-1")
        stage.wave(QUIET)
        stage.down("web-1")
        stage.reach("web-1", "key_changed", why="SHA256:x is not the pinned SHA256:y")
        [alert] = stage.firing()
        assert (alert.rule, alert.tier, alert.why) == (
            "host_key_changed",
            "page",
            "SHA256:x is not the pinned SHA256:y",
        )
        stage.up("web-1")
        assert stage.firing() == []


async def test_a_host_of_which_we_know_nothing_neither_fires_nor_clears(stage: Stage) -> None:
    async with stage.running():
        stage.hosts("web-1")
        stage.wave(QUIET)
        stage.down("web-1")
        stage.reach("web-1", "unknown", why="vault locked")
        assert stage.rules() == ["host_down"]


async def test_maintenance_tells_nobody_and_what_is_left_after_it_is_told(stage: Stage) -> None:
    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        stage.hosts("web-1")
        stage.wave(QUIET)
        stage.hosts("web-1", maintenance_until=stage.clock.now() + 600)
        stage.down("web-1")
        [alert] = stage.firing()
        assert alert.silenced_until == pytest.approx(stage.clock.now() + 585)
        assert stage.heard[-1].count == 0, "it does not count as loud"
        assert await notes(stage) == []
        stage.clock.advance(600)
        await stage.alerts.tick()
        assert await notes(stage) == [("hook", "firing")]
        assert stage.heard[-1].count == 1


async def test_a_removed_host_takes_its_alerts_with_it_and_a_renamed_one_keeps_them(stage: Stage) -> None:
    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        stage.hosts("web-1")
        stage.wave(QUIET)
        stage.down("web-1")
        stage.bus.publish(HostsChanged((HostFacts("web-1", "www", {}, "dev"),)))
        [alert] = stage.firing()
        assert alert.host == "www"
        assert stage.live.alerts.labels(alert.id) == {"environment": "dev", "host": "www"}
        stage.bus.publish(HostsChanged(removed=("web-1",)))
        assert stage.firing() == []
        stage.down("web-1")
        stage.during(60, {"oom_kills": 1.0})
        assert stage.firing() == [], "late answers of a removed host raise nothing"
        assert await notes(stage) == [("hook", "firing")], "nobody is told that a host was removed"


async def test_an_engine_that_falls_behind_says_so_after_its_time(stage: Stage) -> None:
    async with stage.running():
        stage.bus.publish(EngineBehind(30, 100, stage.clock.now()))
        await stage.alerts.tick()
        assert stage.firing() == []
        stage.clock.advance(121)
        await stage.alerts.tick()
        await stage.alerts.tick()
        [alert] = stage.firing()
        assert (alert.rule, alert.why) == ("engine_behind", "30 of 100 hosts are polled late")
        stage.bus.publish(EngineBehind(0, 100, stage.clock.now()))
        assert stage.firing() == []


async def test_after_a_kill_firing_alerts_go_on_and_those_that_ended_meanwhile_resolve(stage: Stage) -> None:
    async with stage.running(AlertsSettings(channels={"hook": HOOK}), kill=True):
        stage.hosts("web-1", "web-2")
        stage.during(300, MOUNT, "web-1", "web-2", period="medium", step=30)
        stage.during(660, FULL, "web-1", "web-2", period="medium", step=30)
        stage.down("web-2")
        before = {(alert.host, alert.rule): alert for alert in stage.firing()}
        assert len(before) == 3
        await stage.written()
    stage.clock.advance(3600)
    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        assert stage.firing() == [], "whose labels are not known yet is shown to nobody"
        stage.hosts("web-1", "web-2")
        after = {(alert.host, alert.rule): alert for alert in stage.firing()}
        assert {key: (a.id, a.since) for key, a in after.items()} == {
            key: (a.id, a.since) for key, a in before.items()
        }
        assert {fact.host_id: fact.count for fact in stage.heard[-2:]} == {"web-1": 1, "web-2": 2}
        stage.wave(MOUNT, "web-1", period="medium")
        stage.wave(FULL, "web-2", period="medium")
        assert sorted((alert.host, alert.rule) for alert in stage.firing()) == [
            ("web-2", "disk_low"),
            ("web-2", "host_down"),
        ]
        assert (await notes(stage)).count(("hook", "firing")) == 3, "nobody is told twice"


async def test_a_waiting_time_survives_a_restart_and_so_does_what_a_mount_was(stage: Stage) -> None:
    read_only = {**MOUNT, "filesystem_readonly{/}": 1.0}
    async with stage.running():
        stage.hosts("web-1")
        stage.during(300, MOUNT, period="medium", step=30)
        stage.during(540, FULL, period="medium", step=30)
        assert stage.firing() == []
    async with stage.running():
        stage.hosts("web-1")
        stage.during(90, FULL, period="medium", step=30)
        [alert] = stage.firing()
        assert not alert.preexisting
        stage.during(60, MOUNT, period="medium", step=30)
        stage.during(90, {**read_only}, period="medium", step=30)
        assert stage.rules() == ["file_system_read_only"]


async def test_a_waiting_time_is_written_while_the_engine_runs(stage: Stage) -> None:
    async with stage.running(kill=True):
        stage.hosts("web-1")
        stage.during(300, MOUNT, period="medium", step=30)
        stage.during(570, FULL, period="medium", step=30)
        await stage.alerts.tick()
        await eventually(lambda: stage.alerts._waiting._stored)
    async with stage.running():
        stage.hosts("web-1")
        stage.during(60, FULL, period="medium", step=30)
        assert stage.rules() == ["disk_low"]
        stage.during(60, MOUNT, period="medium", step=30)
        stage.clock.advance(20)
        await stage.alerts.tick()
        await eventually(
            lambda: all(
                '"timers"' not in b for rows in stage.alerts._waiting._stored.values() for b in rows.values()
            )
        )


async def test_alerts_of_a_host_that_was_removed_while_the_engine_was_away_end(stage: Stage) -> None:
    async with stage.running():
        stage.hosts("web-1")
        stage.wave(QUIET)
        stage.down("web-1")
    async with stage.running(AlertsSettings(rules={"load": RuleOverride(enabled=False)})):
        stage.clock.advance(301)
        await stage.alerts.tick()
        assert stage.alerts.book.firing == {}


async def test_an_alert_whose_rule_was_switched_off_ends_at_the_start(stage: Stage) -> None:
    async with stage.running():
        stage.hosts("web-1")
        stage.wave(QUIET)
        stage.down("web-1")
    async with stage.running(AlertsSettings(rules={"host_down": RuleOverride(enabled=False)})):
        stage.hosts("web-1")
        assert stage.firing() == []
        stage.down("web-1")
        assert stage.firing() == []


async def test_when_the_store_cannot_be_written_alerts_are_still_seen_and_written_later(
    stage: Stage, monkeypatch
) -> None:
    from guardian_tui.protocol.errors import StoreUnavailable

    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        stage.hosts("web-1")
        stage.wave(QUIET)
        await stage.written()
        broken = stage.store.write

        def refuse():
            raise StoreUnavailable("database is locked")

        monkeypatch.setattr(stage.store, "write", refuse)
        stage.down("web-1")
        assert stage.rules() == ["host_down"]
        with pytest.raises(StoreUnavailable):
            await stage.alerts.writer.write()
        assert stage.alerts.book.unwritten
        monkeypatch.setattr(stage.store, "write", broken)
        assert await notes(stage) == [("hook", "firing")]


async def test_a_commit_whose_answer_was_lost_is_not_told_twice(stage: Stage, monkeypatch) -> None:
    from contextlib import asynccontextmanager

    from guardian_tui.protocol.errors import StoreUnavailable

    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        stage.hosts("web-1")
        stage.wave(QUIET)
        await stage.written()
        write = stage.store.write

        @asynccontextmanager
        async def lose_the_answer():
            async with write() as tx:
                yield tx
            raise StoreUnavailable("the connection was lost")

        stage.down("web-1")
        monkeypatch.setattr(stage.store, "write", lose_the_answer)
        with pytest.raises(StoreUnavailable):
            await stage.alerts.writer.write()
        monkeypatch.setattr(stage.store, "write", write)
        stage.up("web-1")
        assert await notes(stage) == [("hook", "firing"), ("hook", "resolved")]


async def test_a_mount_whose_name_is_no_text_neither_stops_the_writer_nor_is_lost(stage: Stage) -> None:
    name = "/mnt/\udc80\0\x1b[2J{}" + "x" * 4000
    sick = {f"filesystem_inodes_free_ratio{{{name}}}": 0.001}
    async with stage.running():
        stage.hosts("web-1")
        stage.during(300, {key: 1.0 for key in sick}, period="medium", step=30)
        stage.during(660, sick, period="medium", step=30)
        stage.reach("web-1", "key_changed", why="\udc80\0")
        assert stage.rules() == ["host_key_changed", "inodes_low"]
        await stage.written()
    async with stage.running():
        stage.hosts("web-1")
        assert len(stage.firing()) == 2
        stage.during(30, {key: 1.0 for key in sick}, period="medium", step=30)
        assert stage.rules() == ["host_key_changed"]


async def test_when_the_audit_log_cannot_be_written_the_alert_still_is_and_its_event_follows(
    stage: Stage,
) -> None:
    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        stage.hosts("web-1")
        stage.wave(QUIET)
        stage.audit.broken = True
        stage.down("web-1")
        assert await notes(stage) == [("hook", "firing")]
        assert stage.audit.entries == []
        stage.audit.broken = False
        await eventually(lambda: [entry.action for entry in stage.audit.entries] == ["alert.fired"])


async def test_an_alert_that_paged_and_got_milder_leaves_both_events_in_the_audit_log(stage: Stage) -> None:
    async with stage.running():
        stage.hosts("web-1")
        stage.during(300, MOUNT, period="medium", step=30)
        stage.during(660, FULLER, period="medium", step=30)
        stage.during(60, FULL, period="medium", step=30)
        assert [alert.tier for alert in stage.firing()] == ["notify"]
        stage.during(60, MOUNT, period="medium", step=30)
        await stage.written()
        assert [entry.action for entry in stage.audit.entries] == ["alert.fired", "alert.resolved"]


async def test_a_firing_alert_shows_todays_figure_not_the_one_it_began_with(stage: Stage) -> None:
    async with stage.running():
        stage.hosts("web-1")
        stage.during(300, MOUNT, period="medium", step=30)
        stage.during(660, FULL, period="medium", step=30)
        stage.wave({**FULL, "filesystem_used_ratio{/}": 0.966}, period="medium")
        await stage.alerts.tick()
        [alert] = stage.firing()
        assert (alert.value, alert.threshold) == (0.966, 0.95)
        assert alert.why == "96.6 % used, limit 95 %, for 10m"
        seq = stage.live.seq
        stage.clock.advance(20)
        await stage.alerts.tick()
        assert stage.live.seq == seq, "what did not change is not sent again"


async def test_faults_of_the_engine_itself_that_are_not_seen_after_a_restart_end(stage: Stage) -> None:
    async with stage.running():
        stage.bus.publish(CutOff(stage.clock.now(), 5, 5))
        stage.bus.publish(EngineBehind(3, 5, stage.clock.now()))
        stage.clock.advance(121)
        await stage.alerts.tick()
        assert stage.rules() == ["engine_behind", "engine_cut_off"]
    async with stage.running():
        stage.bus.publish(CutOff(stage.clock.now(), 5, 5))
        stage.clock.advance(121)
        await stage.alerts.tick()
        assert stage.rules() == ["engine_cut_off"]
        stage.bus.publish(CutOff(None))
        assert stage.rules() == []


async def test_a_failing_channel_is_remembered_across_a_restart_until_it_works_or_is_removed(
    stage: Stage,
) -> None:
    channels = {"hook": HOOK, "gone": HOOK}
    async with stage.running(AlertsSettings(channels=channels)):
        for courier in stage.alerts.couriers.values():
            courier._set_failing(True, "no answer")
        assert len(stage.firing()) == 2
    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        assert [alert.instance for alert in stage.firing()] == ["hook"]
        assert stage.alerts.couriers["hook"].row(0).state == "failing"
        stage.alerts.couriers["hook"]._delivered()
        assert stage.firing() == []


async def test_an_alert_that_gets_worse_while_it_is_silenced_is_told_when_the_silence_ends(
    stage: Stage,
) -> None:
    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        stage.hosts("web-1")
        stage.during(300, MOUNT, period="medium", step=30)
        stage.during(660, FULL, period="medium", step=30)
        stage.hosts("web-1", maintenance_until=stage.clock.now() + 300)
        stage.during(120, FULLER, period="medium", step=30)
        assert [alert.severity for alert in stage.firing()] == ["critical"]
        assert await notes(stage) == [("hook", "firing")]
        stage.clock.advance(300)
        await stage.alerts.tick()
        assert await notes(stage) == [("hook", "firing"), ("hook", "worse")]


async def test_a_store_that_is_read_only_at_the_start_does_not_keep_alerts_from_running(
    stage: Stage, monkeypatch
) -> None:
    from guardian_tui.engine.store.database import Store
    from guardian_tui.protocol.errors import StoreUnavailable

    def refuse(self):
        raise StoreUnavailable("read-only")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "write", refuse)
        async with stage.running():
            stage.hosts("web-1")
            stage.wave(QUIET)
            stage.down("web-1")
            assert stage.rules() == ["host_down"]
            with pytest.raises(StoreUnavailable):
                await stage.alerts.tick()


async def test_what_is_old_is_removed_and_what_fires_is_not(stage: Stage) -> None:
    async with stage.running(AlertsSettings(channels={"hook": HOOK})):
        stage.hosts("web-1", "web-2")
        stage.wave(QUIET, "web-1", "web-2")
        stage.down("web-1", "web-2")
        stage.up("web-1")
        await stage.written()
        stage.clock.advance(401 * 86400)
        await stage.alerts.tick()
        async with stage.store.read() as conn:
            rows = (await conn.execute(select(tables.alerts.c.host_id))).scalars().all()
        assert rows == ["web-2"]


def test_a_channel_that_can_never_work_is_refused_with_its_key(stage: Stage) -> None:
    from guardian_tui.engine.alerts.channels import check_channel

    for settings, key in (
        (ChannelSettings(kind="webhook", url="ftp://x"), "url"),
        (ChannelSettings(kind="webhook", url="http:///x"), "url"),
        (ChannelSettings(kind="smtp", url="smtp://x:y", sender="a@b", to=("a@b",)), "url"),
        (ChannelSettings(kind="smtp", url="smtp://x", to=("a@b",)), "sender"),
        (ChannelSettings(kind="smtp", url="smtp://x", sender="a@b"), "to"),
        (ChannelSettings(kind="smtp", url="smtp://x", sender="a@b\r\nBcc: c@d", to=("a@b",)), "sender"),
        (ChannelSettings(kind="webhook", url="http://x", password="hunter2"), "password"),
        (ChannelSettings(kind="webhook", url="http://x", signing_secret="hunter2"), "signing_secret"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            check_channel("ops", settings)
        assert caught.value.field == f"alerts.channels.ops.{key}"
        assert "hunter2" not in caught.value.detail


RELAY = ChannelSettings(
    kind="smtp", url="smtp://mail.example:587", sender="a@b", to=("a@b",), user="me", password="env:MAIL", starttls=False
)  # fmt: skip


def test_a_password_goes_bare_to_a_relay_on_this_machine_alone() -> None:
    from guardian_tui.engine.alerts.channels import check_channel

    for url in (
        "smtp://mail.example:587",
        "smtp://10.0.0.1",
        "smtp://localhost.example",
        "smtp://127.0.0.1.example",
    ):
        with pytest.raises(
            InvalidRequest, match=r"alerts\.channels\.ops.*starttls = false.*smtps://"
        ) as caught:
            check_channel("ops", replace(RELAY, url=url))
        assert caught.value.field == "alerts.channels.ops.starttls"
        check_channel("ops", replace(RELAY, url=url, starttls=True))
        check_channel("ops", replace(RELAY, url=url, user="", password=""))
    for url in (
        "smtp://localhost",
        "smtp://127.0.0.2:25",
        "smtp://[::1]:25",
        "smtps://mail.example",
        "secret:relay",
    ):
        check_channel("ops", replace(RELAY, url=url))


async def test_a_relay_that_a_reference_leads_to_is_given_no_password_bare_either(stage: Stage) -> None:
    stage.vault.locked = False
    stage.vault.values |= {"env:RELAY": "smtp://mail.invalid:587", "env:MAIL": "hunter2"}
    async with stage.running(AlertsSettings(channels={"ops": replace(RELAY, url="env:RELAY")})):
        with pytest.raises(ChannelFailed, match=r"ops: .*starttls = false.*smtps://"):
            await stage.ask("channels.test", protocol.TestChannel(channel="ops"))
