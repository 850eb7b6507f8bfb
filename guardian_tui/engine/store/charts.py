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
    low, high = [0.0] * points, [0.0] * points
    for part in parts:
        kinds = part.values[metric]
        means, lows, highs = kinds if len(kinds) == 3 else (kinds[0], kinds[0], kinds[0])
        for time, mean, lowest, highest in zip(part.times, means, lows, highs, strict=True):
            column = int((time - start) // step)
            if not 0 <= column < points or not math.isfinite(mean):
                continue
            if not count[column]:
                total[column], count[column], low[column], high[column] = mean, 1, lowest, highest
                continue
            total[column] += mean
            count[column] += 1
            if lowest < low[column]:
                low[column] = lowest
            if highest > high[column]:
                high[column] = highest
    mean_of = tuple(total[c] / count[c] if count[c] else None for c in range(points))
    return History(
        metric=metric,
        start=start,
        step_seconds=step,
        mean=mean_of,
        low=tuple(low[c] if count[c] else None for c in range(points)),
        high=tuple(high[c] if count[c] else None for c in range(points)),
        problems=problems,
    )
