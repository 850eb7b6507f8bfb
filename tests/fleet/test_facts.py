"""Facts of hosts: shown, filtered by, and known again after a restart before the host was reached."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardian_tui.protocol.fleet import HostRef, HostSpec, HostsQuery
from tests.fleet.world import World
from tests.fleet.world import world as make_world

FACTS = {
    "os": "Debian GNU/Linux 12 (bookworm)", "kernel": "6.1.0-18-amd64", "cpu_count": "8", "cpu": "AMD EPYC 7302", "memory": "31.3 GiB",
    "packages": "712", "virtualisation": "kvm", "reboot": "not needed",
}  # fmt: skip


async def known(world: World) -> None:
    """A host that answers nowhere, of which facts are known."""
    host = await world.join(HostSpec(name="web-1", address="127.0.0.9", port=9))
    host.facts = dict(FACTS)
    world.fleet.show(host)


@pytest.mark.parametrize(
    ("filter", "passes"),
    [
        ("os=debian", True), ("os=alpine", False), ("kernel~6.1", True), (r"kernel~^6\.6", False), ("cpu_count>=8", True), ("cpu_count>8", False),
        ("ram>16", True), ("ram>32", False), ("packages<1000", True), ("processor=epyc", True), ("virtualisation=kvm", True), ("!os=debian", False),
        ("cpu>1", False),
    ],
)  # fmt: skip
async def test_hosts_are_filtered_by_their_facts(world: World, filter: str, passes: bool) -> None:
    await known(world)
    assert bool((await world.order("hosts.list", HostsQuery(filter=filter))).hosts) is passes


async def test_facts_outlive_a_restart_and_go_with_their_host(tmp_path: Path) -> None:
    async with make_world(tmp_path) as first:
        await known(first)
        hosts = first.fleet.inventory.hosts
        assert await first.fleet._facts.write(hosts.values(), 1.0) == 1
        assert await first.fleet._facts.write(hosts.values(), 2.0) == 0
    async with make_world(tmp_path) as second:
        host = second.fleet.inventory.named("web-1")
        assert host is not None and host.facts == FACTS and not host.facts_fresh
        assert (await second.order("hosts.show", HostRef(host="web-1"))).facts["reboot"] == "not needed"
        await second.fleet._facts.write([], 3.0)
    async with make_world(tmp_path) as third:
        host = third.fleet.inventory.named("web-1")
        assert host is not None and host.facts == {}


async def test_facts_of_before_are_read_again_and_what_changed_is_told(tmp_path: Path) -> None:
    async with make_world(tmp_path) as one:
        sim = (await one.sims.start(1))[0]
        host = await one.watch(sim)
        host.facts = {"kernel": "5.10.0-old", "packages": "712"}
        await one.until(lambda: host.facts_fresh, "fresh facts")
        assert host.facts["kernel"] != "5.10.0-old" and host.facts["packages"] == "712"
