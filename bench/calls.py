"""Calls of Python and C functions that the engine makes for a host: for one poll, for one round of medium sections, for one connection.

A count is nearly the same on a busy machine, so it tells whether a change made a sample cheaper where seconds don't.  Counted is all that happens in the
process, from the request to the row that a console is sent: transport, parse, rates, rules, rows, the store, the loop itself.  The hosts are simulated, in
a process of their own; their server sends a packet to be ignored before each, so that an answer is two packets where OpenSSH sends one.

    python bench/calls.py [--quick] [--most 40]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import asyncssh
import uvloop
from support import Simulated, simulated

from guardian_tui.config import AlertsSettings, FleetSettings
from guardian_tui.engine.alerts.service import Alerts
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.link import Link
from guardian_tui.protocol.fleet import HostSpec
from tests.fleet.world import World, world

FULL, QUICK = (100, 20, 4), (40, 5, 1)
"""Hosts, polls of each, rounds of each."""
FAR_SECONDS = 86400.0
NEVER = float("inf")
TURN_SECONDS = 0.5
SETTINGS = FleetSettings(
    watch_this_machine=False, connects_at_once=50, interval_seconds=3600.0, file_systems_seconds=FAR_SECONDS, poll_timeout_seconds=300.0
)  # fmt: skip
"""No host is asked by itself: each poll and each round is made here."""


@contextmanager
def counted(calls: Counter[str]) -> Iterator[None]:
    """Count what this thread calls, by caller where it is no Python function."""

    def note(frame: FrameType, event: str, arg: Any) -> None:  # Any: what is called
        if event == "call":
            calls[f"{Path(frame.f_code.co_filename).name}: {frame.f_code.co_qualname}"] += 1
        elif event == "c_call":
            calls[f"{getattr(arg, '__qualname__', arg)} by {frame.f_code.co_qualname}"] += 1

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


class Bench:
    """A fleet whose polls and rounds are made one by one."""

    def __init__(self, one: World, fleet: Simulated) -> None:
        self._one = one
        self._fleet = fleet
        self._watch = one.fleet.watch
        self._console = one.live.subscribe(lambda table, labels: True)
        self.calls: dict[str, Counter[str]] = {
            "bare": Counter(),
            "connect": Counter(),
            "poll": Counter(),
            "round": Counter(),
        }

    @property
    def _links(self) -> list[Link]:
        return list(self._watch._links.values())

    async def connect_bare(self) -> None:
        """A connection and a channel to each host, by asyncssh alone."""
        told = self._fleet.told
        key = asyncssh.read_private_key(told["client_key"])
        known = asyncssh.import_known_hosts(
            "".join(f"[{h['address']}]:{h['port']} {told['host_key']}\n" for h in told["hosts"])
        )
        opened = []
        with counted(self.calls["bare"]):
            for host in told["hosts"]:
                conn = await asyncssh.connect(
                    host["address"], host["port"], username="demo", client_keys=[key], known_hosts=known, config=None, agent_path=None,
                    encryption_algs=["aes128-gcm@openssh.com"], compression_algs=["none"],
                )  # fmt: skip
                await conn.create_session(asyncssh.SSHClientSession, "guardian-probe", encoding=None)
                opened.append(conn)
        for conn in opened:
            conn.abort()

    async def connect(self) -> None:
        """Watch all hosts until each has answered once."""
        told, one = self._fleet.told, self._one
        for host in told["hosts"]:
            await one.pin(host["address"], host["port"], told["host_key"])
        async with one.store.write() as tx:
            for number, told_of in enumerate(told["hosts"]):
                spec = HostSpec(
                    name=told_of["name"], address=told_of["address"], port=told_of["port"], user="demo",
                    credential=f"key:{told['client_key']}", interval_seconds=3600.0,
                )  # fmt: skip
                target = one.fleet.inventory.target(f"h{number}", spec)
                host = Host(f"h{number}", spec, target, 0.0, why="connecting")
                await one.fleet.inventory.put(tx, host, "bench", new=True)
                tx.after_commit(partial(one.fleet.joined, host))
        with counted(self.calls["connect"]):
            await one.until(lambda: all(link.host.measured_at for link in self._links), "all hosts")
        for link in self._links:
            link.slow_due = link.survey_due = link.mounts_due = link.clock_due = NEVER
        # those that the first polls began
        await asyncio.gather(*[link.asking for link in self._links if link.asking])

    async def poll(self) -> None:
        """Ask all hosts, until their rows were sent."""
        before = {link.host.id: link.host.measured_at for link in self._links}
        for link in self._links:
            self._watch._poll(link, time.monotonic())
        # not by what is told of each answer: to look whenever something comes would be counted too
        while any(link.host.measured_at == before[link.host.id] for link in self._links):
            await asyncio.sleep(TURN_SECONDS)
        self._console.take()

    async def round(self) -> None:
        """Read file systems and medium sections of all hosts, until they are told."""
        for link in self._links:
            link.sections_due = 0.0
            link.asking = asyncio.create_task(self._watch.survey.round(link))
        await asyncio.gather(*[link.asking for link in self._links if link.asking])
        await asyncio.sleep(TURN_SECONDS)
        self._console.take()

    async def times(self, name: str, what: Callable[[], Awaitable[None]], count: int) -> None:
        """Do something so often, after once that is not counted."""
        await what()
        with counted(self.calls[name]):
            for _ in range(count):
                await what()


async def measure(hosts: int, polls: int, rounds: int, most: int) -> dict[str, float]:
    """Calls for each host."""
    with simulated(hosts, disks=4, nics=2) as fleet, tempfile.TemporaryDirectory(prefix="gc") as folder:
        async with world(Path(folder), SETTINGS) as one:
            alerts = Alerts(one.store, one.bus, one.live, one.clock, AlertsSettings(), one.vault, one.sink)
            await alerts.start()
            bench = Bench(one, fleet)
            await bench.connect_bare()
            await bench.connect()
            await bench.times("poll", bench.poll, polls)
            await bench.times("round", bench.round, rounds)
            await alerts.stop()
    each = {"bare": hosts, "connect": hosts, "poll": hosts * polls, "round": hosts * rounds}
    for name, calls in bench.calls.items():
        print(f"{name}: {calls.total() / each[name]:.1f} calls")
        for what, count in calls.most_common(most):
            print(f"  {count / each[name]:8.2f}  {what}")
    return {name: calls.total() / each[name] for name, calls in bench.calls.items()}


def main() -> None:
    """Count, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer hosts, under half a minute")
    parser.add_argument("--most", type=int, default=0, help="also show so many of what is called most often")
    chosen = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        values = runner.run(measure(*(QUICK if chosen.quick else FULL), chosen.most))
    print(json.dumps({"bench": "calls", "values": {name: round(value, 1) for name, value in values.items()}}))


if __name__ == "__main__":
    main()
