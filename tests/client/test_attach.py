"""Which engine a client attaches to: a shared one that is named or there, else its own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from guardian_tui import attach
from guardian_tui.attach import attach_paths, shut_out
from guardian_tui.meeting import meet, whose
from guardian_tui.protocol.errors import EngineUnreachable


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home on a machine where no team's engine runs."""
    for name in ("GUARDIAN_HOME", "GUARDIAN_SOCKET", "GUARDIAN_CONFIG", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(attach, "TEAM_SOCKET", tmp_path / "team" / "engine.sock")
    return tmp_path


def test_it_is_named_by_the_environment_or_the_settings_else_it_is_the_machine_s(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert attach_paths().shared is None
    (home / "team").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(attach.TEAM_SOCKET))
        listening.listen()
        found = attach_paths()
        assert found.shared == found.socket == attach.TEAM_SOCKET
        assert whose(found).startswith("the shared engine of the account")
        # who wants an installation of their own gets one
        monkeypatch.setenv("GUARDIAN_HOME", str(home / "own"))
        assert attach_paths().shared is None
        monkeypatch.delenv("GUARDIAN_HOME")
        monkeypatch.setenv("GUARDIAN_CONFIG", str(home))
        (home / "config.toml").write_text('[engine]\nsocket = "~/other.sock"\n')
        assert attach_paths().shared == home / "other.sock"
        (home / "config.toml").write_text("[engine\n")
        assert attach_paths().shared == attach.TEAM_SOCKET
        monkeypatch.setenv("GUARDIAN_SOCKET", "/somewhere/else.sock")
        assert attach_paths().shared == Path("/somewhere/else.sock")


async def test_where_a_shared_engine_is_named_no_private_one_is_started(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARDIAN_SOCKET", str(home / "none.sock"))
    with pytest.raises(EngineUnreachable, match="does not run, or you are not in its group"):
        await meet(attach_paths())


def test_who_is_not_in_its_group_is_told_of_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shut_out() == ""
    (home / "team").mkdir()
    assert shut_out() == ""
    # root goes through every folder, so the system's answer is said for it
    monkeypatch.setattr(attach.os, "access", lambda path, mode: False)
    assert "you are not in its group" in shut_out()
