"""The one line of header: program, environment, where we are, counts, who, clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from textual.strip import Strip

from guardian_tui.protocol.fleet import HostState
from guardian_tui.text import safe
from widgets.painting import STATE_GLYPHS, Painted, Piece, clip, fit, paint_css, width_of

SHORTEST_CRUMB = 8
"""Cells that are left of a word where there is no room: counts come before it."""


@dataclass(frozen=True, slots=True)
class HeaderLine:
    """What the header shows."""

    environment: str = ""
    crumbs: tuple[str, ...] = ()
    states: Mapping[HostState, int] = field(default_factory=dict)
    alerts: int = 0
    critical: int = 0
    """Of the alerts those that are critical."""
    who: str = ""
    role: str = ""
    advisory: bool = False
    clock: str = ""
    runs: int = 0
    """Runs of runbooks that have not ended."""
    waiting: int = 0
    """Of them those that wait for an approval."""


class Header(Painted):
    """Draws a :class:`HeaderLine`; parts fall away from the right on narrow terminals."""

    DEFAULT_CSS = "Header { height: 1; background: $g-bar; }\n" + paint_css("Header")

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._line = HeaderLine()

    def show(self, line: HeaderLine) -> None:
        """Show other figures."""
        if line != self._line:
            self._line = line
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """The line."""
        width, line = self.size.width, self._line
        left: list[Piece] = [(" ", "text"), ("guardian", "title"), (" ", "text")]
        if line.environment:
            badge = line.environment if line.environment in ("prod", "staging") else "other"
            left.append((f" {safe(line.environment, 20)} ", badge))
        begun = len(left)
        for crumb in line.crumbs:
            left += [(" › ", "muted"), (safe(crumb, 40), "text")]
        middle: list[Piece] = []
        for state, (glyph, name) in STATE_GLYPHS.items():
            count = line.states.get(state, 0)
            if count or state in ("up", "down"):
                middle += [
                    (f"{glyph} ", name if count else "faint"),
                    (f"{count}   ", "text" if count else "faint"),
                ]
        middle += [
            ("⚑ ", "warning" if line.alerts else "faint"),
            (f"{line.alerts}", "text"),
            (f" {line.critical}!" if line.critical else "", "critical"),
        ]
        runs: list[Piece] = []
        if line.runs:
            runs = [
                ("   ▶ ", "accent"),
                (f"{line.runs}", "text"),
                (f" {line.waiting}?" if line.waiting else "", "warning"),
            ]
        role = f" · {line.role}{' (advisory)' if line.advisory and width >= 130 else ''}" if line.role else ""
        who: list[Piece] = [(safe(line.who, 24), "muted"), (role if width >= 100 else "", "muted")]
        clock: list[Piece] = [
            ("  ", "text"),
            (line.clock if width >= 100 else line.clock[:5], "muted"),
            (" ", "text"),
        ]
        right = [*who, *clock]
        used = width_of(left) + width_of(right)
        if used + width_of(middle) + width_of(runs) + 4 > width:
            right = clock
            used = width_of(left) + width_of(right)
        if used + width_of(middle) + width_of(runs) + 2 <= width:
            middle += runs
        if used + width_of(middle) + 2 > width:
            # closer figures before cut ones
            middle = [(text.rstrip() + " " if text.endswith("   ") else text, name) for text, name in middle]
            left[begun:] = _shortened(left[begun:], width - width_of([*left[:begun], *middle, *right]) - 2)
            used = width_of(left) + width_of(right)
        room = width - used
        spare = max(1, room - width_of(middle))
        gap = min(spare, max(2, width // 2 - width_of(middle) // 2 - width_of(left)))
        pieces = clip([*left, (" " * gap, "text"), *middle], width - width_of(right))
        pieces.append((" " * max(0, width - width_of(pieces) - width_of(right)), "text"))
        return Strip(self.segments([*pieces, *right])).adjust_cell_length(width).apply_style(self.rich_style)


def _shortened(crumbs: list[Piece], room: int) -> list[Piece]:
    """Where we are in so many cells: the longest word gives way first, of a folder's path its beginning."""
    crumbs = list(crumbs)
    while crumbs and (over := width_of(crumbs) - room) > 0:
        place = max(range(len(crumbs)), key=lambda place: width_of([crumbs[place]]))
        text, name = crumbs[place]
        cells = width_of([crumbs[place]])
        if cells <= SHORTEST_CRUMB:
            break
        rest = text.lstrip("…")
        if rest.startswith("/") and (below := rest.find("/", 1)) > 0:
            crumbs[place] = ("…" + rest[below:], name)
        else:
            crumbs[place] = (fit(text, max(SHORTEST_CRUMB, cells - over)), name)
    return crumbs
