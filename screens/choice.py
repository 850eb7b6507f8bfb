"""One of several: a list to pick from."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from guardian_tui.text import safe


class ChoiceDialog(ModalScreen[str | None]):
    """Answers the id of what was picked, or None.

    Args:
        title: the title of the box.
        choices: (id, words, what they mean).
        at: the one under the cursor at first; empty: the first.
    """

    DEFAULT_CSS = """
    ChoiceDialog { align: center middle; background: $background 60%; }
    ChoiceDialog OptionList, ChoiceDialog OptionList:focus {
                              width: 110; max-width: 100%; height: auto; max-height: 80%; border: round $primary-darken-2; background: $surface;
                              border-title-color: $primary; border-subtitle-color: $text-muted; padding: 0 1;
                              text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS = [
        ("escape,q", "dismiss(None)", "Not now"),
        ("k", "move('up')", "Up"),
        ("j", "move('down')", "Down"),
    ]  # as Textual has it

    def __init__(self, title: str, choices: Sequence[tuple[str, str, str]], *, at: str = "") -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._at = at

    def compose(self) -> ComposeResult:
        """The list."""
        widest = max((len(words) for _, words, _ in self._choices), default=0)
        options = OptionList(
            *(
                Option(
                    Content.assemble((f"{safe(words, 40):<{widest}}  ", "bold"), (safe(help, 200), "dim")),
                    id=id,
                )
                for id, words, help in self._choices
            )
        )
        options.border_title = Content(safe(self._title, 200))
        options.border_subtitle = "⏎ picks · esc not now"
        options.highlighted = next(
            (place for place, one in enumerate(self._choices) if one[0] == self._at), 0
        )
        yield options

    def action_move(self, way: str) -> None:
        """The letters that move in every list."""
        options = self.query_one(OptionList)
        if way == "up":
            options.action_cursor_up()
        else:
            options.action_cursor_down()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click picks."""
        self.dismiss(event.option.id)
