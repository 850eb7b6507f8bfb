"""Live tables: what is true now, versioned, so that any number of clients can follow at their own pace.

Each change gives its row the next sequence number.  A subscriber remembers only the last number that it was sent; what it has missed
is read off the tables when it is ready for more.  So nothing is queued for anybody, a slow client gets fewer and
larger deltas, and a client that comes back after a cut gets just what changed meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from guardian_tui.protocol.alerts import Alert, Silence
from guardian_tui.protocol.approvals import Approval
from guardian_tui.protocol.audit import AuditEvent
from guardian_tui.protocol.backups import JobRow, ReadinessRow, RepositoryRow, RunRow
from guardian_tui.protocol.checks import CheckRow
from guardian_tui.protocol.fleet import HostRow, Question
from guardian_tui.protocol.runbooks import (
    RunbookNewest,
    RunbookProgress,
    RunbookResult,
    RunbookRow,
    RunbookRun,
    RunbookWatchers,
)

R = TypeVar("R", bound=msgspec.Struct)

TOMBSTONES = 4096
"""Removals remembered per table; a client that missed more gets a snapshot."""

_encode = msgspec.json.Encoder().encode
NO_LABELS: Mapping[str, str] = {}
Sees = Callable[[str, Mapping[str, str]], bool]
"""(table, labels) → whether the subscriber may see such a row."""


@dataclass(slots=True)
class _Slot(Generic[R]):
    row: R
    labels: Mapping[str, str]
    seq: int
    encoded: msgspec.Raw | None = None


class LiveTable(Generic[R]):
    """Rows by id, in the order of their last change."""

    def __init__(self, live: Live, name: str) -> None:
        self.name = name
        self._live = live
        self._slots: dict[str, _Slot[R]] = {}
        self._gone: dict[str, int] = {}
        self.forgotten_seq = 0
        """Removals up to this number are no longer remembered."""

    def put(self, id: str, row: R, labels: Mapping[str, str] | None = None) -> None:
        """Add or replace a row; ``labels`` decide who may see it (None keeps those it had)."""
        old = self._slots.pop(id, None)
        if labels is None:
            labels = old.labels if old else NO_LABELS
        self._gone.pop(id, None)
        self._slots[id] = _Slot(row, labels, self._live.advance())

    def drop(self, id: str) -> None:
        """Remove a row, if it is there."""
        if self._slots.pop(id, None) is None:
            return
        self._gone[id] = self._live.advance()
        if len(self._gone) > TOMBSTONES:
            oldest = next(iter(self._gone))
            self.forgotten_seq = self._gone.pop(oldest)

    def get(self, id: str) -> R | None:
        """The row with this id."""
        slot = self._slots.get(id)
        return slot.row if slot else None

    def labels(self, id: str) -> Mapping[str, str] | None:
        """The labels of the row with this id."""
        slot = self._slots.get(id)
        return slot.labels if slot else None

    def rows(self) -> list[R]:
        """All rows, the one that changed last at the end."""
        return [slot.row for slot in self._slots.values()]

    def labelled(self) -> list[tuple[str, Mapping[str, str]]]:
        """Ids of all rows, and their labels."""
        return [(id, slot.labels) for id, slot in self._slots.items()]

    def relabel(self, id: str, labels: Mapping[str, str]) -> None:
        """Let others see a row, if it is there."""
        slot = self._slots.get(id)
        if slot is not None:
            self.put(id, slot.row, labels)

    def __len__(self) -> int:
        return len(self._slots)

    def changed_since(self, seq: int) -> Iterator[tuple[str, _Slot[R]]]:
        """Rows that changed after ``seq``, newest first."""
        for id in reversed(self._slots):
            slot = self._slots[id]
            if slot.seq <= seq:
                return
            yield id, slot

    def gone_since(self, seq: int) -> Iterator[str]:
        """Ids that were removed after ``seq``."""
        for id in reversed(self._gone):
            if self._gone[id] <= seq:
                return
            yield id


class Live:
    """All live tables of an engine, and the clock of their changes."""

    def __init__(self) -> None:
        self.seq = 0
        self.hosts: LiveTable[HostRow] = LiveTable(self, "hosts")
        self.alerts: LiveTable[Alert] = LiveTable(self, "alerts")
        self.silences: LiveTable[Silence] = LiveTable(self, "silences")
        self.audit: LiveTable[AuditEvent] = LiveTable(self, "audit")
        self.questions: LiveTable[Question] = LiveTable(self, "questions")
        self.checks: LiveTable[CheckRow] = LiveTable(self, "checks")
        self.backups: LiveTable[JobRow] = LiveTable(self, "backups")
        self.runs: LiveTable[RunRow] = LiveTable(self, "runs")
        self.repositories: LiveTable[RepositoryRow] = LiveTable(self, "repositories")
        self.readiness: LiveTable[ReadinessRow] = LiveTable(self, "readiness")
        self.approvals: LiveTable[Approval] = LiveTable(self, "approvals")
        self.runbooks: LiveTable[RunbookRow] = LiveTable(self, "runbooks")
        self.runbook_runs: LiveTable[RunbookRun] = LiveTable(self, "runbook_runs")
        self.runbook_progress: LiveTable[RunbookProgress] = LiveTable(self, "runbook_progress")
        self.runbook_results: LiveTable[RunbookResult] = LiveTable(self, "runbook_results")
        self.runbook_newest: LiveTable[RunbookNewest] = LiveTable(self, "runbook_newest")
        self.runbook_watchers: LiveTable[RunbookWatchers] = LiveTable(self, "runbook_watchers")
        self.tables: tuple[LiveTable[msgspec.Struct], ...] = (  # type: ignore[assignment]  # rows are only encoded here
            self.hosts,
            self.alerts,
            self.silences,
            self.audit,
            self.questions,
            self.checks,
            self.backups,
            self.runs,
            self.repositories,
            self.readiness,
            self.approvals,
            self.runbooks,
            self.runbook_runs,
            self.runbook_progress,
            self.runbook_results,
            self.runbook_newest,
            self.runbook_watchers,
        )
        self.relabelled_seq = 0
        """Who comes back from before this number begins anew: what it was shown may no longer be its to see."""
        self._watchers: set[asyncio.Event] = set()

    def relabel(self, labels: Mapping[str, Mapping[str, str]]) -> None:
        """Hosts have other labels: by the name that each had.  All rows of theirs are seen by others from now on."""
        for table in self.tables:
            for id, old in table.labelled():
                new = labels.get(old.get("host", ""))
                # a run is of all of its hosts
                if new is not None and old != new and "run" not in old:
                    table.relabel(id, new)
        self.relabelled_seq = self.advance()

    def advance(self) -> int:
        """The next sequence number; wakes whoever waits for changes."""
        self.seq += 1
        for watcher in self._watchers:
            watcher.set()
        return self.seq

    def subscribe(self, sees: Sees, after: int | None = None) -> Subscription:
        """Follow the tables from ``after`` on, or from a snapshot."""
        return Subscription(self, sees, after)

    def watch(self, event: asyncio.Event) -> None:
        """Set ``event`` at every change."""
        self._watchers.add(event)

    def unwatch(self, event: asyncio.Event) -> None:
        """Stop setting ``event``."""
        self._watchers.discard(event)


class Subscription:
    """One follower: where it is, and which ids it has been shown."""

    def __init__(self, live: Live, sees: Sees, after: int | None) -> None:
        self._live = live
        self._sees = sees
        self.changed = asyncio.Event()
        self._shown: dict[str, set[str]] = {table.name: set() for table in live.tables}
        forgotten = max(table.forgotten_seq for table in live.tables)
        self.complete = after is None or after > live.seq or after < max(forgotten, live.relabelled_seq)
        self.seq = 0 if self.complete else (after or 0)
        if not self.complete:
            # it comes back: what it was shown before the cut is what it may see and has not changed since
            for table in live.tables:
                for id, slot in table.changed_since(0):
                    if slot.seq <= self.seq and sees(table.name, slot.labels):
                        self._shown[table.name].add(id)
        live.watch(self.changed)

    def see(self, sees: Sees) -> None:
        """What the follower may see has changed: it begins anew with a snapshot."""
        self._sees = sees
        self._begin_anew()
        self.changed.set()

    def _begin_anew(self) -> None:
        self.complete, self.seq = True, 0
        for shown in self._shown.values():
            shown.clear()

    def close(self) -> None:
        """Stop following."""
        self._live.unwatch(self.changed)

    def shown(self, table: str) -> int:
        """How many rows of a table the follower has by now."""
        return len(self._shown[table])

    def take(self) -> bytes | None:
        """Encode what changed since the last call as the JSON of a ``Delta``; None when there is nothing new."""
        self.changed.clear()
        live = self._live
        if not self.complete and any(table.forgotten_seq > self.seq for table in live.tables):
            self._begin_anew()
        after = self.seq
        if live.seq == after and not self.complete:
            return None
        body: dict[str, object] = {"seq": live.seq, "complete": self.complete}
        gone: dict[str, list[str]] = {}
        for table in live.tables:
            rows, lost = self._of_table(table, after)
            if rows:
                body[table.name] = rows
            if lost:
                gone[table.name] = lost
        first, self.complete, self.seq = self.complete, False, live.seq
        if not first and len(body) == 2 and not gone:
            return None
        if gone:
            body["gone"] = gone
        return _encode(body)

    def _of_table(self, table: LiveTable[msgspec.Struct], after: int) -> tuple[list[msgspec.Raw], list[str]]:
        shown = self._shown[table.name]
        rows: list[msgspec.Raw] = []
        lost: list[str] = []
        for id, slot in table.changed_since(after):
            if self._sees(table.name, slot.labels):
                if slot.encoded is None:
                    slot.encoded = msgspec.Raw(_encode(slot.row))
                rows.append(slot.encoded)
                shown.add(id)
            elif id in shown:
                shown.discard(id)
                lost.append(id)
        rows.reverse()
        for id in table.gone_since(after):
            # after a reconnect the follower may hold rows that went meanwhile: ids say nothing of a host
            if id in shown or after:
                shown.discard(id)
                lost.append(id)
        return rows, lost
