"""Alerts, silences, rules and the channels that carry them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Request, Response

Severity = Literal["info", "warning", "critical"]
Tier = Literal["show", "notify", "page"]
Words = Annotated[str, msgspec.Meta(max_length=1000)]


class Alert(Response, frozen=True):
    """One thing that is wrong, on one host (or on the engine itself), under one rule."""

    id: str
    rule: str
    """Stable snake_case id, e.g. ``disk_low``."""
    title: str
    severity: Severity
    tier: Tier
    state: Literal["firing", "resolved"]
    since: float
    host_id: str = ""
    """Empty: the engine itself."""
    host: str = ""
    instance: str = ""
    """Mount, NIC, device, unit."""
    value: float | None = None
    threshold: float | None = None
    unit: str = ""
    """``ratio``, ``bytes``, ``seconds``, ``count``, ``per_second``, or empty."""
    metric: str = ""
    """Series to chart, with its instance."""
    why: str = ""
    """The reason in words, e.g. ``cpu > 95 % for 12m``."""
    resolved_at: float | None = None
    acknowledged_by: str = ""
    acknowledged_at: float | None = None
    note: str = ""
    silenced_until: float | None = None
    preexisting: bool = False
    """Already wrong when the host was added: shown, told to nobody."""
    folded: int = 0
    """How many hosts behind this one are unreachable because of it."""
    delivered: tuple[str, ...] = ()
    """Channels that took the message."""


class AlertsQuery(Request, frozen=True):
    """Alerts that fire now, or also the ended ones.

    ``filter`` is in the grammar of ``/``: words, ``!not``, ``column=value`` or a label of the host, ``~regex``, ``value>0.9``.
    """

    filter: Annotated[str, msgspec.Meta(max_length=500)] = ""
    resolved: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200


class AlertRef(Request, frozen=True):
    """Names one alert."""

    alert: str


class AlertList(Response, frozen=True):
    """Alerts, worst and newest first."""

    alerts: tuple[Alert, ...]


class Acknowledge(Request, frozen=True):
    """Say that you have it; escalation stops, the alert stays until it is resolved.

    ``taken_from`` is who had it when you looked: of two who take it at once the second is told who was faster.
    """

    alert: str
    note: Words = ""
    undo: bool = False
    taken_from: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Silence(Response, frozen=True):
    """Alerts that match tell nobody until ``until``."""

    id: str
    rule: str
    host: str
    instance: str
    reason: str
    by: str
    created_at: float
    until: float


class AddSilence(Request, frozen=True):
    """Silence alerts by rule, host and instance; an empty one matches all."""

    rule: Words = ""
    host: Words = ""
    instance: Words = ""
    reason: Words = ""
    seconds: Annotated[float, msgspec.Meta(ge=60, le=31 * 86400)] = 3600


class EndSilence(Request, frozen=True):
    """End a silence now."""

    silence: str


class SilenceList(Response, frozen=True):
    """Silences that hold now."""

    silences: tuple[Silence, ...]


class Rule(Response, frozen=True):
    """One level of one rule as it is in force."""

    rule: str
    title: str
    severity: Severity
    tier: Tier
    condition: str
    """The condition as an expression of metrics."""
    for_seconds: float
    clears: str = ""
    metric: str = ""
    """The metric that its first condition compares with a fixed value; empty: it has none, and no line in a chart."""
    threshold: float | None = None
    above: bool = True
    """Whether it fires above the threshold, or below it."""


class RuleList(Response, frozen=True):
    """All rules in force."""

    rules: tuple[Rule, ...]


class Channel(Response, frozen=True):
    """A way to reach someone."""

    name: str
    kind: Literal["webhook", "smtp"]
    target: str
    """Where it goes, without secrets."""
    state: Literal["ok", "failing", "open"]
    """``open``: its circuit breaker waits before the next try."""
    last_ok_at: float | None = None
    last_error: str = ""
    waiting: int = 0


class ChannelList(Response, frozen=True):
    """All channels."""

    channels: tuple[Channel, ...]


class TestChannel(Request, frozen=True):
    """Send a test message through a channel now."""

    channel: str
