"""The one route table: what can be asked of an engine, by whom, and how it is recorded.

The server's routes, the client's methods, the CLI's commands and the OpenAPI document are all made from it.
Each feature has a module with its part; here they are put together.
"""

from __future__ import annotations

from guardian_tui.protocol.routes.acts import ACTS
from guardian_tui.protocol.routes.alerts import ALERTS
from guardian_tui.protocol.routes.approvals import APPROVALS
from guardian_tui.protocol.routes.audit import AUDIT
from guardian_tui.protocol.routes.backups import BACKUPS
from guardian_tui.protocol.routes.checks import CHECKS
from guardian_tui.protocol.routes.hosts import HOSTS
from guardian_tui.protocol.routes.people import PEOPLE
from guardian_tui.protocol.routes.probe import PROBE
from guardian_tui.protocol.routes.route import PUBLIC, SELF, Recording, Route, Scoping
from guardian_tui.protocol.routes.runbooks import RUNBOOKS
from guardian_tui.protocol.routes.system import SYSTEM
from guardian_tui.protocol.routes.trust import TRUST
from guardian_tui.protocol.routes.vault import VAULT
from guardian_tui.protocol.routes.views import VIEWS

__all__ = ["PERMISSIONS", "PUBLIC", "ROUTES", "SELF", "WHOLE", "Recording", "Route", "Scoping"]

ROUTES: dict[str, Route] = {
    route.name: route
    for route in (
        *SYSTEM,
        *PEOPLE,
        *VIEWS,
        *HOSTS,
        *TRUST,
        *PROBE,
        *ACTS,
        *VAULT,
        *ALERTS,
        *AUDIT,
        *CHECKS,
        *BACKUPS,
        *RUNBOOKS,
        *APPROVALS,
    )
}

PERMISSIONS: tuple[str, ...] = tuple(sorted({r.permission for r in ROUTES.values()} - {PUBLIC, SELF}))

WHOLE: frozenset[str] = frozenset(r.permission for r in ROUTES.values() if r.scoping == "whole")
"""Permissions that are held for the engine as a whole or not at all: secrets, the audit log, its stop."""
