"""`guardian-tui engine install`: what it would do is shown, what it does is done once, and what it takes away is what it made."""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from guardian_tui.as_root import CommandFailed, as_user, in_other_hands, make_folder, out_of_reach
from guardian_tui.cli.install import carry_out, first_code, install
from guardian_tui.cli.main import main
from guardian_tui.config import parse_settings
from guardian_tui.engine.access.first_code import FirstCode
from guardian_tui.engine.notify import Notifier
from guardian_tui.installing import (
    Setup,
    Step,
    install_steps,
    uninstall_steps,
    unit_steps,
)
from tests.support.engine import ROOT
from tests.support.team import NEEDS_ROOT, python_for_all

UNIT = ROOT / "deploy" / "systemd" / "guardian.service"


def test_the_unit_in_the_tree_is_the_one_that_is_installed() -> None:
    assert UNIT.read_text() == Setup("/usr/local/bin/guardian-tui").unit
    with_credential = Setup("/usr/local/bin/guardian-tui", vault_credential=True).unit
    assert "LoadCredentialEncrypted=guardian-vault-key\n" in with_credential


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    file = tmp_path / "guardian.service"
    # it looks whether the program is there
    file.write_text(Setup("/usr/bin/true", vault_credential=True).unit)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_dry_run_shows_each_step_and_does_none(monkeypatch: pytest.MonkeyPatch) -> None:
    user = f"gu{secrets.token_hex(5)}"
    done = CliRunner().invoke(
        main,
        ["engine", "install", "--dry-run", "--user", user, "--group", user, "--program", "/usr/bin/true"],
    )
    assert done.exit_code == 0, done.output
    assert f"would be  user {user}" in done.output
    assert "/etc/guardian/config.toml" in done.output
    with pytest.raises(KeyError):
        pwd.getpwnam(user)
    gone = CliRunner().invoke(main, ["engine", "uninstall", "--dry-run", "--data", "--user", user])
    assert gone.exit_code == 0
    assert "/var/lib/guardian is removed" in gone.output
    bad = CliRunner().invoke(main, ["engine", "install", "--dry-run", "--user", "-x"])
    assert bad.exit_code == 1
    assert "no name of a Unix user" in bad.output
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    refused = CliRunner().invoke(main, ["engine", "install", "--program", "/usr/bin/true"])
    assert refused.exit_code == 1
    assert "Only root" in refused.output


def test_with_systemd_the_unit_is_written_read_and_started(tmp_path: Path) -> None:
    setup = Setup("/usr/bin/true", units=tmp_path)
    assert [step.done for step in unit_steps(setup)] == [False, False, False]
    unit_steps(setup)[0].act()
    assert setup.unit_file.read_text() == setup.unit
    assert [step.done for step in unit_steps(setup)][:2] == [True, True]
    stop, remove, _ = uninstall_steps(setup, data=False)
    assert not stop.done
    remove.act()
    assert all(step.done for step in uninstall_steps(setup, data=False))
    assert unit_steps(replace(setup, systemd=False)) == []


def test_a_program_in_somebody_s_home_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "guardian-tui").touch()
    assert "closed to it" in out_of_reach(str(closed / "guardian-tui"))
    assert "closed to it" in out_of_reach("/root/bin/guardian-tui")


def test_a_program_that_others_may_change_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "guardian-tui"
    mine.touch(mode=0o755)
    if not os.geteuid():
        assert in_other_hands(str(mine)) == ""
        os.chown(mine, 4242, 0)
        assert f"{mine} is not root's alone" in in_other_hands(str(mine))
        os.chown(mine, 0, 4242)
    mine.chmod(0o775)
    assert f"{mine} is not root's alone" in in_other_hands(str(mine))
    mine.chmod(0o757)
    assert "decides what the engine does" in in_other_hands(str(mine))


@pytest.mark.skipif(os.geteuid() != 0, reason=NEEDS_ROOT)
def test_what_the_engine_s_user_puts_in_the_way_leads_root_nowhere(folder: Path) -> None:
    name = f"gu{secrets.token_hex(5)}"
    subprocess.run(["useradd", "--no-create-home", name], check=True, capture_output=True)
    try:
        user = pwd.getpwnam(name)
        treasure = folder / "treasure"
        treasure.mkdir(mode=0o700)
        (treasure / "shadow").write_text("root's")
        setup = Setup(
            "/usr/bin/true", name, name, config=folder / "etc", home=folder / "lib", run=folder / "run", units=folder / "units", systemd=False
        )  # fmt: skip
        setup.home.mkdir(mode=0o700)
        os.chown(setup.home, user.pw_uid, user.pw_gid)
        # in the place of the state, a way to something of root's
        as_user(name, lambda: setup.state.symlink_to(treasure))
        step = next(one for one in install_steps(setup) if f"folder {setup.state}," in one.words)
        assert not step.done
        with pytest.raises(CommandFailed, match="a link to one"):
            step.act()
        with pytest.raises(CommandFailed):
            first_code(setup.state, name)
        setup.state.unlink()
        step.act()
        # in the place of the code's file, another
        as_user(name, lambda: (setup.state / "first-admin-code.new").symlink_to(treasure / "shadow"))
        assert FirstCode(setup.state).fits(first_code(setup.state, name), 0.0)
        found = treasure.stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (0, 0o700)
        assert ((treasure / "shadow").read_text(), (treasure / "shadow").stat().st_uid) == ("root's", 0)
        assert (setup.state / "first-admin-code").lstat().st_uid == user.pw_uid
        # a folder of somebody else's is not taken
        other = folder / "other"
        other.mkdir()
        os.chown(other, 4242, 4242)
        with pytest.raises(CommandFailed, match="somebody else's"):
            make_folder(other, 0o700, name)
        assert other.stat().st_uid == 4242
    finally:
        subprocess.run(["userdel", name], check=False, capture_output=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user can go through."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.skipif(os.geteuid() != 0, reason=NEEDS_ROOT)
def test_it_is_set_up_once_runs_by_hand_and_is_taken_away(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python, search = python_for_all()
    program = folder / "guardian-tui"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={search} exec {python} -m guardian_tui "$@"\n')
    program.chmod(0o755)
    name = f"gu{secrets.token_hex(5)}"
    setup = Setup(
        str(program), name, name, config=folder / "etc", home=folder / "lib", run=folder / "run", units=folder / "units", systemd=False,
    )  # fmt: skip
    try:
        install(setup, dry=False)
        told = capsys.readouterr().out
        code = told.strip().splitlines()[-1].strip()
        uid = pwd.getpwnam(name).pw_uid
        assert FirstCode(setup.state).fits(code, FirstCode(setup.state).file.stat().st_mtime)
        for path, mode in ((setup.home, 0o700), (setup.state, 0o700), (setup.settings_file, 0o600)):
            assert (path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) == (uid, mode), path
        settings = parse_settings(setup.settings_file.read_text())
        assert (settings.mode, settings.engine.group) == ("team", name)
        assert f"--reuid {name}" in told
        assert all(step.done for step in install_steps(setup))
        # as the words say, but that it ends when it could listen
        by_hand = setup.by_hand.replace("engine run", "engine status")
        status = subprocess.run(["sh", "-c", by_hand], capture_output=True, text=True, timeout=60)
        assert status.returncode == 3, status.stderr
        assert str(setup.run / "engine.sock") in status.stdout
        assert stat.S_IMODE(setup.run.stat().st_mode) == 0o750
        setup.settings_file.write_text('mode = "personal"\n')
        assert any('they want mode = "team"' in step.words for step in install_steps(setup))
        install(setup, dry=False)
        assert setup.settings_file.read_text() == 'mode = "personal"\n', "settings are people's"
    finally:
        carry_out(uninstall_steps(setup, data=True), dry=False)
    assert not setup.home.exists()
    assert not setup.config.exists()
    with pytest.raises(KeyError):
        pwd.getpwnam(name)


def test_a_step_that_the_system_refuses_is_told_with_its_words() -> None:
    with pytest.raises(CommandFailed, match="userdel"):
        step = uninstall_steps(Setup("", user="no-such-user-here"), data=True)[-2]
        assert isinstance(step, Step)
        step.act()


async def test_systemd_hears_that_it_is_ready_alive_and_stopping(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "20000")
        notifier = Notifier()
        assert "NOTIFY_SOCKET" not in os.environ, "no child speaks for us"
        notifier.ready()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(30):
            heard = [await loop.sock_recv(manager, 100) for _ in range(4)]
        assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        await notifier.stopping()
    notifier.ready()
    await notifier.stopping()
    quiet = Notifier()
    quiet.ready()
    await quiet.stopping()
