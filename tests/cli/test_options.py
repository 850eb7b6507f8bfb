"""Options of the headless commands: each says what it is for, and takes what people write."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from guardian_tui.cli.backups import plan_words, told_run
from guardian_tui.cli.edit import changed
from guardian_tui.cli.help import WORDS
from guardian_tui.cli.main import main
from guardian_tui.cli.options import shape
from guardian_tui.cli.routes import headless_routes
from guardian_tui.cli.values import record
from guardian_tui.protocol.backups import JobSpec, RestorePlan, Retention, RunRow
from guardian_tui.protocol.fleet import Maintenance
from guardian_tui.protocol.routes import ROUTES


def commands(
    group: click.Group = main, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


ALL = dict(commands())


def test_every_command_has_a_name_and_says_what_it_does() -> None:
    assert len(ALL) > 120
    for path, command in ALL.items():
        assert all(path), path
        assert command.help, path


def test_every_option_says_what_it_is_for() -> None:
    silent = [
        f"{' '.join(path)} {param.opts[0]}"
        for path, command in ALL.items()
        for param in command.params
        if isinstance(param, click.Option) and not param.hidden and not param.help
    ]
    assert silent == []


def test_no_word_explains_an_option_that_is_not_there() -> None:
    routes = {route.name: route for route in headless_routes()}
    fields = {name for route in routes.values() for name in route.request.__struct_fields__}
    for key in WORDS:
        route, _, name = key.rpartition(".")
        assert name in (routes[route].request.__struct_fields__ if route else fields), key


def test_every_list_and_every_answer_can_be_had_as_json() -> None:
    without = {
        " ".join(path)
        for path, command in ALL.items()
        if "as_json" not in {param.name for param in command.params}
    }
    assert without == {
        "completion", "demo", "engine first-code", "engine install", "engine run", "engine start", "engine stop", "engine uninstall", "login", "logout",
        "probe print", "recover", "runbooks play", "runbooks schema", "state export", "state restore", "state verify",
    }  # fmt: skip


def parsed(*words: str) -> dict[str, Any]:
    """The values of a command line, without running it."""
    command: click.Command = main
    context = click.Context(main, info_name="guardian-tui")
    rest = list(words)
    while isinstance(command, click.Group):
        found = command.get_command(context, rest.pop(0))
        assert found is not None
        command = found
    return {
        key: value for key, value in command.make_context("x", rest).params.items() if value not in (None, ())
    }


def test_durations_moments_and_sizes_are_written_as_people_do() -> None:
    assert parsed("silences", "add", "--host", "web-1", "--for", "2h")["seconds"] == 7200
    assert parsed("silences", "add", "--seconds", "90")["seconds"] == 90
    given = parsed(
        "backups",
        "add",
        "web",
        "--host",
        "web-1",
        "--repository",
        "vault",
        "--rpo",
        "26h",
        "--rto-seconds",
        "60",
    )
    assert (given["rpo_seconds"], given["rto_seconds"]) == (93600, 60)
    assert (
        parsed(
            "repositories",
            "add",
            "v",
            "--engine",
            "restic",
            "--location",
            "/b",
            "--host",
            "a",
            "--capacity",
            "2T",
        )["capacity_bytes"]
        == 2 << 40
    )
    now = time.time()
    assert abs(parsed("hosts", "maintenance", "web-1", "--until", "2h")["until"] - now - 7200) < 60
    ended = shape(
        ROUTES["hosts.maintenance"],
        {"host": "web-1", "until": parsed("hosts", "maintenance", "web-1", "--until", "none")["until"]},
    )
    assert ended == Maintenance(host="web-1", until=None)
    history = parsed("hosts", "history", "web-1", "--metric", "load1", "--start", "1h", "--end", "now")
    assert abs(history["end"] - history["start"] - 3600) < 1
    assert parsed("backups", "restore", "db", "--at", "1796000000")["at"] == 1796000000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("silences", "add", "--for", "soon"), "'soon' is no duration: write 90s"),
        (("hosts", "maintenance", "web-1", "--until", "tomorrow"), "is no time: write 14:05"),
        (("alerts", "list", "--limit", "abc"), "'--limit'"),
        (("alerts", "list", "--limit", "0"), "Invalid value for '--limit': wanted is a whole number >= 1."),
        (("hosts", "add", "a b"), "Invalid value for 'NAME': it may hold letters, digits and . _ : -"),
        (("hosts", "add"), "Give its NAME, once."),
        (("hosts", "add", "web-1", "--name", "web-2"), "Give its NAME, once."),
        (("hosts", "add", "web-1", "--port", "99999"), "'--port': wanted is a whole number <= 65535."),
        (("hosts", "add", "web-1", "--label", "rack"), "'rack' is no KEY=VALUE."),
        (("units", "control", "web-1", "nginx.service", "--act", "explode"), "is not one of 'start', 'stop'"),
        (("backups", "add", "x", "--host", "a", "--repository", "v", "--keep", "dayly=7"), "'--keep': 'dayly=7' is none of last=…"),
        (("backups", "add", "x", "--host", "a", "--repository", "v", "--keep", '{"daily"'), "'--keep'"),
        (("backups", "add", "x", "--host", "a", "--repository", "v", "--keep", "daily=many"), "'--keep': daily: wanted is a whole number."),
        (("backups", "add", "x", "--host", "a", "--repository", "v", "--window", "night"), "'--window': it must be like 22:00-06:00."),
        (("backups", "add", "x", "--host", "a", "--repository", "v", "--source", ""), "'--source': it must not be empty."),
        (("backups", "restore", "x", "--target", "here"), "'--target': it must be a whole path"),
        (("repositories", "add", "x", "--engine", "tar", "--location", "/", "--host", "a"), "'tar' is not one of 'restic'"),
        (("repositories", "add", "x", "--engine", "borg", "--location", "/", "--host", "a", "--capacity", "much"), "'much' is no size"),
        (("backups", "lst"), "Did you mean 'list'?"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_value_is_said_with_its_option(words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 2, done.output
    assert said in " ".join(done.output.split()), done.output
    assert "Traceback" not in done.output and "$." not in done.output


def test_records_are_written_flat_or_as_json() -> None:
    spec = shape(
        ROUTES["backups.add"],
        {"named": "web", "host": "", "repository": "vault", "keep": "daily=7, weekly=4", "drill": "every-days=30,pinned=/etc/fstab,pinned=/etc/hosts,most_bytes=2G",
         "dumps": ("kind=postgresql,database=shop,user=postgres",)},
    )  # fmt: skip
    assert isinstance(spec, JobSpec)
    assert (spec.name, spec.keep.daily, spec.keep.weekly) == ("web", 7, 4)
    assert spec.drill.pinned == ("/etc/fstab", "/etc/hosts") and spec.drill.most_bytes == 2 << 30
    assert spec.dumps[0].database == "shop"
    assert record("--keep", Retention, '{"last": 3}') == {"last": 3}


def test_an_edit_of_a_job_leaves_what_is_not_named() -> None:
    spec = JobSpec(
        name="web", host="web-1", repository="vault", sources=("/etc",), keep=Retention(daily=7), copies=("far",), labels={"team": "shop"}
    )  # fmt: skip
    edited = changed(spec, {"keep": "weekly=4", "copies": ("",), "rpo_seconds": 3600.0, "labels": ("team=",)})
    assert edited == msgspec.structs.replace(
        spec, keep=Retention(daily=7, weekly=4), copies=(), rpo_seconds=3600.0, labels={}
    )
    with pytest.raises(click.BadParameter, match="wanted is a number >= 60") as refused:
        changed(spec, {"rpo_seconds": 5.0})
    assert refused.value.param_hint == "'--rpo'"


def test_a_restore_and_a_run_are_told_in_words() -> None:
    plan = RestorePlan(
        host="web-1", target="/", files=3, bytes=4096, overwritten=("/etc/hosts",), overwritten_files=2, free_bytes=1024, fits=False,
        commands=("restic restore …",), notes=("the owner is not there",),
    )  # fmt: skip
    shown = plan_words(plan)
    for words in (
        "3 files, 4.0 KiB, to / on web-1",
        "IT DOES NOT FIT",
        "2 files there would be replaced",
        "and 1 more",
        "! the owner",
        "$ restic restore",
    ):
        assert words in shown, words
    run = RunRow(id="r1", job="web", host="web-1", repository="vault", operation="backup", state="running")
    assert "guardian-tui backups log r1" in told_run(run)
    ended = msgspec.structs.replace(run, state="ended", verdict="failed", words="no room", advice="make room")
    assert told_run(ended).splitlines() == ["backup of web on web-1: failed", "no room", "make room"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_tab_completes_in_each_shell(shell: str) -> None:
    done = CliRunner().invoke(main, ["completion", shell])
    assert done.exit_code == 0 and "_GUARDIAN_TUI_COMPLETE" in done.output, done.output


def test_what_the_system_refuses_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARDIAN_HOME", "/dev/null")
    done = CliRunner().invoke(main, ["engine", "start"])
    assert done.exit_code == 1 and done.output.startswith("Error: /dev/null"), done.output
    assert "Traceback" not in done.output
