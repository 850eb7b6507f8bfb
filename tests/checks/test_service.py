"""When checks are made, when that is trouble, what is kept, and who may see it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import pytest

from guardian_tui.config import CheckSettings
from guardian_tui.engine.facts import CutOff, ProofWanted, WaveDone
from guardian_tui.protocol import checks as wire
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound
from guardian_tui.protocol.fleet import RemoveHost
from tests.checks.lab import Lab, answering, http, server
from tests.fleet.test_orders import spec as host_spec
from tests.fleet.world import Only
from tests.support.sshd import Sshd

pytestmark = pytest.mark.timeout(120)
TROUBLE = "check_http_trouble{web}"


class Site:
    """A server whose status can be changed."""

    status = 200

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http(status=self.status))


async def test_three_failures_in_a_row_are_trouble_and_two_good_runs_end_it(lab: Lab) -> None:
    site = Site()
    async with server(site.serve) as port:
        check = await lab.add("web", "http", {"url": f"http://127.0.0.1:{port}/"})
        await lab.run(check)
        site.status = 500
        await lab.run(check, 3)
        assert check.state == "failed" and check.failures == 3
        site.status = 200
        await lab.run(check, 2)
    assert lab.ruled(TROUBLE) == [0, 0, 0, 2, 2, 0]
    told = next(w for w in reversed(lab.world.of(WaveDone)) if w.period == "checks" and w.samples[0].words)
    assert told.samples[0].words is not None
    assert "status" in told.samples[0].words[TROUBLE]


async def test_what_is_said_to_be_mended_is_looked_at_at_once_and_one_good_run_proves_it(lab: Lab) -> None:
    site, began, going = Site(), asyncio.Event(), asyncio.Event()
    going.set()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began.set()
        status = site.status
        await going.wait()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http(status=status))

    async with server(slow) as port:
        check = await lab.add("web", "http", {"url": f"http://127.0.0.1:{port}/"})
        other = await lab.add("other", "http", {"url": f"http://127.0.0.1:{port}/"})
        site.status = 500
        await lab.run(check, 3)
        # one is under way when it is mended: it began too early to prove anything, and another one follows
        began.clear()
        going.clear()
        under_way = lab.checks.run(check)
        await began.wait()
        site.status = 200
        mended_at = lab.world.clock.now()
        lab.world.bus.publish(ProofWanted("t", "a", check.host_id, "http_check_failed", "web", mended_at))
        going.set()
        await under_way
        await lab.world.until(lambda: check.trouble == 0, "one good run is enough")
        assert check.began_at is not None and check.began_at >= mended_at
        await lab.world.until(lambda: lab.ruled(TROUBLE)[-1] == 0, "and rules are told")
        assert other.measured_at is None, "nothing else is made for it"
        told = next(w for w in reversed(lab.world.of(WaveDone)) if w.period == "checks")
        assert told.samples[0].began == {"web": check.began_at}


async def test_a_fault_of_ours_neither_makes_trouble_nor_ends_it(lab: Lab) -> None:
    site = Site()
    site.status = 500
    async with server(site.serve) as port:
        check = await lab.add("web", "http", {"url": f"http://127.0.0.1:{port}/"})
        await lab.run(check, 2)
        lab.world.bus.publish(CutOff(lab.world.clock.now()))
        await lab.run(check, 3)
        assert check.state == "unknown" and "cut off" in check.words
        assert check.trouble == 0
        lab.world.bus.publish(CutOff(None))
        await lab.run(check)
    values = lab.ruled(TROUBLE)
    assert values[-1] == 2 and all(map(math.isnan, values[2:5]))


async def test_a_check_is_made_by_itself_again_and_again_and_kept_over_a_restart(lab: Lab) -> None:
    site = Site()
    async with server(site.serve) as port:
        check = await lab.add("web", "http", {"url": f"http://127.0.0.1:{port}/"}, period_seconds=1)
        await lab.world.until(lambda: len(lab.ruled(TROUBLE)) >= 2, "two runs")
        row = lab.world.live.checks.get(check.id)
        assert row is not None and row.state == "ok" and row.measured_at
        site.status = 500
        await lab.world.until(lambda: check.trouble == 2, "trouble")
        await lab.restart()
        again = lab.checks.named("web")
        assert again is not None and again is not check
        assert again.trouble == 2, "a restart forgets no trouble"
        assert again.state == "waiting"
        history = await lab.world.store.metrics.history(
            check.host_id, "check_ok{web}", lab.world.clock.now() - 60, lab.world.clock.now() + 1, 10
        )
    assert any(value is not None for value in history.mean)


async def test_slow_targets_cost_the_others_nothing(lab: Lab) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async with server(silent) as slow, server(answering(http())) as quick:
        await lab.world.order("hosts.add", host_spec("slow-host"))
        for number in range(30):
            await lab.add(
                f"slow{number}", "http", {"url": f"http://127.0.0.1:{slow}/"}, host="slow-host", timeout_seconds=30, period_seconds=1,
            )  # fmt: skip
        await lab.add("web", "http", {"url": f"http://127.0.0.1:{quick}/"}, period_seconds=1)
        await lab.world.until(lambda: len(lab.ruled(TROUBLE)) >= 3, "three runs of the quick one")


async def test_a_check_that_is_removed_switched_off_or_changed_leaves_no_fault_standing(lab: Lab) -> None:
    site = Site()
    site.status = 500
    async with server(site.serve) as port:
        check = await lab.add("web", "http", {"url": f"http://127.0.0.1:{port}/"})
        await lab.run(check, 3)
        assert lab.ruled(TROUBLE)[-1] == 2
        row = await lab.order("checks.edit", wire.EditCheck(check="web", enabled=False))
        assert lab.ruled(TROUBLE)[-1] == 0 and row.state == "off"
        with pytest.raises(Conflict):
            await lab.order("checks.run", wire.CheckRef(check="web"))
        await lab.order("checks.edit", wire.EditCheck(check="web", enabled=True, params={"status": "500"}))
        detail = await lab.order("checks.run", wire.CheckRef(check="web"))
        assert detail.row.state == "ok" and detail.spec.params["status"] == "500"
        await lab.order("checks.edit", wire.EditCheck(check="web", params={"status": ""}))
        detail = await lab.order("checks.run", wire.CheckRef(check="web"))
        assert detail.row.state == "failed" and "status" not in detail.spec.params
        await lab.order("checks.remove", wire.CheckRef(check="web"))
    assert lab.world.live.checks.rows() == []
    await lab.restart()
    assert lab.checks.named("web") is None
    assert [entry.target for entry in lab.world.sink.entries] == ["web"] * len(lab.world.sink.entries)


async def test_checks_are_seen_and_changed_by_the_labels_of_their_host(lab: Lab) -> None:
    await lab.world.order("hosts.add", host_spec("prod-1", environment="prod"))
    await lab.world.order("hosts.add", host_spec("test-1", environment="test"))
    url = {"url": "http://127.0.0.1:9/"}
    await lab.add("p", "http", url, host="prod-1")
    await lab.add("t", "http", url, host="test-1")
    mine = Only("environment", "prod")
    listed = await lab.order("checks.list", wire.ChecksQuery(), mine)
    assert [row.name for row in listed.checks] == ["p"]
    listed = await lab.order("checks.list", wire.ChecksQuery(filter="!prod"))
    assert [row.name for row in listed.checks] == ["t"]
    for name, request in (
        ("checks.show", wire.CheckRef(check="t")), ("checks.run", wire.CheckRef(check="t")), ("checks.remove", wire.CheckRef(check="t")),
        ("checks.edit", wire.EditCheck(check="t")), ("checks.add", wire.CheckSpec(name="n", kind="http", params=url, host="test-1")),
        ("checks.add", wire.CheckSpec(name="n", kind="http", params=url)),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await lab.order(name, request, mine)
    assert lab.world.live.checks.labels(lab.checks.named("p").id)["environment"] == "prod"  # type: ignore[union-attr,index]  # it is there


async def test_the_checks_of_a_host_that_is_removed_go_with_it(lab: Lab) -> None:
    await lab.world.order("hosts.add", host_spec("web-1"))
    await lab.add("w", "http", {"url": "http://127.0.0.1:9/"}, host="web-1")
    await lab.world.order("hosts.remove", RemoveHost(host="web-1"))
    assert lab.checks.named("w") is None
    await lab.restart()
    assert lab.checks.named("w") is None


@pytest.mark.parametrize(
    ("kind", "params", "more", "words"),
    [
        ("http", {}, {}, "url"),
        ("http", {"url": "ftp://x"}, {}, "url"),
        ("http", {"url": "http://x/", "staus": 200}, {}, "staus"),
        ("http", {"url": "http://x/", "regex": "("}, {}, "no pattern"),
        ("http", {"url": "http://x/", "header": "x"}, {}, "Name: pattern"),
        ("http", {"url": "http://x/"}, {"where": "host"}, "engine or forward"),
        ("http", {"url": "http://x/"}, {"where": "forward"}, "needs no forward"),
        ("http", {"url": "http://x/", "authorization": "hunter2"}, {}, "authorization"),
        ("http", {"url": "http://x/", "authorization": "secret:vpn"}, {}, "secret:checks/"),
        ("http", {"url": "http://x/", "authorization": "env:HOME"}, {}, "secret:checks/"),
        ("redis", {"password": "secret:other"}, {}, "secret:checks/"),
        ("nagios", {"plugin": "../../bin/sh"}, {}, "plugin"),
        ("file", {"path": "/a\nb"}, {}, "path"),
        ("icmp", {}, {"where": "host"}, "made from engine"),
    ],
)  # fmt: skip
async def test_what_does_not_fit_its_kind_is_refused_with_its_name(
    lab: Lab, kind: str, params: dict[str, object], more: dict[str, str], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words.replace("/", "[/]")):
        await lab.add("x", kind, params, **more)
    assert lab.checks.checks == {}


async def test_two_checks_of_one_name_are_refused(lab: Lab) -> None:
    await lab.add("x", "http", {"url": "http://127.0.0.1:9/"})
    with pytest.raises(Conflict):
        await lab.add("x", "http", {"url": "http://127.0.0.1:9/"})


async def test_checks_of_the_config_file_are_made_changed_and_gone_with_it(lab: Lab) -> None:
    async with server(answering(http())) as port:
        lab.own["site"] = CheckSettings(
            kind="http", params={"url": f"http://127.0.0.1:{port}/"}, period_seconds=3600
        )
        lab.own["lost"] = CheckSettings(kind="http", host="nobody", params={"url": "http://127.0.0.1:9/"})
        await lab.restart()
        check = lab.checks.named("site")
        assert check is not None
        await lab.run(check)
        assert check.state == "ok"
        lost = lab.checks.named("lost")
        assert lost is not None and lost.state == "unknown" and "nobody" in lost.words
        with pytest.raises(Conflict, match="config file"):
            await lab.order("checks.remove", wire.CheckRef(check="site"))
        lab.own["site"] = CheckSettings(
            kind="http", params={"url": f"http://127.0.0.1:{port}/"}, period_seconds=7
        )
        del lab.own["lost"]
        await lab.restart()
    again = lab.checks.named("site")
    assert again is not None and again.id == check.id and again.spec.period_seconds == 7
    assert lab.checks.named("lost") is None


async def test_through_a_forwarded_port_what_is_closed_to_all_others_is_reached(
    lab: Lab, sshd: Callable[..., Sshd]
) -> None:
    host = await lab.host(sshd())
    async with server(answering(http(b"inside"))) as port:
        check = await lab.made(
            "http",
            {"url": f"http://127.0.0.1:{port}/", "text": "inside"},
            host=host.spec.name,
            where="forward",
        )
        assert check.state == "ok", check.words
    check = await lab.made("http", {"url": f"http://127.0.0.1:{port}/"}, host=host.spec.name, where="forward")
    assert check.state == "failed" and "refused" in check.words, check.words


async def test_a_host_that_forwards_nothing_or_is_not_there_is_no_fault_of_what_is_checked(
    lab: Lab, sshd: Callable[..., Sshd]
) -> None:
    closed = sshd(AllowTcpForwarding="no")
    host = await lab.host(closed)
    async with server(answering(http())) as port:
        params = {"url": f"http://127.0.0.1:{port}/"}
        check = await lab.made("http", params, host=host.spec.name, where="forward")
        assert check.state == "unknown" and "does not forward" in check.words, check.words
        closed.stop()
        await lab.world.until(lambda: host.reach == "failing")
        await lab.run(check)
        assert check.state == "unknown" and "no way to its host" in check.words, check.words


async def test_a_check_of_the_config_file_that_does_not_fit_is_named(lab: Lab) -> None:
    lab.own["shop"] = CheckSettings(kind="http", params={"uri": "http://x/"})
    with pytest.raises(InvalidRequest, match=r"\[checks.shop\].*uri"):
        await lab.restart()
    lab.own["shop"] = CheckSettings(kind="http", labels={"a": "\x1b[2J"}, params={"url": "http://x/"})
    with pytest.raises(InvalidRequest, match=r"\[checks.shop\].*labels"):
        await lab.restart()
    del lab.own["shop"]
    await lab.restart()
