"""Hosts: what is watched, how it is reached, what it looks like now."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Moment, Request, Response

HostState = Literal["up", "degraded", "down", "unreachable", "unknown", "maintenance"]

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*\Z")]
LabelText = Annotated[
    str,
    msgspec.Meta(
        max_length=128, pattern=r"^[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]*\Z"
    ),
]
Address = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:%-]*\Z|^[0-9a-fA-F:]+\Z"),
]
User = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@$-]*\Z|^\Z")]
Group = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*\Z")]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class HostSpec(Request, frozen=True):
    """How a host is reached; what a person enters or an import finds."""

    name: Name
    address: Address | None = None
    """DNS name or IP; None: the same as the name."""
    port: Port = 22
    user: User = ""
    """Empty: the name of the engine's Unix user."""
    jump: tuple[Name, ...] = ()
    """Names of hosts to go through, nearest to us first."""
    credential: Annotated[str, msgspec.Meta(max_length=300)] = ""
    """``agent``, ``key:PATH``, ``secret:NAME`` (a key or a password in the vault), ``ask``; empty: agent, then the default key files."""
    command_user: User = ""
    """Who runs commands, checks and runbooks there; empty: ``user``."""
    command_credential: Annotated[str, msgspec.Meta(max_length=300)] = ""
    """How that one logs in, as ``credential``; both empty: over the probe's connection.  A connection of its own is opened when it is
    needed and closed when idle, so that the probe's key may be bound to the probe and nothing else."""
    labels: dict[LabelText, LabelText] = msgspec.field(default_factory=dict)
    groups: tuple[Group, ...] = ()
    """Groups that it is in, as an Ansible inventory has them or a person chose."""
    environment: LabelText = ""
    interval_seconds: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 5.0


class Spark(Response, frozen=True):
    """A short recent history, newest last, each 0..100, -1 for a gap."""

    points: tuple[int, ...] = ()


class HostRow(Response, frozen=True):
    """One line of the hosts table: all that the fleet screen shows of a host."""

    id: str
    name: str
    state: HostState
    since: float
    """When the state began, Unix seconds of the engine's clock."""
    why: str
    """The reason in words; when up only that it is asked more seldom, and why."""
    measured_at: float | None = None
    """When the values below were measured; None: never."""
    interval_seconds: float = 5.0
    """Between two polls: what was asked for, or longer if it answers slowly."""
    environment: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    groups: tuple[str, ...] = ()
    facts: dict[str, str] = msgspec.field(default_factory=dict)
    """Those to filter by: ``os``, ``kernel``, ``architecture``, ``cpu_count``, ``cpu``, ``memory``, ``virtualisation``, ``packages``, ``product``."""
    jump: tuple[str, ...] = ()
    behind: str = ""
    """Name of the dead host that stands before it, when unreachable."""
    cpu: float | None = None
    """Busy share 0..1."""
    cpu_points: tuple[int, ...] = ()
    """Busy percent of the last 12 samples, oldest first; -1 is a gap."""
    memory: float | None = None
    """Used share 0..1 (1 - available/total)."""
    disk: float | None = None
    """Used share 0..1 of the fullest file system."""
    disk_mount: str = ""
    receive_bytes_per_second: float | None = None
    transmit_bytes_per_second: float | None = None
    load_per_core: float | None = None
    uptime_seconds: float | None = None
    alerts: int = 0
    """Firing alerts that are not silenced."""
    severity: str = ""
    """Worst severity firing: ``""``, ``info``, ``warning``, ``critical``."""
    acknowledged: bool = False
    round_trip_seconds: float | None = None
    until: float | None = None
    """When its planned work ends; None: there is none."""


class FileSystem(Response, frozen=True):
    """One mounted file system."""

    mount: str
    kind: str
    device: str
    size_bytes: float
    available_bytes: float
    used_ratio: float
    inodes_used_ratio: float | None = None
    read_only: bool = False
    hours_to_full: float | None = None
    """Straight-line forecast over the last hours; None: not filling."""


class Nic(Response, frozen=True):
    """One network interface."""

    name: str
    receive_bytes_per_second: float | None
    transmit_bytes_per_second: float | None
    error_ratio: float | None = None
    drop_ratio: float | None = None


class BlockDevice(Response, frozen=True):
    """One block device's traffic."""

    name: str
    read_bytes_per_second: float | None
    write_bytes_per_second: float | None
    busy_ratio: float | None = None
    await_seconds: float | None = None
    queue: float | None = None


class HostDetail(Response, frozen=True):
    """All that a host's page shows beside its charts."""

    row: HostRow
    spec: HostSpec
    facts: dict[str, str]
    """``os``, ``kernel``, ``architecture``, ``cpu_count``, ``memory_bytes``, ``probe`` (version)…, safe text."""
    values: dict[str, float]
    """Newest value of each series, by its ``metric`` or ``metric{instance}`` name."""
    file_systems: tuple[FileSystem, ...] = ()
    nics: tuple[Nic, ...] = ()
    devices: tuple[BlockDevice, ...] = ()
    problems: tuple[str, ...] = ()
    """Sections that could not be read, in words (no root, no such file, garbage)."""
    key_fingerprint: str = ""
    unsupported_keywords: tuple[str, ...] = ()
    """Keywords of ``ssh_config`` that an import met and does not support."""


class HostRef(Request, frozen=True):
    """Names one host by id or by name."""

    host: str


class HostsQuery(Request, frozen=True):
    """A filter in the grammar of ``/``: words, ``!not``, ``label=value``, ``~regex``, ``col>90``."""

    filter: Annotated[str, msgspec.Meta(max_length=500)] = ""


class HostList(Response, frozen=True):
    """Rows of hosts."""

    hosts: tuple[HostRow, ...]


class EditHost(Request, frozen=True):
    """Replace how a host is reached."""

    host: str
    spec: HostSpec
    before: HostSpec | None = None
    """As it was when the person looked at it: refused if it is another by now.  None: whatever it is."""


class RemoveHost(Request, frozen=True):
    """Stop watching a host; its history stays until retention ends it."""

    host: str


class Maintenance(Request, frozen=True):
    """Set (or end, with ``until`` None) planned work on a host: no alert of it reaches anybody."""

    host: str
    until: Moment | None
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class DoctorStep(Response, frozen=True):
    """One step of the connection test."""

    name: str
    ok: bool
    words: str
    seconds: float = 0.0


class DoctorReport(Response, frozen=True):
    """Why a host can or can't be reached, step by step, and what to do."""

    ok: bool
    steps: tuple[DoctorStep, ...]
    advice: str = ""
    reason: str = ""
    """Stable code of what failed: ``dns``, ``refused``, ``timeout``, ``auth``, ``key_changed``…; empty when all is well."""
    question: Question | None = None


class Question(Response, frozen=True):
    """Something a person must answer before a host can be reached."""

    id: str
    host_id: str
    host: str
    kind: Literal["host_key", "changed_key", "passphrase", "password"]
    words: str
    asked_at: float
    algorithm: str = ""
    fingerprint: str = ""
    """SHA256:… of the key that was seen."""
    pinned_fingerprint: str = ""
    """For ``changed_key``: what was pinned before."""


class Answer(Request, frozen=True):
    """The answer to a :class:`Question`.

    For keys ``fingerprint`` is what the person saw: the engine compares it again.  For secrets ``secret`` holds it, and
    ``keep`` seals it in the vault.
    """

    question: str
    accept: bool
    fingerprint: str = ""
    secret: Annotated[str, msgspec.Meta(max_length=16384)] = ""
    keep: bool = False


class HistoryQuery(Request, frozen=True):
    """Ask for a chart: one metric of one host over a span, in at most ``points`` columns."""

    host: str
    metric: Annotated[str, msgspec.Meta(max_length=300)]
    """A series name, ``metric`` or ``metric{instance}``."""
    start: Moment
    end: Moment
    points: Annotated[int, msgspec.Meta(ge=1, le=2000)] = 120
    band: bool = False
    """With what is typical of each column's hour of the week."""


class History(Response, frozen=True):
    """Columns of a chart, oldest first; a column without samples is a gap (None)."""

    metric: str
    start: float
    step_seconds: float
    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    problems: tuple[str, ...] = ()
    typical_low: tuple[float | None, ...] = ()
    """As long as ``mean`` where a band was asked for; None where fewer than three earlier weeks are known."""
    typical_high: tuple[float | None, ...] = ()


class SecretSet(Request, frozen=True):
    """Seal a secret in the vault under a name."""

    name: Annotated[
        str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*\Z")
    ]
    value: Annotated[str, msgspec.Meta(min_length=1, max_length=65536)]


class SecretRef(Request, frozen=True):
    """Names a secret of the vault."""

    name: str


class SecretList(Response, frozen=True):
    """Names of the vault's secrets; never their values."""

    names: tuple[str, ...]
