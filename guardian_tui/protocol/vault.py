"""The vault's slots: what can open it."""

from __future__ import annotations

from typing import Literal

from guardian_tui.protocol.base import Request, Response

SlotKind = Literal[
    "account", "enrolment", "recovery", "keyring", "credential", "closed-account", "closed-enrolment"
]


class Slot(Response, frozen=True):
    """One way to open the vault."""

    id: str
    kind: SlotKind
    owner: str
    """The account's name; for a keyring or a credential, what its entry is called."""
    created_at: float
    at_start: bool = False
    """The engine opens itself with it, before anybody logs in."""


class SlotList(Response, frozen=True):
    """All slots, the oldest first."""

    slots: tuple[Slot, ...]


class SlotRef(Request, frozen=True):
    """Names a slot by its id."""

    slot: str
