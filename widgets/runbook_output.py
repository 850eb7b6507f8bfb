"""What a run has written so far, as far as it is kept on screen: whole steps of before, the end of the one that runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from guardian_tui.protocol.runbooks import RunbookPiece, RunbookProgress
from guardian_tui.text import safe
from widgets.box import Line
from widgets.prose import wrapped

STEP_LINES = 400
"""Lines of one attempt that are kept."""
ATTEMPTS = 60
LINE_CHARACTERS = 1000

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

    def lines(self) -> tuple[list[str], bool]:
        """Both put together, and whether something before them is left out."""
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
        self._commands: dict[Attempt, tuple[str, ...]] = {}
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
            written = self._of(attempt)
            lines = [
                safe(prefix + line, LINE_CHARACTERS, newlines=True) for line in text.rstrip("\n").split("\n")
            ]
            written.cut = written.cut or len(written.kept) + len(lines) > STEP_LINES
            written.kept = [*written.kept, *lines][-STEP_LINES:]

    def take_tail(self, progress: RunbookProgress) -> None:
        """The end of what the current step writes, while it runs: what is told later may be another step's."""
        lines = progress.tail.split("\n") if progress.tail else []
        self._of((progress.step, progress.attempt)).tail = [safe(line, LINE_CHARACTERS) for line in lines]

    def settle(self) -> None:
        """What is kept was read: it stands in the place of tails."""
        for written in self._written.values():
            if written.kept:
                written.tail = []

    def take_command(self, attempt: Attempt, commands: Sequence[str]) -> None:
        """What the attempt runs, as it was shown before it ran."""
        if len(self._commands) >= 2 * ATTEMPTS and attempt not in self._commands:
            del self._commands[next(iter(self._commands))]
        self._commands[attempt] = tuple(commands)

    def lines(self, titles: dict[str, str], width: int) -> list[Line]:
        """All of it; ``titles``: what stands above a step of which the command is not known."""
        found: list[Line] = []
        for (step, attempt), written in self._written.items():
            shown, cut = written.lines()
            command = self._commands.get((step, attempt), ())
            if found:
                found.append([])
            again = f"  (attempt {attempt})" if attempt > 1 else ""
            if command:
                for place, line in enumerate(command):
                    sign, paint = ("$ ", "accent") if place == 0 else ("  ", "accent")
                    found += [[(sign, "muted"), (part, paint)] for part in wrapped(line, max(4, width - 2))]
            else:
                found.append([(titles.get(step, safe(step, 100)), "accent"), (again, "muted")])
            if cut:
                found.append([("… what came before is in the transcript", "muted")])
            for line in shown:
                found += [[(part, "text")] for part in wrapped(line, width)]
        return found
