"""What sets up a shared engine on a machine: a plan of steps, each with its words, done or still to be done.

Nothing is changed but by :meth:`Step.act`; who only wants to see it reads the words.
"""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from guardian_tui.as_root import CommandFailed, make_folder
from guardian_tui.protocol.errors import InvalidRequest

COMMAND_SECONDS = 120.0
NAME = "guardian"
_UNIT = """\
# Made by `guardian-tui engine install`, which writes it anew. Changes of yours belong into `systemctl edit guardian`.
[Unit]
Description=Guardian: the engine of a team
Wants=network-online.target
After=network-online.target time-sync.target

[Service]
Type=notify
User={user}
Group={group}
UMask=0077
Environment=HOME={home} GUARDIAN_HOME={home} GUARDIAN_CONFIG={config}
ExecStart={program} engine run
Restart=on-failure
RestartSec=5
WatchdogSec=60
TimeoutStartSec=300
TimeoutStopSec=60
StateDirectory=guardian
StateDirectoryMode=0700
RuntimeDirectory=guardian
RuntimeDirectoryMode=0750
{credential}LimitNOFILE=65536
LimitCORE=0
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
PrivateDevices=yes
PrivateTmp=yes
CapabilityBoundingSet=
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
_SETTINGS = """\
# Guardian, shared by the Unix group {group}. All keys: docs/configuration.md
mode = "team"

[engine]
socket = "{socket}"
group = "{group}"
"""


@dataclass(frozen=True, slots=True)
class Setup:
    """A shared engine of this machine: who runs it, for whom, and where its files lie."""

    program: str
    user: str = NAME
    group: str = NAME
    vault_credential: bool = False
    """Whether the unit hands over the credential with which the engine opens its vault by itself."""
    config: Path = Path("/etc/guardian")
    home: Path = Path("/var/lib/guardian")
    run: Path = Path("/run/guardian")
    units: Path = Path("/etc/systemd/system")
    systemd: bool = True

    @property
    def state(self) -> Path:
        """Databases, keys and logs."""
        return self.home / "state"

    @property
    def settings_file(self) -> Path:
        """The engine's settings."""
        return self.config / "config.toml"

    @property
    def unit_file(self) -> Path:
        """The systemd unit."""
        return self.units / "guardian.service"

    @property
    def settings(self) -> str:
        """Text of new settings."""
        return _SETTINGS.format(socket=self.run / "engine.sock", group=self.group)

    @property
    def unit(self) -> str:
        """Text of the unit."""
        credential = "LoadCredentialEncrypted=guardian-vault-key\n" if self.vault_credential else ""
        return _UNIT.format(
            user=self.user, group=self.group, home=self.home, config=self.config, program=self.program, credential=credential
        )  # fmt: skip

    @property
    def by_hand(self) -> str:
        """The command that runs it where there is no systemd."""
        engine = f"HOME={self.home} GUARDIAN_HOME={self.home} GUARDIAN_CONFIG={self.config} {self.program} engine run"
        return (
            f"install -d -o {self.user} -g {self.group} -m 0750 {self.run} && "
            f"setpriv --reuid {self.user} --regid {self.group} --init-groups env {engine}"
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is made sure of."""

    words: str
    done: bool
    act: Callable[[], object]


def find_program() -> str:
    """What the unit is to run: the command that is installed, else this interpreter and the module."""
    return shutil.which("guardian-tui") or f"{sys.executable} -m guardian_tui"


def install_steps(setup: Setup) -> list[Step]:
    """What makes a shared engine, in order: its user and group, folders, settings."""
    steps = [
        Step(f"group {setup.group}, whose members may attach", _has_group(setup.group), _command("groupadd", "--system", setup.group)),
        Step(
            f"user {setup.user}, who runs the engine and can't log in", _has_user(setup.user),
            _command("useradd", "--system", "--gid", setup.group, "--no-create-home", "--home-dir", str(setup.home), "--shell", "/usr/sbin/nologin", setup.user),
        ),
        _folder(setup, setup.config, 0o755, owned=False),
        _folder(setup, setup.home, 0o700),
        _folder(setup, setup.state, 0o700),
    ]  # fmt: skip
    settings = setup.settings_file
    words = f"settings {settings}, for the engine's user alone"
    if settings.exists():
        words += ": kept as they are" + _differs(setup)
    steps.append(Step(words, settings.exists(), lambda: _write(setup, settings, setup.settings, 0o600)))
    return steps


def unit_steps(setup: Setup) -> list[Step]:
    """What has systemd run it; nothing where there is no systemd."""
    if not setup.systemd:
        return []
    written = _text_of(setup.unit_file) == setup.unit
    return [
        Step(f"unit {setup.unit_file}", written, lambda: _write(None, setup.unit_file, setup.unit, 0o644)),
        Step("systemd reads its units again", written, _command("systemctl", "daemon-reload")),
        Step(
            "the engine starts, now and at each boot", written and _active(),
            _command("systemctl", "enable", "--now", "guardian.service"),
        ),
    ]  # fmt: skip


def runs_older_unit(setup: Setup) -> bool:
    """Whether an engine runs by another unit than the one that is to be there."""
    return setup.systemd and _text_of(setup.unit_file) != setup.unit and _active()


def uninstall_steps(setup: Setup, *, data: bool) -> list[Step]:
    """What takes a shared engine away; its data, settings, user and group only if that is asked for."""
    there = setup.unit_file.exists()
    steps = []
    if setup.systemd:
        steps = [
            Step(
                "the engine stops, and is started no more", not there,
                _command("systemctl", "disable", "--now", "guardian.service"),
            ),
            Step(f"unit {setup.unit_file} is removed", not there, lambda: setup.unit_file.unlink(missing_ok=True)),
            Step("systemd reads its units again", not there, _command("systemctl", "daemon-reload")),
        ]  # fmt: skip
    if not data:
        return steps
    folders = [
        Step(f"{path} is removed, with all that is in it", not path.exists(), lambda path=path: shutil.rmtree(path))  # type: ignore[misc]  # mypy sees no type in a default
        for path in (setup.home, setup.config)
    ]  # fmt: skip
    return [
        *steps,
        *folders,
        Step(f"user {setup.user} is removed", not _has_user(setup.user), _command("userdel", setup.user)),
        # userdel takes a group of the same name with it where nobody else is in it
        Step(f"group {setup.group} is removed", not _has_group(setup.group), lambda: _drop_group(setup.group)),
    ]  # fmt: skip


def _has_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _drop_group(name: str) -> None:
    if _has_group(name):
        _run("groupdel", name)


def _folder(setup: Setup, path: Path, mode: int, *, owned: bool = True) -> Step:
    owner = setup.user if owned else "root"

    def there() -> bool:
        """Whether it is a folder itself, no link to one, and as it is to be."""
        found = path.lstat() if path.is_symlink() or path.exists() else None
        return (
            found is not None
            and stat.S_ISDIR(found.st_mode)
            and stat.S_IMODE(found.st_mode) == mode
            and found.st_uid == _uid_of(owner)
        )

    def act() -> None:
        make_folder(path, mode, owner)

    return Step(f"folder {path}, {mode:04o}, of {owner}", there(), act)


def _uid_of(name: str) -> int:
    return pwd.getpwnam(name).pw_uid if _has_user(name) else -1


def _write(setup: Setup | None, path: Path, text: str, mode: int) -> None:
    """Put a file in its place whole, of the engine's user or of root."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        if setup is not None:
            known = pwd.getpwnam(setup.user)
            os.fchown(file.fileno(), known.pw_uid, known.pw_gid)
        os.fchmod(file.fileno(), mode)
    new.replace(path)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _differs(setup: Setup) -> str:
    """Words for settings that are there and would make no shared engine of this group."""
    try:
        found = tomllib.loads(_text_of(setup.settings_file))
    except tomllib.TOMLDecodeError:
        return ", and can't be read: see `guardian-tui engine run`"
    engine = found.get("engine")
    group = engine.get("group") if isinstance(engine, dict) else None
    if found.get("mode") == "team" and group == setup.group:
        return ""
    return f', but they want mode = "team" and [engine] group = "{setup.group}", socket = "{setup.run / "engine.sock"}"'


def _active() -> bool:
    words = ["systemctl", "is-active", "--quiet", "guardian.service"]
    try:
        return subprocess.run(words, check=False, timeout=COMMAND_SECONDS).returncode == 0  # noqa: S603  # constant
    except (OSError, subprocess.TimeoutExpired):
        return False


def _command(*words: str) -> Callable[[], None]:
    return lambda: _run(*words)


def _run(*words: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603  # constant programs; names were checked
            words,
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            stdin=subprocess.DEVNULL,
            # not whatever the person's own says, under whose su this is
            env={"PATH": "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandFailed(f"{shlex.join(words)}: {error}") from error
    if done.returncode:
        raise CommandFailed(f"{shlex.join(words)}: {done.stderr.strip() or f'ended with {done.returncode}'}")


def check_name(name: str, what: str) -> str:
    """A name of a Unix user or group.

    Raises:
        InvalidRequest: it is none that every system takes.
    """
    letters = set("abcdefghijklmnopqrstuvwxyz0123456789_-")
    if not name or len(name) > 32 or not name[0].isalpha() or set(name) - letters:
        raise InvalidRequest(
            f"{name!r} is no name of a Unix {what}: small letters, digits, _ and -, 32 at most."
        )
    return name
