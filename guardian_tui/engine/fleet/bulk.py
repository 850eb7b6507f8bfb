"""Orders on many hosts at once: `hosts.bulk`, `hosts.bulk_maintenance`.

All of it or nothing, in one transaction with one audit event that names every host; the scope is asked for each.  The count that the person saw is
compared again: hosts may have come or gone meanwhile.
"""

from __future__ import annotations

import dataclasses

import msgspec

from guardian_tui import filter as filters
from guardian_tui.engine.calls import Call, Handler, unless_changed
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.inventory import LOCAL_ID
from guardian_tui.engine.fleet.means import check_means
from guardian_tui.engine.fleet.service import Fleet
from guardian_tui.protocol.bulk import BulkEdit, BulkMaintenance, BulkReport, Chosen
from guardian_tui.protocol.errors import Conflict, InvalidRequest, PermissionDenied
from guardian_tui.protocol.fleet import HostSpec
from guardian_tui.rows import host_columns, host_text
from guardian_tui.text import counted

_PLAIN = (
    "environment",
    "credential",
    "jump",
    "user",
    "interval_seconds",
    "command_user",
    "command_credential",
)


class BulkOrders:
    """Handlers of the routes of many hosts."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {"hosts.bulk": self.edit, "hosts.bulk_maintenance": self.maintenance}

    async def edit(self, call: Call, request: BulkEdit) -> BulkReport:
        """`hosts.bulk`: the same change on many hosts."""
        hosts, specs = self._specs(call, request)
        names = tuple(host.spec.name for host in hosts)
        if not self._meant(call, request, len(hosts)):
            return BulkReport(hosts=names, changed=len(specs), unchanged=len(hosts) - len(specs))
        async with call.change() as tx:
            # once more within the transaction: two may change the same hosts at once
            hosts, specs = self._specs(call, request)
            self._meant(call, request, len(hosts))
            names = tuple(host.spec.name for host in hosts)
            call.target, call.body = _target(hosts), {"hosts": list(names), **_event(request)}
            for host in hosts:
                if host.id in specs:
                    changed_host = dataclasses.replace(host, spec=specs[host.id])
                    await self._fleet.inventory.put(tx, changed_host, "", new=False)
            tx.after_commit(lambda: self._fleet.respecified(specs))
        return BulkReport(hosts=names, changed=len(specs), unchanged=len(hosts) - len(specs), done=True)

    def _specs(self, call: Call, request: BulkEdit) -> tuple[list[Host], dict[str, HostSpec]]:
        """The hosts that are meant, and the new specs of those that would be others."""
        hosts = [host for host in self._chosen(call, request) if host.id != LOCAL_ID]
        if not hosts:
            raise InvalidRequest("This is the engine's own machine, which has no settings of its own.")
        specs = {host.id: spec for host in hosts if (spec := changed(host.spec, request)) != host.spec}
        differing = [host for host in hosts if host.id in specs]
        outside = [host.spec.name for host in differing if not call.sees(_labels(specs[host.id]))]
        if outside:
            raise PermissionDenied(f"{_few(outside)} would be outside your scope.")
        inventory = self._fleet.inventory
        for host in differing:
            check_means(call, inventory, specs[host.id], host.spec)
        with inventory.assuming(specs):
            for host in differing:
                # raises where the way can't be gone
                inventory.target(host.id, specs[host.id])
        return hosts, specs

    async def maintenance(self, call: Call, request: BulkMaintenance) -> BulkReport:
        """`hosts.bulk_maintenance`: planned work on many hosts, until a time; None ends it."""
        hosts = self._chosen(call, request)
        until = request.until or 0.0
        names = tuple(host.spec.name for host in hosts)
        if not self._meant(call, request, len(hosts)):
            return BulkReport(hosts=names, changed=len(hosts))
        body = {"hosts": list(names), "until": int(until), "reason": request.reason}
        async with call.change(_target(hosts), body=body) as tx:
            for host in hosts:
                unless_changed(self._fleet.inventory.hosts.get(host.id), host, host.spec.name)
                await self._fleet.inventory.put_maintenance(tx, host, until, request.reason)

            def done() -> None:
                for host in hosts:
                    host.maintenance_until, host.maintenance_reason = until, request.reason
                    self._fleet.announce(host)

            tx.after_commit(done)
        return BulkReport(hosts=names, changed=len(hosts), done=True)

    def _chosen(self, call: Call, request: Chosen) -> list[Host]:
        """The hosts that are meant, by name; one that is named and out of scope is as if it were not there."""
        if bool(request.hosts) == bool(request.filter.strip()):
            raise InvalidRequest("Say which hosts: name them, or give a filter.", field="filter")
        everybody = self._fleet.inventory.hosts
        if request.hosts:
            by_name = {host.spec.name: host for host in everybody.values()}
            found: dict[str, Host] = {}
            for name in request.hosts:
                host = everybody.get(name) or by_name.get(name)
                call.host_in_scope(host.labels if host else None, f"the host {name[:60]!r}")
                assert host is not None  # noqa: S101  # host_in_scope has raised
                found[host.id] = host
            hosts = list(found.values())
        else:
            wanted = filters.parse(request.filter)
            hosts = [
                host
                for host in everybody.values()
                if host.row
                and call.sees(host.labels)
                and wanted.matches(host_columns(host.row), host_text(host.row))
            ]
            if not hosts:
                raise InvalidRequest(f"No host passes {request.filter[:100]!r}.", field="filter")
        return sorted(hosts, key=lambda host: host.spec.name)

    def _meant(self, call: Call, request: Chosen, count: int) -> bool:
        """Whether it is to be done: it was asked for with the count that holds now."""
        if request.count is None:
            call.unchanged = True
            return False
        if request.count != count:
            raise Conflict(
                f"It is {counted(count, 'host')} now, not {request.count}; look again.", field="count"
            )
        return True


def changed(spec: HostSpec, request: BulkEdit) -> HostSpec:
    """A host's spec with the change."""
    fields = {name: value for name in _PLAIN if (value := getattr(request, name)) is not None}
    labels = {k: v for k, v in spec.labels.items() if k not in request.remove_labels} | request.set_labels
    groups = [g for g in spec.groups if g not in request.remove_groups]
    groups += [g for g in request.add_groups if g not in groups]
    return msgspec.structs.replace(spec, **fields, labels=labels, groups=tuple(groups))


def _labels(spec: HostSpec) -> dict[str, str]:
    return {**spec.labels, "environment": spec.environment, "host": spec.name}


def _event(request: BulkEdit) -> dict[str, object]:
    """What was changed, as the audit event says it: strings, lists and dicts of them."""
    said: dict[str, object] = {}
    for name in ("set_labels", "remove_labels", "add_groups", "remove_groups", *_PLAIN):
        value = getattr(request, name)
        if value is None or value in ((), {}):
            continue
        if name == "interval_seconds":
            # no floats in what is hashed
            value = f"{value:g}"
        said[name] = list(value) if isinstance(value, tuple) else value
    return said


def _target(hosts: list[Host]) -> str:
    return hosts[0].spec.name if len(hosts) == 1 else f"{len(hosts)} hosts"


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
