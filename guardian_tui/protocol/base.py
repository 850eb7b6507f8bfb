"""Base types of the wire: what is refused, what is tolerated."""

from __future__ import annotations

from typing import Annotated

import msgspec

PROTOCOL_VERSION = 1

Moment = Annotated[float, msgspec.Meta(ge=0, le=253_402_300_799)]
"""Unix seconds of a request, up to the year 9999: what a calendar and every database take."""
Ordinal = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number of a row, as every database takes it."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a client sends: unknown fields are refused."""


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine answers: unknown fields are tolerated, so that a newer engine serves an older client."""


class Nothing(Request, frozen=True):
    """An empty request."""


class Done(Response, frozen=True):
    """An answer that says no more than that it was done."""

    ok: bool = True
