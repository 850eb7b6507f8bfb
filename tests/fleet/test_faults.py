"""What hosts do wrong, over real SSH: each fault has its state and words, and costs the others nothing."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import math
import os
import pwd
import resource
import threading
from pathlib import Path
from typing import Any

import asyncssh
import msgspec
import pytest

from guardian_tui.demo.figures import Figures
from guardian_tui.demo.simhost import Fault
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import CutOff, Reachability, StateChanged, WaveDone
from guardian_tui.engine.fleet import local
from guardian_tui.engine.fleet import service as fleet_service
from guardian_tui.engine.fleet import watch as watching
from guardian_tui.engine.fleet.host import DOWN_AFTER, Host
from guardian_tui.engine.main import _have_a_name
from guardian_tui.engine.remote.corked import CorkedTcp
from guardian_tui.engine.remote.credentials import Offer
from guardian_tui.engine.remote.room import KEPT_BACK
from guardian_tui.protocol.fleet import HostSpec
from tests.fleet.world import PATIENCE_SECONDS, QUICK, World
from tests.fleet.world import world as make_world


async def two(world: World) -> tuple[Host, Host]:
    """One host to break, and one that must not notice."""
    broken, other = await world.sims.start(2)
    hosts = await world.watch(broken), await world.watch(other)
    for host in hosts:
        await world.until_state(host, "up")
    return hosts


async def test_a_healthy_host_is_up_with_rates_and_file_systems(world: World) -> None:
    host = await world.watch((await world.sims.start(1))[0])
    await world.until(lambda: host.state == "up" and host.rooms and host.value("cpu_busy_ratio") is not None)
    assert host.row is not None
    assert 0 < (host.row.cpu or 0) < 1
    assert host.row.disk_mount in ("/", "/srv/data1")
    assert host.facts["os"] == "Simulated Linux"
    assert host.problems == ()
    assert abs(host.clock_offset) < 5
    await world.until(lambda: {fact.period for fact in world.of(WaveDone)} == {"fast", "medium"})


@pytest.mark.parametrize(
    ("fault", "state", "words"),
    [
        ("dead", "down", "refuses connections"),
        ("mute", "down", "did not answer within"),
        ("hang", "down", "did not answer a poll"),
        ("late", "down", "did not answer a poll"),
        ("half", "down", "did not answer a poll"),
        ("cut", "down", "cut"),
        ("flood", "down", "more than 256 KiB"),
        ("garbage", "unknown", "not as the probe does"),
        ("foreign", "unknown", "not as the probe does"),
    ],
)
async def test_a_broken_host_says_how_and_heals_while_the_other_stays_up(
    world: World, fault: str, state: str, words: str
) -> None:
    broken, other = await two(world)
    await world.sims.set_fault(broken.spec.name, fault)  # type: ignore[arg-type]  # one of its literals
    await world.until(lambda: broken.state == state and words in broken.shown_why, f"{state}: {words}")
    await world.polls(other)
    await world.sims.set_fault(broken.spec.name, "")
    await world.until_state(broken, "up")
    assert not [fact for fact in world.of(StateChanged) if fact.host_id == other.id and fact.new != "up"]


HTTP = b"HTTP/1.1 400 Bad Request\r\nServer: \x1b]52;c;aGk=\x07\r\nConnection: close\r\n\r\n<html>no</html>"


@pytest.mark.parametrize(
    ("says", "stays", "words"),
    [
        pytest.param(HTTP, False, "without a word of SSH", id="HTTP"),
        pytest.param(b"220 mail.example ESMTP\r\n" * 4000, True, "does not speak SSH", id="ESMTP for ever"),
        pytest.param(b"", False, "without a word of SSH", id="closes at once"),
        pytest.param(b"SSH-2.0-x\r\n", False, "before the login was done", id="an sshd that is cut"),
    ],
)
async def test_what_is_no_ssh_server_is_down_in_words_and_costs_the_others_nothing(
    world: World, says: bytes, stays: bool, words: str
) -> None:
    other = await world.watch((await world.sims.start(1))[0])
    await world.until_state(other, "up")
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(says)
            if stays:
                await gone.wait()
            elif says:
                await reader.readline()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host = await world.join(
        HostSpec(
            name="odd", address="127.0.0.1", port=server.sockets[0].getsockname()[1], interval_seconds=0.3
        )
    )
    # no key of it was ever accepted, but what it says comes first
    await world.until(lambda: host.state == "down" and words in host.shown_why, words)
    assert all(sign.isprintable() for sign in host.shown_why)
    await world.polls(other)
    assert {fact.new for fact in world.of(StateChanged) if fact.host_id == other.id} <= {"up"}
    gone.set()
    server.close()


async def test_a_slow_answer_is_never_taken_for_the_one_to_a_later_request(world: World) -> None:
    broken, other = await two(world)
    broken_sim = world.sims.hosts[broken.spec.name]
    await world.sims.set_fault(broken.spec.name, "slow")
    asked = broken_sim.polls
    await world.until(lambda: broken_sim.polls >= asked + 3)
    before = len(world.facts)
    await world.polls(other, 8)
    samples = [s for fact in world.facts[before:] if isinstance(fact, WaveDone) for s in fact.samples]
    assert broken.id not in {sample.host_id for sample in samples}
    assert not [fact for fact in world.of(StateChanged) if fact.host_id == other.id and fact.new != "up"]


async def test_a_fault_of_ours_with_one_host_costs_the_others_nothing_and_is_not_called_the_host_s(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, other = await two(world)
    judge = world.fleet.watch._sample

    def stumbles(host: Host, *rest: Any) -> Any:
        if host is broken:
            raise ZeroDivisionError
        return judge(host, *rest)

    monkeypatch.setattr(world.fleet.watch, "_sample", stumbles)
    await world.until(lambda: broken.state == "unknown" and "engine could not read" in broken.shown_why)
    await world.polls(other)
    monkeypatch.undo()
    await world.until_state(broken, "up")
    assert broken.state == "up" and not [f for f in world.of(StateChanged) if f.new == "down"]


async def test_a_channel_that_closed_as_it_was_asked_costs_the_others_of_its_wave_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, other = await two(world)
    link = world.fleet.watch._links[broken.id]

    def gone(*rest: Any) -> None:
        raise BrokenPipeError("channel not open")

    monkeypatch.setattr(link, "ask", gone)
    # all in one turn: the one that fails comes first
    monkeypatch.setattr(world.fleet.watch._waves, "take", lambda links: ([link, links[other.id]], []))
    await world.polls(other)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOBUFS])
async def test_limits_of_our_own_say_nothing_of_a_host(
    world: World, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    async def refused(*rest: Any, **more: Any) -> Any:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(CorkedTcp, "create_connection", refused)
    host = await world.watch((await world.sims.start(1))[0])
    await world.until(lambda: "engine itself" in host.shown_why)
    assert host.state == "unknown" and host.failures == 0
    monkeypatch.undo()
    world.fleet.watch.hurry(host.id)
    await world.until_state(host, "up")


async def test_hosts_leave_files_for_consoles_and_the_store(world: World) -> None:
    sims = await world.sims.start(2)
    number = os.open(os.devnull, os.O_RDONLY)
    os.close(number)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # the kernel would allow so many more
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(number, 4 * KEPT_BACK) + KEPT_BACK // 2, hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(number, 4 * KEPT_BACK)]
    try:
        host = await world.watch(sims[0])
        await world.until(lambda: "Too many open files" in host.shown_why)
        assert host.state == "unknown" and "ulimit" in host.shown_why
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for one in held:
            os.close(one)
    world.fleet.watch.hurry(host.id)
    await world.until_state(host, "up")


def test_an_account_without_a_name_can_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(ValueError, match="Unknown local username"):
        asyncssh.SSHClientConnectionOptions(username="ops", config=None)
    monkeypatch.setenv("LOGNAME", "")
    _have_a_name()
    assert os.environ["LOGNAME"] == f"uid-{os.geteuid()}"
    asyncssh.SSHClientConnectionOptions(username="ops", config=None)


async def test_an_agent_that_goes_while_it_is_used_says_nothing_of_the_host(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def offers(target: Any) -> Offer:
        return Offer(agent=str(world.folder / "gone"), tried=["the agent"])

    monkeypatch.setattr(world.credentials, "for_target", offers)
    host = await world.watch((await world.sims.start(1))[0])
    await world.until(lambda: "ssh-agent does not answer" in host.shown_why)
    assert host.state == "unknown" and host.failures == 0


async def test_a_dead_mount_of_this_machine_leaves_its_fast_figures_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = threading.Event()
    monkeypatch.setattr(watching, "SLOW_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(local, "read_rooms", lambda mounts: dead.wait(PATIENCE_SECONDS) and [])
    settings = msgspec.structs.replace(QUICK, watch_this_machine=True, interval_seconds=0.2)
    async with make_world(tmp_path, settings) as world:
        host = world.fleet.inventory.hosts["local"]
        await world.until(lambda: any("is a mount dead?" in words for words in host.problems))
        await world.polls(host)
        assert host.state == "up"
        dead.set()
        await world.until(lambda: not host.problems)


async def test_one_missed_poll_does_not_cut_the_connection(world: World) -> None:
    host, _ = await two(world)
    sim = world.sims.hosts[host.spec.name]
    (connection,) = sim.connections
    await world.sims.set_fault(host.spec.name, "hang")
    await world.until(lambda: host.reach == "failing")
    await world.sims.set_fault(host.spec.name, "")
    await world.polls(host)
    assert sim.connections == {connection}
    assert not [fact for fact in world.of(StateChanged) if fact.host_id == host.id and fact.new == "down"]


async def test_a_reboot_is_a_gap_in_the_rates_not_a_spike(world: World) -> None:
    host, _ = await two(world)
    await world.polls(host)
    await world.sims.set_fault(host.spec.name, "reboot")
    before = len(world.facts)
    await world.polls(host, 4)
    seen = [
        s for f in world.facts[before:] if isinstance(f, WaveDone) and f.period == "fast" for s in f.samples
    ]
    busy = [s.values[0] for s in seen if s.host_id == host.id]
    assert any(math.isnan(value) for value in busy)
    assert all(math.isnan(value) or 0 <= value <= 1 for value in busy)


async def test_a_reboot_that_ends_the_connection_is_noted_and_a_lost_connection_is_none(world: World) -> None:
    host, _ = await two(world)

    async def back_after(fault: Fault) -> list[str]:
        await world.sims.set_fault(host.spec.name, "dead")
        await world.until(lambda: host.reach == "failing")
        await world.sims.set_fault(host.spec.name, fault)
        await world.until_state(host, "up")
        await world.polls(host, 2)
        return [one.words for one in await world.fleet.changes.of(host.id, 0.0, 50) if one.kind == "reboot"]

    await world.polls(host)
    assert await back_after("") == []
    (words,) = await back_after("reboot")
    assert words.startswith("booted ")


async def test_a_df_that_hangs_leaves_the_fast_figures_live_and_is_not_asked_for_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardian_tui.engine.fleet.slow.SLOW_TIMEOUT_SECONDS", 1.0)
    host, _ = await two(world)
    await world.until(lambda: host.rooms)
    sim = world.sims.hosts[host.spec.name]
    await world.sims.set_fault(host.spec.name, "df_hang")
    asked = sim.rooms_asked
    await world.until(lambda: "df did not answer" in " ".join(host.problems))
    assert host.state == "up"
    assert host.rooms
    await world.polls(host, 6)
    assert sim.rooms_asked <= asked + 4
    assert "df did not answer" in " ".join(host.problems)


async def test_hostile_names_reach_nobody_as_they_are(world: World) -> None:
    sim = await world.sims.add("evil", Figures(1, hostile=True))
    host = await world.watch(sim)
    await world.until(lambda: host.state == "up" and host.rooms)
    assert host.row is not None and host.layout is not None
    shown = msgspec.json.encode(host.row).decode() + " ".join(host.layout.names) + " ".join(host.problems)
    for harm in ("\x1b", "\x07", "\u202e", "\x00", "\\u001b", "\\u0000"):
        assert harm not in shown


async def test_a_dead_jump_host_is_down_and_those_behind_it_are_unreachable_not_down(world: World) -> None:
    sims = await world.sims.start(4)
    jump = await world.watch(sims[0])
    await world.until_state(jump, "up")
    behind = [await world.watch(sim, jump=(jump.spec.name,)) for sim in sims[1:]]
    for host in behind:
        await world.until_state(host, "up")
    await world.sims.set_fault(jump.spec.name, "dead")
    await world.until_state(jump, "down")
    for host in behind:
        await world.until_state(host, "unreachable")
        assert host.row is not None and host.row.behind == jump.spec.name
    assert not [f for f in world.of(StateChanged) if f.new == "down" and f.host_id != jump.id]
    await world.sims.set_fault(jump.spec.name, "")
    for host in (jump, *behind):
        await world.until_state(host, "up")


async def test_a_hung_jump_host_is_the_one_that_is_down(world: World) -> None:
    sims = await world.sims.start(3)
    jump = await world.watch(sims[0])
    await world.until_state(jump, "up")
    behind = [await world.watch(sim, jump=(jump.spec.name,)) for sim in sims[1:]]
    for host in behind:
        await world.until_state(host, "up")
    # none of them answers, as when the jump host is frozen with its connections open
    await world.sims.set_fault("*", "hang")
    await world.sims.set_fault(jump.spec.name, "mute")
    await world.until_state(jump, "down")
    for host in behind:
        await world.until_state(host, "unreachable")
    assert not [f for f in world.of(StateChanged) if f.new == "down" and f.host_id != jump.id]


async def test_two_hundred_hosts_dead_at_once_are_one_cut_off_and_come_back_by_themselves(
    tmp_path: Path,
) -> None:
    settings = msgspec.structs.replace(
        QUICK, connects_at_once=50, file_systems_seconds=60.0, wave_seconds=0.25
    )
    async with make_world(tmp_path, settings) as world:
        hosts = [await world.watch(sim, interval_seconds=2.0) for sim in await world.sims.start(200)]
        await world.until(lambda: all(host.state == "up" for host in hosts), "200 hosts up")
        await world.sims.set_fault("*", "dead")
        await world.until(lambda: all(host.state == "unknown" for host in hosts), "200 hosts unknown")
        assert {host.shown_why for host in hosts} == {"the engine is cut off"}
        (cut,) = world.of(CutOff)
        assert cut.since is not None and cut.failed > 100
        await world.sims.set_fault("*", "")
        await world.until(lambda: all(host.state == "up" for host in hosts), "200 hosts up again")
        await world.until(lambda: [fact.since is None for fact in world.of(CutOff)] == [False, True])
        assert not [fact for fact in world.of(StateChanged) if fact.new == "down"]


async def test_hosts_that_have_long_been_down_are_no_cut_off(world: World) -> None:
    hosts = [await world.watch(sim) for sim in await world.sims.start(10)]
    for host in hosts:
        host.reach, host.failures = "failing", DOWN_AFTER
    world.fleet.watch_link()
    assert world.fleet.cut_off_since is None
    for host in hosts[:6]:
        host.failures = 1
    world.fleet.watch_link()
    assert world.fleet.cut_off_since is not None


async def test_samples_are_not_old_because_the_clock_is_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_service, "LINK_SECONDS", 0.01)
    monkeypatch.setattr(fleet_service, "RETAIN_SECONDS", -1.0)
    clock = ManualClock()
    began = clock.now()
    clock.jump(-60.0)
    async with make_world(tmp_path, QUICK, clock) as world:
        times: list[float] = []

        async def retain(now: float, *days: float) -> int:
            times.append(now)
            return 0

        monkeypatch.setattr(world.fleet._store.metrics, "retain", retain)
        clock.jump(365 * 86400.0)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(times) < 3:
                await asyncio.sleep(0.01)
    assert max(times) < began


async def test_one_host_of_ten_is_no_cut_off(world: World) -> None:
    hosts = [await world.watch(sim) for sim in await world.sims.start(10)]
    await world.until(lambda: all(host.state == "up" for host in hosts))
    await world.sims.set_fault(hosts[0].spec.name, "dead")
    await world.until_state(hosts[0], "down")
    assert world.of(CutOff) == []


async def test_a_down_host_needs_two_good_polls(world: World) -> None:
    host, _ = await two(world)
    await world.sims.set_fault(host.spec.name, "dead")
    await world.until_state(host, "down")
    before = len(world.facts)
    await world.sims.set_fault(host.spec.name, "")
    await world.until_state(host, "up")
    good = [
        f
        for f in world.facts[before:]
        if isinstance(f, Reachability) and f.host_id == host.id and f.state == "up"
    ]
    assert [fact.successes for fact in good][:2] == [1, 2]


@pytest.mark.parametrize("jump", [7200.0, -7200.0])
async def test_our_clock_jumps_and_rates_do_not_notice(tmp_path: Path, jump: float) -> None:
    clock = ManualClock()
    async with make_world(tmp_path, clock=clock) as world:
        host = await world.watch((await world.sims.start(1))[0])
        await world.until(lambda: host.state == "up" and host.value("cpu_busy_ratio") is not None)
        clock.jump(jump)
        before = len(world.facts)
        await world.polls(host, 4)
        assert host.state == "up"
        samples = [
            s
            for f in world.facts[before:]
            if isinstance(f, WaveDone) and f.period == "fast"
            for s in f.samples
        ]
        assert samples[-1].at == clock.now()
        for sample in samples:
            assert 0 <= sample.values[0] <= 1


async def test_a_host_whose_clock_is_wrong_says_by_how_much(world: World) -> None:
    sim = await world.sims.add("skewed", dataclasses.replace(Figures(3), clock_offset=-3600.0))
    host = await world.watch(sim)
    await world.until(lambda: host.state == "up" and host.value("clock_offset_seconds") is not None)
    assert (host.value("clock_offset_seconds") or 0) == pytest.approx(-3600, abs=5)


async def test_a_key_that_nobody_accepted_is_unknown_and_asked_about(world: World) -> None:
    sim = (await world.sims.start(1))[0]
    from guardian_tui.protocol.fleet import HostSpec

    host = await world.join(HostSpec(name="new", address=sim.address, port=sim.port, interval_seconds=0.3))
    await world.until(lambda: host.reach == "unknown")
    assert host.state == "unknown" and "not accepted yet" in host.shown_why
    (question,) = world.live.questions.rows()
    assert question.host == "new"
    assert sim.polls == 0


async def test_a_changed_key_is_down_and_never_logged_in_to(world: World) -> None:
    host, _ = await two(world)
    other = type(world.sims)(world.key.export_public_key().decode())
    sim = world.sims.hosts[host.spec.name]
    await world.sims.set_fault(sim.name, "dead")
    await world.until_state(host, "down")
    impostor = await other.add("impostor", Figures(9))
    try:
        await world.pin("127.0.0.1", impostor.port, world.sims.host_key)
        from guardian_tui.protocol.fleet import HostSpec

        fooled = await world.join(
            HostSpec(name="fooled", address="127.0.0.1", port=impostor.port, interval_seconds=0.3)
        )
        await world.until(lambda: fooled.reach == "key_changed")
        assert fooled.state == "down" and "key changed" in fooled.shown_why
        assert impostor.polls == 0
    finally:
        await other.stop()
