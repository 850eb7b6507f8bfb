"""Sections that somebody opens: read at once, on a channel of their own, so that they wait for no round."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import asyncssh

from guardian_tui.engine.clock import Clock
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.own_probe import OwnProbe
from guardian_tui.engine.fleet.sections import ALL, Findings, Raw, Section, split
from guardian_tui.engine.fleet.slow import SlowLine
from guardian_tui.engine.remote.connections import Remote, words_of
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.protocol.errors import HostUnavailable, NotFound
from guardian_tui.protocol.section_kinds import SLOW_SECONDS

OPENED_AT_ONCE = 10
OPENED_IDLE_SECONDS = 60.0
"""A channel that was opened for somebody is closed when nobody has asked for so long."""
FIRST_PAUSE_SECONDS = 0.5
"""Between the two first readings of a section with rates."""


@dataclass(slots=True)
class _Opened:
    """A channel that somebody opened sections on, and what was read last."""

    line: SlowLine
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    used_at: float = 0.0
    last: dict[str, tuple[Raw, float]] = field(default_factory=dict)


class Openings:
    """Channels that were opened for somebody.

    Args:
        remote, clock: the engine's.
        pause_seconds: a question that hung waits as many rounds of this.
    """

    def __init__(self, remote: Remote, clock: Clock, pause_seconds: float) -> None:
        self._remote = remote
        self._clock = clock
        self._pause_seconds = pause_seconds
        self._turn = asyncio.Semaphore(OPENED_AT_ONCE)
        self._opened: dict[str, _Opened] = {}
        self._own = OwnProbe()

    async def open(self, host: Host, name: str, *, fresh: bool) -> tuple[Raw, Findings, float, float]:
        """A section of a host: what a round has read lately, else read now.

        Returns:
            its rows as they came, what they say, when they were measured, and how long that took.

        Raises:
            NotFound: there is no such section.
            HostUnavailable: the host can't be asked; says why.
        """
        section = ALL.get(name)
        if section is None:
            raise NotFound(
                f"There is no section {name[:60]!r}; there are: {', '.join(sorted(ALL))}.", field="section"
            )
        kept = host.sections.get(name)
        # what is read more seldom than once an hour is read again for who looks
        period = min(section.kind.period_seconds, SLOW_SECONDS)
        if kept is not None and not fresh and self._clock.now() - kept.measured_at < 2 * period:
            raw = kept.raw
            return raw, section.read(raw, *kept.before), kept.measured_at, kept.took_seconds
        opened = self._opened.get(host.id) or self._opened.setdefault(
            host.id, _Opened(SlowLine(self._pause_seconds))
        )
        opened.used_at = time.monotonic()
        self.close_idle()
        async with opened.turn, self._turn:
            raw, read_at, took = await self._read_now(host, opened, section)
            before = opened.last.get(name)
            if section.rates and (before is None or read_at - before[1] > OPENED_IDLE_SECONDS):
                opened.last[name] = (raw, read_at)
                await asyncio.sleep(FIRST_PAUSE_SECONDS)
                before = (raw, read_at)
                raw, read_at, took = await self._read_now(host, opened, section)
            findings = section.read(raw, *((before[0], read_at - before[1]) if before else (None, 0.0)))
            if section.rates:
                opened.last[name] = (raw, read_at)
        return raw, findings, self._clock.now(), took

    async def _read_now(self, host: Host, opened: _Opened, section: Section) -> tuple[Raw, float, float]:
        began = time.monotonic()
        request = f"q {section.name}"
        try:
            if host.target is None:
                answer: bytes | None = await self._own.ask(request, section.timeout_seconds)
            else:
                connection = await self._remote.connection(host.target)
                answer = await opened.line.ask(
                    connection, request, section.name, section.timeout_seconds, patient=False
                )
        except ConnectFailed as error:
            raise HostUnavailable(f"{host.spec.name} can't be asked: {error.detail}") from error
        except TimeoutError:
            answer = None
        except (asyncssh.Error, OSError) as error:
            raise HostUnavailable(f"{host.spec.name} can't be asked: {words_of(error)}.") from error
        if answer is None:
            raise HostUnavailable(f"{host.spec.name} did not answer within {section.timeout_seconds:.0f} s.")
        raw = split(answer, (section.name,)).get(section.name)
        if raw is None:
            raise HostUnavailable(f"The probe of {host.spec.name} has no sections: it runs without awk.")
        now = time.monotonic()
        return raw, now, now - began

    def close_idle(self) -> None:
        """Close what nobody has used for a while."""
        now = time.monotonic()
        for host_id, opened in list(self._opened.items()):
            if now - opened.used_at > OPENED_IDLE_SECONDS and not opened.turn.locked():
                self.forget(host_id)

    def forget(self, host_id: str) -> None:
        """Close what was opened on a host."""
        opened = self._opened.pop(host_id, None)
        if opened is not None:
            opened.line.close()

    def stop(self) -> None:
        """Close all that was opened."""
        for host_id in list(self._opened):
            self.forget(host_id)
