"""Checks: what is looked at from outside a host or by a command on it, and what came of it."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec

from guardian_tui.protocol.base import Request, Response
from guardian_tui.protocol.check_params import Kind
from guardian_tui.protocol.fleet import LabelText

Where = Literal["engine", "forward", "host"]
"""From where a check is made: by the engine itself, by the engine through a port that the host's SSH connection forwards, or by a command on the host."""
CheckState = Literal["ok", "warning", "failed", "unknown", "waiting", "off"]
"""``unknown`` is a fault of ours (no way to the host, no credential, what we can't read); ``waiting``: not made yet; ``off``: switched off."""

CheckName = Annotated[
    str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*\Z")
]
Period = Annotated[float, msgspec.Meta(ge=1, le=86400)]
Timeout = Annotated[float, msgspec.Meta(ge=0.1, le=50)]
Scalar = str | int | float | bool
Params = dict[Annotated[str, msgspec.Meta(max_length=60)], Scalar | list[Scalar]]
"""Parameters by name, as they are typed; :mod:`guardian_tui.protocol.check_params` says which each kind has."""


class CheckSpec(Request, frozen=True):
    """What is checked, from where, how often."""

    name: CheckName
    kind: Kind
    host: Annotated[str, msgspec.Meta(max_length=253)] = ""
    """Name of the host that it belongs to; empty: the engine's own machine."""
    params: Params = msgspec.field(default_factory=dict)
    where: Literal["", "engine", "forward", "host"] = ""
    """Empty: the first that the kind can."""
    period_seconds: Period = 60.0
    timeout_seconds: Timeout = 10.0
    labels: dict[LabelText, LabelText] = msgspec.field(default_factory=dict)
    enabled: bool = True


class CheckRow(Response, frozen=True):
    """One line of the checks' list."""

    id: str
    name: str
    host_id: str
    host: str
    kind: str
    where: Where
    state: CheckState
    since: float
    """When the state began, Unix seconds of the engine's clock."""
    words: str = ""
    """What the last run found, in words."""
    measured_at: float | None = None
    seconds: float | None = None
    """How long the last run took."""
    period_seconds: float = 60.0
    timeout_seconds: float = 10.0
    failures: int = 0
    """Runs in a row that failed."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    source: str = "screen"
    """``screen``, or ``config``: such a one is changed in the config file only."""


class Range(Response, frozen=True):
    """Values to alert for: those outside of ``low`` to ``high``, or those within where ``inside``.  None: no bound on that side."""

    low: float | None = 0.0
    high: float | None = None
    inside: bool = False

    def alerts(self, value: float) -> bool:
        """Whether a value is one to alert for."""
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        return (low <= value <= high) == self.inside


class CheckFigure(Response, frozen=True):
    """One value of the last run, and the series that charts it; all in ``unit``."""

    series: str
    value: float
    unit: str
    warning: Range | None = None
    """By what the one who measured it judges it, where that is told; so with ``critical``."""
    critical: Range | None = None
    least: float | None = None
    """The least that it can be, where that is told; so with ``most``."""
    most: float | None = None

    @property
    def level(self) -> Literal["", "warning", "critical"]:
        """What its own thresholds make of it; empty: well, or not told."""
        if self.critical is not None and self.critical.alerts(self.value):
            return "critical"
        return "warning" if self.warning is not None and self.warning.alerts(self.value) else ""


class CheckDetail(Response, frozen=True):
    """A check in full."""

    row: CheckRow
    spec: CheckSpec
    figures: tuple[CheckFigure, ...] = ()


class CheckRef(Request, frozen=True):
    """Names one check by id or by name."""

    check: Annotated[str, msgspec.Meta(max_length=253)]


class EditCheck(Request, frozen=True):
    """Change a check: what is not given stays as it is.  A parameter that is given empty goes back to its default."""

    check: Annotated[str, msgspec.Meta(max_length=253)]
    name: CheckName | None = None
    params: Params | None = None
    where: Where | None = None
    period_seconds: Period | None = None
    timeout_seconds: Timeout | None = None
    labels: dict[LabelText, LabelText] | None = None
    enabled: bool | None = None


class ChecksQuery(Request, frozen=True):
    """A filter in the grammar of ``/``: words, ``!not``, ``kind=http``, a label, ``~regex``, ``seconds>1``."""

    filter: Annotated[str, msgspec.Meta(max_length=500)] = ""


class CheckList(Response, frozen=True):
    """Rows of checks."""

    checks: tuple[CheckRow, ...]


def fresh_seconds(period_seconds: float, timeout_seconds: float) -> float:
    """How long a result is believed: two periods, and what a slow run may take."""
    return 2 * period_seconds + timeout_seconds + 5.0


def fresh_until(row: CheckRow) -> float:
    """Until when the row's result is believed, Unix seconds; infinity where none is expected."""
    if row.measured_at is None or row.state in ("off", "waiting"):
        return math.inf
    return row.measured_at + fresh_seconds(row.period_seconds, row.timeout_seconds)


def shown_check_state(row: CheckRow, now: float) -> CheckState:
    """The state to draw: the engine's, or ``unknown`` when it is too old to believe."""
    return "unknown" if now > fresh_until(row) else row.state
