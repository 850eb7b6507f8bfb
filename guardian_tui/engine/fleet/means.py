"""What somebody who is not of all hosts may name in a host: jump hosts of theirs, and credentials that hosts of theirs have.

Else whoever may edit some hosts could have the password of others sent to a server of their own, or go through hosts that are not theirs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from guardian_tui.engine.calls import Call
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.inventory import Inventory, no_jump_host
from guardian_tui.protocol.errors import PermissionDenied
from guardian_tui.protocol.fleet import HostSpec

_OF_THE_ENGINE = ("secret", "key")
"""Credentials that are kept for somebody: in the vault, or as a file of the engine's."""
_FIELDS = ("credential", "command_credential")


def check_means(
    call: Call,
    inventory: Inventory,
    spec: HostSpec,
    before: HostSpec | None = None,
    coming: Collection[str] = (),
) -> None:
    """Raise unless a host may be reached like this.

    Args:
        call: who asks.
        inventory: the hosts that there are.
        spec: how it would be reached.
        before: as it is reached now; what stands in it already may stay.
        coming: names of hosts that are added with it.

    Raises:
        InvalidRequest: a jump host is not there, or not the caller's: both look the same.
        PermissionDenied: no host of the caller's has such a credential.
    """
    for name in spec.jump:
        hop = inventory.named(name)
        mine = name in coming or (hop is not None and call.sees(hop.labels))
        if not mine and (before is None or name not in before.jump):
            raise no_jump_host(name)
    if call.sees({}):
        return
    specs = [host.spec for host in inventory.hosts.values() if call.sees(host.labels)]
    held = {getattr(one, field) for one in (*specs, *([before] if before else [])) for field in _FIELDS}
    for field in _FIELDS:
        credential = getattr(spec, field)
        if credential.partition(":")[0] in _OF_THE_ENGINE and credential not in held:
            raise PermissionDenied(
                "You are not of all hosts, and none of yours has this credential: ask somebody who may edit all hosts to set it.",
                field=field,
            )


def reached_through(call: Call, behind: Sequence[Host], host: Host) -> str:
    """Why a host can't go, in words; hosts that are not the caller's are counted."""
    names = sorted(other.spec.name for other in behind if call.sees(other.labels))
    others = len(behind) - len(names)
    words = [*names[:5], *([f"{len(names) - 5} more"] if len(names) > 5 else [])]
    words += [f"{others} outside your scope"] if others else []
    return f"{', '.join(words)} {'are' if len(behind) > 1 else 'is'} reached through {host.spec.name}."
