"""Orders on hosts: what is refused, what is kept, and who sees what."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from guardian_tui.engine.facts import HostsChanged
from guardian_tui.engine.fleet.inventory import Inventory
from guardian_tui.protocol import fleet as wire
from guardian_tui.protocol.bulk import BulkEdit
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from tests.fleet.world import QUICK, Only, World
from tests.fleet.world import world as make_world


def spec(name: str, **more: Any) -> wire.HostSpec:
    """A host that answers nowhere."""
    return wire.HostSpec(
        **{"name": name, "address": "127.0.0.9", "port": 9, "credential": "key:/nowhere", **more}
    )


async def test_an_added_host_is_shown_announced_audited_and_there_after_a_restart(world: World) -> None:
    row = await world.order("hosts.add", spec("web-1", environment="prod", labels={"role": "web"}))
    assert row.name == "web-1" and row.state == "unknown"
    assert [entry.target for entry in world.sink.entries] == ["web-1"]
    known = world.of(HostsChanged)[-1].hosts[0]
    assert known.name == "web-1" and known.labels["environment"] == "prod"
    again = Inventory(world.store)
    assert await again.load() == []
    assert [host.spec.labels for host in again.hosts.values()] == [{"role": "web"}]


async def test_two_hosts_of_one_name_are_refused(world: World) -> None:
    await world.order("hosts.add", spec("web-1"))
    with pytest.raises(Conflict):
        await world.order("hosts.add", spec("web-1"))
    await world.order("hosts.add", spec("web-2"))
    with pytest.raises(Conflict):
        await world.order("hosts.edit", wire.EditHost(host="web-2", spec=spec("web-1")))


async def test_a_command_credential_that_somebody_must_type_is_refused(world: World) -> None:
    with pytest.raises(InvalidRequest, match="night"):
        await world.order("hosts.add", spec("web-1", command_credential="ask"))


async def test_lists_are_filtered_by_scope_and_by_words(world: World) -> None:
    await world.order("hosts.add", spec("web-1", environment="prod"))
    await world.order("hosts.add", spec("db-1", environment="test"))
    seen = await world.order("hosts.list", wire.HostsQuery(), Only("environment", "prod"))
    assert [row.name for row in seen.hosts] == ["web-1"]
    seen = await world.order("hosts.list", wire.HostsQuery(filter="!web"))
    assert [row.name for row in seen.hosts] == ["db-1"]
    with pytest.raises(InvalidRequest):
        await world.order("hosts.list", wire.HostsQuery(filter="~("))


async def test_a_host_outside_the_scope_looks_as_if_it_were_not_there(world: World) -> None:
    await world.order("hosts.add", spec("web-1", environment="prod"))
    mine = Only("environment", "test")
    with pytest.raises(NotFound):
        await world.order("hosts.show", wire.HostRef(host="web-1"), mine)
    with pytest.raises(NotFound):
        await world.order("hosts.remove", wire.RemoveHost(host="web-1"), mine)
    with pytest.raises(PermissionDenied):
        await world.order("hosts.add", spec("web-2", environment="prod"), mine)


async def test_jump_hosts_must_be_there_not_go_in_circles_and_stay_while_they_are_needed(
    world: World,
) -> None:
    with pytest.raises(InvalidRequest, match="not in the inventory"):
        await world.order("hosts.add", spec("inner", jump=("bastion",)))
    await world.order("hosts.add", spec("bastion"))
    await world.order("hosts.add", spec("inner", jump=("bastion",)))
    with pytest.raises(InvalidRequest, match="circle"):
        await world.order("hosts.edit", wire.EditHost(host="bastion", spec=spec("bastion", jump=("inner",))))
    with pytest.raises(Conflict):
        await world.order("hosts.remove", wire.RemoveHost(host="bastion"))
    with pytest.raises(Conflict, match="by this name"):
        await world.order("hosts.edit", wire.EditHost(host="bastion", spec=spec("other")))
    await world.order("hosts.edit", wire.EditHost(host="bastion", spec=spec("bastion", port=10)))
    inner = world.fleet.inventory.named("inner")
    assert inner is not None and inner.target is not None
    assert inner.target.jump[0].port == 10


async def test_a_removed_host_is_gone_for_everybody(world: World) -> None:
    row = await world.order("hosts.add", spec("web-1"))
    await world.order("hosts.remove", wire.RemoveHost(host="web-1"))
    assert world.live.hosts.get(row.id) is None
    assert world.of(HostsChanged)[-1].removed == (row.id,)
    again = Inventory(world.store)
    await again.load()
    assert again.hosts == {}


async def test_maintenance_is_a_state_with_a_reason_that_ends_by_itself(world: World) -> None:
    host = await world.watch((await world.sims.start(1))[0])
    await world.until_state(host, "up")
    until = world.clock.now() + 2.0
    row = await world.order(
        "hosts.maintenance", wire.Maintenance(host=host.spec.name, until=until, reason="new disk")
    )
    assert row.state == "maintenance" and row.why == "new disk"
    assert world.of(HostsChanged)[-1].hosts[0].maintenance_until == until
    await world.until_state(host, "up")


async def test_planned_work_on_this_machine_outlives_a_restart(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(QUICK, watch_this_machine=True)
    order = wire.Maintenance(host="local", until=2e9, reason="new fan")
    async with make_world(tmp_path, settings) as first:
        assert (await first.order("hosts.maintenance", order)).state == "maintenance"
        assert first.sink.entries[-1].body == {"until": 2_000_000_000, "reason": "new fan"}
    async with make_world(tmp_path, settings) as second:
        host = second.fleet.inventory.hosts["local"]
        assert (host.state, host.shown_why) == ("maintenance", "new fan")
        assert second.of(HostsChanged)[0].hosts[0].maintenance_until == 2e9
        await second.order("hosts.maintenance", wire.Maintenance(host="local", until=None))
    async with make_world(tmp_path, settings) as third:
        await third.until_state(third.fleet.inventory.hosts["local"], "up")


async def test_a_host_in_full_and_its_history(world: World) -> None:
    host = await world.watch((await world.sims.start(1))[0])
    await world.until(lambda: host.state == "up" and host.rooms and host.value("cpu_busy_ratio") is not None)
    detail = await world.order("hosts.show", wire.HostRef(host=host.spec.name))
    assert {room.mount for room in detail.file_systems} == {"/", "/srv/data1"}
    assert {nic.name for nic in detail.nics} == {"eth0", "eth1"}
    assert detail.key_fingerprint.startswith("SHA256:") and len(detail.facts["probe"]) == 12
    assert detail.values["memory_total_bytes"] == 16 * 2**30
    await world.store.metrics.flush()
    now = world.clock.now()
    query = wire.HistoryQuery(
        host=host.spec.name, metric="memory_used_ratio", start=now - 60, end=now + 1, points=10
    )
    history = await world.order("hosts.history", query)
    assert any(value is not None for value in history.mean)
    assert history.typical_low == ()
    banded = await world.order("hosts.history", msgspec.structs.replace(query, band=True))
    assert banded.typical_high == (None,) * len(banded.mean)
    with pytest.raises(InvalidRequest):
        await world.order(
            "hosts.history", wire.HistoryQuery(host=host.spec.name, metric="load1", start=now, end=now)
        )


async def test_the_doctor_says_yes_to_a_good_host_and_what_is_wrong_with_a_dead_one(world: World) -> None:
    good, bad = await world.sims.start(2)
    host, dead = await world.watch(good), await world.watch(bad)
    await world.until_state(host, "up")
    report = await world.order("hosts.test", wire.HostRef(host=host.spec.name))
    assert report.ok
    await world.sims.set_fault(bad.name, "dead")
    report = await world.order("hosts.test", wire.HostRef(host=dead.spec.name))
    assert not report.ok and not report.steps[-1].ok


async def test_of_two_who_change_a_host_at_once_the_second_looks_again(world: World) -> None:
    await world.order("hosts.add", spec("web-1"))
    before = spec("web-1")
    first = wire.EditHost(host="web-1", spec=spec("web-1", environment="prod"), before=before)
    second = wire.EditHost(host="web-1", spec=spec("web-1", user="ops"), before=before)
    done = await asyncio.gather(
        world.order("hosts.edit", first), world.order("hosts.edit", second), return_exceptions=True
    )
    assert [type(one) for one in done] == [wire.HostRow, Conflict]
    host = world.fleet.inventory.named("web-1")
    assert host is not None and host.spec == first.spec


async def test_two_changes_of_many_hosts_at_once_are_both_made(world: World) -> None:
    await world.order("hosts.add", spec("web-1"))
    orders = (
        BulkEdit(hosts=("web-1",), count=1, set_labels={"team": "x"}),
        BulkEdit(hosts=("web-1",), count=1, set_labels={"rack": "r1"}),
    )
    await asyncio.gather(*[world.order("hosts.bulk", order) for order in orders])
    again = Inventory(world.store)
    await again.load()
    assert [host.spec.labels for host in again.hosts.values()] == [{"team": "x", "rack": "r1"}]


async def test_whoever_is_of_some_hosts_uses_their_credentials_and_ways_alone(world: World) -> None:
    mine = Only("environment", "test")
    await world.order("hosts.add", spec("db-1", environment="prod", credential="secret:db", jump=()))
    await world.order("hosts.add", spec("hop", environment="prod"))
    await world.order("hosts.add", spec("web-1", environment="test", credential="secret:web", jump=("hop",)))
    for fields in ({"credential": "secret:db"}, {"command_credential": "key:/etc/db"}):
        with pytest.raises(PermissionDenied, match="credential"):
            await world.order(
                "hosts.add", spec("web-2", **{"environment": "test", "credential": "", **fields}), mine
            )
    # what stands there already may stay, and be given to others of theirs
    edit = wire.EditHost(
        host="web-1", spec=spec("web-1", environment="test", credential="secret:web", jump=("hop",), port=7)
    )
    await world.order("hosts.edit", edit, mine)
    await world.order("hosts.add", spec("web-2", environment="test", credential="secret:web"), mine)
    with pytest.raises(InvalidRequest, match="not in the inventory"):
        await world.order("hosts.add", spec("web-3", environment="test", credential="", jump=("hop",)), mine)


async def test_hosts_of_others_are_counted_and_not_named(world: World) -> None:
    mine = Only("environment", "test")
    await world.order("hosts.add", spec("hop", environment="test"))
    for number in range(7):
        await world.order("hosts.add", spec(f"web-{number}", environment="test", jump=("hop",)))
    await world.order("hosts.add", spec("db-1", environment="prod", jump=("hop",)))
    with pytest.raises(Conflict, match="web-4, 2 more, 1 outside your scope are reached through hop"):
        await world.order("hosts.remove", wire.RemoveHost(host="hop"), mine)
    with pytest.raises(Conflict, match="db-1, web-0"):
        await world.order("hosts.remove", wire.RemoveHost(host="hop"))
