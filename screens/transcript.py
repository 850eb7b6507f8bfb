"""The transcript of a run: who did what when, and what came of it; searched, and saved as Markdown or asciicast."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from guardian_tui.protocol.errors import GuardianError
from guardian_tui.protocol.runbooks import Transcript, TranscriptQuery
from guardian_tui.text import safe
from screens.base import GuardianScreen
from screens.work import begin
from widgets.box import Line
from widgets.lines_pane import LinesPane
from widgets.prose import words_lines, wrapped

LONGEST = 4 << 20
"""Characters that are shown; the file that is saved has all."""
KINDS = {"md": "markdown", "cast": "asciicast"}


class TranscriptScreen(GuardianScreen):
    """One transcript.

    Args:
        run_id: of which run.
        words: to be found first.
    """

    CONTEXT: ClassVar[str] = "transcript"
    DEFAULT_CSS = "TranscriptScreen #text { height: 1fr; }"

    def __init__(self, run_id: str, words: str = "") -> None:
        super().__init__()
        self._run_id = run_id
        self._words = words
        self._text: str | None = None
        self._hash = ""
        self._problem = ""

    @property
    def crumbs(self) -> tuple[str, ...]:
        """The run, and what is looked for."""
        run = self.console.world.runbook_runs.get(self._run_id)
        name = safe(run.runbook if run else self._run_id, 60)
        return ("runbook", name, "transcript", *((f"/{safe(self._words, 40)}",) if self._words else ()))

    def content(self) -> ComposeResult:
        """The text."""
        yield LinesPane(id="text")

    @property
    def _pane(self) -> LinesPane:
        return self.query_one(LinesPane)

    def on_mount(self) -> None:
        """Read it."""
        self._pane.focus()
        begin(self, self._read, exclusive=True, group="transcript")

    async def _read(self) -> None:
        try:
            found = await self.console.ask(
                "runbooks.transcript", Transcript, TranscriptQuery(run=self._run_id)
            )
        except GuardianError as error:
            self._problem = error.detail or error.title
            self._draw()
            return
        self._text, self._hash = found.text, found.hash
        self._draw()
        if self._words:
            self.call_after_refresh(self._find)

    def on_lines_pane_resized(self, event: LinesPane.Resized) -> None:
        """Wrap anew."""
        self._draw()

    def _draw(self) -> None:
        if not self.composed:
            return
        pane = self._pane
        if self._text is None:
            pane.show(
                [[(safe(self._problem, 400) or "reading…", "critical" if self._problem else "muted")]],
                "transcript",
            )
            return
        pane.show(
            transcript_lines(self._text, pane.width),
            "transcript",
            f"sha256 {self._hash[:16]}",
            "/ finds · ^s saves",
        )

    def give_back_focus(self) -> None:
        """Back to the text."""
        self._pane.focus()

    def filter_typed(self, text: str, *, done: bool) -> None:
        """`/` finds."""
        if done:
            self._words = text.strip()
            self.refresh_frame()
            if self._words:
                self._find()

    def _find(self, *, back: bool = False) -> None:
        if self._words and not self._pane.find(self._words, back=back):
            self.console.say(f"{self._words!r} is not in it.", severity="warning")

    def command_transcript_next(self, arguments: tuple[str, ...]) -> None:
        """`n`."""
        self._find()

    def command_transcript_previous(self, arguments: tuple[str, ...]) -> None:
        """`N`."""
        self._find(back=True)

    def command_save(self, arguments: tuple[str, ...]) -> None:
        """`^s`: as Markdown; `:save cast`: to be played in a terminal."""
        kind = arguments[0] if arguments else "md"
        if kind == "svg":
            self.console.command_save(arguments)
            return
        if kind not in KINDS:
            self.console.say("A transcript is saved as md or cast, the picture as svg.", severity="error")
            return
        query = TranscriptQuery(run=self._run_id, format=KINDS[kind])  # type: ignore[arg-type]  # one of its words
        self.console.order(
            "runbooks.transcript", Transcript, query, lambda found: self.console.save_text(found.text, kind)
        )

    def command_back(self, arguments: tuple[str, ...]) -> None:
        """Back to where it was opened."""
        self.console.pop_screen()


def transcript_lines(text: str, width: int) -> list[Line]:
    """A transcript line by line, headings and fences told apart."""
    lines: list[Line] = []
    fence = ""
    for line in safe(text, LONGEST, newlines=True).split("\n"):
        mark = line[: len(line) - len(line.lstrip("`"))]
        if len(mark) >= 3 and fence in ("", line.strip()):
            fence = "" if fence else mark
            lines.append([(line[:width], "faint")])
            continue
        paint = (
            "text"
            if fence
            else "title"
            if line.startswith("#")
            else "muted"
            if not line.startswith(("-", "*"))
            else "strong"
        )
        if fence or line.startswith("    "):
            # what ran and what it wrote stand as they are
            lines += [[(part, paint)] for part in wrapped(line, width)]
        else:
            indent = line[: len(line) - len(line.lstrip())]
            lines += words_lines([(line, paint)], width, first=indent, rest=f"{indent}  ") if line else [[]]
    return lines
