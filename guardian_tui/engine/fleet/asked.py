"""The host that an order names."""

from __future__ import annotations

from guardian_tui.engine.calls import Call
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.inventory import Inventory


def host_asked(inventory: Inventory, call: Call, name: str) -> Host:
    """The host of this name or id, named as the order's target.

    Raises:
        NotFound: there is none, or it is outside the caller's scope: both look the same.
    """
    host = inventory.named(name)
    call.host_in_scope(host.labels if host else None, f"the host {name[:60]!r}")
    assert host is not None  # noqa: S101  # host_in_scope has raised
    call.target = host.spec.name
    return host
