"""Which approvals count: another person's, of exactly this, for a time, and only as long as that person may."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from guardian_tui.engine.calls import Principal
from guardian_tui.protocol.errors import PermissionDenied

Hosts = Sequence[Mapping[str, str]]
"""Labels of each host that something is about."""


class May(Protocol):
    """Asks what an account may do, be somebody logged in to it or not."""

    async def __call__(self, account: str, permission: str, hosts: Hosts = (), /) -> str:
        """Why it may not do that now, on all of these hosts; empty: it may."""


class Given(Protocol):
    """What a person said, as a feature keeps it."""

    @property
    def account(self) -> str:
        """Whose it is."""

    @property
    def by(self) -> str:
        """Their name."""

    @property
    def ok(self) -> bool:
        """Whether they approved it."""

    @property
    def digest(self) -> str:
        """Of what it was said."""

    @property
    def uid(self) -> int:
        """The Unix account that it was said from; -1: not known."""


G = TypeVar("G", bound=Given)


def check_another(
    principal: Principal, accounts: Iterable[str], words: str, uids: Iterable[int] = ()
) -> None:
    """Raise PermissionDenied where whoever asks for it would approve it.

    Args:
        principal: who approves.
        accounts: of those who ask for it.
        words: that they don't approve it.
        uids: of the Unix accounts that they asked from; none on an engine whose people share one.
    """
    if principal.account_id in accounts:
        raise PermissionDenied(f"{words}: another person has to.")
    if principal.peer_uid in uids:
        raise PermissionDenied(f"{words}: another person has to, from a Unix account of their own.")


def uids_of_others(all_given: Iterable[Given], principal: Principal, void: Container[str]) -> tuple[int, ...]:
    """The Unix accounts that approvals of others came from which hold."""
    return tuple(
        one.uid for one in all_given if one.ok and one.account != principal.account_id and one.account not in void
    )  # fmt: skip


async def voids(
    all_given: Iterable[G], permission: str, *, over: Callable[[G], bool], may: May, digest: Callable[[G], str], hosts: Hosts = (),
    asked_from: Iterable[int] | None = None,
) -> dict[str, str]:  # fmt: skip
    """Account → why its approval counts no more.

    Args:
        all_given: what was said, the oldest first.
        permission: what its giver must still be allowed to do.
        over: whether the time of one of them is over.
        may: whether an account may do something.
        digest: of what would be done now, for one of them; asked for last, since it may be dear.
        hosts: labels of those that it is about: its giver must still be allowed to on each.
        asked_from: Unix accounts that it was asked for, or is carried out, from; None on an engine whose people share one.
    """
    found: dict[str, str] = {}
    taken = {uid: "whoever asked for it" for uid in asked_from or () if uid >= 0}
    for one in all_given:
        if not one.ok:
            continue
        why = "It has expired." if over(one) else await may(one.account, permission, hosts)
        if not why and one.uid in taken:
            why = f"It came from the same Unix account as {taken[one.uid]}."
        if not why and one.digest != digest(one):
            why = "What would be run has changed since."
        if why:
            found[one.account] = why
        elif asked_from is not None and one.uid >= 0:
            taken[one.uid] = f"the approval of {one.by}"
    return found
