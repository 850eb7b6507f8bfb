"""Many hosts changed at once: all or nothing, only what is in scope, only the number that the person saw, and one event with every name."""

from __future__ import annotations

import pytest

from guardian_tui.engine.fleet.inventory import Inventory
from guardian_tui.protocol.bulk import BulkEdit, BulkMaintenance
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from tests.fleet.test_orders import spec
from tests.fleet.world import Only, World


async def three(world: World) -> None:
    """web-1 and web-2 in production, db-1 in test."""
    for name, environment in (("web-1", "prod"), ("web-2", "prod"), ("db-1", "test")):
        await world.order("hosts.add", spec(name, environment=environment, labels={"rack": "r1"}))
    world.sink.entries.clear()


async def test_without_a_count_it_is_only_said_which_hosts_are_meant(world: World) -> None:
    await three(world)
    report = await world.order("hosts.bulk", BulkEdit(filter="web", environment="staging"))
    assert (report.hosts, report.changed, report.done) == (("web-1", "web-2"), 2, False)
    assert not world.sink.entries and world.fleet.inventory.named("web-1").spec.environment == "prod"  # type: ignore[union-attr]  # or the test fails


async def test_a_change_is_done_kept_and_told_in_one_event(world: World) -> None:
    await three(world)
    order = BulkEdit(
        filter="rack=r1", count=3, set_labels={"team": "shop"}, remove_labels=("rack",), add_groups=("core",), user="ops", interval_seconds=30,
    )  # fmt: skip
    report = await world.order("hosts.bulk", order)
    assert (report.changed, report.unchanged, report.done) == (3, 0, True)
    (entry,) = world.sink.entries
    assert entry.target == "3 hosts" and entry.body["hosts"] == ["db-1", "web-1", "web-2"]
    assert entry.body["set_labels"] == {"team": "shop"} and entry.body["interval_seconds"] == "30"
    again = Inventory(world.store)
    await again.load()
    for host in again.hosts.values():
        assert host.spec.labels == {"team": "shop"} and host.spec.groups == ("core",)
        assert (host.spec.user, host.spec.interval_seconds) == ("ops", 30)
    rows = await world.order(
        "hosts.bulk", BulkEdit(filter="group=core", count=3, user="ops", remove_groups=("nothing",))
    )
    assert (rows.changed, rows.unchanged) == (0, 3)


async def test_another_number_than_the_person_saw_changes_nothing(world: World) -> None:
    await three(world)
    with pytest.raises(Conflict, match="3 hosts now, not 2"):
        await world.order("hosts.bulk", BulkEdit(filter="rack=r1", count=2, user="ops"))
    assert not world.sink.entries


async def test_each_host_must_be_in_scope_before_and_after(world: World) -> None:
    await three(world)
    mine = Only("environment", "prod")
    report = await world.order("hosts.bulk", BulkEdit(filter="rack=r1", user="ops"), mine)
    assert report.hosts == ("web-1", "web-2")
    with pytest.raises(NotFound):
        await world.order("hosts.bulk", BulkEdit(hosts=("web-1", "db-1"), count=2, user="ops"), mine)
    with pytest.raises(PermissionDenied, match="web-1, web-2"):
        await world.order("hosts.bulk", BulkEdit(filter="web", count=2, environment="test"), mine)
    assert not world.sink.entries


async def test_a_way_that_can_not_be_gone_refuses_all_of_it(world: World) -> None:
    await three(world)
    with pytest.raises(InvalidRequest, match="not in the inventory"):
        await world.order("hosts.bulk", BulkEdit(filter="rack=r1", count=3, jump=("nowhere",)))
    with pytest.raises(InvalidRequest, match="circle"):
        await world.order("hosts.bulk", BulkEdit(filter="rack=r1", count=3, jump=("db-1",)))
    assert not world.sink.entries and world.fleet.inventory.named("web-1").spec.jump == ()  # type: ignore[union-attr]  # or the test fails
    await world.order("hosts.bulk", BulkEdit(filter="web", count=2, jump=("db-1",)))
    host = world.fleet.inventory.named("web-2")
    assert host is not None and host.target is not None and [hop.name for hop in host.target.jump] == ["db-1"]


async def test_all_hosts_are_never_meant_by_mistake(world: World) -> None:
    await three(world)
    for order in (
        BulkEdit(count=3),
        BulkEdit(filter="  ", count=3),
        BulkEdit(filter="web", hosts=("db-1",), count=1),
    ):
        with pytest.raises(InvalidRequest, match="which hosts"):
            await world.order("hosts.bulk", order)
    with pytest.raises(InvalidRequest, match="No host passes"):
        await world.order("hosts.bulk", BulkEdit(filter="nothing-like-it", count=0))


async def test_planned_work_on_many_hosts_and_its_end(world: World) -> None:
    await three(world)
    until = world.clock.now() + 600
    order = BulkMaintenance(filter="web", count=2, until=until, reason="new switch")
    assert (await world.order("hosts.bulk_maintenance", order)).done
    rows = {host.spec.name: host.state for host in world.fleet.inventory.hosts.values()}
    assert rows == {"web-1": "maintenance", "web-2": "maintenance", "db-1": "unknown"}
    (entry,) = world.sink.entries
    assert entry.body == {"hosts": ["web-1", "web-2"], "until": int(until), "reason": "new switch"}
    await world.order("hosts.bulk_maintenance", BulkMaintenance(filter="state=maintenance", count=2))
    assert {host.state for host in world.fleet.inventory.hosts.values()} == {"unknown"}
