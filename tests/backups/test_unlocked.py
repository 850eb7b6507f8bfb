"""What could not be read is read as soon as what hindered it is over: a vault that was locked, a host that did not answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

from guardian_tui.engine.backups.records import Repository
from guardian_tui.engine.backups.rereading import Rereading
from guardian_tui.engine.backups.rooms import kept_on
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.facts import Reachability, SecretChanged, VaultUnlocked
from guardian_tui.engine.remote.target import Target
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.backups import RepositorySpec
from tests.backups.house import OneHost, house


async def test_a_repository_whose_secret_was_locked_up_is_read_when_the_vault_opens(
    tmp_path: Path, store_url: str
) -> None:
    async with house(tmp_path, store_url) as home:
        locked, gone = await home.repository("locked"), await home.repository("gone")
        # nothing begins by itself: it is as if they had been read while the vault was locked
        home.bus.publish(VaultUnlocked())
        assert not home.backups._reads
        await home.start()
        for task in home.backups._tasks:
            task.cancel()
        await asyncio.gather(*home.backups._tasks, return_exceptions=True)
        locked.memory.verdict, gone.memory.verdict = "auth", "missing"
        home.backups.repositories = {one.id: one for one in (locked, gone)}
        home.bus.publish(VaultUnlocked())
        await asyncio.gather(*home.backups._reads)
        assert (locked.memory.verdict, gone.memory.verdict) == ("ok", "missing")


def test_what_is_read_again_and_when() -> None:
    bus, ways, read = Bus(), OneHost(), []
    ways.all += [
        Way("h1", "store", {}, Target("h1", "store", "10.0.0.7", 22, "root")),
        Way("h2", "web", {}, Target("h2", "web", "10.0.0.8", 22, "root")),
    ]
    some = {
        name: Repository(
            name, RepositorySpec(name=name, engine="restic", location=location, host=host, secrets={"RESTIC_PASSWORD": f"secret:backups/{name}"}), "screen", 0.0
        )
        for name, location, host in (
            ("near", "/srv/vault", "store"), ("by-name", "sftp:backup@store:/srv", "web"), ("by-address", "rest:https://10.0.0.7:8000/", "web"),
            ("elsewhere", "s3:https://s3.example.com/b", "web"),
        )
    }  # fmt: skip
    under_way: set[str] = set()
    Rereading(bus, ways, some.values, lambda one: one.id in under_way, lambda one: read.append(one.id))

    def heard(fact: object) -> list[str]:
        read.clear()
        bus.publish(fact)
        return list(read)

    back = Reachability("h1", "up", 0.0, successes=1)
    assert heard(back) == []
    under_way = {"near"}
    assert heard(back) == ["near"]
    for one in some.values():
        one.memory.verdict = "network"
    assert heard(back) == ["near", "by-name", "by-address"]
    assert heard(Reachability("h2", "up", 0.0, successes=1)) == ["by-name", "by-address", "elsewhere"]
    assert heard(Reachability("h9", "up", 0.0, successes=1)) == []
    assert heard(Reachability("h1", "up", 0.0, successes=2)) == []
    assert heard(Reachability("h1", "failing", 0.0)) == []
    some["near"].memory.verdict, some["by-name"].memory.verdict = "auth", "missing"
    assert heard(VaultUnlocked()) == ["near", "by-address", "elsewhere"]
    assert heard(SecretChanged("backups/by-name")) == ["by-name"]


def test_where_a_repository_is_kept() -> None:
    for engine, location, host in (
        ("restic", "sftp://backup@store:2222//srv", "store"), ("restic", "sftp:store:/srv", "store"), ("restic", "s3:http://store:9000/b", "store"),
        ("restic", "rest:https://ada:x@store/", "store"), ("restic", "b2:bucket:/p", ""), ("borg", "backup@store:/srv", "store"), ("borg", "ssh://store/srv", "store"),
        ("rsync", "store:/srv", "store"), ("rsync", "/srv", ""), ("pgbackrest", "main", ""),
    ):  # fmt: skip
        assert kept_on(RepositorySpec(name="r", engine=engine, location=location, host="h")) == host  # type: ignore[arg-type]  # as it is
