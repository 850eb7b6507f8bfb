"""Where a connection goes, and why it did not get there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from guardian_tui.protocol.errors import HostUnavailable

Kind = Literal[
    "dns", "refused", "no_route", "timeout", "not_ssh", "algorithms", "key_unknown", "key_changed", "key_revoked", "certificate",
    "no_credential", "key_file", "agent", "vault_locked", "auth", "auth_method", "too_many_keys", "banned", "sessions", "no_shell",
    "jump", "closed", "loop", "no_probe", "engine",
]  # fmt: skip

UNKNOWN_KINDS: frozenset[str] = frozenset(
    {
        "key_unknown",
        "certificate",
        "no_credential",
        "key_file",
        "agent",
        "sessions",
        "no_shell",
        "vault_locked",
        "loop",
        "no_probe",
        "engine",
    }
)
"""Faults of ours: they say nothing of the host, whose state is then unknown, not down."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host and the way to it; ``jump`` holds the hosts before it, the nearest to us first."""

    host_id: str
    name: str
    address: str
    port: int
    user: str
    credential: str = ""
    jump: tuple[Target, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    purpose: Literal["probe", "commands"] = "probe"

    @property
    def key(self) -> str:
        """What its connection is kept under: one per host and credential."""
        return self.host_id if self.purpose == "probe" else f"{self.host_id}/commands"

    @property
    def way(self) -> tuple[object, ...]:
        """All that a connection depends on: two targets of one way can share it."""
        hops = tuple((hop.host_id, hop.way) for hop in self.jump)
        return (self.name, self.address, self.port, self.user, self.credential, hops)


class ConnectFailed(HostUnavailable):
    """A connection failed; ``kind`` is stable, the detail is for people.

    ``parent_id`` names the jump host that is at fault, for kind ``jump``.
    """

    def __init__(self, kind: Kind, detail: str, *, parent_id: str = "") -> None:
        super().__init__(detail)
        self.kind: Kind = kind
        self.parent_id = parent_id
