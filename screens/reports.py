"""Lines to read: help, the doctor's report, an import's preview."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from guardian_tui.text import safe


class ReportDialog(ModalScreen[bool]):
    """Shows lines; answers True if they were accepted.

    Args:
        title: the title of the box.
        lines: (words, style class) pairs; classes are ``muted``, ``error``, ``good``, ``strong`` or empty.
        accept: what enter does, in a word; empty: it only closes.
    """

    DEFAULT_CSS = """
    ReportDialog { align: center middle; background: $background 60%; }
    ReportDialog VerticalScroll { width: 86; max-width: 100%; height: auto; max-height: 90%; border: round $primary-darken-2; padding: 1 2;
                                  background: $surface; border-title-color: $primary; border-subtitle-color: $text-muted; }
    ReportDialog Static { height: auto; }
    ReportDialog .muted { color: $text-muted; }
    ReportDialog .error { color: $error; }
    ReportDialog .good { color: $success; }
    ReportDialog .strong { text-style: bold; }
    """
    BINDINGS = [
        ("escape,q,question_mark", "dismiss(False)", "Close"),
        ("enter", "accept", "Accept"),
        ("k", "move(-1)", "Up"),
        ("j", "move(1)", "Down"),
    ]  # as Textual has it

    def __init__(self, title: str, lines: Sequence[tuple[str, str]], *, accept: str = "") -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._accept = accept

    def compose(self) -> ComposeResult:
        """The lines."""
        with VerticalScroll() as scroll:
            scroll.border_title = Content(safe(self._title, 200))
            scroll.border_subtitle = f"⏎ {self._accept} · esc not now" if self._accept else "esc closes"
            for words, style in self._lines:
                line = Static(
                    Content(safe(words.lstrip(" "), 2000, newlines=True) or " "), classes=style or None
                )
                # what goes on in the next line stays under its first word
                line.styles.padding = (0, 0, 0, len(words) - len(words.lstrip(" ")))
                yield line

    def action_move(self, lines: int) -> None:
        """The letters that move in every list."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_accept(self) -> None:
        """Accept, or close."""
        self.dismiss(bool(self._accept))
