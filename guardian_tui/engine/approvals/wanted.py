"""What an order would do, exactly: what another person is shown, and what their approval is bound to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import msgspec

from guardian_tui.engine.approvals.records import About
from guardian_tui.protocol.approvals import ApprovedOrder
from guardian_tui.protocol.base import Request

_SCHEMA = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """What would be done, exactly."""

    order: ApprovedOrder
    request: Request
    target: str
    host_id: str
    host: str
    words: str
    lines: tuple[str, ...]
    bound_to: tuple[object, ...]
    """What of the preview must still be so when it is done; JSON values."""
    host_ids: tuple[str, ...]
    """Hosts that whoever approves it must be allowed to on: those that its own route asks for."""
    about: About = field(default_factory=About)

    @property
    def digest(self) -> str:
        """SHA-256 of the order and of its preview."""
        body = [_SCHEMA, self.order, self.request, self.host_id, self.bound_to]
        return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()
