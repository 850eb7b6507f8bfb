"""Samples into the columns of a chart."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable

from guardian_tui.engine.store.codec import Columns
from guardian_tui.protocol.fleet import History


def bucketed(
    parts: Iterable[Columns], metric: str, start: float, step: float, points: int, problems: tuple[str, ...]
) -> History:
    """Mean, low and high of one series per column; a column without a sample is None."""
    total, count = [0.0] * points, [0] * points
    low, high = [math.inf] * points, [-math.inf] * points
    for part in parts:
        kinds = part.values[metric]
        means, lows, highs = kinds if len(kinds) == 3 else (kinds[0], kinds[0], kinds[0])
        times, first = part.times, 0
        while first < len(times):
            # the rows of one column lie side by side
            column = int((times[first] - start) // step)
            last = bisect_left(times, start + (column + 1) * step, first + 1)
            rows = slice(first, last)
            first = last
            if not 0 <= column < points:
                continue
            part_means, part_lows, part_highs = means[rows], lows[rows], highs[rows]
            if not math.isfinite(part_total := sum(part_means)):
                kept = [place for place, mean in enumerate(part_means) if math.isfinite(mean)]
                if not kept:
                    continue
                part_means = [part_means[place] for place in kept]
                part_lows, part_highs = ([one[place] for place in kept] for one in (part_lows, part_highs))
                part_total = sum(part_means)
            total[column] += part_total
            count[column] += len(part_means)
            low[column] = min(low[column], *part_lows)
            high[column] = max(high[column], *part_highs)
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
