"""The survey: what is read of a host beside its fast figures, on a channel of its own: file systems, sections, facts.

What a round reads by itself becomes series and is kept packed; what somebody opens is read on a third channel, so that it waits for no round.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import asyncssh

from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import Sample
from guardian_tui.engine.fleet import probe
from guardian_tui.engine.fleet.changes import Changes
from guardian_tui.engine.fleet.drift import Drift
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.layouts import interned
from guardian_tui.engine.fleet.link import Link
from guardian_tui.engine.fleet.mounts import Room, room_values
from guardian_tui.engine.fleet.own_probe import OwnProbe
from guardian_tui.engine.fleet.sections import ALL, Findings, Raw, Section, due_every, split
from guardian_tui.engine.fleet.sections.kept import Kept
from guardian_tui.engine.fleet.slow import SlowLine
from guardian_tui.engine.remote.connections import Remote, words_of
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.protocol.errors import HostUnavailable, NotFound
from guardian_tui.protocol.metrics import Period
from guardian_tui.protocol.section_kinds import MEDIUM_SECONDS, SLOW_SECONDS
from guardian_tui.protocol.sections import Difference

log = logging.getLogger(__name__)

ROUNDS_AT_ONCE = 20
OWN_SECTIONS_SECONDS = 5.0
OWN_SURVEY_SECONDS = 120.0
"""This machine's sections, and its slow ones, are first read so long after the start, when those who wait for the engine have it."""
OPENED_AT_ONCE = 10
OPENED_IDLE_SECONDS = 60.0
"""A channel that was opened for somebody is closed when nobody has asked for so long."""
FIRST_PAUSE_SECONDS = 0.5
"""Between the two first readings of a section with rates."""


_Ask = Callable[[str, str, float], Awaitable[bytes | None]]
"""Request, name and seconds; None: no answer in time."""


@dataclass(slots=True)
class _Opened:
    """A channel that somebody opened sections on, and what was read last."""

    line: SlowLine
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    used_at: float = 0.0
    last: dict[str, tuple[Raw, float]] = field(default_factory=dict)


class Survey:
    """Reads file systems and sections.

    Args:
        remote, clock, drift, changes: the engine's.
        pause_seconds: between two rounds of a host.
        publish: takes a sample and its period.
    """

    def __init__(
        self, remote: Remote, clock: Clock, drift: Drift, changes: Changes, pause_seconds: float, publish: Callable[[Sample, Period], None]
    ) -> None:  # fmt: skip
        self._remote = remote
        self._clock = clock
        self._drift = drift
        self._changes = changes
        self._pause_seconds = pause_seconds
        self._publish = publish
        self._turn = asyncio.Semaphore(ROUNDS_AT_ONCE)
        self._opened_turn = asyncio.Semaphore(OPENED_AT_ONCE)
        self._opened: dict[str, _Opened] = {}
        self._own = OwnProbe()
        # a little less than a round, so that every round of the usual settings has its sections
        self._sections_seconds = max(MEDIUM_SECONDS, pause_seconds) * 0.9
        self._own_sections_due = time.monotonic() + OWN_SECTIONS_SECONDS
        self._own_survey_due = time.monotonic() + OWN_SURVEY_SECONDS

    # --- rounds ----------------------------------------------------------------------------------

    async def round(self, link: Link) -> None:
        """One round of a host: its file systems and the sections that are due."""
        host = link.host
        self._close_idle()
        try:
            async with self._turn:
                assert host.target is not None  # noqa: S101  # this machine has no link
                connection = await self._remote.connection(host.target)
                if not host.facts_fresh:
                    now_known = await link.slow.facts(connection)
                    self._changes.facts(host.id, host.facts, now_known)
                    host.facts = host.facts | now_known
                    host.facts_fresh = bool(now_known)
                    host.probe_words = _about_probe(host.facts.get("probe", ""))
                rooms, problems = await link.slow.rooms(connection, host.mounts)

                async def ask(request: str, name: str, seconds: float) -> bytes | None:
                    return await link.slow.ask(connection, request, name, seconds)

                raws: dict[str, tuple[Raw, float]] = {}
                hung = host.sections_problems
                if time.monotonic() >= link.sections_due:
                    link.sections_due = time.monotonic() + self._sections_seconds
                    raws, hung = await self._sections(due_every(MEDIUM_SECONDS), ask)
                    host.sections_problems = hung
                self.surveyed(host, rooms, raws, "medium")
                host.rooms_problem = "; ".join([*problems, *hung])
                if time.monotonic() >= link.survey_due:
                    link.survey_due = time.monotonic() + SLOW_SECONDS
                    raws, hung = await self._sections(due_every(SLOW_SECONDS), ask)
                    self.surveyed(host, [], raws, "slow")
                    host.rooms_problem = "; ".join([host.rooms_problem, *hung]).strip("; ")
        except ConnectFailed as error:
            host.rooms_problem = f"file systems: {error.detail}"
        except (asyncssh.Error, OSError) as error:
            host.rooms_problem = f"file systems: {words_of(error)}"
        except Exception as error:
            log.exception("a round of %s failed in a way that is not foreseen", host.id)
            host.rooms_problem = f"file systems: the engine could not read them: {type(error).__name__}"
        finally:
            link.asking = None

    async def own_round(self, host: Host, rooms: list[Room]) -> None:
        """One round of this machine."""

        async def ask(request: str, name: str, seconds: float) -> bytes | None:
            try:
                return await self._own.ask(request, seconds)
            except (TimeoutError, OSError):
                return None

        raws: dict[str, tuple[Raw, float]] = {}
        hung = host.sections_problems
        if time.monotonic() >= self._own_sections_due:
            self._own_sections_due = time.monotonic() + self._sections_seconds
            raws, hung = await self._sections(due_every(MEDIUM_SECONDS), ask)
            host.sections_problems = hung
        self.surveyed(host, rooms, raws, "medium")
        if time.monotonic() >= self._own_survey_due:
            self._own_survey_due = time.monotonic() + SLOW_SECONDS
            raws, more = await self._sections(due_every(SLOW_SECONDS), ask)
            self.surveyed(host, [], raws, "slow")
            hung = [*hung, *more]
        host.rooms_problem = "; ".join(hung)

    def again(self) -> None:
        """Read all of this machine's sections at its next round."""
        self._own_sections_due = self._own_survey_due = 0.0

    async def _sections(
        self, due: Sequence[Section], ask: _Ask
    ) -> tuple[dict[str, tuple[Raw, float]], list[str]]:
        """Ask for sections: those that start nothing on the host in one request; the others too, one by one if that does not end, and
        always one by one if they are slow ones, which take their time.
        """
        groups = [[s for s in due if not s.forks], [s for s in due if s.forks and _is_quick(s)]]
        groups += [[section] for section in due if section.forks and not _is_quick(section)]
        raws: dict[str, tuple[Raw, float]] = {}
        problems = []
        for group in [group for group in groups if group]:
            if await self._ask_for(group, ask, raws):
                continue
            # what hung as a group is not asked for as a group for a while
            alone = [[section] for section in group] if len(group) > 1 else []
            hung = [one for one in alone if not await self._ask_for(one, ask, raws)] if alone else [group]
            problems += [f"{section.name}: no answer in time" for one in hung for section in one]
        return raws, problems

    async def _ask_for(self, group: Sequence[Section], ask: _Ask, raws: dict[str, tuple[Raw, float]]) -> bool:
        """Ask for some sections in one request; whether an answer came."""
        names = [section.name for section in group]
        began = time.monotonic()
        answer = await ask(f"q {' '.join(names)}", " ".join(names), max(s.timeout_seconds for s in group))
        if answer is None:
            return False
        took = time.monotonic() - began
        raws |= {name: (raw, took) for name, raw in split(answer, names).items()}
        return True

    def surveyed(
        self, host: Host, rooms: list[Room], raws: dict[str, tuple[Raw, float]], period: Period
    ) -> None:
        """A host's file systems and sections were read: series for the rules and charts, rows for whoever opens them."""
        now, monotonic = self._clock.now(), time.monotonic()
        names: tuple[str, ...] = ()
        values: list[float] = []
        if rooms:
            host.rooms, host.rooms_at = rooms, now
            for room in rooms:
                host.grow(room.mount, now, room.available_bytes)
            layout, values = room_values(rooms)
            names = layout.names
        for name, (raw, took) in raws.items():
            series = self._read(host, name, raw, now, monotonic, took)
            names += tuple(series)
            values += series.values()
        if names:
            self._publish(Sample(host.id, now, interned(names), values), period)

    def _read(
        self, host: Host, name: str, raw: Raw, now: float, monotonic: float, took: float
    ) -> dict[str, float]:
        """The series of one section, its rows kept for whoever opens them."""
        section, kept, known = ALL[name], host.sections.get(name), host.section_values.get(name)
        reading = Kept.of(raw, now, monotonic, took)
        if known is not None and kept is not None and not section.rates and reading.packed == kept.packed:
            # the usual round: to the letter what it was, so it says the same; only a baseline may have been accepted since
            host.sections[name] = reading
            if f"{name}_drift" in known:
                known = host.section_values[name] = known | _drifted(section, self._drift.at(host.id, name))
            return known
        before = (kept.raw, monotonic - kept.read_at) if kept is not None and kept.read_at else (None, 0.0)
        findings = section.read(raw, *before)
        host.sections[name] = Kept.of(raw, now, monotonic, took).after(kept if section.rates else None)
        self._changes.facts(host.id, host.facts, findings.facts)
        host.facts |= findings.facts
        series = dict(findings.values)
        if findings.items is not None:
            differed = self._drift.at(host.id, name)
            found = self._drift.compare(host.id, name, findings.items)
            self._changes.drift(host.id, differed, found)
            series |= _drifted(section, found)
        if known is not None:
            self._changes.units(host.id, known, series)
        host.section_values[name] = series
        return series

    # --- what somebody opens ---------------------------------------------------------------------------

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
        period = section.kind.period_seconds
        if kept is not None and not fresh and self._clock.now() - kept.measured_at < 2 * period:
            raw = kept.raw
            return raw, section.read(raw, *kept.before), kept.measured_at, kept.took_seconds
        opened = self._opened.get(host.id) or self._opened.setdefault(
            host.id, _Opened(SlowLine(self._pause_seconds))
        )
        opened.used_at = time.monotonic()
        self._close_idle()
        async with opened.turn, self._opened_turn:
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

    def _close_idle(self) -> None:
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


def _is_quick(section: Section) -> bool:
    return section.kind.period_seconds == MEDIUM_SECONDS


def _drifted(section: Section, found: Sequence[Difference]) -> dict[str, float]:
    return {f"{section.name}_drift": float(sum(one.kind in section.drift for one in found))}


def _about_probe(installed: str) -> str:
    if installed in ("", probe.version()):
        return ""
    return f"its probe is version {installed}, ours is {probe.version()}: install it again (guardian-tui probe install)"
