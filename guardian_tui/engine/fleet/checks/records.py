"""Checks in the store."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import msgspec
from sqlalchemy import delete, insert, select, update

from guardian_tui.engine.fleet.checks.check import Check
from guardian_tui.engine.fleet.checks.patterns import check_patterns
from guardian_tui.engine.store.database import Store, Tx
from guardian_tui.engine.store.tables import checks
from guardian_tui.protocol.check_params import read_params
from guardian_tui.protocol.checks import CheckSpec
from guardian_tui.protocol.errors import InvalidRequest

log = logging.getLogger(__name__)


async def read_checks(store: Store) -> list[Check]:
    """All checks of the store; what can't be read is told in the log and left alone."""
    async with store.read() as conn:
        rows = (await conn.execute(select(checks).order_by(checks.c.name))).all()
    found = []
    for row in rows:
        try:
            spec = msgspec.json.decode(row.spec, type=CheckSpec)
            params = read_params(spec.kind, spec.params)
            check_patterns(params)
        except (msgspec.DecodeError, InvalidRequest) as error:
            log.warning("the check %s can't be read from the store: %s", row.name, error)
            continue
        check = Check(row.id, spec, params, row.host_id, row.source, row.created_at, since=row.created_at)
        try:
            check.recall(msgspec.json.decode(row.memory))
        except msgspec.DecodeError:
            log.warning("what the check %s remembered can't be read; it begins anew", row.name)
        found.append(check)
    return found


async def put(tx: Tx, check: Check, *, new: bool) -> None:
    """Write a check."""
    row = {
        "name": check.spec.name, "host_id": check.host_id, "spec": msgspec.json.encode(check.spec).decode(),
        "source": check.source, "memory": msgspec.json.encode(check.remembered()).decode(),
    }  # fmt: skip
    if new:
        await tx.execute(insert(checks), {"id": check.id, "created_at": check.created_at, **row})
    else:
        await tx.execute(update(checks).where(checks.c.id == check.id).values(**row))


async def remember(tx: Tx, some: Iterable[Check]) -> None:
    """Write what checks remember."""
    for check in some:
        memory = msgspec.json.encode(check.remembered()).decode()
        await tx.execute(update(checks).where(checks.c.id == check.id).values(memory=memory))


async def remove(tx: Tx, ids: Iterable[str]) -> None:
    """Delete checks."""
    for id in ids:
        await tx.execute(delete(checks).where(checks.c.id == id))
