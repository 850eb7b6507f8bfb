"""CPU of the whole engine for one sample of a host, against `ssh` through a ControlMaster and against plain `ssh`, in the same run.

A real sshd on loopback, watched as 250 hosts, each over a connection of its own, in waves.  The engine's cost is all that its process spends while the samples
come: transport, parse, rules, store, events to a subscriber; what it spends with no host to watch is not taken off.  The cost of `ssh` is the CPU of
the client processes (waited-for children, and the master's), for an exec that prints what the probe answers.

    python bench/poll.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import admit

from guardian_tui.attach import start_engine, wait_until_listening
from guardian_tui.client import Client
from guardian_tui.config import find_paths
from guardian_tui.protocol.fleet import HostRow, HostSpec
from guardian_tui.protocol.imports import ImportPreview, ImportRequest
from tests.support.sshd import Sshd, ssh_user

HOSTS = 250
PROC = "cat /proc/stat /proc/meminfo /proc/loadavg /proc/uptime /proc/net/dev /proc/diskstats /proc/vmstat"
"""About what the probe reads."""


def cpu_of(pid: int) -> float:
    """CPU seconds of a process, all its threads, to the nanosecond."""
    return (
        sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    )


def children_cpu() -> float:
    """CPU seconds of children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def real_server() -> Iterator[Sshd]:
    """An sshd on loopback, and a user to log in as."""
    with ssh_user() as user, tempfile.TemporaryDirectory(prefix="gb") as folder:
        Path(folder).chmod(0o755)
        server = Sshd(Path(folder) / "sshd", user, "127.0.0.2", {"MaxStartups": "600"})
        server.start()
        try:
            yield server
        finally:
            server.stop()


def measure_ssh(server: Sshd, folder: Path, count: int) -> tuple[float, float]:
    """CPU seconds of an exec through a ControlMaster, and of a plain one."""
    known = folder / "known_hosts"
    known.write_text(f"[{server.address}]:{server.port} {server.host_key}\n")
    base = [
        "ssh", "-F", "none", "-i", str(server.client_key), "-p", str(server.port), "-o", f"UserKnownHostsFile={known}",
        "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
    ]  # fmt: skip
    goal = f"{server.user}@{server.address}"

    def execs(options: list[str]) -> float:
        before = children_cpu()
        for _ in range(count):
            subprocess.run([*base, *options, goal, PROC], check=True, stdout=subprocess.DEVNULL)
        return (children_cpu() - before) / count

    plain = execs([])
    control = ["-o", f"ControlPath={folder}/mux"]
    master = subprocess.Popen([*base, *control, "-o", "ControlMaster=yes", "-N", goal])
    try:
        while not (folder / "mux").exists():
            if master.poll() is not None:
                raise SystemExit("the ControlMaster did not start")
            time.sleep(0.02)
        execs(control)
        before = cpu_of(master.pid)
        each = execs(control)
        each += (cpu_of(master.pid) - before) / count
    finally:
        master.terminate()
        master.wait(timeout=10)
    return each, plain


async def measure_engine(server: Sshd, seconds: float) -> tuple[float, int]:
    """CPU seconds of the engine for one sample, and how many samples were counted."""
    paths = find_paths()
    paths.config.mkdir(parents=True, exist_ok=True)
    (paths.config / "config.toml").write_text("[fleet]\nconnects_at_once = 50\n")
    process = start_engine(paths, linger=True)
    try:
        await wait_until_listening(paths, process)
        client = Client(paths.socket)
        await admit(client)
        line = f"[{server.address}]:{server.port} {server.host_key}\n"
        await client.call("hosts.import", ImportPreview, ImportRequest(known_hosts=line, names=()))
        for number in range(HOSTS):
            spec = HostSpec(
                name=f"host-{number:03}", address=server.address, port=server.port, user=server.user,
                credential=f"key:{server.client_key}",
            )  # fmt: skip
            await client.call("hosts.add", HostRow, spec)
        times: dict[str, float | None] = {}
        counted = [0]
        following = asyncio.create_task(follow(client, times, counted))
        deadline = time.monotonic() + 90
        while sum(at is not None for at in times.values()) < HOSTS:
            if time.monotonic() > deadline:
                raise SystemExit(f"only {len(times)} of {HOSTS} hosts answer")
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)
        before, counted[0] = cpu_of(process.pid), 0
        await asyncio.sleep(seconds)
        spent, samples = cpu_of(process.pid) - before, counted[0]
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await client.close()
    finally:
        process.terminate()
        process.wait(timeout=30)
    return spent / samples, samples


async def follow(client: Client, times: dict[str, float | None], counted: list[int]) -> None:
    """Follow the stream as a console does, and count new samples of hosts."""
    from guardian_tui.protocol.events import Delta

    async for event in client.events():
        if isinstance(event, Delta):
            for row in event.hosts:
                if row.name.startswith("host-") and times.get(row.id) != row.measured_at:
                    times[row.id] = row.measured_at
                    counted[0] += 1


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="under half a minute")
    quick = parser.parse_args().quick
    with real_server() as server, tempfile.TemporaryDirectory(prefix="gb") as folder:
        os.environ["GUARDIAN_HOME"] = folder
        through_master, plain = measure_ssh(server, Path(folder), 25 if quick else 150)
        ours, samples = asyncio.run(measure_engine(server, 10.0 if quick else 60.0))
    print(
        f"{samples} samples, {ours * 1000:.2f} ms of CPU each; ssh through a master {through_master * 1000:.2f} ms, plain {plain * 1000:.2f} ms"
    )
    values = {"controlmaster": round(ours / through_master, 3), "ssh": round(ours / plain, 4)}
    print(json.dumps({"bench": "poll", "values": values}))


if __name__ == "__main__":
    main()
