"""Whether hosts are well after something was done to them: by their own probes, which must be fresh, and by alerts that are new."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence
from contextlib import suppress

from guardian_tui.engine.clock import Clock
from guardian_tui.engine.live import Live
from guardian_tui.engine.remote.followed import Stop
from guardian_tui.protocol.fleet import HostRow, HostState
from guardian_tui.text import counted

PATIENCE_SECONDS = 30.0
"""For a fresh probe; a host that is asked more seldom gets three of its intervals."""
BAD_STATES = frozenset({"down", "unreachable", "unknown"})
AHEAD_SECONDS = 5.0
"""What was measured so much later than now can't be of now."""
TOLD = 3


def answers(row: HostRow | None, now: float) -> bool:
    """Whether a host has answered its probes lately, by what was measured there; one from the future was measured by a clock that was wrong."""
    return row is not None and abs(now - (row.measured_at or 0.0)) <= _lately(row)


def state_of(row: HostRow, now: float) -> HostState:
    """A host's own state; in a window of planned work what stands in its place is by evidence: it answers, or nobody knows."""
    if row.state != "maintenance":
        return row.state
    return "up" if answers(row, now) else "unknown"


def firing(live: Live, before: float) -> frozenset[str]:
    """Alerts that fire since before that time."""
    return frozenset(
        alert.id for alert in live.alerts.rows() if alert.state == "firing" and alert.since < before
    )


async def of(
    live: Live, clock: Clock, hosts: Sequence[str], *, since: float, known: Container[str], stop: Stop
) -> str:
    """Why these hosts are not well, in words; empty: all of them are.

    Alerts that began after ``since`` are new, and those that were not ``known`` then: a clock that was set back tells less.
    """
    now = clock.now()
    changed = asyncio.Event()
    live.watch(changed)
    try:
        deadline = clock.monotonic() + _patience(live, hosts)
        while True:
            changed.clear()
            stale = [host for host in hosts if _stale(live, host, now, clock.now())]
            bad = _bad(live, [host for host in hosts if host not in stale], since, known)
            if bad or not stale or stop.asked.is_set():
                return bad
            left = deadline - clock.monotonic()
            if left <= 0:
                return f"{_names(live, stale)}: no fresh probe since the batch ended."
            await _either(changed, stop, left)
    finally:
        live.unwatch(changed)


def _patience(live: Live, hosts: Sequence[str]) -> float:
    rows = [live.hosts.get(host) for host in hosts]
    return max([PATIENCE_SECONDS, *(_lately(row) for row in rows if row is not None)])


def _lately(row: HostRow) -> float:
    return max(PATIENCE_SECONDS, 3 * row.interval_seconds)


def _stale(live: Live, host: str, since: float, now: float) -> bool:
    """Whether a host has not answered since then; what was measured later than now was so before the clock was set back."""
    row = live.hosts.get(host)
    if row is None or row.state in BAD_STATES:
        return False
    return not since <= (row.measured_at or 0.0) <= now + AHEAD_SECONDS


def _bad(live: Live, hosts: Sequence[str], since: float, known: Container[str]) -> str:
    alerts = [
        alert
        for alert in live.alerts.rows()
        if alert.host_id in hosts
        and alert.state == "firing"
        and (alert.since >= since or alert.id not in known)
    ]
    if alerts:
        first = alerts[0]
        more = f" and {counted(len(alerts) - 1, 'more alert')}" if len(alerts) > 1 else ""
        return f"{first.title} began to fire on {first.host}{more}."
    for host in hosts:
        row = live.hosts.get(host)
        if row is None:
            return "a host was removed."
        if row.state in BAD_STATES:
            return f"{row.name} is {row.state}: {row.why}"
    return ""


def _names(live: Live, hosts: Sequence[str]) -> str:
    rows = [live.hosts.get(host) for host in hosts[:TOLD]]
    names = ", ".join(row.name for row in rows if row is not None)
    return f"{names} and {len(hosts) - TOLD} more" if len(hosts) > TOLD else names


async def _either(changed: asyncio.Event, stop: Stop, seconds: float) -> None:
    tasks = [asyncio.create_task(changed.wait()), asyncio.create_task(stop.asked.wait())]
    try:
        with suppress(TimeoutError):
            await asyncio.wait(tasks, timeout=min(seconds, 1.0), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
