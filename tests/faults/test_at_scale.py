"""Faults of many hosts at once, on one engine and one simulated fleet: what is told, what it costs the others, and that all heal.

The short form runs with fewer hosts; ``-m soak`` runs a thousand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from guardian_tui.protocol.alerts import Alert, AlertList, AlertsQuery
from guardian_tui.protocol.fleet import HostList, HostRow, HostsQuery
from guardian_tui.protocol.imports import ImportPreview, ImportRequest, SourceText
from tests.support.engine import EngineProcess, engine_process
from tests.support.sims import Sims, sims

SETTINGS = """
[fleet]
watch_this_machine = false
breaker_max_seconds = 4
connects_at_once = 50
poll_timeout_seconds = 4
file_systems_seconds = 600
"""
FAULTS = {
    "dead": ("down", "refuses connections"), "mute": ("down", "did not answer"), "hang": ("down", "did not answer a poll"),
    "late": ("down", "did not answer a poll"), "wrong": ("down", "did not answer a poll"), "half": ("down", "did not answer a poll"),
    "cut": ("down", ""), "killed": ("unknown", "does not run the probe"), "garbage": ("unknown", "not as the probe does"), "foreign": ("unknown", "not as the probe does"),
    "key": ("down", "key changed"), "slow": ("", ""),
}  # fmt: skip
"""Fault → the state that it leads to, and words of its reason; empty: either is right."""
SIZES = [pytest.param(48, id="48"), pytest.param(1000, id="1000", marks=pytest.mark.soak)]


@dataclass
class Fleet:
    """An engine that watches simulated hosts."""

    engine: EngineProcess
    hosts: Sims
    count: int

    async def rows(self) -> dict[str, HostRow]:
        """All hosts by name."""
        listed = await self.engine.client.call("hosts.list", HostList, HostsQuery())
        return {row.name: row for row in listed.hosts}

    async def alerts(self) -> list[Alert]:
        """All there ever were about hosts that don't answer, or the engine."""
        found = await self.engine.client.call(
            "alerts.list", AlertList, AlertsQuery(resolved=True, limit=1000)
        )
        return [alert for alert in found.alerts if not alert.metric]

    async def all_up(self) -> bool:
        """Whether every host is well."""
        rows = await self.rows()
        return len(rows) == self.count and {row.state for row in rows.values()} == {"up"}

    async def join(self, jump: str = "", behind: frozenset[str] = frozenset()) -> None:
        """Watch all of them: one import."""
        about = self.hosts.about
        known = "".join(f"[{h['address']}]:{h['port']} {about['host_key'].strip()}\n" for h in about["hosts"])
        lines = ["name,address,port,user,credential,interval,jump"]
        lines += [
            f"{h['name']},{h['address']},{h['port']},sim,key:{about['client_key']},2,{jump if h['name'] in behind else ''}" for h in about["hosts"]
        ]  # fmt: skip
        names = tuple(h["name"] for h in about["hosts"])
        source = SourceText(format="csv", name="sims", text="\n".join(lines))
        order = ImportRequest(source=source, known_hosts=known, names=names)
        done = await self.engine.client.call("hosts.import", ImportPreview, order)
        assert done.added == self.count, done.problems[:3]


@asynccontextmanager
async def fleet(folder: Path, count: int) -> AsyncIterator[Fleet]:
    """So many hosts, not watched yet."""
    async with sims(count) as hosts, engine_process(folder / "g", SETTINGS) as engine:
        yield Fleet(engine, hosts, count)


def share(count: int, seconds: float) -> float:
    """How long is waited: longer for more hosts."""
    return seconds + count / 10


@pytest.mark.timeout(600)
@pytest.mark.parametrize("count", SIZES)
async def test_every_fault_at_once_is_told_per_host_costs_the_others_nothing_and_heals(
    tmp_path: Path, count: int
) -> None:
    async with fleet(tmp_path, count) as one:
        await one.join()
        await one.engine.until(one.all_up, "all are up", share(count, 60))
        names = sorted(await one.rows())
        # a third is broken: more would be taken for our own link's fault
        broken = {name: fault for name, fault in zip(names[::3], list(FAULTS) * count, strict=False)}
        well = set(names) - set(broken)
        for name, fault in broken.items():
            await one.hosts.fault(name, fault)

        wrong: dict[str, tuple[str, str, str]] = {}

        async def told() -> bool:
            rows = await one.rows()
            wrong.clear()
            wrong.update(
                (name, (fault, rows[name].state, rows[name].why))
                for name, fault in broken.items()
                if FAULTS[fault][0] not in ("", rows[name].state) or FAULTS[fault][1] not in rows[name].why
            )
            return not wrong

        try:
            await one.engine.until(told, "every fault is told", share(count, 60))
        except AssertionError as error:
            raise AssertionError(f"told otherwise: {wrong}") from error
        rows = await one.rows()
        assert Counter(rows[name].state for name in well) == {"up": len(well)}
        assert (await one.engine.status()).cut_off_since is None
        alerts = await one.alerts()
        assert {alert.host for alert in alerts} <= set(broken)
        assert {alert.rule for alert in alerts} == {"host_down", "host_key_changed"}
        # each host that is down is one alert
        down = Counter(alert.host for alert in alerts if alert.state == "firing")
        assert set(down.values()) == {1}

        for name in broken:
            await one.hosts.fault(name, "")
        await one.engine.until(one.all_up, "all are up again", share(count, 90))

        async def over() -> bool:
            return {alert.state for alert in await one.alerts()} == {"resolved"}

        await one.engine.until(over, "all alerts are over", share(count, 30))
        assert {alert.host for alert in await one.alerts()} <= set(broken)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("count", "behind"),
    [pytest.param(31, 24, id="24"), pytest.param(320, 300, id="300", marks=pytest.mark.soak)],
)
async def test_a_jump_host_that_dies_with_many_behind_it_is_one_alert_and_no_storm_of_connections(
    tmp_path: Path, count: int, behind: int
) -> None:
    async with fleet(tmp_path, count) as one:
        names = sorted(host["name"] for host in one.hosts.about["hosts"])
        jump, hidden = names[0], frozenset(names[1 : behind + 1])
        await one.join(jump, hidden)
        await one.engine.until(one.all_up, "all are up", share(count, 90))
        before = await one.hosts.logins()

        await one.hosts.fault(jump, "dead")

        async def folded() -> bool:
            states = Counter(row.state for row in (await one.rows()).values())
            firing = [alert for alert in await one.alerts() if alert.state == "firing"]
            return states["unreachable"] == behind and [alert.folded for alert in firing] == [behind]

        await one.engine.until(folded, "all behind it are folded into one alert", share(count, 60))
        (alert,) = await one.alerts()
        assert (alert.rule, alert.host) == ("host_down", jump)

        await one.hosts.fault(jump, "")
        await one.engine.until(one.all_up, "all are up again", share(count, 120))

        async def over() -> bool:
            return [alert.state for alert in await one.alerts()] == ["resolved"]

        await one.engine.until(over, "its one alert is over", share(count, 30))
        logins = await one.hosts.logins()
        # the jump host once, or twice if its first answer came too late; each behind it once, and a few again where a try was under way
        assert logins[jump] - before[jump] <= 3
        again = sum(logins[name] - before[name] for name in hidden)
        assert behind <= again <= behind * 1.2 + 2
        assert all(logins[name] == before[name] for name in set(names) - hidden - {jump})
