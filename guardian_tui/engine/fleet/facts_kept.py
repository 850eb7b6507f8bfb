"""Facts of hosts (system, kernel, size, packages) in the store: known from the first second after a restart, before a host was reached."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import delete, insert, select

from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.store.tables import host_facts


class FactsKept:
    """What is written of each host's facts; the rest is in memory only."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._written: dict[str, dict[str, str]] = {}

    async def load(self, hosts: Iterable[Host]) -> None:
        """Give hosts the facts that were known of them."""
        async with self._store.read() as conn:
            rows = (await conn.execute(select(host_facts))).all()
        self._written = {row.host_id: json.loads(row.facts) for row in rows}
        for host in hosts:
            host.facts = dict(self._written.get(host.id, {}))

    async def write(self, hosts: Iterable[Host], now: float) -> int:
        """Write the facts that changed, and forget hosts that are gone; answers how many were written."""
        # facts are replaced when they change: those that are the same object are not looked through
        current = {host.id: host.facts for host in hosts if host.facts}
        changed = {id: facts for id, facts in current.items() if self._written.get(id) != facts}
        gone = [id for id in self._written if id not in current]
        if not changed and not gone:
            self._written = current
            return 0
        async with self._store.write() as tx:
            await tx.execute(delete(host_facts).where(host_facts.c.host_id.in_([*changed, *gone])))
            rows = [
                {"host_id": id, "facts": json.dumps(facts), "read_at": now} for id, facts in changed.items()
            ]
            if rows:
                await tx.execute(insert(host_facts), rows)
        self._written = current
        return len(changed)
