"""Orders that wait as clients see them, and who sees them."""

from __future__ import annotations

from collections.abc import Mapping

from guardian_tui.engine.approvals.counting import Hosts
from guardian_tui.engine.approvals.records import Waiting
from guardian_tui.protocol.approvals import Approval, GivenApproval


def shared_labels(hosts: Hosts) -> Mapping[str, str]:
    """Labels that all of these hosts have: who may see them sees all of the hosts.  Never empty, which would be everybody's to see."""
    first, *others = hosts
    shared = {key: value for key, value in first.items() if all(o.get(key) == value for o in others)}
    return shared or {"host": ""}


def view(one: Waiting, void: Mapping[str, str] | None = None) -> Approval:
    """One as clients see it."""
    return Approval(
        id=one.id, order=one.order, target=one.target, host=one.host, words=one.words, lines=one.lines, digest=one.digest, by=one.by,
        asked_at=one.asked_at, expires_at=one.expires_at, state=one.state, quorum=one.quorum, why=one.why, run=one.run,
        given=tuple(
            GivenApproval(by=s.by, at=s.at, ok=s.ok, until=s.until, note=s.note, void=(void or {}).get(s.account, "")) for s in one.said
        ),
    )  # fmt: skip
