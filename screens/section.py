"""One section of a host, full screen: processes, units, containers…; read when it is opened, and again while it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult

from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.section_kinds import Cell
from guardian_tui.protocol.sections import SECTIONS, SectionQuery, SectionTable, Withheld
from guardian_tui.text import counted, safe
from screens.base import GuardianScreen, filter_crumb
from screens.reports import ReportDialog
from screens.work import begin
from widgets import figures
from widgets.section_list import SectionList
from widgets.state_line import StateLine

REFRESHES = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between two readings, to choose from."""


class SectionScreen(GuardianScreen):
    """A table of one host.

    Args:
        host_id: whose.
        section: its name in the catalogue.
        filtered: the filter to begin with.
    """

    CONTEXT: ClassVar[str] = "section"
    FOOTER_FIRST = (
        "unit.log", "process.signal", "unit.act", "section.tree", "filter", "section.sort", "host.logs", "host.section",
    )  # fmt: skip
    DEFAULT_CSS = """
    SectionScreen #state { height: 1; }
    SectionScreen #rows { height: 1fr; }
    """

    def __init__(self, host_id: str, section: str, filtered: str = "") -> None:
        super().__init__()
        self._host_id = host_id
        self._kind = SECTIONS[section]
        self._table: SectionTable | None = None
        self._filter = filtered
        self._pace = 1
        self._asked_at = 0.0
        self._reading = False
        self._trouble = ""

    def content(self) -> ComposeResult:
        """How old it is, and the rows."""
        yield StateLine(id="state")
        yield SectionList(self._kind, id="rows")

    @property
    def rows(self) -> SectionList:
        """The list."""
        return self.query_one(SectionList)

    @property
    def host_name(self) -> str:
        """The host's name; empty when it is gone."""
        row = self.console.world.hosts.get(self._host_id)
        return row.name if row else ""

    @property
    def section(self) -> str:
        """The section's name."""
        return self._kind.name

    @property
    def contexts(self) -> tuple[str, ...]:
        """What every section has, and what this one has."""
        units = self._kind.name in ("units", "unit_list")
        own = "units" if units else "processes" if self._kind.name == "processes" else "other"
        return (self.CONTEXT, f"section:{own}")

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Fleet, host, section, filter."""
        where = ("fleet", self.host_name or "gone", self._kind.title)
        return (*where, filter_crumb(self._filter)) if self._filter else where

    @property
    def subjects(self) -> tuple[Sequence[str], Sequence[str]]:
        """Its host."""
        return (self._host_id,), ()

    @property
    def chosen(self) -> list[dict[str, Cell]]:
        """The marked rows, or the one under the cursor."""
        return [row for id in self.rows.chosen_ids if (row := self.rows.row(id))]

    def on_mount(self) -> None:
        """Read it."""
        self.rows.focus()
        if self._filter:
            self.filter_typed(self._filter, done=True)
        self._draw()
        self.read()

    def read(self) -> None:
        """Read it again."""
        if self._reading:
            return
        self._reading = True
        self._asked_at = self.console.world.now()
        begin(self, self._read, group="section")

    async def _read(self) -> None:
        query = SectionQuery(host=self._host_id, section=self._kind.name, fresh=not self._kind.period_seconds)
        try:
            table = await self.console.client.call("hosts.section", SectionTable, query)
        except GuardianError as error:
            self._trouble = safe(error.detail or error.title, 300)
        else:
            self._trouble = ""
            self._table = table
            if self.composed:
                self.rows.show(table.rows, self.console.world.now())
        finally:
            self._reading = False
        if self.composed:
            self._draw()

    def tick(self, now: float) -> None:
        """Ages tick; read again when it is time."""
        super().tick(now)
        self._draw()
        if now - self._asked_at >= REFRESHES[self._pace]:
            self.read()

    def _draw(self) -> None:
        table, now = self._table, self.console.world.now()
        shown = len(self.rows.ids)
        of = f"{shown} of {self.rows.count}" if shown != self.rows.count else str(shown)
        self.rows.set_caption(
            self._kind.title, of if table else "", f"every {REFRESHES[self._pace]:.0f} s · > slower < faster"
        )
        if table is None:
            words = self._trouble or f"reading {self._kind.title} of {self.host_name}…"
            self.query_one(StateLine).show([(words, "critical" if self._trouble else "muted")], [])
            return
        left = [(safe(self._kind.help, 200), "muted")]
        if self._trouble:
            left = [(self._trouble, "critical")]
        elif table.withheld:
            left = [(f"! {_withheld_words(table.withheld)} · W says why", "warning")]
        elif table.problems:
            left = [(f"! {table.problems[0]}", "warning")]
        elif table.left_out:
            left = [
                (f"! {counted(table.left_out, 'more row is', 'more rows are')} not shown: filter", "warning")
            ]
        elif not table.rows:
            left = [(f"{self.host_name} has none of these", "muted")]
        old = now - table.measured_at
        stale = old > 3 * max(self._kind.period_seconds, REFRESHES[self._pace]) + 5
        age = f"{'STALE: ' if stale else ''}read {figures.age(old)} ago "
        self.query_one(StateLine).show(left, [(age, "warning" if stale else "muted")], kept=int(stale))

    def filter_typed(self, text: str, *, done: bool) -> None:
        """Filter the rows as it is typed."""
        wanted = self.parsed_filter(text, done=done)
        if wanted is None:
            return
        self._filter = text
        self.rows.expect_filtered()
        self.rows.set_filter(wanted.matches if text.strip() else None)
        self._draw()

    def give_back_focus(self) -> None:
        """Back to the rows."""
        self.rows.focus()

    @property
    def table_shown(self) -> tuple[list[str], list[tuple[object, ...]]]:
        """What `^s` saves."""
        return [column.name for column in self._kind.columns], list(self.rows.rows)

    # --- commands ----------------------------------------------------------------------------------

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Undo one thing: marks, the filter; then back to where it was opened."""
        if self.rows.clear_marks():
            return
        if self._filter:
            self.filter_typed("", done=True)
            return
        self.console.pop_screen()

    def command_mark(self, arguments: tuple[str, ...]) -> None:
        """Mark the row."""
        self.rows.toggle_mark()

    def command_range(self, arguments: tuple[str, ...]) -> None:
        """Mark from the last mark to here."""
        self.rows.mark_range()

    def command_section_sort(self, arguments: tuple[str, ...]) -> None:
        """`S`: the next column; `:sort COLUMN`."""
        names = [column.name for column in self._kind.columns]
        if arguments:
            wanted = next((name for name in names if name.startswith(arguments[0])), "")
            if not wanted:
                self.console.say(
                    f"There is no column {arguments[0]}; there are {', '.join(names)}.", severity="error"
                )
                return
        else:
            at = names.index(self.rows.order.column) if self.rows.order.column in names else -1
            wanted = names[(at + 1) % len(names)]
        self.rows.sort_by(wanted)

    def command_section_reverse(self, arguments: tuple[str, ...]) -> None:
        """`R`: the other way round."""
        self.rows.sort_by(self.rows.order.column or self._kind.key)

    def command_section_tree(self, arguments: tuple[str, ...]) -> None:
        """`t`: as a tree, or flat."""
        if not self._kind.parent:
            self.console.say(f"{self._kind.title} have no parents.", severity="warning")
            return
        self.rows.toggle_tree()

    def command_section_slower(self, arguments: tuple[str, ...]) -> None:
        """`>`."""
        self._pace = min(len(REFRESHES) - 1, self._pace + 1)
        self._draw()

    def command_section_faster(self, arguments: tuple[str, ...]) -> None:
        """`<`."""
        self._pace = max(0, self._pace - 1)
        self._draw()

    def command_section_withheld(self, arguments: tuple[str, ...]) -> None:
        """`W`: what could not be seen, why, and the rule that would let it."""
        table = self._table
        if table is None or not (table.withheld or table.problems):
            self.console.say("Nothing is withheld here.")
            return
        lines: list[tuple[str, str]] = []
        for one in table.withheld:
            lines += [(one.what, "strong"), (one.why, "")]
            lines += [("Let it, with visudo:", "muted"), (one.rule, "good")] if one.rule else []
            lines.append(("", ""))
        lines += [(words, "error") for words in table.problems]
        self.console.push_screen(ReportDialog(f"{self._kind.title}: what could not be seen", lines))


def _withheld_words(withheld: Sequence[Withheld]) -> str:
    first = f"{withheld[0].what}: {withheld[0].why}"
    return first + (f" (and {len(withheld) - 1} more)" if len(withheld) > 1 else "")
