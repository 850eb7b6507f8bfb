"""The watch: polls all hosts in waves, and works off a wave's answers in one go.

A wave sends the requests of all hosts whose turn it is; their answers are gathered for a moment and then handled together: one parse
each, one fact on the bus, one batch for the store.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from guardian_tui.config import FleetSettings
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import EngineBehind, Layout, Sample, WaveDone
from guardian_tui.engine.fleet import figures, local, shape
from guardian_tui.engine.fleet.changes import Changes
from guardian_tui.engine.fleet.costs import Lateness
from guardian_tui.engine.fleet.counters import packed
from guardian_tui.engine.fleet.drift import Drift
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.link import Link
from guardian_tui.engine.fleet.reading import Counts, Reading, parse
from guardian_tui.engine.fleet.series import delta, sample_values
from guardian_tui.engine.fleet.slow import SLOW_TIMEOUT_SECONDS
from guardian_tui.engine.fleet.survey import Survey
from guardian_tui.engine.fleet.waves import Waves
from guardian_tui.engine.remote.connections import Remote, words_of
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.store.metrics import MetricStore
from guardian_tui.protocol.metrics import Period
from guardian_tui.protocol.section_kinds import SLOW_SECONDS

log = logging.getLogger(__name__)

CLOCK_SECONDS = 30.0
MOUNTS_SECONDS = 300.0
LATE_WINDOW_SECONDS = 120.0
BESIDE = 10
"""Connections that may be under way, or were made in the last ``CALM_SECONDS``, while a host's first figures are shown at once and it is surveyed at once."""
CALM_SECONDS = 1.0
SURVEY_WAITS_SECONDS = 30.0
"""So long at the most: dead hosts are connected to for ever."""
GATHER_SECONDS = 0.25
"""How long a wave's answers are gathered before they are worked off."""
_SURVEYED: tuple[Period, ...] = ("medium", "slow")
ANSWERS_AT_ONCE = 100
"""Answers worked off before others get a turn: the terminal's requests must not wait for a whole wave."""


class Watch:
    """Polls.

    Args:
        remote, bus, clock, metrics, drift, changes, settings: the engine's.
        sampled: told of each host with new figures, after the wave.
        failed_of: told of each failure to reach a host.
    """

    def __init__(
        self, remote: Remote, bus: Bus, clock: Clock, metrics: MetricStore, drift: Drift, changes: Changes, settings: FleetSettings,
        *, sampled: Callable[[Host], None], unreached: Callable[[Host, ConnectFailed], None],
    ) -> None:  # fmt: skip
        self.remote = remote
        self.settings = settings
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._changes = changes
        self._sampled = sampled
        self._unreached = unreached
        self._links: dict[str, Link] = {}
        self._waves: Waves[Link] = Waves(settings.wave_seconds)
        self._answers: list[tuple[Link, bytes, float, float]] = []
        self._surveyed: list[tuple[Sample, Period]] = []
        self._more = asyncio.Event()
        self._newcomer = asyncio.Event()
        """A host has told something for the first time, and there are not many of them: somebody waits for it."""
        self._linked_at: deque[float] = deque(maxlen=BESIDE + 1)
        """When the newest lines were up."""
        self._sooner = asyncio.Event()
        self._slowed: set[str] = set()
        self._seq = 0
        self._late: list[tuple[float, int]] = []
        self.lateness = Lateness()
        self.answered_bytes = 0
        """Of all answers since the start."""
        self.asked_bytes = 0
        """Of all requests since the start."""
        self._behind = False
        self._machine: Host | None = None
        self._own_due = 0.0
        self._own_round: asyncio.Task[None] | None = None
        self._own_slow_round: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.survey = Survey(
            remote, clock, drift, changes, settings.file_systems_seconds, self._take_surveyed
        )

    # --- hosts ---------------------------------------------------------------------------------

    def add(self, host: Host) -> None:
        """Watch a host."""
        if host.target is None:
            self._machine = host
            return
        link = Link(host, self)
        self._links[host.id] = link
        self._waves.join(host.id, host.spec.interval_seconds, link)
        self.retry(link, 0.0)

    def remove(self, host_id: str) -> None:
        """Stop watching a host."""
        link = self._links.pop(host_id, None)
        if link is not None:
            link.close()
        self._slowed.discard(host_id)
        self.survey.forget(host_id)
        if self._machine is not None and self._machine.id == host_id:
            self._machine = None

    def hurry(self, host_id: str) -> None:
        """Try a host again now."""
        link = self._links.get(host_id)
        if link is not None:
            link.hurry()

    def resurvey(self, host_id: str, *, rare: bool = False) -> None:
        """Read a host's sections again at its next turn, those too that are else read rarely if somebody waits for them."""
        link = self._links.get(host_id)
        if link is not None:
            link.slow_due = link.sections_due = link.survey_due = 0.0
        if rare:
            self.survey.read_rare(host_id)
        if self._machine is not None and self._machine.id == host_id:
            self._own_due = 0.0
            self.survey.again()

    def start(self) -> None:
        """Begin."""
        self._tasks = [
            asyncio.create_task(self._send_waves(), name="watch"),
            asyncio.create_task(self._take_answers(), name="answers"),
            asyncio.create_task(self._watch_machine(), name="watch this machine"),
        ]

    async def stop(self) -> None:
        """End, and close every line."""
        own = (self._own_round, self._own_slow_round)
        tasks = [*self._tasks, *(task for task in own if task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.survey.stop()
        for host_id in list(self._links):
            self.remove(host_id)

    @property
    def late_polls(self) -> int:
        """Polls later than an interval, in the last two minutes."""
        oldest = time.monotonic() - LATE_WINDOW_SECONDS
        self._late = [(at, polls) for at, polls in self._late if at > oldest]
        return sum(polls for _, polls in self._late)

    @property
    def waiting_answers(self) -> int:
        """Answers that were not worked off yet."""
        return len(self._answers)

    @property
    def slowed(self) -> int:
        """Hosts that are asked more seldom because they answer slowly."""
        return len(self._slowed)

    @property
    def linked_hosts(self) -> int:
        """Hosts that are watched over a line."""
        return len(self._links)

    # --- waves ---------------------------------------------------------------------------------

    def retry(self, link: Link, seconds: float) -> None:
        """Try to connect again after ``seconds``, whenever its turn is."""
        self._waves.once(seconds, link)
        self._sooner.set()

    def repace(self, link: Link) -> None:
        """A host is to be asked more seldom, or more often again."""
        host_id = link.host.id
        if self._links.get(host_id) is link:
            self._waves.join(host_id, link.pace.seconds, link)
            (self._slowed.add if link.pace.slowed else self._slowed.discard)(host_id)

    async def _send_waves(self) -> None:
        while True:
            self._sooner.clear()
            due_at = self._waves.due_at
            with suppress(TimeoutError):
                async with asyncio.timeout(due_at - time.monotonic()):
                    await self._sooner.wait()
                    continue
            try:
                self._report_lateness(self._send(), time.monotonic() - due_at)
            except Exception:
                log.exception("a wave failed; the next one goes on")

    def _send(self) -> int:
        """Ask all whose turn it is; answers how many that were."""
        now = time.monotonic()
        turns, once = self._waves.take(self._links)
        again = (link for link in once if link.channel is None and self._links.get(link.host.id) is link)
        for link in (*turns, *again):
            try:
                self._poll(link, now)
            except OSError as error:
                # it was closed from the other end, and its channel has not told us yet
                log.info("%s was not asked: %s", link.host.id, words_of(error))
            except Exception:
                log.exception("polling %s failed; the others have their turn", link.host.id)
        return len(turns)

    def _poll(self, link: Link, now: float) -> None:
        if link.channel is None:
            if now >= link.retry_at:
                link.connect()
            return
        if link.asked_at is not None:
            late = now - link.asked_at
            if late <= self.settings.poll_timeout_seconds or not link.missed(late):
                return
        self._seq = self._seq % 999_999_999 + 1
        sections = "f"
        if now >= link.clock_due:
            link.clock_due = now + CLOCK_SECONDS
            sections += "t"
        if now >= link.mounts_due:
            link.mounts_due = now + MOUNTS_SECONDS
            sections += "o"
        link.ask(self._seq, f"{sections}p{link.host.names_number}", now)
        if now >= link.slow_due and link.asking is None and not self._still_connecting(link, now):
            link.slow_due = now + self.settings.file_systems_seconds
            link.asking = asyncio.create_task(self.survey.round(link), name=f"survey {link.host.id}")
        if now >= link.survey_due and link.surveying is None:
            link.survey_due = now + SLOW_SECONDS
            link.surveying = asyncio.create_task(self.survey.slow_round(link), name=f"slow {link.host.id}")

    def _still_connecting(self, link: Link, now: float) -> bool:
        """Whether a host's first survey should wait until others are connected: what they are is more urgent."""
        return now - link.linked_at < SURVEY_WAITS_SECONDS and self._many_connect(now)

    def _many_connect(self, now: float) -> bool:
        newest = self._linked_at
        return self.remote.connecting > BESIDE or (len(newest) > BESIDE and now - newest[0] < CALM_SECONDS)

    def linked(self, link: Link) -> None:
        """A line is up: ask at once, not at its next turn."""
        now = time.monotonic()
        self._linked_at.append(now)
        self._poll(link, now)

    def answered(self, link: Link, body: bytes, took: float) -> None:
        """An answer has come (from the channel)."""
        self.answered_bytes += len(body)
        self._answers.append((link, body, took, self._clock.now()))
        self._more.set()
        if link.host.measured_at is None and self.remote.connecting <= BESIDE:
            self._newcomer.set()

    def failed(self, link: Link, error: ConnectFailed) -> None:
        """A host was not reached."""
        self._unreached(link.host, error)

    async def _take_answers(self) -> None:
        while True:
            await self._more.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(GATHER_SECONDS, self.settings.wave_seconds)):
                    await self._newcomer.wait()
            self._more.clear()
            self._newcomer.clear()
            try:
                await self._work_off()
            except Exception:
                log.exception("answers could not be worked off; the next ones are")

    async def _work_off(self) -> None:
        answers, self._answers = self._answers, []
        surveyed, self._surveyed = self._surveyed, []
        for start in range(0, len(answers), ANSWERS_AT_ONCE):
            samples = []
            for link, body, took, at in answers[start : start + ANSWERS_AT_ONCE]:
                try:
                    sample = self._sample(link.host, body, took, at)
                except Exception as error:
                    # ours, not the host's: it costs this one its sample, and is said as such
                    log.exception("an answer of %s could not be worked off", link.host.id)
                    words = f"The engine could not read its answer: {type(error).__name__}."
                    self._unreached(link.host, ConnectFailed("engine", words))
                    continue
                if sample is not None:
                    samples.append(sample)
            self._publish(samples, "fast")
            await asyncio.sleep(0)
        for period in _SURVEYED:
            self._publish([sample for sample, own in surveyed if own == period], period)

    def _take_surveyed(self, sample: Sample, period: Period) -> None:
        self._surveyed.append((sample, period))
        self._more.set()

    def _publish(self, samples: list[Sample], period: Period) -> None:
        if not samples:
            return
        self._metrics.add(samples, period)
        self._bus.publish(WaveDone(tuple(samples), period))

    def _sample(self, host: Host, body: bytes, took: float, at: float) -> Sample | None:
        told = figures.told_in(body)
        if told is not None and not figures.is_of_names(told.beside):
            return self._take_alone(host, told, took, at)
        reading, host.shape = shape.read(body if told is None else told.beside, host.shape)
        if reading.uptime is None and reading.cpu is None and not reading.memory:
            what = reading.problems[0] if reading.problems else "an empty answer"
            self._unlike_the_probe(host, what)
            return None
        if told is not None and host.shape is not None:
            values = figures.values_of(told.line, host.shape.layout)
            if values is not None:
                host.names_number = told.number
                return self._take_told(host, host.shape, values, reading, took, at)
        host.names_number = 0
        return self.take(host, reading, took, at)

    def _unlike_the_probe(self, host: Host, what: str) -> None:
        host.names_number = 0
        self._unreached(host, ConnectFailed("no_probe", f"It answers, but not as the probe does: {what}."))

    def _take_alone(self, host: Host, told: figures.Told, took: float, at: float) -> Sample | None:
        """Figures of names that the host told before."""
        values = None
        if host.shape is not None and told.number == host.names_number != 0:
            values = figures.values_of(told.line, host.shape.layout)
        if host.shape is None or values is None:
            self._unlike_the_probe(host, "figures that are none, or of names that it did not tell")
            return None
        return self._take_told(
            host, host.shape, values, parse(told.beside) if told.beside else None, took, at
        )

    def _take_told(
        self, host: Host, known: shape.Shape, values: list[float], beside: Reading | None, took: float, at: float
    ) -> Sample:  # fmt: skip
        """A host's new figures as its probe made them."""
        missing: Sequence[str] = known.missing
        problems: Sequence[str] = ()
        if beside is not None:
            self._note_beside(host, beside, took, at)
            problems = beside.problems
            missing = [*missing, *(name for name in beside.missing if name not in missing)]
        kills, uptime = values[figures.OOM_KILLS], values[figures.UPTIME]
        values[figures.OOM_KILLS] = delta(kills, host.oom_kills)
        values[figures.CLOCK_OFFSET], values[figures.ROUND_TRIP] = host.clock_offset, took
        host.oom_kills, host.before = kills, None
        return self._taken(
            host,
            known.layout,
            values,
            None if math.isnan(uptime) else uptime,
            took,
            at,
            missing,
            problems,
        )

    def take(self, host: Host, reading: Reading, took: float, at: float) -> Sample:
        """A host's new figures from a reading."""
        self._note_beside(host, reading, took, at)
        seconds = _elapsed(reading, host.before, time.monotonic() - host.before_at)
        layout, values = sample_values(
            reading, host.before, seconds, round_trip=took, clock_offset=host.clock_offset
        )
        host.before, host.before_at = reading.counts(), time.monotonic()
        return self._taken(host, layout, values, reading.uptime, took, at, reading.missing, reading.problems)

    def _note_beside(self, host: Host, reading: Reading, took: float, at: float) -> None:
        """What is asked for now and then."""
        if reading.clock is not None:
            # the host read its clock about half a round trip before the answer was whole
            host.clock_offset = beyond_doubt(reading.clock - (at - took / 2), took / 2)
        if reading.mounts:
            host.mounts = reading.mounts

    def _taken(
        self, host: Host, layout: Layout, values: list[float], uptime: float | None, took: float, at: float,
        missing: Sequence[str], problems: Sequence[str],
    ) -> Sample:  # fmt: skip
        if uptime is not None:
            if host.uptime is not None and uptime < host.uptime:
                self._changes.note(host.id, "reboot", f"booted {int(uptime)} s ago")
            host.uptime = uptime
        host.layout, host.values, host.measured_at, host.round_trip = layout, packed(values), at, took
        busy = values[0]
        host.spark.append(-1 if math.isnan(busy) else round(busy * 100))
        if missing or problems or host.rooms_problem or host.pace_words or host.probe_words:
            unread = [f"{name} can't be read" for name in missing]
            more = [words for words in (host.probe_words, host.rooms_problem, host.pace_words) if words]
            host.problems = (*unread, *problems, *more)
        else:
            host.problems = ()
        self._sampled(host)
        return Sample(host.id, at, layout, values, uptime if uptime is not None else -1.0, took_seconds=took)

    def _report_lateness(self, polls: int, late: float) -> None:
        self.lateness.note(polls, late)
        if polls and late > min(self.settings.interval_seconds, 5.0):
            self._late.append((time.monotonic(), polls))
        behind = self.late_polls > 0
        if behind != self._behind:
            self._behind = behind
            self._bus.publish(EngineBehind(self.late_polls, len(self._links), self._clock.now()))

    # --- this machine -------------------------------------------------------------------------------

    async def _watch_machine(self) -> None:
        while True:
            host = self._machine
            if host is not None:
                try:
                    started = time.monotonic()
                    reading = await asyncio.to_thread(local.read_machine)
                    if not host.facts_fresh:
                        host.facts = host.facts | await asyncio.to_thread(local.machine_facts)
                        host.facts_fresh = True
                    host.clock_offset = 0.0
                    sample = self.take(host, reading, time.monotonic() - started, self._clock.now())
                    self._publish([sample], "fast")
                    if time.monotonic() >= self._own_due and self._own_round is None:
                        self._own_due = time.monotonic() + self.settings.file_systems_seconds
                        self._own_round = asyncio.create_task(
                            self._survey_machine(host), name="survey of this machine"
                        )
                    if self.survey.own_slow_due and self._own_slow_round is None:
                        self._own_slow_round = asyncio.create_task(
                            self._survey_machine_slowly(host), name="slow survey of this machine"
                        )
                except Exception:
                    log.exception("this machine could not be read")
            await asyncio.sleep(host.spec.interval_seconds if host else self.settings.interval_seconds)

    async def _survey_machine(self, host: Host) -> None:
        began = time.monotonic()
        try:
            reading = asyncio.create_task(asyncio.to_thread(local.read_rooms, host.mounts))
            await asyncio.wait((reading,), timeout=SLOW_TIMEOUT_SECONDS)
            if not reading.done():
                host.rooms_problem = (
                    f"file systems did not answer in {SLOW_TIMEOUT_SECONDS:.0f} s: is a mount dead?"
                )
            rooms = await reading
            await self.survey.own_round(host, rooms, began)
            self._sampled(host)
        except Exception:
            log.exception("this machine could not be surveyed")
        finally:
            self._own_round = None

    async def _survey_machine_slowly(self, host: Host) -> None:
        try:
            await self.survey.own_slow_round(host)
        except Exception:
            log.exception("this machine's slow sections could not be read")
        finally:
            self._own_slow_round = None


def beyond_doubt(offset: float, doubt: float) -> float:
    """How far off a clock is for certain: it was read at some moment of the round trip, which is long when we are busy ourselves."""
    return math.copysign(max(0.0, abs(offset) - doubt), offset)


def _elapsed(now: Counts, before: Counts | None, ours: float) -> float:
    """Seconds between two readings: by the host's uptime, which no clock step touches; else by ours."""
    if before is None:
        return 0.0
    if now.uptime is not None and before.uptime is not None:
        return now.uptime - before.uptime
    return ours
