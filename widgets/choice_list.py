"""Things to choose from: a line each, marked with space and ranges, with words about the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardian_tui.text import safe
from widgets.live_list import LiveList
from widgets.painting import Piece, fit


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing; what is no choice but only told (a problem) can't be chosen."""

    id: str
    glyph: str
    words: str
    style: str = "text"
    about: tuple[str, ...] = ()
    """Lines about it, shown when the cursor is on it."""
    told: bool = False


class ChoiceList(LiveList):
    """The list."""

    show_cursor_always = True

    def __init__(self, choices: Sequence[Choice], marked: Sequence[str] = (), id: str | None = None) -> None:
        super().__init__(id=id)
        self._choices = {choice.id: choice for choice in choices}
        self._first_marked = marked

    def on_mount(self) -> None:
        """Show them."""
        self.set_order(list(self._choices))
        self.marked |= dict.fromkeys(id for id in self._first_marked if id in self._choices)
        self.redraw_changed()

    def choice(self, id: str) -> Choice | None:
        """The thing of an id."""
        return self._choices.get(id)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Ids of what is marked and can be chosen."""
        return tuple(id for id in self.ids if id in self.marked and not self._choices[id].told)

    def mark_all(self) -> None:
        """Mark everything, or nothing if everything is marked."""
        free = [id for id in self.ids if not self._choices[id].told]
        if all(id in self.marked for id in free):
            self.marked.clear()
        else:
            self.marked |= dict.fromkeys(free)
        self.redraw_changed()

    def say_marks(self) -> None:
        """Its dialog says how many of them can be chosen."""

    def look(self, id: str, width: int) -> object:
        """A choice never changes."""
        return self._choices[id]

    def line(self, id: str, width: int) -> list[Piece]:
        """Glyph and words."""
        choice = self._choices[id]
        return [
            (f"{choice.glyph} ", choice.style),
            (fit(safe(choice.words, 400), max(1, width - 3)), choice.style),
        ]
