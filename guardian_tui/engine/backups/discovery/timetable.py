"""What runs by itself on a host, and what of it cron's lines say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from guardian_tui.engine.backups.discovery.reading import File
from guardian_tui.engine.backups.discovery.shell import assignments

_CRON = re.compile(r"(@[a-z]+|(?:\S+\s+){4}\S+)\s+(\S.*)")
_FOLDERS = {f"/etc/cron.{name}/": name for name in ("hourly", "daily", "weekly", "monthly")}
_STAMPED = {"daily": "/var/spool/anacron/cron.daily", "weekly": "/var/spool/anacron/cron.weekly", "monthly": "/var/spool/anacron/cron.monthly"}  # fmt: skip
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
