"""Replication of PostgreSQL as checks see it: a real primary and a real standby that streams from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from guardian_tui.engine.fleet.checks.check import Check
from tests.checks.lab import Lab
from tests.support.postgres import cluster

pytestmark = pytest.mark.timeout(120)
SETTINGS = ("wal_receiver_status_interval = 1", "wal_retrieve_retry_interval = 100")


def order(folder: Path, sql: str) -> Any:  # Any: a value of the database
    """Have it done, and answer the first value."""
    with psycopg.connect(host=str(folder), user="tester", dbname="postgres", autocommit=True) as conn:
        cursor = conn.execute(sql)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


async def seen(lab: Lab, check: Check, so: Callable[[Check], object]) -> Check:
    """Make it until it says so."""
    async with asyncio.timeout(30):
        while not so(await lab.run(check)):
            await asyncio.sleep(0.05)
    return check


async def test_a_standby_that_falls_behind_or_is_gone_is_said_on_both_sides(lab: Lab) -> None:
    with cluster(*SETTINGS) as primary, primary.standby("copy") as standby:
        order(primary.folder, "CREATE TABLE t (a int)")

        async def check(folder: Path, **params: object) -> Check:
            base = {"address": str(folder), "user": "tester", **params}
            return await lab.made("postgresql", base, timeout_seconds=20)

        on_standby = await check(standby.folder, lag_max=0.3)
        on_primary = await check(primary.folder, replicas=1)
        await seen(lab, on_standby, lambda it: "a standby 0 s behind" in it.words)
        assert on_standby.state == "ok" and lab.figures(on_standby)["check_replication_lag_seconds"] == 0
        await seen(lab, on_primary, lambda it: it.state == "ok" and "1 replica" in it.words)

        # what was written is received, and not replayed
        order(standby.folder, "SELECT pg_wal_replay_pause()")
        order(primary.folder, "INSERT INTO t VALUES (1)")
        await seen(
            lab, on_standby, lambda it: it.state == "failed" and "s behind, wanted within 0.3" in it.words
        )
        lag = lab.figures(on_standby)["check_replication_lag_seconds"]
        await seen(lab, on_standby, lambda it: lab.figures(it)["check_replication_lag_seconds"] > lag + 0.2)
        assert lab.ruled(f"check_replication_lag_seconds{{{on_standby.spec.name}}}")[-1] > lag
        await seen(lab, on_primary, lambda it: lab.figures(it).get("check_replication_lag_seconds", 0) > 0.3)
        order(standby.folder, "SELECT pg_wal_replay_resume()")
        await seen(lab, on_standby, lambda it: it.state == "ok" and " 0 s behind" in it.words)
        assert order(standby.folder, "SELECT count(*) FROM t") == 1

        standby.stop()
        unasked = await check(primary.folder)
        await seen(lab, unasked, lambda it: it.state == "warning")
        assert "nobody reads the replication slot copy" in unasked.words
        await seen(lab, on_primary, lambda it: it.state == "failed")
        assert on_primary.words == "0 replicas, wanted 1"
        await lab.run(on_standby)
        assert on_standby.state == "failed"

        standby.start()
        await seen(lab, on_standby, lambda it: it.state == "ok" and " 0 s behind" in it.words)
        await seen(lab, on_primary, lambda it: it.state == "ok")
        primary.crash()
        # all that came was replayed: that it is up to date is not to be believed
        await seen(lab, on_standby, lambda it: it.state == "failed")
        assert on_standby.words == "a standby whose link to its primary is down"
        assert "check_replication_lag_seconds" not in lab.figures(on_standby)
