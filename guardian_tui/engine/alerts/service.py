"""The alerts service: hears facts, keeps the book, sees that it is written and that somebody is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from math import isnan

from guardian_tui.config import AlertsSettings, ChannelSettings
from guardian_tui.engine.alerts import records
from guardian_tui.engine.alerts.book import AlertKey, Book, Held
from guardian_tui.engine.alerts.catalogue import quantity
from guardian_tui.engine.alerts.channels import Resolve, Secrets, Sender
from guardian_tui.engine.alerts.courier import Courier, Pace
from guardian_tui.engine.alerts.evaluate import Evaluator
from guardian_tui.engine.alerts.faults import Fault, make_fault, words_of
from guardian_tui.engine.alerts.handlers import AlertHandlers
from guardian_tui.engine.alerts.memory import Finding
from guardian_tui.engine.alerts.proving import Proving
from guardian_tui.engine.alerts.reach import Reach
from guardian_tui.engine.alerts.settings import check_settings
from guardian_tui.engine.alerts.smtp import Smtp
from guardian_tui.engine.alerts.waiting import Waiting
from guardian_tui.engine.alerts.webhook import Webhook
from guardian_tui.engine.alerts.writer import Writer
from guardian_tui.engine.bus import Bus
from guardian_tui.engine.calls import AuditSink, Handler
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import (
    Announcement,
    CutOff,
    EngineBehind,
    HostsChanged,
    ProofWanted,
    Reachability,
    VaultUnlocked,
    WaveDone,
)
from guardian_tui.engine.live import Live
from guardian_tui.engine.store.database import Store
from guardian_tui.engine.turns import next_turn
from guardian_tui.protocol.errors import StoreUnavailable

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
STATE_SECONDS = 15.0
"""Waiting times are written this often; what a ``kill -9`` takes of them is no more."""
SETTLED_SECONDS = 120.0
"""By then all hosts are announced and faults of the engine itself noticed again; what was not, ends."""
CLEAN_SECONDS = 3600.0
REFRESH_SECONDS = 15.0
"""How often the figures of firing alerts are brought up to date on screen."""
NOTES_KEPT_SECONDS = 7 * 86400.0


class Alerts:
    """Alerts of all hosts and of the engine itself.

    Args:
        keep_days: how long ended alerts are kept.
        environment: named in messages.
        pace: how long couriers wait; tests hurry them.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        live: Live,
        clock: Clock,
        settings: AlertsSettings,
        vault: Secrets,
        audit: AuditSink,
        *,
        keep_days: float = 400.0,
        environment: str = "",
        pace: Pace | None = None,
    ) -> None:
        self.catalogue = check_settings(settings)
        self._store = store
        self._bus = bus
        self._live = live
        self._clock = clock
        self._keep_days = keep_days
        self._evaluator = Evaluator(self.catalogue.metric_rules, settings.boot_grace_seconds)
        self.book = Book(clock, live.alerts, settings.channels, bus.publish)
        self._first_seen: dict[str, float] = {}
        self._waiting = Waiting(self._evaluator, self._first_seen)
        self._proving = Proving(self.book, self._evaluator, bus.publish)
        self._reach = Reach(self.book, self.catalogue, self._first_seen)
        self.writer = Writer(self.book, store, audit, clock, self._waiting.changes, self._written)
        pace = pace or Pace()
        self.couriers = {
            name: Courier(
                name,
                channel,
                make_sender(channel, vault.resolve, clock),
                store,
                clock,
                environment,
                pace,
                self._channel_health,
                self._delivered,
            )
            for name, channel in settings.channels.items()
        }
        self._handlers = AlertHandlers(
            store, clock, live, self.catalogue, self.book, self.couriers, environment, self.settle
        )
        self._behind_since: float | None = None
        self._behind_why = ""
        self._state_due = 0.0
        self._clean_due = 0.0
        self._settled_due: float | None = None
        self._refresh_due = 0.0
        self._unconfirmed: set[AlertKey] = set()
        """Alerts of the engine itself that were firing when it ended and that no fact has confirmed since."""
        self._task: asyncio.Task[None] | None = None

    def handlers(self) -> dict[str, Handler]:
        """Handlers of the routes of alerts, silences, rules and channels."""
        return self._handlers.table()

    async def start(self) -> None:
        """Take up what was firing when the engine ended, and begin to listen."""
        await self._restore()
        for kind, hear in (
            (WaveDone, self._wave_done),
            (Reachability, self._heard),
            (HostsChanged, self._hosts_changed),
            (CutOff, self._cut_off),
            (EngineBehind, self._behind),
            (VaultUnlocked, self._unlocked),
            (Announcement, self._announced),
            (ProofWanted, self._proving.want),
        ):
            self._bus.subscribe(kind, hear)  # type: ignore[arg-type]  # each pair fits, the tuple's type does not say so
        self.writer.start()
        for courier in self.couriers.values():
            courier.start()
        self._task = asyncio.create_task(self._ticks(), name="alerts tick")

    async def stop(self) -> None:
        """Stop; what is unwritten is written first, if it can be."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await asyncio.gather(*(courier.stop() for courier in self.couriers.values()))
        self._waiting.gather(self._clock.now())
        await self.writer.stop()

    async def _restore(self) -> None:
        now = self._clock.now()
        async with self._store.read() as conn:
            firing = await records.read_firing(conn)
            silences = await records.read_silences(conn, now)
            state = await records.read_state(conn)
        for silence in silences:
            self.book.silences[silence.id] = silence
            self._handlers.show_silence(silence)
        for held in firing:
            self._take_up(held, now)
        self._waiting.restore(state, now)
        self._settled_due = self._clock.monotonic() + SETTLED_SECONDS
        try:
            async with self._store.write() as tx:
                await records.give_up_orphans(tx, self.couriers)
        except StoreUnavailable as error:
            log.warning("notes of channels that are gone could not be given up: %s", error.detail)

    def _take_up(self, held: Held, now: float) -> None:
        """An alert was firing when the engine ended."""
        self.book.restore(held)
        alert = held.alert
        if alert.rule not in self.catalogue.names():
            self.book.resolve(held.key, now, why="its rule is switched off", tell=False)
        elif alert.rule in self._evaluator.rules:
            severities = [level.severity for level in self._evaluator.rules[alert.rule].levels]
            level = severities.index(alert.severity) if alert.severity in severities else 0
            self._evaluator.restore_firing(alert.host_id, alert.rule, alert.instance, level)
        elif alert.rule == "notifications_failing":
            if alert.instance in self.couriers:
                self.couriers[alert.instance].restore_failing()
            else:
                self.book.resolve(held.key, now, why="the settings no longer have this channel", tell=False)
        elif not alert.host_id:
            self._unconfirmed.add(held.key)

    # facts

    def _wave_done(self, wave: WaveDone) -> None:
        for sample in wave.samples:
            if sample.host_id not in self.book.hosts:
                continue  # a late answer of a host that was removed
            if sample.host_id not in self._first_seen:
                self._first_seen[sample.host_id] = sample.at
                self._waiting.touch(sample.host_id)
            if wave.period == "fast":
                self._reach.sampled(sample.host_id, sample.at)
            for finding in self._evaluator.sample(sample, wave.period):
                self._found(finding)
            self._proving.sampled(sample, wave.period)
        self.settle()

    def _found(self, finding: Finding) -> None:
        self._waiting.touch(finding.host_id)
        rule = finding.rule
        if finding.level < 0:
            key = (finding.host_id, rule.rule, finding.instance)
            why = "it is no longer there" if finding.gone else self._proving.why(key)
            self.book.resolve(key, finding.at, why=why)
            return
        first_seen = self._first_seen.get(finding.host_id, finding.at)
        self.book.fire(finding.host_id, finding.instance, make_fault(finding, first_seen))

    def _heard(self, fact: Reachability) -> None:
        if fact.host_id not in self.book.hosts:
            return
        self._reach.heard(fact)
        if fact.state == "up" and fact.host_id not in self._first_seen:
            self._first_seen[fact.host_id] = fact.at
            self._waiting.touch(fact.host_id)
        self.settle()

    def _hosts_changed(self, fact: HostsChanged) -> None:
        for facts in fact.hosts:
            self.book.put_host(facts)
        for host_id in fact.removed:
            self._reach.forget(host_id)
            self.book.drop_host(host_id)
            self._evaluator.forget(host_id)
            self._first_seen.pop(host_id, None)
            self._waiting.touch(host_id)
        self.settle()

    def _cut_off(self, fact: CutOff) -> None:
        self._unconfirmed.discard(("", "engine_cut_off", ""))
        self._reach.cut(fact, self._clock.now())
        self.settle()

    def _behind(self, fact: EngineBehind) -> None:
        self._unconfirmed.discard(("", "engine_behind", ""))
        if not fact.late:
            self._behind_since = None
            self.book.resolve(("", "engine_behind", ""), fact.at)
        elif self._behind_since is None:
            self._behind_since = self._clock.monotonic()
        self._behind_why = f"{fact.late} of {fact.of} hosts are polled late"
        self.settle()

    def _unlocked(self, _: VaultUnlocked) -> None:
        for courier in self.couriers.values():
            courier.try_now()

    def _announced(self, fact: Announcement) -> None:
        """Something is to be told that is no alert: into the outbox, where a second time changes nothing."""
        wanted = fact.channels or tuple(self.couriers)
        for name in [name for name in wanted if name in self.couriers]:
            self.book.announce(name, fact)
            fact.taken(name)
        self.settle()

    def settle(self) -> None:
        """After a change: tell the others, and have it written."""
        self.book.publish_touched()
        if self.book.unwritten:
            self.writer.wake()

    # time

    async def _ticks(self) -> None:
        while True:
            await next_turn(TICK_SECONDS)
            try:
                await self.tick()
            except StoreUnavailable as error:
                log.warning("old alerts could not be removed: %s", error.detail)
            except Exception:
                log.exception("the alerts' tick failed")

    async def tick(self) -> None:
        """Look at what only time changes."""
        now, ticks = self._clock.now(), self._clock.monotonic()
        for silence in [silence for silence in self.book.silences.values() if silence.until <= now]:
            del self.book.silences[silence.id]
            self._live.silences.drop(silence.id)
        self._judge_behind(now, ticks)
        if self._settled_due is not None and ticks >= self._settled_due:
            self._settled_due = None
            self._end_unconfirmed(now)
        if ticks >= self._refresh_due:
            self._refresh_due = ticks + REFRESH_SECONDS
            self._refresh()
        self._proving.tick(now)
        self.book.tick()
        if ticks >= self._state_due:
            self._state_due = ticks + STATE_SECONDS
            if self._waiting.gather(now):
                self.writer.wake()
        self.settle()
        if ticks >= self._clean_due:
            self._clean_due = ticks + CLEAN_SECONDS
            past = self._store.past.now()
            async with self._store.write() as tx:
                await records.remove_old(tx, past - self._keep_days * 86400, past - NOTES_KEPT_SECONDS)

    def _judge_behind(self, now: float, ticks: float) -> None:
        words = self.catalogue.event_rules.get("engine_behind")
        if words is None or self._behind_since is None or self.book.get(("", words.rule, "")) is not None:
            return
        if ticks - self._behind_since >= words.for_seconds:
            fault = Fault(words.rule, words.title, words.severity, words.tier, now, self._behind_why)
            self.book.fire("", "", fault)

    def _end_unconfirmed(self, now: float) -> None:
        for key in [key for key in self.book.firing if key[0] and key[0] not in self.book.hosts]:
            self.book.resolve(key, now, why="the host was removed", tell=False)
        for key in self._unconfirmed:
            self.book.resolve(key, now, why="it was not seen again after the engine was started")
        self._unconfirmed.clear()

    def _refresh(self) -> None:
        for key, held in self.book.firing.items():
            alert, rule = held.alert, self._evaluator.rules.get(key[1])
            if alert.value is None or rule is None:
                continue
            value = self._evaluator.value(*key)
            if not isnan(value) and quantity(value, alert.unit) != quantity(alert.value, alert.unit):
                level = next(level for level in rule.levels if level.severity == alert.severity)
                self.book.refresh(held, value=value, why=words_of(rule, level, value))

    # channels

    def _written(self, channels: set[str]) -> None:
        for name in channels:
            if name in self.couriers:
                self.couriers[name].wake()

    def _delivered(self, channel: str, alert_ids: Sequence[str]) -> None:
        for id in dict.fromkeys(alert_ids):
            held = self.book.by_id.get(id)
            if held is not None and channel not in held.alert.delivered:
                self.book.update(held, delivered=(*held.alert.delivered, channel))
        self.settle()

    def _channel_health(self, channel: str, failing: bool, why: str) -> None:
        words = self.catalogue.event_rules.get("notifications_failing")
        now = self._clock.now()
        if not failing:
            self.book.resolve(("", "notifications_failing", channel), now, why="a message was delivered")
        elif words is not None and self.book.get(("", words.rule, channel)) is None:
            self.book.fire("", channel, Fault(words.rule, words.title, words.severity, words.tier, now, why))
        self.settle()


def make_sender(settings: ChannelSettings, resolve: Resolve, clock: Clock) -> Sender:
    """The sender of a channel's kind."""
    return Webhook(settings, resolve, clock) if settings.kind == "webhook" else Smtp(settings, resolve, clock)
