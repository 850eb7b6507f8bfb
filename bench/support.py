"""What the benchmarks share: the console in a pseudo-terminal, an engine with an admin, simulated hosts."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import pyotp

from guardian_tui.client import Client
from guardian_tui.protocol.access import ConfirmEnrolment, Enrolled, Enrolment, SetUp
from guardian_tui.protocol.base import Nothing
from guardian_tui.protocol.engine_figures import EngineFigures
from guardian_tui.protocol.events import Delta, Heartbeat
from guardian_tui.protocol.fleet import HostList
from guardian_tui.protocol.imports import ImportPreview, ImportRequest, SourceText
from guardian_tui.protocol.section_kinds import MEDIUM_SECONDS
from guardian_tui.protocol.sections import SECTIONS
from guardian_tui.protocol.system import EngineStatus

ROOT = Path(__file__).parents[1]
PASSWORD = "correct donkey staple 9"
STYLES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def environment(home: Path) -> dict[str, str]:
    """A terminal's environment, with everything under one folder."""
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    return {**kept, "GUARDIAN_HOME": str(home), "TERM": "xterm-256color", "COLORTERM": "truecolor"}


class Console:
    """The console in a pseudo-terminal of 120×40; keeps what it paints.

    Args:
        cpu: the processor that it stays on; None: any.
    """

    def __init__(self, home: Path, cpu: int | None = None) -> None:
        self.started = time.perf_counter()
        pid, self.handle = pty.fork()
        if pid == 0:
            os.chdir(ROOT)
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
            os.execve(sys.executable, [sys.executable, "-m", "guardian_tui"], environment(home))
        self.pid = pid
        self.painted = b""

    def text(self) -> str:
        """What it painted, without the styles."""
        return STYLES.sub("", self.painted.decode("utf-8", "replace"))

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.handle, keys)

    def read(self, seconds: float) -> bytes:
        """What it paints next; empty if nothing comes in time."""
        if not select.select([self.handle], [], [], seconds)[0]:
            return b""
        new = os.read(self.handle, 65536)
        self.painted += new
        return new

    def wait_for(self, *texts: bytes, seconds: float = 20.0) -> float:
        """Seconds from exec until one of the texts was painted."""
        deadline = time.perf_counter() + seconds
        while not any(text in self.painted for text in texts):
            if time.perf_counter() > deadline:
                words = " ".join(self.text().split())
                raise SystemExit(f"never painted {texts}: {words[:1500]}")
            self.read(0.2)
        return time.perf_counter() - self.started

    def read_for(self, seconds: float) -> None:
        """Take what it paints for a while: a full terminal would hold it up."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.read(0.2)

    def log_in(self, code: str) -> None:
        """Log in as the admin of :func:`admit`, by a recovery code: TOTP codes can't be used twice in half a minute."""
        self.wait_for(b"login since", b"Ready.")
        for text in (b"ada", PASSWORD.encode(), code.encode()):
            self.read_for(0.4)
            self.press(text + b"\r")

    def close(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.handle)


def stop_engine(home: Path) -> None:
    """Stop the engine of this folder, by the pid that holds its store."""
    lock = home / "state" / "engine.lock"
    if lock.exists() and (pid := lock.read_text().strip()):
        os.kill(int(pid), signal.SIGTERM)
        deadline = time.monotonic() + 20
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            # our own child stays a zombie until it is waited for
            with contextlib.suppress(ChildProcessError):
                os.waitpid(int(pid), os.WNOHANG)
            time.sleep(0.02)


def resident_kb(pid: int) -> int:
    """Resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1])


def engine_pid(home: Path) -> int:
    """The engine that holds this folder's store."""
    return int((home / "state" / "engine.lock").read_text().strip())


async def admit(client: Client) -> tuple[str, ...]:
    """Make the first admin, and log in as him; his recovery codes."""
    begun = await client.call("setup.begin", Enrolment, SetUp(name="ada", password=PASSWORD))
    code = pyotp.TOTP(begun.secret).now()
    done = await client.call("setup.confirm", Enrolled, ConfirmEnrolment(token=begun.token, code=code))
    client.token = done.session.token
    return tuple(done.recovery_codes)


@dataclass(frozen=True)
class Simulated:
    """A running fleet of simulated hosts."""

    process: subprocess.Popen[str]
    told: dict[str, Any]  # Any: its own JSON

    async def join(self, client: Client) -> None:
        """Add all hosts in one order, their key accepted; they are polled as often as the engine's settings say."""
        key_file = Path(self.told["client_key"])
        await watch_many(client, self.told["hosts"], self.told["host_key"], "demo", key_file)


async def watch_many(
    client: Client, hosts: Sequence[Mapping[str, Any]], host_key: str, user: str, key_file: Path
) -> None:
    """Add hosts (name, address, port) in one order, their key accepted."""
    known = "".join(f"[{host['address']}]:{host['port']} {host_key}\n" for host in hosts)
    ways = "".join(
        f"Host {host['name']}\n HostName {host['address']}\n Port {host['port']}\n" for host in hosts
    )
    rest = f"Host *\n User {user}\n IdentityFile {key_file}\n"
    names = tuple(host["name"] for host in hosts)
    source = SourceText(format="ssh_config", name="bench", text=ways + rest)
    request = ImportRequest(source=source, known_hosts=known, names=names)
    await client.call("hosts.import", ImportPreview, request)


class Following:
    """Follows the stream as a console does, and counts new samples of hosts."""

    def __init__(self, client: Client, prefix: str) -> None:
        self.samples = 0
        self.measured: dict[str, float | None] = {}
        self.times: dict[str, list[float]] = {}
        """When each host was measured, since :meth:`begin`."""
        self.status: EngineStatus | None = None
        self._prefix = prefix
        self._task = asyncio.create_task(self._follow(client))

    async def _follow(self, client: Client) -> None:
        async for event in client.events():
            if isinstance(event, Delta):
                for row in event.hosts:
                    if row.name.startswith(self._prefix) and self.measured.get(row.id) != row.measured_at:
                        self.measured[row.id] = row.measured_at
                        self.samples += 1
                        if row.measured_at is not None:
                            self.times.setdefault(row.id, []).append(row.measured_at)
            elif isinstance(event, Heartbeat):
                self.status = event.status

    def begin(self) -> None:
        """Count anew from now on."""
        self.samples = 0
        self.times.clear()

    @property
    def answering(self) -> int:
        """Hosts that have answered."""
        return sum(at is not None for at in self.measured.values())

    async def close(self) -> None:
        """End it."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def follow(client: Client, hosts: int, prefix: str, seconds: float) -> Following:
    """Follow the stream; all hosts have answered."""
    following = Following(client, prefix)
    deadline = time.monotonic() + seconds
    while following.answering < hosts:
        if time.monotonic() > deadline:
            raise SystemExit(f"only {following.answering} of {hosts} hosts answer")
        await asyncio.sleep(0.1)
    return following


async def surveyed(client: Client) -> None:
    """Wait until all hosts were surveyed for the first time, which costs as much as many polls; it comes again every minute."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        rows = (await client.call("hosts.list", HostList, Nothing())).hosts
        if all(row.disk is not None for row in rows):
            figures = await client.call("engine.figures", EngineFigures, Nothing())
            read = {one.section: one.hosts for one in figures.sections}
            medium = [name for name, kind in SECTIONS.items() if kind.period_seconds == MEDIUM_SECONDS]
            # this machine's may still come
            if all(read.get(name, 0) >= len(rows) - 1 for name in medium):
                return
        await asyncio.sleep(0.5)
    raise SystemExit("not all hosts were surveyed")


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """No processor falls asleep: on each runs something that gives way to everything else (`SCHED_IDLE`).

    What waking costs is the machine's, not ours: a virtual machine's processor comes back with cold caches, and a sample that is answered
    every few milliseconds then costs up to six times as much as the same sample on a processor that had something to do.
    """
    spin = (
        "import os, sys; cpu, parent = map(int, sys.argv[1:]); os.sched_setaffinity(0, {cpu})\n"
        "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\n"
        "while os.getppid() == parent:\n    sum(range(10_000))"
    )
    spinning = [
        subprocess.Popen([sys.executable, "-S", "-c", spin, str(cpu), str(os.getpid())])
        for cpu in sorted(os.sched_getaffinity(0))
    ]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


@contextlib.contextmanager
def simulated(
    hosts: int, *, cpu: int | None = None, disks: int = 2, nics: int = 2, processes: int = 400
) -> Iterator[Simulated]:
    """Simulated hosts in a process of their own, until the end."""
    words = [
        sys.executable,
        "-m",
        "guardian_tui.demo.simhost",
        "--hosts",
        str(hosts),
        "--disks",
        str(disks),
        "--nics",
        str(nics),
        "--processes",
        str(processes),
    ]
    if cpu is not None:
        words += ["--cpu", str(cpu)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdin is not None and process.stdout is not None
    try:
        yield Simulated(process, json.loads(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.wait(timeout=20)
