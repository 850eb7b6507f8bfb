"""A dry run from where a run stands: what would run now, over the screen of the run; nothing is run."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from guardian_tui.protocol.runbooks import RunbookPreview
from guardian_tui.text import safe
from widgets.box import Line
from widgets.lines_pane import LinesPane
from widgets.prose import words_lines
from widgets.runbook_lines import plan_step_lines


def preview_lines(preview: RunbookPreview, width: int) -> list[Line]:
    """What stands in the way first, then each step as it would run."""
    lines = words_lines([(safe(preview.blast, 600), "strong")], width) if preview.blast else []
    told = [(words, "critical", "✖ ") for words in preview.problems]
    told += [(words, "warning", "▲ ") for words in preview.warnings]
    if preview.changed:
        words = "other hosts or values than were shown: the step is shown again before it runs"
        told.append((words, "warning", "▲ "))
    for words, paint, sign in told:
        lines += words_lines([(safe(words, 600), paint)], width, first=sign, rest="  ")
    if preview.undo:
        lines += words_lines([("what is still to be taken back, in this order", "strong")], width)
    lines += [[]] if lines else []
    for planned in preview.steps:
        if planned.step.name == preview.step:
            lines.append([("▶ now", "title")])
        lines += plan_step_lines(planned, (), width)
    return lines[:-1]


class PreviewDialog(ModalScreen[None]):
    """Shows a dry run."""

    DEFAULT_CSS = """
    PreviewDialog { align: center middle; background: $background 60%; }
    PreviewDialog LinesPane { width: 100; max-width: 100%; height: 90%; background: $g-background; }
    """
    BINDINGS = [("escape,q,d", "dismiss", "Close")]  # as Textual has it

    def __init__(self, preview: RunbookPreview) -> None:
        super().__init__()
        self._preview = preview

    def compose(self) -> ComposeResult:
        """The lines."""
        yield LinesPane()

    def on_mount(self) -> None:
        """They can be scrolled."""
        self.query_one(LinesPane).focus()
        self._draw()

    def on_lines_pane_resized(self, event: LinesPane.Resized) -> None:
        """Wrap anew."""
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """Beside it closes it."""
        if event.widget is self:
            self.dismiss()

    def _draw(self) -> None:
        pane = self.query_one(LinesPane)
        pane.show(preview_lines(self._preview, pane.width), "dry run", "nothing has run", "esc closes")
