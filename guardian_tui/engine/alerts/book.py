"""The book of alerts: what fires now, who is to be told, and what has to be written.  In memory, without
waiting.

Every change leaves its trace in :class:`Unwritten`, which the writer takes to the store in one transaction.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from guardian_tui.config import ChannelSettings
from guardian_tui.engine.alerts.faults import Fault
from guardian_tui.engine.alerts.messages import Kind, Note
from guardian_tui.engine.clock import Clock
from guardian_tui.engine.facts import AlertsOfHost, Announcement, HostFacts
from guardian_tui.engine.live import LiveTable
from guardian_tui.protocol.alerts import Alert, Severity, Silence, Tier

AlertKey = tuple[str, str, str]
"""(host id, rule, instance).  One alert fires per key."""

SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")
TIERS: tuple[Tier, ...] = ("show", "notify", "page")
RESOLVED_SHOWN_SECONDS = 60.0
"""A resolved alert stays on screen for this long, so that a person sees it go."""
NOTES_LIMIT = 20_000
"""Notes that wait for a store that can't be written; past it the oldest are dropped."""
EVENTS_LIMIT = 2_000
_numbers = itertools.count()
ENGINE_LABELS: Mapping[str, str] = {}


@dataclass(slots=True)
class Held:
    """An alert and to whom it was told."""

    alert: Alert
    told: tuple[str, ...] = ()
    """Channels for which a message was queued."""
    owed: bool = False
    """Something was to be told while it was silenced."""
    paged: bool = False
    """It was of tier page: that it fired is in the audit log, and so must be that it is over."""

    @property
    def key(self) -> AlertKey:
        """Under which it is found."""
        return (self.alert.host_id, self.alert.rule, self.alert.instance)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A note for one channel.  ``id`` sorts by age and makes sure that it is queued once."""

    id: str
    channel: str
    note: Note


@dataclass(slots=True)
class Unwritten:
    """What the store does not know yet."""

    alerts: dict[str, Held] = field(default_factory=dict)
    notes: list[Outgoing] = field(default_factory=list)
    events: list[tuple[str, Alert]] = field(default_factory=list)
    """Audit events: (``fired`` or ``resolved``, alert)."""
    dropped: int = 0

    def __bool__(self) -> bool:
        return bool(self.alerts or self.notes or self.events)


class Book:
    """Alerts that fire, silences that hold, and the words that must go out.

    Args:
        clock: the engine's clock.
        live: where alerts are seen.
        channels: who can be told, by name.
        publish: tells the rest of the engine how a host fares.
    """

    def __init__(
        self,
        clock: Clock,
        live: LiveTable[Alert],
        channels: Mapping[str, ChannelSettings],
        publish: Callable[[AlertsOfHost], None],
    ) -> None:
        self._clock = clock
        self._live = live
        self._channels = channels
        self._publish = publish
        self.firing: dict[AlertKey, Held] = {}
        self.by_id: dict[str, Held] = {}
        self.hosts: dict[str, HostFacts] = {}
        self.silences: dict[str, Silence] = {}
        self.unwritten = Unwritten()
        self._of_host: dict[str, dict[AlertKey, Held]] = {}
        self._fading: dict[str, float] = {}
        self._touched: set[str] = set()

    # hosts

    def facts(self, host_id: str) -> HostFacts:
        """What is known of a host; one that was not announced goes by its id."""
        return self.hosts.get(host_id) or HostFacts(host_id, host_id, {}, "")

    def labels(self, host_id: str) -> Mapping[str, str]:
        """Labels that decide who may see what concerns this host."""
        if not host_id:
            return ENGINE_LABELS
        facts = self.facts(host_id)
        return {**facts.labels, "environment": facts.environment, "host": facts.name}

    def host_named(self, name: str) -> HostFacts | None:
        """The host with this name or id."""
        return self.hosts.get(name) or next(
            (facts for facts in self.hosts.values() if facts.name == name), None
        )

    def put_host(self, facts: HostFacts) -> None:
        """A host was added or changed: its alerts take its name, labels and maintenance."""
        self.hosts[facts.id] = facts
        for held in list(self._of_host.get(facts.id, {}).values()):
            if held.alert.host != facts.name:
                self._set(held, host=facts.name)
            self._quieten(held)
            self._show(held)
        self._touched.add(facts.id)

    def drop_host(self, host_id: str) -> None:
        """A host was removed: its alerts end, and nobody is told."""
        for key in list(self._of_host.get(host_id, {})):
            self.resolve(key, self._clock.now(), why="the host was removed", tell=False)
        self.hosts.pop(host_id, None)
        self._touched.discard(host_id)

    # alerts

    def get(self, key: AlertKey) -> Held | None:
        """The alert that fires under this key."""
        return self.firing.get(key)

    def fire(self, host_id: str, instance: str, fault: Fault) -> Held:
        """Raise an alert, or change the one that fires under the same key."""
        key = (host_id, fault.rule, instance)
        held = self.firing.get(key)
        if held is not None:
            self._change(held, fault)
            return held
        alert = Alert(
            id=secrets.token_hex(8),
            rule=fault.rule,
            title=fault.title,
            severity=fault.severity,
            tier=fault.tier,
            state="firing",
            since=fault.at,
            host_id=host_id,
            host=self.facts(host_id).name if host_id else "",
            instance=instance,
            value=fault.value,
            threshold=fault.threshold,
            unit=fault.unit,
            metric=fault.metric,
            why=fault.why,
            preexisting=fault.preexisting,
            folded=fault.folded,
        )
        held = Held(alert)
        self._hold(held)
        self._quieten(held)
        self._record(held)
        self._tell(held, "firing", fault.at)
        self._save(held)
        self._show(held)
        return held

    def _change(self, held: Held, fault: Fault) -> None:
        worse = SEVERITIES.index(fault.severity) > SEVERITIES.index(held.alert.severity)
        self._set(
            held,
            severity=fault.severity,
            tier=fault.tier,
            why=fault.why,
            value=fault.value,
            threshold=fault.threshold,
            unit=fault.unit,
            metric=fault.metric,
        )
        self._record(held)
        if worse:
            self._tell(held, "worse" if held.told else "firing", fault.at)
        self._save(held)
        self._show(held)

    def fold(self, key: AlertKey, folded: int) -> None:
        """Say how many hosts are unreachable because of this alert."""
        held = self.firing.get(key)
        if held is not None and held.alert.folded != folded:
            self._set(held, folded=folded)
            self._save(held)
            self._show(held)

    def resolve(self, key: AlertKey, at: float, *, why: str = "", tell: bool = True) -> None:
        """An alert is over."""
        held = self.firing.get(key)
        if held is None:
            return
        self._set(held, state="resolved", resolved_at=at, why=why or held.alert.why)
        if tell and held.told and not self.muted(held):
            for name in held.told:
                if name in self._channels and self._channels[name].resolved:
                    self._queue(name, Note("resolved", held.alert, at))
        if held.paged:
            self._event("resolved", held.alert)
        del self.firing[key]
        self._of_host.get(key[0], {}).pop(key, None)
        self._fading[held.alert.id] = self._clock.monotonic() + RESOLVED_SHOWN_SECONDS
        self._save(held)
        self._show(held)

    def restore(self, held: Held) -> None:
        """After a start: this alert was firing."""
        self._hold(held)
        if not held.alert.host_id:
            self._show(held)

    def update(self, held: Held, **changes: object) -> None:
        """Change what people and channels did with an alert: who has it, who took its message."""
        self._set(held, **changes)
        self._save(held)
        self._show(held)

    def refresh(self, held: Held, **changes: object) -> None:
        """Show newer figures; they are not worth a write of their own."""
        self._set(held, **changes)
        self._show(held)

    def _hold(self, held: Held) -> None:
        self.firing[held.key] = self.by_id[held.alert.id] = held
        self._of_host.setdefault(held.alert.host_id, {})[held.key] = held

    # Any of Alert's fields: msgspec checks their names
    def _set(self, held: Held, **changes: object) -> None:
        held.alert = replace(held.alert, **changes)

    def _save(self, held: Held) -> None:
        self.unwritten.alerts[held.alert.id] = held

    def _show(self, held: Held) -> None:
        self._live.put(held.alert.id, held.alert, self.labels(held.alert.host_id))
        if held.alert.host_id:
            self._touched.add(held.alert.host_id)

    # who is told

    def muted(self, held: Held) -> bool:
        """Whether nobody is told of it now."""
        return held.alert.preexisting or held.alert.silenced_until is not None

    def _quieten(self, held: Held) -> None:
        """Set until when it is silenced; tell it if a silence ended and it still fires."""
        until = self._silenced_until(held.alert)
        if until == held.alert.silenced_until:
            return
        self._set(held, silenced_until=until)
        if until is None and held.owed:
            self._tell(held, "worse" if held.told else "firing", self._clock.now())
        self._save(held)

    def _silenced_until(self, alert: Alert) -> float | None:
        now = self._clock.now()
        ends = [
            silence.until
            for silence in self.silences.values()
            if silence.until > now and self._matches(silence, alert)
        ]
        if alert.host_id:
            ends.append(self.facts(alert.host_id).maintenance_until)
        latest = max(ends, default=0.0)
        return latest if latest > now else None

    @staticmethod
    def _matches(silence: Silence, alert: Alert) -> bool:
        return (
            silence.rule in ("", alert.rule)
            and silence.host in ("", alert.host, alert.host_id)
            and silence.instance in ("", alert.instance)
        )

    def requieten(self) -> None:
        """A silence began or ended, or time passed: look again at who is told of what."""
        for held in list(self.firing.values()):
            before = held.alert.silenced_until
            self._quieten(held)
            if held.alert.silenced_until != before:
                self._show(held)

    def _tell(self, held: Held, kind: Kind, at: float) -> None:
        if held.alert.tier == "show":
            return
        held.owed = self.muted(held)
        if held.owed:
            return
        names = [name for name, channel in self._channels.items() if held.alert.tier in channel.tiers]
        if held.alert.rule == "notifications_failing":
            names = [name for name in names if name != held.alert.instance]
        for name in names:
            told_before = name in held.told
            self._queue(name, Note(kind if told_before or kind == "firing" else "firing", held.alert, at))
        held.told = tuple(dict.fromkeys((*held.told, *names)))

    def announce(self, channel: str, fact: Announcement) -> None:
        """Queue a note that is no alert's; under one key it goes out once."""
        alert = Alert(
            id=fact.key, rule="", title=fact.title, severity="info", tier="notify", state="resolved", since=fact.at, why=fact.text,
        )  # fmt: skip
        id = f"{int(fact.at * 1000):014d}-{channel}-{fact.key}"
        self.unwritten.notes.append(Outgoing(id, channel, Note("note", alert, fact.at)))

    def _queue(self, channel: str, note: Note) -> None:
        notes = self.unwritten.notes
        id = f"{int(self._clock.now() * 1000):014d}-{next(_numbers):08d}-{secrets.token_hex(4)}"
        notes.append(Outgoing(id, channel, note))
        if len(notes) > NOTES_LIMIT:
            del notes[0]
            self.unwritten.dropped += 1

    def _record(self, held: Held) -> None:
        if held.alert.tier == "page" and not held.paged:
            held.paged = True
            self._event("fired", held.alert)

    def _event(self, what: str, alert: Alert) -> None:
        self.unwritten.events.append((what, alert))
        del self.unwritten.events[:-EVENTS_LIMIT]

    # what others hear

    def tick(self) -> None:
        """Time passed: silences end, resolved alerts leave the screen."""
        now = self._clock.monotonic()
        for id in [id for id, until in self._fading.items() if until <= now]:
            if id not in self.unwritten.alerts:
                del self._fading[id]
                self.by_id.pop(id, None)
                self._live.drop(id)
        wall = self._clock.now()
        for held in list(self.firing.values()):
            if held.alert.silenced_until is not None and held.alert.silenced_until <= wall:
                self._quieten(held)
                self._show(held)
        self.publish_touched()

    def publish_touched(self) -> None:
        """Tell how each host fares whose alerts changed."""
        touched, self._touched = self._touched, set()
        for host_id in sorted(touched):
            if host_id in self.hosts:
                self._publish(self.of_host(host_id))

    def of_host(self, host_id: str) -> AlertsOfHost:
        """Firing, unsilenced alerts of a host, in short."""
        return summary(host_id, (held.alert for held in self._of_host.get(host_id, {}).values()))


def summary(host_id: str, alerts: Iterable[Alert]) -> AlertsOfHost:
    """The firing, unsilenced ones of these alerts, in short."""
    loud = [alert for alert in alerts if alert.state == "firing" and alert.silenced_until is None]
    if not loud:
        return AlertsOfHost(host_id, 0, "", "", "")
    worst = max(
        loud, key=lambda alert: (TIERS.index(alert.tier), SEVERITIES.index(alert.severity), -alert.since)
    )
    severity = max((alert.severity for alert in loud), key=SEVERITIES.index)
    where = f" {worst.instance}" if worst.instance else ""
    why = f"{worst.title}{where}" + (f": {worst.why}" if worst.why else "")
    return AlertsOfHost(
        host_id,
        len(loud),
        worst.tier,
        severity,
        why,
        since=min(alert.since for alert in loud if alert.tier == worst.tier),
        acknowledged=all(alert.acknowledged_by for alert in loud),
    )
