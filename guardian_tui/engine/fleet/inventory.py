"""Hosts in the store, and the way to each: jump names resolved to targets."""

from __future__ import annotations

import getpass
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import msgspec
from sqlalchemy import delete, insert, select, update

from guardian_tui.engine.fleet import local
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.remote.target import Target
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import hosts, meta
from guardian_tui.protocol.errors import Conflict, InvalidRequest
from guardian_tui.protocol.fleet import HostSpec

LOCAL_ID = "local"


def own_user() -> str:
    """The name of the engine's Unix user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


class Inventory:
    """All hosts by id."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.hosts: dict[str, Host] = {}

    async def load(self) -> list[str]:
        """Read all hosts; answers what could not be read."""
        problems = []
        async with self._store.read() as conn:
            rows = (await conn.execute(select(hosts).order_by(hosts.c.name))).all()
        for row in rows:
            try:
                spec = msgspec.json.decode(row.spec, type=HostSpec)
            except msgspec.DecodeError as error:
                problems.append(f"host {row.name} can't be read from the store: {error}")
                continue
            self.hosts[row.id] = Host(
                row.id, spec, None, row.adopted_at, tuple(json.loads(row.unsupported)), row.maintenance_until, row.maintenance_reason,
                since=row.adopted_at,
            )  # fmt: skip
        for host in self.hosts.values():
            try:
                host.target = self.target(host.id, host.spec)
            except InvalidRequest as error:
                host.why = error.detail
                problems.append(f"{host.spec.name}: {error.detail}")
                host.target = Target(
                    host.id, host.spec.name, host.spec.address or host.spec.name, host.spec.port, own_user()
                )
        return problems

    def named(self, name: str) -> Host | None:
        """A host by id or by name."""
        found = self.hosts.get(name)
        return found or next((host for host in self.hosts.values() if host.spec.name == name), None)

    def way(self, host: str) -> Way | None:
        """The way to a host for commands, by id or by name; an empty name is this machine."""
        found = self.named(host or LOCAL_ID)
        return _way(found) if found else None

    def ways(self) -> list[Way]:
        """The ways to all."""
        return [_way(host) for host in self.hosts.values()]

    def target(self, host_id: str, spec: HostSpec, on_the_way: tuple[str, ...] = ()) -> Target:
        """The way to a host; its jump hosts are hosts of the inventory.

        Raises:
            InvalidRequest: a jump host is not in the inventory, or they jump in a circle.
        """
        if spec.command_credential == "ask":
            raise InvalidRequest(
                "What runs there at night can ask nobody: give the command credential a key or a secret.",
                field="command_credential",
            )
        if spec.name in on_the_way:
            raise InvalidRequest(
                f"The jump hosts go in a circle: {' → '.join((*on_the_way, spec.name))}.", field="jump"
            )
        hops: list[Target] = []
        for name in spec.jump:
            hop = self.named(name)
            if hop is None:
                raise no_jump_host(name)
            if hop.id == LOCAL_ID:
                continue
            first = self.target(hop.id, hop.spec, (*on_the_way, spec.name))
            hops += [*first.jump, first] if not hops else [_through(first, tuple(hops))]
        labels = {**spec.labels, "environment": spec.environment, "host": spec.name}
        return Target(
            host_id, spec.name, spec.address or spec.name, spec.port, spec.user or own_user(), spec.credential, tuple(hops), labels
        )  # fmt: skip

    def addresses(self) -> dict[tuple[str, int], list[Mapping[str, str]]]:
        """Labels of the hosts at each address and port."""
        found: dict[tuple[str, int], list[Mapping[str, str]]] = {}
        for host in self.hosts.values():
            if host.target is not None:
                found.setdefault((host.target.address, host.target.port), []).append(host.labels)
        return found

    def behind(self, host: Host) -> list[Host]:
        """The hosts that name it as a jump host of theirs."""
        return [other for other in self.hosts.values() if host.spec.name in other.spec.jump]

    def through(self, host: Host) -> list[Host]:
        """All hosts whose way leads through it, however far behind."""
        return [
            other
            for other in self.hosts.values()
            if other.target is not None and any(hop.host_id == host.id for hop in other.target.jump)
        ]

    @staticmethod
    def new_id() -> str:
        """An id for a new host."""
        return secrets.token_hex(8)

    async def put(self, tx: Tx, host: Host, source: str, *, new: bool) -> None:
        """Write a host."""
        row = {
            "name": host.spec.name, "spec": msgspec.json.encode(host.spec).decode(), "unsupported": json.dumps(host.unsupported),
            "maintenance_until": host.maintenance_until, "maintenance_reason": host.maintenance_reason,
        }  # fmt: skip
        if new:
            if self.named(host.spec.name):
                raise Conflict(f"There is a host {host.spec.name} already.", field="name")
            await tx.execute(
                insert(hosts), {"id": host.id, "adopted_at": host.adopted_at, "source": source, **row}
            )
        else:
            await tx.execute(update(hosts).where(hosts.c.id == host.id).values(**row))

    @contextmanager
    def assuming(self, specs: Mapping[str, HostSpec]) -> Iterator[None]:
        """Inside, these hosts have these specs: so that ways can be looked for before anything is written."""
        before = {host_id: self.hosts[host_id].spec for host_id in specs}
        try:
            for host_id, spec in specs.items():
                self.hosts[host_id].spec = spec
            yield
        finally:
            for host_id, spec in before.items():
                self.hosts[host_id].spec = spec

    async def put_maintenance(self, tx: Tx, host: Host, until: float, reason: str) -> None:
        """Write the planned work of a host, or of the engine's own machine."""
        if host.id == LOCAL_ID:
            await self.put_own_maintenance(tx, local.machine_name(), until, reason)
        else:
            changed = replace(host, maintenance_until=until, maintenance_reason=reason)
            await self.put(tx, changed, "", new=False)

    async def put_own_maintenance(self, tx: Tx, machine: str, until: float, reason: str) -> None:
        """Write the planned work of the engine's own machine, which is no row of the inventory."""
        key = f"maintenance:{machine}"
        await tx.execute(delete(meta).where(meta.c.key == key))
        if until:
            await tx.execute(insert(meta), {"key": key, "value": json.dumps([until, reason])})

    async def own_maintenance(self, machine: str) -> tuple[float, str]:
        """Until when work is planned on the engine's own machine, and why; 0 if none is."""
        async with self._store.read() as conn:
            query = select(meta.c.value).where(meta.c.key == f"maintenance:{machine}")
            value = (await conn.execute(query)).scalar()
        until, reason = json.loads(value) if value else (0.0, "")
        return float(until), str(reason)

    async def delete(self, tx: Tx, host: Host) -> None:
        """Delete a host; who asks has seen to those behind it."""
        await tx.execute(delete(hosts).where(hosts.c.id == host.id))


def no_jump_host(name: str) -> InvalidRequest:
    """What is said of a jump host that is not there."""
    return InvalidRequest(f"The jump host {name} is not in the inventory; add it first.", field="jump")


def _through(target: Target, hops: tuple[Target, ...]) -> Target:
    return replace(target, jump=hops)


def _way(host: Host) -> Way:
    return Way(host.id, host.spec.name, host.labels, command_target(host))


def command_target(host: Host) -> Target | None:
    """The way to a host for commands: the probe's, unless it has a credential of its own for them; None for this machine."""
    target, spec = host.target, host.spec
    if target is None or not (spec.command_user or spec.command_credential):
        return target
    return replace(
        target, user=spec.command_user or target.user, credential=spec.command_credential or target.credential, purpose="commands"
    )  # fmt: skip
