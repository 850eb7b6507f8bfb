"""Trust in many hosts at once: a thousand fingerprints by an authority, by a known_hosts file, by one answer with the count typed in."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from guardian_tui.engine.facts import QuestionAnswered
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from guardian_tui.protocol.fleet import Answer, HostRef, HostSpec, Question
from guardian_tui.protocol.imports import ImportRequest, SourceText
from guardian_tui.protocol.trust import AcceptKeys, AuthorityRef, PinAuthority, QuestionsQuery, SeenKey
from tests.fleet.world import Only, World
from tests.remote.test_real_sshd import Start, spec, trusted
from tests.support.sshd import Sshd

MANY = 1000
MANY_SECONDS = 240.0
"""For all of them to be connected to on a machine that is busy with other tests; four on a quiet one."""


async def many(world: World) -> dict[str, asyncssh.SSHKey]:
    """A thousand hosts whose key was seen and is to be accepted, each its own: name → key."""
    text = f"[web]\nweb-[0000:{MANY - 1:04}] ansible_host=127.0.0.9 ansible_ssh_private_key_file=/nowhere\n"
    lines = "".join(
        f"web-{n:04} ansible_host=h{n}.invalid ansible_port=22 guardian_environment={'prod' if n % 2 else 'test'}\n"
        for n in range(MANY)
    )
    source = SourceText(format="ansible_ini", name="inventory", text=text + lines)
    names = tuple(f"web-{n:04}" for n in range(MANY))
    await world.order("hosts.import", ImportRequest(source=source, names=names))
    keys = {}
    for host in world.fleet.inventory.hosts.values():
        assert host.target is not None
        keys[host.spec.name] = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
        world.questions.about_key(host.target, keys[host.spec.name], ())
    world.sink.entries.clear()
    assert len(world.live.questions) == MANY
    return keys


async def listed(world: World, filter: str = "", scope: Any = None) -> tuple[Question, ...]:
    """The questions that are asked."""
    found: tuple[Question, ...] = (
        await world.order("questions.list", QuestionsQuery(filter=filter), scope)
    ).questions
    return found


def seen(questions: tuple[Question, ...], count: int | None = None) -> AcceptKeys:
    """Yes to all of them, as they were seen."""
    keys = tuple(SeenKey(question=q.id, fingerprint=q.fingerprint) for q in questions)
    return AcceptKeys(keys=keys, count=len(keys) if count is None else count)


async def test_a_thousand_keys_accepted_in_one_answer_each_as_it_was_seen(world: World) -> None:
    keys = await many(world)
    hurried: list[str] = []
    world.bus.subscribe(QuestionAnswered, lambda fact: hurried.append(fact.host_id))
    questions = await listed(world)
    assert [q.host for q in questions] == sorted(keys)
    with pytest.raises(Conflict, match="1000 keys, not 999"):
        await world.order("questions.accept", seen(questions, MANY - 1))
    # one of them shows another key by now, one has changed its key before, one has been answered
    other = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
    targets = [world.fleet.inventory.named(name).target for name in ("web-0000", "web-0001")]  # type: ignore[union-attr]  # or the test fails
    assert targets[0] is not None and targets[1] is not None
    world.questions.about_key(targets[0], other, ())
    world.questions.about_key(targets[1], other, (keys["web-0001"],))
    world.questions.withdraw(world.fleet.inventory.named("web-0002").id)  # type: ignore[union-attr]  # or the test fails
    report = await world.order("questions.accept", seen(questions))
    assert len(report.accepted) == MANY - 3 and len(hurried) == MANY - 3
    why = {one.host: one.why for one in report.refused}
    assert "another key now" in why["web-0000"] and "of its own" in why["web-0001"] and len(why) == 3
    assert world.pins.trusted("h17.invalid", 22).keys == (keys["web-0017"],)
    assert world.pins.trusted("h0.invalid", 22).keys == ()
    (entry,) = world.sink.entries
    assert entry.target == f"{MANY - 3} host keys" and len(entry.body["keys"]) == MANY - 3
    assert f"web-0017 {keys['web-0017'].get_fingerprint()}" in entry.body["keys"]
    assert {q.host for q in await listed(world)} == {"web-0000", "web-0001"}


async def test_one_of_some_hosts_sees_and_accepts_only_theirs(world: World) -> None:
    await many(world)
    mine = Only("environment", "prod")
    assert len(await listed(world, scope=mine)) == MANY // 2
    assert len(await listed(world, filter="environment=prod web-00")) == 50
    report = await world.order("questions.accept", seen(await listed(world)), mine)
    assert (len(report.accepted), len(report.refused)) == (MANY // 2, MANY // 2)
    assert {one.why for one in report.refused} == {"the question is no longer asked"}


async def test_a_key_that_counts_for_hosts_of_others_too_is_accepted_by_those_who_are_of_both(
    world: World,
) -> None:
    for name, environment in (("web", "test"), ("same", "prod")):
        order = HostSpec(name=name, address="h.invalid", environment=environment, credential="key:/nowhere")
        await world.order("hosts.add", order)
    (web,) = [host for host in world.fleet.inventory.hosts.values() if host.spec.name == "web"]
    assert web.target is not None
    key = asyncssh.generate_private_key("ssh-ed25519").convert_to_public()
    question = world.questions.about_key(web.target, key, ())
    mine = Only("environment", "test")
    with pytest.raises(PermissionDenied, match="outside your scope"):
        answer = Answer(question=question.id, accept=True, fingerprint=question.fingerprint)
        await world.order("questions.answer", answer, mine)
    report = await world.order("questions.accept", seen((question,)), mine)
    assert "outside your scope" in report.refused[0].why
    assert world.pins.trusted("h.invalid", 22).keys == ()
    report = await world.order("questions.accept", seen((question,)))
    assert report.accepted == ("web",)


async def test_a_thousand_keys_known_from_known_hosts(world: World) -> None:
    keys = await many(world)
    lines = [f"h{n}.invalid {keys[f'web-{n:04}'].export_public_key().decode()}" for n in range(MANY)]
    # one of the file's keys is not the one that its host shows
    lines[7] = "h7.invalid " + asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    known = "".join(line.strip() + "\n" for line in lines)
    done = await world.order("hosts.import", ImportRequest(known_hosts=known, names=()))
    assert done.pins == MANY
    assert [q.host for q in await listed(world)] == ["web-0007"]
    assert len(world.sink.entries) == 1


@pytest.mark.timeout(600)
async def test_a_thousand_hosts_by_their_authority(world: World) -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519")
    key = world.sims._host_key
    certificate = authority.generate_host_certificate(key, "sims", principals=["127.0.0.1"])
    world.sims._options = asyncssh.SSHServerConnectionOptions(
        options=world.sims._options, server_host_keys=[(key, certificate)]
    )
    sims = await world.sims.start(MANY)
    lines = "".join(f"{sim.name} ansible_host={sim.address} ansible_port={sim.port}\n" for sim in sims)
    rest = f"[all:vars]\nansible_ssh_private_key_file={world.key_file}\nguardian_interval_seconds=60\n"
    source = SourceText(format="ansible_ini", name="inventory", text=lines + rest)
    await world.order("hosts.import", ImportRequest(source=source, names=tuple(sim.name for sim in sims)))
    await world.until(lambda: len(world.live.questions) == MANY, "all questions", MANY_SECONDS)
    order = PinAuthority(pattern="127.*,[127.*]:*", key=authority.export_public_key().decode())
    row = await world.order("authorities.pin", order)
    assert len(row.hosts) == MANY
    hosts = world.fleet.inventory.hosts
    await world.until(lambda: all(host.state == "up" for host in hosts.values()), "all up", MANY_SECONDS)
    assert not len(world.live.questions)


async def signed(world: World, server: Sshd, folder: Path, *options: str) -> str:
    """Have an authority sign the server's key; its public key."""
    authority = folder / "authority"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(authority)], check=True)
    sign = [
        "ssh-keygen",
        "-q",
        "-s",
        str(authority),
        "-I",
        "host",
        "-h",
        *options,
        str(server.folder / "host.pub"),
    ]
    subprocess.run(sign, check=True, capture_output=True)
    server.stop()
    server._options["HostCertificate"] = str(server.folder / "host-cert.pub")
    server.start()
    return authority.with_suffix(".pub").read_text()


async def test_an_authority_is_pinned_lists_whom_it_covers_and_is_taken_back(
    world: World, sshd: Start, tmp_path: Path
) -> None:
    server = sshd()
    key = await signed(world, server, tmp_path, "-n", server.address)
    host = await world.join(spec(server))
    await world.until(lambda: len(world.live.questions), "the question")
    pattern = f"[127.0.0.*]:{server.port}"
    with pytest.raises(InvalidRequest):
        await world.order("authorities.pin", PinAuthority(pattern=pattern, key="ssh-ed25519 nonsense"))
    await world.order("authorities.pin", PinAuthority(pattern=pattern, key=key))
    await world.until_state(host, "up")
    assert not len(world.live.questions)
    with pytest.raises(Conflict):
        await world.order("authorities.pin", PinAuthority(pattern=pattern, key=key))
    (row,) = (await world.order("authorities.list", Nothing())).authorities
    assert (row.pattern, row.hosts, row.algorithm) == (pattern, ("web",), "ssh-ed25519")
    elsewhere = (await world.order("authorities.list", Nothing(), Only("host", "other"))).authorities
    assert elsewhere[0].hosts == ()
    await world.order("authorities.remove", AuthorityRef(pattern=pattern, fingerprint=row.fingerprint))
    await world.until(lambda: host.state == "unknown" and len(world.live.questions), "the question again")
    with pytest.raises(NotFound):
        await world.order("authorities.remove", AuthorityRef(pattern=pattern, fingerprint=row.fingerprint))
    assert (await world.order("authorities.list", Nothing())).authorities == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-V", "20200101:20210101"], "has expired"),
        (["-V", "20990101:21000101"], "not valid yet"),
        (["-n", "other.example"], "is not for 127.0.0.2"),
    ],
)
async def test_a_certificate_that_does_not_hold_is_said_in_words(
    world: World, sshd: Start, tmp_path: Path, options: list[str], words: str
) -> None:
    server = sshd()
    key = await signed(world, server, tmp_path, *options)
    await world.order("authorities.pin", PinAuthority(pattern="*", key=key))
    await world.join(spec(server))
    report = await world.order("hosts.test", HostRef(host="web"))
    assert report.reason == "certificate" and words in report.steps[-1].words
    assert "ssh-keygen" in report.advice


async def test_a_login_by_a_certificate_of_ours(world: World, sshd: Start, tmp_path: Path) -> None:
    server = sshd()
    authority = tmp_path / "users"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(authority)], check=True)
    (server.folder / "authorized_keys").write_text("")
    subprocess.run(
        [
            "ssh-keygen",
            "-q",
            "-s",
            str(authority),
            "-I",
            "ada",
            "-n",
            server.user,
            str(server.client_key) + ".pub",
        ],
        check=True,
        capture_output=True,
    )
    server.stop()
    server._options["TrustedUserCAKeys"] = f"{authority}.pub"
    authority.with_suffix(".pub").chmod(0o644)
    server.start()
    host = await trusted(world, server)
    await world.until_state(host, "up")
