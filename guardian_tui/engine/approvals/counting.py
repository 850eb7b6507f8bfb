"""Which approvals count: another person's, of exactly this, for a time, and only as long as that person may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from guardian_tui.engine.calls import Principal
from guardian_tui.protocol.errors import PermissionDenied

May = Callable[[str, str], Awaitable[str]]
"""(account id, permission) → why it may not do that now; empty: it may."""


class Given(Protocol):
    """What a person said, as a feature keeps it."""

    @property
    def account(self) -> str:
        """Whose it is."""

    @property
    def until(self) -> float:
        """When it runs out."""

    @property
    def digest(self) -> str:
        """Of what it was said."""


def check_another(principal: Principal, accounts: Iterable[str], words: str) -> None:
    """Raise PermissionDenied where whoever asks for it would approve it."""
    if principal.account_id in accounts:
        raise PermissionDenied(f"{words}: another person has to.")


async def why_void(given: Given, permission: str, *, now: float, may: May, digest: Callable[[], str]) -> str:
    """Why an approval counts no more; empty: it counts.

    Args:
        given: what was said.
        permission: what its giver must still be allowed to do.
        now: the engine's time.
        may: whether an account may do something.
        digest: of what would be done now, asked for last, since it may be dear.
    """
    if given.until < now:
        return "It has expired."
    if why := await may(given.account, permission):
        return why
    return "" if given.digest == digest() else "What would be run has changed since."
