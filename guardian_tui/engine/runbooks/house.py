"""What runs of runbooks stand on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from guardian_tui.engine.approvals.counting import May
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import AuditSink, Principal
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.detached import DetachedRuns
from guardian_tui.engine.runbooks.output import Budget
from guardian_tui.engine.runbooks.places import Places
from guardian_tui.engine.runbooks.planning import Planner
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.base import Request, Response

Act = Callable[[Principal, str, Request], Awaitable[Response]]
"""(with whose rights, route, order) → its answer: how a run asks other features, by the same gate as people."""


@dataclass(slots=True)
class House:
    """What runs stand on."""

    store: Store
    bus: Bus
    live: Live
    clock: Clock
    audit: AuditSink
    places: Places
    planner: Planner
    commands: Commands
    detached: DetachedRuns
    resolve: Callable[[str], Awaitable[str]]
    act: Act
    may: May
    at_once: asyncio.Semaphore
    """Commands beside each other, over all runs."""
    budget: Budget
    by_uid: bool = False
    """Whether each person has a Unix account of their own: two approvals from one are one person's."""
