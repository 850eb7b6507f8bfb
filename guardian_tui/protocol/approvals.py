"""Approvals: what one person asked for and another has to agree to before it is done."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Request, Response

ApprovedOrder = Literal[
    "backups.restore", "backups.retain", "backups.add", "backups.edit", "backups.remove", "repositories.unlock", "repositories.edit", "repositories.remove",
    "secrets.set", "secrets.remove",
]  # fmt: skip
"""Orders that can be set to wait for another person."""
WITH_REPOSITORY = frozenset({"secrets.set", "secrets.remove"})
"""Orders that wait wherever ``repositories.edit`` does: whoever replaces the password of a repository changes how it is reached."""
GIVEN_AGAIN = frozenset({"secrets.set"})
"""Orders of which a part is kept nowhere while they wait: once approved, whoever asked gives them again."""
ApprovalState = Literal["waiting", "approved", "refused", "done", "void"]
"""``approved``: whoever asked may carry it out.  ``void``: it ran out, or what would be done is another thing now."""
Note = Annotated[str, msgspec.Meta(max_length=500)]


class GivenApproval(Response, frozen=True):
    """What a person said of what is to be done."""

    by: str
    at: float
    ok: bool
    until: float
    note: str = ""
    void: str = ""
    """Why it counts no more; empty: it counts."""


class Approval(Response, frozen=True):
    """An order that waits, and what was said of it."""

    id: str
    order: ApprovedOrder
    target: str
    host: str
    words: str
    """What would be done, in a sentence."""
    lines: tuple[str, ...]
    """The preview that it is bound to."""
    digest: str
    """Of the order and of its preview: what is approved is this and nothing else."""
    by: str
    """Who asked for it, and so can't approve it."""
    asked_at: float
    expires_at: float
    state: ApprovalState = "waiting"
    quorum: int = 1
    given: tuple[GivenApproval, ...] = ()
    why: str = ""
    """Why it was refused or is void."""
    run: str = ""
    """What it became when it was carried out."""


class ApprovalRef(Request, frozen=True):
    """Names one by its id."""

    approval: Annotated[str, msgspec.Meta(max_length=64)]


class GiveApproval(ApprovalRef, frozen=True):
    """Approve it or refuse it; ``digest`` is that of the preview that the person saw."""

    digest: Annotated[str, msgspec.Meta(max_length=64)]
    note: Note = ""


class ApprovalList(Response, frozen=True):
    """Orders that wait, and those that lately did, the newest first."""

    approvals: tuple[Approval, ...]
