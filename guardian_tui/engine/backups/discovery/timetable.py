"""What runs by itself on a host: cron's lines and systemd's timers with their services, as far as they may make backups."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from guardian_tui.engine.backups.discovery.reading import File
from guardian_tui.engine.backups.discovery.shell import assignments

STAMPS = "/var/lib/systemd/timers/stamp-"
_CRON = re.compile(r"(@[a-z]+|(?:\S+\s+){4}\S+)\s+(\S.*)")
_FOLDERS = {f"/etc/cron.{name}/": name for name in ("hourly", "daily", "weekly", "monthly")}
_STAMPED = {"daily": "/var/spool/anacron/cron.daily", "weekly": "/var/spool/anacron/cron.weekly", "monthly": "/var/spool/anacron/cron.monthly"}  # fmt: skip
_CALENDAR = ("OnCalendar", "OnBootSec", "OnUnitActiveSec", "OnUnitInactiveSec", "OnActiveSec", "OnStartupSec")
MOST_LINES = 2000


@dataclass(frozen=True, slots=True)
class Runner:
    """Something that runs commands by itself, or when it is told to.

    Attributes:
        kind: ``timer`` (a service with a timer), ``cron``, or ``service`` (nothing runs it by itself).
        where: the unit's name, or the file.
        when: the timer's calendar, or cron's fields.
        command: text of commands.
        env: variables that it gives them.
        env_files: files with more of them.
        stamps: files that are written when it runs.
    """

    kind: Literal["timer", "cron", "service"]
    where: str
    when: str
    command: str
    env: Mapping[str, str] = field(default_factory=dict)
    env_files: tuple[str, ...] = ()
    stamps: tuple[str, ...] = ()


def of_cron(file: File) -> list[Runner]:
    """What a file of cron runs."""
    text = file.text or ""
    folder = next((name for name in _FOLDERS if file.path.startswith(name)), "")
    if folder:
        name = _FOLDERS[folder]
        stamp = (_STAMPED[name],) if name in _STAMPED else ()
        return [Runner("cron", file.path, name, text, stamps=stamp)]
    system = file.path.startswith(("/etc/crontab", "/etc/cron.d/"))
    env: dict[str, str] = {}
    found = []
    for line in text.splitlines()[:MOST_LINES]:
        line = line.strip()
        fields = _CRON.match(line)
        if re.match(r"[A-Za-z_][A-Za-z0-9_]*\s*=", line):
            env = assignments(re.sub(r"\s*=\s*", "=", line, count=1), env)
        elif fields and not line.startswith("#"):
            when, command = fields[1], fields[2]
            if system:
                command = re.split(r"\s+", command, maxsplit=1)[-1]
            # cron takes a percent sign for the end of the command
            found.append(
                Runner(
                    "cron", file.path, " ".join(when.split()), re.sub(r"(?<!\\)%.*", "", command), dict(env)
                )
            )
    return found


def of_units(files: list[File], home: str) -> list[Runner]:
    """Services with the timers that start them."""
    services: dict[str, Runner] = {}
    timers: dict[str, list[tuple[str, str]]] = {}
    for file in files:
        name = posixpath.basename(file.path)
        sections = _unit(file.text or "")
        if name.endswith(".service") and name not in services:
            services[name] = _service(name, sections, home)
        elif name.endswith(".timer"):
            whom = _last(sections, "Timer", "Unit") or f"{name.removesuffix('.timer')}.service"
            when = "; ".join(
                value if key == "OnCalendar" else f"{key}={value}"
                for key in _CALENDAR
                for value in sections.get("Timer", {}).get(key, [])
            )
            timers.setdefault(whom, []).append((name, when))
    found = []
    for name, service in services.items():
        told = timers.get(name, [])
        if told:
            stamps = tuple(f"{STAMPS}{timer}" for timer, _ in told)
            found.append(
                replace(
                    service, kind="timer", where=told[0][0], when="; ".join(w for _, w in told), stamps=stamps
                )
            )
        else:
            found.append(service)
    return found


def _service(name: str, sections: Mapping[str, Mapping[str, list[str]]], home: str) -> Runner:
    of = sections.get("Service", {})
    lines = [
        line.lstrip("@-!+: ")
        for key in ("ExecStartPre", "ExecStart", "ExecStartPost")
        for line in of.get(key, [])
    ]
    env: dict[str, str] = {}
    for value in of.get("Environment", []):
        env = assignments(value, env)
    files = tuple(
        value.lstrip("-").replace("%h", home).strip("\"'") for value in of.get("EnvironmentFile", [])
    )
    return Runner(
        "service",
        name,
        "",
        "\n".join(lines).replace("%h", home),
        env,
        tuple(f for f in files if f.startswith("/")),
    )


def _last(sections: Mapping[str, Mapping[str, list[str]]], section: str, key: str) -> str:
    values = sections.get(section, {}).get(key, [])
    return values[-1] if values else ""


def _unit(text: str) -> dict[str, dict[str, list[str]]]:
    """Sections of a unit file; an empty value takes back what was said before it."""
    sections: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines()[:MOST_LINES]:
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = sections.setdefault(line[1:-1], {})
        elif line and not line.startswith(("#", ";")) and "=" in line:
            key, _, value = line.partition("=")
            values = section.setdefault(key.strip(), [])
            if value.strip():
                values.append(value.strip())
            else:
                values.clear()
    return sections
