"""Real OpenSSH servers: keys are asked for and pinned, credentials are found or asked for, ways through others hold."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import asyncssh
import pytest

from guardian_tui.engine.facts import AgentOffered, Reachability
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.remote.target import ConnectFailed, Target
from guardian_tui.protocol.errors import Conflict
from guardian_tui.protocol.fleet import Answer, HostSpec, Question
from tests.fleet.world import World
from tests.support.sshd import Sshd

Start = Callable[..., Sshd]


def spec(server: Sshd, name: str = "web", **fields: object) -> HostSpec:
    """A server as a host to watch, with its own key file."""
    known: dict[str, object] = {
        "name": name, "address": server.address, "port": server.port, "user": server.user, "interval_seconds": 0.5,
        "credential": f"key:{server.client_key}",
    }  # fmt: skip
    return HostSpec(**{**known, **fields})  # type: ignore[arg-type]  # fields of a HostSpec


async def trusted(world: World, server: Sshd, name: str = "web", **fields: object) -> Host:
    """Watch a server whose key is pinned already."""
    await world.pin(server.address, server.port, server.host_key)
    return await world.join(spec(server, name, **fields))


async def asked(world: World, kind: str) -> Question:
    """Wait for a question of a kind."""
    await world.until(lambda: any(q.kind == kind for q in world.live.questions.rows()), f"question {kind}")
    return next(q for q in world.live.questions.rows() if q.kind == kind)


def accept(question: Question, **fields: object) -> Answer:
    """Yes, to what was shown."""
    known: dict[str, object] = {"question": question.id, "accept": True, "fingerprint": question.fingerprint}
    return Answer(**{**known, **fields})  # type: ignore[arg-type]  # fields of an Answer


async def test_a_new_host_is_asked_about_pinned_and_watched(world: World, sshd: Start) -> None:
    server = sshd()
    host = await world.join(spec(server))
    question = await asked(world, "host_key")
    assert question.fingerprint == server.fingerprint
    assert host.state == "unknown"
    await world.order("questions.answer", accept(question))
    await world.until(lambda: host.state == "up" and host.rooms and host.value("cpu_busy_ratio") is not None)
    assert not world.live.questions.rows()
    assert host.fingerprint == server.fingerprint
    assert host.facts["kernel"] == os.uname().release
    assert "/" in {room.mount for room in host.rooms}
    assert [entry.body["accept"] for entry in world.sink.entries if "accept" in entry.body] == [True]


async def test_an_answer_for_another_fingerprint_pins_nothing(world: World, sshd: Start) -> None:
    server = sshd()
    host = await world.join(spec(server))
    question = await asked(world, "host_key")
    with pytest.raises(Conflict):
        await world.order("questions.answer", accept(question, fingerprint="SHA256:somethingelse"))
    assert not world.pins.trusted(server.address, server.port).keys
    assert host.state == "unknown"


async def test_a_changed_key_is_down_until_it_is_accepted(world: World, sshd: Start) -> None:
    server = sshd()
    host = await trusted(world, server)
    await world.until_state(host, "up")
    old = server.fingerprint
    server.stop()
    server.new_host_key()
    server.start()
    question = await asked(world, "changed_key")
    await world.until(lambda: host.state == "down" and "key changed" in host.shown_why)
    assert (question.pinned_fingerprint, question.fingerprint) == (old, server.fingerprint)
    await world.order("questions.answer", accept(question))
    await world.until_state(host, "up")
    known = {key.get_fingerprint() for key in world.pins.trusted(server.address, server.port).keys}
    assert known == {server.fingerprint}


async def test_a_stopped_server_is_down_after_three_and_up_after_two(world: World, sshd: Start) -> None:
    server = sshd()
    host = await trusted(world, server)
    await world.until_state(host, "up")
    before = len(world.facts)
    server.stop()
    await world.until_state(host, "down")
    told = [f.failures for f in world.facts[before:] if isinstance(f, Reachability) and f.state == "failing"]
    # an answer that was on its way when it died may begin the count anew
    assert told[told.index(3) - 2 :][:3] == [1, 2, 3]
    assert "refuses connections" in host.shown_why
    before = len(world.facts)
    server.start()
    await world.until_state(host, "up")
    told = [f.successes for f in world.facts[before:] if isinstance(f, Reachability) and f.state == "up"]
    assert told[:2] == [1, 2]


@pytest.mark.parametrize(
    ("credential", "words"),
    [
        ("key:/nowhere/at/all", "can't be read"),
        ("secret:web", "locked"),
        ("agent", "nothing to log in with"),
        ("ask", "password"),
    ],
)
async def test_a_credential_that_we_lack_is_unknown_not_down(
    world: World, sshd: Start, monkeypatch: pytest.MonkeyPatch, credential: str, words: str
) -> None:
    world.credentials._agents.clear()
    host = await trusted(world, sshd(), credential=credential)
    await world.until(lambda: host.reach == "unknown")
    assert host.state == "unknown"
    assert words in host.shown_why


async def test_a_vault_that_opens_brings_its_hosts(world: World, sshd: Start) -> None:
    server = sshd()
    host = await trusted(world, server, credential="secret:web")
    await world.until(lambda: host.reach == "unknown")
    key = world.vault.create()
    world.vault.adopt(key)
    async with world.store.write() as tx:
        await world.vault.put_secret(tx, "web", server.client_key.read_bytes())
    world.fleet.watch.hurry(host.id)
    await world.until_state(host, "up")


@pytest.mark.parametrize("kept_in_vault", [False, True])
async def test_a_pass_phrase_is_asked_for_again_when_it_is_wrong(
    world: World, sshd: Start, kept_in_vault: bool
) -> None:
    server = sshd()
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(server.client_key)], check=True
    )
    credential = f"key:{server.client_key}"
    if kept_in_vault:
        world.vault.adopt(world.vault.create())
        async with world.store.write() as tx:
            await world.vault.put_secret(tx, "web", server.client_key.read_bytes())
        credential = "secret:web"
    host = await trusted(world, server, credential=credential)
    question = await asked(world, "passphrase")
    assert host.state == "unknown"
    await world.order("questions.answer", accept(question, secret="open barley"))
    question = await asked(world, "passphrase")
    await world.order("questions.answer", accept(question, secret="open sesame", keep=kept_in_vault))
    await world.until_state(host, "up")


async def test_a_password_that_is_refused_is_asked_for_again_not_tried_again(
    world: World, sshd: Start
) -> None:
    server = sshd(PasswordAuthentication="yes")
    host = await trusted(world, server, credential="ask")
    question = await asked(world, "password")
    await world.order("questions.answer", accept(question, secret="wrong"))
    await world.until(lambda: "refused" in host.why)
    await asked(world, "password")
    await world.until(lambda: host.reach == "unknown")
    assert (server.folder / "log").read_text().count("Failed password") <= 1


async def test_an_agent_that_a_client_hands_over_logs_in(
    world: World, sshd: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = sshd()
    world.credentials._agents.clear()
    host = await trusted(world, server, credential="agent")
    await world.until(lambda: host.reach == "unknown")
    socket = tmp_path / "agent"
    agent = await asyncio.create_subprocess_exec(
        "ssh-agent", "-D", "-a", str(socket), stdout=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30):
            while not socket.exists():
                await asyncio.sleep(0.02)
        await asyncio.to_thread(
            subprocess.run,
            ["ssh-add", "-q", str(server.client_key)],
            check=True,
            env={**os.environ, "SSH_AUTH_SOCK": str(socket)},
        )
        world.bus.publish(AgentOffered(str(socket), os.getuid() + 1))
        assert world.credentials._agents == []
        world.bus.publish(AgentOffered(str(tmp_path / "none"), os.getuid()))
        world.bus.publish(AgentOffered(str(socket), os.getuid()))
        world.bus.publish(AgentOffered(str(socket), os.getuid()))
        assert world.credentials._agents == [str(socket)]
        world.fleet.watch.hurry(host.id)
        await world.until_state(host, "up")

        # one that waits for its person says nothing of the host
        async def waits(*request: object) -> bytes:
            await asyncio.sleep(600)
            return b""

        monkeypatch.setattr(asyncssh.agent.SSHAgentClient, "sign", waits)
        world.remote.drop(host.id)
        await world.until(lambda: "did not sign in time" in host.shown_why)
        assert host.state == "unknown"
    finally:
        agent.kill()
        await agent.wait()
    # it is gone: struck off, by many at once, without an error of ours
    target = host.target
    assert target is not None
    told = await asyncio.gather(
        *(world.credentials.for_target(target) for _ in range(5)), return_exceptions=True
    )
    assert {type(error) for error in told} == {ConnectFailed}
    assert world.credentials._agents == []


async def test_a_key_that_the_server_does_not_know_is_refused_in_words(world: World, sshd: Start) -> None:
    host = await trusted(world, sshd(), credential=f"key:{world.key_file}")
    await world.until(lambda: "refused" in host.why)
    assert "authorized_keys" in host.why


async def test_a_way_through_two_servers_and_what_is_behind_a_dead_one(world: World, sshd: Start) -> None:
    first, second = sshd(), sshd(address="127.0.0.3")
    jump = await trusted(world, first, "bastion")
    await world.until_state(jump, "up")
    behind = await trusted(world, second, "inner", jump=("bastion",))
    await world.until_state(behind, "up")
    first.stop()
    await world.until_state(jump, "down")
    await world.until_state(behind, "unreachable")
    assert behind.row is not None and behind.row.behind == "bastion"
    first.start()
    await world.until_state(jump, "up")
    await world.until_state(behind, "up")


async def test_a_jump_host_that_allows_no_way_through_is_said(world: World, sshd: Start) -> None:
    first, second = sshd(AllowTcpForwarding="no"), sshd(address="127.0.0.3")
    jump = await trusted(world, first, "bastion")
    await world.until_state(jump, "up")
    behind = await trusted(world, second, "inner", jump=("bastion",))
    await world.until(lambda: "could not open a way" in behind.why)
    assert jump.state == "up"


async def test_a_host_that_leaves_while_it_connects_leaves_no_connection(world: World, sshd: Start) -> None:
    server = sshd()
    await world.pin(server.address, server.port, server.host_key)
    target = Target(
        "gone", "gone", server.address, server.port, server.user, credential=f"key:{server.client_key}"
    )
    waiting = asyncio.create_task(world.remote.connection(target))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    world.remote.give_up("gone")
    with pytest.raises(ConnectFailed, match="given up"):
        await waiting
    assert len(world.remote) == 0
    # and the next who asks gets one, by the way that holds now
    connection = await world.remote.connection(target)
    assert await world.remote.connection(target) is connection
    connection.close()
    await connection.ssh.wait_closed()
    assert await world.remote.connection(target) is not connection


async def test_commands_end_in_time_and_within_bounds(world: World, sshd: Start) -> None:
    server = sshd()
    await world.pin(server.address, server.port, server.host_key)
    target = Target("x", "x", server.address, server.port, server.user, credential=f"key:{server.client_key}")
    connection = await world.remote.connection(target)
    done = await connection.run("cat; echo no >&2; exit 3", timeout=30, stdin=b"yes")
    assert (done.exit_status, done.out, done.err, done.truncated) == (3, b"yes", b"no\n", False)
    done = await connection.run("head -c 100000000 /dev/zero", timeout=30, limit_bytes=4096)
    assert done.truncated and len(done.out) == 4096
    with pytest.raises(ConnectFailed) as told:
        await connection.run("sleep 60", timeout=0.5)
    assert told.value.kind == "timeout"
    server.stop()
    with pytest.raises(ConnectFailed) as told:
        await connection.run("true", timeout=30)
    assert told.value.kind == "closed"
