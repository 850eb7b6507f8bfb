"""One watched host, as the engine keeps it in memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from guardian_tui.engine.facts import AlertsOfHost, HostFacts, Layout
from guardian_tui.engine.fleet.layouts import MOST_LAYOUTS
from guardian_tui.engine.fleet.mounts import Mount, Room
from guardian_tui.engine.fleet.reading import Counts
from guardian_tui.engine.fleet.sections.kept import Kept
from guardian_tui.engine.fleet.shape import Shape
from guardian_tui.engine.remote.target import Target
from guardian_tui.protocol.fleet import HostRow, HostSpec, HostState

DOWN_AFTER = 3
UP_AFTER = 2
SPARK_POINTS = 12
GROWTH_SECONDS = 120.0
GROWTH_POINTS = 120

FILTERED_FACTS = (
    "os",
    "kernel",
    "architecture",
    "cpu_count",
    "cpu",
    "memory",
    "virtualisation",
    "packages",
    "product",
)

_SHOWN = ("cpu_busy_ratio", "memory_used_ratio", "load1_per_core", "uptime_seconds")

Reach = Literal["never", "up", "failing", "unreachable", "unknown", "key_changed"]


@dataclass(slots=True)
class Host:
    """Identity, way, newest figures and the evidence from which its state is judged."""

    id: str
    spec: HostSpec
    target: Target | None
    """None for this machine."""
    adopted_at: float
    unsupported: tuple[str, ...] = ()
    maintenance_until: float = 0.0
    maintenance_reason: str = ""
    # evidence
    reach: Reach = "never"
    why: str = ""
    parent_id: str = ""
    failures: int = 0
    successes: int = 0
    was_down: bool = False
    alerts: AlertsOfHost | None = None
    # shown
    state: HostState = "unknown"
    since: float = 0.0
    shown_why: str = ""
    behind: str = ""
    """Name of the dead host before it, when unreachable."""
    row: HostRow | None = None
    # figures
    shape: Shape | None = None
    """Of its last answer."""
    before: Counts | None = None
    before_at: float = 0.0
    names_number: int = 0
    """Tells its probe of which names it may tell figures alone, on this channel; 0: of none."""
    uptime: float | None = None
    """When it was measured last, also on an earlier channel: a reboot ends the channel."""
    oom_kills: float | None = None
    """How many there were, on this channel, where its probe makes its figures."""
    measured_at: float | None = None
    layout: Layout | None = None
    values: Sequence[float] = ()
    round_trip: float = math.nan
    clock_offset: float = math.nan
    spark: deque[int] = field(default_factory=lambda: deque(maxlen=SPARK_POINTS))
    mounts: list[Mount] = field(default_factory=list)
    rooms: list[Room] = field(default_factory=list)
    rooms_at: float = 0.0
    rooms_problem: str = ""
    growth: dict[str, deque[tuple[float, float]]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    """Replaced, never changed in place: whoever made something of it sees whether it is the same."""
    filtered_of: dict[str, str] | None = None
    """The facts of which the row's were made."""
    facts_fresh: bool = False
    """Whether they were read since the engine began; else they are those of before."""
    sections: dict[str, Kept] = field(default_factory=dict)
    """What the rounds read last, by section."""
    sections_problems: list[str] = field(default_factory=list)
    """Medium sections that did not answer in the last round."""
    survey_problems: list[str] = field(default_factory=list)
    """The same of the slow ones."""
    section_values: dict[str, dict[str, float]] = field(default_factory=dict)
    """Newest series of each section."""
    probe_words: str = ""
    """What is to say of a probe that was installed on it."""
    problems: tuple[str, ...] = ()
    paced_seconds: float = 0.0
    """Between two polls, if it answers too slowly for what was asked for; else 0."""
    pace_words: str = ""
    fingerprint: str = ""
    # made of the above, which is replaced and never changed in place: once, not for each row
    _labels: dict[str, str] = field(default_factory=dict, init=False)
    _labels_of: HostSpec | None = field(default=None, init=False)
    _fullest: Room | None = field(default=None, init=False)
    _fullest_of: list[Room] | None = field(default=None, init=False)

    def begin_anew(self) -> None:
        """Its probe was started: what it told before is no base for rates."""
        self.before = None
        self.oom_kills = None
        self.names_number = 0

    @property
    def labels(self) -> dict[str, str]:
        """Its own labels with environment and name: what scopes are matched against."""
        if self._labels_of is not self.spec:
            own = {"environment": self.spec.environment, "host": self.spec.name}
            self._labels, self._labels_of = {**self.spec.labels, **own}, self.spec
        return self._labels

    @property
    def fullest(self) -> Room | None:
        """The file system that is used most."""
        if self._fullest_of is not self.rooms:
            self._fullest = max(self.rooms, key=lambda room: room.used_ratio, default=None)
            self._fullest_of = self.rooms
        return self._fullest

    def grow(self, mount: str, at: float, available: float) -> None:
        """Remember how much room a mount had, for the forecast."""
        points = self.growth.setdefault(mount, deque(maxlen=GROWTH_POINTS))
        if not points or at - points[-1][0] >= GROWTH_SECONDS:
            points.append((at, available))

    def hours_to_full(self, mount: str) -> float | None:
        """Straight line (least squares) through the last hours of a mount's room; None: not filling, or not known."""
        points = self.growth.get(mount)
        if points is None or len(points) < 6:
            return None
        mean_t = sum(t for t, _ in points) / len(points)
        mean_v = sum(v for _, v in points) / len(points)
        spread = sum((t - mean_t) ** 2 for t, _ in points)
        slope = sum((t - mean_t) * (v - mean_v) for t, v in points) / spread if spread else 0.0
        if slope >= 0 or -slope * 3600 < 0.0001 * max(1.0, mean_v):
            return None
        return points[-1][1] / -slope / 3600

    def known(self) -> HostFacts:
        """What others need to know of it."""
        jump = self.target.jump[-1].host_id if self.target and self.target.jump else ""
        return HostFacts(
            self.id,
            self.spec.name,
            self.labels,
            self.spec.environment,
            jump,
            self.adopted_at,
            self.maintenance_until,
        )

    def value(self, name: str) -> float | None:
        """The newest value of a series; None if it is a gap or there is none."""
        if self.layout is None:
            return None
        place = self.layout.index.get(name)
        if place is None:
            return None
        value = self.values[place]
        return None if math.isnan(value) else value


def judge(host: Host, now: float, *, cut_off: bool) -> tuple[HostState, str]:
    """The state that the evidence allows, and why, in words.

    What a person ordered comes first, then what we can't know, then what the host does.
    """
    if host.maintenance_until > now:
        return "maintenance", host.maintenance_reason or "planned work"
    if host.reach == "never":
        return "unknown", host.why or "connecting"
    if host.reach == "key_changed":
        return "down", host.why
    if cut_off and host.reach in ("failing", "unreachable"):
        return "unknown", "the engine is cut off"
    if host.reach == "unknown":
        return "unknown", host.why
    if host.reach == "unreachable":
        return "unreachable", host.why
    if host.reach == "failing" and not host.failures:
        return "unknown", host.why
    if host.reach == "failing" and (host.failures >= DOWN_AFTER or host.was_down):
        return "down", host.why
    if host.was_down and host.successes < UP_AFTER:
        return "down", "it answers again; one more poll to be sure"
    if host.measured_at is None:
        return "unknown", host.why or "connecting"
    alerts = host.alerts
    if alerts is not None and alerts.count and alerts.worst_tier in ("notify", "page"):
        return "degraded", alerts.why
    return "up", host.pace_words


def row_of(host: Host) -> HostRow:
    """The line of the hosts table."""
    alerts, worst = host.alerts, host.fullest
    cpu = memory = load = uptime = received = sent = None
    if host.layout is not None:
        values, (places, receive, transmit) = host.values, _columns(host.layout)
        # what is not equal to itself is a gap
        cpu, memory, load, uptime = (
            None if place is None or (value := values[place]) != value else value for place in places
        )
        received, sent = _sum(values, receive), _sum(values, transmit)
    return HostRow(
        id=host.id, name=host.spec.name, state=host.state, since=host.since, why=host.shown_why, measured_at=host.measured_at,
        interval_seconds=host.paced_seconds or host.spec.interval_seconds, environment=host.spec.environment, labels=host.spec.labels,
        groups=host.spec.groups, facts=_facts(host), jump=host.spec.jump,
        behind=host.behind if host.state == "unreachable" else "", cpu=cpu, cpu_points=tuple(host.spark), memory=memory,
        disk=worst.used_ratio if worst else None, disk_mount=worst.mount if worst else "",
        receive_bytes_per_second=received, transmit_bytes_per_second=sent, load_per_core=load, uptime_seconds=uptime,
        alerts=alerts.count if alerts else 0,
        severity=alerts.worst_severity if alerts else "", acknowledged=alerts.acknowledged if alerts else False,
        round_trip_seconds=None if math.isnan(host.round_trip) else host.round_trip,
        until=host.maintenance_until if host.state == "maintenance" else None,
    )  # fmt: skip


def _facts(host: Host) -> dict[str, str]:
    """The facts that a list is filtered by; the row's own, as long as they are the same."""
    if host.row is not None and host.filtered_of is host.facts:
        return host.row.facts
    host.filtered_of = host.facts
    facts = {name: host.facts[name] for name in FILTERED_FACTS if name in host.facts}
    return host.row.facts if host.row is not None and host.row.facts == facts else facts


@lru_cache(maxsize=MOST_LAYOUTS)
def _columns(layout: Layout) -> tuple[tuple[int | None, ...], tuple[int, ...], tuple[int, ...]]:
    """Where a row's figures stand: those of the host, what all its interfaces receive, what they send."""
    return (
        tuple(layout.index.get(name) for name in _SHOWN),
        layout.places("network_receive_bytes_per_second{"),
        layout.places("network_transmit_bytes_per_second{"),
    )


def _sum(values: Sequence[float], places: tuple[int, ...]) -> float | None:
    found = [values[place] for place in places]
    total = sum(found)
    if total != total:
        # a gap among them
        found = [value for value in found if not math.isnan(value)]
        total = sum(found)
    return total if found else None
