"""Timers on a host behind a real sshd, in a real crontab; their script is run by hand, as cron would, with the real restic."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace

from guardian_tui.engine.backups import records, runner, runs
from guardian_tui.engine.backups.judge import troubles
from guardian_tui.engine.backups.planner import Planner
from guardian_tui.engine.backups.records import Job, Repository
from guardian_tui.engine.backups.service import Backups
from guardian_tui.engine.backups.timer_records import read_timers
from guardian_tui.engine.backups.work import Backup
from guardian_tui.engine.facts import Reachability, SecretChanged, VaultUnlocked
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.remote.host_timers import HostTimers
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol.backups import JobSpec, RepositorySpec, RunRow, TimerRow
from guardian_tui.protocol.errors import StoreUnavailable, VaultLocked
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
        return subprocess.run(self.words(command), capture_output=True, check=False, timeout=90, **more)

    def words(self, command: str) -> list[str]:
        """A command as that user, in cron's bare environment."""
        return [
            "env", "-i", f"HOME={self.user.home}", "PATH=/usr/bin:/bin", "setpriv", "--reuid", self.user.name, "--regid", self.user.name,
            "--init-groups", "/bin/sh", "-c", command,
        ]  # fmt: skip

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

    def make(self) -> None:
        """The repository."""
        made = self.become(f"RESTIC_PASSWORD={shlex.quote(PASSWORD)} restic init -q -r {self.folder}/vault")
        assert made.returncode == 0, made.stderr

    @contextmanager
    def locked(self) -> Iterator[None]:
        """The repository, by a check that was stopped in the middle."""
        restic = f"export RESTIC_PASSWORD={shlex.quote(PASSWORD)}; exec restic -q -r {self.folder}/vault"
        check = subprocess.Popen(
            self.words(f"{restic} check --no-cache"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not any(len(path.name) == 64 for path in (self.folder / "vault/locks").iterdir()):
            assert check.poll() is None
        check.send_signal(signal.SIGSTOP)
        yield
        check.kill()
        check.wait()
        self.become(f"{restic} unlock")

    def due(self) -> None:
        """The last run was begun long ago."""
        (self.timer / "stamp").write_text("1000000000\n")

    def cron(self, word: str = "jitter") -> subprocess.CompletedProcess[bytes]:
        """What cron does with the line of a kind; waits for its end."""
        return self.become(self.command(word))

    def command(self, word: str = "jitter") -> str:
        """Of the crontab's line of a kind."""
        line = next(line for line in self.lines() if line.endswith(f"{word} >/dev/null 2>&1"))
        return line.split(None, 5)[5].removesuffix(">/dev/null 2>&1")


@pytest.fixture
def host(unix_user: SshUser) -> Iterator[Host]:
    folder = unix_user.home / f"backup-{os.urandom(4).hex()}"
    folder.mkdir()
    (folder / "data").mkdir()
    for number in range(5):
        (folder / "data" / f"file-{number}").write_text(f"what stands in {number}\n" * 20)
    subprocess.run(["chown", "-R", unix_user.name, str(folder)], check=True)
    one = Host(unix_user, folder)
    one.crontab = FOREIGN.encode("latin-1")
    yield one
    subprocess.run(["crontab", "-u", unix_user.name, "-r"], check=False, capture_output=True)
    for path in (folder, one.state / "guardian-timers", one.state / "guardian-runs"):
        shutil.rmtree(path, ignore_errors=True)


class Kept:
    """The backups' service over a real fleet."""

    def __init__(self, world: World, server: Sshd) -> None:
        self.world, self.server = world, server
        self.locked = False
        self.daemon = "sshd"
        """One that runs here, in place of cron: nothing is to begin by itself."""
        self.begin()

    def begin(self) -> None:
        """A new engine over the same store."""
        world, commands = self.world, Commands(self.world.remote)
        self.backups = Backups(
            world.store, world.bus, world.live, world.clock, world.sink, world.fleet.inventory, commands, self._resolve, 400.0,
            detached=DetachedRuns(commands, manager="/nowhere"),
            host_timers=lambda runs: HostTimers(runs, (self.daemon,)),
        )  # fmt: skip
        self.planner = Planner(self.backups, world.store, world.clock, world.sink)

    async def _resolve(self, reference: str) -> str:
        if self.locked:
            raise VaultLocked("Log in once.")
        return PASSWORD

    @property
    def way(self) -> Way:
        found = self.world.fleet.inventory.way("real")
        assert found is not None
        return found

    async def add(self, host: Host, *, link: str = "", **more: Any) -> Job:
        """A repository and a job of the host; ``link`` is a command that speaks SFTP for it."""
        spec = RepositorySpec(
            name="vault", engine="restic", location=f"{host.folder}/vault", host="real", secrets={"RESTIC_PASSWORD": "secret:backups/vault"}
        )  # fmt: skip
        if link:
            spec = replace(spec, location=f"sftp:far:{host.folder}/vault", options={"sftp.command": link})
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
        job = self.backups.jobs["j1"]
        await self.until(
            lambda: (
                job.last is not None
                and job.last.state != "running"
                and not (self.backups.runner.runs or self.backups.runner.settling)
            ),
            "it ends",
        )
        assert job.last is not None
        return job.last

    async def until(self, holds: Callable[[], object], what: str) -> None:
        """Visit until something holds."""
        deadline = time.monotonic() + 60
        while not holds():
            rows = [run.row for run in self.backups.runner.runs.values()]
            assert time.monotonic() < deadline, f"{what}: {rows}, {self.backups.jobs}"
            await asyncio.sleep(0.1)
            await self.backups.timers.visit(self.way.host_id)

    def acts(self) -> list[tuple[str, str]]:
        return [(entry.action.removeprefix("backups."), entry.outcome) for entry in self.world.sink.entries]


@pytest.fixture
async def kept(
    world: World, sshd: Callable[..., Sshd], host: Host, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Kept]:
    monkeypatch.setattr(runner, "UNHEARD_SECONDS", 0.5)
    monkeypatch.setattr("guardian_tui.engine.backups.timer_texts.NAP_SECONDS", 1)
    # visits are made by hand
    monkeypatch.setattr("guardian_tui.engine.backups.timers.TURN_SECONDS", 3600.0)
    # and the repository is read when something has happened, not by the clock: whoever reads it locks it
    monkeypatch.setattr(Backups, "_observing", lambda self: asyncio.Event().wait())
    server = sshd()
    await watched(world, server)
    one = Kept(world, server)
    await one.backups.start()
    yield one
    await one.backups.stop()


async def test_a_run_that_a_crontab_began_while_no_engine_was_there_is_taken_up_once(
    kept: Kept, host: Host
) -> None:
    host.make()
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


async def test_what_somebody_else_changes_is_said_and_put_right_but_not_for_ever_and_with_the_job_all_of_it_goes(
    kept: Kept, host: Host
) -> None:
    job = await kept.add(host)
    await kept.visit()
    done = kept.acts()
    await kept.visit()
    assert kept.acts() == done, "nothing differs, nothing is done"
    ours = host.crontab
    for _ in range(3):
        host.crontab = FOREIGN.encode("latin-1") + host.lines()[0].encode() + b"\n"
        await kept.visit()
        assert host.crontab == ours
    assert kept.acts()[-2:] == [("timer.mend", "intent"), ("timer.mend", "ok")]
    assert kept.world.sink.entries[-1].body["changed"] == "its lines in the crontab"
    assert (kept.row().changed, kept.row().words) == ("its lines in the crontab", "")
    (host.timer / "script").write_text("echo mine\n")
    done = kept.acts()
    await kept.visit()
    assert kept.acts() == done and "again and again" in kept.row().words
    # a run that nobody fetched goes too
    (host.state / "guardian-runs/a-1").mkdir(parents=True)
    (host.state / "guardian-runs/a-1/timer").write_text("j1 a 1 @ time\n")
    subprocess.run(["chown", "-R", host.user.name, str(host.state)], check=True)
    async with kept.world.store.write() as tx:
        await records.remove_job(tx, job.id)
        tx.after_commit(lambda: kept.backups.left(job))
    await kept.visit()
    assert kept.acts()[-2:] == [("timer.remove", "intent"), ("timer.remove", "ok")]
    assert host.crontab == FOREIGN.encode("latin-1")
    assert not host.timer.exists() and host.runs == [], list(host.timer.parent.rglob("*"))
    assert await read_timers(kept.world.store) == {}


async def test_without_its_secret_nothing_is_installed_and_what_is_installed_stays(
    kept: Kept, host: Host
) -> None:
    kept.locked = True
    job = await kept.add(host)
    await kept.visit()
    row = kept.row()
    assert (row.place, row.wanted) == ("engine", "host") and "Log in once" in row.words
    assert not host.timer.exists() and kept.acts() == []
    assert not kept.backups.timers.in_charge(job)
    kept.locked = False
    await kept.visit()
    assert kept.backups.timers.in_charge(job)
    secret, stamp = (host.timer / "secrets").read_bytes(), (host.timer / "stamp").read_text()
    # locked again: another schedule is written all the same, and nothing that was due before is made up for
    kept.locked = True
    host.due()
    job = await kept.change(job, schedule="*/20 * * * *")
    await kept.visit()
    assert host.lines()[1].startswith("*/20 * * * * ")
    assert (host.timer / "secrets").read_bytes() == secret and (host.timer / "stamp").read_text() >= stamp
    # the hour's line stands between the others
    minute = int(host.lines()[2].split()[0])
    assert minute % 20 and host.lines()[2].endswith("missed >/dev/null 2>&1")
    for change in ({"enabled": False}, {"enabled": True}, {"timer": "engine"}):
        kept.locked = False
        job = await kept.change(job, **change)
        await kept.visit()
        assert host.timer.exists() == (change == {"enabled": True})
        assert bool(host.lines()) == (change == {"enabled": True})
    assert (kept.row().place, kept.row().words) == ("engine", "")
    # it moves: what is on the host that it leaves goes
    job = await kept.change(job, timer="host")
    await kept.visit()
    assert host.timer.exists()
    moved = Job(
        job.id,
        replace(job.spec, host="here"),
        "elsewhere",
        job.repository_id,
        job.source,
        job.created_at,
        job.memory,
    )
    kept.backups.joined(moved)
    await kept.visit()
    assert not host.timer.exists() and host.lines() == []


async def test_a_run_under_way_is_followed_is_the_only_one_of_its_job_and_ends_with_it(
    kept: Kept, host: Host
) -> None:
    flag = host.folder / "never"
    job = await kept.add(host, before=(f"echo begun; while [ ! -e {flag} ]; do sleep 0.1; done",), tries=1)
    await kept.visit()
    host.due()
    timer = subprocess.Popen(host.words(host.command()))
    try:
        await kept.until(lambda: kept.backups.runner.runs, "it is found")
        (run,) = kept.backups.runner.runs.values()
        await kept.until(
            lambda: "begun" in (kept.backups.runner.log_of(run.row.id) or ([], []))[0], "it is followed"
        )
        assert (run.row.state, run.row.by) == ("running", "timer")
        assert not any(
            "horse" in " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
        )
        assert kept.backups.row_of(job).state == "running"
        # neither its own timer nor the engine begins another
        host.due()
        assert host.cron("missed").returncode == 0
        other = kept.backups
        async with kept.world.store.write() as tx:
            second = await other.runner.queue(tx, Backup(), job, other.repositories["r1"], kept.way, "ada")
        async with asyncio.timeout(60):
            while (
                row := (await records.run_named(kept.world.store, second.row.id) or (None,))[0]
            ) is None or row.state != "ended":
                await asyncio.sleep(0.1)
        assert (row.verdict, len(host.runs)) == ("locked", 1) and "another run of the same job" in row.words
        async with kept.world.store.write() as tx:
            await records.remove_job(tx, job.id)
            tx.after_commit(lambda: kept.backups.left(job))
        async with asyncio.timeout(60):
            while kept.backups.runner.runs:
                await asyncio.sleep(0.1)
        await kept.visit()
        assert (await records.run_named(kept.world.store, run.row.id) or (None,))[0].verdict == "cancelled"  # type: ignore[union-attr]  # it is there
        assert not host.timer.exists() and host.lines() == []
        await kept.until(lambda: not host.runs, "its folder goes")
    finally:
        timer.kill()
        timer.wait()


async def test_a_repository_that_is_locked_is_tried_again_by_the_host_and_the_engine_waits_for_that(
    kept: Kept, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(runs.RETRY_SECONDS, "locked", 2.0)
    host.make()
    await kept.add(host, lock_wait_seconds=0.0, tries=2)
    await kept.visit()
    host.due()
    await asyncio.gather(*kept.backups._reads)
    with host.locked():
        timer = subprocess.Popen(host.words(host.command()))
        await kept.until(
            lambda: any(run.row.attempt == 2 for run in kept.backups.runner.runs.values()),
            "it is tried again",
        )
        (run,) = kept.backups.runner.runs.values()
        assert "tried again" in run.row.words and "locked" in run.row.words
    assert timer.wait(60) == 0
    row = await kept.ended()
    assert (row.verdict, row.attempt, row.by) == ("ok", 2, "timer"), row
    await kept.until(lambda: not host.runs, "both attempts are fetched")


async def test_a_link_that_fails_is_tried_again_by_the_host_too_and_a_key_that_is_refused_is_not(
    kept: Kept, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(runs.RETRY_SECONDS, "network", 2.0)
    host.make()
    link, says = host.folder / "link", host.folder / "says"
    # first attempts fail; what the engine itself reads does not; restic repeats what was said if it has read it by the link's end
    link.write_text(
        f"#!/bin/sh\ncase $GUARDIAN_RUN in *-1) cat {says} >&2; sleep 1; exit 255 ;; esac\nexec /usr/lib/openssh/sftp-server\n"
    )
    link.chmod(0o755)
    await kept.add(host, link=str(link), tries=2)
    await kept.visit()
    says.write_text("ssh: connect to host far port 22: Connection refused\n")
    host.due()
    assert host.cron().returncode == 0
    assert sorted(name[-2:] for name in host.runs) == ["-1", "-2"]
    await kept.until(lambda: kept.backups.jobs["j1"].last, "it is taken up")
    row = await kept.ended()
    assert (row.verdict, row.attempt, row.by) == ("ok", 2, "timer"), row

    says.write_text("far: Permission denied (publickey).\n")
    host.due()
    assert host.cron().returncode == 0
    await kept.until(lambda: (last := kept.backups.jobs["j1"].last) and last.id != row.id, "it is taken up")
    refused = await kept.ended()
    assert (refused.verdict, refused.attempt) == ("auth", 1), refused


async def test_the_end_of_the_window_ends_a_run_and_is_named(kept: Kept, host: Host) -> None:
    await kept.add(
        host, before=(f"while [ ! -e {host.folder}/never ]; do sleep 0.1; done",), window="22:00-06:00"
    )
    await kept.visit()
    host.due()
    # a host on which it is two seconds before six; then one on which it is noon
    for clock, count in (("12 00 00", 0), ("05 59 58", 1)):
        shim = host.folder / "date"
        shim.write_text(f'#!/bin/sh\n[ "$1" = "+%H %M %S" ] && echo {clock} || exec /bin/date "$@"\n')
        shim.chmod(0o755)
        with (host.timer / "environment").open("a") as environment:
            environment.write(f"PATH={host.folder}:$PATH\n")
        assert host.cron().returncode == 0
        assert len(host.runs) == count
    await kept.visit()
    row = await kept.ended()
    assert row.verdict == "failed" and "Its window (22:00-06:00) was over" in row.words, row


async def test_what_a_timer_does_not_begin_the_engine_does_and_what_it_does_the_engine_does_not(
    kept: Kept, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guardian_tui.engine.backups.timers.LATE_SECONDS", 0.0)
    job = await kept.add(host, before=("false",), tries=1)
    await kept.visit()

    async def due() -> list[str]:
        """What is begun of what is due now, and by whom."""
        before = await records.runs_of(kept.world.store, "j1", before=0.0, limit=9)
        job.memory.next_at = kept.world.clock.now()
        await kept.planner.look()
        assert job.memory.next_at > kept.world.clock.now()
        await kept.visit()
        await kept.planner.look()
        await kept.ended()
        after = await records.runs_of(kept.world.store, "j1", before=0.0, limit=9)
        return [run.by for run in after[: len(after) - len(before)]]

    # no engine came for a long time
    made = host.become(
        "cd .local/state && mkdir guardian-runs && cd guardian-runs && for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do"
        " mkdir r$n-1; echo j1 r$n 1 @ time >r$n-1/timer; echo $n >r$n-1/started; : >r$n-1/exit.0; done",
        cwd=host.user.home,
    )
    assert made.returncode == 0, made
    host.due()
    assert host.cron().returncode == 0
    assert len(host.runs) == 20 and "r3-1" not in host.runs and "r4-1" in host.runs
    assert await due() == ["timer"]
    assert kept.row().words == ""
    # its stamp says that it began something, long ago: cron sleeps
    await asyncio.sleep(0.1)
    host.due()
    kept.backups.timers.known["j1", kept.way.host_id].begun_at = None
    monkeypatch.setattr("guardian_tui.engine.backups.timers.EARLY_SECONDS", 0.0)
    assert await due() == ["schedule"]
    assert "did not begin what was due" in kept.row().words
    ready = replace(kept.backups.row_of(job), state="never")
    assert any("its timer" in words for words in troubles(ready, kept.world.clock.now()))


async def test_a_host_that_can_have_no_timer_says_why_and_one_that_is_watched_no_more_is_said_to_keep_it(
    kept: Kept, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kept.backups.stop()
    kept.daemon = "no-such-cron"
    kept.begin()
    await kept.backups.start()
    job = await kept.add(host)
    await kept.visit()
    assert (kept.row().place, kept.row().words) == ("engine", "there is no systemd, and no cron is running")
    assert kept.row().unable
    assert kept.acts() == [] and not host.timer.exists() and not kept.backups.timers.in_charge(job)
    kept.backups.judge()
    assert kept.backups.row_of(job).timer == kept.row()
    # where its folder would lie somebody has put a link to elsewhere
    await kept.backups.stop()
    kept.daemon = "sshd"
    kept.begin()
    await kept.backups.start()
    host.become("ln -s /tmp .local/state/guardian-timers", cwd=host.user.home)
    await kept.visit()
    assert kept.acts()[-2:] == [("timer.install", "intent"), ("timer.install", "failed")]
    assert kept.row().place == "engine" and "symbolic link" in kept.row().words
    assert not kept.row().unable
    (host.state / "guardian-timers").unlink()
    done = kept.acts()
    await kept.visit()
    assert kept.acts() == done, "it is not offered each hour"
    job = await kept.change(job, nice=3)
    await kept.visit()
    assert (kept.row().place, kept.row().words) == ("host", "")
    ways = kept.backups.timers._ways
    monkeypatch.setattr(kept.backups.timers, "_ways", type("None_", (), {"way": lambda self, host: None})())
    await kept.backups.timers.visit(job.host_id, reconcile=True)
    assert kept.acts()[-1] == ("timer.remove", "failed") and kept.backups.timers.known == {}
    assert host.timer.exists() and ways.way(job.host_id) is not None


async def test_a_host_that_is_away_is_left_alone_for_a_while_and_visited_when_it_is_back(
    kept: Kept, host: Host
) -> None:
    job = await kept.add(host)
    await kept.visit()
    timers, now = kept.backups.timers, kept.world.clock
    visits = timers._visits[job.host_id]
    kept.server.stop()
    timers.expect(job, now.now())
    await timers._visit(job.host_id, visits)
    assert min(visits.look_at, visits.reconcile_at) > now.monotonic() + 500
    assert kept.row().place == "host", "what was installed is installed"
    kept.server.start()
    _, until = visits.due["j1"]
    kept.world.bus.publish(Reachability(job.host_id, "up", now.now(), successes=1))
    assert visits.reconcile_at == 0.0 and visits.due["j1"][1] >= until
    visits.reconcile_at = 1.0
    kept.world.bus.publish(VaultUnlocked())
    assert visits.reconcile_at == 0.0
    # a password that is changed reaches at once the hosts of those jobs alone that need it
    for secret, reconcile_at in (("backups/other", 1.0), ("backups/vault", 0.0)):
        visits.reconcile_at = 1.0
        kept.world.bus.publish(SecretChanged(secret))
        assert visits.reconcile_at == reconcile_at
    await asyncio.gather(*kept.backups._reads)
    # nothing is lost where nothing can be written, or something is wrong with us
    for fault in (StoreUnavailable("full"), RuntimeError("a fault")):
        timers._ways = type("Faulty", (), {"way": _raising(fault)})()
        await timers._visit(job.host_id, visits)
        assert visits.look_at > now.monotonic() + 500 and visits.task is None


def _raising(fault: Exception) -> Callable[[object, str], None]:
    def way(self: object, host: str) -> None:
        raise fault

    return way
