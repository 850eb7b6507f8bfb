"""The search: read, understand, read what that names, and put together what runs what."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

from guardian_tui.engine.backups.discovery.configurations import borgmatic, pgbackrest
from guardian_tui.engine.backups.discovery.documents import includes
from guardian_tui.engine.backups.discovery.profiles import is_profiles, resticprofile, takes_in
from guardian_tui.engine.backups.discovery.reading import File, Reader, Readings
from guardian_tui.engine.backups.discovery.runs import (
    calls_of,
    config_of,
    environments,
    operation_of,
    wanted,
    wanted_next,
    without_configuration,
)
from guardian_tui.engine.backups.discovery.setups import Setup
from guardian_tui.engine.backups.discovery.shell import TOOLS, Call
from guardian_tui.engine.backups.discovery.timetable import Runner, of_cron
from guardian_tui.engine.backups.discovery.units import of_units
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.ways import Way

MOST_SETUPS = 200
INCLUDED_DEEP = 3
"""How far files are followed that take in others."""
_CRON = ("/etc/cron", "/var/spool/cron/", "crontab of ")
_SIGNS = {
    "stamp-": "its timer fired", "cron.": "cron ran it", "snapshots": "the repository got a snapshot", "backup.info": "the repository got a backup",
    "-backup.log": "its log was written",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Search:
    """What came of it."""

    read: Readings
    setups: tuple[Setup, ...]
    times: dict[str, tuple[float, str]]


async def search(commands: Commands, way: Way, *, openly: bool = False) -> Search:
    """Look at one host.

    Args:
        commands: run the scripts.
        way: to the host.
        openly: passwords too; only to seal them.

    Raises:
        ConnectFailed: the host can't be reached, or it took too long.
    """
    reader = Reader(commands, way, openly=openly)
    await reader.look()
    read = reader.found
    runners = _runners(read)
    await reader.named(wanted(runners))
    await reader.named(wanted_next(runners, read))
    for _ in range(INCLUDED_DEEP):
        await reader.named(_taken_in(read))
    setups = understood(read, runners)
    signs = [path for setup in setups for path in signs_of(setup)]
    return Search(read, tuple(setups), await reader.times(signs))


def _taken_in(read: Readings) -> list[str]:
    """Files that the configurations take in."""
    found: list[str] = []
    for file in read.files.values():
        if file.text and file.path.endswith((".yaml", ".yml")):
            found += includes(file.path, file.text, read.home)
        if is_profiles(file.path):
            found += takes_in(file)
    return found


def _runners(read: Readings) -> list[Runner]:
    units = [file for file in read.files.values() if file.text and file.path.endswith((".service", ".timer"))]
    return [
        *of_units(units, read.home, read.enabled),
        *(one for file in read.of(*_CRON) if file.text for one in of_cron(file)),
    ]


def understood(read: Readings, runners: list[Runner]) -> list[Setup]:
    """The set-ups of all that was read."""
    made = [(one, call) for one in runners for _, call in calls_of(one, read)]
    named = {tool: {config_of(call) for _, call in made if call.tool == tool} - {""} for tool in TOOLS}
    own = f"{read.home}/.config"
    setups = [
        borgmatic(file, read)
        for file in _chosen(read, ("/etc/borgmatic", f"{own}/borgmatic"), named["borgmatic"])
    ]
    profiles = [
        file for path, file in read.files.items() if is_profiles(path) or path in named["resticprofile"]
    ]
    setups += resticprofile(profiles, read)
    setups += pgbackrest(_chosen(read, ("/etc/pgbackrest",), named["pgbackrest"]), read.user)
    for runner, call in made:
        for setup in setups:
            if (
                setup.tool == call.tool
                and _runs(call, setup)
                and (told := _told(runner, call)) not in setup.runners
            ):
                setup.runners.append(told)
    setups += without_configuration(runners, read)
    setups += environments(read, setups)
    return sorted(setups[:MOST_SETUPS], key=lambda one: (one.tool, one.file, one.profile))


def _chosen(read: Readings, beginnings: tuple[str, ...], named: Iterable[str]) -> list[File]:
    """Files where a tool looks by itself, and those that it is told of."""
    usual = [file for file in read.of(*beginnings) if file.path.endswith((".yaml", ".yml", ".conf"))]
    known = {file.path for file in usual}
    return [*usual, *(read.files[path] for path in sorted(named) if path in read.files and path not in known)]


def _told(runner: Runner, call: Call) -> tuple[Runner, str]:
    return runner, f"{call.tool} {operation_of(call)}".strip()


def _runs(call: Call, setup: Setup) -> bool:
    """Whether a call is one of this set-up; borgmatic alone does something where nothing is said."""
    if call.tool != "borgmatic" and not operation_of(call):
        return False
    config = config_of(call)
    if (
        config
        and config != setup.file
        and (config.startswith("/") or posixpath.basename(config) != posixpath.basename(setup.file))
    ):
        return False
    if call.tool == "pgbackrest":
        stanza = call.option("--stanza")
        return not stanza or any(found.location == stanza for found in setup.repositories)
    if call.tool == "resticprofile":
        return setup.profile == profile_of(call)
    return bool(config) or setup.file.startswith("/etc/") or "/.config/" in setup.file


def profile_of(call: Call) -> str:
    """The profile that resticprofile is called with: ``--name``, ``run-schedule backup@NAME`` or ``NAME.backup``."""
    named = call.option("--name", "-n")
    if named:
        return named
    for word in call.words:
        before, at, after = word.partition("@")
        if at and before.isalpha():
            return after
        name, dot, operation = word.rpartition(".")
        if dot and operation in ("backup", "forget", "check", "prune"):
            return name
    return "default"


def signs_of(setup: Setup) -> list[str]:
    """Files that are written when it runs."""
    own = [path for found in setup.repositories for path in found.signs]
    return [*setup.signs, *own, *(path for runner, _ in setup.runners for path in runner.stamps)]


def last_sign(setup: Setup, times: dict[str, tuple[float, str]]) -> tuple[float | None, str]:
    """When it ran last by what can be seen, and what that is."""
    seen = [(times[path][0], path) for path in signs_of(setup) if path in times]
    if not seen:
        return None, ""
    at, path = max(seen)
    words = next(
        (words for part, words in _SIGNS.items() if part in posixpath.basename(path)),
        "the repository was written",
    )
    return at, "its log was written" if path in setup.signs else words
