"""How long approvals of a run last: by the clock that never jumps, so that one that is set prolongs none and ends none.

Across a restart of the engine only the wall clock is there: then they last rather too short than too long.
"""

from __future__ import annotations

import math

from guardian_tui.engine.clock import Clock
from guardian_tui.engine.runbooks.journal import Judged
from guardian_tui.engine.runbooks.run import Run
from guardian_tui.engine.runbooks.state import Standing


def over(run: Run, clock: Clock, one: Judged) -> bool:
    """Whether the time of an approval is over; that of one which is being written has just begun."""
    return run.due.get(one, math.inf) < clock.monotonic()


def given(run: Run, standing: Standing, ticks: float) -> dict[Judged, float]:
    """Approval → when it runs out, as the run stands now: those that are new were given at this moment."""
    return {one: run.due.get(one, ticks + one.until - one.at) for one in standing.judged}


def taken_up(standing: Standing, clock: Clock) -> dict[Judged, float]:
    """The same after a restart.

    A clock that shows less than the journal was set back: how long the engine was away is not known then, and no approval holds.
    """
    now, ticks = clock.now(), clock.monotonic()
    if now < standing.last_at:
        return dict.fromkeys(standing.judged, -math.inf)
    return {one: ticks + one.until - now for one in standing.judged}
