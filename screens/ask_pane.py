"""The box in which a run asks: words, a field where something is to be typed, numbered answers where one is to be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input

from guardian_tui.text import safe
from screens.forms import SecretInput, Words
from widgets.box import Line
from widgets.lines_pane import LinesPane

MOST_OPTIONS = 9
LINES = 9
"""Lines of words at most."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked.

    Attributes:
        title: of the box.
        paint: of its border: ``accent``, ``warning``, ``critical``, ``ok``, or ``muted`` where nothing is asked.
        lines: the words.
        entry: what stands in the empty field; None for no field.
        value: what stands in the field first.
        secret: the field hides what is typed.
        options: answers of a choice.
    """

    title: str
    paint: str
    lines: tuple[tuple[tuple[str, str], ...], ...] = ()
    entry: str | None = None
    value: str = ""
    secret: bool = False
    options: tuple[str, ...] = ()


def asking_lines(lines: Sequence[Line]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Lines as they can be compared."""
    return tuple(tuple(line) for line in lines)


class AskPane(Vertical):
    """Shows an :class:`Asking`; posts what was entered."""

    DEFAULT_CSS = """
    AskPane { height: auto; border: round $g-border; border-title-color: $g-accent; border-subtitle-color: $g-muted; background: $g-background; }
    AskPane.warning { border: round $g-warning; border-title-color: $g-warning; }
    AskPane.accent { border: round $g-accent; }
    AskPane.critical { border: round $g-critical; border-title-color: $g-critical; }
    AskPane.ok { border: round $g-ok; border-title-color: $g-ok; }
    AskPane LinesPane, AskPane LinesPane:focus { height: 1; border: none; }
    AskPane Input { display: none; height: 1; border: none; border-left: outer $g-warning; padding: 0 1; margin: 0 1; background: $g-bar; }
    AskPane Input:focus { border: none; border-left: outer $g-accent; background: $g-panel; }
    AskPane Input.shown { display: block; }
    AskPane #ask-wrong { display: none; height: auto; max-height: 3; padding: 0 1; color: $g-critical; }
    AskPane.wrong #ask-wrong { display: block; }
    AskPane.wrong Input, AskPane.wrong Input:focus { border-left: outer $g-critical; }
    """

    class Entered(Message):
        """Something was typed, and enter pressed."""

        def __init__(self, value: str) -> None:
            super().__init__()
            self.value = value

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._asking = Asking("", "muted")
        self._choice = 0
        self._wrong = False

    def compose(self) -> ComposeResult:
        """The words, then the field."""
        yield LinesPane(id="ask-words")
        yield Input(id="ask-plain", max_length=8192)
        yield SecretInput(id="ask-secret")
        yield Words("", id="ask-wrong")

    @property
    def width(self) -> int:
        """Cells of a line."""
        return self.query_one(LinesPane).width

    @property
    def entry(self) -> Input | None:
        """The field, if there is one."""
        if self._asking.entry is None:
            return None
        return self.query_one("#ask-secret" if self._asking.secret else "#ask-plain", Input)

    @property
    def choice(self) -> str:
        """The answer that is pointed at."""
        options = self._asking.options
        return options[min(self._choice, len(options) - 1)] if options else ""

    @property
    def typing(self) -> bool:
        """Whether a field of it has the keys."""
        return isinstance(self.screen.focused, Input) and self.screen.focused in self.query(Input)

    def show(self, asking: Asking, *, anew: bool) -> None:
        """Show what is asked; ``anew``: it is another question than before, so nothing is typed yet."""
        if anew:
            self._choice = 0
            self.refuse("")
        if asking == self._asking and not anew:
            return
        self._asking = asking
        for entry in self.query(Input):
            wanted = asking.entry is not None and (entry.id == "ask-secret") == asking.secret
            entry.set_class(wanted, "shown")
            if wanted:
                entry.placeholder = safe(asking.entry or "", 300)
            if anew:
                entry.value = asking.value if wanted else ""
                entry.cursor_position = len(entry.value)
        self._draw()
        if anew:
            found = self.entry
            if found is not None:
                found.focus()
            elif self.typing:
                self.screen.set_focus(None)

    def refuse(self, words: str) -> None:
        """Say beside the field what is wrong with what was answered; empty: nothing is."""
        self._wrong = bool(words)
        self.set_class(self._wrong, "wrong")
        self.query_one("#ask-wrong", Words).say(f"✖ {words}" if words else "")

    def on_input_changed(self, event: Input.Changed) -> None:
        """It is being mended."""
        if self._wrong:
            self.refuse("")

    def _draw(self) -> None:
        asking, pane = self._asking, self.query_one(LinesPane)
        lines: list[Line] = [list(line) for line in asking.lines]
        at = None
        for place, option in enumerate(asking.options):
            chosen = place == self._choice
            if chosen:
                at = len(lines)
            number = f"{place + 1} " if place < MOST_OPTIONS else "  "
            lines.append(
                [
                    ("▌" if chosen else " ", "accent"),
                    (number, "title"),
                    (safe(option, 200), "strong" if chosen else "text"),
                ]
            )
        self.set_classes([asking.paint, "wrong"] if self._wrong else [asking.paint])
        self.border_title = Content(safe(asking.title, 100))
        pane.show(lines, "", at=at)
        pane.styles.height = max(1, min(LINES, len(lines)))

    def point(self, by: int) -> None:
        """Point at another answer."""
        if self._asking.options:
            self.refuse("")
            self._choice = (self._choice + by) % len(self._asking.options)
            self._draw()

    def point_at(self, number: int) -> bool:
        """Point at an answer by its number; False: there is none."""
        if not 1 <= number <= len(self._asking.options):
            return False
        self._choice = number - 1
        self._draw()
        return True

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Entered."""
        event.stop()
        self.post_message(self.Entered(event.value))
