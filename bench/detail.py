"""A host's processes on screen, two thousand of them, read every two seconds: what a tick costs, and what it does to the keys.

Bytes and CPU of the console per tick while nobody presses a key; then key to paint, against the same list read every half minute.  Console and engine
share one processor, the simulated host has the other.

    python bench/detail.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import tempfile
import time
from pathlib import Path

from latency import key_to_paint
from support import Console, Simulated, admit, follow, simulated, stop_engine

from guardian_tui.attach import start_engine, wait_until_listening
from guardian_tui.client import Client
from guardian_tui.config import find_paths

PROCESSES = 2000
OURS, THEIRS = 0, 1
TICK_SECONDS = 2.0
CURSOR = re.compile("[▌╋]\\s{0,8}([0-9]+) ")
"""The edge of the cursor's row, and the pid on it."""


async def furnish(fleet: Simulated) -> str:
    """An engine on our processor that watches one host; a code to log in with."""
    paths = find_paths()
    process = start_engine(paths, linger=True)
    os.sched_setaffinity(process.pid, {OURS})
    await wait_until_listening(paths, process)
    client = Client(paths.socket)
    codes = await admit(client)
    await fleet.join(client)
    following = await follow(client, 1, "sim-", 60.0)
    await following.close()
    await client.close()
    return codes[0]


def cpu_seconds(pid: int) -> float:
    """CPU of a process, to the nanosecond."""
    return (
        sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    )


def measure(fleet: Simulated, keys: int, seconds: float) -> dict[str, float]:
    """One console on one engine."""
    with tempfile.TemporaryDirectory(prefix="gd") as folder:
        home = Path(folder)
        os.environ["GUARDIAN_HOME"] = folder
        code = asyncio.run(furnish(fleet))
        console = Console(home, cpu=OURS)
        try:
            console.log_in(code)
            console.wait_for(b"sim-0")
            console.press(b":processes sim-000\r")
            console.wait_for(str(PROCESSES).encode(), seconds=30.0)
            console.read_for(4.0)
            painted, cpu, began = len(console.painted), cpu_seconds(console.pid), time.perf_counter()
            console.read_for(seconds)
            ticks = (time.perf_counter() - began) / TICK_SECONDS
            values = {
                "bytes_per_tick": (len(console.painted) - painted) / ticks,
                "cpu_ms_per_tick": (cpu_seconds(console.pid) - cpu) / ticks * 1000,
            }
            busy = key_to_paint(console, random.Random(7), keys, CURSOR)
            console.press(b">>>")
            console.read_for(3.0)
            idle = key_to_paint(console, random.Random(7), keys, CURSOR)
        finally:
            console.close()
            stop_engine(home)

    def percentile(times: list[float], percent: int) -> float:
        return statistics.quantiles(times, n=100)[percent - 1]

    for name, times in (("read every 2 s", busy), ("every 30 s", idle)):
        print(f"{name}: p50 {percentile(times, 50):.1f} ms, p99 {percentile(times, 99):.1f} ms")
    return values | {f"p{p}": percentile(busy, p) / percentile(idle, p) for p in (50, 99)}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under half a minute")
    quick = parser.parse_args().quick
    with simulated(1, cpu=THEIRS, processes=PROCESSES) as fleet:
        values = measure(fleet, 60 if quick else 600, 6.0 if quick else 30.0)
    print(
        json.dumps({"bench": "detail", "values": {name: round(value, 2) for name, value in values.items()}})
    )


if __name__ == "__main__":
    main()
