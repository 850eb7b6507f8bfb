"""Timers on a host behind a real sshd, in a real crontab; their script is run by hand, as cron would, with the real restic."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from guardian_tui.engine.backups import records, runner
from guardian_tui.engine.backups.planner import Planner
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.remote.host_timers import HostTimers
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.backups import JobSpec, RepositorySpec, RunRow, TimerRow
from tests.fleet.conftest import *  # noqa: F403  # its fixtures: a fleet with a real store and real SSH
from tests.fleet.test_sshd import watched
from tests.fleet.world import World
from tests.support.sshd import Sshd, SshUser

PASSWORD = "c0rrect 'horse'"
FOREIGN = "# mine \xe4\n17 3 * * 1 /usr/bin/true # 100\\%\n\n@reboot  echo  two   blanks\n"


@dataclass
class Host:
    """A Unix user behind sshd, with data, a repository and a crontab."""

    user: SshUser
    folder: Path

    def become(self, command: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
        words = ["env", "-i", f"HOME={self.user.home}", "PATH=/usr/bin:/bin", "setpriv", "--reuid", self.user.name, "--regid", self.user.name,
                 "--init-groups", "/bin/sh", "-c", command]  # fmt: skip
        return subprocess.run(words, capture_output=True, check=False, timeout=90, **more)

    @property
    def crontab(self) -> bytes:
        return subprocess.run(
            ["crontab", "-u", self.user.name, "-l"], capture_output=True, check=False
        ).stdout

    @crontab.setter
    def crontab(self, text: bytes) -> None:
        subprocess.run(["crontab", "-u", self.user.name, "-"], input=text, check=True)

    @property
    def state(self) -> Path:
        return self.user.home / ".local/state"

    @property
    def timer(self) -> Path:
        return self.state / "guardian-timers/j1"

    @property
    def runs(self) -> list[str]:
        return sorted(path.name for path in (self.state / "guardian-runs").glob("*"))

    def lines(self) -> list[str]:
        return [line for line in self.crontab.decode("latin-1").splitlines() if "guardian-timers/j1/" in line]

    def due(self) -> None:
        """The last run was begun long ago."""
        (self.timer / "stamp").write_text("1000000000\n")

    def cron(self, word: str = "jitter") -> subprocess.CompletedProcess[bytes]:
        """What cron does with the line of a kind; waits for its end."""
        line = next(line for line in self.lines() if line.endswith(f"{word} >/dev/null 2>&1"))
        return self.become(line.split(None, 5)[5].removesuffix(">/dev/null 2>&1"))


@pytest.fixture
def host(unix_user: SshUser) -> Iterator[Host]:
    folder = unix_user.home / f"backup-{os.urandom(4).hex()}"
    folder.mkdir()
    (folder / "data").mkdir()
    for number in range(5):
        (folder / "data" / f"file-{number}").write_text(f"what stands in {number}\n" * 20)
    subprocess.run(["chown", "-R", unix_user.name, str(folder)], check=True)
    one = Host(unix_user, folder)
    made = one.become(f"RESTIC_PASSWORD={shlex.quote(PASSWORD)} restic init -q -r {folder}/vault")
    assert made.returncode == 0, made.stderr
    one.crontab = FOREIGN.encode("latin-1")
    yield one
    subprocess.run(["crontab", "-u", unix_user.name, "-r"], check=False, capture_output=True)
    for path in (folder, one.state / "guardian-timers", one.state / "guardian-runs"):
        shutil.rmtree(path, ignore_errors=True)


class Kept:
    """The backups' service over a real fleet."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.locked = False
        self.begin()

    def begin(self) -> None:
        """A new engine over the same store."""
        world, commands = self.world, Commands(self.world.remote)
        self.backups = Backups(
            world.store, world.bus, world.live, world.clock, world.sink, world.fleet.inventory, commands, self._resolve, 400.0,
            detached=DetachedRuns(commands, manager="/nowhere"),
            # one that runs here, in place of cron: nothing is to begin by itself
            host_timers=lambda runs: HostTimers(runs, ("sshd",)),
        )  # fmt: skip
        self.planner = Planner(self.backups, world.store, world.clock, world.sink)

    async def _resolve(self, reference: str) -> str:
        from guardian_tui.protocol.errors import VaultLocked

        if self.locked:
            raise VaultLocked("Log in once.")
        return PASSWORD

    @property
    def way(self) -> Way:
        found = self.world.fleet.inventory.way("real")
        assert found is not None
        return found

    async def add(self, host: Host, **more: Any) -> Job:
        """A repository and a job of the host."""
        spec = RepositorySpec(
            name="vault", engine="restic", location=f"{host.folder}/vault", host="real", secrets={"RESTIC_PASSWORD": "secret:backups/vault"}
        )  # fmt: skip
        repository = Repository("r1", spec, "screen", self.world.clock.now())
        fields = {
            "schedule": "30 2 * * *",
            "jitter_seconds": 0.0,
            "sources": (f"{host.folder}/data",),
            **more,
        }
        job_spec = JobSpec(name="web", host="real", repository="vault", **fields)
        job = Job("j1", job_spec, self.way.host_id, "r1", "screen", self.world.clock.now())
        async with self.world.store.write() as tx:
            await records.put_repository(tx, repository, new=True)
            await records.put_job(tx, job, new=True)
        self.backups.repositories["r1"] = repository
        self.backups.joined(job)
        return job

    async def change(self, job: Job, **more: Any) -> Job:
        """Another specification."""
        from msgspec.structs import replace

        changed = Job(
            job.id,
            replace(job.spec, **more),
            job.host_id,
            job.repository_id,
            job.source,
            job.created_at,
            job.memory,
        )
        async with self.world.store.write() as tx:
            await records.put_job(tx, changed, new=False)
        self.backups.joined(changed)
        return changed

    async def visit(self) -> None:
        """See to the host now."""
        await self.backups.timers.visit(self.way.host_id, reconcile=True)

    def row(self) -> TimerRow:
        found = self.backups.row_of(self.backups.jobs["j1"]).timer
        assert found is not None
        return found

    async def ended(self) -> RunRow:
        """The newest run, once it has ended and what follows from it is known."""
        async with asyncio.timeout(60):
            while True:
                job = self.backups.jobs["j1"]
                if (
                    job.last is not None
                    and job.last.state in ("ended", "lost")
                    and not self.backups.runner.runs
                ):
                    return job.last
                await asyncio.sleep(0.05)

    def acts(self) -> list[tuple[str, str]]:
        return [(entry.action.removeprefix("backups."), entry.outcome) for entry in self.world.sink.entries]


@pytest.fixture
async def kept(
    world: World, sshd: Callable[..., Sshd], host: Host, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Kept]:
    monkeypatch.setattr(runner, "UNHEARD_SECONDS", 0.5)
    # visits are made by hand
    monkeypatch.setattr("guardian_tui.engine.backups.timers.TURN_SECONDS", 3600.0)
    await watched(world, sshd())
    one = Kept(world)
    await one.backups.start()
    yield one
    await one.backups.stop()


async def test_a_run_that_a_crontab_began_while_no_engine_was_there_is_taken_up_once(
    kept: Kept, host: Host
) -> None:
    await kept.add(host)
    assert (kept.row().place, kept.row().words) == ("engine", "not installed yet")
    await kept.visit()
    row = kept.row()
    assert (row.place, row.form, row.words) == ("host", "cron", ""), row
    assert kept.acts() == [("timer.install", "intent"), ("timer.install", "ok")]
    # the others' lines are to the byte what they were; no secret stands in ours, nor in what others may read
    assert host.crontab.startswith(FOREIGN.encode("latin-1"))
    assert host.lines()[1].startswith("30 2 * * * /bin/sh /home/")
    assert "horse" not in host.crontab.decode("latin-1")
    assert (host.timer.stat().st_mode & 0o777, (host.timer / "secrets").stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )
    assert [path.name for path in host.timer.iterdir() if b"horse" in path.read_bytes()] == ["secrets"]

    # nothing is due, and nothing runs
    await kept.backups.stop()
    assert host.cron().returncode == 0
    assert host.runs == []
    host.due()
    done = host.cron()
    assert (done.returncode, done.stdout + done.stderr, len(host.runs)) == (0, b"", 1)
    assert host.cron("missed").returncode == 0
    assert len(host.runs) == 1

    # the engine comes back in the morning
    kept.begin()
    await kept.backups.start()
    await kept.visit()
    run = await kept.ended()
    assert (run.verdict, run.by, run.attempt, run.files) == ("ok", "timer", 1, 5), run
    assert run.started_at and run.ended_at and 0 <= run.ended_at - run.started_at < 30
    job = kept.backups.jobs["j1"]
    assert kept.backups.row_of(job).state == "ok" and job.newest is not None
    assert f"run={run.id}" in job.newest.tags
    assert await records.hashes_of(kept.world.store, "r1", job.newest.id)
    assert host.runs == []
    await kept.visit()
    assert len(await records.runs_of(kept.world.store, "j1", before=0.0, limit=9)) == 1
    acts = kept.acts()[2:]
    assert acts == [("backup", "ok"), ("backup.ended", "ok")]
