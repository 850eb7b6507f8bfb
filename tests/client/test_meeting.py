"""An engine of another version at the login: a private one is replaced by a key, another's is left alone."""

from __future__ import annotations

import asyncio
import grp
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from textual.pilot import Pilot

from guardian_tui.app import GuardianApp
from guardian_tui.attach import attach_paths
from guardian_tui.cli.main import main
from guardian_tui.client import wait_for_engine
from guardian_tui.config import Paths, Settings, find_paths
from guardian_tui.meeting import Listener, listener_of, mismatch, stop_engine
from guardian_tui.protocol.base import PROTOCOL_VERSION
from guardian_tui.protocol.errors import EngineUnreachable
from guardian_tui.protocol.system import Hello
from screens.first_start import FirstStartScreen
from screens.login import LoginScreen
from tests.support.console import until
from tests.support.engine import QUIET, ROOT

OTHER = PROTOCOL_VERSION + 98
FOREIGN = f"""
from guardian_tui.protocol import base
base.PROTOCOL_VERSION = {OTHER}
from guardian_tui.engine.main import run_engine
raise SystemExit(run_engine(linger=True))
"""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """An installation of its own, for us and for engines that we start."""
    monkeypatch.setenv("GUARDIAN_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    found = find_paths()
    found.config.mkdir(parents=True)
    found.settings_file.write_text(QUIET)
    return found


@contextmanager
def foreign_engine() -> Iterator[subprocess.Popen[bytes]]:
    """A real engine that speaks another protocol version."""
    process = subprocess.Popen([sys.executable, "-c", FOREIGN], cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def login(paths: Paths) -> AsyncIterator[tuple[GuardianApp, Pilot[int]]]:
    """The console at its login."""
    app = GuardianApp(paths, Settings())
    async with app.run_test(size=(80, 24)) as pilot:
        yield app, pilot
        await app.shut()


def seen(app: GuardianApp, part: str) -> str:
    """What a part of the login says."""
    return str(app.login_screen.query_one(part).render())


async def test_a_private_engine_of_another_version_is_restarted_by_a_key(paths: Paths) -> None:
    with foreign_engine() as old:
        assert (await wait_for_engine(paths.socket, 60.0)).protocol == OTHER
        async with login(paths) as (app, pilot):
            await until(lambda: "restart the engine" in seen(app, "#keys"))
            assert f"protocol {OTHER}" in seen(app, "#words") and "It is your own" in seen(app, "#words")
            # until it is asked for, nothing is stopped
            assert old.poll() is None and isinstance(app.screen, LoginScreen)
            # the command line says the same, before it asks for a password
            for words, code in (["engine", "status"], 0), (["login"], 3):
                told = await asyncio.to_thread(CliRunner().invoke, main, words)
                assert told.exit_code == code and f"protocol {OTHER}" in told.output, told.output
                assert "guardian-tui engine stop" in told.output and "Password" not in told.output
            await pilot.press("ctrl+r")
            await until(lambda: isinstance(app.screen, FirstStartScreen))
            assert app.hello is not None and app.hello.protocol == PROTOCOL_VERSION
            # the old one was started to stay, and so is the new one
            assert app.hello.lingering
            assert old.poll() == 0
            listener = listener_of(paths.socket)
            assert listener is not None and listener.pid != old.pid and listener.uid == os.getuid()
        assert await stop_engine(paths)
        assert listener_of(paths.socket) is None
        assert not await stop_engine(paths)


async def test_the_key_stops_no_engine_that_speaks_our_protocol(paths: Paths) -> None:
    async with login(paths) as (app, pilot):
        await until(lambda: isinstance(app.screen, FirstStartScreen))
        app.pop_screen()
        listener = listener_of(paths.socket)
        await until(lambda: isinstance(app.screen, LoginScreen))
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert listener is not None and listener_of(paths.socket) == listener
    await stop_engine(paths)


def hello_of(mode: str, protocol: int = OTHER) -> Hello:
    return Hello(
        version="9.9", protocol=protocol, boot="b", mode=mode, environment="", set_up=True, vault_locked=False, time=0.0,
    )  # fmt: skip


def test_an_engine_of_somebody_else_is_not_ours_to_restart() -> None:
    ours = Listener(1, os.getuid())
    assert mismatch(hello_of("personal", PROTOCOL_VERSION), ours) is None
    private = mismatch(hello_of("personal"), ours)
    assert private is not None and private.ours and "9.9" in private.words
    for hello, listener, whom in (
        (hello_of("team"), ours, "the account"),
        (hello_of("personal"), Listener(1, 4_000_000_000), "the account 4000000000"),
        (hello_of("personal"), None, "another account"),
    ):
        theirs = mismatch(hello, listener)
        assert theirs is not None and not theirs.ours
        assert f"It belongs to {whom}" in theirs.words and "ask whoever runs it" in theirs.words


@contextmanager
def team_settings(paths: Paths) -> Iterator[None]:
    """Settings of a team's engine whose socket the group can reach."""
    group = grp.getgrgid(os.getgid()).gr_name
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        head = f'mode = "team"\n[engine]\nsocket = "{folder}/run/engine.sock"\ngroup = "{group}"\n'
        paths.settings_file.write_text(head + QUIET)
        yield


async def test_a_login_of_a_team_s_engine_says_whom_to_ask(paths: Paths) -> None:
    with team_settings(paths), foreign_engine() as old:
        paths = attach_paths()
        await wait_for_engine(paths.socket, 60.0)
        async with login(paths) as (app, pilot):
            await until(lambda: "ask whoever runs it" in seen(app, "#words"))
            assert seen(app, "#keys") == "esc leave"
            await pilot.press("ctrl+r")
            await pilot.pause()
            assert old.poll() is None


async def test_an_engine_whose_console_has_not_waited_for_it_has_ended_all_the_same(paths: Paths) -> None:
    with foreign_engine() as old:
        await wait_for_engine(paths.socket, 60.0)
        assert await stop_engine(paths)
        # nobody has waited for it: it was a zombie when it was taken for gone
        assert os.waitid(os.P_PID, old.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


async def test_an_engine_that_does_not_end_is_said(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    with foreign_engine() as old:
        await wait_for_engine(paths.socket, 60.0)
        kill = os.kill

        def denied(pid: int, number: int) -> None:
            raise PermissionError

        with monkeypatch.context() as patch:
            patch.setattr(os, "kill", lambda pid, number: kill(pid, 0))
            with pytest.raises(EngineUnreachable, match=f"Process {old.pid} did not end"):
                await stop_engine(paths, 0.2)
            patch.setattr(os, "kill", denied)
            with pytest.raises(EngineUnreachable, match="who alone may stop it"):
                await stop_engine(paths)
