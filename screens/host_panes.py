"""The panes of a host's page that are read while it is open: top processes, units, what changed, the newest of the log."""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from guardian_tui.protocol.acts import LogLine, LogLines, LogQuery
from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.audit import AuditEvent, AuditPage, AuditQuery
from guardian_tui.protocol.changes import Change, ChangeList, ChangesQuery
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.section_kinds import Cell
from guardian_tui.protocol.sections import SectionQuery, SectionTable
from guardian_tui.text import safe
from widgets import figures
from widgets.box import Box, Line
from widgets.log_list import PRIORITY_PAINTS
from widgets.painting import LEVEL_SIGNS, fit

if TYPE_CHECKING:
    from guardian_tui.app import GuardianApp

TOP_PROCESSES = 12
TOP_UNITS = 40
LOG_LINES = 30
WIDEST = 400
CHANGES_SECONDS = 86400.0
"""What changed in the last day is shown."""
_CHANGE_PAINTS = {
    "state": "text",
    "reboot": "warning",
    "unit": "warning",
    "facts": "text",
    "drift": "critical",
    "mark": "accent",
}
_NOISE = frozenset({"hosts.show", "hosts.section", "session.unlock"})


class Pane(Box):
    """A box that reads what it shows from the engine; says why it could not, and keeps what it had."""

    heading = ""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(self.heading, id=id)

    async def read(self, console: GuardianApp, host_id: str) -> None:
        """Read it again, and show it."""
        try:
            await self.load(console, host_id)
        except GuardianError as error:
            # the banner speaks for an engine that is gone
            if error.code != "engine-unreachable":
                words = textwrap.wrap(safe(error.detail or error.title, 300), self.room)
                self.show([[(line, "muted")] for line in words], note="not read")

    async def load(self, console: GuardianApp, host_id: str) -> None:
        """Ask the engine, and show its answer.

        Raises:
            GuardianError: it was refused or failed.
        """
        raise NotImplementedError

    @property
    def room(self) -> int:
        """Cells of a line; before it is laid out, as many as there may be: what has no room is cut when it is drawn."""
        return max(10, self.size.width - 1) if self.size.width else WIDEST


def _named(table: SectionTable) -> list[dict[str, Cell]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _number(value: Cell) -> float:
    return value if isinstance(value, int | float) else 0.0


class ProcessesPane(Pane):
    """The processes that take most of a processor."""

    heading = "processes"

    async def load(self, console: GuardianApp, host_id: str) -> None:
        """The top by CPU."""
        query = SectionQuery(host=host_id, section="processes", fresh=True, sort="-cpu", most=TOP_PROCESSES)
        table = await console.client.call("hosts.section", SectionTable, query)
        count = len(table.rows) + table.left_out
        self.show([self._line(row) for row in _named(table)], note="cpu ▾")
        self.set_caption(self.heading, str(count), "cpu ▾")

    def _line(self, row: Mapping[str, Cell]) -> Line:
        share = _number(row["cpu"])
        command = self.room - 7 - 1 - 5 - 7
        return [
            (f"{_number(row['pid']):>6.0f} ", "muted"), (fit(str(row["command"]), command), "text"),
            (f"{share * 100:>5.0f}", "critical" if share >= 0.95 else "warning" if share >= 0.7 else "text"),
            (f"{figures.amount(_number(row['memory'])):>7}", "muted"),
        ]  # fmt: skip


class UnitsPane(Pane):
    """Units in trouble."""

    heading = "units"

    async def load(self, console: GuardianApp, host_id: str) -> None:
        """What failed, and what is restarted again and again."""
        table = await console.client.call(
            "hosts.section", SectionTable, SectionQuery(host=host_id, section="units", most=TOP_UNITS)
        )
        rows = _named(table)
        failed = sum(row["active"] == "failed" for row in rows)
        quiet = table.withheld[0].why if table.withheld else "● none is in trouble"
        self.show(
            [self._line(row) for row in rows]
            or [[(words, "muted")] for words in textwrap.wrap(quiet, self.room)]
        )
        self.set_caption(
            self.heading, "", f"{failed} failed" if failed else "", "critical" if failed else "muted"
        )

    def _line(self, row: Mapping[str, Cell]) -> Line:
        bad = row["active"] == "failed"
        age = figures.age(_number(row["age"])) if row["age"] is not None else ""
        restarts = f" {_number(row['restarts']):.0f}×" if _number(row["restarts"]) else ""
        words = f"{row['active']} {age}{restarts}"
        return [
            ("✖ " if bad else "◷ ", "critical" if bad else "accent"),
            (fit(str(row["unit"]).removesuffix(".service"), max(8, self.room - 3 - len(words))) + " ", "text"),
            (words, "critical" if bad else "muted"),
        ]  # fmt: skip


class ChangesPane(Pane):
    """What changed in the last day, and who did what, newest first."""

    heading = "what changed"
    moment = math.inf
    """What came after it is left out."""

    async def load(self, console: GuardianApp, host_id: str) -> None:
        """The engine's notes, the alerts, and the audit log's events about this host where that may be seen."""
        now = console.world.now()
        nothing = "nothing in the last day" if math.isinf(self.moment) else "nothing in the day before"
        self.show(await self._changed(console, host_id, now, self.moment) or [[(nothing, "muted")]])

    async def _changed(
        self, console: GuardianApp, host_id: str, now: float, until: float = math.inf
    ) -> list[Line]:
        """What changed in the day before ``until``, or now."""
        query = ChangesQuery(host=host_id, since=min(now, until) - CHANGES_SECONDS, most=200)
        changes = (await console.client.call("hosts.changes", ChangeList, query)).changes
        events: Sequence[AuditEvent] = ()
        row = console.world.hosts.get(host_id)
        held = console.session.permissions if console.session else ()
        if row is not None and "audit.see" in held:
            page = await console.client.call(
                "audit.list", AuditPage, AuditQuery(limit=50, filter=f"target={row.name}")
            )
            events = [
                event for event in page.events if event.target == row.name and event.action not in _NOISE
            ]
        return changed_lines(
            [change for change in changes if change.at <= until],
            [alert for alert in console.world.alerts_of(host_id) if alert.since <= until],
            [event for event in events if event.time_ms / 1000 <= until],
            now,
            self.room,
        )


class BeforePane(ChangesPane):
    """What changed in the day before an alert, which began at its moment: the newest stands nearest to it."""

    heading = "what changed before"

    async def load(self, console: GuardianApp, host_id: str) -> None:
        """The same as on the host's page, up to that moment and not a second longer."""
        lines = await self._changed(console, host_id, console.world.now(), self.moment - 0.5)
        self.show(lines or [[("nothing in the day before", "muted")]])


def changed_lines(
    changes: Sequence[Change], alerts: Sequence[Alert], events: Sequence[AuditEvent], now: float, room: int
) -> list[Line]:  # fmt: skip
    """Changes, alerts and events as lines, newest first."""
    found: list[tuple[float, str, str, str, str]] = []
    for change in changes:
        kind: str = "deploy" if change.kind == "mark" else change.kind
        by = f"  by {change.actor}" if change.actor else ""
        found.append((change.at, kind, _CHANGE_PAINTS[change.kind], safe(change.words, 300) + by, "text"))
    found += [(alert.since, "⚑", "warning", f"{safe(alert.title, 80)} fired", "warning") for alert in alerts]
    for event in events:
        bad = event.outcome in ("denied", "failed")
        words = f"{safe(event.action, 60)}{f' ({event.outcome})' if bad else ''}  by {safe(event.actor, 40)}"
        found.append((event.time_ms / 1000, "order", "accent", words, "critical" if bad else "muted"))
    lines: list[Line] = []
    for at, kind, kind_paint, words, paint in sorted(found, key=lambda one: -one[0]):
        when = time.strftime("%H:%M" if now - at < 20 * 3600 else "%a %H", time.localtime(at))
        lines.append(
            [
                (fit(when, 6) + " ", "muted"),
                (fit(kind, 7) + " ", kind_paint),
                (fit(words, max(10, room - 15)), paint),
            ]
        )
    return lines


class LogPane(Pane):
    """The newest lines of the journal."""

    heading = "log"

    async def load(self, console: GuardianApp, host_id: str) -> None:
        """What is worse than information first would hide what led to it: all lines, newest at the bottom."""
        answer = await console.client.call("logs.read", LogLines, LogQuery(host=host_id, lines=LOG_LINES))
        room = max(1, self.size.height)
        self.show([self._line(line) for line in answer.lines[-room:]] or [[("no line", "muted")]])
        self.set_caption(self.heading, "journal", "following", "ok")

    def _line(self, line: LogLine) -> Line:
        when = time.strftime("%H:%M:%S", time.localtime(line.at)) if line.at else ""
        words = f"{line.source}: {line.text}" if line.source else line.text
        paint = PRIORITY_PAINTS[line.priority]
        return [
            (fit(when, 8) + " ", "muted"),
            (f"{LEVEL_SIGNS.get(paint, ' ')} ", paint),
            (fit(words, max(10, self.room - 12)), paint),
        ]
