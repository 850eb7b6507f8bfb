"""What stands round every screen: the figures of the header, the words of the banner, the note in the footer."""

from __future__ import annotations

import time

from guardian_tui.protocol.access import Session
from guardian_tui.protocol.system import EngineStatus
from guardian_tui.text import counted, safe
from guardian_tui.world import World
from widgets.header import HeaderLine

QUIET_SECONDS = 6.0
"""Silence of the engine after which the banner says so."""


def header_line(
    session: Session | None, environment: str, world: World, crumbs: tuple[str, ...], clock: float
) -> HeaderLine:
    """The figures of the header."""
    counts = world.counts()
    active = world.active_runs()
    return HeaderLine(
        environment=environment,
        crumbs=crumbs,
        states=counts.states,
        alerts=counts.alerts,
        critical=counts.critical,
        runs=len(active),
        waiting=sum(run.asked == "approve" for run in active),
        who=session.account if session else "",
        role=session.profiles[0] if session and session.profiles else "",
        advisory=bool(session and session.advisory),
        clock=time.strftime("%H:%M:%S", time.localtime(clock)),
    )


def banner_words(world: World, trouble: str, paused_at: float | None, pause_key: str = "P") -> str:
    """What must be known above all else; empty when nothing must."""
    if paused_at is not None:
        return f"Paused at {time.strftime('%H:%M:%S', time.localtime(paused_at))}. {pause_key} goes on."
    silent = world.silent_seconds()
    if trouble or silent > QUIET_SECONDS:
        return f"{trouble or 'The engine is silent'}: what you see is {silent:.0f} s old. It is tried again by itself."
    status = world.status
    if status is not None and status.cut_off_since is not None:
        return "Engine cut off: most hosts stopped answering at once, so the fault is on this side. Their states are unknown."
    if status is not None and status.store_problem:
        return f"The store can't be written: {safe(status.store_problem, 200)}"
    if status is not None and not status.audit_ok:
        return "The audit chain does not verify: see the audit screen."
    return ""


def footer_note(
    round_trip_seconds: float | None,
    status: EngineStatus | None,
    waiting: int = 0,
    every_seconds: float = 0.0,
) -> str:
    """Right end of the footer: what waits for another person, how often the picture is drawn if not as it comes, and the engine's delay."""
    parts = [f"{waiting} for :approvals"] if waiting else []
    parts += [f"drawn every {every_seconds:.0f} s"] if every_seconds else []
    parts += [f"engine {round_trip_seconds * 1000:.0f} ms"] if round_trip_seconds is not None else []
    if status is not None:
        parts.append(f"{counted(status.hosts, 'host')} / {status.interval_seconds:.0f} s")
    return " · ".join(parts)


def verified_words(status: EngineStatus | None) -> str:
    """When the chain was checked, for the audit pane's border."""
    if status is None or status.audit_verified_at is None:
        return ""
    at = time.strftime("%H:%M", time.localtime(status.audit_verified_at))
    return f"✓ {at}" if status.audit_ok else f"✗ BROKEN {at}"
