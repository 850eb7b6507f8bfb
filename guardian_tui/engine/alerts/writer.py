"""The writer: takes what the book has not written yet to the store, all of it in one transaction.

If the store can't be written, alerts go on in memory and on screen; what is unwritten waits and is written
when it can be.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from guardian_tui.engine.alerts import records
from guardian_tui.engine.alerts.book import Book, Unwritten
from guardian_tui.engine.calls import AuditSink, Entry
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.alerts import Alert
from guardian_tui.protocol.errors import AuditUnavailable, StoreUnavailable

log = logging.getLogger(__name__)

RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)

StateChanges = Mapping[records.StateKey, str | None]


class Writer:
    """Writes alerts, their notes, their audit events and waiting times.

    Args:
        state: what changed of the waiting times since the last time it was asked, and what to call when that
        is written. on_written: called after each commit with the channels that have new notes.
    """

    def __init__(
        self,
        book: Book,
        store: Store,
        audit: AuditSink,
        clock: Clock,
        state: Callable[[], tuple[StateChanges, Callable[[], None]]],
        on_written: Callable[[set[str]], None],
    ) -> None:
        self._book = book
        self._store = store
        self._audit = audit
        self._clock = clock
        self._state = state
        self._on_written = on_written
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._unrecorded: list[tuple[str, Alert]] = []

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="alerts writer")

    async def stop(self) -> None:
        """Write what is left, if it can be written, and stop."""
        if self._task is not None:
            # not in the middle of a transaction: whether that was committed would be unknown
            async with self._writing:
                self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        try:
            await self.write()
        except (StoreUnavailable, AuditUnavailable) as error:
            log.error("the last changes of alerts could not be written: %s", error.detail)

    def wake(self) -> None:
        """There is something to write."""
        self._wake.set()

    async def _run(self) -> None:
        failures = 0
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self.write()
                failures = 0
            except (StoreUnavailable, AuditUnavailable) as error:
                if not failures:
                    log.warning("alerts can't be written, they go on in memory: %s", error.detail)
                await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1
                self._wake.set()
            except Exception:
                log.exception("writing alerts failed")
                await asyncio.sleep(RETRY_SECONDS[-1])
                self._wake.set()

    async def write(self) -> None:
        """Write all that is unwritten.

        Raises:
            StoreUnavailable: nothing was written; it waits.
            AuditUnavailable: all was written but the audit events; they wait.
        """
        async with self._writing:
            try:
                await self._write(with_events=True)
            except AuditUnavailable:
                await self._write(with_events=False)
                raise

    async def _write(self, *, with_events: bool) -> None:
        taken: Unwritten | None = None
        channels: set[str] = set()
        try:
            async with self._store.write() as tx:
                # taken under the store's lock: nothing newer can be overwritten
                taken, self._book.unwritten = self._book.unwritten, Unwritten()
                channels = {outgoing.channel for outgoing in taken.notes}
                changes, written = self._state()
                await records.write_alerts(tx, list(taken.alerts.values()))
                await records.queue_notes(tx, taken.notes, self._clock.now())
                await records.write_state(tx, changes)
                if with_events:
                    for what, alert in [*self._unrecorded, *taken.events]:
                        await self._audit.append(tx, _entry(what, alert))
                tx.after_commit(written)
        except BaseException:
            if taken is not None:
                self._put_back(taken)
            raise
        self._unrecorded = [] if with_events else [*self._unrecorded, *taken.events]
        if taken.dropped:
            log.error("%d notes were dropped while the store could not be written", taken.dropped)
        self._on_written(channels)

    def _put_back(self, taken: Unwritten) -> None:
        newer = self._book.unwritten
        self._book.unwritten = Unwritten(
            {**taken.alerts, **newer.alerts},
            taken.notes + newer.notes,
            taken.events + newer.events,
            taken.dropped + newer.dropped,
        )


def _entry(what: str, alert: Alert) -> Entry:
    where = "/".join(part for part in (alert.host or "engine", alert.rule, alert.instance) if part)
    body = {
        "alert": alert.id,
        "rule": alert.rule,
        "host": alert.host,
        "instance": alert.instance,
        "severity": alert.severity,
        "why": alert.why,
    }
    return Entry(actor="engine", action=f"alert.{what}", target=where, outcome="ok", body=body)
