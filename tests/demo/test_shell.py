"""What simulated hosts answer to commands is what the engine's readers of logs understand, and acts heal what they would heal."""

from __future__ import annotations

import shlex

import pytest

from guardian_tui.demo.figures import Figures
from guardian_tui.demo.journal import _IN_TROUBLE
from guardian_tui.demo.roles import DB, QUEUE, ROLES, WEB
from guardian_tui.demo.script import KINDS
from guardian_tui.demo.shell import run
from guardian_tui.engine.fleet.checks.nagios import command_of
from guardian_tui.engine.fleet.checks.perfdata import parse_output
from guardian_tui.engine.fleet.checks.unit import parse_properties
from guardian_tui.engine.fleet.logs import file_command, journal_command, journal_lines
from guardian_tui.protocol.acts import LogLine, LogQuery
from guardian_tui.protocol.check_params import NagiosParams

NOW = 1_800_000_000.0


def read(
    figures: Figures, kind: str = "journal", unit: str = "", **wanted: str | int
) -> tuple[list[LogLine], str]:
    """A log as the engine reads it."""
    query = LogQuery(host="one", **wanted)  # type: ignore[arg-type]  # its own fields
    return journal_lines(run(figures, journal_command(kind, unit, query)).out)


@pytest.mark.parametrize("role", ROLES)
def test_the_newest_lines_of_every_role_come_in_order_and_up_to_now(role: str) -> None:
    lines, cursor = read(Figures(3, role=ROLES[role], wall=lambda: NOW), lines=50)
    assert len(lines) == 50 and cursor
    times = [line.at or 0.0 for line in lines]
    assert times == sorted(times) and NOW - 60 < times[-1] <= NOW + 20
    assert all(line.source and line.text and "{" not in line.text for line in lines)


def test_a_cursor_goes_on_where_it_was_and_tells_nothing_twice() -> None:
    now = [NOW]
    figures = Figures(3, role=WEB, wall=lambda: now[0])
    before, cursor = read(figures, lines=100)
    assert read(figures, after=cursor) == ([], "")
    now[0] += 60
    after, _ = read(figures, after=cursor)
    assert 25 <= len(after) <= 35
    whole, _ = read(figures, lines=100 + len(after))
    assert whole == before + after


def test_a_unit_has_its_own_lines_and_one_that_is_not_there_has_none() -> None:
    figures = Figures(3, role=WEB, wall=lambda: NOW)
    lines, _ = read(figures, "unit", "nginx.service", lines=20)
    assert len(lines) == 20 and {line.source for line in lines} == {"nginx"}
    assert read(figures, "unit", "nonsense.service") == ([], "")


@pytest.mark.parametrize("trouble", _IN_TROUBLE)
def test_a_trouble_is_told_while_it_lasts_and_stays_in_the_journal(trouble: str) -> None:
    assert trouble in KINDS
    figures = Figures(3, role=DB, wall=lambda: NOW)
    calm, _ = read(figures, lines=200)
    figures.episode = (trouble, NOW - 600, NOW - 300)
    lines, _ = read(figures, lines=200)
    new = [line for line in lines if line not in calm]
    assert new and all(NOW - 606 <= (line.at or 0.0) < NOW - 290 for line in new)
    assert not any(mark in line.text for line in new for mark in ("\x1b", "\x9b", "\u202e"))


def test_a_file_that_a_simulated_host_does_not_have_is_refused_in_words() -> None:
    ran = run(Figures(3, role=WEB), file_command("/var/log/syslog", LogQuery(host="one")))
    assert ran.status == 66 and b"can't be read" in ran.err


def test_a_signal_ends_the_runaway_and_a_restart_the_crash_loop() -> None:
    figures = Figures(3, role=QUEUE)
    figures.runaway = figures.crash_loop = True
    asking = shlex.join(["systemctl", "is-active", "--", "rabbitmq-server.service"])
    assert run(figures, asking).out == b"activating\n"
    words = "kill -s HUP -- 31337"
    run(figures, f"if x; then {words}; else sudo -n {words}; fi")
    assert figures.runaway
    words = "kill -s TERM -- 31337"
    run(figures, f"if x; then {words}; else sudo -n {words}; fi")
    assert not figures.runaway
    run(figures, "if x; then systemctl --no-ask-password restart -- rabbitmq-server.service; fi")
    assert not figures.crash_loop and run(figures, asking).out == b"active\n"


def test_plugins_and_units_answer_as_the_host_is() -> None:
    figures = Figures(3, role=WEB)
    ran = run(
        figures,
        command_of(
            NagiosParams(plugin="check_http"), ("/usr/lib/nagios/plugins", "/usr/lib64/nagios/plugins")
        ),
    )
    words, values = parse_output(ran.out.decode())
    assert (
        ran.status == 0
        and words.startswith("HTTP OK")
        and values[0].label == "time"
        and values[0].value < 0.2
    )
    figures.runaway, figures.busy = True, 0.95
    assert (
        run(figures, command_of(NagiosParams(plugin="check_http"), ("/usr/lib/nagios/plugins",))).status == 1
    )
    queue = Figures(3, role=QUEUE)
    words = "systemctl show --property=ActiveState -- rabbitmq-server.service"
    assert parse_properties(run(queue, words).out.decode())["ActiveState"] == "active"
    queue.crash_loop = True
    assert parse_properties(run(queue, words).out.decode())["ActiveState"] == "activating"


def test_a_command_that_is_not_known_says_nothing() -> None:
    assert run(Figures(3), "uname -a") == run(Figures(3), "true")
    assert run(Figures(3), "echo 'open").status == 2
