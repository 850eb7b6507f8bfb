"""Parts of a text that are held in memory: its beginning, its end, neither longer than a limit."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable

from guardian_tui.engine.remote.followed import Stream

JOINED_CHARACTERS = 4096
"""Smaller pieces are put together: each takes as much room as fifty characters, and a host may write one letter at a time."""


def size_of(texts: Iterable[str]) -> int:
    """What texts take of the memory."""
    return sum(map(sys.getsizeof, texts))


class Beginning:
    """The beginning of a text, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._room = limit
        self.pieces: list[str] = []

    def add(self, text: str) -> str:
        """More of it; answers what has no room."""
        part, rest = text[: self._room], text[self._room :]
        self._room -= len(part)
        if self.pieces and len(self.pieces[-1]) + len(part) <= JOINED_CHARACTERS:
            self.pieces[-1] += part
        elif part:
            self.pieces.append(part)
        return rest


class Ending:
    """The newest pieces of a text, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self.pieces: deque[tuple[Stream, str]] = deque()
        self.left_out = 0

    def add(self, stream: Stream, text: str) -> None:
        """More of it; what is too old goes."""
        self.left_out += max(0, len(text) - self._limit)
        text = text[-self._limit :]
        self._size += len(text)
        if (
            self.pieces
            and self.pieces[-1][0] == stream
            and len(self.pieces[-1][1]) + len(text) <= JOINED_CHARACTERS
        ):
            text = self.pieces.pop()[1] + text
        self.pieces.append((stream, text))
        while self._size - len(self.pieces[0][1]) >= self._limit:
            _, gone = self.pieces.popleft()
            self._size -= len(gone)
            self.left_out += len(gone)

    @property
    def held_bytes(self) -> int:
        """What it takes of the memory."""
        return size_of(text for _, text in self.pieces)

    def text(self) -> str:
        """All that is there."""
        return "".join(text for _, text in self.pieces)
