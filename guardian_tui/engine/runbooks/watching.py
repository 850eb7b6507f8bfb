"""Who looks on at a run: each console says so again and again while it shows it, and is forgotten soon after it no longer does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from guardian_tui.engine.calls import Principal
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import SessionEnded
from guardian_tui.engine.live import Live
from guardian_tui.engine.runbooks.run import Run
from guardian_tui.protocol.errors import TooManyRequests
from guardian_tui.protocol.runbooks import RunbookWatcher, RunbookWatchers

MOST_CONSOLES = 64
"""At one run."""
MOST_OF_A_SESSION = 8
"""So that no client, gone wild, keeps the others out."""


@dataclass(slots=True)
class _Look:
    name: str
    since: float
    until: float
    """On the clock that is never set."""


_Wanted = Callable[[tuple[str, str], _Look], bool]


class Watching:
    """Consoles that look on, by run; in memory alone, shown to whoever may see the run."""

    def __init__(self, live: Live, clock: Clock) -> None:
        self._table = live.runbook_watchers
        self._clock = clock
        self._runs: dict[str, dict[tuple[str, str], _Look]] = {}
        """Run → (session, console) → since when."""

    def look(self, run: Run, principal: Principal, console: str, seconds: float) -> RunbookWatchers:
        """A console shows a run, or still does; it is forgotten after so many seconds unless it says so again.

        Raises:
            TooManyRequests: more can't be told of.
        """
        looks = self._runs.setdefault(run.id, {})
        key = (principal.session_id, console)
        known = looks.get(key)
        until = self._clock.monotonic() + seconds
        if known is not None:
            known.until = until
            return self.of(run.id)
        own = sum(session == principal.session_id for session, _ in looks)
        if len(looks) >= MOST_CONSOLES or own >= MOST_OF_A_SESSION:
            raise TooManyRequests("As many look on at this run as can be told of.", retry_after_seconds=30)
        looks[key] = _Look(principal.name, self._clock.now(), until)
        self._table.put(run.id, self.of(run.id), run.labels)
        return self.of(run.id)

    def leave(self, run_id: str, principal: Principal, console: str) -> RunbookWatchers:
        """A console shows a run no more."""
        looks = self._runs.get(run_id, {})
        if looks.pop((principal.session_id, console), None) is not None:
            self._show(run_id)
        return self.of(run_id)

    def of(self, run_id: str) -> RunbookWatchers:
        """Who looks on at a run, whoever came first at the top."""
        people: dict[str, RunbookWatcher] = {}
        for look in self._runs.get(run_id, {}).values():
            known = people.get(look.name)
            consoles = known.consoles + 1 if known else 1
            people[look.name] = RunbookWatcher(look.name, consoles, known.since if known else look.since)
        return RunbookWatchers(id=run_id, watchers=tuple(people.values()))

    def clean(self) -> None:
        """Forget consoles that have not said for a while that they look on."""
        now = self._clock.monotonic()
        self._keep(lambda key, look: look.until > now)

    def session_ended(self, fact: SessionEnded) -> None:
        """Forget a session's consoles: it has ended, or hides its picture (bus subscriber)."""
        self._keep(lambda key, look: key[0] != fact.session_id)

    def forget(self, run_id: str) -> None:
        """A run has ended."""
        self._runs.pop(run_id, None)
        self._table.drop(run_id)

    def _keep(self, wanted: _Wanted) -> None:
        for run_id, looks in list(self._runs.items()):
            kept = {key: look for key, look in looks.items() if wanted(key, look)}
            if len(kept) < len(looks):
                self._runs[run_id] = kept
                self._show(run_id)

    def _show(self, run_id: str) -> None:
        if self._runs[run_id]:
            # who may see it stays as it was
            self._table.put(run_id, self.of(run_id))
        else:
            self.forget(run_id)
