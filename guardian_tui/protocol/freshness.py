"""No frozen green: from when on a value is stale, and its host unknown."""

from __future__ import annotations

import math

from guardian_tui.protocol.fleet import HostRow, HostState

STALE_INTERVALS = 3.0
"""After so many intervals without a sample a value is drawn as stale…"""
UNKNOWN_INTERVALS = 12.0
"""…and after so many its host as unknown."""


def is_stale(row: HostRow, now: float) -> bool:
    """Whether the row's values are older than they should be."""
    return row.measured_at is None or now - row.measured_at > STALE_INTERVALS * row.interval_seconds + 2.0


def believed_until(row: HostRow) -> float:
    """Until when the engine's state is believed without another sample; Unix seconds, or infinity.

    A host that the engine says is down, unreachable or in maintenance stays so: nothing is expected to be measured there.
    """
    if row.state in ("up", "degraded") and row.measured_at is not None:
        return row.measured_at + UNKNOWN_INTERVALS * row.interval_seconds + 10.0
    return math.inf


def shown_state(row: HostRow, now: float) -> HostState:
    """The state to draw: the engine's, or ``unknown`` when it is too old to believe."""
    return "unknown" if now > believed_until(row) else row.state
