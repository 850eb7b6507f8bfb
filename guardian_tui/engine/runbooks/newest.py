"""The newest run of each runbook, in a live table of its own: the library is everybody's to see, a run only theirs who may see its hosts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from guardian_tui.engine.live import Live
from guardian_tui.engine.runbooks import records
from guardian_tui.engine.runbooks.places import Places
from guardian_tui.engine.runbooks.run import Run, labels_of, ways_of
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.runbooks import RunbookNewest


class Newest:
    """Runbook → its newest run, shown to whoever may see that run."""

    def __init__(self, live: Live, places: Places) -> None:
        self._table = live.runbook_newest
        self._places = places
        self._concerned: dict[str, Mapping[str, str]] = {}
        """Names of the hosts that each of these runs concerned, by id."""

    async def start(self, store: Store) -> None:
        """Read them from the store."""
        rows = await records.newest(store)
        names = await records.names_of(store, [row.id for row in rows])
        for row in rows:
            newest = RunbookNewest(id=row.runbook, run=row.id, at=row.started_at, verdict=row.verdict)
            self._take(newest, names[row.id])

    def shown(self, run: Run) -> None:
        """A run has begun or gone on: it may have ended, or concern more hosts."""
        standing = run.standing
        newest = RunbookNewest(
            id=standing.document.id, run=run.id, at=standing.began_at, verdict=standing.verdict
        )
        self._take(newest, run.concerned)

    def _take(self, newest: RunbookNewest, concerned: Mapping[str, str]) -> None:
        known = self._table.get(newest.id)
        if known is not None and known.run != newest.run and known.at > newest.at:
            return
        self._concerned[newest.id] = dict(concerned)
        labels = labels_of(newest.run, ways_of(self._places, concerned))
        if known != newest or self._table.labels(newest.id) != labels:
            self._table.put(newest.id, newest, labels)

    def relabel(self, hosts: Collection[str]) -> None:
        """Hosts have other labels: others see the runs on them."""
        for runbook, concerned in self._concerned.items():
            if not concerned.keys().isdisjoint(hosts):
                run = self._table.get(runbook)
                assert run is not None  # noqa: S101  # by take
                self._table.relabel(runbook, labels_of(run.run, ways_of(self._places, concerned)))

    def of(self, runbook: str) -> tuple[RunbookNewest | None, Mapping[str, str]]:
        """The newest run of a runbook, and who may see it: nobody needs leave for one without hosts."""
        return self._table.get(runbook), self._table.labels(runbook) or {}
