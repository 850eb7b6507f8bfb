"""What a run wrote, as it writes it, and what came of it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import VerticalScroll

from guardian_tui.commands import Command
from guardian_tui.protocol.backups import RunDetail, RunRef, RunRow
from guardian_tui.protocol.errors import GuardianError
from guardian_tui.text import counted, safe
from screens.base import GuardianScreen
from screens.work import begin
from widgets import figures
from widgets.backups_list import progress_facts, progress_pieces, verdict_paint
from widgets.box import Box, Line, folded
from widgets.told_log import log_lines

FOLLOW_SECONDS = 2.0


class RunLogScreen(GuardianScreen):
    """The end of a run's log; it follows while the run goes on.

    Args:
        run: as it is known.
    """

    CONTEXT: ClassVar[str] = "run"
    DEFAULT_CSS = """
    RunLogScreen #words { height: auto; max-height: 12; }
    RunLogScreen #scroll { height: 1fr; }
    RunLogScreen #log { height: auto; }
    """

    def __init__(self, run: RunRow) -> None:
        super().__init__()
        self._run = run
        self._detail: RunDetail | None = None
        self._asked_at = 0.0

    @property
    def run(self) -> RunRow:
        """The run."""
        return self.console.world.runs.get(self._run.id, self._run)

    @property
    def _row(self) -> RunRow:
        """The run as far as it is known: the stream forgets those that ended long ago."""
        detail = self._detail
        return detail.row if detail is not None and detail.row.state in ("ended", "lost") else self.run

    def offered(self) -> list[Command]:
        """A run that is over can't be ended."""
        over = self._row.state in ("ended", "lost")
        return [command for command in super().offered() if not over or command.name != "backup.cancel"]

    @property
    def crumbs(self) -> tuple[str, ...]:
        """Backups, the job, the run."""
        return ("backups", safe(self._run.job or self._run.repository, 60), self._run.operation)

    def content(self) -> ComposeResult:
        """What came of it, then the log."""
        yield Box("run", id="words")
        with VerticalScroll(id="scroll"):
            yield Box("log", id="log")

    def on_mount(self) -> None:
        """The log is scrolled."""
        self.query_one("#scroll").focus()

    def on_screen_resume(self) -> None:
        """Read it again."""
        super().on_screen_resume()
        self._load()

    def tick(self, now: float) -> None:
        """Follow it while it goes on."""
        super().tick(now)
        self._draw()
        over = self._detail is not None and self._detail.row.state in ("ended", "lost")
        if not over and now - self._asked_at >= FOLLOW_SECONDS:
            self._load()

    def _load(self) -> None:
        self._asked_at = self.console.world.now()
        begin(self, self._read, exclusive=True, group="log")

    async def _read(self) -> None:
        try:
            self._detail = await self.console.client.call("backups.log", RunDetail, RunRef(run=self._run.id))
        except GuardianError as error:
            if error.status != 503:
                self.console.say_error(error)
            return
        self._draw()
        self.refresh_frame()
        if self._detail.row.state == "running":
            self.query_one("#scroll", VerticalScroll).scroll_end(animate=False)

    def _draw(self) -> None:
        if not self.composed:
            return
        detail, row, now = self._detail, self._row, self.console.world.now()
        self.query_one("#words", Box).show(
            _words(row, now, self.app.size.width - 3),
            title=f"{row.operation} of {safe(row.job or row.repository, 60)} on {safe(row.host, 253)}",
        )
        if detail is not None:
            lines: list[Line] = [[(safe(words, 500), "warning")] for words in detail.warnings]
            lines += [[(safe(line, 500), "text")] for line in log_lines(detail.log)]
            self.query_one("#log", Box).show(
                lines or [[("it has written nothing yet", "muted")]],
                note="its end" if len(lines) > 390 else "",
            )
        self._fit()

    def _fit(self) -> None:
        """Boxes are as high as what is in them."""
        for box in self.query(Box):
            box.refresh(layout=True)

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Back to where it was opened."""
        self.console.pop_screen()


_WAYS = {"backup": "to", "copy": "to", "restore": "from", "drill": "from"}
"""What a run does with its repository."""


def _words(row: RunRow, now: float, room: int) -> list[Line]:
    if row.state in ("queued", "running"):
        lines: list[Line] = [[(f"◷ {row.state}  ", "accent"), *progress_pieces(row, 30)]]
        lines += [
            line
            for label, words in progress_facts(row)
            for line in folded(f"{label:<10}", words, room, "text")
        ]
    else:
        paint = verdict_paint(row.verdict)
        lines = folded(f"{row.verdict or row.state:<8}  ", safe(row.words, 400), room, "strong", paint)
        if row.advice:
            lines += folded("do        ", safe(row.advice, 400), room)
    took = "" if row.started_at is None else f", {figures.age((row.ended_at or now) - row.started_at)}"
    rows = [
        ("by", f"{row.by}, attempt {row.attempt}{took}"), (_WAYS.get(row.operation, "in"), row.repository), ("snapshot", row.snapshot),
        ("saved", f"{counted(row.files, 'file')}, {figures.size(row.bytes or 0)}, {figures.size(row.added_bytes or 0)} new" if row.files is not None else ""),
        ("compared", f"{counted(row.compared, 'file')}, {len(row.mismatches)} differ" if row.compared else ""), ("differ", " ".join(row.mismatches[:10])),
        ("warnings", f"{row.warnings}" if row.warnings else ""),
    ]  # fmt: skip
    return [
        *lines,
        *([(f"{label:<10}", "muted"), (safe(words, 400), "text")] for label, words in rows if words),
    ]
