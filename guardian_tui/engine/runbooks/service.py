"""The runbooks' service: the library and its line in the live tables, runs, and what is forgotten in time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection

from guardian_tui.engine.approvals.counting import May
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import AuditSink
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import HostsRelabelled, SessionEnded
from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.remote.ways import Ways
from guardian_tui.engine.runbooks import records, wording
from guardian_tui.engine.runbooks.documents.library import Library
from guardian_tui.engine.runbooks.doing import Doing
from guardian_tui.engine.runbooks.house import Act, House
from guardian_tui.engine.runbooks.newest import Newest
from guardian_tui.engine.runbooks.output import Budget
from guardian_tui.engine.runbooks.places import Places
from guardian_tui.engine.runbooks.planning import Planner
from guardian_tui.engine.runbooks.run import Run
from guardian_tui.engine.runbooks.watching import Watching
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.turns import going_on, next_turn
from guardian_tui.protocol.errors import StoreUnavailable
from guardian_tui.protocol.runbooks import RunbookRow

log = logging.getLogger(__name__)

READ_SECONDS = 5.0
"""So long a request waits for the library after a start."""
LOOK_SECONDS = 2.0
CLEAN_SECONDS = 86400.0


class Runbooks:
    """All runbooks of an engine, and their runs.

    Args:
        library: the documents.
        act: asks other features.
        may: why an account may not do something now.
        at_once: commands beside each other, over all runs.
        keep_days: how long runs are remembered.
        detached: how detached commands are started; the usual way if it is not given.
        by_uid: whether each person has a Unix account of their own.
        channels: ways to reach someone; None: not known here.
    """

    def __init__(
        self, store: Store, bus: Bus, live: Live, clock: Clock, audit: AuditSink, ways: Ways, commands: Commands,
        resolve: Callable[[str], Awaitable[str]], library: Library, act: Act, may: May, *, at_once: int = 100, keep_days: float = 400.0,
        detached: DetachedRuns | None = None, by_uid: bool = False, channels: Collection[str] | None = None,
    ) -> None:  # fmt: skip
        self.library = library
        self._store = store
        self._live = live
        self._clock = clock
        self._keep_days = keep_days
        self.places = Places(ways, live)
        self.planner = Planner(self.places, channels)
        self.house = House(
            store, bus, live, clock, audit, self.places, self.planner, commands, detached or DetachedRuns(commands), resolve, act, may,
            asyncio.Semaphore(at_once), Budget(time.monotonic), by_uid,
        )  # fmt: skip
        self.newest = Newest(live, self.places)
        self.runner = Doing(self.house).runner
        self.runner.display.on_show = self.newest.shown
        self.runner.on_end = self._ended
        self.watching = Watching(live, clock)
        bus.subscribe(SessionEnded, self.watching.session_ended)
        bus.subscribe(HostsRelabelled, self._relabel)
        self._tasks: list[asyncio.Task[None]] = []
        self._read = asyncio.Event()

    async def start(self) -> None:
        """Take up what had not ended, and begin to read the library: nothing need wait for that."""
        await self.newest.start(self._store)
        await self.runner.start()
        self._tasks = [
            asyncio.create_task(self._looking(), name="runbooks: library"),
            asyncio.create_task(self._cleaning(), name="runbooks: old runs"),
        ]

    async def stop(self) -> None:
        """End; detached commands go on on their hosts."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.runner.stop()

    # --- the library ----------------------------------------------------------------------------------

    async def settled(self) -> None:
        """Wait for the library to be read once, but not for long: it says itself when it is not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READ_SECONDS):
                await self._read.wait()

    async def reload(self) -> None:
        """Read the library again, if it has changed."""
        if self.library.may_change and await asyncio.to_thread(self.library.refresh):
            self.show_library()

    def rows(self) -> list[RunbookRow]:
        """Lines of the library, by title, without their newest runs."""
        return [wording.row(entry) for entry in self.library.entries]

    def _ended(self, run: Run) -> None:
        self.watching.forget(run.id)

    def _relabel(self, fact: HostsRelabelled) -> None:
        self.runner.relabel(fact.hosts)
        self.newest.relabel(fact.hosts)

    def show_library(self) -> None:
        """Put all lines into the live table that have changed there."""
        rows = {row.id: row for row in self.rows()}
        table = self._live.runbooks
        for known in table.rows():
            if known.id not in rows:
                table.drop(known.id)
        for row in rows.values():
            if table.get(row.id) != row:
                table.put(row.id, row)

    async def _looking(self) -> None:
        while True:
            self.watching.clean()
            try:
                await self.reload()
            except Exception:
                log.exception("the library of runbooks could not be read")
            with going_on("what still holds of approvals of runs could not be looked at"):
                await self.runner.look_at_approvals()
            self._read.set()
            await next_turn(LOOK_SECONDS)

    async def remove_old(self) -> None:
        """Forget runs that ended longer ago than they are kept, by a time that no jump of the clock moves."""
        async with self._store.write() as tx:
            await records.forget(tx, self._store.past.now() - self._keep_days * 86400)

    async def _cleaning(self) -> None:
        while True:
            try:
                await self.remove_old()
            except StoreUnavailable as error:
                log.warning("old runs of runbooks could not be removed: %s", error.detail)
            except Exception:
                log.exception("old runs of runbooks could not be removed; tried again in a day")
            await asyncio.sleep(CLEAN_SECONDS)
