"""Charts in a box: what :mod:`widgets.plot` draws, with a cursor that keys and the mouse move; only lines that changed are drawn again."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip

from widgets import figures, plot
from widgets.caption import Captioned
from widgets.painting import Piece, paint_css, width_of
from widgets.plot import ChartData


class Chart(Captioned, can_focus=True):
    """Draws :class:`ChartData` in a box; its title and newest value stand in the upper border, its legend in the lower one."""

    DEFAULT_CSS = (
        "Chart { border: round $g-border; border-title-color: $g-accent; border-subtitle-color: $g-muted; background: $g-background; }\n"
        "Chart:focus { border: round $g-meter; }\n" + paint_css("Chart")
    )

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._data = ChartData("", "", None, words="reading…")
        self._lines: list[list[Piece]] = []
        self._drawn_size = (0, 0)
        self._legend: list[Piece] = []
        self._cursor: float | None = None
        self._by_mouse = False

    def show(self, data: ChartData, note: str = "") -> None:
        """Show other values; ``note`` stands at the right end of the upper border."""
        self._data = data
        newest = (
            next((v for v in reversed(data.history.mean) if v is not None), None) if data.history else None
        )
        figure = figures.quantity(newest, data.unit) if newest is not None else ""
        self.set_caption(data.title, figure, note)
        legend = plot.legend(data)
        if legend != self._legend:
            self._legend = legend
            words = [
                (f"  {text}" if place else text, f"$g-{paint}") for place, (text, paint) in enumerate(legend)
            ]
            self.border_subtitle = Content.assemble(*words)
        self._draw_changed()

    @property
    def columns(self) -> int:
        """How many columns of values are worth asking for."""
        return plot.columns_of(self.size.width)

    # --- the cursor ----------------------------------------------------------------------------

    @property
    def cursor(self) -> float | None:
        """The moment under the cursor, if there is one and it is shown."""
        history, at = self._data.history, self._cursor
        return (
            at if history is not None and at is not None and plot.column_at(history, at) is not None else None
        )

    def move_cursor(self, cells: int) -> bool:
        """Move the cursor by cells; the first time it comes to the newest value.  False at the chart's edge."""
        history, width = self._data.history, self.size.width
        if history is None:
            return False
        at = self.cursor
        first, newest = plot.LABEL, plot.LABEL + plot.cells_of(width) - 1
        here = None if at is None else plot.cell_at(history, at, width)
        wanted = newest if here is None else max(first, min(newest, here + cells))
        if wanted == here:
            return False
        self._put_cursor(plot.moment_at(history, wanted, width))
        return True

    def hide_cursor(self) -> None:
        """Show the axis again."""
        self._put_cursor(None)

    def _put_cursor(self, at: float | None, *, by_mouse: bool = False) -> None:
        if at != self._cursor:
            self._cursor, self._by_mouse = at, by_mouse
            self._draw_changed()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """The cursor follows the mouse."""
        offset = event.get_content_offset(self)
        history = self._data.history
        at = (
            plot.moment_at(history, offset.x, self.size.width)
            if offset is not None and history is not None
            else None
        )
        if at is not None:
            self._put_cursor(at, by_mouse=True)
        elif self._by_mouse:
            self.hide_cursor()

    def on_leave(self, event: events.Leave) -> None:
        """The mouse has gone, and takes its cursor along."""
        if self._by_mouse:
            self.hide_cursor()

    # --- drawing -------------------------------------------------------------------------------

    def _draw_changed(self) -> None:
        """Draw again the cells that differ from what is on screen, and no others."""
        width, height = size = (self.size.width, self.size.height)
        if size != self._drawn_size:
            self.refresh()
            return
        before, self._lines = self._lines, plot.render(self._data, width, height, self.cursor)
        for y, (old, new) in enumerate(zip(before, self._lines, strict=True)):
            span = _differing(old, new)
            if span is not None:
                self.refresh(Region(span[0], y, span[1] - span[0], 1))

    def notify_style_update(self) -> None:
        """The theme has changed."""
        self._drawn_size = (0, 0)
        super().notify_style_update()

    def render_line(self, y: int) -> Strip:
        """One line."""
        size = (self.size.width, self.size.height)
        if size != self._drawn_size:
            self._drawn_size, self._lines = size, plot.render(self._data, *size, self.cursor)
        pieces = self._lines[y] if y < len(self._lines) else []
        return Strip(self.segments(pieces)).adjust_cell_length(size[0]).apply_style(self.rich_style)


def _differing(old: list[Piece], new: list[Piece]) -> tuple[int, int] | None:
    """The first cell in which two lines differ, and the one behind the last; None when they are the same."""
    if old == new:
        return None
    width = max(width_of(old), width_of(new))
    before = [(char, paint) for text, paint in old for char in text]
    after = [(char, paint) for text, paint in new for char in text]
    if len(before) != width or len(after) != width:
        # words with glyphs that take two cells, or none: the place in the text is not the place on screen
        return 0, width
    places = [place for place in range(width) if before[place] != after[place]]
    return (places[0], places[-1] + 1) if places else None
