"""Calls of the tools by scripts, cron and units: set-ups of restic and Borg that have no configuration of their own, and what runs the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from guardian_tui.engine.backups.discovery.reading import Readings
from guardian_tui.engine.backups.discovery.setups import Found, Setup, borg, restic
from guardian_tui.engine.backups.discovery.shell import Call, assignments, calls, scripts, sourced
from guardian_tui.engine.backups.discovery.timetable import Runner

_OPERATIONS = {
    "restic": ("backup", "forget", "check", "prune", "copy", "snapshots", "init", "restore", "unlock"),
    "borg": ("create", "prune", "check", "compact", "list", "init", "rcreate", "extract"),
    "borgmatic": ("create", "prune", "compact", "check", "extract"),
    "resticprofile": ("backup", "forget", "check", "prune", "copy", "run-schedule"),
    "pgbackrest": ("backup", "expire", "check", "archive-push", "verify"),
}
_CONFIG = {"borgmatic": ("--config", "-c"), "resticprofile": ("--config", "-c"), "pgbackrest": ("--config",)}


def wanted(runners: Iterable[Runner]) -> list[str]:
    """Files that what runs by itself names: scripts, and files with variables."""
    return [
        path for one in runners for path in (*one.env_files, *scripts(one.command), *sourced(one.command))
    ]


def wanted_next(runners: Iterable[Runner], read: Readings) -> list[str]:
    """Files that those name: what scripts take in, and configurations that lie elsewhere."""
    found: list[str] = []
    for one in runners:
        for _, text in _texts(one, read):
            found += sourced(text)
        for _, call in calls_of(one, read):
            found += [
                path for path in (config_of(call), call.option("--repository-file")) if path.startswith("/")
            ]
    return found


def calls_of(runner: Runner, read: Readings) -> list[tuple[str, Call]]:
    """Calls that it makes, each with the file in which it stands."""
    env = _env(runner.env, runner.env_files, read)
    found = []
    for where, text in _texts(runner, read):
        known = _env(env, sourced(text), read)
        found += [(where, call) for call in calls(text, known)]
    return found


def operation_of(call: Call) -> str:
    """What the tool is told to do; empty: nothing that is known."""
    return next((word for word in call.words if word.partition("@")[0] in _OPERATIONS[call.tool]), "")


def config_of(call: Call) -> str:
    """The configuration that it names; empty: none."""
    return call.option(*_CONFIG[call.tool]) if call.tool in _CONFIG else ""


def without_configuration(runners: Sequence[Runner], read: Readings) -> list[Setup]:
    """Restic and Borg as scripts, cron and units call them; one set-up for each file and repository."""
    setups: dict[tuple[str, str, str], Setup] = {}
    for runner in runners:
        for where, call in calls_of(runner, read):
            operation = operation_of(call)
            found = _found(call, read) if operation else None
            if found is None:
                continue
            setup = setups.setdefault((call.tool, where, found.location), Setup(found.engine, where))  # type: ignore[arg-type]  # restic or borg
            if not setup.repositories:
                setup.repositories.append(found)
            told = (runner, f"{call.tool} {operation}")
            if told not in setup.runners:
                setup.runners.append(told)
    return list(setups.values())


def environments(read: Readings, known: Iterable[Setup]) -> list[Setup]:
    """Files of variables for restic and Borg that nothing seems to use: somebody may, by hand."""
    seen = {found.location for setup in known for found in setup.repositories}
    setups = []
    for file in read.of(
        "/etc/restic",
        "/etc/default/",
        "/etc/sysconfig/",
        "/etc/conf.d/restic",
        f"{read.home}/.restic",
        f"{read.home}/.config/restic",
    ):
        env = assignments(file.text or "")
        for call in (Call("restic", (), env), Call("borg", (), env)):
            found = _found(call, read)
            if found is not None and found.location not in seen:
                seen.add(found.location)
                setups.append(Setup(call.tool, file.path, repositories=[found]))  # type: ignore[arg-type]  # restic or borg
    return setups


def _found(call: Call, read: Readings) -> Found | None:
    if call.tool == "restic":
        named = call.option("--repository-file") or call.env.get("RESTIC_REPOSITORY_FILE", "")
        file = read.files.get(named)
        location = (
            call.option("-r", "--repo")
            or call.env.get("RESTIC_REPOSITORY", "")
            or (file.text or "" if file else "").strip()
        )
        options = {
            "password-file": call.option("-p", "--password-file"),
            "password-command": call.option("--password-command"),
            "cacert": call.option("--cacert"),
        }
        return (
            restic(location, call.env, {name: value for name, value in options.items() if value})
            if location
            else None
        )
    if call.tool == "borg":
        words = [word for word in call.words if "::" in word]
        location = (words[0].partition("::")[0] if words else "") or call.env.get("BORG_REPO", "")
        options = {
            "passcommand": call.env.get("BORG_PASSCOMMAND", ""),
            "rsh": call.option("--rsh") or call.env.get("BORG_RSH", ""),
        }
        return borg(location, call.env.get("BORG_PASSPHRASE", ""), options, read.home) if location else None
    return None


def _texts(runner: Runner, read: Readings) -> list[tuple[str, str]]:
    """Its own command, and the scripts that it names."""
    found = [(runner.where, runner.command)]
    for path in scripts(runner.command):
        file = read.files.get(path)
        if file is not None and file.text and path not in runner.env_files:
            found.append((path, file.text))
    return found


def _env(env: Mapping[str, str], files: Iterable[str], read: Readings) -> dict[str, str]:
    found = dict(env)
    for path in files:
        file = read.files.get(path)
        if file is not None and file.text:
            found = assignments(file.text, found)
    return found
