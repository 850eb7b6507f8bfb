"""Whether what an alert tells of is mended: its rule is judged at once by values that are fresh, whatever it would else wait for."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan

from guardian_tui.engine.alerts.book import AlertKey, Book
from guardian_tui.engine.alerts.catalogue import quantity
from guardian_tui.engine.alerts.compile import period_of
from guardian_tui.engine.alerts.evaluate import Evaluator
from guardian_tui.engine.facts import ProofGiven, ProofWanted, Sample
from guardian_tui.protocol.metrics import Period

EVENT_SECONDS = 30.0
"""What the engine notices by itself (a host that answers again) has so long to be over."""

FORGOTTEN_SECONDS = 600.0
PROVEN = "proven by a fresh probe after a runbook"


class Proving:
    """Answers who wants to know.

    Args:
        publish: tells the rest of the engine.
    """

    def __init__(self, book: Book, evaluator: Evaluator, publish: Callable[[ProofGiven], None]) -> None:
        self._book = book
        self._evaluator = evaluator
        self._publish = publish
        self._wanted: dict[str, ProofWanted] = {}

    def want(self, fact: ProofWanted) -> None:
        """Somebody says that it is mended (bus subscriber)."""
        self._wanted[fact.token] = fact

    def why(self, key: AlertKey) -> str:
        """Why an alert that is over now is: because somebody mended it and wanted that proven; empty: by itself."""
        return PROVEN if any(_key(fact) == key for fact in self._wanted.values()) else ""

    def sampled(self, sample: Sample, period: Period) -> None:
        """A host's fresh values were judged."""
        for fact in [fact for fact in self._wanted.values() if fact.host_id == sample.host_id]:
            rule = self._evaluator.rules.get(fact.rule)
            if rule is not None and period_of(rule) == period and _measured_after(sample, fact):
                self._judge(fact, sample)

    def _judge(self, fact: ProofWanted, sample: Sample) -> None:
        key = _key(fact)
        holds = self._evaluator.holds(fact.host_id, fact.rule, fact.instance, sample)
        if holds is None:
            # a gap says nothing: the next sample may
            return
        held = self._book.get(key)
        if holds:
            value = self._evaluator.value(*key)
            now = "" if isnan(value) else f": {quantity(value, held.alert.unit if held else '')} now"
            what = held.alert.title if held else fact.rule
            self._give(fact, "not_fixed", f"{what} still holds{now}.")
        elif held is None:
            # the same probe has ended it already
            self._give(fact, "fixed", f"{fact.rule} holds no more, by a probe after the last step.")
        else:
            self._evaluator.release(fact.host_id, fact.rule, fact.instance)
            self._book.resolve(key, sample.at, why=PROVEN)
            self._give(fact, "fixed", f"{held.alert.title} holds no more, by a probe after the last step.")

    def tick(self, now: float) -> None:
        """Time has passed."""
        for fact in list(self._wanted.values()):
            if now - fact.after > FORGOTTEN_SECONDS:
                # whoever asked waits no longer
                del self._wanted[fact.token]
                continue
            over = self._book.get(_key(fact)) is None
            if fact.rule in self._evaluator.rules and not (over and now - fact.after >= EVENT_SECONDS):
                continue
            if over:
                self._give(fact, "fixed", "The alert is over.")
            elif now - fact.after >= EVENT_SECONDS:
                held = self._book.firing[_key(fact)]
                self._give(fact, "not_fixed", f"{held.alert.title} still fires: {held.alert.why}")

    def _give(self, fact: ProofWanted, proof: str, words: str) -> None:
        self._wanted.pop(fact.token, None)
        self._publish(ProofGiven(fact.token, proof, words))  # type: ignore[arg-type]  # one of its words


def _measured_after(sample: Sample, fact: ProofWanted) -> bool:
    """What began to be measured before it was mended proves nothing, whenever it is told."""
    began = (sample.began or {}).get(fact.instance)
    return sample.at - sample.took_seconds > fact.after if began is None else began >= fact.after


def _key(fact: ProofWanted) -> AlertKey:
    return (fact.host_id, fact.rule, fact.instance)
