"""The line at the bottom into which a filter (`/`) or a command (`:`) is typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os.path import commonprefix
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

HISTORY = 100


class _Entry(Input):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
    ]

    def _prompt(self) -> Prompt:
        parent = self.parent
        assert isinstance(parent, Prompt)  # noqa: S101  # by Prompt.compose
        return parent

    def action_leave(self) -> None:
        """Give up."""
        self._prompt().cancel()

    def action_recall(self, by: int) -> None:
        """Older or newer lines."""
        self._prompt().recall(by)

    def on_key(self, event: events.Key) -> None:
        """Tab completes."""
        if event.key == "tab":
            event.stop()
            event.prevent_default()
            self._prompt().complete()


class Prompt(Horizontal):
    """Hidden until it is opened; posts what is typed."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; background: $g-bar; }
    Prompt Static { width: auto; color: $g-accent; text-style: bold; padding: 0 0 0 1; }
    Prompt Input { width: 1fr; height: 1; border: none; padding: 0 1 0 0; background: $g-bar; }
    Prompt Input:focus { border: none; }
    Prompt .hint { color: $g-muted; text-style: none; padding: 0 1; }
    """

    class Typed(Message):
        """The text changed (``done`` False) or was entered."""

        def __init__(self, kind: str, text: str, done: bool) -> None:
            super().__init__()
            self.kind = kind
            self.text = text
            self.done = done

    class Left(Message):
        """It was given up."""

        def __init__(self, kind: str) -> None:
            super().__init__()
            self.kind = kind

    def __init__(
        self,
        complete: Callable[[str], Sequence[str]],
        id: str | None = None,
        *,
        describe: Callable[[str], str] = lambda line: "",
    ) -> None:
        super().__init__(id=id)
        self._complete = complete
        self._describe = describe
        self._kind = "/"
        self._round: list[str] = []
        """What tab goes through."""
        self._tried = ""
        self._lines: dict[str, list[str]] = {}
        self._place = 0

    def compose(self) -> ComposeResult:
        """Sign, input, hint."""
        yield Static("", id="sign", markup=False)
        yield _Entry(id="entry", max_length=500)
        yield Static("", id="hint", classes="hint", markup=False)

    def open(self, kind: str, text: str = "") -> None:
        """Show it: ``/`` or ``:``."""
        self._kind = kind
        self._place = len(self._lines.setdefault(kind, []))
        self.query_one("#sign", Static).update(Content(kind))
        hint = "words  !not  label=value  ~regex  cpu>90" if kind == "/" else "tab completes · ↑ recalls"
        self.query_one("#hint", Static).update(Content(hint if self.app.size.width >= 100 else ""))
        entry = self.query_one("#entry", _Entry)
        entry.value = text
        entry.cursor_position = len(text)
        self.display = True
        # at once, not when the queue comes to it: what is typed ahead must go here
        self.screen.set_focus(entry)

    def say(self, words: str) -> None:
        """A hint or an error at the right end."""
        self.query_one("#hint", Static).update(Content(words))

    def cancel(self) -> None:
        """Hide it."""
        self.display = False
        self.post_message(self.Left(self._kind))

    def recall(self, by: int) -> None:
        """Older or newer lines of this kind."""
        lines = self._lines.get(self._kind, [])
        self._place = max(0, min(len(lines), self._place + by))
        self.query_one("#entry", _Entry).value = lines[self._place] if self._place < len(lines) else ""

    def complete(self) -> None:
        """Complete the first word of a command."""
        if self._kind != ":":
            return
        entry = self.query_one("#entry", _Entry)
        if len(self._round) > 1 and entry.value in self._round:
            # tab again: the next of those that there were
            entry.value = self._round[(self._round.index(entry.value) + 1) % len(self._round)]
        else:
            self._round = found = list(self._complete(entry.value))
            common = commonprefix(found)  # noqa: RUF071  # letter by letter is what is wanted
            if len(found) == 1:
                entry.value = found[0] + " "
            elif len(common) > len(entry.value):
                entry.value = common
            elif found and self._tried == entry.value:
                # there is no telling which: tab again goes through them
                entry.value = next(one for one in found if one != entry.value)
            self._tried = entry.value
        entry.cursor_position = len(entry.value)
        self._offer(self._round)

    def _offer(self, found: Sequence[str]) -> None:
        """Show what the line could become, as far as there is room for it."""
        words, room = "", self.app.size.width // 2
        for word in (one.rsplit(" ", 1)[-1] for one in found):
            if len(words) + len(word) + 3 > room:
                words += " …"
                break
            words += f"  {word}" if words else word
        told = self._describe(self.query_one("#entry", _Entry).value) if len(found) < 2 else ""
        self.say(told[: self.app.size.width // 2] or words)

    def on_input_changed(self, event: Input.Changed) -> None:
        """As it is typed."""
        event.stop()
        if self._kind == ":" and event.value:
            going_round = len(self._round) > 1 and event.value in self._round
            self._offer(self._round if going_round else self._complete(event.value))
        if self.display:
            self.post_message(self.Typed(self._kind, event.value, done=False))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Entered."""
        event.stop()
        lines = self._lines.setdefault(self._kind, [])
        if event.value and (not lines or lines[-1] != event.value):
            lines.append(event.value)
            del lines[:-HISTORY]
        self.display = False
        self.post_message(self.Typed(self._kind, event.value, done=True))
