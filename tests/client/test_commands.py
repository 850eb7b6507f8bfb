"""The registry: one list of commands, no two on one key, a person's own keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardian_tui import commands
from guardian_tui.app import GuardianApp
from guardian_tui.commands import (
    COMMANDS,
    Registry,
    shown_key,
)
from guardian_tui.moments import parse_duration
from guardian_tui.own_keys import RESERVED_KEYS, clashes, load_keys
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.routes import PERMISSIONS, ROUTES
from screens.alert import AlertScreen
from screens.alerts import AlertsScreen
from screens.approvals import ApprovalsScreen
from screens.audit import AuditScreen
from screens.authorities import AuthoritiesScreen
from screens.backup import BackupScreen
from screens.backups import BackupsScreen
from screens.check import CheckScreen
from screens.checks import ChecksScreen
from screens.engine import EngineScreen
from screens.fleet import FleetScreen
from screens.found import FoundScreen
from screens.host import HostScreen
from screens.log import LogScreen
from screens.people import PeopleScreen
from screens.repository import RepositoryScreen
from screens.restore import RestoreScreen
from screens.run_log import RunLogScreen
from screens.runbook import RunbookScreen
from screens.runbook_run import StepScreen
from screens.runbooks import RunbooksScreen
from screens.section import SectionScreen
from screens.transcript import TranscriptScreen

SCREENS = {
    screen.CONTEXT: screen
    for screen in (
        FleetScreen,
        HostScreen,
        AlertsScreen,
        AlertScreen,
        AuditScreen,
        ChecksScreen,
        CheckScreen,
        EngineScreen,
        PeopleScreen,
        SectionScreen,
        LogScreen,
        BackupsScreen,
        BackupScreen,
        RepositoryScreen,
        RestoreScreen,
        FoundScreen,
        AuthoritiesScreen,
        RunLogScreen,
        RunbooksScreen,
        ApprovalsScreen,
        RunbookScreen,
        StepScreen,
        TranscriptScreen,
    )
}


def test_no_two_commands_share_a_key_on_a_screen_and_none_takes_a_multiplexer_s() -> None:
    assert clashes(COMMANDS.values()) == []
    for command in COMMANDS.values():
        assert not RESERVED_KEYS.intersection(command.keys)
        assert command.help.endswith(".") and command.title
        assert not (command.dangerous and any(key.startswith("ctrl+") for key in command.keys))
        assert not command.route or command.route in ROUTES
        assert command.keys or command.words


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_does_something_on_each_screen_where_it_is_offered(name: str) -> None:
    command = COMMANDS[name]
    method = "command_" + name.replace(".", "_")
    for context in SCREENS if commands.GLOBAL in command.where else command.where:
        assert hasattr(SCREENS[context.partition(":")[0]], method) or hasattr(GuardianApp, method), (
            f"{name} on {context}"
        )


def test_what_a_session_may_not_do_is_not_offered() -> None:
    registry = Registry()
    none = {c.name for c in registry.offered("fleet", ())}
    every = {c.name for c in registry.offered("fleet", PERMISSIONS)}
    reading = {c.name for c in registry.offered("fleet", PERMISSIONS, read_only=True)}
    assert "host.add" in every and "host.add" not in none and "host.add" not in reading
    assert "help" in none and "filter" in reading


def test_a_line_is_understood_or_says_what_is_near() -> None:
    registry = Registry()
    typed = registry.parse("silence 2h it's broken")
    assert (typed.command.name, typed.arguments) == ("alert.silence", ("2h", "it's", "broken"))
    assert registry.parse('ack "two words"').arguments == ("two words",)
    with pytest.raises(InvalidRequest, match="silence"):
        registry.parse("silense 2h")
    with pytest.raises(InvalidRequest, match="tab"):
        registry.parse("  ")
    assert registry.complete("al") == ["alerts"]
    assert registry.get("help").title == "Help"
    assert len(registry.all()) == len(COMMANDS)


def test_keys_are_remapped_and_wrong_ones_reported_not_fatal(tmp_path: Path) -> None:
    registry = Registry()
    file = tmp_path / "keys.toml"
    assert load_keys(file, registry) == (registry, [])
    file.write_text(
        'alert.acknowledge = "x"\nhelp = ["f1"]\nalert.silense = "y"\nlock = 3\nquit = "ctrl+b"\nhost.remove = "ctrl+d"\ntheme = "x"\n'
    )
    mine, problems = load_keys(file, registry)
    assert mine.get("alert.acknowledge").keys == ("x",)
    assert mine.get("help").keys == ("f1",)
    told = "\n".join(problems)
    for words in ("alert.silence", "a key or a list", "tmux", "dangerous", "x is both"):
        assert words in told
    file.write_text("not toml")
    assert load_keys(file, registry)[1]
    file.write_bytes(b"\xff")
    assert "can't be read" in load_keys(file, registry)[1][0]


def test_durations_and_keys_as_people_write_them() -> None:
    assert [parse_duration(text) for text in ("90s", "1.5h", "2D", "1w", "soon", "")] == [
        90,
        5400,
        172800,
        604800,
        None,
        None,
    ]
    assert [shown_key(key) for key in ("slash", "ctrl+p", "g 1")] == ["/", "^p", "g 1"]
