"""Keeps waiting times in the store, so that a restart does not begin them anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from guardian_tui.engine.alerts.compile import split_series
from guardian_tui.engine.alerts.evaluate import Evaluator
from guardian_tui.engine.alerts.memory import Timer
from guardian_tui.engine.alerts.records import StateKey, StoredState, as_text, stored_timers

FLAG = "filesystem_readonly"
FLAG_RULE = "file_system_read_only"
STALE_SECONDS = 86400.0
"""A waiting time that nobody looked at for this long is not taken up again."""


class Waiting:
    """What the evaluator remembers, as rows: gathered now and then, written with the next transaction.

    Args:
        first_seen: when each host first answered; shared with the service, which fills it.
    """

    def __init__(self, evaluator: Evaluator, first_seen: dict[str, float]) -> None:
        self._evaluator = evaluator
        self._first_seen = first_seen
        self._stored: dict[str, dict[StateKey, str]] = {}
        self._timed: set[str] = set()
        """Hosts of which waiting times are stored."""
        self._touched: set[str] = set()
        self._gathered: dict[StateKey, str | None] = {}

    def touch(self, host_id: str) -> None:
        """Something of this host's changed that must be kept."""
        self._touched.add(host_id)

    def restore(self, rows: Mapping[StateKey, StoredState], now: float) -> None:
        """Hand what was stored to the evaluator."""
        for key, state in rows.items():
            host_id, rule, instance = key
            self._stored.setdefault(host_id, {})[key] = as_text(state)
            if state.timers:
                self._timed.add(host_id)
            if state.first_seen:
                self._first_seen[host_id] = state.first_seen
            if state.unset:
                self._evaluator.restore_unset(host_id, f"{FLAG}{{{instance}}}")
            for timer in state.timers:
                if now - timer.seen_at < STALE_SECONDS:
                    self._evaluator.restore_timer(
                        host_id,
                        Timer(
                            rule,
                            instance,
                            timer.level,
                            timer.phase,
                            timer.seconds,
                            timer.began_at,
                            timer.seen_at,
                        ),
                    )

    def gather(self, now: float) -> bool:
        """Look at what waits now; whether there is something to write."""
        hosts = set(self._evaluator.waiting_hosts()) | self._touched | self._evaluator.news | self._timed
        self._touched.clear()
        self._evaluator.news.clear()
        for host_id in hosts:
            wanted = self._wanted(host_id, now)
            stored = self._stored.get(host_id, {})
            for key, body in wanted.items():
                if stored.get(key) != body:
                    self._gathered[key] = body
            for key in stored:
                if key not in wanted:
                    self._gathered[key] = None
        return bool(self._gathered)

    def _wanted(self, host_id: str, now: float) -> dict[StateKey, str]:
        states: dict[StateKey, StoredState] = {}
        if host_id in self._first_seen:
            states[(host_id, "", "")] = StoredState(first_seen=self._first_seen[host_id])
        for series in self._evaluator.unset(host_id):
            states[(host_id, FLAG_RULE, split_series(series)[1])] = StoredState(unset=True)
        timers: dict[StateKey, list[Timer]] = {}
        for timer in self._evaluator.timers(host_id):
            if now - timer.seen_at < STALE_SECONDS:
                timers.setdefault((host_id, timer.rule, timer.instance), []).append(timer)
        for key, waiting in timers.items():
            states.setdefault(key, StoredState()).timers = stored_timers(waiting)
        return {key: as_text(state) for key, state in states.items()}

    def changes(self) -> tuple[Mapping[StateKey, str | None], Callable[[], None]]:
        """What is to be written, and what to call when it is."""
        changes = dict(self._gathered)

        def written() -> None:
            for key, body in changes.items():
                if self._gathered.get(key, "") == body:
                    self._gathered.pop(key, None)
                rows = self._stored.setdefault(key[0], {})
                if body is None:
                    rows.pop(key, None)
                else:
                    rows[key] = body
                if not rows:
                    self._stored.pop(key[0], None)
            for host_id in {key[0] for key in changes}:
                timed = any('"timers"' in body for body in self._stored.get(host_id, {}).values())
                (self._timed.add if timed else self._timed.discard)(host_id)

        return changes, written
