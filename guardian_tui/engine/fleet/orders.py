"""Orders on hosts: `hosts.*`."""

from __future__ import annotations

import dataclasses
import math

from guardian_tui import filter as filters
from guardian_tui.engine.calls import Call, Handler, unless_changed, unless_edited
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.fleet.asked import host_asked
from guardian_tui.engine.fleet.bulk import BulkOrders
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.imports import ImportOrders
from guardian_tui.engine.fleet.inventory import LOCAL_ID
from guardian_tui.engine.fleet.means import check_means, reached_through
from guardian_tui.engine.fleet.service import Fleet
from guardian_tui.engine.remote.doctor import Doctor
from guardian_tui.engine.remote.pins import Pins
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.typical import TypicalBands
from guardian_tui.protocol import fleet as wire
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import Conflict, InvalidRequest, PermissionDenied
from guardian_tui.rows import host_columns, host_text
from guardian_tui.text import counted


class HostOrders:
    """Handlers of the hosts' routes."""

    def __init__(self, fleet: Fleet, store: Store, pins: Pins, doctor: Doctor, clock: Clock) -> None:
        self._fleet = fleet
        self._store = store
        self._typical = TypicalBands(store.metrics)
        self._bulk = BulkOrders(fleet)
        self._imports = ImportOrders(fleet, store, pins, clock)
        self._doctor = doctor
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "hosts.list": self.list_, "hosts.show": self.show, "hosts.history": self.history, "hosts.add": self.add,
            "hosts.edit": self.edit, "hosts.remove": self.remove, "hosts.test": self.test, "hosts.maintenance": self.maintenance,
            **self._imports.handlers(), **self._bulk.handlers(),
        }  # fmt: skip

    async def list_(self, call: Call, request: wire.HostsQuery) -> wire.HostList:
        """`hosts.list`: those in scope that pass the filter, by name."""
        wanted = filters.parse(request.filter)
        rows = [
            host.row for host in self._fleet.inventory.hosts.values() if host.row and call.sees(host.labels)
        ]
        passing = [row for row in rows if wanted.matches(host_columns(row), host_text(row))]
        return wire.HostList(hosts=tuple(sorted(passing, key=lambda row: row.name)))

    async def show(self, call: Call, request: wire.HostRef) -> wire.HostDetail:
        """`hosts.show`: one host in full."""
        host = host_asked(self._fleet.inventory, call, request.host)
        values = dict(zip(host.layout.names, host.values, strict=True)) if host.layout else {}
        for section in host.section_values.values():
            values |= section
        known = {name: value for name, value in values.items() if not math.isnan(value)}
        assert host.row is not None  # noqa: S101  # every host of the inventory is shown
        return wire.HostDetail(
            row=host.row, spec=host.spec, facts=host.facts, values=known,
            file_systems=tuple(_file_system(host, place) for place in range(len(host.rooms))), nics=_nics(host, known),
            devices=_devices(host, known), problems=host.problems, key_fingerprint=host.fingerprint,
            unsupported_keywords=host.unsupported,
        )  # fmt: skip

    async def history(self, call: Call, request: wire.HistoryQuery) -> wire.History:
        """`hosts.history`: a chart."""
        host = host_asked(self._fleet.inventory, call, request.host)
        if not request.start < request.end <= request.start + 800 * 86400:
            raise InvalidRequest(
                "The span must end after it begins, and be shorter than 800 days.", field="end"
            )
        history = await self._store.metrics.history(
            host.id, request.metric, request.start, request.end, request.points
        )
        return await self._typical.add_to(history, host.id) if request.band else history

    async def add(self, call: Call, request: wire.HostSpec) -> wire.HostRow:
        """`hosts.add`: watch a host."""
        if not call.sees(_labels(request)):
            raise PermissionDenied("A host with these labels would be outside your scope.")
        check_means(call, self._fleet.inventory, request)
        async with call.change(
            request.name, body={"address": request.address or request.name, "port": request.port}
        ) as tx:
            host = await self._new(tx, request)
            tx.after_commit(lambda: self._fleet.joined(host))
        assert host.row is not None  # noqa: S101  # joined has shown it
        return host.row

    async def _new(self, tx: Tx, spec: wire.HostSpec) -> Host:
        host_id, now = self._fleet.inventory.new_id(), self._clock.now()
        target = self._fleet.inventory.target(host_id, spec)
        host = Host(host_id, spec, target, now, why="connecting", since=now)
        await self._fleet.inventory.put(tx, host, "screen", new=True)
        return host

    async def edit(self, call: Call, request: wire.EditHost) -> wire.HostRow:
        """`hosts.edit`: replace how a host is reached."""
        spec = request.spec
        call.body |= {"address": spec.address or spec.name, "port": spec.port}
        async with call.change(spec.name) as tx:
            # looked at within the transaction: two may change the same at once
            host = self._editable(call, request)
            await self._fleet.inventory.put(tx, dataclasses.replace(host, spec=spec), "screen", new=False)

            tx.after_commit(lambda: self._fleet.respecified({host.id: spec}))
        assert host.row is not None  # noqa: S101  # every host of the inventory is shown
        return host.row

    def _editable(self, call: Call, request: wire.EditHost) -> Host:
        host, spec, inventory = self._changeable(call, request.host), request.spec, self._fleet.inventory
        if not call.sees(_labels(spec)):
            raise PermissionDenied("A host with these labels would be outside your scope.")
        unless_edited(host.spec, request.before, host.spec.name)
        other = inventory.named(spec.name)
        if other is not None and other.id != host.id:
            raise Conflict(f"There is a host {spec.name} already.", field="name")
        behind = inventory.behind(host)
        if behind and spec.name != host.spec.name:
            raise Conflict(
                f"{counted(len(behind), 'host is', 'hosts are')} reached through {host.spec.name} by this name; change their jump hosts first.",
                field="name",
            )
        check_means(call, inventory, spec, host.spec)
        # raises where the way can't be gone
        inventory.target(host.id, spec)
        return host

    async def remove(self, call: Call, request: wire.RemoveHost) -> Done:
        """`hosts.remove`: stop watching a host."""
        host = self._changeable(call, request.host)
        async with call.change(host.spec.name) as tx:
            unless_changed(self._fleet.inventory.hosts.get(host.id), host, host.spec.name)
            if behind := self._fleet.inventory.behind(host):
                raise Conflict(reached_through(call, behind, host))
            await self._fleet.inventory.delete(tx, host)
            await self._fleet.drift.forget(tx, host.id)
            tx.after_commit(lambda: self._fleet.left(host))
        return Done()

    def _changeable(self, call: Call, name: str) -> Host:
        host = host_asked(self._fleet.inventory, call, name)
        if host.id == LOCAL_ID:
            raise Conflict(
                "This is the engine's own machine; set fleet.watch_this_machine = false to leave it out."
            )
        return host

    async def test(self, call: Call, request: wire.HostRef) -> wire.DoctorReport:
        """`hosts.test`: why it can or can't be reached."""
        host = host_asked(self._fleet.inventory, call, request.host)
        if host.target is None:
            step = wire.DoctorStep(name="this machine", ok=True, words="read directly, without SSH")
            return wire.DoctorReport(ok=True, steps=(step,))
        report = await self._doctor.examine(host.target)
        if report.ok:
            self._fleet.watch.hurry(host.id)
        return report

    async def maintenance(self, call: Call, request: wire.Maintenance) -> wire.HostRow:
        """`hosts.maintenance`: planned work, until a time; None ends it."""
        host = host_asked(self._fleet.inventory, call, request.host)
        until = request.until or 0.0
        async with call.change(host.spec.name, body={"until": int(until), "reason": request.reason}) as tx:
            unless_changed(self._fleet.inventory.hosts.get(host.id), host, host.spec.name)
            await self._fleet.inventory.put_maintenance(tx, host, until, request.reason)

            def done() -> None:
                host.maintenance_until, host.maintenance_reason = until, request.reason
                self._fleet.announce(host)

            tx.after_commit(done)
        assert host.row is not None  # noqa: S101  # every host of the inventory is shown
        return host.row


def _labels(spec: wire.HostSpec) -> dict[str, str]:
    """What scopes of a host that is not there yet are matched against."""
    return {**spec.labels, "environment": spec.environment, "host": spec.name}


def _file_system(host: Host, place: int) -> wire.FileSystem:
    room = host.rooms[place]
    return wire.FileSystem(
        mount=room.mount, kind=room.kind, device=room.device, size_bytes=room.size_bytes, available_bytes=room.available_bytes,
        used_ratio=room.used_ratio, inodes_used_ratio=None if math.isnan(room.inodes_free_ratio) else 1 - room.inodes_free_ratio,
        read_only=room.read_only, hours_to_full=host.hours_to_full(room.mount),
    )  # fmt: skip


def _instances(host: Host, metric: str) -> list[str]:
    prefix = metric + "{"
    names = host.layout.names if host.layout else ()
    return [name[len(prefix) : -1] for name in names if name.startswith(prefix)]


def _nics(host: Host, values: dict[str, float]) -> tuple[wire.Nic, ...]:
    return tuple(
        wire.Nic(
            name=name, receive_bytes_per_second=values.get(f"network_receive_bytes_per_second{{{name}}}"),
            transmit_bytes_per_second=values.get(f"network_transmit_bytes_per_second{{{name}}}"),
            error_ratio=values.get(f"network_error_ratio{{{name}}}"), drop_ratio=values.get(f"network_drop_ratio{{{name}}}"),
        )
        for name in _instances(host, "network_receive_bytes_per_second")
    )  # fmt: skip


def _devices(host: Host, values: dict[str, float]) -> tuple[wire.BlockDevice, ...]:
    return tuple(
        wire.BlockDevice(
            name=name, read_bytes_per_second=values.get(f"disk_read_bytes_per_second{{{name}}}"),
            write_bytes_per_second=values.get(f"disk_write_bytes_per_second{{{name}}}"),
            busy_ratio=values.get(f"disk_busy_ratio{{{name}}}"), await_seconds=values.get(f"disk_await_seconds{{{name}}}"),
            queue=values.get(f"disk_queue{{{name}}}"),
        )
        for name in _instances(host, "disk_read_bytes_per_second")
    )  # fmt: skip
