"""Which orders wait for how many others: the settings' general rule, and rules for some hosts, jobs and repositories."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from guardian_tui.config import ApprovalRule, ApprovalSettings
from guardian_tui.protocol.approvals import WITH_REPOSITORY, ApprovedOrder


@dataclass(frozen=True, slots=True)
class Demand:
    """What an order needs before it is done."""

    quorum: int
    expires_seconds: float


@dataclass(frozen=True, slots=True)
class Concerned:
    """What an order is about, as rules name it.

    Attributes:
        hosts: labels of each host (``host``, its name, among them).
        jobs: names of the backup jobs.
        repositories: names of the repositories.
    """

    hosts: tuple[Mapping[str, str], ...] = ()
    jobs: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()


class Policy:
    """The settings, asked about one order."""

    def __init__(self, settings: ApprovalSettings) -> None:
        self._settings = settings

    def demand(self, order: ApprovedOrder, concerned: Concerned) -> Demand | None:
        """What all rules together that fit want, the strictest of each; None: nobody is asked."""
        named = {order, "repositories.edit"} if order in WITH_REPOSITORY else {order}
        found = [
            Demand(rule.quorum or self._settings.quorum, rule.expires_seconds or self._settings.expires_seconds)
            for rule in self._settings.rules
            if _fits(rule, named, concerned)
        ]  # fmt: skip
        if named.intersection(self._settings.orders):
            found.append(Demand(self._settings.quorum, self._settings.expires_seconds))
        if not found:
            return None
        return Demand(max(one.quorum for one in found), min(one.expires_seconds for one in found))


def _fits(rule: ApprovalRule, named: Iterable[str], concerned: Concerned) -> bool:
    """Whether a rule is about an order: each kind of thing that it names has to be there, a host with all of its labels."""
    return (
        (not rule.orders or _any_of(rule.orders, named))
        and (not rule.jobs or _any_of(rule.jobs, concerned.jobs))
        and (not rule.repositories or _any_of(rule.repositories, concerned.repositories))
        and (not (rule.hosts or rule.labels) or any(_is_of(rule, labels) for labels in concerned.hosts))
    )


def _is_of(rule: ApprovalRule, labels: Mapping[str, str]) -> bool:
    named = not rule.hosts or labels.get("host") in rule.hosts
    return named and all(labels.get(key) == value for key, value in rule.labels.items())


def _any_of(wanted: Iterable[str], there: Iterable[str]) -> bool:
    return not set(wanted).isdisjoint(there)
