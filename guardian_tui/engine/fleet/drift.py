"""Drift: what a section lists against the baseline that was accepted for its host.

The first reading of a host is its baseline: what is already there when it is added is taken as meant.  From then on what is new, changed or gone
differs until a person accepts it.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from sqlalchemy import bindparam, delete, insert, select

from guardian_tui.engine.clock import Clock
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import baselines
from guardian_tui.protocol.sections import Difference

MOST_ITEMS = 5000
"""Of one section: what a host lists beyond them is not compared."""

Key = tuple[str, str]
"""(host id, section)."""


@dataclass(frozen=True, slots=True)
class _Baseline:
    """Accepted items, packed: most hosts never differ."""

    packed: bytes
    accepted_at: float
    accepted_by: str

    @property
    def items(self) -> dict[str, str]:
        return msgspec.json.decode(zlib.decompress(self.packed), type=dict[str, str])


def _pack(items: Mapping[str, str]) -> bytes:
    return zlib.compress(msgspec.json.encode(items, order="sorted"))


class Drift:
    """Baselines of all hosts, and how they differ now."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._accepted: dict[Key, _Baseline] = {}
        self._seen: dict[Key, bytes] = {}
        self._differences: dict[Key, tuple[Difference, ...]] = {}
        self._unsaved: set[Key] = set()

    async def load(self) -> None:
        """Read all baselines."""
        async with self._store.read() as conn:
            for row in await conn.execute(select(baselines)):
                self._accepted[row.host_id, row.section] = _Baseline(
                    row.items, row.accepted_at, row.accepted_by
                )

    def compare(self, host_id: str, section: str, items: Mapping[str, str]) -> tuple[Difference, ...]:
        """How what was listed now differs; the first list of a host is its baseline."""
        if len(items) > MOST_ITEMS:
            items = dict(sorted(items.items())[:MOST_ITEMS])
        key, packed = (host_id, section), _pack(items)
        self._seen[key] = packed
        accepted = self._accepted.get(key)
        if accepted is None:
            self._accepted[key] = _Baseline(packed, self._clock.now(), "")
            self._unsaved.add(key)
        # the same items pack to the same bytes
        same = accepted is None or accepted.packed == packed
        found = (
            ()
            if same or accepted is None
            else differences(section, accepted.items, items, accepted.accepted_at)
        )
        self._differences[key] = found
        return found

    def of(self, host_id: str) -> tuple[Difference, ...]:
        """All that differs on a host now."""
        return tuple(
            one for (id, _), found in sorted(self._differences.items()) if id == host_id for one in found
        )

    def at(self, host_id: str, section: str) -> tuple[Difference, ...]:
        """What differs in one section of a host now."""
        return self._differences.get((host_id, section), ())

    async def save(self) -> None:
        """Write baselines that were taken since the last time.

        Raises:
            StoreUnavailable: they are kept, and written at the next call.
        """
        unsaved = sorted(self._unsaved)
        if not unsaved:
            return
        async with self._store.write() as tx:
            await self._put(tx, {key: self._accepted[key] for key in unsaved if key in self._accepted})
        self._unsaved.difference_update(unsaved)

    async def accept(self, tx: Tx, host_id: str, section: str, actor: str) -> int:
        """Take what is there now as meant, in one ``section`` or (empty) in all; answers how many differences that ends."""
        keys = [
            key
            for key, found in self._differences.items()
            if key[0] == host_id and section in ("", key[1]) and found
        ]
        await self._put(tx, {key: _Baseline(self._seen[key], self._clock.now(), actor) for key in keys})

        def done() -> None:
            for key in keys:
                self._accepted[key] = _Baseline(self._seen[key], self._clock.now(), actor)
                self._differences[key] = ()

        ended = sum(len(self._differences[key]) for key in keys)
        tx.after_commit(done)
        return ended

    async def forget(self, tx: Tx, host_id: str) -> None:
        """A host leaves."""
        await tx.execute(delete(baselines).where(baselines.c.host_id == host_id))

        def done() -> None:
            for kept in (self._accepted, self._seen, self._differences):
                for key in [key for key in kept if key[0] == host_id]:
                    kept.pop(key)

        tx.after_commit(done)

    async def _put(self, tx: Tx, taken: Mapping[Key, _Baseline]) -> None:
        """Write these, in place of those that are there: two statements, however many hosts are new."""
        if not taken:
            return
        here = baselines.c
        same = (here.host_id == bindparam("k_host")) & (here.section == bindparam("k_section"))
        await tx.execute(
            delete(baselines).where(same), [{"k_host": host, "k_section": section} for host, section in taken]
        )
        rows = [
            {
                "host_id": host, "section": section, "items": baseline.packed, "accepted_at": baseline.accepted_at,
                "accepted_by": baseline.accepted_by,
            }
            for (host, section), baseline in taken.items()
        ]  # fmt: skip
        await tx.execute(insert(baselines), rows)


def differences(
    section: str, accepted: Mapping[str, str], now: Mapping[str, str], accepted_at: float
) -> tuple[Difference, ...]:
    """New, changed and gone items, in this order, by name."""
    new = [
        Difference(section, item, "new", "", now[item], accepted_at)
        for item in sorted(now.keys() - accepted.keys())
    ]
    changed = [
        Difference(section, item, "changed", accepted[item], now[item], accepted_at)
        for item in sorted(now.keys() & accepted.keys())
        if now[item] != accepted[item]
    ]
    gone = [
        Difference(section, item, "gone", accepted[item], "", accepted_at)
        for item in sorted(accepted.keys() - now.keys())
    ]
    return (*new, *changed, *gone)
