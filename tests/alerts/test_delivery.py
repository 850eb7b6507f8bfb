"""Alerts reach someone: through ends that fail, hang, drop and come back, and across a kill."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from guardian_tui.config import AlertsSettings, ChannelSettings
from guardian_tui.engine.facts import VaultUnlocked
from guardian_tui.engine.store import tables
from guardian_tui.protocol import alerts as protocol
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.errors import ChannelFailed, NotFound, StoreUnavailable, VaultLocked
from tests.alerts.conftest import Stage, eventually
from tests.support.sinks import SmtpSink, WebhookSink, make_certificate

QUIET = {"load1_per_core": 0.1}
HOSTILE = "\x1b]52;c;aGk=\x07[/]\r\nBcc: evil@example.org\u202e"


def hook(sink: WebhookSink, **more) -> ChannelSettings:
    return ChannelSettings(kind="webhook", url=sink.url, **{"timeout_seconds": 20.0, **more})


def mail(sink: SmtpSink, **more) -> ChannelSettings:
    settings = {
        "sender": "Guardian <guardian@example.org>",
        "to": ("ops@example.org",),
        "starttls": False,
        "timeout_seconds": 20.0,
    }
    return ChannelSettings(kind="smtp", url=sink.url, **{**settings, **more})


def settings(**channels: ChannelSettings) -> AlertsSettings:
    return AlertsSettings(channels=channels)


def dies(stage: Stage, *hosts: str) -> None:
    names = hosts or ("web-1",)
    stage.hosts(*names)
    stage.wave(QUIET, *names)
    stage.down(*names)


async def states(stage: Stage) -> list[str]:
    async with stage.store.read() as conn:
        return list(
            (await conn.execute(select(tables.outbox.c.state).order_by(tables.outbox.c.id))).scalars()
        )


async def test_a_mail_arrives_when_a_host_dies_and_another_when_it_is_back(stage: Stage) -> None:
    async with SmtpSink() as sink, stage.running(settings(ops=mail(sink))):
        dies(stage)
        await eventually(lambda: sink.mails)
        [first] = sink.mails
        assert first["Subject"] == "[guardian test] FIRING critical: Host down on web-1"
        assert (first["From"], first["To"]) == ("Guardian <guardian@example.org>", "ops@example.org")
        assert first["Message-ID"].endswith("@example.org>")
        text = first.get_content()
        assert "connection refused" in text
        assert "since 2027-01-15" in text
        stage.up("web-1")
        await eventually(lambda: len(sink.mails) == 2)
        assert sink.mails[1]["Subject"] == "[guardian test] RESOLVED: Host down on web-1"
        assert sink.mails[1]["Message-ID"] != first["Message-ID"]
        alert = stage.live.alerts.rows()[-1]
        assert alert.delivered == ("ops",)


async def test_a_webhook_is_told_in_documented_json_signed_and_with_a_key(stage: Stage) -> None:
    stage.vault.values["env:HOOK"] = "s3cret"
    async with WebhookSink() as sink, stage.running(settings(ops=hook(sink, signing_secret="env:HOOK"))):
        dies(stage)
        await eventually(lambda: sink.bodies)
        body, headers = sink.bodies[0], sink.headers[0]
        assert body["version"] == 1
        assert body["key"] == headers["idempotency-key"]
        [alert] = body["alerts"]
        assert (alert["event"], alert["rule"], alert["host"], alert["severity"], alert["tier"]) == (
            "firing",
            "host_down",
            "web-1",
            "critical",
            "page",
        )
        at, mac = headers["x-guardian-signature"].removeprefix("t=").split(",v1=")
        assert mac == hmac.new(b"s3cret", f"{at}.".encode() + sink.raw[0], hashlib.sha256).hexdigest()


async def test_alerts_that_come_together_go_out_together_worst_first(stage: Stage) -> None:
    async with WebhookSink() as sink, stage.running(settings(ops=hook(sink))):
        dies(stage, "web-1", "web-2", "web-3")
        await eventually(lambda: len(sink.events) == 3)
        assert len(sink.bodies) == 1
        assert sink.bodies[0]["subject"].endswith("(+2 more)")


async def test_a_host_that_calls_itself_an_escape_writes_none_into_a_mail_or_a_hook(stage: Stage) -> None:
    async with (
        SmtpSink() as post,
        WebhookSink() as web,
        stage.running(settings(post=mail(post), web=hook(web))),
    ):
        stage.hosts(HOSTILE)
        stage.wave(QUIET, HOSTILE)
        for count in (1, 2, 3):
            stage.reach(HOSTILE, "failing", failures=count, why=HOSTILE * 300)
        await eventually(lambda: post.mails and web.bodies)
        assert b"\x1b" not in post.raw[0] + web.raw[0]
        assert b"\\u001b" not in web.raw[0]
        assert "\u202e" not in str(post.mails[0]) + web.raw[0].decode()
        assert "Bcc" not in post.mails[0]
        assert len(post.mails[0]["Subject"]) < 250


@pytest.mark.parametrize("mode", ["500", "drop", "cut", "404", "redirect", "429", "flood"])
async def test_a_webhook_that_fails_is_tried_until_it_recovers_with_the_same_key(
    stage: Stage, mode: str
) -> None:
    async with WebhookSink() as sink, stage.running(settings(ops=hook(sink))):
        sink.mode = mode
        dies(stage)
        courier = stage.alerts.couriers["ops"]
        await eventually(lambda: courier.failures >= 2)
        assert "\x1b" not in courier.last_error
        sink.mode = "ok"
        await eventually(lambda: sink.bodies)
        assert sink.events == ["firing"]
        await eventually(lambda: courier.failures == 0)


@pytest.mark.parametrize("mode", ["MAIL 421", "MAIL 451", "RCPT 450", "DATA 452", "drop", "cut"])
async def test_a_relay_that_fails_is_tried_until_it_recovers(stage: Stage, mode: str) -> None:
    async with SmtpSink() as sink, stage.running(settings(ops=mail(sink))):
        sink.mode = mode
        dies(stage)
        courier = stage.alerts.couriers["ops"]
        await eventually(lambda: courier.failures >= 2)
        assert "\x1b" not in courier.last_error
        sink.mode = "ok"
        await eventually(lambda: sink.mails)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("web", "400"), ("web", "422"), ("post", "RCPT 550"), ("post", "DATA 554"), ("post", "MAIL 553")],
)
async def test_a_message_that_will_never_be_taken_is_given_up_and_another_channel_says_so(
    stage: Stage, kind: str, mode: str
) -> None:
    async with WebhookSink() as web, SmtpSink() as post, WebhookSink() as other:
        bad = web if kind == "web" else post
        bad.mode = mode
        channel = hook(web) if kind == "web" else mail(post)
        async with stage.running(settings(bad=channel, other=hook(other))):
            dies(stage)
            await eventually(lambda: len(other.events) == 2)
            told = [alert for body in other.bodies for alert in body["alerts"]]
            assert {(alert["rule"], alert["instance"]) for alert in told} == {
                ("host_down", ""),
                ("notifications_failing", "bad"),
            }
            assert bad.tries >= 1
            assert "given_up" in await states(stage)
            bad.mode = "ok"
            stage.up("web-1")
            await eventually(lambda: "notifications_failing" not in stage.rules())


async def test_what_is_too_large_for_one_message_goes_out_as_several(stage: Stage) -> None:
    names = [f"web-{number}" for number in range(5)]
    async with WebhookSink() as sink:
        sink.mode = "narrow"
        async with stage.running(settings(ops=hook(sink))):
            dies(stage, *names)
            await eventually(lambda: len(sink.events) == 5)
            assert sorted(alert["host"] for body in sink.bodies for alert in body["alerts"]) == names
            assert len({body["key"] for body in sink.bodies}) == len(sink.bodies) > 2
            assert "notifications_failing" not in stage.rules()
            async with asyncio.timeout(60):
                while set(await states(stage)) != {"sent"}:
                    await asyncio.sleep(0.01)


async def test_a_hung_sink_costs_the_others_nothing_and_is_named_by_them(stage: Stage) -> None:
    async with SmtpSink() as hung, WebhookSink() as silent, WebhookSink() as good:
        hung.mode = silent.mode = "hang"
        channels = {
            "hung": mail(hung, timeout_seconds=0.05),
            "silent": hook(silent, timeout_seconds=0.05),
            "good": hook(good),
        }
        async with stage.running(settings(**channels)):
            dies(stage)
            await eventually(lambda: "firing" in good.events)
            await eventually(
                lambda: (
                    {
                        a["instance"]
                        for b in good.bodies
                        for a in b["alerts"]
                        if a["rule"] == "notifications_failing"
                    }
                    == {"hung", "silent"}
                )
            )
            rows = {row.name: row for row in (await stage.ask("channels.list", Nothing())).channels}
            assert rows["good"].state == "ok"
            assert rows["good"].last_ok_at == stage.clock.now()
            assert rows["hung"].state in ("open", "failing")
            assert rows["hung"].waiting >= 1
            assert rows["hung"].target == f"ops@example.org via smtp://127.0.0.1:{hung.port}"
            assert rows["silent"].target == f"http://127.0.0.1:{silent.port}/…", (
                "a webhook's path may be its secret"
            )
            assert rows["silent"].last_error
            hung.mode = silent.mode = "ok"
            await eventually(lambda: hung.mails and silent.bodies and stage.rules() == ["host_down"])


async def test_a_message_that_was_sent_but_not_noted_is_sent_again_under_the_same_key(
    stage: Stage, monkeypatch
) -> None:
    from guardian_tui.engine.alerts import courier, records

    async with WebhookSink() as sink:
        noting = asyncio.Event()

        async def die(*_: object) -> None:
            noting.set()
            await asyncio.sleep(3600)

        with monkeypatch.context() as patch:
            patch.setattr(records, "close_notes", die)
            async with stage.running(settings(ops=hook(sink)), kill=True):
                dies(stage, "web-1", "web-2")
                async with asyncio.timeout(30):
                    await noting.wait()
        assert courier.GROUP_LIMIT > 2
        async with stage.running(settings(ops=hook(sink))):
            stage.hosts("web-1", "web-2")
            stage.down("web-3")
            await eventually(lambda: len(sink.bodies) >= 2)
            keys = [headers["idempotency-key"] for headers in sink.headers]
            assert keys[0] == keys[1]
            assert [a["id"] for a in sink.bodies[0]["alerts"]] == [a["id"] for a in sink.bodies[1]["alerts"]]


async def test_a_message_is_not_sent_twice_because_the_store_was_busy(stage: Stage, monkeypatch) -> None:
    from guardian_tui.engine.alerts import records

    close, calls = records.close_notes, []

    async def busy(*rest) -> None:
        calls.append(1)
        if len(calls) < 3:
            raise StoreUnavailable("database is locked")
        await close(*rest)

    monkeypatch.setattr(records, "close_notes", busy)
    async with WebhookSink() as sink, stage.running(settings(ops=hook(sink))):
        dies(stage)
        await eventually(lambda: len(calls) >= 3)
        stage.up("web-1")
        await eventually(lambda: sink.events == ["firing", "resolved"])
        assert len({headers["idempotency-key"] for headers in sink.headers}) == 2


async def test_while_the_vault_is_locked_what_needs_a_secret_waits_and_the_rest_goes(stage: Stage) -> None:
    async with WebhookSink() as sealed, WebhookSink() as plain:
        stage.vault.values["secret:hook"] = sealed.url + "\n"
        channels = {"sealed": ChannelSettings(kind="webhook", url="secret:hook"), "plain": hook(plain)}
        async with stage.running(settings(**channels)):
            dies(stage)
            await eventually(lambda: plain.bodies)
            courier = stage.alerts.couriers["sealed"]
            await eventually(lambda: courier.last_error)
            row = courier.row(1)
            assert (row.state, row.target, row.last_error) == (
                "ok",
                "secret:hook",
                "waits for the vault to be unlocked",
            )
            with pytest.raises(VaultLocked):
                await stage.ask("channels.test", protocol.TestChannel(channel="sealed"))
            assert sealed.bodies == []
            stage.vault.locked = False
            stage.bus.publish(VaultUnlocked())
            await eventually(lambda: sealed.bodies)
            assert "notifications_failing" not in stage.rules()


async def test_mail_goes_out_encrypted_and_logged_in_where_it_is_wanted(
    stage: Stage, tmp_path, monkeypatch
) -> None:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    stage.vault.values["env:MAIL"] = "hunter2"
    async with SmtpSink(certificate) as upgraded, SmtpSink(certificate, wrapped=True) as wrapped:
        login = {"user": "guardian", "password": "env:MAIL"}
        channels = {"a": mail(upgraded, starttls=True, **login), "b": mail(wrapped, **login)}
        async with stage.running(settings(**channels)):
            dies(stage)
            await eventually(lambda: upgraded.mails and wrapped.mails)
            assert upgraded.encrypted == wrapped.encrypted == [True]
            assert len(upgraded.logins) == len(wrapped.logins) == 1


async def test_an_end_that_cannot_prove_who_it_is_gets_nothing(stage: Stage, tmp_path) -> None:
    certificate = make_certificate(tmp_path)
    async with (
        SmtpSink(certificate) as post,
        WebhookSink(certificate, wrapped=True) as web,
        SmtpSink() as plain,
    ):
        channels = {"post": mail(post, starttls=True), "web": hook(web), "plain": mail(plain, starttls=True)}
        async with stage.running(settings(**channels)):
            dies(stage)
            couriers = stage.alerts.couriers
            await eventually(lambda: all(courier.failures for courier in couriers.values()))
            assert "certificate" in couriers["post"].last_error.lower()
            assert "certificate" in couriers["web"].last_error.lower()
            assert "STARTTLS" in couriers["plain"].last_error
            assert post.mails == web.bodies == plain.mails == []


async def test_a_wrong_login_is_tried_again_since_a_person_can_mend_it(stage: Stage) -> None:
    stage.vault.values["env:MAIL"] = "wrong"
    async with (
        SmtpSink() as sink,
        stage.running(settings(ops=mail(sink, user="guardian", password="env:MAIL"))),
    ):
        sink.mode = "AUTH 535"
        dies(stage)
        await eventually(lambda: "refused the login" in stage.alerts.couriers["ops"].last_error)
        sink.mode = "ok"
        await eventually(lambda: sink.mails)


async def test_one_recipient_of_two_that_is_refused_does_not_keep_the_mail_from_the_other(
    stage: Stage,
) -> None:
    class Picky(SmtpSink):
        async def serve(self, reader, writer):
            seen = []

            read = reader.readline

            async def readline():
                line = await read()
                if line.startswith(b"RCPT"):
                    seen.append(line)
                self.mode = "RCPT 550" if line.startswith(b"RCPT") and len(seen) == 2 else "ok"
                return line

            reader.readline = readline
            await super().serve(reader, writer)

    async with (
        Picky() as sink,
        stage.running(settings(ops=mail(sink, to=("a@example.org", "b@example.org")))),
    ):
        dies(stage)
        await eventually(lambda: sink.mails and stage.alerts.couriers["ops"].last_ok_at)
        assert len(sink.mails) == 1


async def test_old_news_is_given_up(stage: Stage) -> None:
    async with WebhookSink() as sink, stage.running(settings(ops=hook(sink))):
        sink.mode = "500"
        dies(stage)
        await eventually(lambda: stage.alerts.couriers["ops"].failures)
        stage.clock.advance(3601)
        async with asyncio.timeout(30):
            while await states(stage) != ["given_up"]:
                await asyncio.sleep(0.01)
        assert "notifications_failing" in stage.rules()


async def test_a_clock_that_jumps_makes_no_news_old(stage: Stage) -> None:
    async with WebhookSink() as sink, stage.running(settings(ops=hook(sink))):
        sink.mode = "500"
        dies(stage)
        courier = stage.alerts.couriers["ops"]
        await eventually(lambda: courier.failures)
        stage.clock.jump(7 * 86400)
        seen = courier.failures
        await eventually(lambda: courier.failures >= seen + 2)
        sink.mode = "ok"
        async with asyncio.timeout(60):
            while set(await states(stage)) != {"sent"}:
                await asyncio.sleep(0.01)


async def test_notes_for_a_channel_that_is_no_longer_there_are_given_up(stage: Stage) -> None:
    async with stage.running(settings(gone=ChannelSettings(kind="webhook", url="secret:hook"))):
        dies(stage)
        await stage.written()
    async with stage.running():
        assert await states(stage) == ["given_up"]


async def test_a_reference_to_nothing_is_named_and_the_channel_works_once_it_is_mended(stage: Stage) -> None:
    async def resolve(reference: str) -> str:
        raise NotFound(f"{reference} is not set")

    async with WebhookSink() as sink:
        good = stage.vault.resolve
        stage.vault.resolve = resolve
        async with stage.running(settings(ops=ChannelSettings(kind="webhook", url="env:HOOK"))):
            dies(stage)
            courier = stage.alerts.couriers["ops"]
            await eventually(lambda: courier.last_error == "env:HOOK is not set")
            stage.vault.values["env:HOOK"] = sink.url
            courier._sender._resolve = good
            courier.try_now()
            await eventually(lambda: sink.bodies)


async def test_a_fault_of_ours_in_one_message_is_named_by_another_channel_and_holds_up_nothing_after_it(
    stage: Stage,
) -> None:
    async with WebhookSink() as sink, WebhookSink() as other:
        # what resolves it knows nothing of this name, and breaks on it
        broken = ChannelSettings(kind="webhook", url="env:BROKEN")
        async with stage.running(settings(ops=broken, other=hook(other))):
            dies(stage)
            await eventually(
                lambda: (
                    "notifications_failing" in {a["rule"] for body in other.bodies for a in body["alerts"]}
                )
            )
            why = next(alert.why for alert in stage.firing() if alert.rule == "notifications_failing")
            assert "fault of ours (KeyError)" in why
            stage.vault.values["env:BROKEN"] = sink.url
            stage.up("web-1")
            await eventually(lambda: sink.bodies)
            assert "given_up" in await states(stage)


async def test_rows_that_can_t_be_read_keep_neither_the_engine_from_its_start_nor_a_channel_from_the_rest(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    alert = {
        "rule": "load",
        "host_id": "web-1",
        "instance": "",
        "since": 1.0,
        "body": '{"alert":{"tier":"shout"}}',
    }
    async with stage.running(), stage.store.write() as tx:
        for id, state, ended in (("torn", "firing", None), ("old", "resolved", stage.clock.now())):
            await tx.execute(insert(tables.alerts), {**alert, "id": id, "state": state, "resolved_at": ended})
        await tx.execute(
            insert(tables.alert_state), {"host_id": "web-1", "rule": "load", "instance": "", "body": "[]"}
        )
        await tx.execute(insert(tables.silences), {"id": "hush", "until": 9e9, "body": "{"})
        note = {"channel": "ops", "alert_id": "torn", "payload": "{}", "created_at": 1.0, "next_try_at": 1.0}
        for id in ("0-grouped", "1-alone"):
            key = "k" if id == "0-grouped" else ""
            await tx.execute(insert(tables.outbox), {**note, "id": id, "dedup_key": id, "message_key": key})
    async with WebhookSink() as sink, stage.running(settings(ops=hook(sink))):
        dies(stage)
        await eventually(lambda: sink.bodies)
        async with asyncio.timeout(60):
            while (await states(stage)).count("given_up") < 2:
                await asyncio.sleep(0.01)
        listed = await stage.ask("alerts.list", protocol.AlertsQuery(resolved=True))
        assert "host_down" in {alert.rule for alert in listed.alerts}
        with pytest.raises(NotFound):
            await stage.ask("alerts.show", protocol.AlertRef(alert="torn"))
    for what in ("alert torn", "alert old", "of load on the host web-1", "silence hush", "note 0-grouped"):
        assert f"{what} can't be read from the store" in caplog.text


async def test_a_test_message_shows_whether_a_channel_works(stage: Stage) -> None:
    async with (
        WebhookSink() as web,
        SmtpSink() as post,
        stage.running(settings(web=hook(web), post=mail(post))),
    ):
        await stage.ask("channels.test", protocol.TestChannel(channel="web"))
        await stage.ask("channels.test", protocol.TestChannel(channel="post"))
        assert web.events == ["test"]
        assert post.mails[0]["Subject"] == "[guardian test] TEST: Test message on engine"
        assert "sent by ada" in post.mails[0].get_content()
        web.mode = "403"
        with pytest.raises(ChannelFailed) as caught:
            await stage.ask("channels.test", protocol.TestChannel(channel="web"))
        assert "HTTP 403" in caught.value.detail
        with pytest.raises(NotFound) as missing:
            await stage.ask("channels.test", protocol.TestChannel(channel="wep"))
        assert "Did you mean web?" in missing.value.detail


async def test_an_engine_killed_while_it_sends_sends_the_same_message_again(stage: Stage) -> None:
    async with WebhookSink() as sink:
        sink.mode = "hold"
        victim = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.alerts.victim",
            str(stage.folder),
            stage.url,
            sink.url,
            cwd=Path(__file__).parents[2],
        )
        try:
            await eventually(lambda: sink.bodies)
        finally:
            victim.kill()
            await victim.wait()
        sink.mode = "ok"
        stage.clock.advance(600)
        async with stage.running(settings(ops=hook(sink))):
            stage.hosts("web-1", "web-2")
            assert sorted(alert.host for alert in stage.firing()) == ["web-1", "web-2"]
            await eventually(lambda: len(sink.bodies) == 2)
            assert sink.headers[0]["idempotency-key"] == sink.headers[1]["idempotency-key"]
            ids = [sorted(alert["id"] for alert in body["alerts"]) for body in sink.bodies]
            assert ids[0] == ids[1]
            assert len(ids[0]) == 2
