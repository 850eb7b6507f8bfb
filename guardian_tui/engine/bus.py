"""The engine's inner event bus: how features tell each other facts without knowing each other.

Synchronous and typed: a subscriber is a plain function that must not block; what takes time it starts elsewhere.
A subscriber that fails is logged and does not stop the others.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")


class Bus:
    """Publish and subscribe by the type of the fact."""

    def __init__(self) -> None:
        # Any: the registry is keyed by type; subscribe() and publish() keep it honest.
        self._subscribers: dict[type[Any], list[Callable[[Any], None]]] = defaultdict(list)

    def subscribe(self, kind: type[T], callback: Callable[[T], None]) -> None:
        """Call ``callback`` with each fact of exactly this type."""
        self._subscribers[kind].append(callback)

    def publish(self, fact: object) -> None:
        """Tell all subscribers of this fact's type, in the order in which they subscribed."""
        for callback in self._subscribers.get(type(fact), ()):
            try:
                callback(fact)
            except Exception:
                log.exception("a subscriber of %s failed", type(fact).__name__)
