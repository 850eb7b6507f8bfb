"""Small questions over a screen: a code, a yes, a text, a choice."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from guardian_tui.text import safe
from screens.forms import Card, Field, SecretInput, Words

_CSS = """
{name} {{ align: center middle; background: $background 60%; }}
{name} Card {{ width: 74; border: round $warning; border-title-color: $warning; }}
"""


class CodeDialog(ModalScreen[str]):
    """Asks for a fresh second factor; answers the code, or empty.

    Args:
        what: what will be done with it, in a person's words.
    """

    DEFAULT_CSS = _CSS.format(name="CodeDialog")
    BINDINGS = [("escape", "dismiss('')", "Not now")]  # as Textual has it

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def compose(self) -> ComposeResult:
        """One field."""
        with Card() as card:
            card.border_title = "a fresh code"
            yield Words(f"{self._what}: this needs a fresh code.")
            yield Field("Code", Input(id="code", max_length=40, placeholder="from your authenticator"))
            yield Words("⏎ go on · esc not now", classes="muted")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter answers."""
        self.dismiss(event.value.strip().replace(" ", ""))


class ConfirmDialog(ModalScreen[bool]):
    """Says what will be done, where, and whether it goes back; y or enter is yes.

    Args:
        title: the title of the box.
        lines: the words, one a line.
        typed: text that must be typed to confirm; empty: a key is enough.
    """

    DEFAULT_CSS = _CSS.format(name="ConfirmDialog")
    BINDINGS = [
        ("escape", "dismiss(False)", "No"),
        ("n", "dismiss(False)", "No"),
        ("y", "yes", "Yes"),
        ("enter", "yes", "Yes"),
    ]

    def __init__(self, title: str, lines: Sequence[str], *, typed: str = "") -> None:
        super().__init__()
        self._title = title
        self._lines = lines
        self._typed = typed

    def compose(self) -> ComposeResult:
        """The words, and the field when something must be typed."""
        with Card() as card:
            card.border_title = Content(safe(self._title, 200))
            yield Words("\n".join(self._lines))
            if self._typed:
                yield Field("Type it", Input(id="typed", placeholder=safe(self._typed, 100)))
            yield Words(
                "⏎ when it stands there · esc no" if self._typed else "y or ⏎ yes · n or esc no",
                id="words",
                classes="muted",
            )

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Only the very text confirms."""
        if event.value.strip() == self._typed:
            self.dismiss(True)
        else:
            self.query_one("#words", Words).say("That is not it. esc leaves everything as it is.", error=True)

    def action_yes(self) -> None:
        """Yes, unless something must be typed."""
        if not self._typed:
            self.dismiss(True)


class TextDialog(ModalScreen[str | None]):
    """Asks for one line of text; answers it, or None.

    Args:
        title: the title of the box.
        words: what is asked.
        value: what stands there first.
        secret: hide it, and keep it from the clipboard.
        needed: what is said beside the field if nothing stands in it; empty: nothing need.
    """

    DEFAULT_CSS = _CSS.format(name="TextDialog")
    BINDINGS = [("escape", "dismiss(None)", "Not now")]  # as Textual has it

    def __init__(
        self, title: str, words: str, value: str = "", *, secret: bool = False, needed: str = ""
    ) -> None:
        super().__init__()
        self._title = title
        self._words = words
        self._value = value
        self._secret = secret
        self._needed = needed

    def compose(self) -> ComposeResult:
        """The words and a field."""
        with Card() as card:
            card.border_title = Content(safe(self._title, 200))
            yield Words(self._words)
            entry = SecretInput(id="text") if self._secret else Input(self._value, id="text", max_length=500)
            yield Field("", entry)
            yield Words("⏎ go on · esc not now", id="keys", classes="muted")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter answers."""
        if self._needed and not event.value.strip():
            self.query_one("#keys", Words).say(f"{self._needed} esc: not now.", error=True)
        else:
            self.dismiss(event.value)
