"""One host's line to us: connects, keeps the probe's channel, backs off when it fails."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from typing import TYPE_CHECKING

import asyncssh

from guardian_tui.engine.fleet import probe
from guardian_tui.engine.fleet.channel import ProbeChannel
from guardian_tui.engine.fleet.host import DOWN_AFTER, Host
from guardian_tui.engine.fleet.pace import Pace
from guardian_tui.engine.fleet.slow import SlowLine
from guardian_tui.engine.remote.connections import words_of
from guardian_tui.engine.remote.target import UNKNOWN_KINDS, ConnectFailed
from guardian_tui.protocol.section_kinds import SLOW_SECONDS

if TYPE_CHECKING:
    from guardian_tui.engine.fleet.watch import Watch

log = logging.getLogger(__name__)

FIRST_SURVEY_SECONDS = 20.0
"""The slow sections are first read so long after a host is linked, and some time more, by how many hosts there are, …"""
SURVEY_APART_SECONDS = 4.0
"""…so that one of them is read in so long, and all within an hour."""
QUESTION_SECONDS = 15.0
"""A host that waits for a person's answer is tried again so often, in case the fault went away by itself."""


class Link:
    """Keeps one host's probe channel open; implements the channel's user."""

    def __init__(self, host: Host, watch: Watch) -> None:
        self.host = host
        self._watch = watch
        self.channel: ProbeChannel | None = None
        self.asked_at: float | None = None
        self.seq = 0
        self.sections = ""
        self._connecting: asyncio.Task[None] | None = None
        self._attempts = 0
        self._retry(0.0)
        self.pace = Pace(host.spec.interval_seconds)
        self.slow = SlowLine(watch.settings.file_systems_seconds)
        self.asking: asyncio.Task[None] | None = None
        """The question on the second channel that is under way; never more than one."""
        self.slow_due = 0.0
        self.linked_at = 0.0
        """When its channel was opened last."""
        self.sections_due = 0.0
        self.survey_due = math.inf
        """When the slow sections are read next."""
        self.survey = SlowLine(watch.settings.file_systems_seconds)
        self.surveying: asyncio.Task[None] | None = None
        """The slow round that is under way, on a third channel."""
        self._misses = 0
        self.mounts_due = 0.0
        self.clock_due = 0.0

    def connect(self) -> None:
        """Begin to connect, unless that is under way."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name=f"link {self.host.id}")

    async def _connect(self) -> None:
        target = self.host.target
        assert target is not None  # noqa: S101  # this machine has no link
        try:
            connection = await self._watch.remote.connection(target)
            self.host.fingerprint = connection.fingerprint
            channel = ProbeChannel(self, self._watch.settings.answer_limit_bytes)
            async with asyncio.timeout(self._watch.settings.connect_timeout_seconds):
                await connection.open_channel(channel, probe.polling_command())
            if channel.gone:
                return
            self.channel = channel
            self._misses = 0
            self.host.begin_anew()
            self.slow_due = self.mounts_due = self.clock_due = 0.0
            self.linked_at = time.monotonic()
            if math.isinf(self.survey_due):
                self.survey_due = time.monotonic() + first_survey_in(self._watch.linked_hosts)
            self._watch.linked(self)
        except ConnectFailed as error:
            self._failed(error)
        except (TimeoutError, asyncssh.Error, OSError) as error:
            self._watch.remote.drop(self.host.id)
            self._failed(
                ConnectFailed("timeout", f"It logged us in but opened no channel: {words_of(error)}.")
            )
        except Exception as error:
            # ours, not the host's: said as such, and tried again
            log.exception("connecting failed in a way that is not foreseen")
            self._failed(ConnectFailed("engine", f"The engine could not connect: {type(error).__name__}."))
        finally:
            self._connecting = None

    def _failed(self, error: ConnectFailed) -> None:
        self._attempts += 1
        interval = self.host.spec.interval_seconds
        settings = self._watch.settings
        if error.kind in UNKNOWN_KINDS:
            wait = max(QUESTION_SECONDS, interval)
        elif self._attempts < DOWN_AFTER:
            wait = interval
        else:
            doublings = min(self._attempts - DOWN_AFTER, 10)
            wait = min(settings.breaker_max_seconds, interval * 2.0**doublings)
        self._retry(wait * random.uniform(0.8, 1.2))  # noqa: S311  # jitter, not a secret
        self._watch.failed(self, error)

    def _retry(self, seconds: float) -> None:
        self.retry_at = time.monotonic() + seconds
        self._watch.retry(self, seconds)

    def ask(self, seq: int, sections: str, now: float) -> None:
        """Send a request."""
        assert self.channel is not None  # noqa: S101  # by the watch
        self.seq, self.sections, self.asked_at = seq, sections, now
        self._watch.asked_bytes += self.channel.ask(seq, sections)

    def answered(self, body: bytes) -> None:
        """The channel's answer: kept until the wave is worked off."""
        if self.asked_at is not None:
            self._attempts = self._misses = 0
            took = time.monotonic() - self.asked_at
            self._took(took)
            self._watch.answered(self, body, took)
            self.asked_at = None

    def _took(self, seconds: float) -> None:
        if self.pace.took(seconds):
            self.host.paced_seconds, self.host.pace_words = self.pace.seconds, self.pace.words
            self._watch.repace(self)

    def lost(self, why: str, *, no_probe: bool = False) -> None:
        """The channel is gone."""
        self.channel, self.asked_at = None, None
        self._watch.remote.drop(self.host.id)
        if no_probe:
            self._failed(ConnectFailed("no_probe", f"It logs us in, but {why}."))
            return
        error = ConnectFailed("closed", f"Lost: {why}.")
        if self._attempts:
            # not the first time without an answer between: a host that takes us in and cuts us off is backed off from, too
            self._failed(error)
            return
        self._attempts = 1
        self._retry(random.uniform(0.2, 1.0))  # noqa: S311  # jitter, not a secret
        self._watch.failed(self, error)

    def missed(self, seconds: float) -> bool:
        """It did not answer in time; answers whether it may be asked again on this channel.

        One miss is no reason to cut a jump host's connection, and with it all that are behind it; the late answer is
        dropped by its number.
        """
        self.asked_at = None
        self._misses += 1
        error = ConnectFailed("timeout", f"It did not answer a poll within {seconds:.0f} s.")
        if self._misses < DOWN_AFTER:
            self._watch.failed(self, error)
            return True
        channel, self.channel = self.channel, None
        if channel is not None:
            channel.forget()
        self._watch.remote.drop(self.host.id)
        self._failed(error)
        return False

    def hurry(self) -> None:
        """Try again now (a question was answered, a person asked)."""
        self._attempts = 0
        self._retry(0.0)

    def close(self) -> None:
        """Stop for good."""
        self.host.paced_seconds, self.host.pace_words = 0.0, ""
        for task in (self._connecting, self.asking, self.surveying):
            if task is not None:
                task.cancel()
        self.slow.close()
        self.survey.close()
        channel, self.channel = self.channel, None
        if channel is not None:
            channel.forget()
        self._watch.remote.give_up(self.host.id)


def first_survey_in(hosts: int) -> float:
    """Seconds until a host's slow sections are first read: spread, so that a fleet that is linked at once is not surveyed at once."""
    spread = min(max(FIRST_SURVEY_SECONDS, SURVEY_APART_SECONDS * hosts), SLOW_SECONDS)
    return FIRST_SURVEY_SECONDS + spread * random.uniform(0.125, 1)  # noqa: S311  # no secret
