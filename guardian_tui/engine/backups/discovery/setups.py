"""A set-up as discovery understands it, and how a repository of it would be observed."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from guardian_tui.engine.backups.discovery.reading import HIDDEN
from guardian_tui.engine.backups.discovery.timetable import Runner
from guardian_tui.engine.backups.engines import adapter
from guardian_tui.engine.backups.engines.borg import PASSPHRASE
from guardian_tui.engine.backups.engines.restic_place import LOCATION, PASSWORD, SECRETS
from guardian_tui.protocol.backups import BackupEngine, RepositorySpec
from guardian_tui.protocol.discovery import FoundTool

_PASSWORDS = (PASSWORD, PASSPHRASE)
_CREDENTIALS = re.compile(r"(?<=://)([^/@\s:]*):([^/@\s]*)@")
_SCP = re.compile(r"([^/:]+):(?!//)(.*)", re.DOTALL)
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_REFERENCE = re.compile(r"[^A-Za-z0-9]+")


@dataclass(slots=True)
class Found:
    """One repository of a set-up.

    Attributes:
        location: as the engine writes it, without a password.
        label: what the configuration calls it.
        options: of the adapter.
        secrets: variable → its value, hidden or (where it was read openly) itself; empty: it is somewhere else.
        how: where its password comes from, in words.
        signs: files that are written when a backup is made.
    """

    engine: BackupEngine
    location: str
    label: str = ""
    options: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    how: str = ""
    signs: tuple[str, ...] = ()


@dataclass(slots=True)
class Setup:
    """What one configuration, script or cron line sets up.

    Attributes:
        file: where it stands.
        why: why it can't be understood; empty: it was.
        profile: of resticprofile.
        runners: what runs it.
    """

    tool: FoundTool
    file: str
    why: str = ""
    profile: str = ""
    repositories: list[Found] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    runners: list[tuple[Runner, str]] = field(default_factory=list)
    declared: list[tuple[str, str]] = field(default_factory=list)
    """Schedules that the configuration itself names: what, when."""
    signs: tuple[str, ...] = ()

    def id_of(self, found: Found) -> str:
        """Names one of its repositories; the same each time."""
        what = "\0".join((self.tool, self.file, self.profile, found.location, found.options.get("repo", "")))
        return hashlib.sha256(what.encode(errors="surrogateescape")).hexdigest()[:12]


def restic(location: str, env: Mapping[str, str], options: Mapping[str, str], folder: str = "") -> Found:
    """A repository of restic.

    Args:
        location: as it was written.
        env: variables that restic gets.
        options: ``password-file``, ``password-command``, and those of the adapter.
        folder: what a relative path is relative to.
    """
    plain = location.removeprefix("local:")
    found = Found("restic", _CREDENTIALS.sub("", plain))
    if found.location != plain:
        found.secrets[LOCATION] = plain
    kept = {name: value for name, value in options.items() if not name.startswith("password-")}
    found.options.update(kept)
    file = options.get("password-file") or env.get("RESTIC_PASSWORD_FILE", "")
    if file:
        found.options["password-file"] = posixpath.join(folder, file) if folder else file
        found.how = f"the file {found.options['password-file']}"
    elif PASSWORD in env:
        found.secrets[PASSWORD] = env[PASSWORD]
        found.how = "its configuration"
    else:
        found.secrets[PASSWORD] = ""
        command = options.get("password-command") or env.get("RESTIC_PASSWORD_COMMAND", "")
        found.how = "a command" if command else ""
    for name in SECRETS:
        if name in env and name not in (PASSWORD, LOCATION):
            found.secrets[name] = env[name]
    if found.location.startswith("/"):
        found.signs = (f"{found.location.rstrip('/')}/snapshots",)
    return found


def borg(location: str, passphrase: str, options: Mapping[str, str], home: str = "") -> Found:
    """A repository of Borg; without a passphrase and a command for it nobody knows whether it has one."""
    path = location.partition("::")[0].removeprefix("file://")
    path = f"{home}{path[1:]}" if path.startswith("~/") else path
    found = Found("borg", _CREDENTIALS.sub(r"\1@", path), options={k: v for k, v in options.items() if v})
    if found.options.get("passcommand"):
        found.how = "a command"
    else:
        found.secrets[PASSPHRASE] = passphrase
        found.how = "its configuration" if passphrase else ""
    if found.location.startswith("/"):
        found.signs = (found.location,)
    return found


def proposal(found: Found, host: str, name: str) -> RepositorySpec:
    """The repository as Guardian would observe it; its secrets are references, and nothing says yet that they are there.

    Raises:
        msgspec.ValidationError, ValueError: it can't be written so.
    """
    import msgspec

    fields = {
        "name": name, "engine": found.engine, "location": found.location, "host": host, "options": found.options,
        "secrets": {variable: reference_of(name, variable) for variable in found.secrets},
    }  # fmt: skip
    return msgspec.convert(fields, RepositorySpec)


def reference_of(name: str, variable: str) -> str:
    """Where the secret of a variable is sealed."""
    more = "" if variable in _PASSWORDS else "-" + _REFERENCE.sub("-", variable.lower())
    return f"secret:backups/{name}{more}"


def problem_of(spec: RepositorySpec) -> str:
    """Why it can't be observed as it stands; empty: nothing is against it."""
    return adapter(spec.engine).problem(spec)


def name_of(found: Found, setup: Setup, host: str, taken: set[str]) -> str:
    """A name that no repository has yet."""
    last = found.label or setup.profile or posixpath.basename(found.location.rstrip("/")) or setup.tool
    base = _PLAIN.sub("-", f"{host}-{last}").strip("-._")[:54] or "found"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def masked(text: str) -> str:
    """Without the passwords of URLs."""
    return _CREDENTIALS.sub(r"\1:***@", text)


def is_open(value: str) -> bool:
    """Whether a secret's value was read, not only its name."""
    return bool(value) and HIDDEN not in value


def same_place(engine: BackupEngine, one: str, other: str) -> bool:
    """Whether two locations of an engine are the same, however they are written."""
    return _spelt(engine, one) == _spelt(engine, other)


def _spelt(engine: BackupEngine, location: str) -> str:
    place = location.removeprefix("local:").rstrip("/")
    if engine == "borg" and not place.startswith(("/", "ssh://")) and (scp := _SCP.match(place)):
        path = scp[2] if scp[2].startswith("/") else f"/./{scp[2]}"
        return f"ssh://{scp[1]}{path}"
    return place
