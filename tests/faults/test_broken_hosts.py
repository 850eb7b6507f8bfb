"""A whole engine among hosts that are broken in every way at once: each is told as what it is, and the others are watched."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from guardian_tui.protocol.alerts import AlertList, AlertsQuery
from guardian_tui.protocol.audit import AuditVerdict
from guardian_tui.protocol.fleet import HostDetail, HostList, HostRef, HostRow, HostsQuery
from tests.support.engine import EngineProcess, engine_process
from tests.support.sims import sims

SETTINGS = """
[fleet]
watch_this_machine = false
poll_timeout_seconds = 2
connect_timeout_seconds = 3
breaker_max_seconds = 2
file_systems_seconds = 2
"""
DOWN = ("dead", "mute", "hang", "half", "cut", "flood", "late")
UNKNOWN = ("garbage", "foreign")
OTHERS = ("df_hang",)
FAULTS = (*DOWN, *UNKNOWN, *OTHERS)
WELL = 12
"""More than those that are broken: else it would be our own link."""
FLOOD_BYTES = 100 << 20
"""What the host that floods would send if it were let."""


async def rows_of(engine: EngineProcess) -> dict[str, HostRow]:
    """Hosts by the name that they were added under."""
    rows = (await engine.client.call("hosts.list", HostList, HostsQuery())).hosts
    return {row.name: row for row in rows}


async def down_of(engine: EngineProcess, state: str) -> set[str]:
    """Hosts of which an alert says, or said, that they are down."""
    found = await engine.client.call("alerts.list", AlertList, AlertsQuery(resolved=True, limit=1000))
    return {one.host for one in found.alerts if (one.rule, one.state) == ("host_down", state)}


@pytest.mark.timeout(300)
async def test_hosts_broken_in_every_way_at_once_are_told_apart_and_cost_the_others_nothing(
    tmp_path: Path,
) -> None:
    async with sims(len(FAULTS) + WELL) as hosts, engine_process(tmp_path / "g", SETTINGS) as engine:
        joined = [row.name for row in await hosts.join(engine.client)]
        faulty, well = dict(zip(FAULTS, joined, strict=False)), set(joined[len(FAULTS) :])

        async def all_up() -> bool:
            return {row.state for row in (await rows_of(engine)).values()} == {"up"}

        await engine.until(all_up, "all are up")
        before = (await engine.status()).memory_bytes
        for fault, name in faulty.items():
            await hosts.fault(name, fault)
        wanted = {faulty[fault]: "down" for fault in DOWN} | {faulty[fault]: "unknown" for fault in UNKNOWN}

        async def told_apart() -> bool:
            rows = await rows_of(engine)
            # nobody else is drawn in, at no moment
            assert {rows[name].state for name in well} == {"up"}, rows
            return {name: rows[name].state for name in wanted} == wanted

        await engine.until(told_apart, "each has its state")

        async def paged() -> bool:
            return await down_of(engine, "firing") == {faulty[fault] for fault in DOWN}

        await engine.until(paged, "those that are down page")

        async def room_unknown() -> bool:
            shown = await engine.client.call("hosts.show", HostDetail, HostRef(host=faulty["df_hang"]))
            return any("is a mount dead?" in words for words in shown.problems)

        await engine.until(room_unknown, "the dead mount is named")
        rows = await rows_of(engine)
        assert all(rows[name].why for name in wanted)
        live = well | {faulty["df_hang"]}
        assert all(time.time() - (rows[name].measured_at or 0.0) < 10 for name in live)
        assert (await engine.status()).memory_bytes - before < FLOOD_BYTES

        await hosts.fault("*", "")
        await engine.until(all_up, "all are up again")

        async def over() -> bool:
            ended = await down_of(engine, "resolved")
            return ended == {faulty[fault] for fault in DOWN} and not await down_of(engine, "firing")

        await engine.until(over, "all of it is over")
        assert (await engine.client.call("audit.verify", AuditVerdict)).ok
        said = (engine.paths.state / "engine.log").read_text()
        assert '"level": "error"' not in said, said[-3000:]
