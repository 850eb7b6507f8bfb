"""What a backup costs through Guardian, against the same engine run by hand; and what it costs to follow many runs at once.

`cpu` and `extra_s`: restic on a gibibyte in 20,000 files, by hand and through a job, into fresh repositories, in turn.  CPU is of the host's side: restic and
all that runs around it there (hooks, hashes).  What is asked of the host beside the run (it is begun, looked at, and its repository is read again when it has
ended, which takes restic another derivation of its key) is told as `asked_s`, CPU seconds.  All repositories are copies of an empty one: restic makes
the derivation of a key as dear as the machine seems to bear when a repository is made, so that two of them differ by tenths of a second.
Who goes first changes with each turn, and each begins on a disk that
has written all that was before it.
`follow`: CPU of the engine while 50 runs go on, as a share of a core.

    python bench/backups.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from peers import cpu_of
from support import admit

from guardian_tui.attach import start_engine, wait_until_listening
from guardian_tui.client import Client
from guardian_tui.config import find_paths
from guardian_tui.protocol.backups import (
    BackupsQuery,
    JobRef,
    JobRow,
    JobSpec,
    RepositoryList,
    RepositoryRow,
    RepositorySpec,
    RunDetail,
    RunRef,
    RunRow,
)
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.fleet import HostList, HostsQuery, SecretSet

PASSWORD = "a password of the bench"
FOLLOWED = 50


def fill(folder: Path, files: int, size: int) -> None:
    """Files that don't compress, a few hundred a folder."""
    block = os.urandom(size)
    for number in range(files):
        place = folder / f"{number // 200:04}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number:06}").write_bytes(number.to_bytes(8, "big") + block[8:])


def environment(home: Path) -> dict[str, str]:
    """That of an admin's script."""
    return {**os.environ, "RESTIC_PASSWORD": PASSWORD, "HOME": str(home)}


def fresh(repository: Path, home: Path) -> None:
    """An empty repository, and nothing known of it, on a disk that has written all that was before."""
    shutil.rmtree(home / ".cache", ignore_errors=True)
    shutil.copytree(home / "blank", repository)
    os.sync()


def asked_seconds(pid: int) -> float:
    """CPU seconds of what the engine has run on its own machine beside runs, and has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # cutime and cstime: fields 16 and 17 of proc(5)
    return sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")


def by_hand(repository: Path, data: Path, home: Path) -> tuple[float, float]:
    """CPU and wall seconds of restic by hand, at the niceness of a job."""
    env = environment(home)
    fresh(repository, home)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        ["nice", "-n", "10", "restic", "backup", "--json", "-r", str(repository), str(data)],
        env=env,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - began


class Bench:
    """An engine, and what is asked of it."""

    def __init__(self, client: Client, home: Path) -> None:
        self._client = client
        self._home = home

    async def repository(self, name: str) -> float:
        """A repository on local disk that was read once; when that was."""
        fresh(self._home / name, self._home)
        host = (await self._client.call("hosts.list", HostList, HostsQuery())).hosts[0].name
        spec = RepositorySpec(
            name=name, engine="restic", location=str(self._home / name), host=host, secrets={"RESTIC_PASSWORD": "secret:backups/bench"}
        )  # fmt: skip
        await self._client.call("repositories.add", RepositoryRow, spec)
        return await self.read(name, 0)

    async def read(self, name: str, snapshots: int, since: float = 0.0) -> float:
        """Wait until a repository was read after so long, and has so many snapshots; when that was."""
        while True:
            rows = (await self._client.call("repositories.list", RepositoryList, BackupsQuery())).repositories
            row = next(row for row in rows if row.name == name)
            if row.verdict == "ok" and row.snapshots == snapshots and (row.listed_at or 0.0) > since:
                return row.listed_at or 0.0
            if row.verdict not in ("ok", None):
                raise SystemExit(f"a repository can't be read: {row.words}")
            await asyncio.sleep(0.1)

    async def job(self, name: str, repository: str, data: Path, **more: object) -> None:
        """A job that saves the data."""
        host = (await self._client.call("hosts.list", HostList, HostsQuery())).hosts[0].name
        spec = JobSpec(name=name, host=host, repository=repository, sources=(str(data),), **more)  # type: ignore[arg-type]  # of the spec
        await self._client.call("backups.add", JobRow, spec)

    async def run(self, name: str) -> RunRow:
        """Begin a run."""
        return await self._client.call("backups.run", RunRow, JobRef(job=name))

    async def detail(self, run: RunRow) -> RunRow:
        """The run as it is now."""
        return (await self._client.call("backups.log", RunDetail, RunRef(run=run.id))).row

    async def cancel(self, run: RunRow) -> None:
        """End a run."""
        await self._client.call("backups.cancel", RunRow, RunRef(run=run.id))

    async def ended(self, run: RunRow) -> RunRow:
        """Wait for a run's end."""
        while (row := await self.detail(run)).state in ("queued", "running"):
            await asyncio.sleep(0.05)
        if row.verdict != "ok":
            raise SystemExit(f"a run failed: {row.words}")
        return row


def cost_file(home: Path, name: str) -> Path:
    """Where the shell around a job's stages notes what its children cost."""
    return home / f"cost-{name}"


async def through_guardian(
    bench: Bench, pid: int, home: Path, name: str, data: Path
) -> tuple[float, float, float]:
    """CPU and wall seconds of the same through a job, from the order to the end that is told; CPU seconds of what is asked beside it."""
    first = await bench.repository(f"repo-{name}")
    # the run's own shell tells the CPU of all that it has waited for: hashes and the engine's program
    kept = cost_file(home, name)
    await bench.job(name, f"repo-{name}", data, after=(f"cat /proc/$PPID/stat >{kept}",))
    # a new job's repository is read again: that is none of the run's
    await bench.read(f"repo-{name}", 0, first)
    asked, began = asked_seconds(pid), time.perf_counter()
    await bench.ended(await bench.run(name))
    wall = time.perf_counter() - began
    await bench.read(f"repo-{name}", 1)
    asked = asked_seconds(pid) - asked
    fields = kept.read_text().rpartition(")")[2].split()
    # utime, stime, cutime, cstime of the shell: fields 14 to 17 of proc(5)
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK"), wall, asked


async def followed(bench: Bench, pid: int, data: Path, seconds: float) -> float:
    """The engine's CPU while many runs go on, as a share of a core, what it spends with none taken off."""
    before, began = cpu_of(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    idle = (cpu_of(pid) - before) / (time.perf_counter() - began)
    await bench.repository("many")
    runs = []
    for number in range(FOLLOWED):
        await bench.job(f"many-{number}", "many", data, before=("while :; do echo waiting; sleep 1; done",))
        runs.append(await bench.run(f"many-{number}"))
    while sum([(await bench.detail(run)).state == "running" for run in runs]) < FOLLOWED:
        await asyncio.sleep(0.5)
    await asyncio.sleep(2)
    before, began = cpu_of(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    busy = (cpu_of(pid) - before) / (time.perf_counter() - began)
    for run in runs:
        await bench.cancel(run)
    while sum([(await bench.detail(run)).state in ("queued", "running") for run in runs]):
        await asyncio.sleep(0.5)
    return max(0.0, busy - idle)


async def measure(home: Path, quick: bool) -> dict[str, float]:
    """All of it."""
    data, small = home / "data", home / "small"
    fill(data, 2_000 if quick else 20_000, 52_428)
    fill(small, 3, 1000)
    paths = find_paths()
    paths.config.mkdir(parents=True, exist_ok=True)
    paths.settings_file.write_text(f"[fleet]\nbackup_runs_at_once = {FOLLOWED}\n")
    process = start_engine(paths, linger=True)
    client = Client(paths.socket)
    try:
        await wait_until_listening(paths, process)
        await admit(client)
        # while the login is a fresh second factor
        await client.call("secrets.set", Done, SecretSet(name="backups/bench", value=PASSWORD))
        subprocess.run(["restic", "init", "-q", "-r", str(home / "blank")], env=environment(home), check=True)
        bench, ours, hands, asked = Bench(client, home), [], [], []
        for turn in range(1 if quick else 6):
            # who comes second meets a disk that has just had a gibibyte written to it: each in its turn
            for through in (turn % 2 == 0, turn % 2 == 1):
                if through:
                    *cost, beside = await through_guardian(bench, process.pid, home, f"job-{turn}", data)
                    ours.append(cost)
                    asked.append(beside)
                else:
                    hands.append(await asyncio.to_thread(by_hand, home / f"hand-{turn}", data, home))
            print(
                f"by hand {hands[-1][0]:.2f} CPU seconds in {hands[-1][1]:.1f} s, through a job {ours[-1][0]:.2f} in {ours[-1][1]:.1f} s",
                flush=True,
            )
            for name in ("hand", "repo-job"):
                shutil.rmtree(home / f"{name}-{turn}")
        cpu = [median(cost for cost, _ in some) for some in (ours, hands)]
        wall = [median(took for _, took in some) for some in (ours, hands)]
        print(
            f"CPU seconds: through a job {cpu[0]:.2f}, by hand {cpu[1]:.2f}, asked beside the run {median(asked):.2f};"
            f" wall seconds {wall[0]:.1f} and {wall[1]:.1f}"
        )
        share = await followed(bench, process.pid, small, 5.0 if quick else 30.0)
        print(f"following {FOLLOWED} runs: {share * 100:.2f} % of a core")
        return {
            "cpu": cpu[0] / cpu[1],
            "asked_s": median(asked),
            "extra_s": wall[0] - wall[1],
            "follow": share,
        }
    finally:
        await client.close()
        process.terminate()
        process.wait(timeout=30)


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the data, once")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory(prefix="gb", ignore_cleanup_errors=True) as folder:
        os.environ["GUARDIAN_HOME"] = os.environ["HOME"] = folder
        values = asyncio.run(measure(Path(folder), quick))
    print(
        json.dumps({"bench": "backups", "values": {name: round(value, 4) for name, value in values.items()}})
    )


if __name__ == "__main__":
    main()
