"""Plain forms for what is asked of a person: labelled fields, one line of words for errors, one button."""

from __future__ import annotations

from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, Label, Static

from guardian_tui.text import safe

CODE_HINT = "six digits, or a recovery code"


class SecretInput(Input):
    """An input for secrets: hidden, and neither copied nor cut to anybody's clipboard."""

    def __init__(self, placeholder: str = "", *, id: str | None = None) -> None:
        super().__init__(placeholder=placeholder, password=True, id=id)

    def action_copy(self) -> None:
        """Refuse: the clipboard would hold the plain text."""

    def action_cut(self) -> None:
        """Refuse: the clipboard would hold the plain text."""


class Field(Horizontal):
    """A label and its input on one line; without a label the input has all of it."""

    DEFAULT_CSS = """
    Field { height: 1; margin-bottom: 1; }
    Field > Label { width: 14; color: $text-muted; }
    Field > Input { width: 1fr; height: 1; border: none; border-left: outer $g-border; padding: 0 1; background: $g-bar; }
    Field > Input:focus { border: none; border-left: outer $g-accent; background: $g-panel; }
    """

    def __init__(self, label: str, entry: Input) -> None:
        super().__init__()
        self._label = label
        self.entry = entry

    def compose(self) -> ComposeResult:
        """The label, if it has one, then the input."""
        if self._label:
            yield Label(Content(self._label))
        yield self.entry


class Words(Static):
    """A line or paragraph of words; what comes from outside goes in as Content."""

    def __init__(self, text: str = "", *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(Content(safe(text, 8000, newlines=True)), id=id, classes=classes)

    def say(self, text: str, *, error: bool = False) -> None:
        """Show other words."""
        self.set_class(error, "error")
        self.update(Content(safe(text, 8000, newlines=True)))


class Card(Vertical):
    """The box in the middle of a form screen."""

    DEFAULT_CSS = """
    Card { width: 66; max-width: 100%; height: auto; max-height: 100%; border: round $primary-darken-2; padding: 1 2;
           background: $surface; border-title-color: $primary; border-title-align: left; overflow-y: auto; }
    Card Words { margin-bottom: 1; height: auto; }
    Card > Words:last-child { margin-bottom: 0; }
    Card .error { color: $error; }
    Card .muted { color: $text-muted; }
    """


def advise(screen: Screen[Any], words: str) -> None:
    """Show words that stay under a form; none before it is composed, and none after it is gone."""
    for advice in screen.query("#advice").results(Words):
        advice.display = bool(words)
        advice.say(words)
