"""Facts that features exchange over the bus: the only vocabulary that fleet and alerts share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from guardian_tui.protocol.fleet import HostState
from guardian_tui.protocol.metrics import Period

_ids = itertools.count(1)


class Layout:
    """The series of a sample, by position.  Interned per host shape, so that rules resolve names once per layout."""

    __slots__ = ("_places", "id", "index", "names")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.id = next(_ids)
        self.names = names
        self.index: dict[str, int] = {name: place for place, name in enumerate(names)}
        self._places: dict[str, tuple[int, ...]] = {}

    def places(self, prefix: str) -> tuple[int, ...]:
        """Positions of all series whose name begins so (``metric{``); found once per layout."""
        found = self._places.get(prefix)
        if found is None:
            found = self._places[prefix] = tuple(
                p for name, p in self.index.items() if name.startswith(prefix)
            )
        return found


@dataclass(slots=True)
class Sample:
    """Values of one host at one time, in the order of its layout; NaN is a gap."""

    host_id: str
    at: float
    """Unix seconds of the engine's clock when the answer was whole."""
    layout: Layout
    values: list[float]
    uptime_seconds: float = -1.0
    """The host's; -1: not known."""
    words: Mapping[str, str] | None = None
    """Why a series is as it is, in words, by its name."""
    began: Mapping[str, float] | None = None
    """When what is told of an instance began to be measured, where that is not as of all of it."""
    took_seconds: float = 0.0
    """How long before ``at`` it began to be measured: a ``df`` may take its time."""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What rules and messages need to know of a host."""

    id: str
    name: str
    labels: dict[str, str]
    environment: str
    jump_id: str = ""
    """Id of the nearest host that stands before it, or empty."""
    adopted_at: float = 0.0
    """When it was added: what is already wrong at its first samples is pre-existing."""
    maintenance_until: float = 0.0


@dataclass(frozen=True, slots=True)
class WaveDone:
    """A group of hosts was polled: fast, medium or slow samples, all at once."""

    samples: tuple[Sample, ...]
    period: Period


@dataclass(frozen=True, slots=True)
class Reachability:
    """A host's reachability changed, or it was polled again without an answer.

    ``up``: answers; ``failing``: did not answer ``failures`` times in a row; ``unreachable``: what stands before it does not answer
    (``parent`` names it); ``unknown``: we can't tell, ``why`` says why; ``key_changed``: refused, its key is not the pinned one.
    """

    host_id: str
    state: Literal["up", "failing", "unreachable", "unknown", "key_changed"]
    at: float
    failures: int = 0
    successes: int = 0
    why: str = ""
    parent_id: str = ""


@dataclass(frozen=True, slots=True)
class HostsChanged:
    """Hosts were added, edited or removed.  ``hosts`` holds the new facts, ``removed`` ids."""

    hosts: tuple[HostFacts, ...] = ()
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostsRelabelled:
    """Hosts have other labels, which decide who sees what concerns them."""

    hosts: frozenset[str]
    """Ids."""


@dataclass(frozen=True, slots=True)
class CutOff:
    """Most independent hosts failed in one wave: it is our own link.  ``since`` None: it is back."""

    since: float | None
    failed: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True)
class EngineBehind:
    """Polls are late by more than an interval.  ``late`` 0: caught up."""

    late: int
    of: int
    at: float


@dataclass(frozen=True, slots=True)
class AlertsOfHost:
    """Firing, unsilenced alerts of one host after a change; fleet makes its state and row from it."""

    host_id: str
    count: int
    worst_tier: Literal["", "show", "notify", "page"]
    worst_severity: Literal["", "info", "warning", "critical"]
    why: str
    since: float | None = None
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class StateChanged:
    """A host's shown state changed."""

    host_id: str
    name: str
    old: HostState
    new: HostState
    at: float
    why: str
    tags: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class VaultUnlocked:
    """The data key is in memory now: secrets can be read."""


@dataclass(frozen=True, slots=True)
class SecretChanged:
    """A secret of the vault was written anew, or destroyed."""

    name: str


@dataclass(frozen=True, slots=True)
class AgentOffered:
    """A client handed over its ``SSH_AUTH_SOCK``; whoever uses it checks the owner first."""

    path: str
    peer_uid: int


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session was ended, locked or expired: its streams end."""

    session_id: str
    reason: Literal["logout", "expired", "locked", "revoked"]


@dataclass(frozen=True, slots=True)
class QuestionAnswered:
    """A question about a host was answered: it is worth trying again now."""

    host_id: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something a person is to be told that is no alert; told at least once, and under one ``key`` only once.

    ``channels`` is empty for all; who takes it calls ``taken`` with the channel's name.
    """

    key: str
    at: float
    title: str
    text: str
    channels: tuple[str, ...]
    taken: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ProofWanted:
    """Somebody says that what an alert tells of is mended: its rule is to be judged by values measured after ``after``."""

    token: str
    alert_id: str
    host_id: str
    rule: str
    instance: str
    after: float


@dataclass(frozen=True, slots=True)
class ProofGiven:
    """What a rule said when it was judged again."""

    token: str
    proof: Literal["fixed", "not_fixed", "unknown"]
    words: str
