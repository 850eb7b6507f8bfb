"""Sliding windows over a series, bounded in size: a window moves in steps of one bucket, never sample by
sample.

Time here is *watched* time: seconds in which the host was looked at, so that a gap neither ages a window nor
a waiting time.
"""

from __future__ import annotations

import math
from array import array

NAN = math.nan

MEAN_BUCKETS = 10
MEAN_COVER = 0.9
"""Share of its window that a mean must have seen before it may fire."""
TREND_BUCKETS = 12
TREND_COVER = 1 / 6
"""Share of its window that a trend must have seen before it says anything."""


class Mean:
    """Mean of the samples of the last ``seconds``, in :data:`MEAN_BUCKETS` buckets."""

    __slots__ = (
        "_bucket",
        "_buckets",
        "_count",
        "_old_count",
        "_old_sum",
        "_start",
        "_sum",
        "_width",
        "last",
        "seconds",
        "tolerates_seconds",
    )

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.tolerates_seconds = seconds
        self._width = seconds / MEAN_BUCKETS
        self._buckets = array("d")
        """Number, sum and count of each older bucket: a host has dozens of windows, and objects would take ten times the room."""
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        del self._buckets[:]
        self._bucket = -1
        self._sum = self._old_sum = 0.0
        self._count = self._old_count = 0
        self._start = self.last = -1.0

    def add(self, time: float, value: float, patience: float) -> None:
        """Take a sample; after more than ``patience`` seconds (and more than the window) without one it
        begins anew.
        """
        silent = time - self.last
        if self.last >= 0 and silent > self.seconds and silent > patience:
            self.clear()
        if self._start < 0:
            self._start = time
        self.last = time
        bucket = int(time / self._width)
        if bucket != self._bucket:
            self._roll(bucket)
        self._sum += value
        self._count += 1

    def _roll(self, bucket: int) -> None:
        buckets = self._buckets
        if self._count:
            buckets.extend((self._bucket, self._sum, self._count))
        oldest = bucket - MEAN_BUCKETS + 1
        while buckets and buckets[0] < oldest:
            del buckets[:3]
        self._old_sum = math.fsum(buckets[1::3])
        self._old_count = int(sum(buckets[2::3]))
        self._bucket, self._sum, self._count = bucket, 0.0, 0

    def mean(self) -> float:
        """Mean of what the window holds; NaN when it is empty."""
        count = self._old_count + self._count
        return (self._old_sum + self._sum) / count if count else NAN

    def covered(self) -> bool:
        """Whether it has watched long enough to be believed."""
        return self._start >= 0 and self.last - self._start >= self.seconds * MEAN_COVER


class Trend:
    """Straight line (least squares over bucket means) through the last ``seconds`` of a series."""

    __slots__ = ("_bucket", "_buckets", "_start", "_width", "last", "seconds", "tolerates_seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._width = seconds / TREND_BUCKETS
        self.tolerates_seconds = self._width
        self._buckets = array("d")
        """Sums of times and of values, and count, of each bucket."""
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        del self._buckets[:]
        self._bucket = -1
        self._start = self.last = -1.0

    def add(self, time: float, value: float, patience: float) -> None:
        """Take a sample; after more than ``patience`` seconds (and more than the window) without one it
        begins anew.
        """
        silent = time - self.last
        if self.last >= 0 and silent > self.seconds and silent > patience:
            self.clear()
        if self._start < 0:
            self._start = time
        self.last = time
        bucket = int(time / self._width)
        if bucket != self._bucket:
            self._bucket = bucket
            self._buckets.extend((time, value, 1.0))
            del self._buckets[: -3 * TREND_BUCKETS]
            while self._buckets[0] / self._buckets[2] < time - self.seconds:
                del self._buckets[:3]
            return
        self._buckets[-3] += time
        self._buckets[-2] += value
        self._buckets[-1] += 1.0

    def slope(self) -> float:
        """Change a second; NaN while too little has been seen."""
        if self._start < 0 or self.last - self._start < self.seconds * TREND_COVER or len(self._buckets) < 6:
            return NAN
        sums = self._buckets
        points = [(sums[n] / sums[n + 2], sums[n + 1] / sums[n + 2]) for n in range(0, len(sums), 3)]
        mean_time = sum(point[0] for point in points) / len(points)
        mean_value = sum(point[1] for point in points) / len(points)
        spread = sum((point[0] - mean_time) ** 2 for point in points)
        if spread <= 0:
            return NAN
        return sum((point[0] - mean_time) * (point[1] - mean_value) for point in points) / spread

    def until_zero(self, value: float) -> float:
        """Seconds until ``value`` reaches zero along the line; infinite when it does not fall."""
        slope = self.slope()
        if math.isnan(slope) or math.isnan(value):
            return NAN
        return value / -slope if slope < 0 else math.inf
