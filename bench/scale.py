"""The whole engine with 100 to 2,000 simulated hosts at 5 s, against a bare asyncssh echo to the same hosts in the same waves, in the same run.

Engine and echo stay on one processor, the simulated hosts on the other.  Each sample has more than 150 series.  The echo keeps a connection and
a channel to each host and has a few bytes answered: the least that asking over SSH can cost.

    python bench/scale.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import asyncssh
import uvloop
from peers import cpu_of
from support import ROOT, Following, Simulated, admit, follow, resident_kb, simulated

from guardian_tui.attach import start_engine, wait_until_listening
from guardian_tui.client import Client
from guardian_tui.config import find_paths
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.fleet import HostDetail, HostList, HostRef

COUNTS = (100, 500, 1000, 2000)
QUICK_COUNTS = (50, 200)
OURS, THEIRS = 0, 1
INTERVAL_SECONDS = 5.0
WAVE_HOSTS = 250
CONNECTS_AT_ONCE = 50
DISKS, NICS = 16, 10
LEAST_SERIES = 150
FAR_HOSTS, FAR_SECONDS = 10_000, 30.0
ROUND_SECONDS = 60.0
"""Between two surveys of a host: a window this long, once the first are over, has its share of them.  The slow ones come first when it is over."""


@dataclass(frozen=True)
class Cost:
    """What some hosts cost; ``cpu_seconds`` for one sample."""

    cpu_seconds: float
    connected_seconds: float
    kb_per_host: float


# --- the echo ----------------------------------------------------------------------------------------


class _Echo(asyncssh.SSHClientSession[bytes]):
    """One channel; counts the answers."""

    answers = 0

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self.channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        _Echo.answers += data.count(b"\n.")


async def echo(told: dict[str, Any], seconds: float) -> Cost:
    """Ask all hosts for an empty answer every interval, in waves spread over it."""
    key = asyncssh.read_private_key(told["client_key"])
    known = asyncssh.import_known_hosts(
        "".join(f"[{h['address']}]:{h['port']} {told['host_key']}\n" for h in told["hosts"])
    )
    ramp = asyncio.Semaphore(CONNECTS_AT_ONCE)
    before = resident_kb(os.getpid())

    async def connect(host: dict[str, Any]) -> tuple[asyncssh.SSHClientConnection, _Echo]:
        async with ramp:
            connection = await asyncssh.connect(
                host["address"], host["port"], username="demo", client_keys=[key], known_hosts=known, config=None, agent_path=None,
                encryption_algs=["aes128-gcm@openssh.com"], compression_algs=["none"],
            )  # fmt: skip
            _, session = await connection.create_session(_Echo, "guardian-probe", encoding=None)
            return connection, session

    began = time.monotonic()
    both = await asyncio.gather(*[connect(host) for host in told["hosts"]])
    connected = time.monotonic() - began
    sessions = [session for _, session in both]
    waves = [sessions[start : start + WAVE_HOSTS] for start in range(0, len(sessions), WAVE_HOSTS)]
    pause = INTERVAL_SECONDS / len(waves)
    started, cpu, number = time.monotonic(), time.process_time(), 0
    while time.monotonic() - started < seconds:
        for session in waves[number % len(waves)]:
            session.channel.write(b"%d -\n" % number)
        number += 1
        await asyncio.sleep(max(0.0, started + number * pause - time.monotonic()))
    spent = (time.process_time() - cpu) / _Echo.answers
    kb = (resident_kb(os.getpid()) - before) / len(sessions)
    for connection, _ in both:
        connection.abort()
    return Cost(spent, connected, kb)


def measure_echo(fleet: Simulated, seconds: float) -> Cost:
    """The echo, in a process of its own."""
    command = [sys.executable, __file__, "--echo", str(seconds)]
    done = subprocess.run(
        command, input=json.dumps(fleet.told), text=True, capture_output=True, check=False, cwd=ROOT
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return Cost(**json.loads(done.stdout))


# --- the engine --------------------------------------------------------------------------------------


def lateness(times: Sequence[float]) -> list[float]:
    """By how much each sample of a host came later than its best one, against a clock of its interval."""
    behind = [at - number * INTERVAL_SECONDS for number, at in enumerate(times)]
    return [at - min(behind) for at in behind]


def missed(times: Sequence[float]) -> int:
    """Samples of a host that should have come and did not."""
    return sum(max(0, round((b - a) / INTERVAL_SECONDS) - 1) for a, b in pairwise(times))


async def measure_engine(fleet: Simulated, settle: float, seconds: float) -> tuple[Cost, Following]:
    """The engine, and what a console heard of it."""
    hosts = len(fleet.told["hosts"])
    paths = find_paths()
    paths.config.mkdir(parents=True, exist_ok=True)
    (paths.config / "config.toml").write_text(f"[fleet]\nconnects_at_once = {CONNECTS_AT_ONCE}\n")
    process = start_engine(paths, linger=True)
    os.sched_setaffinity(process.pid, {OURS})
    try:
        await wait_until_listening(paths, process)
        client = Client(paths.socket)
        await admit(client)
        before = resident_kb(process.pid)
        await fleet.join(client)
        began = time.monotonic()
        following = await follow(client, hosts, "sim-", 120)
        connected = time.monotonic() - began
        await asyncio.sleep(settle)
        rows = (await client.call("hosts.list", HostList, Nothing())).hosts
        row = next(row for row in rows if row.name.startswith("sim-"))
        detail = await client.call("hosts.show", HostDetail, HostRef(host=row.id))
        if len(detail.values) < LEAST_SERIES:
            raise SystemExit(f"only {len(detail.values)} series in a sample")
        following.begin()
        cpu = cpu_of(process.pid)
        await asyncio.sleep(seconds)
        spent = (cpu_of(process.pid) - cpu) / following.samples
        kb = (resident_kb(process.pid) - before) / hosts
        await following.close()
        await client.close()
    finally:
        process.terminate()
        process.wait(timeout=30)
    return Cost(spent, connected, kb), following


def measure(hosts: int, settle: float, seconds: float, bare_seconds: float) -> tuple[Cost, Cost, Following]:
    """Echo and engine on the same hosts."""
    with (
        simulated(hosts, cpu=THEIRS, disks=DISKS, nics=NICS) as fleet,
        tempfile.TemporaryDirectory(prefix="gs") as home,
    ):
        os.environ["GUARDIAN_HOME"] = home
        bare = measure_echo(fleet, bare_seconds)
        ours, following = asyncio.run(measure_engine(fleet, settle, seconds))
    return bare, ours, following


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer hosts, under half a minute")
    parser.add_argument("--echo", type=float, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.echo is not None:
        os.sched_setaffinity(0, {OURS})
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            cost = runner.run(echo(json.loads(sys.stdin.read()), chosen.echo))
        print(json.dumps(vars(cost)))
        return
    counts: tuple[int, ...]
    if chosen.quick:
        # few hosts have their first surveys behind them by then
        counts, settle, seconds, bare_seconds = (
            QUICK_COUNTS,
            INTERVAL_SECONDS,
            INTERVAL_SECONDS,
            INTERVAL_SECONDS,
        )
    else:
        counts, settle, seconds, bare_seconds = COUNTS, 20.0, ROUND_SECONDS, 6 * INTERVAL_SECONDS
    costs: dict[int, Cost] = {}
    values: dict[str, float] = {}
    for hosts in counts:
        bare, ours, following = measure(hosts, settle, seconds, bare_seconds)
        costs[hosts] = ours
        late = [late for times in following.times.values() for late in lateness(times)]
        lost = sum(missed(times) for times in following.times.values())
        p99 = statistics.quantiles(late, n=100)[98] / INTERVAL_SECONDS
        print(
            f"{hosts} hosts: {ours.cpu_seconds * 1e3:.3f} ms a sample ({ours.cpu_seconds * hosts / INTERVAL_SECONDS:.1%} of a core),"
            f" echo {bare.cpu_seconds * 1e3:.3f}; {ours.kb_per_host:.0f} KB a host, bare {bare.kb_per_host:.0f};"
            f" up in {ours.connected_seconds:.1f} s, bare {bare.connected_seconds:.1f}; {lost} missed, p99 late by {p99:.1%}"
        )
        if hosts <= 1000:
            # the counts of which the aims speak: the last one of these that is measured
            values["echo"] = ours.cpu_seconds / bare.cpu_seconds
            values["kb_per_host"] = ours.kb_per_host
            values["connected"] = ours.connected_seconds / bare.connected_seconds
        values["missed"] = values.get("missed", 0) + lost
        values["late_p99"] = max(values.get("late_p99", 0.0), p99)
    values["growth"] = costs[counts[-1]].cpu_seconds / costs[counts[0]].cpu_seconds
    share = costs[counts[-1]].cpu_seconds * FAR_HOSTS / FAR_SECONDS
    print(f"projection: {FAR_HOSTS} hosts at {FAR_SECONDS:.0f} s take {share:.0%} of a core")
    print(json.dumps({"bench": "scale", "values": {name: round(value, 3) for name, value in values.items()}}))


if __name__ == "__main__":
    main()
