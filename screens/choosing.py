"""Choosing among many things by marks: hosts of an import, host keys to accept."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from guardian_tui.bulk_words import A_FEW
from guardian_tui.text import safe
from screens.dialogs import ConfirmDialog
from widgets.choice_list import Choice, ChoiceList
from widgets.live_list import LiveList

ABOUT_LINES = 6


class ChoiceDialog(ModalScreen[tuple[str, ...]]):
    """Answers the ids of what is marked when enter is pressed; nothing chosen is an empty answer.

    Args:
        title: the title of the box.
        choices: what there is.
        verb: what enter does with the marked ones, in words (``watch``, ``accept``).
        marked: ids that are marked first.
        count: have the number typed in when it is more than a few.
    """

    DEFAULT_CSS = """
    ChoiceDialog { align: center middle; background: $background 60%; }
    ChoiceDialog #box { width: 110; max-width: 100%; height: 90%; background: $surface; }
    ChoiceDialog ChoiceList { height: 1fr; }
    ChoiceDialog #about { height: auto; min-height: 3; max-height: 8; padding: 0 2; color: $text; }
    ChoiceDialog #keys { height: 1; padding: 0 2; color: $text-muted; }
    """
    BINDINGS = [
        ("escape", "dismiss(())", "Not now"),
        ("space", "mark", "Mark"),
        ("v", "range", "Range"),
        ("asterisk", "all", "All"),
        ("enter", "go", "Go on"),
    ]  # as Textual has it

    def __init__(
        self,
        title: str,
        choices: Sequence[Choice],
        verb: str,
        *,
        marked: Sequence[str] = (),
        count: bool = False,
    ) -> None:
        super().__init__()
        self._title = title
        self._choices = choices
        self._verb = verb
        self._marked = marked
        self._count = count

    def compose(self) -> ComposeResult:
        """The list, words about the row under the cursor, the keys."""
        with Vertical(id="box"):
            yield ChoiceList(self._choices, self._marked, id="choices")
            yield Static(id="about")
            yield Static(
                Content(f"space mark · v range · * all · ⏎ {self._verb} the marked ones · esc not now"),
                id="keys",
            )

    def on_mount(self) -> None:
        """The keys go to the list."""
        self._list.focus()
        self._say()

    @property
    def _list(self) -> ChoiceList:
        return self.query_one(ChoiceList)

    @on(LiveList.Highlighted)
    def _about(self, event: LiveList.Highlighted) -> None:
        event.stop()
        choice = self._list.choice(event.id)
        lines = choice.about if choice else ()
        more = [f"and {len(lines) - ABOUT_LINES} more"] if len(lines) > ABOUT_LINES else []
        words = "\n".join(safe(line, 300) for line in [*lines[:ABOUT_LINES], *more])
        self.query_one("#about", Static).update(Content(words))

    def _say(self) -> None:
        self._list.set_caption(self._title, "", f"{len(self._list.chosen)} marked")

    def action_mark(self) -> None:
        """Mark, and go on."""
        self._list.toggle_mark()
        self._say()

    def action_range(self) -> None:
        """Mark from the last mark to here."""
        self._list.mark_range()
        self._say()

    def action_all(self) -> None:
        """Mark all, or none."""
        self._list.mark_all()
        self._say()

    def action_go(self) -> None:
        """Answer; of more than a few the number is typed in first, where that was asked for."""
        chosen = self._list.chosen
        if not chosen:
            self.query_one("#about", Static).update(Content("Nothing is marked: space marks, * marks all."))
        elif not self._count or len(chosen) <= A_FEW:
            self.dismiss(chosen)
        else:

            def typed(yes: bool | None) -> None:
                if yes:
                    self.dismiss(chosen)

            words = ["Type how many you mean."]
            self.app.push_screen(
                ConfirmDialog(f"{self._verb} {len(chosen)}?", words, typed=str(len(chosen))), typed
            )
