"""Logs, followed: of one host or of several at once, by time; searched as you type."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult

from guardian_tui.protocol.acts import LogLines, LogQuery
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.text import safe
from screens.base import GuardianScreen, filter_crumb
from screens.reports import ReportDialog
from screens.work import begin
from widgets.log_list import HostLine, LogList
from widgets.state_line import StateLine

FOLLOW_SECONDS = 2.0
FIRST_LINES = 300


class LogScreen(GuardianScreen):
    """Follows a log.

    Args:
        host_ids: whose; several are merged by time.
        source: ``journal``, ``unit:NAME`` or ``file:PATH``.
    """

    CONTEXT: ClassVar[str] = "log"
    DEFAULT_CSS = """
    LogScreen #state { height: 1; }
    LogScreen #lines { height: 1fr; }
    """

    def __init__(self, host_ids: Sequence[str], source: str = "journal") -> None:
        super().__init__()
        self._host_ids = tuple(host_ids)
        self._source = source
        self._cursors: dict[str, str] = {}
        self._troubles: dict[str, str] = {}
        self._filter = ""
        self._asked_at = 0.0
        self._reading = False

    def content(self) -> ComposeResult:
        """What is followed, and the lines."""
        yield StateLine(id="state")
        yield LogList(many=len(self._host_ids) > 1, id="lines")

    @property
    def lines(self) -> LogList:
        """The list."""
        return self.query_one(LogList)

    def _called(self, host_id: str) -> str:
        row = self.console.world.hosts.get(host_id)
        return row.name if row else "gone"

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Fleet, hosts, log, search."""
        whose = (
            self._called(self._host_ids[0]) if len(self._host_ids) == 1 else f"{len(self._host_ids)} hosts"
        )
        where = ("fleet", whose, self._source)
        return (*where, filter_crumb(self._filter)) if self._filter else where

    @property
    def subjects(self) -> tuple[Sequence[str], Sequence[str]]:
        """Its hosts."""
        return self._host_ids, ()

    def on_mount(self) -> None:
        """Read."""
        self.lines.focus()
        self._draw()
        self._read_again()

    def _read_again(self) -> None:
        if not self._reading:
            self._reading = True
            self._asked_at = self.console.world.now()
            begin(self, self._read, group="log")

    async def _read(self) -> None:
        try:
            found = await asyncio.gather(*(self._read_one(host_id) for host_id in self._host_ids))
        finally:
            self._reading = False
        if self.composed:
            self.lines.add(line for lines in found for line in lines)
            self._draw()

    async def _read_one(self, host_id: str) -> list[HostLine]:
        query = LogQuery(
            host=host_id, source=self._source, lines=FIRST_LINES, after=self._cursors.get(host_id, "")
        )
        try:
            answer = await self.console.client.call("logs.read", LogLines, query)
        except GuardianError as error:
            self._troubles[host_id] = safe(error.detail or error.title, 300)
            return []
        self._troubles.pop(host_id, None)
        self._cursors[host_id] = answer.cursor
        return [HostLine(answer.host, line) for line in answer.lines]

    def tick(self, now: float) -> None:
        """Read what came."""
        super().tick(now)
        if now - self._asked_at >= FOLLOW_SECONDS:
            self._read_again()
        self._draw()

    def _draw(self) -> None:
        lines = self.lines
        lines.set_caption(
            f"log {self._source}",
            str(len(lines.ids)),
            "following" if lines.following else "not following, f follows",
            "ok" if lines.following else "warning",
        )
        if self._troubles:
            host_id, words = next(iter(self._troubles.items()))
            more = f" (and {len(self._troubles) - 1} more)" if len(self._troubles) > 1 else ""
            self.query_one(StateLine).show([(f"! {self._called(host_id)}: {words}{more}", "critical")], [])
        elif not lines.ids:
            self.query_one(StateLine).show([("no line yet" if self._cursors else "reading…", "muted")], [])
        else:
            self.query_one(StateLine).show(
                [("newest at the bottom · / searches · ⏎ shows a line whole", "muted")], []
            )

    def filter_typed(self, text: str, *, done: bool) -> None:
        """Show only lines that pass, by the grammar of every list: ``priority<4``, ``source=nginx``, words, ``~regex``."""
        wanted = self.parsed_filter(text, done=done)
        if wanted is None:
            return
        self._filter = text

        def passes(one: HostLine) -> bool:
            line = one.line
            columns = {"host": one.host, "source": line.source, "priority": line.priority, "text": line.text}
            return wanted.matches(columns, f"{one.host} {line.source} {line.text}".lower())

        self.lines.set_filter(passes if text.strip() else None)
        self._draw()

    def give_back_focus(self) -> None:
        """Back to the lines."""
        self.lines.focus()

    @property
    def table_shown(self) -> tuple[list[str], list[tuple[object, ...]]]:
        """What `^s` saves."""
        return ["host", "at", "priority", "source", "text"], [
            (one.host, one.line.at, one.line.priority, one.line.source, one.line.text)
            for one in self.lines.lines
        ]

    # --- commands ----------------------------------------------------------------------------------

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """The search first, then back to where it was opened."""
        if self._filter:
            self.filter_typed("", done=True)
        else:
            self.console.pop_screen()

    def command_log_follow(self, arguments: tuple[str, ...]) -> None:
        """`f`."""
        self.lines.follow(not self.lines.following)
        self._draw()

    def command_open(self, arguments: tuple[str, ...]) -> None:
        """The whole line under the cursor."""
        one = self.lines.at(self.lines.cursor_id)
        if one is not None:
            self.console.push_screen(ReportDialog(f"{one.host} · {one.line.source}", [(one.line.text, "")]))
