"""What each kind of check can be told: its parameters, with their types and defaults, and from where it can be made."""

from __future__ import annotations

import typing
from typing import Annotated, Any, Literal

import msgspec

from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.refusals import told, why_refused

Kind = Literal[
    "http", "tcp", "dns", "icmp", "ssh", "smtp", "imap", "postgresql", "mysql", "redis", "ntp", "unit", "process", "file", "log",
    "nagios", "prometheus",
]  # fmt: skip

_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*\Z"
Line = Annotated[str, msgspec.Meta(max_length=2000, pattern=_NO_CONTROLS)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Where = Annotated[str, msgspec.Meta(max_length=253, pattern=r"^[A-Za-z0-9_./:%\[\]-]*\Z")]
Reference = Annotated[str, msgspec.Meta(max_length=300, pattern=r"^\Z|^(secret|env|keyring):[^\x00-\x20]+\Z")]
"""``secret:NAME``, ``env:NAME`` or ``keyring:SERVICE/NAME``: never the secret itself."""
Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(ge=0)]
Path = Annotated[str, msgspec.Meta(min_length=2, max_length=1000, pattern=r"^/[^\x00-\x1f\x7f]*\Z")]
TlsVersion = Literal["1.0", "1.1", "1.2", "1.3"]


class KindParams(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all kinds' parameters."""


class Reached(KindParams, frozen=True, kw_only=True):
    """Of what is reached over the network."""

    address: Where = ""
    """Empty: the host's own address; through a forwarded port, the host's own loopback."""


class HttpParams(KindParams, frozen=True, kw_only=True):
    """An HTTP(S) request and what its answer must be."""

    url: Annotated[str, msgspec.Meta(max_length=2000, pattern=r"^https?://[^\x00-\x20]+\Z")]
    method: Literal["GET", "HEAD", "POST", "OPTIONS"] = "GET"
    status: tuple[Annotated[int, msgspec.Meta(ge=100, le=599)], ...] = ()
    """Wanted status codes; none: below 400."""
    text: Line = ""
    """Text that the body must hold."""
    regex: Line = ""
    """A pattern (RE2) that the body must match."""
    header: tuple[Line, ...] = ()
    """``Name: pattern`` each: what headers must match."""
    json: tuple[Line, ...] = ()
    """``path``, ``path=value``, ``path!=value``, ``path>number``, ``path<number`` each, where a path is ``data.items[0].name``."""
    cache: Line = ""
    """Cache status wanted (``HIT``), in Cache-Status, X-Cache or CF-Cache-Status."""
    encoding: Line = ""
    """Content encoding wanted: ``gzip``, ``br``."""
    size_min: Count = 0
    size_max: Count = 0
    """Bytes of the body as sent; 0: any."""
    first_byte_max: Positive = 0.0
    """Seconds until the first byte of the answer; 0: any."""
    redirects: Annotated[int, msgspec.Meta(ge=0, le=20)] = 5
    """How many are followed."""
    tls_minimum: TlsVersion = "1.2"
    verify: bool = True
    """Whether chain and name of the certificate must hold."""
    authority: Line = ""
    """A PEM file on the engine's machine whose certificates are trusted beside the system's."""
    authorization: Reference = ""
    """A reference to the value of the Authorization header."""


class TcpParams(Reached, frozen=True, kw_only=True):
    """A connection, and what is said over it."""

    port: Port
    send: Line = ""
    """Sent after connecting; ``\\r``, ``\\n`` and ``\\xNN`` are understood."""
    expect: Line = ""
    """A pattern (RE2) that what comes must match."""


class DnsParams(KindParams, frozen=True, kw_only=True):
    """A record and its values."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9_.-]+\Z")]
    type: Literal["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT", "CAA"] = "A"
    expected: tuple[Line, ...] = ()
    """Values that must all be there; none: any answer will do."""
    exact: bool = False
    """No other values may be there."""
    server: Where = ""
    """Empty: the first name server of the engine's machine."""
    port: Port = 53


class IcmpParams(Reached, frozen=True, kw_only=True):
    """Echoes."""

    count: Annotated[int, msgspec.Meta(ge=1, le=20)] = 3
    loss_max: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    """More than this share lost is a failure."""
    round_trip_max: Positive = 0.0
    """Seconds; 0: any."""


class SshParams(Reached, frozen=True, kw_only=True):
    """An SSH server's greeting and key."""

    port: Port = 22
    banner: Line = ""
    """A pattern (RE2) for its greeting."""
    fingerprint: Annotated[str, msgspec.Meta(max_length=100, pattern=r"^\Z|^SHA256:[A-Za-z0-9+/]+\Z")] = ""
    """The key it must show; empty: any, shown in the result."""


class MailParams(Reached, frozen=True, kw_only=True):
    """A mail server's greeting and certificate."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    """0: the usual one."""
    tls: Literal["starttls", "direct", "none"] = "starttls"
    greeting: Line = ""
    """A pattern (RE2) for its greeting."""
    name: Where = ""
    """Name that its certificate must have; empty: the address."""
    tls_minimum: TlsVersion = "1.2"
    verify: bool = True
    authority: Line = ""


class DatabaseParams(Reached, frozen=True, kw_only=True):
    """A login to a database; a user that may only look is enough."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    """0: the usual one."""
    user: Line = ""
    password: Reference = ""
    lag_max: Positive = 0.0
    """Seconds of replication lag above which it fails; 0: the rule alone speaks."""
    slow_seconds: Positive = 60.0
    """What runs longer counts as slow."""


class PostgresqlParams(DatabaseParams, frozen=True, kw_only=True):
    """PostgreSQL."""

    database: Line = "postgres"
    replicas: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    """Standbys that must be connected; 0: how many is no matter."""


class MysqlParams(DatabaseParams, frozen=True, kw_only=True):
    """MySQL and MariaDB."""


class RedisParams(DatabaseParams, frozen=True, kw_only=True):
    """Redis and what speaks its protocol."""


class NtpParams(Reached, frozen=True, kw_only=True):
    """A time server against the engine's clock."""

    port: Port = 123
    offset_max: Positive = 0.5
    """Seconds between its clock and ours above which it fails."""


class UnitParams(KindParams, frozen=True, kw_only=True):
    """A systemd unit."""

    unit: Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9@_.:\\-]+\Z")]
    state: Literal["active", "inactive"] = "active"


class ProcessParams(KindParams, frozen=True, kw_only=True):
    """How many processes there are of a kind."""

    pattern: Annotated[Line, msgspec.Meta(min_length=1)]
    """A pattern (RE2) for their command lines."""
    user: Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9_.@$-]*\Z")] = ""
    least: Count = 1
    most: Count = 0
    """0: any."""


class FileParams(KindParams, frozen=True, kw_only=True):
    """A file's age and size."""

    path: Path
    absent: bool = False
    """It must not be there."""
    age_max: Positive = 0.0
    age_min: Positive = 0.0
    size_min: Count = 0
    size_max: Count = 0


class LogParams(KindParams, frozen=True, kw_only=True):
    """Lines that were written to a log since the last look."""

    path: Path
    pattern: Annotated[Line, msgspec.Meta(min_length=1)]
    """A pattern (RE2) for the lines that count."""
    ignore: Line = ""
    """A pattern for lines that don't."""
    most: Count = 0
    """How many since the last look are no fault."""
    level: Literal["warning", "failed"] = "failed"


class NagiosParams(KindParams, frozen=True, kw_only=True):
    """A plugin of the Nagios ecosystem, run on the host as it is."""

    plugin: Annotated[
        str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*\Z")
    ]
    """Its file name; the folders in which it is looked for stand in the engine's settings."""
    arguments: tuple[Line, ...] = ()


class PrometheusParams(KindParams, frozen=True, kw_only=True):
    """An endpoint in Prometheus' text format."""

    url: Annotated[str, msgspec.Meta(max_length=2000, pattern=r"^https?://[^\x00-\x20]+\Z")]
    metrics: tuple[Line, ...] = ()
    """Names of the metrics that become series (``node_load1``, ``http_requests_*``); none: only whether it can be read."""
    authorization: Reference = ""


PARAMS: dict[str, type[KindParams]] = {
    "http": HttpParams, "tcp": TcpParams, "dns": DnsParams, "icmp": IcmpParams, "ssh": SshParams, "smtp": MailParams,
    "imap": MailParams, "postgresql": PostgresqlParams, "mysql": MysqlParams, "redis": RedisParams, "ntp": NtpParams,
    "unit": UnitParams, "process": ProcessParams, "file": FileParams, "log": LogParams, "nagios": NagiosParams,
    "prometheus": PrometheusParams,
}  # fmt: skip

WHERE: dict[str, tuple[Literal["engine", "forward", "host"], ...]] = {
    **dict.fromkeys(
        ("http", "tcp", "dns", "ssh", "smtp", "imap", "postgresql", "mysql", "redis", "prometheus"), ("engine", "forward")
    ),
    **dict.fromkeys(("icmp", "ntp"), ("engine",)),
    **dict.fromkeys(("unit", "process", "file", "log", "nagios"), ("host",)),
}  # fmt: skip
"""From where each kind can be made; the first is the default."""


def read_params(kind: str, given: dict[str, Any]) -> KindParams:  # Any: JSON values
    """Typed parameters of a kind.  A list may be given as one text with commas (``status=200,204``).

    Raises:
        InvalidRequest: an unknown parameter, one that is missing, a value out of bounds: says which.
    """
    struct = PARAMS[kind]
    hints = typing.get_type_hints(struct)
    fields = {
        name: _as_list(value) if typing.get_origin(hints.get(name)) is tuple else value
        for name, value in given.items()
    }
    try:
        return msgspec.convert(fields, struct, strict=False)
    except msgspec.ValidationError as error:
        field = why_refused(error)[0]
        known = ", ".join(struct.__struct_fields__)
        raise InvalidRequest(
            f"A check of kind {kind}: {told(error)} Its parameters are {known}.",
            field=f"params.{field}".rstrip("."),
        ) from error


def _as_list(value: Any) -> Any:  # Any: JSON values
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return value if isinstance(value, list | tuple) else [value]
