"""What each kind of check can be told: its parameters, with their types and defaults, and from where it can be made."""

from __future__ import annotations

import typing
from typing import Annotated, Any, Literal

import msgspec

from guardian_tui.protocol.errors import InvalidRequest

Kind = Literal["http"]

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


PARAMS: dict[str, type[KindParams]] = {"http": HttpParams}

WHERE: dict[str, tuple[Literal["engine", "forward", "host"], ...]] = {"http": ("engine", "forward")}
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
        words = str(error)
        field = words.rpartition("$.")[2].rstrip("`") if "$." in words else ""
        known = ", ".join(struct.__struct_fields__)
        raise InvalidRequest(
            f"A check of kind {kind}: {words}. Its parameters are {known}.",
            field=f"params.{field}".rstrip("."),
        ) from error


def _as_list(value: Any) -> Any:  # Any: JSON values
    if isinstance(value, str):
        return [word.strip() for word in value.split(",") if word.strip()]
    return value if isinstance(value, list | tuple) else [value]
