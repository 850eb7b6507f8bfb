"""Settings from TOML, and where files live.

One file, ``config.toml``, in the config folder; every key has a default, unknown keys are refused with their place.  A
secret is only ever a reference (``secret:NAME``, ``env:NAME``, ``keyring:SERVICE/NAME``).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import platformdirs

from guardian_tui.protocol.approvals import ApprovedOrder
from guardian_tui.protocol.backups import JobSpec, RepositorySpec
from guardian_tui.protocol.check_params import Kind
from guardian_tui.protocol.checks import CheckSpec, Params, Period, Timeout
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.refusals import told, why_refused

S = TypeVar("S")
Seconds = Annotated[float, msgspec.Meta(gt=0, le=366 * 86400)]
Days = Annotated[float, msgspec.Meta(gt=0, le=36500)]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all sections: unknown keys are refused."""


class StoreSettings(Section, frozen=True):
    """Where state is kept, and for how long."""

    url: str = ""
    """Empty: SQLite in the state folder.  Else a PostgreSQL URL; may be ``env:NAME``, never a vault secret."""
    raw_days: Days = 7
    minute_days: Days = 60
    quarter_hour_days: Days = 400
    alerts_days: Days = 400
    """How long resolved alerts are kept."""
    reserve_bytes: Annotated[int, msgspec.Meta(ge=0, le=1 << 30)] = 4 << 20
    """Preallocated, so that the audit log still takes events when the disk is full."""


class FleetSettings(Section, frozen=True):
    """How hosts are polled."""

    interval_seconds: Seconds = 5.0
    file_systems_seconds: Seconds = 60.0
    wave_seconds: Seconds = 0.25
    connect_timeout_seconds: Seconds = 10.0
    poll_timeout_seconds: Seconds = 4.0
    connects_at_once: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    connects_per_jump: Annotated[int, msgspec.Meta(ge=1, le=100)] = 5
    breaker_max_seconds: Seconds = 60.0
    answer_limit_bytes: Annotated[int, msgspec.Meta(ge=4096, le=64 << 20)] = 1 << 20
    watch_this_machine: bool = True
    shells: bool = True
    """Whether shells on hosts are opened at all; who may is a matter of profiles."""
    backup_runs_at_once: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 2
    """Runs of backups beside each other on one host."""
    checks_at_once: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 200
    plugin_folders: tuple[str, ...] = (
        "/usr/lib/nagios/plugins", "/usr/lib64/nagios/plugins", "/usr/lib/monitoring-plugins", "/usr/local/lib/nagios/plugins",
        "/usr/local/libexec/nagios",
    )  # fmt: skip
    """Where Nagios plugins are looked for on a host; nothing else of it is run by a check."""


class RuleOverride(Section, frozen=True):
    """A change to one shipped rule."""

    enabled: bool = True
    tier: Literal["", "show", "notify", "page"] = ""
    warning: float | None = None
    critical: float | None = None
    for_seconds: float | None = None


class ChannelSettings(Section, frozen=True):
    """A way to reach someone: a webhook or a mail relay."""

    kind: Literal["webhook", "smtp"]
    url: str = ""
    """Webhook: http(s) URL, or a reference.  SMTP: ``smtp://host:port`` or ``smtps://host:port``."""
    sender: str = ""
    to: tuple[str, ...] = ()
    user: str = ""
    password: str = ""
    """A reference, never the password itself."""
    signing_secret: str = ""
    """Webhook: a reference to the secret with which the body is signed; empty: not signed."""
    starttls: bool = True
    tiers: tuple[Literal["notify", "page"], ...] = ("notify", "page")
    timeout_seconds: Seconds = 10.0
    resolved: bool = True
    """Also tell when it is over."""


class AlertsSettings(Section, frozen=True):
    """Rules and channels."""

    boot_grace_seconds: Seconds = 600.0
    hurry: Annotated[float, msgspec.Meta(ge=1, le=10_000)] = 1.0
    """Divides every waiting time, window and forecast of the rules: for demos and for trying rules out."""
    rules: dict[str, RuleOverride] = msgspec.field(default_factory=dict)
    channels: dict[str, ChannelSettings] = msgspec.field(default_factory=dict)


class AccessSettings(Section, frozen=True):
    """Login and sessions."""

    idle_seconds: Seconds = 900.0
    session_seconds: Seconds = 12 * 3600.0
    cli_session_seconds: Seconds = 3600.0
    fresh_seconds: Seconds = 300.0
    enrolment_seconds: Seconds = 7 * 86400.0
    keep_days: Days = 30
    """How long ended sessions, used recovery codes and invitations that ran out are kept."""
    password_min_length: Annotated[int, msgspec.Meta(ge=8, le=200)] = 12


class AuditSettings(Section, frozen=True):
    """The audit chain's checkpoints."""

    checkpoint_events: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1000
    checkpoint_seconds: Seconds = 300.0
    syslog: bool = True


class CheckSettings(Section, frozen=True):
    """A check of the config file."""

    kind: Kind
    host: str = ""
    params: Params = msgspec.field(default_factory=dict)
    where: Literal["", "engine", "forward", "host"] = ""
    period_seconds: Period = 60.0
    timeout_seconds: Timeout = 10.0
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    enabled: bool = True

    def spec(self, name: str) -> CheckSpec:
        """The check of this name.

        Raises:
            InvalidRequest: something of it does not fit.
        """
        try:
            return msgspec.convert({"name": name, **msgspec.to_builtins(self)}, CheckSpec)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"[checks.{name}]: {told(error)}", field=f"checks.{name}") from error


def _named(table: str, name: str, fields: Mapping[str, Any], kind: type[S]) -> S:  # Any: TOML values
    if "name" in fields:
        raise InvalidRequest(
            f"[{table}.{name}] has its name in its heading; take `name` out.", field=f"{table}.{name}"
        )
    try:
        return msgspec.convert({**fields, "name": name}, kind)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"[{table}.{name}]: {told(error)}", field=f"{table}.{name}") from error


class RunbooksSettings(Section, frozen=True):
    """Where runbooks are read from."""

    folder: str = ""
    """A folder or a git work tree of your own, beside the shipped ones."""
    signers: str = ""
    """OpenSSH's file of allowed signers: the folder's commit must then be signed by one of them."""
    shipped: bool = True
    """Whether the runbooks that come with Guardian are offered."""
    commands_at_once: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    """Commands beside each other, over all runs."""


class EngineSettings(Section, frozen=True):
    """Where the engine listens, and for whom."""

    socket: str = ""
    """Empty: ``engine.sock`` in the folder for it.  Clients that read this file attach there too."""
    group: Annotated[str, msgspec.Meta(max_length=32)] = ""
    """The Unix group whose members may attach to a team's engine."""


class ApprovalRule(Section, frozen=True):
    """Which orders wait on some hosts, for some jobs or repositories; where several rules fit, the strictest of each holds."""

    orders: tuple[ApprovedOrder, ...] = ()
    """Empty: each that can be set to wait."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Of a host that it is about, all of them; ``environment`` is one."""
    hosts: tuple[str, ...] = ()
    """Names of hosts; empty: any."""
    jobs: tuple[str, ...] = ()
    """Names of backup jobs; empty: any."""
    repositories: tuple[str, ...] = ()
    """Names of repositories; empty: any."""
    quorum: Annotated[int, msgspec.Meta(ge=1, le=10)] | None = None
    """Absent: as in the general rule."""
    expires_seconds: Seconds | None = None


class ApprovalSettings(Section, frozen=True):
    """Which orders wait until another person has approved them."""

    orders: tuple[ApprovedOrder, ...] = ()
    """These wait wherever they are given; ``rules`` add to them."""
    quorum: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
    """How many others have to approve it."""
    expires_seconds: Seconds = 3600.0
    """In what time it is approved and carried out, or is void."""
    rules: tuple[ApprovalRule, ...] = ()


class UiSettings(Section, frozen=True):
    """The terminal."""

    theme: str = ""
    """Empty: dark, or the one chosen last."""
    bell: bool = True
    desktop: Literal["off", "osc9", "osc777"] = "off"
    """Notices of the desktop for new critical alerts, by the sequence that the terminal knows."""
    mouse: bool = True
    ascii: bool = False
    """Draw with no other signs than those of ASCII."""


class Settings(Section, frozen=True):
    """All of ``config.toml``."""

    environment: Annotated[str, msgspec.Meta(max_length=20)] = ""
    mode: Literal["personal", "team"] = "personal"
    engine: EngineSettings = msgspec.field(default_factory=EngineSettings)
    store: StoreSettings = msgspec.field(default_factory=StoreSettings)
    fleet: FleetSettings = msgspec.field(default_factory=FleetSettings)
    alerts: AlertsSettings = msgspec.field(default_factory=AlertsSettings)
    access: AccessSettings = msgspec.field(default_factory=AccessSettings)
    audit: AuditSettings = msgspec.field(default_factory=AuditSettings)
    checks: dict[str, CheckSettings] = msgspec.field(default_factory=dict)
    repositories: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)  # Any: TOML values
    """Repositories of backups by name: the fields of :class:`~guardian_tui.protocol.backups.RepositorySpec`."""
    backups: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)  # Any: TOML values
    """Backup jobs by name: the fields of :class:`~guardian_tui.protocol.backups.JobSpec`."""
    runbooks: RunbooksSettings = msgspec.field(default_factory=RunbooksSettings)
    approvals: ApprovalSettings = msgspec.field(default_factory=ApprovalSettings)
    ui: UiSettings = msgspec.field(default_factory=UiSettings)

    def repository_specs(self) -> list[RepositorySpec]:
        """The repositories.

        Raises:
            InvalidRequest: something of one does not fit.
        """
        return [
            _named("repositories", name, fields, RepositorySpec) for name, fields in self.repositories.items()
        ]

    def job_specs(self) -> list[JobSpec]:
        """The backup jobs.

        Raises:
            InvalidRequest: something of one does not fit.
        """
        return [_named("backups", name, fields, JobSpec) for name, fields in self.backups.items()]


@dataclass(frozen=True, slots=True)
class Paths:
    """Where one installation's files live.  ``GUARDIAN_HOME`` puts all of them under one folder."""

    config: Path
    state: Path
    runtime: Path
    shared: Path | None = None
    """Socket of a shared engine that is attached to in place of a private one."""

    @property
    def settings_file(self) -> Path:
        """The TOML file of settings."""
        return self.config / "config.toml"

    @property
    def keys_file(self) -> Path:
        """The TOML file of remapped keys."""
        return self.config / "keys.toml"

    @property
    def themes(self) -> Path:
        """Folder of a person's own themes."""
        return self.config / "themes"

    @property
    def socket(self) -> Path:
        """The shared engine's socket, else the private one's, in a 0700 folder."""
        return self.shared or self.runtime / "engine.sock"

    @property
    def cli_token(self) -> Path:
        """Token of ``guardian-tui login``, 0600."""
        return self.state / "cli-token"


def paths_below(base: Path) -> Paths:
    """Paths of an installation that lies in one folder."""
    return Paths(base / "config", base / "state", base / "run")


def find_paths() -> Paths:
    """Paths of this person, from ``GUARDIAN_HOME`` or the platform's habits; ``GUARDIAN_CONFIG`` names another folder of settings.

    The socket lies in the state folder, not in ``/run/user``: logind deletes that one at logout, and a lingering
    engine would lose its socket.
    """
    home, config = os.environ.get("GUARDIAN_HOME"), os.environ.get("GUARDIAN_CONFIG")
    if home:
        found = paths_below(Path(home))
    else:
        dirs = platformdirs.PlatformDirs("guardian-tui", appauthor=False)
        state = Path(dirs.user_state_dir)
        found = Paths(Path(dirs.user_config_dir), state, state / "run")
    return replace(found, config=Path(config)) if config else found


def _line_of(text: str, dotted: str) -> int:
    """The line of a table or of a key in it; 0 where neither is found."""
    table, _, leaf = re.sub(r"\[[^]]*\]", "", dotted).rpartition(".")
    heading, inside = 0, not table
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].strip()
        if words.startswith("["):
            named = words.strip("[] ").replace('"', "")
            inside = named == table or not table
            if named == dotted:
                return number
            if inside and table:
                heading = number
        if inside and leaf and re.match(rf'"?{re.escape(leaf)}"?\s*[=.]', words):
            return number
    return heading or (_line_of(text, leaf) if table else 0)


def parse_settings(text: str, source: str = "config.toml") -> Settings:
    """Settings from TOML text.

    Raises:
        InvalidRequest: says what is wrong, in which file, line and key, and what is allowed.
    """
    try:
        settings = msgspec.convert(tomllib.loads(text), Settings, strict=True)
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"{source}: {error}. Mend that line; the file is TOML.", field=source) from error
    except msgspec.ValidationError as error:
        words = str(error)
        place = why_refused(error)[0]
        unknown = words.partition("unknown field `")[2].partition("`")[0]
        line = _line_of(text, ".".join(filter(None, (place, unknown))))
        where = f"{source}, line {line}" if line else source
        raise InvalidRequest(
            f"{where}: {told(error)} See docs/configuration.md for the keys.", field=place or unknown
        ) from error
    try:
        settings.repository_specs()
        settings.job_specs()
    except InvalidRequest as error:
        line = _line_of(text, error.field)
        where = f"{source}, line {line}" if line else source
        raise InvalidRequest(
            f"{where}: {error.detail.rstrip('.')}. See docs/backups.md for the keys.", field=error.field
        ) from error
    return settings


def load_settings(paths: Paths) -> Settings:
    """Settings of this installation; defaults when there is no file."""
    try:
        text = paths.settings_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{paths.settings_file} can't be read: {error}", field="config.toml") from error
    return parse_settings(text, str(paths.settings_file))
