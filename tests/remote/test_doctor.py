"""The connection doctor against real servers: what is wrong, at which step, and what to do about it."""

from __future__ import annotations

import asyncio
import socket
import typing

import pytest

from guardian_tui.engine.remote import doctor
from guardian_tui.engine.remote.doctor import ADVICE
from guardian_tui.engine.remote.target import Kind
from guardian_tui.protocol.fleet import DoctorReport, HostRef
from tests.fleet.world import World
from tests.remote.test_real_sshd import Start, spec, trusted
from tests.support.sshd import Sshd, free_port


def test_no_reason_is_without_advice() -> None:
    assert set(ADVICE) == set(typing.get_args(Kind))
    for words in ADVICE.values():
        assert len(words) > 20 and words.endswith((".", ")."))
    assert len(set(ADVICE.values())) == len(ADVICE)


async def examined(world: World) -> DoctorReport:
    """What the doctor says of the host ``web``."""
    report: DoctorReport = await world.order("hosts.test", HostRef(host="web"))
    return report


def refuted(report: DoctorReport, reason: str, step: str, words: str) -> None:
    """It failed there, for that reason, says so, and what to do."""
    assert not report.ok and report.reason == reason
    assert [one.ok for one in report.steps] == [True] * (len(report.steps) - 1) + [False]
    assert report.steps[-1].name == step and words in report.steps[-1].words
    assert report.advice == ADVICE[reason]  # type: ignore[index]  # one of its kinds, or the test fails


async def test_a_good_way_is_good_to_the_probe_s_answer(world: World, sshd: Start) -> None:
    server = sshd()
    await trusted(world, server)
    report = await examined(world)
    assert report.ok and report.advice == "" and report.reason == ""
    assert [step.name for step in report.steps] == ["name", "port and banner", "key and login", "probe"]
    assert server.fingerprint in report.steps[2].words and " lines in " in report.steps[3].words


async def test_a_port_that_refuses(world: World, sshd: Start) -> None:
    server = sshd()
    await trusted(world, server)
    server.stop()
    refuted(await examined(world), "refused", "port and banner", "refuses connections")


async def test_a_user_that_is_wrong(world: World, sshd: Start) -> None:
    await trusted(world, sshd(), user="nobody-of-this-name")
    refuted(await examined(world), "auth", "key and login", "refused nobody-of-this-name")


async def test_a_key_of_ours_that_the_server_does_not_take(world: World, sshd: Start) -> None:
    await trusted(world, sshd(), credential=f"key:{world.key_file}")
    refuted(await examined(world), "auth", "key and login", "the key client")


async def test_a_key_of_theirs_that_nobody_accepted(world: World, sshd: Start) -> None:
    server = sshd()
    await world.join(spec(server))
    report = await examined(world)
    refuted(report, "key_unknown", "key and login", server.fingerprint)
    assert report.question is not None and report.question.fingerprint == server.fingerprint


async def test_a_key_of_theirs_that_changed(world: World, sshd: Start) -> None:
    server = sshd()
    old = server.fingerprint
    await trusted(world, server)
    server.stop()
    server.new_host_key()
    server.start()
    report = await examined(world)
    refuted(report, "key_changed", "key and login", f"pinned is {old}")
    assert report.question is not None and report.question.kind == "changed_key"


async def test_a_name_that_nobody_knows(world: World, sshd: Start) -> None:
    await world.join(spec(sshd(), address="no-such-host.invalid"))
    refuted(await examined(world), "dns", "name", "no-such-host.invalid can't be resolved")


async def test_a_server_that_takes_us_in_and_says_nothing(
    world: World, sshd: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "STEP_SECONDS", 0.3)
    with socket.create_server(("127.0.0.4", 0)) as mute:
        await world.join(spec(sshd(), address="127.0.0.4", port=mute.getsockname()[1]))
        refuted(await examined(world), "timeout", "port and banner", "did not answer")


@pytest.mark.parametrize(
    ("line", "reason", "words"),
    [
        (b"220 mail.example ESMTP\r\n", "not_ssh", "ESMTP"),
        (b"", "closed", "without a word"),
        (b"x" * 9000, "not_ssh", "without end"),
    ],
)
async def test_something_that_is_no_ssh_server(
    world: World, sshd: Start, line: bytes, reason: str, words: str
) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(line)
        writer.close()

    port = free_port("127.0.0.4")
    server = await asyncio.start_server(other, "127.0.0.4", port)
    async with server:
        await world.join(spec(sshd(), address="127.0.0.4", port=port))
        refuted(await examined(world), reason, "port and banner", words)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo This account is not available; exit 1", "does not run the probe (exit status 1)"),
        (
            "read request; echo =1 1; echo hello; echo .1; read rest",
            "not as the probe does: not understood: hello",
        ),
    ],
)
async def test_an_account_that_does_not_run_the_probe(
    world: World, sshd: Start, command: str, words: str
) -> None:
    await trusted(world, sshd(ForceCommand=command))
    refuted(await examined(world), "no_probe", "probe", words)


async def test_a_jump_host_that_is_dead_and_one_that_is_well(world: World, sshd: Start) -> None:
    first: Sshd = sshd()
    jump = await trusted(world, first, "bastion")
    await world.until_state(jump, "up")
    await trusted(world, sshd(address="127.0.0.3"), "web", jump=("bastion",))
    report = await examined(world)
    assert report.ok
    assert [step.name for step in report.steps] == ["jump hosts", "key and login", "probe"]
    first.stop()
    await world.until_state(jump, "down")
    refuted(await examined(world), "refused", "jump hosts", "refuses connections")
