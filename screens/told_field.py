"""A labelled field that says beside itself what is wrong with what stands in it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from screens.forms import Field, Words


class ToldField(Vertical):
    """A field, and a line below it while something is wrong."""

    DEFAULT_CSS = """
    ToldField { height: auto; }
    ToldField Field { margin-bottom: 0; }
    ToldField .told { display: none; height: auto; margin-left: 14; padding-left: 2; color: $g-critical; }
    ToldField.wrong .told { display: block; }
    ToldField.wrong Input, ToldField.wrong Input:focus { border-left: outer $g-critical; }
    """

    def __init__(self, name: str, entry: Input) -> None:
        super().__init__()
        self.field = name
        self.entry = entry

    def compose(self) -> ComposeResult:
        """The field, then what is wrong."""
        yield Field(self.field, self.entry)
        yield Words("", classes="told")

    def tell(self, words: str) -> None:
        """Say what is wrong; empty: nothing is."""
        self.set_class(bool(words), "wrong")
        # the field's name stands before it already
        plain = words.removeprefix(f"{self.field} can't have this value: ")
        self.query_one(".told", Words).say(f"✖ {plain}" if words else "")
        if words:
            self.call_after_refresh(self.scroll_visible, animate=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        """It is being mended."""
        if self.has_class("wrong"):
            self.tell("")
