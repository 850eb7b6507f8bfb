"""Which stretch of time a chart shows: named spans, zoom, and the moment at its end; values in, values out."""

from __future__ import annotations

from dataclasses import dataclass, replace

SPANS = ((3600.0, "1 h"), (6 * 3600.0, "6 h"), (86400.0, "24 h"), (7 * 86400.0, "7 d"))
LEAST_SECONDS = 120.0
"""Closer than that there are as many columns as samples."""


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time; ``end`` None: it ends now and goes on."""

    seconds: float = SPANS[0][0]
    end: float | None = None

    @classmethod
    def holding(cls, start: float, now: float) -> Window:
        """The shortest named span that goes on with the present and holds a moment; the longest if none does."""
        return cls(next((seconds for seconds, _ in SPANS if now - seconds <= start), SPANS[-1][0]))

    def bounds(self, now: float) -> tuple[float, float]:
        """Its start and end."""
        end = now if self.end is None else self.end
        return end - self.seconds, end

    def wider(self) -> Window:
        """The next longer named span, and from the last again the first."""
        longer = (seconds for seconds, _ in SPANS if seconds > self.seconds * 1.001)
        return replace(self, seconds=next(longer, SPANS[0][0]))

    def narrower(self) -> Window:
        """The next shorter named span."""
        shorter = [seconds for seconds, _ in SPANS if seconds < self.seconds * 0.999]
        return replace(self, seconds=shorter[-1] if shorter else min(self.seconds, SPANS[0][0]))

    def moved(self, spans: float, now: float) -> Window:
        """Moved by so many of its lengths; one that reaches the present goes on with it."""
        end = (now if self.end is None else self.end) + spans * self.seconds
        return replace(self, end=end if end < now else None)

    def zoomed(self, factor: float, at: float | None, now: float) -> Window:
        """Closer (a factor below 1) or wider, around a moment, which stays in the middle; None: at its end."""
        most = SPANS[-1][0]
        seconds = min(most, max(LEAST_SECONDS, self.seconds * factor))
        # a named span that is nearly met is met
        seconds = next((named for named, _ in SPANS if abs(named - seconds) < named * 0.02), seconds)
        end = self.end if at is None else at + seconds / 2
        return Window(seconds, None if end is None or end >= now else end)

    @property
    def words(self) -> str:
        """The named spans, the one that is shown in brackets, a zoomed one before them."""
        named = [f"[{words}]" if seconds == self.seconds else words for seconds, words in SPANS]
        if all(seconds != self.seconds for seconds, _ in SPANS):
            named.insert(0, f"[{_length(self.seconds)}]")
        return " ".join(named)


def _length(seconds: float) -> str:
    if seconds < 3600:
        return f"{seconds / 60:.0f} min" if seconds >= 600 else f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.1f} d"
