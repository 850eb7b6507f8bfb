"""Orders on a host's sections: `hosts.section`."""

from __future__ import annotations

from guardian_tui import filter as filters
from guardian_tui.engine.calls import Call, Handler
from guardian_tui.engine.fleet.service import Fleet
from guardian_tui.protocol.sections import SECTIONS, Cell, SectionQuery, SectionTable, Withheld

MOST_ROWS = 5000
"""Of one answer."""


class SectionOrders:
    """Handlers of the routes of sections."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def handlers(self) -> dict[str, Handler]:
        """Route name → handler."""
        return {"hosts.section": self.show}

    async def show(self, call: Call, request: SectionQuery) -> SectionTable:
        """`hosts.section`: one table of one host, filtered."""
        host = self._fleet.inventory.named(request.host)
        call.host_in_scope(host.labels if host else None, f"the host {request.host[:60]!r}")
        assert host is not None  # noqa: S101  # host_in_scope has raised
        wanted = filters.parse(request.filter)
        raw, findings, measured_at, took = await self._fleet.watch.survey.open(
            host, request.section, fresh=request.fresh
        )
        columns = tuple(column.name for column in SECTIONS[request.section].columns)
        rows = [
            row for row in findings.rows if wanted.matches(dict(zip(columns, row, strict=True)), _text(row))
        ]
        return SectionTable(
            host=host.spec.name, section=request.section, columns=columns, rows=tuple(rows[:MOST_ROWS]), measured_at=measured_at,
            took_seconds=took, withheld=tuple(Withheld(what=what, why=why, rule=rule) for what, why, rule in raw.withheld),
            problems=tuple(raw.problems), left_out=max(0, len(rows) - MOST_ROWS),
        )  # fmt: skip


def _text(row: tuple[Cell, ...]) -> str:
    return " ".join(str(cell) for cell in row if isinstance(cell, str)).lower()
