"""What changed on a host: states, reboots, units, facts, drift, and marks that people and pipelines set (a deploy).

Noted in memory and written with the housekeeping; what a killed engine had not written is at most some seconds of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from sqlalchemy import delete, insert, select

from guardian_tui.engine.bus import Bus
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import StateChanged
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import host_changes
from guardian_tui.protocol.changes import Change, ChangeKind
from guardian_tui.protocol.sections import Difference
from guardian_tui.text import safe

QUEUE_CHANGES = 5000
"""Wait to be written at most; the oldest go first."""
MOST_OF_ONE_READING = 20
"""A host on which everything changes at once tells so many of them."""
FACTS = {
    "os": "system",
    "kernel": "kernel",
    "packages": "packages",
    "cpu_count": "processors",
    "memory_bytes": "memory",
    "virtualisation": "runs under",
}
WORDS = 300


class Changes:
    """Notes changes, writes them, and reads them again."""

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._queue: deque[Change] = deque(maxlen=QUEUE_CHANGES)
        bus.subscribe(StateChanged, self._state)

    def note(self, host_id: str, kind: ChangeKind, words: str, actor: str = "") -> None:
        """Note a change of now."""
        self._queue.append(
            Change(host_id=host_id, at=self._clock.now(), kind=kind, words=safe(words, WORDS), actor=actor)
        )

    def _state(self, fact: StateChanged) -> None:
        if fact.old == "unknown" and fact.new == "up":
            # heard for the first time, or again after a start of ours
            return
        self.note(fact.host_id, "state", f"{fact.new}: {fact.why}" if fact.why else fact.new)

    def facts(self, host_id: str, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """A host's facts were read again."""
        if not now:
            return
        for name, title in FACTS.items():
            if before.get(name) and now.get(name) and before[name] != now[name]:
                self.note(host_id, "facts", f"{title} {before[name]} → {now[name]}")

    def units(self, host_id: str, before: Mapping[str, float], now: Mapping[str, float]) -> None:
        """The series of a host's units were read again."""
        told = 0
        for name, value in now.items():
            metric, _, unit = name.partition("{")
            was = before.get(name, 0.0)
            if metric == "unit_failed" and bool(value) != bool(was):
                words = f"{unit[:-1]} {'failed' if value else 'no longer failed'}"
            elif metric == "unit_restarts" and value > 0 and not was:
                words = f"{unit[:-1]} was restarted by its supervisor"
            else:
                continue
            told += 1
            if told <= MOST_OF_ONE_READING:
                self.note(host_id, "unit", words)

    def drift(self, host_id: str, before: tuple[Difference, ...], now: tuple[Difference, ...]) -> None:
        """What differs from a baseline was read again."""
        known = {(one.section, one.item, one.kind, one.now) for one in before}
        new = [one for one in now if (one.section, one.item, one.kind, one.now) not in known]
        for one in new[:MOST_OF_ONE_READING]:
            self.note(host_id, "drift", f"{one.section} {one.kind}: {one.item}")

    # --- the store -----------------------------------------------------------------------------------

    async def save(self) -> None:
        """Write what was noted.

        Raises:
            StoreUnavailable: it is kept, and written at the next call.
        """
        if not self._queue:
            return
        batch = list(self._queue)
        async with self._store.write() as tx:
            await tx.execute(insert(host_changes), [_row(change) for change in batch])
        written = set(map(id, batch))
        while self._queue and id(self._queue[0]) in written:
            self._queue.popleft()

    async def mark(self, tx: Tx, host_id: str, words: str, actor: str) -> Change:
        """Set a mark, with the order's own transaction."""
        change = Change(
            host_id=host_id, at=self._clock.now(), kind="mark", words=safe(words, WORDS), actor=actor
        )
        await tx.execute(insert(host_changes), _row(change))
        return change

    async def of(self, host_id: str, since: float, most: int) -> list[Change]:
        """A host's changes, newest first."""
        query = (
            select(host_changes)
            .where(host_changes.c.host_id == host_id, host_changes.c.at >= since)
            .order_by(host_changes.c.at.desc())
            .limit(most)
        )
        async with self._store.read() as conn:
            rows = (await conn.execute(query)).all()
        waiting = [change for change in self._queue if change.host_id == host_id and change.at >= since]
        found = [
            Change(host_id=row.host_id, at=row.at, kind=row.kind, words=row.words, actor=row.actor)
            for row in rows
        ]
        return sorted([*waiting, *found], key=lambda change: -change.at)[:most]

    async def retain(self, before: float) -> None:
        """Delete changes older than a moment."""
        async with self._store.write() as tx:
            await tx.execute(delete(host_changes).where(host_changes.c.at < before))


def _row(change: Change) -> dict[str, object]:
    return {
        "host_id": change.host_id,
        "at": change.at,
        "kind": change.kind,
        "words": change.words,
        "actor": change.actor,
    }
