"""A simulated host's figures as its probe would make them: rates since the answer before on the same channel, as one line of numbers."""

from __future__ import annotations

from guardian_tui.engine.fleet import figures, shape
from guardian_tui.engine.fleet.reading import Counts, Reading
from guardian_tui.engine.fleet.series import sample_values


class Teller:
    """What the probe of one channel remembers."""

    __slots__ = ("_before", "_names", "_number", "_shape")

    def __init__(self) -> None:
        self._before: Counts | None = None
        self._shape: shape.Shape | None = None
        self._names: tuple[str, ...] = ()
        self._number = 0

    def told(self, lines: str, known: str) -> str:
        """The lines of an answer as figures; alone if ``known`` is the number of their names."""
        reading, self._shape = shape.read(lines.encode(), self._shape)
        line = self._line(reading)
        return line if known == str(self._number) else lines + line

    def _line(self, reading: Reading) -> str:
        before, self._before = self._before, reading.counts()
        seconds = (reading.uptime or 0.0) - ((before.uptime if before else None) or 0.0)
        layout, values = sample_values(reading, before, seconds, round_trip=0.0, clock_offset=0.0)
        if reading.oom_kills is not None:
            values[figures.OOM_KILLS] = reading.oom_kills
        if layout.names != self._names:
            self._names = layout.names
            self._number += 1
        numbers = ",".join(
            [f"{value:.0f}" if value % 1 == 0 else f"{value:.9g}" for value in values]
        ).replace("nan", "null")
        return f"V {self._number} [{numbers}]\n"
