"""Orders on sources of hosts: `hosts.import`, `hosts.sources`, `hosts.forget_source`."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import delete, insert, select

from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.fleet.diff import Planned, Said, in_order, plan, said_of
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.inventory import LOCAL_ID
from guardian_tui.engine.fleet.means import check_means, reached_through
from guardian_tui.engine.fleet.service import Fleet
from guardian_tui.engine.fleet.sources import read_source
from guardian_tui.engine.remote.pins import Pin, Pins, parse_known_hosts, pattern_of
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import import_sources
from guardian_tui.protocol import imports as wire
from guardian_tui.protocol.base import Done, Nothing
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from guardian_tui.protocol.fleet import HostSpec

MOST_TOLD = 200
"""Problems and names in one answer or event; the rest is counted."""


@dataclasses.dataclass(slots=True)
class _Work:
    """An import on its way."""

    planned: list[Planned]
    gone: list[Host]
    pins: list[Pin]
    problems: list[str]
    before: Said
    last_import: float | None
    outside: set[str] = dataclasses.field(default_factory=set)
    """Hosts of the source that are not the caller's to add or change."""


class ImportOrders:
    """Handlers of the routes of sources."""

    def __init__(self, fleet: Fleet, store: Store, pins: Pins, clock: Clock) -> None:
        self._fleet = fleet
        self._store = store
        self._pins = pins
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "hosts.import": self.import_,
            "hosts.sources": self.sources,
            "hosts.forget_source": self.forget,
        }

    async def import_(self, call: Call, request: wire.ImportRequest) -> wire.ImportPreview:
        """`hosts.import`: what a source would change, or, with names, the change; one event for all of it."""
        work = await self._read(call, request)
        if request.names is None and not request.remove:
            call.unchanged = True
            return self._answer(call, work)
        names = set(request.names or ())
        if work.pins and not call.sees({}):
            raise PermissionDenied(
                "Keys of a known_hosts file count for hosts outside your scope too:"
                " leave it out, and accept the key of each host.",
                field="known_hosts",
            )
        if outside := sorted(names & work.outside):
            raise PermissionDenied(f"These hosts would be outside your scope: {', '.join(outside[:10])}.")
        chosen = [one for one in work.planned if one.spec.name in names]
        to_add = in_order([one for one in chosen if one.status == "new"])
        to_change = in_order([one for one in chosen if one.status == "changed"])
        to_remove = self._removable(call, work, request.remove)
        return await self._carry_out(call, request, work, (to_add, to_change), to_remove)

    async def sources(self, call: Call, request: Nothing) -> wire.SourceList:
        """`hosts.sources`: what was imported, by name."""
        async with self._store.read() as conn:
            rows = (await conn.execute(select(import_sources).order_by(import_sources.c.name))).all()
        sources = []
        for row in rows:
            mine, others = self._hosts_of(call, json.loads(row.said))
            if call.sees({}) or mine:
                count = mine + others if call.sees({}) else mine
                sources.append(
                    wire.Source(
                        format=row.format, name=row.name, imported_at=row.imported_at, imported_by=row.imported_by, hosts=count
                    )
                )  # fmt: skip
        return wire.SourceList(sources=tuple(sources))

    def _hosts_of(self, call: Call, names: Iterable[str]) -> tuple[int, int]:
        """How many of a source's hosts are the caller's, and how many are others'."""
        known = {host.spec.name: host.labels for host in self._fleet.inventory.hosts.values()}
        seen = [name in known and call.sees(known[name]) for name in names]
        return sum(seen), len(seen) - sum(seen)

    async def forget(self, call: Call, request: wire.SourceRef) -> Done:
        """`hosts.forget_source`: its hosts stay, and are offered as gone no more."""
        query = select(import_sources.c.said).where(import_sources.c.name == request.name)
        async with call.change(request.name[:200]) as tx:
            said = (await tx.execute(query)).scalar()
            mine, others = self._hosts_of(call, json.loads(said or "{}"))
            if said is None or not (mine or call.sees({})):
                call.denied = said is not None
                raise NotFound(f"No source {request.name[:60]!r} was imported.")
            if others and not call.sees({}):
                raise PermissionDenied("Hosts outside your scope came from it too.")
            await tx.execute(delete(import_sources).where(import_sources.c.name == request.name))
        return Done()

    # --- what would be done ------------------------------------------------------------------------

    async def _read(self, call: Call, request: wire.ImportRequest) -> _Work:
        pins, problems = await asyncio.to_thread(parse_known_hosts, request.known_hosts)
        if request.source is None:
            return _Work([], [], pins, problems, {}, None)
        reading = await asyncio.to_thread(read_source, request.source)
        before, last_import = await self._said(request.source.name)
        mine = {host.spec.name: host for host in self._fleet.inventory.hosts.values()}
        known = {name: host.spec for name, host in mine.items()}
        planned, outside = [], set()
        wanted = plan(reading.entries, known, before)
        coming = {one.spec.name for one in wanted if one.spec.name not in mine}
        for one in wanted:
            host = mine.get(one.spec.name)
            if not call.sees(_labels(one.spec)) or (host is not None and not call.sees(host.labels)):
                outside.add(one.spec.name)
                reading.problems.append(f"{one.entry.where}: {one.spec.name} is outside your scope; left out")
            elif why := self._not_by_them(call, one, host, coming):
                outside.add(one.spec.name)
                reading.problems.append(f"{one.entry.where}: {one.spec.name} is left out: {why}")
            elif host is not None and host.id == LOCAL_ID:
                reading.problems.append(
                    f"{one.entry.where}: {one.spec.name} is the engine's own machine, which is watched without SSH; left out"
                )
            else:
                planned.append(one)
        named = {entry.spec.name for entry in reading.entries}
        gone = [
            host
            for name, host in mine.items()
            if name in before and name not in named and call.sees(host.labels)
        ]
        seen = call.sees({}) or any(name in mine and call.sees(mine[name].labels) for name in before)
        last_import = last_import if seen else None
        return _Work(planned, gone, pins, [*reading.problems, *problems], before, last_import, outside)

    def _not_by_them(self, call: Call, one: Planned, host: Host | None, coming: set[str]) -> str:
        """Why the caller may not have a host reached like this; empty: they may."""
        if call.sees({}):
            # a jump host that is nowhere costs one host, not the import
            return ""
        try:
            check_means(call, self._fleet.inventory, one.spec, host.spec if host else None, coming)
        except (InvalidRequest, PermissionDenied) as error:
            return error.detail
        return ""

    async def _said(self, name: str) -> tuple[Said, float | None]:
        async with self._store.read() as conn:
            row = (await conn.execute(select(import_sources).where(import_sources.c.name == name))).first()
        if row is None:
            return {}, None
        return {
            host: (tuple(said[0]), tuple(said[1])) for host, said in json.loads(row.said).items()
        }, row.imported_at

    def _answer(self, call: Call, work: _Work, **done: int) -> wire.ImportPreview:
        patterns = {name for pin in work.pins if pin.kind == "key" for name in pin.pattern.split(",")}
        more = len(work.problems) - MOST_TOLD
        gone = []
        for host in work.gone:
            behind = [
                other.spec.name if call.sees(other.labels) else "outside your scope"
                for other in self._fleet.inventory.behind(host)
            ]
            gone.append(wire.Gone(name=host.spec.name, behind=tuple(sorted(behind))))
        return wire.ImportPreview(
            found=tuple(
                wire.Found(
                    spec=one.spec, status=one.status, changes=one.changes, where=one.entry.where,
                    unsupported=one.entry.unsupported,
                    pinned=not patterns.isdisjoint(_known_as(one.spec)),
                )
                for one in work.planned
            ),
            gone=tuple(gone),
            problems=tuple([*work.problems[:MOST_TOLD], *([f"and {more} problems more"] if more > 0 else [])]),
            last_import=work.last_import, **done,
        )  # fmt: skip

    def _removable(self, call: Call, work: _Work, names: Sequence[str]) -> list[Host]:
        wanted = set(names)
        missing = wanted - {host.spec.name for host in work.gone}
        if missing:
            raise InvalidRequest(
                f"{sorted(missing)[0]} is not gone from this source; hosts remove takes it out.",
                field="remove",
            )
        going = [host for host in work.gone if host.spec.name in wanted]
        for host in going:
            behind = [o for o in self._fleet.inventory.behind(host) if o.spec.name not in wanted]
            if behind:
                raise Conflict(reached_through(call, behind, host))
        return going

    # --- doing it ----------------------------------------------------------------------------------

    async def _carry_out(
        self, call: Call, request: wire.ImportRequest, work: _Work,
        chosen: tuple[list[Planned], list[Planned]], to_remove: list[Host],
    ) -> wire.ImportPreview:  # fmt: skip
        to_add, to_change = chosen
        inventory = self._fleet.inventory
        added: list[Host] = []
        changed: list[tuple[Host, Planned]] = []
        kept_specs: dict[str, HostSpec] = {}
        async with call.change(request.source.name[:200] if request.source else "known_hosts") as tx:
            try:
                for one in to_add:
                    host = self._made(one, work)
                    if host is not None:
                        await inventory.put(tx, host, _source_of(request), new=True)
                        # those that jump through it must find it
                        inventory.hosts[host.id] = host
                        added.append(host)
                for one in to_change:
                    known = inventory.named(one.spec.name)
                    if known is not None and self._resolves(known.id, one, work):
                        await inventory.put(tx, dataclasses.replace(known, spec=one.spec), "", new=False)
                        kept_specs[known.id] = known.spec
                        known.spec = one.spec
                        changed.append((known, one))
                for host in to_remove:
                    await inventory.delete(tx, host)
                pins = await self._pins.add(tx, work.pins, call.actor)
                await self._remember(tx, call, request, work, added, to_remove)
            finally:
                for host in added:
                    del inventory.hosts[host.id]
                for host, _ in changed:
                    host.spec = kept_specs[host.id]
            call.body = _event(added, changed, to_remove, pins)
            tx.after_commit(lambda: self._done(added, changed, to_remove, pins))
        return self._answer(
            call, work, added=len(added), changed=len(changed), removed=len(to_remove), pins=pins
        )

    def _made(self, one: Planned, work: _Work) -> Host | None:
        host_id, now = self._fleet.inventory.new_id(), self._clock.now()
        if not self._resolves(host_id, one, work):
            return None
        spec = one.spec
        if "interval_seconds" not in one.entry.stated:
            spec = msgspec.structs.replace(spec, interval_seconds=self._fleet.interval_seconds)
        target = self._fleet.inventory.target(host_id, spec)
        return Host(host_id, spec, target, now, one.entry.unsupported, why="connecting", since=now)

    def _resolves(self, host_id: str, one: Planned, work: _Work) -> bool:
        try:
            self._fleet.inventory.target(host_id, one.spec)
        except InvalidRequest as error:
            work.problems.append(f"{one.entry.where}: {one.spec.name} is left out: {error.detail}")
            return False
        return True

    async def _remember(
        self,
        tx: Tx,
        call: Call,
        request: wire.ImportRequest,
        work: _Work,
        added: list[Host],
        removed: list[Host],
    ) -> None:
        """Keep what the source says of the hosts that are ours now."""
        if request.source is None:
            return
        now = said_of(work.planned)
        chosen = set(request.names or ())
        ours = {host.spec.name for host in added} | {
            h.spec.name for h in self._fleet.inventory.hosts.values()
        }
        # of a host that changed and was not chosen it is remembered what was said when it was
        same = {one.spec.name for one in work.planned if one.status == "unchanged"}
        said = {name: work.before[name] for name in work.before if name in ours}
        said |= {name: now[name] for name in now if name in ours and (name in chosen or name in same)}
        for host in removed:
            said.pop(host.spec.name, None)
        await tx.execute(delete(import_sources).where(import_sources.c.name == request.source.name))
        row = {"name": request.source.name, "format": request.source.format, "said": json.dumps(said)}
        await tx.execute(
            insert(import_sources), {**row, "imported_at": self._clock.now(), "imported_by": call.actor}
        )

    def _done(
        self, added: list[Host], changed: list[tuple[Host, Planned]], removed: list[Host], pins: int
    ) -> None:
        for host in added:
            self._fleet.joined(host)
        self._fleet.respecified({host.id: one.spec for host, one in changed})
        for host in removed:
            self._fleet.left(host)
        if pins:
            self._fleet.trusted_more()


def _labels(spec: HostSpec) -> dict[str, str]:
    return {**spec.labels, "environment": spec.environment, "host": spec.name}


def _known_as(spec: HostSpec) -> set[str]:
    address = spec.address or spec.name
    return {spec.name, address, pattern_of(address, spec.port)}


def _source_of(request: wire.ImportRequest) -> str:
    return request.source.format if request.source else "screen"


def _event(
    added: Sequence[Host], changed: Sequence[tuple[Host, Planned]], removed: Sequence[Host], pins: int
) -> dict[str, object]:
    """What the audit event says: how many, and the names as far as they fit."""
    body: dict[str, object] = {
        "added": len(added),
        "changed": len(changed),
        "removed": len(removed),
        "pins": pins,
    }
    lists: Mapping[str, list[str]] = {
        "added_hosts": [host.spec.name for host in added],
        "changed_hosts": [host.spec.name for host, _ in changed],
        "removed_hosts": [host.spec.name for host in removed],
    }
    return body | {key: names[:MOST_TOLD] for key, names in lists.items() if names}
