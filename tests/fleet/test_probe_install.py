"""The probe as a file on a real host, and a key there that can do nothing but run it."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from guardian_tui.engine.fleet import probe
from guardian_tui.engine.fleet.inventory import command_target
from guardian_tui.engine.remote import connections
from guardian_tui.protocol.errors import HostUnavailable, InvalidRequest
from guardian_tui.protocol.fleet import EditHost
from guardian_tui.protocol.probe import InstallProbe
from tests.fleet.test_sshd import watched
from tests.fleet.world import World
from tests.support.sshd import Sshd


def new_key(folder: Path, name: str = "probe-key") -> tuple[Path, str]:
    """A private key's file, and the line of its public half."""
    file = folder / name
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True, stdin=subprocess.DEVNULL
    )
    return file, file.with_suffix(".pub").read_text()


def open_to_home(sshd: Callable[..., Sshd]) -> Sshd:
    """A server that also takes the keys of the user's own authorized_keys, emptied."""
    server = sshd()
    server.stop()
    keys = server.home / ".ssh" / "authorized_keys"
    keys.unlink(missing_ok=True)
    server._options["AuthorizedKeysFile"] = f"{server.folder / 'authorized_keys'} {keys}"
    server.start()
    return server


async def test_an_installed_key_runs_the_probe_and_nothing_else(
    world: World, sshd: Callable[..., Sshd], tmp_path: Path
) -> None:
    server = open_to_home(sshd)
    host = await watched(world, server)
    key, line = new_key(tmp_path)
    done = await world.order("probe.install", InstallProbe(host="real", key=line))
    assert done.version == probe.version() and done.checksum == probe.checksum()
    there = subprocess.run(
        ["sha256sum", done.path], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    assert there == probe.checksum()
    # from now on the host is watched with the key that can do no more, and commands keep theirs
    spec = msgspec.structs.replace(
        host.spec, credential=f"key:{key}", command_credential=host.spec.credential
    )
    await world.order("hosts.edit", EditHost(host="real", spec=spec))
    await world.until(
        lambda: host.state == "up" and host.rooms and host.facts.get("probe") == probe.version()
    )
    assert host.problems == ()
    assert host.target is not None
    connection = await world.remote.connection(host.target)
    assert (await connection.run("id", timeout=10)).out == b""
    commands = command_target(host)
    assert commands is not None and commands.key != host.target.key
    async with world.remote.borrowed(commands) as other:
        assert other is not connection
        assert b"uid=" in (await other.run("id", timeout=10)).out


async def test_it_can_be_installed_again_and_other_keys_stay(
    world: World, sshd: Callable[..., Sshd], tmp_path: Path
) -> None:
    server = open_to_home(sshd)
    await watched(world, server)
    (_, line), (_, other) = new_key(tmp_path), new_key(tmp_path, "other")
    keys = server.home / ".ssh" / "authorized_keys"
    keys.parent.mkdir(exist_ok=True)
    keys.write_text(other)
    subprocess.run(["chown", "-R", f"{server.user}:", str(keys.parent)], check=True)
    for _ in range(2):
        await world.order("probe.install", InstallProbe(host="real", key=line))
    first, second = keys.read_text().splitlines()
    assert first == other.strip()
    assert second.startswith('restrict,command="') and line.split()[1] in second


async def test_a_key_that_may_do_more_already_is_not_taken_from_its_owner(
    world: World, sshd: Callable[..., Sshd], tmp_path: Path
) -> None:
    server = open_to_home(sshd)
    await watched(world, server)
    _, line = new_key(tmp_path)
    keys = server.home / ".ssh" / "authorized_keys"
    keys.parent.mkdir(exist_ok=True)
    keys.write_text(line)
    subprocess.run(["chown", "-R", f"{server.user}:", str(keys.parent)], check=True)
    with pytest.raises(HostUnavailable, match="a key of its own"):
        await world.order("probe.install", InstallProbe(host="real", key=line))
    assert keys.read_text() == line


@pytest.mark.parametrize(
    "text", ["", "hello", "ssh-ed25519 AAAA", "ssh-ed25519 AAAA\nssh-rsa BBBB", 'x" ssh-ed25519 AAAA']
)
async def test_what_is_no_public_key_is_refused(world: World, text: str) -> None:
    host = await world.watch((await world.sims.start(1))[0])
    with pytest.raises(InvalidRequest, match="public key"):
        await world.order("probe.install", InstallProbe(host=host.spec.name, key=text))


async def test_a_connection_for_commands_is_shared_while_used_and_closed_when_idle(
    world: World, sshd: Callable[..., Sshd], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.2)
    server = sshd()
    host = await watched(world, server)
    assert host.target is not None
    target = dataclasses.replace(host.target, purpose="commands")
    async with world.remote.borrowed(target) as first:
        async with world.remote.borrowed(target) as second:
            assert first is second
        await asyncio.sleep(0.5)
        assert not first.closed
    await world.until(lambda: first.closed)
