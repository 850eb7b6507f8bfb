"""Discovery over a real sshd: files of another user's home, a crontab, user units; passwords stay there until somebody who may takes them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from guardian_tui.engine.backups.discovery.orders import DiscoveryOrders
from guardian_tui.engine.backups.discovery.search import search
from guardian_tui.engine.backups.orders import BackupOrders
from guardian_tui.engine.backups.scope import Scope
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.calls import Call, Peer
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.protocol import routes
from guardian_tui.protocol.backups import RepositoryRow
from guardian_tui.protocol.base import Request
from guardian_tui.protocol.discovery import (
    DiscoverBackups,
    FoundBackups,
    FoundSetup,
    ObserveFound,
    TakeSecrets,
)
from guardian_tui.protocol.errors import Conflict, HostUnavailable, NotFound
from tests.fleet.conftest import *  # noqa: F403  # its fixtures: a fleet with a real store and real SSH
from tests.fleet.test_sshd import watched
from tests.fleet.world import Only, World
from tests.support.asking import unasked
from tests.support.sshd import Sshd, SshUser

RECORDED = Path(__file__).parent / "discovered"
PLACES = {
    ".config/borgmatic/config.yaml": "borgmatic-1.5.yaml", ".config/borgmatic.d/app.yaml": "borgmatic-1.8.yaml",
    ".config/resticprofile/profiles.toml": "profiles.toml", "pgbackrest.conf": "pgbackrest.conf", "backup.sh": "backup.sh",
    ".restic-env": "restic-env", ".config/systemd/user/borgmatic.service": "borgmatic.service",
    ".config/systemd/user/borgmatic.timer": "borgmatic.timer",
}  # fmt: skip


@pytest.fixture
def set_up(unix_user: SshUser) -> Iterator[Path]:
    """A home full of set-ups; answers it."""
    home, made = unix_user.home, []
    for place, name in PLACES.items():
        path = home / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((RECORDED / name).read_text().replace("/HOME", str(home)))
        made.append(path)
    broken = home / ".config/borgmatic.d/broken.yaml"
    broken.write_text("repositories: [\n")
    closed = home / ".config/borgmatic.d/closed.yaml"
    closed.write_text("encryption_passphrase: hunter2\n")
    subprocess.run(["chown", "-R", unix_user.name, str(home)], check=True)
    if os.geteuid() == 0:
        os.chown(closed, 0, 0)
    closed.chmod(0o600 if os.geteuid() == 0 else 0)
    table = (RECORDED / "crontab").read_text().replace("/HOME", str(home))
    subprocess.run(["crontab", "-u", unix_user.name, "-"], input=table, text=True, check=True)
    yield home
    subprocess.run(["crontab", "-u", unix_user.name, "-r"], check=True)
    for path in (*made, broken, closed):
        path.unlink(missing_ok=True)
    shutil.rmtree(home / ".config", ignore_errors=True)


class Asked:
    """Orders on discovery, as dispatch gives them once they are authorised."""

    def __init__(self, world: World, backups: Backups) -> None:
        self.world, self.backups = world, backups
        scope, commands = Scope(backups), Commands(world.remote)
        asking = unasked(backups, world.store, world.clock)
        add = BackupOrders(backups, scope, world.store, world.clock, asking).add_repository
        self._handlers = DiscoveryOrders(backups, scope, world.clock, commands, add, world.vault).handlers()

    async def order(self, name: str, request: Request, scope: Only | None = None) -> object:
        world = self.world
        call = Call(routes.ROUTES[name], None, Peer(0), "r", world.clock.now(), world.sink, world.store.write)
        if scope is not None:
            call.scope = scope
        return await self._handlers[name](call, request)

    async def found(self) -> FoundBackups:
        answer = await self.order("backups.discover", DiscoverBackups(host="real"))
        assert isinstance(answer, FoundBackups)
        return answer


@pytest.fixture
async def asked(world: World) -> AsyncIterator[Asked]:
    async def resolve(reference: str) -> str:
        return f"behind {reference}"

    one = Backups(
        world.store, world.bus, world.live, world.clock, world.sink, world.fleet.inventory, Commands(world.remote), resolve, 400.0
    )  # fmt: skip
    await one.start()
    world.vault.adopt(world.vault.create())
    yield Asked(world, one)
    await one.stop()


def of(found: FoundBackups, **wanted: str) -> FoundSetup:
    matching = [
        setup for setup in found.setups if all(getattr(setup, key) == value for key, value in wanted.items())
    ]
    assert len(matching) == 1, [(setup.tool, setup.file, setup.profile) for setup in found.setups]
    return matching[0]


async def test_set_ups_of_a_host_are_found_with_what_runs_them_and_no_password_leaves_it(
    world: World, asked: Asked, sshd: Callable[..., Sshd], set_up: Path
) -> None:
    server = sshd()
    host = await watched(world, server)
    # the way for commands is another user's than root's: what is read is what that user may read
    found = await asked.found()
    assert found.user == server.user and not found.cut
    told = msgspec.json.encode(found).decode()
    assert "hunter2" not in told and "AKIA" not in told
    sectioned = of(found, file=f"{set_up}/.config/borgmatic/config.yaml")
    assert [(one.location, one.password, one.takes) for one in sectioned.repositories] == [
        ("ssh://user@backupserver/./sourcehostname.borg", "its configuration", True), ("/mnt/removable/backup.borg", "its configuration", True),
    ]  # fmt: skip
    assert [(one.kind, one.where, one.when) for one in sectioned.schedules] == [
        ("timer", "borgmatic.timer", "daily")
    ]
    assert "no YAML" in of(found, file=f"{set_up}/.config/borgmatic.d/broken.yaml").words
    assert "may not read" in of(found, file=f"{set_up}/.config/borgmatic.d/closed.yaml").words
    assert any("closed.yaml" in line for line in found.unread)
    rest = of(found, profile="documents").repositories[0]
    assert (rest.location, rest.takes, rest.problem) == (
        "rest:https://backup.example.org:8000/documents",
        True,
        "",
    )
    assert of(found, tool="pgbackrest", file=f"{set_up}/pgbackrest.conf").schedules[0].when == "30 6 * * 0"
    script = of(found, tool="restic")
    assert script.file == f"{set_up}/backup.sh"
    assert script.repositories[0].location == "sftp:backup@store.example.org:/srv/restic/web"
    assert of(found, tool="borg").repositories[0].location.startswith("ssh://u123456@")
    assert any("restic" in program for program in found.programs)
    # and what the engine itself holds has none of them either
    way = world.fleet.inventory.way("real")
    assert way is not None
    held = await search(Commands(world.remote), way)
    assert held.read.files and not any("hunter2" in (file.text or "") for file in held.read.files.values())
    assert host.state in ("up", "degraded", "unknown")


async def test_a_repository_is_observed_by_one_order_and_is_known_from_then_on(
    world: World, asked: Asked, sshd: Callable[..., Sshd], set_up: Path
) -> None:
    await watched(world, sshd())
    script = of(await asked.found(), tool="restic")
    (one,) = script.repositories
    assert one.wants == (f"backups/{one.name}",) and not one.observed
    row = await asked.order("repositories.observe", ObserveFound(host="real", found=one.id))
    assert isinstance(row, RepositoryRow)
    assert (row.name, row.engine, row.location) == (one.name, "restic", one.location)
    spec = asked.backups.repositories[row.id].spec
    assert spec.secrets == {"RESTIC_PASSWORD": f"secret:backups/{one.name}"}
    again = of(await asked.found(), tool="restic").repositories[0]
    assert (again.id, again.observed, again.name) == (one.id, one.name, "")
    with pytest.raises(Conflict, match="observed already"):
        await asked.order("repositories.observe", ObserveFound(host="real", found=one.id))
    with pytest.raises(NotFound, match="no longer"):
        await asked.order("repositories.observe", ObserveFound(host="real", found="0" * 12))
    with pytest.raises(NotFound):
        await asked.order("backups.discover", DiscoverBackups(host="real"), Only("host", "another"))
    events = [entry.action for entry in world.sink.entries]
    assert events.count("repositories.observe") == 1


async def test_passwords_are_sealed_only_when_somebody_takes_them(
    world: World, asked: Asked, sshd: Callable[..., Sshd], set_up: Path
) -> None:
    await watched(world, sshd())
    (one,) = of(await asked.found(), tool="restic").repositories
    await asked.order("repositories.observe", ObserveFound(host="real", found=one.id, name="web"))
    assert await world.vault.names() == []
    await asked.order("repositories.take_secrets", TakeSecrets(repository="web"))
    assert await world.vault.names() == ["backups/web"]
    assert await world.vault.resolve("secret:backups/web") == "hunter2 of restic"
    taken = next(entry for entry in world.sink.entries if entry.action == "repositories.take_secrets")
    assert taken.body == {"host": "real", "secrets": ["backups/web"]}
    with pytest.raises(Conflict, match="already"):
        await asked.order("repositories.take_secrets", TakeSecrets(repository="web"))
    # what a configuration holds no password of can't be taken
    (label,) = (
        r
        for r in of(
            await asked.found(), tool="borgmatic", file=f"{set_up}/.config/borgmatic.d/app.yaml"
        ).repositories
        if r.label == "local"
    )
    await asked.order("repositories.observe", ObserveFound(host="real", found=label.id, name="local"))
    with pytest.raises(NotFound, match="holds a password"):
        await asked.order("repositories.take_secrets", TakeSecrets(repository="local"))


async def test_a_host_that_cannot_be_reached_is_said(
    world: World, asked: Asked, sshd: Callable[..., Sshd]
) -> None:
    server = sshd()
    await watched(world, server)
    server.stop()
    with pytest.raises(HostUnavailable, match="can't be looked at"):
        await asked.found()
