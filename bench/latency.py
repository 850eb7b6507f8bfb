"""From a key to its paint while the engine polls 500 simulated hosts, against the same console with nothing to do, in the same run.

Console and engine share one processor, the simulated hosts have the other.  The key moves the cursor of the hosts table; it is painted when another row
carries the cursor's edge.  Idle: the same hosts, polled every ten minutes.

    python bench/latency.py [--quick]
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

from support import STYLES, Console, Simulated, admit, simulated, stop_engine

from guardian_tui.attach import start_engine, wait_until_listening
from guardian_tui.client import Client
from guardian_tui.config import find_paths
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.fleet import HostList

HOSTS = 500
OURS, THEIRS = 0, 1
CURSOR = re.compile("▌[^▌]{0,12}?(sim-[0-9]+)")
"""The edge of the cursor's row, and the host on it."""


async def furnish(fleet: Simulated, interval_seconds: float) -> str:
    """An engine on our processor that watches the fleet; a code to log in with."""
    paths = find_paths()
    paths.config.mkdir(parents=True, exist_ok=True)
    settings = f"[fleet]\ninterval_seconds = {interval_seconds}\nconnects_at_once = 100\n"
    (paths.config / "config.toml").write_text(settings)
    process = start_engine(paths, linger=True)
    os.sched_setaffinity(process.pid, {OURS})
    await wait_until_listening(paths, process)
    client = Client(paths.socket)
    codes = await admit(client)
    await fleet.join(client)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        rows = (await client.call("hosts.list", HostList, Nothing())).hosts
        if sum(row.measured_at is not None for row in rows) > HOSTS:
            break
        await asyncio.sleep(0.2)
    else:
        raise SystemExit("not all hosts answer")
    await client.close()
    return codes[0]


def key_to_paint(
    console: Console, chance: random.Random, keys: int, cursor: re.Pattern[str] = CURSOR, turn: int = 250
) -> list[float]:
    """Milliseconds from each key to its paint: until ``cursor`` finds another row under the cursor, which goes ``turn`` rows down, then up."""
    took = []
    at = ""
    for number in range(keys):
        # down and up again, so that the table scrolls too; a person's pace, in no step with the waves
        pause = time.perf_counter() + chance.uniform(0.01, 0.06)
        while (rest := pause - time.perf_counter()) > 0:
            console.read(rest)
        seen, pressed = "", time.perf_counter()
        console.press(b"k" if number // turn % 2 else b"j")
        while True:
            if time.perf_counter() - pressed > 5:
                raise SystemExit(f"a key was never painted: {seen[-500:]!r}")
            seen += console.read(1.0).decode("utf-8", "replace")
            names = cursor.findall(STYLES.sub("", seen))
            if names and names[-1] != at:
                took.append((time.perf_counter() - pressed) * 1000)
                at = names[-1]
                break
    return took


def measure(fleet: Simulated, interval_seconds: float, keys: int) -> list[float]:
    """One console on an engine of its own."""
    with tempfile.TemporaryDirectory(prefix="gl") as folder:
        home = Path(folder)
        os.environ["GUARDIAN_HOME"] = folder
        code = asyncio.run(furnish(fleet, interval_seconds))
        console = Console(home, cpu=OURS)
        try:
            console.log_in(code)
            console.wait_for(b"sim-0")
            console.press(b"j" * 20)
            console.read_for(2.0)
            return key_to_paint(console, random.Random(7), keys)
        finally:
            console.close()
            stop_engine(home)


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under half a minute")
    keys = 120 if parser.parse_args().quick else 1500
    with simulated(HOSTS, cpu=THEIRS) as fleet:
        idle = measure(fleet, 600.0, keys)
        busy = measure(fleet, 5.0, keys)

    def percentile(times: list[float], percent: int) -> float:
        return statistics.quantiles(times, n=100)[percent - 1]

    shown = [
        f"{name}: p50 {percentile(t, 50):.1f} ms, p99 {percentile(t, 99):.1f} ms"
        for name, t in (("idle", idle), ("polling", busy))
    ]
    print("; ".join(shown))
    values = {f"p{p}": round(percentile(busy, p) / percentile(idle, p), 2) for p in (50, 99)}
    print(json.dumps({"bench": "latency", "values": values}))


if __name__ == "__main__":
    main()
