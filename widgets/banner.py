"""A banner above all else: what must be known before anything on screen is believed.  Takes no room when there is nothing to say."""

from __future__ import annotations

from textual.content import Content
from textual.widgets import Static


class Banner(Static):
    """One line of words on a warning ground."""

    DEFAULT_CSS = "Banner { height: auto; max-height: 2; background: $g-banner; color: $g-on-badge; padding: 0 1; display: none; text-style: $g-badge-style; }"

    def __init__(self, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False)
        self._words = ""

    def show(self, words: str) -> None:
        """Say something, or nothing."""
        if words != self._words:
            self._words = words
            self.display = bool(words)
            self.update(Content(words))
