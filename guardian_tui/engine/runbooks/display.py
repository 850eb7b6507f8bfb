"""Runs in the live tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from guardian_tui.engine.clock import Clock
from guardian_tui.engine.live import Live
from guardian_tui.engine.runbooks.output import Tail
from guardian_tui.engine.runbooks.places import Places
from guardian_tui.engine.runbooks.run import Run, labels_of, ways_of

SHOWN_SECONDS = 86400.0
"""A run that has ended stays in the live tables for so long."""


class Display:
    """Shows runs."""

    def __init__(self, live: Live, clock: Clock, places: Places) -> None:
        self._live = live
        self._clock = clock
        self._places = places
        self.on_show: Callable[[Run], None] = lambda run: None
        """Called when a run is shown anew."""
        self._ended: dict[str, tuple[float, Mapping[str, str]]] = {}
        """When it ended, by the clock that never jumps, and whom it concerned."""

    def show(self, run: Run) -> None:
        """Put a run into the live tables."""
        self._live.runbook_runs.put(run.id, run.row(), run.labels)
        self.on_show(run)
        self.show_progress(run)

    def show_progress(self, run: Run) -> None:
        """Put its output and counts there."""
        run.tail.changed = False
        self._live.runbook_progress.put(run.id, run.progress(self._clock.now()), run.labels)

    def show_results(self, run: Run, hosts: Iterable[str]) -> None:
        """Put what came of hosts there; each may be seen by who may see that host."""
        for host in hosts:
            row = run.result(host)
            way = self._places.way(host)
            self._live.runbook_results.put(row.id, row, way.labels if way else run.labels)
            run.shown_results.add(row.id)

    def drop_results(self, run: Run, *, keep: bool) -> None:
        """The run has left a step: its hosts' results go from the live table."""
        if keep:
            return
        for row_id in run.shown_results:
            self._live.runbook_results.drop(row_id)
        run.shown_results.clear()

    def new_tail(self, run: Run, *, named: bool) -> None:
        """A step begins: its output is shown from its beginning."""
        run.tail = Tail(named=named, of=run.place)

    def ended(self, run: Run) -> None:
        """A run has ended: it is shown for a while."""
        self.drop_results(run, keep=False)
        self._ended[run.id] = self._clock.monotonic(), run.concerned

    def relabel(self, hosts: Collection[str]) -> None:
        """Hosts have other labels: others see the runs that have ended on them."""
        for run_id, (_, concerned) in self._ended.items():
            if concerned.keys().isdisjoint(hosts):
                continue
            labels = labels_of(run_id, ways_of(self._places, concerned))
            self._live.runbook_runs.relabel(run_id, labels)
            self._live.runbook_progress.relabel(run_id, labels)

    def clean(self) -> None:
        """Take away what ended long ago."""
        now = self._clock.monotonic()
        for run_id in [run_id for run_id, (at, _) in self._ended.items() if now - at > SHOWN_SECONDS]:
            del self._ended[run_id]
            self._live.runbook_runs.drop(run_id)
            self._live.runbook_progress.drop(run_id)
