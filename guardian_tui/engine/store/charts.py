"""Samples into the columns of a chart."""

from __future__ import annotations

import math
from collections.abc import Iterable

from guardian_tui.engine.store.codec import Columns
from guardian_tui.protocol.fleet import History


def bucketed(
    parts: Iterable[Columns], metric: str, start: float, step: float, points: int, problems: tuple[str, ...]
) -> History:
    """Mean, low and high of one series per column; a column without a sample is None."""
    total, count = [0.0] * points, [0] * points
    low: list[float | None] = [None] * points
    high: list[float | None] = [None] * points
    for part in parts:
        kinds = part.values[metric]
        means, lows, highs = kinds if len(kinds) == 3 else (kinds[0], kinds[0], kinds[0])
        for place, time in enumerate(part.times):
            column = int((time - start) // step)
            mean = means[place]
            if not 0 <= column < points or not math.isfinite(mean):
                continue
            total[column] += mean
            count[column] += 1
            lowest, highest = low[column], high[column]
            low[column] = lows[place] if lowest is None else min(lowest, lows[place])
            high[column] = highs[place] if highest is None else max(highest, highs[place])
    mean_of = tuple(total[c] / count[c] if count[c] else None for c in range(points))
    return History(
        metric=metric,
        start=start,
        step_seconds=step,
        mean=mean_of,
        low=tuple(low),
        high=tuple(high),
        problems=problems,
    )
