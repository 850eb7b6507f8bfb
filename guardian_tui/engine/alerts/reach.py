"""Hosts that don't answer: which of them is an alert, which is folded into another's, and when it is the
engine itself.

A dead jump host is one alert with a number of hosts behind it, and a cut link is one alert of the engine.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from guardian_tui.engine.alerts.book import Book
from guardian_tui.engine.alerts.catalogue import Catalogue
from guardian_tui.engine.alerts.compile import storable
from guardian_tui.engine.alerts.faults import Fault
from guardian_tui.engine.alerts.rules import DOWN_POLLS, UP_POLLS
from guardian_tui.engine.facts import CutOff, Reachability

SAME_POLL_SECONDS = 0.5
CUT_OFF_SECONDS = 60.0
"""Host-down alerts that are this much older than the cut belong to it."""


@dataclass(slots=True)
class Reached:
    """What is known of one host's answering."""

    state: Literal["", "up", "failing", "unreachable", "unknown", "key_changed"] = ""
    failures: int = 0
    successes: int = 0
    good_at: float = 0.0
    parent_id: str = ""
    why: str = ""


class Reach:
    """Turns reachability into alerts.

    Args:
        book: where alerts are kept.
        catalogue: the rules in force.
        first_seen: when each host first answered, by id; a host that never did was down when it was added.
    """

    def __init__(self, book: Book, catalogue: Catalogue, first_seen: dict[str, float]) -> None:
        self._book = book
        self._catalogue = catalogue
        self._first_seen = first_seen
        self._hosts: dict[str, Reached] = {}
        self._unreachable: set[str] = set()
        self._cut_off = False

    def forget(self, host_id: str) -> None:
        """A host was removed."""
        self._hosts.pop(host_id, None)
        self._set_unreachable(host_id, False)

    def sampled(self, host_id: str, at: float) -> None:
        """A host gave a sample."""
        known = self._hosts.get(host_id)
        if known is None:
            known = self._hosts[host_id] = Reached()
        if known.state != "up" or known.successes < UP_POLLS:
            self._answered(host_id, known, at, 0)

    def heard(self, fact: Reachability) -> None:
        """A host's reachability changed, or it did not answer again."""
        known = self._hosts.setdefault(fact.host_id, Reached())
        if fact.state == "up":
            self._answered(fact.host_id, known, fact.at, fact.successes)
            return
        known.state, known.failures, known.successes = fact.state, fact.failures, 0
        known.parent_id, known.why = fact.parent_id, storable(fact.why)
        if fact.state == "key_changed":
            self._raise(
                "host_key_changed", fact.host_id, fact.at, known.why or "the host's key is not the pinned one"
            )
            self._end(fact.host_id, "host_down", fact.at, "it answers, with another key")
        elif fact.state == "failing":
            self._judge_failing(fact.host_id, known, fact.at)
        elif fact.state == "unreachable":
            parent = self._book.facts(self._root(fact.host_id)).name
            self._end(fact.host_id, "host_down", fact.at, f"folded into the alert of {parent}")
        self._set_unreachable(fact.host_id, fact.state == "unreachable")

    def _answered(self, host_id: str, known: Reached, at: float, successes: int) -> None:
        if at - known.good_at > SAME_POLL_SECONDS or not known.successes:
            known.successes += 1
        known.good_at = at
        known.successes = max(known.successes, successes)
        known.state, known.failures, known.parent_id = "up", 0, ""
        self._end(host_id, "host_key_changed", at, "it shows the pinned key again")
        if known.successes >= UP_POLLS:
            self._end(host_id, "host_down", at, "it answers again")
        self._set_unreachable(host_id, False)

    def _judge_failing(self, host_id: str, known: Reached, at: float) -> None:
        if known.failures < DOWN_POLLS or self._cut_off:
            return
        jump = self._hosts.get(self._book.facts(host_id).jump_id)
        if jump is not None and jump.state in ("failing", "unreachable"):
            return  # what stands before it is in doubt: wait for the verdict on that
        self._raise("host_down", host_id, at, known.why or f"{known.failures} polls in a row failed")

    def _raise(self, rule: str, host_id: str, at: float, why: str) -> None:
        held = self._book.get((host_id, rule, ""))
        words = self._catalogue.event_rules.get(rule)
        if held is not None or words is None:
            return
        folded = sum(self._root(behind) == host_id for behind in self._unreachable)
        fault = Fault(
            rule,
            words.title,
            words.severity,
            words.tier,
            at,
            why,
            preexisting=host_id not in self._first_seen,
            folded=folded,
        )
        self._book.fire(host_id, "", fault)

    def _end(self, host_id: str, rule: str, at: float, why: str) -> None:
        self._book.resolve((host_id, rule, ""), at, why=why)

    def _root(self, host_id: str) -> str:
        """The host whose failure makes this one unreachable."""
        seen: set[str] = set()
        while host_id not in seen:
            seen.add(host_id)
            known = self._hosts.get(host_id)
            if known is None or known.state != "unreachable" or not known.parent_id:
                break
            host_id = known.parent_id
        return host_id

    def _set_unreachable(self, host_id: str, unreachable: bool) -> None:
        if unreachable:
            self._unreachable.add(host_id)
            self._count_folded()
        elif host_id in self._unreachable:
            self._unreachable.remove(host_id)
            self._count_folded()

    def _count_folded(self) -> None:
        counts = Counter(self._root(host_id) for host_id in self._unreachable)
        for key in list(self._book.firing):
            if key[1] == "host_down":
                self._book.fold(key, counts[key[0]])

    def cut(self, fact: CutOff, at: float) -> None:
        """The engine lost its link, or has it back."""
        words = self._catalogue.event_rules.get("engine_cut_off")
        self._cut_off = fact.since is not None
        if fact.since is None:
            self._book.resolve(("", "engine_cut_off", ""), at, why="hosts answer again")
            return
        if words is not None:
            why = f"{fact.failed} of {fact.of} independent hosts failed at once"
            self._book.fire(
                "", "", Fault(words.rule, words.title, words.severity, words.tier, fact.since, why)
            )
        for key, held in list(self._book.firing.items()):
            if key[1] == "host_down" and held.alert.since >= fact.since - CUT_OFF_SECONDS:
                self._book.resolve(key, at, why="folded into: engine cut off")
