"""Imports as a whole: what they would change is shown first, only what is chosen is done, and what is gone is offered, never taken."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from guardian_tui.engine.fleet.inventory import Inventory
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from guardian_tui.protocol.fleet import EditHost, HostSpec
from guardian_tui.protocol.imports import (
    ImportPreview,
    ImportRequest,
    SourceFormat,
    SourceRef,
    SourceText,
)
from tests.fleet.test_orders import spec
from tests.fleet.world import Only, World

CONFIG = """
Host inner
    HostName 10.0.0.5
    ProxyJump bastion
    LocalCommand touch x
Host bastion
    HostName 127.0.0.9
    Port 2222
"""
INVENTORY = """
[web]
web-1 ansible_host=127.0.0.9 ansible_port=9 guardian_label_rack=r1
web-2 ansible_host=127.0.0.9 ansible_port=9
[prod:children]
web
"""


async def imported(
    world: World, text: str, names: tuple[str, ...] | None = None, *, format: SourceFormat = "ansible_ini",
    remove: tuple[str, ...] = (), scope: object = None,
) -> ImportPreview:  # fmt: skip
    """Import a source that is always called the same."""
    source = SourceText(format=format, name="/etc/hosts.ini", text=text)
    order = ImportRequest(source=source, names=names, remove=remove)
    answer: ImportPreview = await world.order("hosts.import", order, scope)
    return answer


def changes(preview: ImportPreview, name: str) -> set[tuple[str, str, str]]:
    """What would change of a host."""
    (found,) = (found for found in preview.found if found.spec.name == name)
    return {(change.field, change.old, change.new) for change in found.changes}


async def test_an_import_is_shown_first_names_what_it_does_not_support_and_adds_the_way_first(
    world: World,
) -> None:
    preview = await imported(world, CONFIG, format="ssh_config")
    assert {found.spec.name: found.unsupported for found in preview.found}["inner"]
    assert world.fleet.inventory.hosts == {} and world.sink.entries == []
    done = await imported(world, CONFIG, ("inner", "bastion"), format="ssh_config")
    assert done.added == 2
    inner = world.fleet.inventory.named("inner")
    assert inner is not None and inner.target is not None
    assert [hop.name for hop in inner.target.jump] == ["bastion"]


async def test_imported_hosts_are_polled_as_the_settings_say_and_pins_on_another_port_are_seen(
    world: World,
) -> None:
    source = SourceText(format="ssh_config", name="config", text=CONFIG)
    known = f"[127.0.0.9]:2222 {world.sims.host_key}\n"
    done = await world.order(
        "hosts.import", ImportRequest(source=source, known_hosts=known, names=("bastion",))
    )
    assert {found.spec.name: found.pinned for found in done.found} == {"bastion": True, "inner": False}
    bastion = world.fleet.inventory.named("bastion")
    assert bastion is not None and bastion.spec.interval_seconds == world.fleet.interval_seconds == 5.0


async def test_a_second_import_shows_field_by_field_what_changed_and_keeps_what_a_person_set(
    world: World,
) -> None:
    await imported(world, INVENTORY, ("web-1", "web-2"))
    host = world.fleet.inventory.named("web-1")
    assert host is not None and host.spec.groups == ("prod", "web")
    await world.order(
        "hosts.edit",
        EditHost(
            host="web-1",
            spec=spec(
                "web-1",
                labels={"rack": "r1", "mine": "yes"},
                groups=("prod", "web", "own"),
                interval_seconds=60,
            ),
        ),
    )
    later = "[web]\nweb-1 ansible_host=127.0.0.8 ansible_port=9\nweb-2 ansible_host=127.0.0.9 ansible_port=9\nweb-3\n"
    preview = await imported(world, later)
    assert {found.spec.name: found.status for found in preview.found} == {
        "web-1": "changed", "web-2": "changed", "web-3": "new",
    }  # fmt: skip
    assert preview.last_import is not None
    # the label and the group that the source took back go; those of the person stay
    assert changes(preview, "web-1") == {
        ("address", "127.0.0.9", "127.0.0.8"), ("label rack", "r1", ""), ("groups", "prod, web, own", "own, web"),
    }  # fmt: skip
    done = await imported(world, later, ("web-1",))
    assert (done.added, done.changed, done.removed) == (0, 1, 0)
    host = world.fleet.inventory.named("web-1")
    assert host is not None and host.spec.labels == {"mine": "yes"} and host.spec.interval_seconds == 60
    assert host.target is not None and host.target.address == "127.0.0.8"
    again = Inventory(world.store)
    await again.load()
    assert {h.spec.name: h.spec.address for h in again.hosts.values()} == {
        "web-1": "127.0.0.8",
        "web-2": "127.0.0.9",
    }
    # what was not chosen is offered again, and still knows that it was the source that had set the group
    preview = await imported(world, later)
    assert {found.spec.name: found.status for found in preview.found} == {
        "web-1": "unchanged", "web-2": "changed", "web-3": "new",
    }  # fmt: skip
    assert changes(preview, "web-2") == {("groups", "prod, web", "web")}


async def test_what_is_gone_from_the_source_is_offered_and_never_removed_by_itself(world: World) -> None:
    through = INVENTORY + "[inner]\ninner-1 ansible_ssh_common_args='-J web-2'\n"
    await imported(world, through, ("web-1", "web-2", "inner-1"))
    await world.order("hosts.add", spec("by-hand"))
    rest = "[web]\nweb-1 ansible_host=127.0.0.9 ansible_port=9 guardian_label_rack=r1\n[prod:children]\nweb\n"
    preview = await imported(world, rest, ("web-1",))
    assert {gone.name: gone.behind for gone in preview.gone} == {"web-2": ("inner-1",), "inner-1": ()}
    assert len(world.fleet.inventory.hosts) == 4
    with pytest.raises(Conflict, match="reached through web-2"):
        await imported(world, rest, remove=("web-2",))
    with pytest.raises(InvalidRequest, match="by-hand is not gone"):
        await imported(world, rest, remove=("by-hand",))
    before = len(world.sink.entries)
    done = await imported(world, rest, remove=("web-2", "inner-1"))
    assert done.removed == 2 and len(world.sink.entries) == before + 1
    assert world.sink.entries[-1].body["removed_hosts"] == ["web-2", "inner-1"]
    assert sorted(host.spec.name for host in world.fleet.inventory.hosts.values()) == ["by-hand", "web-1"]
    assert (await imported(world, rest)).gone == ()


async def test_one_event_tells_of_the_whole_import(world: World) -> None:
    await imported(world, INVENTORY, ("web-1", "web-2"))
    (entry,) = world.sink.entries
    assert entry.target == "/etc/hosts.ini" and entry.action == "hosts.import"
    assert entry.body == {
        "added": 2,
        "changed": 0,
        "removed": 0,
        "pins": 0,
        "added_hosts": ["web-1", "web-2"],
    }


async def test_a_host_whose_jump_host_is_nowhere_is_left_out_with_its_line_and_the_rest_is_imported(
    world: World,
) -> None:
    text = "web-1 ansible_ssh_common_args='-J nowhere'\nweb-2\n"
    done = await imported(world, text, ("web-1", "web-2"))
    assert done.added == 1
    assert any(
        p.startswith("/etc/hosts.ini:1: web-1 is left out: The jump host nowhere") for p in done.problems
    )


async def test_a_jump_host_is_found_by_its_address_too(world: World) -> None:
    text = "gate ansible_host=10.9.9.9\nweb-1 ansible_ssh_common_args='-o ProxyJump=ada@10.9.9.9'\n"
    await imported(world, text, ("web-1", "gate"))
    host = world.fleet.inventory.named("web-1")
    assert host is not None and host.spec.jump == ("gate",)


async def test_hosts_outside_the_scope_are_neither_shown_nor_changed_nor_offered(world: World) -> None:
    await world.order("hosts.add", spec("web-2", environment="prod"))
    await imported(world, INVENTORY, ("web-1",))
    text = (
        "[all:vars]\nguardian_environment=test\n[web]\nweb-1\nweb-2\nweb-3\nweb-4 guardian_environment=prod\n"
    )
    mine = Only("environment", "test")
    preview = await imported(world, text, scope=mine)
    assert [found.spec.name for found in preview.found] == ["web-3"]
    assert len(preview.problems) == 3 and all("outside your scope" in words for words in preview.problems)
    assert preview.gone == ()
    for other in ("web-1", "web-2", "web-4"):
        with pytest.raises(PermissionDenied, match=other):
            await imported(world, text, ("web-3", other), scope=mine)
    done = await imported(world, text, ("web-3",), scope=mine)
    assert (done.added, done.changed) == (1, 0)


async def test_labels_alone_cost_no_connection(world: World) -> None:
    host = await world.watch((await world.sims.start(1))[0])
    await world.until_state(host, "up")
    assert host.target is not None
    connection = await world.remote.connection(host.target)
    await world.order(
        "hosts.edit", EditHost(host=host.spec.name, spec=_with(host.spec, labels={"team": "shop"}))
    )
    assert await world.remote.connection(host.target) is connection
    assert host.state == "up" and host.row is not None and host.row.labels == {"team": "shop"}
    await world.order("hosts.edit", EditHost(host=host.spec.name, spec=_with(host.spec, user="other")))
    assert host.state == "unknown"


def _with(old: HostSpec, **fields: Any) -> HostSpec:
    return msgspec.structs.replace(old, **fields)


async def test_sources_are_remembered_by_name_and_can_be_forgotten(world: World) -> None:
    await imported(world, INVENTORY, ("web-1",))
    (source,) = (await world.order("hosts.sources", Nothing())).sources
    assert (source.name, source.format, source.hosts) == ("/etc/hosts.ini", "ansible_ini", 1)
    await world.order("hosts.forget_source", SourceRef(name="/etc/hosts.ini"))
    assert (await world.order("hosts.sources", Nothing())).sources == ()
    assert (await imported(world, "web-9\n")).gone == ()
    with pytest.raises(NotFound):
        await world.order("hosts.forget_source", SourceRef(name="/etc/hosts.ini"))


async def test_an_inventory_of_a_thousand_hosts(world: World) -> None:
    text = (
        "[web]\nweb[0001:1000] ansible_host=127.0.0.9 ansible_port=9 ansible_ssh_private_key_file=/nowhere\n"
    )
    names = tuple(found.spec.name for found in (await imported(world, text)).found)
    assert len(names) == 1000
    assert (await imported(world, text, names)).added == 1000
    assert {found.status for found in (await imported(world, text)).found} == {"unchanged"}


async def test_whoever_is_of_some_hosts_sees_and_forgets_the_sources_of_theirs_alone(world: World) -> None:
    await imported(world, INVENTORY, ("web-1", "web-2"))
    (ref, theirs) = SourceRef(name="/etc/hosts.ini"), Only("host", "web-1")
    (source,) = (await world.order("hosts.sources", Nothing(), theirs)).sources
    assert source.hosts == 1
    with pytest.raises(PermissionDenied, match="outside your scope"):
        await world.order("hosts.forget_source", ref, theirs)
    nobody = Only("host", "db-1")
    assert (await world.order("hosts.sources", Nothing(), nobody)).sources == ()
    with pytest.raises(NotFound):
        await world.order("hosts.forget_source", ref, nobody)
    (source,) = (await world.order("hosts.sources", Nothing())).sources
    assert source.hosts == 2


async def test_whoever_is_of_some_hosts_imports_no_way_through_others_and_no_credential_of_theirs(
    world: World,
) -> None:
    await world.order("hosts.add", spec("hop"))
    text = "[x]\nweb-1 guardian_jump=hop\nweb-2 ansible_ssh_private_key_file=/etc/db\nweb-3 guardian_jump=web-4\nweb-4\n"
    text = text.replace("guardian_jump=hop", "ansible_ssh_common_args='-J hop'").replace(
        "guardian_jump=web-4", "ansible_ssh_common_args='-J web-4'"
    )
    mine = Starting("web-")
    told = await imported(world, text, scope=mine)
    assert [one.spec.name for one in told.found] == ["web-3", "web-4"], told.problems
    assert "not in the inventory" in told.problems[0] and "credential" in told.problems[1]


class Starting:
    """Hosts whose names begin so."""

    def __init__(self, begin: str) -> None:
        self._begin = begin

    def covers(self, labels: Any) -> bool:
        return bool(labels.get("host", "").startswith(self._begin))
