"""Our own link goes: a whole engine with two hundred hosts says so once, not two hundred times."""

from __future__ import annotations

from pathlib import Path

from guardian_tui.protocol.alerts import Alert, AlertList, AlertsQuery
from guardian_tui.protocol.fleet import HostList, HostsQuery
from tests.support.engine import EngineProcess, engine_process
from tests.support.sims import sims

SETTINGS = """
[fleet]
watch_this_machine = false
breaker_max_seconds = 1
connects_at_once = 50
"""
HOSTS = 200


async def alerts_of(engine: EngineProcess) -> list[Alert]:
    """All there ever were, but those about figures."""
    found = await engine.client.call("alerts.list", AlertList, AlertsQuery(resolved=True, limit=1000))
    return [alert for alert in found.alerts if not alert.metric]


async def all_are(engine: EngineProcess, state: str) -> bool:
    """Whether every host is in a state."""
    rows = (await engine.client.call("hosts.list", HostList, HostsQuery())).hosts
    return len(rows) == HOSTS and {row.state for row in rows} == {state}


async def test_two_hundred_hosts_dead_at_once_are_one_alert_that_resolves_when_they_come_back(
    tmp_path: Path,
) -> None:
    async with sims(HOSTS) as hosts, engine_process(tmp_path / "g", SETTINGS) as engine:
        await hosts.join(engine.client, interval_seconds=2.0)
        await engine.until(lambda: all_are(engine, "up"), "all are up")
        assert await alerts_of(engine) == []

        await hosts.fault("*", "dead")
        await engine.until(lambda: all_are(engine, "unknown"), "all are unknown")

        async def told() -> bool:
            return bool(await alerts_of(engine))

        await engine.until(told, "it is an alert")
        (alert,) = await alerts_of(engine)
        assert (alert.rule, alert.state, alert.host) == ("engine_cut_off", "firing", "")
        assert (await engine.status()).cut_off_since is not None

        await hosts.fault("*", "")
        await engine.until(lambda: all_are(engine, "up"), "all are up again")

        async def over() -> bool:
            return {alert.state for alert in await alerts_of(engine)} == {"resolved"}

        await engine.until(over, "the alert is over")
        assert [alert.rule for alert in await alerts_of(engine)] == ["engine_cut_off"]
        assert (await engine.status()).cut_off_since is None
