"""One command on 200 simulated hosts, against Ansible's raw module (50 forks) and parallel-ssh in the same run; and a flood of output.

Each tool does it as it is used: Ansible and parallel-ssh begin with nothing and connect; the engine watches the hosts, so its connections are there, and
writes plan, intent, result and output of each host to disk.  Compared are wall time and the CPU of the client's processes: of the engine all
that it spends meanwhile, its polling too.  The flood: 100 MB from 20 hosts through one run, while keys are pressed on a console that shares the engine's
processor; in turn with the same console when nothing comes, so that what else the machine does weighs on both.  Counted beside are the bytes of output that
the engine holds in memory, as it counts them itself, and those that a console would that shows the run; more than is bounded ends the program.

    python bench/fanout.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from latency import key_to_paint
from peers import Environment, children_cpu, cpu_of
from support import (
    Console,
    Simulated,
    admit,
    engine_pid,
    follow,
    resident_kb,
    simulated,
    stop_engine,
    surveyed,
)

from guardian_tui.attach import start_engine, wait_until_listening
from guardian_tui.client import Client
from guardian_tui.config import find_paths
from guardian_tui.engine.runbooks.output import most_held_bytes
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.engine_figures import EngineFigures
from guardian_tui.protocol.events import Delta
from widgets.runbook_output import KEPT_CHARACTERS, RunOutput

HOSTS = 200
FORKS = 50
OURS, THEIRS = 0, 1
FLOODED = 20
FLOOD_BYTES = 5_000_000
BLOCK = 20
"""Keys that are pressed one after another: half of them down, half up."""
PAGES = 4
"""Of kept output that a console reads."""
CURSOR = re.compile("▌[^▌]{0,12}?(sim-[0-9]+)")
BOOKS = {
    "one": ("sim-", "run: echo hello\nfanout: {serial: [100%], gate: false}"),
    "flood": (
        "~sim-00|sim-01",
        f"run: head -c {FLOOD_BYTES}; echo over\nfanout: {{serial: [100%], gate: false}}",
    ),
}
_PARALLEL = """
import sys
from pssh.clients import ParallelSSHClient
from pssh.config import HostConfig
user, key, *places = sys.argv[1:]
configs = [HostConfig(port=int(place.rpartition(":")[2]), user=user, private_key=key) for place in places]
hosts = [place.rpartition(":")[0] for place in places]
client = ParallelSSHClient(hosts, host_config=configs, pool_size=len(hosts), allow_agent=False)
outputs = client.run_command("echo hello")
client.join(outputs)
assert all(list(output.stdout) == ["hello"] for output in outputs)
"""


def books(home: Path) -> str:
    """The runbooks, in a folder; the settings that name it."""
    folder = home / "books"
    folder.mkdir(mode=0o755)
    for name, (hosts, step) in BOOKS.items():
        text = f"---\nid: {name}\ntitle: {name}\nversion: 1\nhosts: {{filter: '{hosts}'}}\n---\n```step it\n{step}\n```\n"
        (folder / f"{name}.md").write_text(text)
    return f'[runbooks]\nfolder = "{folder}"\nshipped = false\n[fleet]\nconnects_at_once = 100\n'


async def begin(home: Path, fleet: Simulated) -> tuple[Client, str]:
    """An engine that watches all hosts; a code to log in with."""
    paths = find_paths()
    paths.config.mkdir(parents=True, exist_ok=True)
    (paths.config / "config.toml").write_text(books(home))
    process = start_engine(paths, linger=True)
    os.sched_setaffinity(process.pid, {OURS})
    await wait_until_listening(paths, process)
    client = Client(paths.socket)
    codes = await admit(client)
    await fleet.join(client)
    following = await follow(client, len(fleet.told["hosts"]), "sim-", 120)
    await following.close()
    await surveyed(client)
    return client, codes[0]


async def run(
    client: Client, book: str, changed: Callable[[Delta], None] = lambda delta: None
) -> wire.RunbookRun:
    """A run to its end, followed as a console follows it."""
    following = Client(client.socket, client.token)
    ended: dict[str, wire.RunbookRun] = {}
    more = asyncio.Event()

    async def follow_runs() -> None:
        async for event in following.events():
            if isinstance(event, Delta):
                changed(event)
                ended.update({row.id: row for row in event.runbook_runs if row.transcript})
                more.set()

    task = asyncio.create_task(follow_runs())
    try:
        begun = await client.call("runbooks.run", wire.RunbookRun, wire.StartRunbook(runbook=book, auto=True))
        while begun.id not in ended:
            more.clear()
            await more.wait()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await following.close()
    done = ended[begun.id]
    if done.verdict != "done":
        raise SystemExit(f"the run did not end well: {done.words}")
    return done


async def ours(home: Path, client: Client, rounds: int) -> tuple[float, float]:
    """Wall and CPU seconds of a run over all hosts: the median of some."""
    pid = engine_pid(home)
    await run(client, "one")
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), cpu_of(pid)
        done = await run(client, "one")
        walls.append(time.perf_counter() - wall)
        cpus.append(cpu_of(pid) - cpu)
        if f"{HOSTS} of {HOSTS} well" not in done.marks[0].words:
            raise SystemExit(done.marks[0].words)
    return statistics.median(walls), statistics.median(cpus)


def timed(command: list[str], settings: dict[str, str], rounds: int) -> tuple[float, float]:
    """Wall and CPU seconds of a program: the median of some."""
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), children_cpu()
        done = subprocess.run(
            ["taskset", "-c", str(OURS), *command], env={**os.environ, **settings}, capture_output=True, text=True, check=False
        )  # fmt: skip
        walls.append(time.perf_counter() - wall)
        cpus.append(children_cpu() - cpu)
        if done.returncode:
            raise SystemExit(f"{command[0]} failed: {done.stdout[-300:]} {done.stderr[-300:]}")
    return statistics.median(walls), statistics.median(cpus)


def ansible(peers: Environment, fleet: Simulated, folder: Path, rounds: int) -> tuple[float, float]:
    """Ansible's raw module."""
    inventory, config = folder / "hosts", folder / "ansible.cfg"
    key = fleet.told["client_key"]
    inventory.write_text(
        "".join(f"{h['name']} ansible_host={h['address']} ansible_port={h['port']} ansible_user=demo\n" for h in fleet.told["hosts"])
    )  # fmt: skip
    config.write_text(
        f"[defaults]\nforks = {FORKS}\nhost_key_checking = false\ninterpreter_python = /usr/bin/python3\n"
        f"[ssh_connection]\nusetty = false\nssh_args = -F none -i {key} -o IdentitiesOnly=yes -o UserKnownHostsFile=/dev/null\n"
    )
    command = [
        str(peers.folder / "bin" / "ansible"),
        "all",
        "-i",
        str(inventory),
        "-m",
        "raw",
        "-a",
        "echo hello",
    ]
    settings = {"ANSIBLE_CONFIG": str(config), "ANSIBLE_HOME": str(folder / "ansible"), "LC_ALL": "C.UTF-8"}
    return timed(command, settings, rounds)


def parallel_ssh(peers: Environment, fleet: Simulated, rounds: int) -> tuple[float, float]:
    """parallel-ssh, all hosts at once."""
    places = [f"{host['address']}:{host['port']}" for host in fleet.told["hosts"]]
    command = [
        str(peers.folder / "bin" / "python"),
        "-c",
        _PARALLEL,
        "demo",
        fleet.told["client_key"],
        *places,
    ]
    return timed(command, {}, rounds)


class Flood:
    """A run that floods the engine, begun and followed in a thread."""

    def __init__(self, token: str) -> None:
        self.heard = 0
        """Bytes that the run's commands wrote."""
        self.held = self.shown = 0
        """Most bytes of it that the engine held in memory, and a console that showed it."""
        self.ended = False
        self._token = token
        self._thread = threading.Thread(target=lambda: asyncio.run(self._go()))
        self._thread.start()

    async def _go(self) -> None:
        client, shown = Client(find_paths().socket, self._token), RunOutput()

        def changed(delta: Delta) -> None:
            for progress in delta.runbook_progress:
                shown.take_tail(progress)
                self.heard = max(self.heard, progress.bytes)
                self.shown = max(self.shown, shown.held_bytes)

        try:
            done = await run(client, "flood", changed)
            self.ended = True
            for _ in range(PAGES):
                query = wire.RunbookOutputQuery(run=done.id, after=shown.newest)
                shown.take_pieces(
                    (await client.call("runbooks.output", wire.RunbookOutput, query)).pieces, named=True
                )
                self.shown = max(self.shown, shown.held_bytes)
            figures = await client.call("engine.figures", EngineFigures, Nothing())
            self.held = figures.output_most_held_bytes
        finally:
            self.ended = True
            await client.close()

    def wait(self) -> None:
        """Until the run has ended, and was looked at."""
        self._thread.join()
        if self.heard < FLOODED * FLOOD_BYTES or not self.held:
            raise SystemExit(f"the flood did not come: {self.heard} bytes were heard, {self.held} held")


def flooded(home: Path, code: str, token: str, keys: int) -> dict[str, float]:
    """Keys to paint while output floods in and while it does not, and the most bytes of it that are held."""
    console, chance = Console(home, cpu=OURS), random.Random(7)
    idle: list[float] = []
    busy: list[float] = []
    held = shown = floods = 0
    try:
        console.log_in(code)
        console.wait_for(b"sim-0")
        console.press(b"j" * 20)
        console.read_for(2.0)
        before = resident_kb(engine_pid(home))
        while len(busy) < keys:
            flood, floods = Flood(token), floods + 1
            console.read_for(0.5)
            taken = 0
            while not flood.ended and len(busy) < keys:
                busy += key_to_paint(console, chance, BLOCK, CURSOR, BLOCK // 2)
                taken += BLOCK
            while not flood.ended:
                console.read_for(0.2)
            console.read_for(0.5)
            flood.wait()
            held, shown = max(held, flood.held), max(shown, flood.shown)
            for _ in range(taken // BLOCK):
                idle += key_to_paint(console, chance, BLOCK, CURSOR, BLOCK // 2)
        grown = (resident_kb(engine_pid(home)) - before) / 1024
    finally:
        console.close()
    p50, p99 = ([statistics.quantiles(times, n=100)[at] for times in (idle, busy)] for at in (49, 98))
    print(
        f"key to paint, {len(idle)} keys: idle p50 {p50[0]:.1f}, p99 {p99[0]:.1f} ms, while {floods} × {FLOODED * FLOOD_BYTES / 1e6:.0f} MB came from"
        f" {FLOODED} hosts p50 {p50[1]:.1f}, p99 {p99[1]:.1f} ms; held of output: the engine {held / 1e6:.1f} MB, a console {shown / 1e6:.2f} MB;"
        f" the engine's resident memory grew by {grown:.0f} MB"
    )
    most = most_held_bytes(FLOODED, read=False)
    if held > most or shown > 2 * KEPT_CHARACTERS:
        raise SystemExit(
            f"more is held than is bounded: {held} of {most}, {shown} of {2 * KEPT_CHARACTERS} bytes"
        )
    return {
        "paint_p50": p50[1] / p50[0],
        "paint_p99": p99[1] / p99[0],
        "held_mb": held / 1e6,
        "shown_mb": shown / 1e6,
        "grown_mb": grown,
    }


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    rounds, keys = (1, 400) if quick else (5, 1200)
    peers = Environment()
    values: dict[str, float] = {}
    with (
        simulated(HOSTS, cpu=THEIRS, disks=1, nics=1) as fleet,
        tempfile.TemporaryDirectory(prefix="gf") as folder,
    ):
        home = Path(folder)
        os.environ["GUARDIAN_HOME"] = folder

        async def engine() -> tuple[str, str]:
            client, code = await begin(home, fleet)
            wall, cpu = await ours(home, client, rounds)
            print(f"guardian: {wall:.2f} s, {cpu / HOSTS * 1e3:.2f} ms of CPU a host")
            values.update(wall=wall, cpu=cpu)
            token = client.token
            await client.close()
            return code, token

        try:
            code, token = asyncio.run(engine())
            shown = flooded(home, code, token, keys)
        finally:
            stop_engine(home)
        if peers.ready():
            for name, (wall, cpu) in (
                ("ansible", ansible(peers, fleet, home, rounds)), ("parallel_ssh", parallel_ssh(peers, fleet, rounds)),
            ):  # fmt: skip
                print(f"{name}: {wall:.2f} s, {cpu / HOSTS * 1e3:.2f} ms of CPU a host")
                shown |= {f"{name}_wall": values["wall"] / wall, f"{name}_cpu": values["cpu"] / cpu}
    print(json.dumps({"bench": "fanout", "values": {name: round(value, 3) for name, value in shown.items()}}))


if __name__ == "__main__":
    main()
