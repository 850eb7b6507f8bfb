"""The connection doctor against real servers: what is wrong, at which step, and what to do about it."""

from __future__ import annotations

import asyncio
import socket
import struct
import subprocess
import typing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.remote import doctor, kexinit
from guardian_tui.engine.remote.doctor import ADVICE
from guardian_tui.engine.remote.target import Kind
from guardian_tui.protocol.fleet import DoctorReport, EditHost, HostRef
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


async def test_a_name_that_can_be_none(world: World, sshd: Start) -> None:
    await world.join(spec(sshd(), address="a" * 70 + ".invalid"))
    refuted(await examined(world), "dns", "name", "can't be resolved")


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


async def test_algorithms_that_are_not_shared_are_named_on_both_sides(world: World, sshd: Start) -> None:
    await trusted(world, sshd(KexAlgorithms="diffie-hellman-group14-sha1"))
    report = await examined(world)
    refuted(report, "algorithms", "key and login", "it offers diffie-hellman-group14-sha1")
    assert "we accept mlkem768x25519-sha256, curve25519-sha256" in report.steps[-1].words


@given(st.binary(max_size=200) | st.binary(max_size=120).map(lambda rest: b"\x04\x14" + rest))
def test_no_first_packet_breaks_its_reader(packet: bytes) -> None:
    ours = {kind: ["a"] for kind in kexinit.KINDS}
    assert kexinit.unshared(kexinit.parse(packet), ours).isprintable()


async def test_what_the_server_takes_is_said_of_a_login_that_it_refuses(world: World, sshd: Start) -> None:
    await trusted(world, sshd(), credential=f"key:{world.key_file}")
    refuted(
        await examined(world),
        "auth",
        "key and login",
        "tried the key client. Check the user name and its authorized_keys. It takes publickey.",
    )


async def test_a_server_that_takes_no_keys(world: World, sshd: Start) -> None:
    await trusted(world, sshd(PubkeyAuthentication="no", PasswordAuthentication="yes"))
    refuted(await examined(world), "auth_method", "key and login", "It takes password.")


async def test_more_keys_than_the_server_tries(world: World, sshd: Start) -> None:
    folder = world.folder / ".ssh"
    folder.mkdir(mode=0o700)
    for kind, name in (("ed25519", "id_ed25519"), ("ecdsa", "id_ecdsa"), ("rsa", "id_rsa")):
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(folder / name)], check=True)
    server = sshd(MaxAuthTries="2")
    await trusted(world, server)
    await world.order("hosts.edit", EditHost(host="web", spec=spec(server, credential="")))
    world.credentials._agents.clear()
    refuted(await examined(world), "too_many_keys", "key and login", "the key id_ed25519, the key id_ecdsa")


async def test_a_key_file_that_is_not_there_or_none(world: World, sshd: Start) -> None:
    server = sshd()
    await trusted(world, server, credential="key:/nowhere/key")
    refuted(await examined(world), "key_file", "key and login", "/nowhere/key can't be read: No such file")
    wrong = world.folder / "wrong"
    wrong.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n")
    await world.order("hosts.edit", EditHost(host="web", spec=spec(server, credential=f"key:{wrong}")))
    refuted(await examined(world), "key_file", "key and login", "can't be used")


async def test_an_agent_that_is_empty_and_one_that_does_not_answer(
    world: World, sshd: Start, tmp_path: Path
) -> None:
    await trusted(world, sshd(), credential="agent")
    world.credentials._agents.clear()
    refuted(await examined(world), "agent", "key and login", "no ssh-agent answers")
    path = tmp_path / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        async with asyncio.timeout(10):
            while not path.exists():
                await asyncio.sleep(0.05)
        world.credentials._agents.append(str(path))
        refuted(await examined(world), "agent", "key and login", "holds no key")
    finally:
        agent.terminate()
        agent.wait()


async def test_a_server_that_opens_no_session(world: World, sshd: Start) -> None:
    await trusted(world, sshd(MaxSessions="0"))
    refuted(await examined(world), "sessions", "probe", "opens no session")


async def test_an_account_without_a_shell(world: World, sshd: Start) -> None:
    await trusted(world, sshd(ForceCommand="/usr/sbin/nologin"))
    refuted(await examined(world), "no_shell", "probe", "This account is currently not available")


async def test_a_server_that_is_full(world: World, sshd: Start) -> None:
    server = sshd(MaxStartups="1")
    await world.join(spec(server, address="127.0.0.9"))
    while True:
        # whoever waited for it to listen may still count
        first = socket.create_connection((server.address, server.port))
        if first.recv(4) == b"SSH-":
            break
        first.close()
        await asyncio.sleep(0.05)
    with first:
        await world.order("hosts.edit", EditHost(host="web", spec=spec(server)))
        refuted(await examined(world), "banned", "port and banner", "Exceeded MaxStartups")


async def test_something_that_resets_before_a_word(world: World, sshd: Start) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    port = free_port("127.0.0.4")
    async with await asyncio.start_server(reset, "127.0.0.4", port):
        await world.join(spec(sshd(), address="127.0.0.4", port=port))
        refuted(await examined(world), "banned", "port and banner", "resets the connection")


async def test_the_hop_that_is_dead_is_named(world: World, sshd: Start) -> None:
    first: Sshd = sshd()
    await trusted(world, first, "outer")
    await trusted(world, sshd(address="127.0.0.3"), "inner", jump=("outer",))
    host = await trusted(world, sshd(address="127.0.0.5"), "web", jump=("inner",))
    await world.until_state(host, "up")
    first.stop()
    await world.until(lambda: host.state in ("down", "unreachable"), "web is not reached")
    refuted(await examined(world), "jump", "jump hosts", "outer, through which it is reached")
