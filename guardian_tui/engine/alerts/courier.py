"""Couriers: one worker per channel takes notes from the outbox and sees them delivered, at least once.

What goes out together is written down before it goes: after a ``kill -9`` between sending and noting it, the
same message goes out again under the same key.  A channel that hangs or fails holds up nobody but itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from guardian_tui.config import ChannelSettings
from guardian_tui.engine.alerts import records
from guardian_tui.engine.alerts.channels import DeliveryFailed, Sender, target_words
from guardian_tui.engine.alerts.messages import Message
from guardian_tui.engine.alerts.records import QueuedNote
from guardian_tui.engine.alerts.rules import CHANNEL_FAILURES
from guardian_tui.engine.clock import Clock, Steady
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.alerts import Channel
from guardian_tui.protocol.errors import GuardianError, StoreUnavailable, VaultLocked
from guardian_tui.text import counted

log = logging.getLogger(__name__)

GROUP_LIMIT = 50
"""Notes in one message."""
LOCKED_WORDS = "waits for the vault to be unlocked"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a courier waits for what."""

    group_seconds: float = 2.0
    """For further alerts that go out with the first."""
    retry_seconds: float = 2.0
    retry_max_seconds: float = 300.0
    store_seconds: float = 2.0
    idle_seconds: float = 30.0
    give_up_seconds: float = 86400.0
    """Older notes are no news."""


class Courier:
    """Delivers the notes of one channel.

    Args:
        name: the channel's name in the settings.
        on_health: told ``(channel, failing, why)`` when the channel begins or ceases to fail.
        on_delivered: told ``(channel, ids of alerts)`` after each message that was taken.
    """

    def __init__(
        self,
        name: str,
        settings: ChannelSettings,
        sender: Sender,
        store: Store,
        clock: Clock,
        environment: str,
        pace: Pace,
        on_health: Callable[[str, bool, str], None],
        on_delivered: Callable[[str, Sequence[str]], None],
    ) -> None:
        self.name = name
        self._settings = settings
        self._sender = sender
        self._store = store
        self._clock = clock
        self._steady = Steady(clock)
        self._environment = environment
        self._pace = pace
        self._on_health = on_health
        self._on_delivered = on_delivered
        self._wake = asyncio.Event()
        self._retry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._sent_unnoted = ""
        """Key of a message that was taken but could not be noted as sent."""
        self.failures = 0
        self.failing = False
        self.open = False
        self.last_ok_at: float | None = None
        self.last_error = ""

    def restore_failing(self) -> None:
        """After a start: it was failing when the engine ended."""
        self.failing = True

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run(), name=f"courier {self.name}")

    async def stop(self) -> None:
        """Stop; what was not delivered waits in the outbox."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._sender.close()

    def wake(self) -> None:
        """There are new notes."""
        self._wake.set()

    def try_now(self) -> None:
        """What was in the way may be gone: don't wait for the next try."""
        self._retry.set()
        self._wake.set()

    def row(self, waiting: int) -> Channel:
        """How the channel fares."""
        state: Literal["ok", "failing", "open"] = (
            "open" if self.open else "failing" if self.failures or self.failing else "ok"
        )
        return Channel(
            name=self.name,
            kind=self._settings.kind,
            target=target_words(self._settings),
            state=state,
            last_ok_at=self.last_ok_at,
            last_error=self.last_error,
            waiting=waiting,
        )

    async def send_now(self, message: Message) -> None:
        """Send a message past the outbox; raises DeliveryFailed or VaultLocked."""
        try:
            await self._sender.send(message)
        except DeliveryFailed as error:
            self.last_error = error.words
            raise
        self._delivered()
        self.try_now()

    async def _run(self) -> None:
        while True:
            try:
                busy = await self._step()
            except StoreUnavailable as error:
                log.warning("channel %s waits for the store: %s", self.name, error.detail)
                await asyncio.sleep(self._pace.store_seconds)
            except Exception:
                # a fault of ours in one message must not silence the channel for good
                log.exception("channel %s", self.name)
                await asyncio.sleep(self._pace.store_seconds)
            else:
                if not busy:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._pace.idle_seconds):
                            await self._wake.wait()

    async def _step(self) -> bool:
        """Take care of one message; False when there is none."""
        self._wake.clear()
        notes = await self._next()
        if not notes:
            return False
        if not notes[0].message_key:
            await asyncio.sleep(self._pace.group_seconds)
            notes = await self._next()
            key = secrets.token_hex(16)
            async with self._store.write() as tx:
                await records.group_notes(tx, _ids(notes), key)
        else:
            key = notes[0].message_key
        if key == self._sent_unnoted:
            await self._close(_ids(notes), "sent", "")
        elif self._steady.age(min(note.created_at for note in notes)) > self._pace.give_up_seconds:
            why = self.last_error or "never tried"
            await self._give_up(
                _ids(notes), f"not delivered within {self._pace.give_up_seconds:.0f} s ({why})"
            )
        else:
            await self._deliver(notes, key)
        return True

    async def _next(self) -> list[QueuedNote]:
        async with self._store.read() as conn:
            notes, unreadable = await records.read_waiting(conn, self.name, GROUP_LIMIT)
        if unreadable:
            await self._give_up(unreadable, "what the store has of it can't be read")
            # there may be others behind them
            self._wake.set()
        return notes

    async def _deliver(self, notes: Sequence[QueuedNote], key: str) -> None:
        try:
            await self._sender.send(Message(key, self._environment, tuple(queued.note for queued in notes)))
        except VaultLocked:
            self.last_error = LOCKED_WORDS
            await self._pause(self._pace.retry_max_seconds)
            return
        except DeliveryFailed as error:
            if error.too_large and len(notes) > 1:
                await self._halve(notes)
                return
            self._failed(error.words)
            if error.permanent:
                await self._give_up(_ids(notes), error.words)
                return
            delay = max(self._delay(), error.retry_after_seconds)
        except GuardianError as error:
            # a reference that resolves to nothing: a person must mend it
            self._failed(error.detail)
            delay = self._delay()
        except Exception as error:
            log.exception("channel %s", self.name)
            words = f"a fault of ours ({type(error).__name__}): see the engine's log"
            self._failed(words)
            if notes[0].attempts + 1 >= CHANNEL_FAILURES:
                # what is in this message will not get better, and the next ones are not to wait for it
                await self._give_up(_ids(notes), words)
                return
            delay = self._delay()
        else:
            self._delivered()
            self._sent_unnoted = key
            await self._close(_ids(notes), "sent", "")
            self._on_delivered(self.name, [queued.note.alert.id for queued in notes])
            return
        self.open = self.failures >= CHANNEL_FAILURES
        try:
            async with self._store.write() as tx:
                await records.postpone_notes(tx, _ids(notes), self._clock.now() + delay, self.last_error)
        finally:
            await self._pause(delay)
            self.open = False

    async def _halve(self, notes: Sequence[QueuedNote]) -> None:
        """Let notes that are too many for one message go out as two."""
        middle = len(notes) // 2
        async with self._store.write() as tx:
            for half in (notes[:middle], notes[middle:]):
                await records.group_notes(tx, _ids(half), secrets.token_hex(16))

    def _delay(self) -> float:
        longest = min(
            self._pace.retry_seconds * 2.0 ** min(self.failures - 1, 30), self._pace.retry_max_seconds
        )
        return longest * random.uniform(0.75, 1.0)  # noqa: S311 - spreads tries, guards nothing

    async def _pause(self, seconds: float) -> None:
        self._retry.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._retry.wait()

    async def _close(self, ids: Sequence[str], state: str, error: str) -> None:
        async with self._store.write() as tx:
            await records.close_notes(tx, ids, state, error)

    async def _give_up(self, ids: Sequence[str], words: str) -> None:
        log.error("channel %s: %d notes given up: %s", self.name, len(ids), words)
        await self._close(ids, "given_up", words)
        self._set_failing(True, f"{counted(len(ids), 'note')} given up: {words}")

    def _failed(self, words: str) -> None:
        self.failures += 1
        self.last_error = words
        if self.failures in (1, CHANNEL_FAILURES):
            log.warning("channel %s failed (%d in a row): %s", self.name, self.failures, words)
        if self.failures >= CHANNEL_FAILURES:
            self._set_failing(True, f"{counted(self.failures, 'failure')} in a row: {words}")

    def _delivered(self) -> None:
        self.failures = 0
        self.last_ok_at = self._clock.now()
        self.last_error = ""
        self._set_failing(False, "")

    def _set_failing(self, failing: bool, why: str) -> None:
        if failing or self.failing:
            self.failing = failing
            self._on_health(self.name, failing, why)


def _ids(notes: Sequence[QueuedNote]) -> list[str]:
    return [note.id for note in notes]
