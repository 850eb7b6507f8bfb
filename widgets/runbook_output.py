"""What a run has written so far, as far as it is kept on screen: whole steps of before, the end of the one that runs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from guardian_tui.protocol.runbooks import RunbookPiece, RunbookProgress
from guardian_tui.text import safe
from widgets.box import Line
from widgets.prose import wrapped
from widgets.shell_text import shell_lines

STEP_LINES = 400
"""Lines of one attempt that are kept."""
ATTEMPTS = 60
LINE_CHARACTERS = 1000
KEPT_CHARACTERS = 1 << 20
"""Of all attempts together; the oldest go."""

TAIL_LINES = 60
"""As many lines as the stream's tail has at most: more were written before them."""

Attempt = tuple[str, int]
"""A step's name, and how often it was begun."""


@dataclass(slots=True)
class _Written:
    kept: list[str] = field(default_factory=list)
    """As it was read from what is kept."""
    tail: list[str] = field(default_factory=list)
    """The end, as the stream brings it."""
    cut: bool = False
    undone: bool = False
    """The command that takes it back stands in it."""
    _told: str = ""
    _wrapped: tuple[int, bool, list[Line]] | None = None

    def keep(self, lines: Sequence[str], *, cut: bool) -> None:
        """More of what is kept; ``cut``: something before it is left out."""
        self.cut = cut or self.cut or len(self.kept) + len(lines) > STEP_LINES
        self.kept = [*self.kept, *lines][-STEP_LINES:]
        self._wrapped = None

    def tell(self, tail: str) -> None:
        """Its end as it is now."""
        if tail != self._told:
            self._told, self._wrapped = tail, None
            self.tail = [safe(line, LINE_CHARACTERS) for line in tail.split("\n")] if tail else []

    def undo(self, lines: Sequence[str]) -> None:
        """What takes it back: all that was written stands above it."""
        shown, cut = self._shown()
        self.kept, self.tail, self._told, self.undone = [], [], "", True
        self.keep([*shown, *lines], cut=cut)

    def forget(self) -> None:
        """What was kept has no room any more."""
        self.kept, self.cut, self._wrapped = [], True, None

    def settle(self) -> None:
        """What is kept was read: it stands in the place of the tail."""
        if self.kept and self.tail:
            self.tail, self._told, self._wrapped = [], "", None

    @property
    def characters(self) -> int:
        """Of what is kept."""
        return sum(map(len, self.kept))

    @property
    def held_bytes(self) -> int:
        """What it takes of the memory."""
        return sum(map(sys.getsizeof, (*self.kept, *self.tail, self._told)))

    def lines(self, width: int) -> tuple[list[Line], bool]:
        """It as it stands on screen, wrapped anew if it or the width has changed; and whether something before it is left out."""
        if self._wrapped is None or self._wrapped[0] != width:
            shown, cut = self._shown()
            self._wrapped = (
                width,
                cut,
                [[(part, "text")] for line in shown for part in wrapped(line, width)],
            )
        return self._wrapped[2], self._wrapped[1]

    def _shown(self) -> tuple[list[str], bool]:
        """What is kept and the tail put together, and whether something before them is left out."""
        if not self.tail or self.kept[-len(self.tail) :] == self.tail:
            return self.kept, self.cut
        if self.tail[0] in self.kept:
            place = len(self.kept) - 1 - self.kept[::-1].index(self.tail[0])
            return [*self.kept[:place], *self.tail][-STEP_LINES:], self.cut
        return self.tail, self.cut or len(self.tail) >= TAIL_LINES or bool(self.kept)


class RunOutput:
    """Output by attempt, in the order in which they came; bounded."""

    def __init__(self) -> None:
        self._written: dict[Attempt, _Written] = {}
        self._commands: dict[Attempt, tuple[str, str]] = {}
        """What stands above an attempt: the command, and what is to be said of it."""
        self.newest = 0
        """Number of the newest piece that was taken."""

    def _of(self, attempt: Attempt) -> _Written:
        while len(self._written) >= ATTEMPTS and attempt not in self._written:
            del self._written[next(iter(self._written))]
        return self._written.setdefault(attempt, _Written())

    def take_pieces(self, pieces: Iterable[RunbookPiece], *, named: bool) -> None:
        """Output as it was kept; ``named``: lines begin with their host."""
        texts: dict[tuple[Attempt, str], str] = {}
        for piece in pieces:
            if piece.number > self.newest:
                self.newest = piece.number
                key = ((piece.step, piece.attempt), piece.host)
                texts[key] = texts.get(key, "") + piece.text
        for (attempt, host), text in texts.items():
            prefix = f"{host}: " if named else ""
            found = text.rstrip("\n").split("\n")
            # what has no room need not be made harmless
            lines = [safe(prefix + line, LINE_CHARACTERS, newlines=True) for line in found[-STEP_LINES:]]
            self._of(attempt).keep(lines, cut=len(found) > STEP_LINES)
        room = KEPT_CHARACTERS
        for written in reversed(self._written.values()):
            room -= written.characters
            if room < 0:
                written.forget()

    def take_tail(self, progress: RunbookProgress) -> None:
        """The end of what the current step writes, while it runs: what is told later may be another step's."""
        self._of((progress.step, progress.attempt)).tell(progress.tail)

    def settle(self) -> None:
        """What is kept was read: it stands in the place of tails."""
        for written in self._written.values():
            written.settle()

    def __bool__(self) -> bool:
        """Whether there is anything to be read."""
        return bool(self._written)

    @property
    def held_bytes(self) -> int:
        """What it takes of the memory."""
        commands = sum(map(sys.getsizeof, (text for texts in self._commands.values() for text in texts)))
        return commands + sum(written.held_bytes for written in self._written.values())

    def take_command(self, attempt: Attempt, command: str, note: str = "", *, begun: bool = False) -> None:
        """What the attempt runs, as it was shown before it ran, and a word on it; ``begun``: it stands there before anything is written."""
        if begun:
            self._of(attempt)
        if len(self._commands) >= 2 * ATTEMPTS and attempt not in self._commands:
            del self._commands[next(iter(self._commands))]
        self._commands[attempt] = (command, note)

    def take_undo(self, attempt: Attempt, commands: Sequence[str]) -> None:
        """What takes the attempt back: it stands below what that has written."""
        written = self._of(attempt)
        if not written.undone:
            lines = [f"{'  ' if place else '$ '}{line}" for place, line in enumerate(commands)]
            written.undo(lines)

    def lines(self, titles: dict[str, str], width: int) -> list[Line]:
        """All of it; ``titles``: what stands above a step of which the command is not known."""
        found: list[Line] = []
        for (step, attempt), written in self._written.items():
            shown, cut = written.lines(width)
            command, note = self._commands.get((step, attempt), ("", ""))
            if found:
                found.append([])
            again = f"  (attempt {attempt})" if attempt > 1 else ""
            if command:
                found += shell_lines(command, width, "accent")
                found += [[(note, "muted")]] if note else []
            else:
                found.append([(titles.get(step, safe(step, 100)), "accent"), (again, "muted")])
            if cut:
                found.append([("… what came before is in the transcript", "muted")])
            found += shown
        return found
