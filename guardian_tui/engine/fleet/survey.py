"""The survey: what is read of a host beside its fast figures: file systems, sections, facts.

Each round has a channel of its own: what takes its time (the slow sections) never keeps a host's file systems waiting.  What a round reads by
itself becomes series and is kept packed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

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
from guardian_tui.engine.fleet.opened import Openings
from guardian_tui.engine.fleet.own_probe import OwnProbe
from guardian_tui.engine.fleet.sections import ALL, Findings, Raw, Section, due_every
from guardian_tui.engine.fleet.sections.kept import Kept, digest_of
from guardian_tui.engine.fleet.sections.raw import lines_of, raw_of
from guardian_tui.engine.remote.connections import Remote, words_of
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.protocol.metrics import Period
from guardian_tui.protocol.section_kinds import MEDIUM_SECONDS, RARE_SECONDS, SLOW_SECONDS
from guardian_tui.protocol.sections import Difference

log = logging.getLogger(__name__)

ROUNDS_AT_ONCE = 20
OWN_SECTIONS_SECONDS = 5.0
OWN_SURVEY_SECONDS = 120.0
"""This machine's sections, and its slow ones, are first read so long after the start, when those who wait for the engine have it."""

_MEDIUM, _SLOW, _RARE = due_every(MEDIUM_SECONDS), due_every(SLOW_SECONDS), due_every(RARE_SECONDS)

_MEDIUM_ONES = frozenset(section.name for section in _MEDIUM)
_MEDIUM_NAMES = " ".join(section.name for section in _MEDIUM)

_Ask = Callable[[str, str, float], Awaitable[bytes | None]]
"""Request, name and seconds; None: no answer in time."""


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
        self._publish = publish
        self._turn = asyncio.Semaphore(ROUNDS_AT_ONCE)
        self._slow_turn = asyncio.Semaphore(ROUNDS_AT_ONCE)
        self._rare_wanted: set[str] = set()
        self._openings = Openings(remote, clock, pause_seconds)
        self._own, self._own_slow = OwnProbe(kept=True), OwnProbe(kept=True)
        # a little less than a round, so that every round of the usual settings has its sections
        self._sections_seconds = max(MEDIUM_SECONDS, pause_seconds) * 0.9
        self._own_sections_due = time.monotonic() + OWN_SECTIONS_SECONDS
        self._own_survey_due = time.monotonic() + OWN_SURVEY_SECONDS

    # --- rounds ----------------------------------------------------------------------------------

    async def round(self, link: Link) -> None:
        """One round of a host: its file systems and the medium sections, if they are due."""
        host = link.host
        self._openings.close_idle()
        try:
            async with self._turn:
                assert host.target is not None  # noqa: S101  # this machine has no link
                connection = await self._remote.connection(host.target)
                began = time.monotonic()
                if not host.facts_fresh:
                    now_known = await link.slow.facts(connection)
                    self._changes.facts(host.id, host.facts, now_known)
                    host.facts = host.facts | now_known
                    host.facts_fresh = bool(now_known)
                    host.probe_words = _about_probe(host.facts.get("probe", ""))
                due = time.monotonic() >= link.sections_due
                rooms, problems, told = await link.slow.rooms(
                    connection, host.mounts, _MEDIUM_NAMES if due else ""
                )

                async def ask(request: str, name: str, seconds: float) -> bytes | None:
                    return await link.slow.ask(connection, request, name, seconds)

                found: dict[str, tuple[bytes, float]] = {}
                if due:
                    link.sections_due = time.monotonic() + self._sections_seconds
                if due and told is not None:
                    took = time.monotonic() - began
                    found = {name: (lines, took) for name, lines in lines_of(told, _MEDIUM_ONES).items()}
                    host.sections_problems = []
                elif due:
                    found, host.sections_problems = await self._sections(_MEDIUM, ask)
                self.surveyed(host, rooms, found, "medium", began)
                host.rooms_problem = _joined(problems, host)
        except ConnectFailed as error:
            host.rooms_problem = f"file systems: {error.detail}"
        except (asyncssh.Error, OSError) as error:
            host.rooms_problem = f"file systems: {words_of(error)}"
        except Exception as error:
            log.exception("a round of %s failed in a way that is not foreseen", host.id)
            host.rooms_problem = f"file systems: the engine could not read them: {type(error).__name__}"
        finally:
            link.asking = None

    async def slow_round(self, link: Link) -> None:
        """The slow sections of a host, on a channel of their own."""
        host = link.host
        try:
            async with self._slow_turn:
                assert host.target is not None  # noqa: S101  # this machine has no link
                connection = await self._remote.connection(host.target)

                async def ask(request: str, name: str, seconds: float) -> bytes | None:
                    return await link.survey.ask(connection, request, name, seconds)

                await self._read_slow(host, ask)
        except ConnectFailed as error:
            host.survey_problems = [f"slow sections: {error.detail}"]
        except (asyncssh.Error, OSError) as error:
            host.survey_problems = [f"slow sections: {words_of(error)}"]
        except Exception as error:
            log.exception("a slow round of %s failed in a way that is not foreseen", host.id)
            host.survey_problems = [f"slow sections: the engine could not read them: {type(error).__name__}"]
        finally:
            link.surveying = None

    async def own_round(self, host: Host, rooms: list[Room], began: float) -> None:
        """One round of this machine, whose rooms began to be read then (on the monotonic clock)."""
        found: dict[str, tuple[bytes, float]] = {}
        if time.monotonic() >= self._own_sections_due:
            self._own_sections_due = time.monotonic() + self._sections_seconds
            found, host.sections_problems = await self._sections(_MEDIUM, self._own.ask_patiently)
        self.surveyed(host, rooms, found, "medium", began)
        host.rooms_problem = _joined((), host)

    @property
    def own_slow_due(self) -> bool:
        """Whether it is time for this machine's slow sections."""
        return time.monotonic() >= self._own_survey_due

    async def own_slow_round(self, host: Host) -> None:
        """This machine's slow sections."""
        self._own_survey_due = time.monotonic() + SLOW_SECONDS
        await self._read_slow(host, self._own_slow.ask_patiently)

    def again(self) -> None:
        """Read all of this machine's sections at its next round."""
        self._own_sections_due = self._own_survey_due = 0.0

    def read_rare(self, host_id: str) -> None:
        """Have a host's next slow round read what is else read rarely: somebody waits for what it says now."""
        self._rare_wanted.add(host_id)

    async def _read_slow(self, host: Host, ask: _Ask) -> None:
        now, wanted = time.monotonic(), host.id in self._rare_wanted
        self._rare_wanted.discard(host.id)
        rare = [one for one in _RARE if wanted or _is_due(host.sections.get(one.name), now)]
        found, host.survey_problems = await self._sections((*_SLOW, *rare), ask)
        self.surveyed(host, [], found, "slow", now)

    async def _sections(
        self, due: Sequence[Section], ask: _Ask
    ) -> tuple[dict[str, tuple[bytes, float]], list[str]]:
        """Ask for sections: in one request, since a wake-up of ours costs more than to read an answer; those that start programs one by one
        if that does not end, and always if they are slow ones, which take their time.
        """
        groups = [[s for s in due if not s.forks or _is_quick(s)]]
        groups += [[section] for section in due if section.forks and not _is_quick(section)]
        found: dict[str, tuple[bytes, float]] = {}
        problems = []
        for group in [group for group in groups if group]:
            if await self._ask_for(group, ask, found):
                continue
            # what hung as a group is not asked for as a group for a while
            alone = [[s for s in group if not s.forks], *([section] for section in group if section.forks)]
            parts = [part for part in alone if part] if len(group) > 1 else []
            hung = [one for one in parts if not await self._ask_for(one, ask, found)] if parts else [group]
            problems += [f"{section.name}: no answer in time" for one in hung for section in one]
        return found, problems

    async def _ask_for(
        self, group: Sequence[Section], ask: _Ask, found: dict[str, tuple[bytes, float]]
    ) -> bool:
        """Ask for some sections in one request; whether an answer came."""
        names = [section.name for section in group]
        began = time.monotonic()
        answer = await ask(f"q {' '.join(names)}", " ".join(names), max(s.timeout_seconds for s in group))
        if answer is None:
            return False
        took = time.monotonic() - began
        found |= {name: (lines, took) for name, lines in lines_of(answer, names).items()}
        return True

    def surveyed(
        self,
        host: Host,
        rooms: list[Room],
        found: Mapping[str, tuple[bytes, float]],
        period: Period,
        began: float,
    ) -> None:
        """A host's file systems and sections were read: series for the rules and charts, rows for whoever opens them.

        Args:
            host: whose they are.
            rooms: its file systems, if they were read.
            found: lines of each section, and how long they took to come.
            period: of the round.
            began: when the round did (on the monotonic clock).
        """
        now, monotonic = self._clock.now(), time.monotonic()
        names: tuple[str, ...] = ()
        values: list[float] = []
        if rooms:
            host.rooms, host.rooms_at = rooms, now
            for room in rooms:
                host.grow(room.mount, now, room.available_bytes)
            layout, values = room_values(rooms)
            names = layout.names
        told = [self._read(host, name, lines, now, monotonic, took) for name, (lines, took) in found.items()]
        if period == "slow":
            # what was not read this time is as it was: its rules must not take it for gone
            known = host.section_values
            told += [
                self._told(host, one, known[one.name])
                for one in _RARE
                if one.name in known.keys() - found.keys()
            ]
        for series in told:
            names += tuple(series)
            values += series.values()
        if names:
            sample = Sample(host.id, now, interned(names), values, took_seconds=monotonic - began)
            self._publish(sample, period)

    def _read(
        self, host: Host, name: str, lines: bytes, now: float, monotonic: float, took: float
    ) -> dict[str, float]:
        """The series of one section, its rows kept for whoever opens them."""
        section, kept, known = ALL[name], host.sections.get(name), host.section_values.get(name)
        if (
            known is not None
            and kept is not None
            and not (section.rates and lines)
            and kept.digest == digest_of(lines)
        ):
            # the usual round: to the letter what it was, so it says the same
            host.sections[name] = kept.again(now, monotonic, took)
            return self._told(host, section, known)
        before: tuple[Raw | None, float] = (None, 0.0)
        if (section.rates or section.looks_back) and kept is not None and kept.read_at:
            before = kept.raw, monotonic - kept.read_at
        findings = section.survey(raw_of(lines), *before)
        host.sections[name] = Kept.of(lines, now, monotonic, took).after(kept if section.rates else None)
        self._changes.facts(host.id, host.facts, findings.facts)
        if findings.facts.items() - host.facts.items():
            host.facts = {**host.facts, **findings.facts}
        series = dict(findings.values)
        if findings.items is not None:
            differed = self._drift.at(host.id, name)
            differs = self._drift.compare(host.id, name, findings.items)
            self._changes.drift(host.id, differed, differs)
            series |= _drifted(section, differs)
        if known is not None:
            self._changes.units(host.id, known, series)
        host.section_values[name] = series
        return series

    def _told(self, host: Host, section: Section, known: dict[str, float]) -> dict[str, float]:
        """What a section said before; only a baseline may have been accepted since."""
        if f"{section.name}_drift" in known:
            known = known | _drifted(section, self._drift.at(host.id, section.name))
            host.section_values[section.name] = known
        return known

    # --- what somebody opens ---------------------------------------------------------------------------

    async def open(self, host: Host, name: str, *, fresh: bool) -> tuple[Raw, Findings, float, float]:
        """A section of a host: what a round has read lately, else read now; see :meth:`Openings.open`."""
        return await self._openings.open(host, name, fresh=fresh)

    def forget(self, host_id: str) -> None:
        """Close what was opened on a host."""
        self._rare_wanted.discard(host_id)
        self._openings.forget(host_id)

    def stop(self) -> None:
        """Close all that was opened."""
        self._openings.stop()
        self._own.close()
        self._own_slow.close()


def _is_quick(section: Section) -> bool:
    return section.kind.period_seconds == MEDIUM_SECONDS


def _is_due(kept: Kept | None, now: float) -> bool:
    """Whether a rare section is to be read with this slow round: half a round early rather than late."""
    return kept is None or now - kept.read_at >= RARE_SECONDS - SLOW_SECONDS / 2


def _joined(problems: Sequence[str], host: Host) -> str:
    return "; ".join([*problems, *host.sections_problems, *host.survey_problems])


def _drifted(section: Section, found: Sequence[Difference]) -> dict[str, float]:
    return {f"{section.name}_drift": float(sum(one.kind in section.drift for one in found))}


def _about_probe(installed: str) -> str:
    if installed in ("", probe.version()):
        return ""
    return f"its probe is version {installed}, ours is {probe.version()}: install it again (guardian-tui probe install)"
