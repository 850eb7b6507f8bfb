"""Orders on a host's sections: `hosts.section`."""

from __future__ import annotations

from collections.abc import Callable

from guardian_tui import filter as filters
from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.fleet.asked import host_asked
from guardian_tui.engine.fleet.service import Fleet
from guardian_tui.protocol.changes import Change, ChangeList, ChangesQuery, SetMark
from guardian_tui.protocol.errors import Conflict, InvalidRequest
from guardian_tui.protocol.fleet import HostRef
from guardian_tui.protocol.section_kinds import Cell, Column
from guardian_tui.protocol.section_order import Rank, rank
from guardian_tui.protocol.sections import (
    SECTIONS,
    AcceptDrift,
    Differences,
    SectionQuery,
    SectionTable,
    Withheld,
)
from guardian_tui.text import counted, safe


class SectionOrders:
    """Handlers of the routes of sections."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {
            "hosts.section": self.show,
            "hosts.drift": self.drift,
            "hosts.accept_drift": self.accept_drift,
            "hosts.changes": self.changes,
            "hosts.mark": self.mark,
        }

    async def show(self, call: Call, request: SectionQuery) -> SectionTable:
        """`hosts.section`: one table of one host, filtered."""
        host = host_asked(self._fleet.inventory, call, request.host)
        wanted = filters.parse(request.filter)
        raw, findings, measured_at, took = await self._fleet.watch.survey.open(
            host, request.section, fresh=request.fresh
        )
        kind = SECTIONS[request.section]
        columns = tuple(column.name for column in kind.columns)
        rows = [
            row for row in findings.rows if wanted.matches(dict(zip(columns, row, strict=True)), _text(row))
        ]
        if request.sort:
            rows.sort(key=sort_key(kind.columns, request.sort))
        return SectionTable(
            host=host.spec.name, section=request.section, columns=columns, rows=tuple(rows[: request.most]), measured_at=measured_at,
            took_seconds=took, withheld=tuple(Withheld(what=what, why=why, rule=rule) for what, why, rule in raw.withheld),
            problems=tuple(raw.problems), left_out=max(0, len(rows) - request.most),
        )  # fmt: skip

    async def changes(self, call: Call, request: ChangesQuery) -> ChangeList:
        """`hosts.changes`: what changed on one host."""
        host = host_asked(self._fleet.inventory, call, request.host)
        return ChangeList(changes=tuple(await self._fleet.changes.of(host.id, request.since, request.most)))

    async def mark(self, call: Call, request: SetMark) -> Change:
        """`hosts.mark`: a deploy, say."""
        host = host_asked(self._fleet.inventory, call, request.host)
        async with call.change(host.spec.name, body={"words": safe(request.words, 200)}) as tx:
            return await self._fleet.changes.mark(tx, host.id, request.words, call.actor)

    async def drift(self, call: Call, request: HostRef) -> Differences:
        """`hosts.drift`: what differs on one host."""
        host = host_asked(self._fleet.inventory, call, request.host)
        return Differences(host=host.spec.name, differences=self._fleet.drift.of(host.id))

    async def accept_drift(self, call: Call, request: AcceptDrift) -> Differences:
        """`hosts.accept_drift`: take what is there now as meant."""
        host = host_asked(self._fleet.inventory, call, request.host)
        found = [one for one in self._fleet.drift.of(host.id) if request.section in ("", one.section)]
        if len(found) != request.count:
            raise Conflict(
                f"{counted(len(found), 'item differs', 'items differ')} now, not {request.count}: look again.",
                field="count",
            )
        items = [f"{one.kind} {one.section} {one.item}" for one in found[:100]]
        async with call.change(host.spec.name, body={"count": len(found), "items": items}) as tx:
            await self._fleet.drift.accept(tx, host.id, request.section, call.actor)
        self._fleet.watch.resurvey(host.id)
        return Differences(host=host.spec.name, differences=self._fleet.drift.of(host.id))


def _text(row: tuple[Cell, ...]) -> str:
    return " ".join(str(cell) for cell in row if isinstance(cell, str)).lower()


def sort_key(columns: tuple[Column, ...], sort: str) -> Callable[[tuple[Cell, ...]], Rank]:
    """The key by which rows are sorted: what is not known stands last either way.

    Raises:
        InvalidRequest: there is no such column.
    """
    name = sort.lstrip("-")
    names = [column.name for column in columns]
    if name not in names:
        raise InvalidRequest(f"There is no column {name[:60]!r}; there are {', '.join(names)}.", field="sort")
    place, falling = names.index(name), sort.startswith("-")
    return lambda row: rank(row[place], columns[place], falling=falling)
