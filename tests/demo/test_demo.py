"""The whole demo, as its command starts it: what a person sees, and that nothing of it is left however it ends."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import psutil
import pyotp
import pytest

from guardian_tui.client import Client
from guardian_tui.protocol.access import Login, Session
from guardian_tui.protocol.alerts import AlertList, AlertsQuery
from guardian_tui.protocol.fleet import HostList, HostsQuery
from tests.support.engine import ROOT
from tests.support.terminal import Terminal

WAIT_SECONDS = 120.0
COMMAND = (sys.executable, "-m", "guardian_tui", "demo")


def until(holds: Callable[[], object], what: str) -> None:
    """Wait for it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {WAIT_SECONDS:.0f} s"
        time.sleep(0.05)


@dataclass
class Running:
    """A demo without a console."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def said(self, pattern: str) -> str:
        """What it said that fits, its first group."""
        found = [match[1] for line in list(self.lines) if (match := re.search(pattern, line))]
        return found[0] if found else ""

    @property
    def folder(self) -> Path:
        return Path(self.said(r"GUARDIAN_HOME=(\S+)"))

    def up(self) -> Running:
        """Wait until somebody may log in."""
        until(lambda: self.said(r"a code: (\d+)") or self.process.poll() is not None, "the demo is up")
        assert self.process.poll() is None, self.lines
        return self

    def family(self) -> list[psutil.Process]:
        """Its stage and its engine."""
        return psutil.Process(self.process.pid).children(recursive=True)

    async def log_in(self) -> Client:
        """Log in as a person would who reads what it says."""
        name, password, secret = re.search(  # type: ignore[union-attr]  # it was said
            r"name (\S+), password '(.+)', authenticator secret (\S+)", "\n".join(self.lines)
        ).groups()
        client = Client(self.folder / "run" / "engine.sock")
        order = Login(name=name, password=password, code=pyotp.TOTP(secret).now())
        client.token = (await client.call("login", Session, order)).token
        return client


@contextmanager
def demo(folder: Path, *words: str) -> Iterator[Running]:
    """A demo without a console; killed at the end, if it still runs."""
    process = subprocess.Popen(
        [*COMMAND, "--no-console", *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    one = Running(process)

    def keep() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            one.lines.append(line)

    reading = Thread(target=keep, daemon=True)
    reading.start()
    try:
        yield one
    finally:
        with suppress(psutil.NoSuchProcess):
            for child in [*one.family(), psutil.Process(process.pid)]:
                child.kill()
        process.wait(WAIT_SECONDS)
        reading.join(WAIT_SECONDS)


@pytest.fixture
def short(tmp_path: Path) -> Iterator[Path]:
    """A folder whose path leaves room for a socket's."""
    link = Path(f"/tmp/gd-{secrets.token_hex(4)}")
    link.symlink_to(tmp_path)
    yield link
    link.unlink()


def gone(processes: list[psutil.Process]) -> bool:
    """Whether all have ended (those that nobody waited for count as ended)."""
    return not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_its_children_end_and_its_folder_is_gone(short: Path, number: signal.Signals) -> None:
    with demo(short, "--hosts", "5") as running:
        running.up()
        family, folder = running.family(), running.folder
        assert len(family) == 2 and folder.is_dir() and folder.stat().st_mode & 0o777 == 0o700
        running.process.send_signal(number)
        code = running.process.wait(WAIT_SECONDS)
        assert code == (0 if number != signal.SIGKILL else -9), running.lines
        until(lambda: gone(family), "its children have ended")
        until(lambda: not folder.exists(), "its folder is removed")
        assert not list(short.glob("guardian-demo-*"))


def test_a_stage_that_is_killed_takes_the_engine_with_it_and_the_demo_says_so(short: Path) -> None:
    with demo(short, "--hosts", "5") as running:
        running.up()
        family, folder = running.family(), running.folder
        psutil.Process(running.process.pid).children()[0].kill()
        assert running.process.wait(WAIT_SECONDS) == 1
        until(lambda: gone(family), "the engine has ended")
        until(lambda: not folder.exists(), "its folder is removed")
        until(lambda: running.said("(ended by itself)"), "it says so")


def test_a_folder_that_is_too_deep_for_a_socket_is_not_used(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    with demo(deep, "--hosts", "3") as running:
        folder = running.up().folder
        assert len(str(folder)) < 80
        running.process.terminate()
        running.process.wait(WAIT_SECONDS)
        assert not folder.exists()


async def test_a_dead_jump_host_of_a_demo_is_one_alert_with_those_behind_it_folded_in(short: Path) -> None:
    with demo(short, "--hosts", "20", "--speed", "600", "--fault", "jump") as running:
        client = await running.up().log_in()

        async def folded() -> bool:
            rows = (await client.call("hosts.list", HostList, HostsQuery())).hosts
            alerts = (await client.call("alerts.list", AlertList, AlertsQuery())).alerts
            behind = [row.state for row in rows if row.jump]
            return set(behind) == {"unreachable"} and [alert.folded for alert in alerts] == [len(behind)]

        deadline = time.monotonic() + WAIT_SECONDS
        while not await folded():
            assert time.monotonic() < deadline, "all behind the jump host were never folded into its alert"
            await asyncio.sleep(0.2)
        (alert,) = (await client.call("alerts.list", AlertList, AlertsQuery())).alerts
        assert (alert.rule, alert.host) == ("host_down", "jump-ams")
        rows = (await client.call("hosts.list", HostList, HostsQuery())).hosts
        assert {(row.environment, row.labels["site"]) for row in rows} >= {("prod", "ams"), ("lab", "ams")}
        await client.close()


def test_a_person_sees_a_living_fleet_marked_as_a_demo_and_leaves_nothing_behind(
    terminal: Callable[..., Terminal], short: Path
) -> None:
    command = " ".join((*COMMAND, "--hosts", "12"))
    screen = terminal(f"cd {ROOT}; {command}", 120, 40, TMPDIR=str(short))
    shown = screen.wait_for("● 12", "web-ams-1")
    assert re.search(r"guardian +demo +› fleet", shown)
    (folder,) = short.glob("guardian-demo-*")
    screen.type(":demo")
    screen.press("Enter")
    shown = screen.wait_for("about this demo", "password  a fleet of ghosts")
    assert f"GUARDIAN_HOME={folder}"[:60] in shown.replace("\n", "")
    screen.press("Escape")
    screen.wait_until_gone("about this demo")
    screen.type(":trouble crash-loop")
    screen.press("Enter")
    screen.wait_for("over and over")
    screen.press("q")
    screen.wait_for("nothing of it is left", "ended 0")
    assert not folder.exists()


def test_whoever_logs_out_is_told_how_to_come_in_again(
    terminal: Callable[..., Terminal], short: Path
) -> None:
    command = " ".join((*COMMAND, "--hosts", "3"))
    screen = terminal(f"cd {ROOT}; {command}", 80, 24, TMPDIR=str(short))
    screen.wait_for("● 3")
    screen.type(":logout")
    screen.press("Enter")
    shown = screen.wait_for("logged out", "a fleet of ghosts")
    code = re.search(r"code (\d{6})", shown)
    assert code
    for word in ("demo", "a fleet of ghosts", code[1]):
        screen.type(f"{word}")
        screen.press("Enter")
    screen.wait_for("● 3")
    screen.press("q")
    screen.wait_for("ended 0")
