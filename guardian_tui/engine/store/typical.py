"""What is typical of a series at an hour of the week: median and scaled MAD of the weeks before, robust against weeks that were not.

A hint for the eye, never an alert.  Why it is reckoned so stands in docs/decisions/typical-band.md.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

import msgspec

from guardian_tui.engine.store.chunk_rows import DAY, HOUR
from guardian_tui.engine.store.codec import Columns
from guardian_tui.engine.store.metrics import MetricStore
from guardian_tui.engine.store.packing import QUARTER
from guardian_tui.protocol.fleet import History
from guardian_tui.protocol.metrics import METRICS

WEEK = 7 * DAY
WEEKS = 8
"""Weeks that are looked at."""
LEAST_WEEKS = 3
"""Fewer tell nothing: of two that differ, neither is the odd one out."""
SPREADS = 3.0
"""Half the band's width, in spreads."""
_NORMAL = 1.4826
"""MAD times this is the standard deviation, were the values normally distributed."""
_KEPT_BANDS = 512

# a constant series has no spread, and every next value would be beyond a band without width
_LEAST_SHARE = 0.05
_LEAST: Mapping[str, float] = {
    "ratio": 0.02, "bytes": 1 << 20, "bytes_per_second": 4096.0, "seconds": 0.001, "count": 0.5, "per_second": 0.5,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Typical:
    """Centre and half width of the band of one hour of the week."""

    centre: float
    half_width: float


Week = Mapping[int, Typical]
"""By hour of the week, Monday 0 h being 0; an hour of which too little is known is not there."""


def hour_of_week(at: float, zone: tzinfo | None = None) -> int:
    """The hour of the week on the clock on the wall, 0 to 167: what people do follows it through every clock change."""
    local = datetime.fromtimestamp(at, zone)
    return local.weekday() * 24 + local.hour


def week_of(parts: Iterable[Columns], metric: str, unit: str, zone: tzinfo | None = None) -> Week:
    """The band of every hour of the week.

    Args:
        parts: rollups of the weeks that are looked at.
        metric: the series.
        unit: its unit, for the least width; a flag has no band.
        zone: time zone of the hours; None is this machine's.
    """
    if unit not in _LEAST:
        return {}
    slots: dict[int, dict[int, list[float]]] = {}
    for part in parts:
        for at, value in zip(part.times, part.values[metric][0], strict=True):
            if math.isfinite(value):
                local = datetime.fromtimestamp(at, zone)
                weeks = slots.setdefault(local.weekday() * 24 + local.hour, {})
                weeks.setdefault((local.toordinal() - 1) // 7, []).append(value)
    return {slot: band for slot, weeks in slots.items() if (band := _band(list(weeks.values()), unit))}


def _band(weeks: Sequence[Sequence[float]], unit: str) -> Typical | None:
    if len(weeks) < LEAST_WEEKS:
        return None
    # every week counts alike, however many of its values are there
    weighed = [(value, 1 / len(week)) for week in weeks for value in week]
    centre = _median(weighed)
    spread = _median([(abs(value - centre), weight) for value, weight in weighed]) * _NORMAL
    return Typical(centre, max(SPREADS * spread, abs(centre) * _LEAST_SHARE, _LEAST[unit]))


def _median(weighed: Sequence[tuple[float, float]]) -> float:
    """The value at which half of the weight is reached; between two, their mean."""
    ordered = sorted(weighed)
    half, reached = sum(weight for _, weight in ordered) / 2, 0.0
    for place, (value, weight) in enumerate(ordered):
        reached += weight
        if reached > half * (1 + 1e-9):
            return value
        if reached >= half * (1 - 1e-9) and place + 1 < len(ordered):
            # halves first: two numbers near the largest there is have no sum
            return value / 2 + ordered[place + 1][0] / 2
    return ordered[-1][0]


def with_band(history: History, week: Week, unit: str, zone: tzinfo | None = None) -> History:
    """A chart with what is typical at the middle of each column; never beyond what the unit can be."""
    low: list[float | None] = []
    high: list[float | None] = []
    for column in range(len(history.mean)):
        middle = history.start + (column + 0.5) * history.step_seconds
        band = week.get(hour_of_week(middle, zone))
        if band is None:
            low.append(None)
            high.append(None)
            continue
        floor = 0.0 if band.centre >= 0 else -math.inf
        low.append(max(floor, band.centre - band.half_width))
        top = 1.0 if unit == "ratio" and band.centre <= 1 else math.inf
        high.append(min(top, band.centre + band.half_width))
    return msgspec.structs.replace(history, typical_low=tuple(low), typical_high=tuple(high))


class TypicalBands:
    """Bands of the series that somebody looks at, from quarter hours; kept for an hour.

    Args:
        metrics: where the rollups are.
        zone: time zone of the hours; None is this machine's.
    """

    def __init__(self, metrics: MetricStore, zone: tzinfo | None = None) -> None:
        self._metrics = metrics
        self._zone = zone
        self._kept: OrderedDict[tuple[str, str, float], Week] = OrderedDict()
        # one at a time: a page full of charts must not read all its weeks at once
        self._reading = asyncio.Lock()

    async def add_to(self, history: History, host_id: str) -> History:
        """A host's chart with its band, from the weeks before the chart's end, the last seven days left out.

        Raises:
            StoreUnavailable: the rollups can't be read.
        """
        metric = METRICS.get(history.metric.partition("{")[0])
        unit = metric.unit if metric else ""
        end = (history.start + history.step_seconds * len(history.mean)) // HOUR * HOUR
        return with_band(history, await self._week(host_id, history.metric, unit, end), unit, self._zone)

    async def _week(self, host_id: str, metric: str, unit: str, end: float) -> Week:
        if unit not in _LEAST:
            return {}
        key = (host_id, metric, end)
        async with self._reading:
            week = self._kept.get(key)
            if week is None:
                # this very hour a week ago counts, what came after it does not: it is being compared
                until = end - WEEK + HOUR
                parts = await self._metrics.rollups(host_id, metric, until - WEEKS * WEEK, until, QUARTER)
                week = await asyncio.to_thread(week_of, parts, metric, unit, self._zone)
                self._kept[key] = week
                while len(self._kept) > _KEPT_BANDS:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
        return week
