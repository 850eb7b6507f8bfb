"""What makes backups on a host already: a line for each repository of each set-up, and all that is known of the one under the cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardian_tui.protocol.discovery import FoundBackups, FoundRepository, FoundSetup
from guardian_tui.text import safe
from widgets import figures
from widgets.box import Box, Line
from widgets.live_list import LiveList
from widgets.painting import Piece, fit


@dataclass(frozen=True, slots=True)
class FoundLine:
    """One line: a set-up with one of its repositories, or without any."""

    id: str
    setup: FoundSetup
    repository: FoundRepository | None


def lines_of(found: FoundBackups) -> list[FoundLine]:
    """The lines, what nobody looks at yet before what is observed."""
    lines = []
    for number, setup in enumerate(found.setups):
        lines += [FoundLine(one.id, setup, one) for one in setup.repositories] or [
            FoundLine(f"-{number}", setup, None)
        ]
    return sorted(
        lines, key=lambda line: (line.repository is None, bool(line.repository and line.repository.observed))
    )


class FoundList(LiveList):
    """The lines."""

    head = 1

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: dict[str, FoundLine] = {}
        self._now = 0.0

    def show(self, lines: Sequence[FoundLine], note: str, now: float) -> None:
        """Show these; ``note`` says what could not be read."""
        self._now = now
        self._lines = {line.id: line for line in lines}
        self.set_order(list(self._lines))
        self.set_caption("found", f"{len(lines)}", note, "warning")
        self.redraw_changed()

    def tick(self, now: float) -> None:
        """Ages tick."""
        self._now = now
        self.redraw_changed()

    def found(self, id: str) -> FoundLine | None:
        """The line of an id."""
        return self._lines.get(id)

    def look(self, id: str, width: int) -> object:
        """The line, and the age of its last run."""
        line = self._lines[id]
        return (line.setup, line.repository, self._age(line.setup))

    def _age(self, setup: FoundSetup) -> str:
        return "" if setup.ran_at is None else figures.age(self._now - setup.ran_at)

    def _places(self, width: int) -> tuple[int, int]:
        runs = 26 if width >= 110 else 0
        return max(10, width - 1 - 15 - 7 - 16 - runs), runs

    def titles(self, width: int) -> list[Piece]:
        """Column titles."""
        place, runs = self._places(width)
        words = f"  {'tool':<15}{fit('repository', place)}{fit('runs', runs)}{'ran':>5}  here"
        return [(fit(words, width - 1), "muted")]

    def line(self, id: str, width: int) -> list[Piece]:
        """One line."""
        one = self._lines[id]
        repository, setup = one.repository, one.setup
        place, runs = self._places(width)
        if repository is None:
            glyph, paint, words, here = "▲", "warning", f"{setup.words}: {setup.file}", ""
        elif repository.observed:
            glyph, paint, words, here = "●", "ok", repository.location, repository.observed
        else:
            glyph, paint = ("▲", "warning") if repository.problem else ("○", "muted")
            words, here = repository.location, "not observed"
        when = next((s.when for s in setup.schedules if s.when), "nothing seen" if repository else "")
        return [
            (f"{glyph} ", paint), (fit(setup.tool, 15), "text"), (fit(safe(words, 1000), place - 1) + " ", "text" if repository else "muted"),
            (fit(safe(when, 200), runs - 1) + " " if runs else "", "muted"), (f"{self._age(setup):>5}  ", "text"),
            (fit(safe(here, 60), 14), "ok" if repository and repository.observed else "muted"),
        ]  # fmt: skip


class FoundDetails(Box):
    """All that is known of one line."""

    def tell(self, line: FoundLine | None, now: float) -> None:
        """Show another line."""
        if line is None:
            self.show([], "set-up")
            return
        setup, one = line.setup, line.repository
        version = f", {setup.version}" if setup.version else ", its program was not found"
        lines: list[Line] = [
            _fact("file", f"{setup.file}{f' [{setup.profile}]' if setup.profile else ''}{version}")
        ]
        if setup.words:
            lines.append(_fact("but", setup.words, "warning"))
        if setup.sources:
            lines.append(_fact("saves", " ".join(setup.sources)))
        for plan in setup.schedules[:3]:
            when = plan.when or "when it is started"
            lines.append(_fact(plan.kind, f"{when}: {plan.what} ({plan.where})"))
        if not setup.schedules:
            lines.append(_fact("runs", "nothing that would run it was seen", "warning"))
        ran = (
            "no sign of a run was seen"
            if setup.ran_at is None
            else f"{figures.age(now - setup.ran_at)} ago: {setup.ran_words}"
        )
        lines.append(_fact("last run", ran))
        if one is not None:
            lines.append(_fact("password", f"from {one.password}" if one.password else "not told there"))
            if one.wants and not one.observed:
                how = "T seals it from there" if one.takes else "is to be given by hand"
                lines.append(_fact("wanted as", f"{', '.join(one.wants)}: {how}"))
            if one.problem:
                lines.append(_fact("but", one.problem, "warning"))
            lines.append(
                _fact(
                    "here",
                    f"observed as {one.observed}" if one.observed else f"would be observed as {one.name}",
                    "ok" if one.observed else "text",
                )
            )
        self.show(lines, one.label or one.location if one else setup.tool)


def _fact(name: str, words: str, paint: str = "text") -> Line:
    return [(fit(name, 14), "muted"), (safe(words, 600), paint)]
