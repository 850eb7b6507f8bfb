"""Words in all runs: newest first, a few runs at a time, and no longer than a person waits.

Each look goes by run, which the key of the journal and of the output begins with, so that it costs what those runs wrote and not what the
store holds.  Where its time is over it says how far it came, and the next look goes on from there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from guardian_tui.engine.clock import Clock
from guardian_tui.engine.runbooks import records
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.errors import NotFound
from guardian_tui.protocol.runbooks import RunbookMatch, RunbookMatches, SearchRunbooks

SEARCH_SECONDS = 2.0
"""After so long an answer is given, with what was found."""
AT_FIRST, AT_MOST = 8, 256
"""Runs that are looked through by one query: more and more, as long as that is fast."""
FAST_SECONDS = 0.1

Seen = Callable[[Sequence[str]], Awaitable[set[str]]]
"""Those of some runs that the caller may see."""


async def search(store: Store, clock: Clock, request: SearchRunbooks, seen: Seen) -> RunbookMatches:
    """Places where the words stand, in runs that the caller may see.

    Raises:
        NotFound: the run that it is to go on from is gone, or is not the caller's.
    """
    place: tuple[float, str] | None = None
    if request.older_than:
        place = await records.place_of(store, request.older_than)
        if place is None or not await seen([request.older_than]):
            raise NotFound(f"There is no run {request.older_than[:40]!r} to go on from.")
    found: list[RunbookMatch] = []
    last, number, until = "", AT_FIRST, clock.monotonic() + SEARCH_SECONDS
    while True:
        began = clock.monotonic()
        runs = await records.older_runs(store, place, number)
        mine = await seen([run for run, _ in runs])
        found_now, cut = await records.matches(
            store, [run for run, _ in runs if run in mine], request.text, request.limit
        )
        if cut and number > 1:
            # of which runs some are left out is not known: fewer at once
            number = max(1, number // 2)
            continue
        for run, _ in runs:
            if run not in mine:
                continue
            found += found_now[run]
            last = run
            if len(found) >= request.limit:
                whole = not cut and len(found) == request.limit and run == runs[-1][0] and len(runs) < number
                return RunbookMatches(
                    matches=tuple(found[: request.limit]), more=not whole, older_than="" if whole else run
                )
        if len(runs) < number:
            return RunbookMatches(matches=tuple(found))
        place = (runs[-1][1], runs[-1][0])
        now = clock.monotonic()
        # a run that is not the caller's is no place to go on from; those before it are looked through again
        if now >= until and last:
            return RunbookMatches(matches=tuple(found), more=True, older_than=last)
        number = min(number * 2, AT_MOST) if now - began < FAST_SECONDS else max(number // 2, 1)
