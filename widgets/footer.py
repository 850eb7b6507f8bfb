"""The one line of footer: the keys that work here and now, and a note at the right end."""

from __future__ import annotations

from dataclasses import dataclass

from textual.strip import Strip

from widgets.painting import Painted, Piece, paint_css, width_of


@dataclass(frozen=True, slots=True)
class FooterKey:
    """A key and its short word."""

    key: str
    word: str
    always: bool = False
    """It stands at the end, and has room whatever else has none."""


class Footer(Painted):
    """Draws keys; those that don't fit are left out whole."""

    DEFAULT_CSS = "Footer { height: 1; background: $g-bar; dock: bottom; }\n" + paint_css("Footer")

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._keys: tuple[FooterKey, ...] = ()
        self._note = ""

    def show(self, keys: tuple[FooterKey, ...], note: str) -> None:
        """Show other keys or another note."""
        if (keys, note) != (self._keys, self._note):
            self._keys, self._note = keys, note
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        width = self.size.width
        note = self._note if width >= 100 else self._note.split(" · ")[0].removeprefix("engine ")
        room = width - len(note) - 3
        pieces: list[Piece] = [(" ", "text")]
        last = [piece for key in self._keys if key.always for piece in _entry(key)]
        for key in self._keys:
            if key.always:
                continue
            entry = _entry(key)
            if width_of(pieces) + width_of(entry) + width_of(last) > room:
                break
            pieces += entry
        pieces += last
        pieces.append((" " * max(0, width - width_of(pieces) - len(note) - 1), "text"))
        pieces.append((f"{note} ", "muted"))
        return Strip(self.segments(pieces)).adjust_cell_length(width).apply_style(self.rich_style)


def _entry(key: FooterKey) -> list[Piece]:
    return [(key.key, "title"), (f" {key.word}  ", "muted")]
