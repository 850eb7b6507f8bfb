"""Errors of our own, grouped and counted as they are logged: a person sees that something is wrong with us without reading a log."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass

from guardian_tui.protocol.engine_figures import OwnError
from guardian_tui.text import safe

MOST_GROUPS = 100
"""Beyond, those that were not met for longest are forgotten."""
_MOST_WORDS = 300
_OURS = "guardian_tui.engine"


@dataclass(slots=True)
class _Group:
    words: str
    count: int
    first_at: float
    last_at: float


class OwnErrors(logging.Handler):
    """Counts records of level ERROR and above; alike are those of one place, one message (whatever is filled in) and one kind of exception."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._groups: OrderedDict[tuple[str, str, str], _Group] = OrderedDict()

    def open(self) -> None:
        """Begin to hear."""
        logging.getLogger(_OURS).addHandler(self)

    def close(self) -> None:
        """Hear no more."""
        logging.getLogger(_OURS).removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one.  It may come from any thread: the handler's lock is held."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        words = safe(record.getMessage(), _MOST_WORDS) + (f" ({kind})" if kind else "")
        key = (record.name, str(record.msg), kind)
        group = self._groups.get(key)
        if group is None:
            self._groups[key] = _Group(words, 1, record.created, record.created)
            while len(self._groups) > MOST_GROUPS:
                self._groups.popitem(last=False)
            return
        group.count, group.words, group.last_at = group.count + 1, words, record.created
        self._groups.move_to_end(key)

    def rows(self) -> tuple[OwnError, ...]:
        """The groups, the newest first."""
        self.acquire()
        try:
            found = [
                OwnError(
                    where.removeprefix("guardian_tui."),
                    group.words,
                    group.count,
                    group.first_at,
                    group.last_at,
                )
                for (where, _, _), group in self._groups.items()
            ]
        finally:
            self.release()
        return tuple(reversed(found))
