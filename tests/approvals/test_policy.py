"""Rules: which orders wait, on which hosts, for which jobs and repositories; of several the strictest of each holds."""

from __future__ import annotations

import pytest

from guardian_tui.config import ApprovalRule, ApprovalSettings, parse_settings
from guardian_tui.engine.approvals.policy import Concerned, Demand, Policy
from guardian_tui.protocol.errors import InvalidRequest

TEXT = """
[approvals]
orders = ["backups.retain"]
quorum = 1
expires_seconds = 3600

[[approvals.rules]]
orders = ["backups.restore", "repositories.unlock"]
labels = { environment = "production", role = "db" }
quorum = 2

[[approvals.rules]]
hosts = ["web1"]
expires_seconds = 600

[[approvals.rules]]
orders = ["backups.restore"]
jobs = ["ledger"]
repositories = ["vault"]
"""
DB = {"host": "db1", "environment": "production", "role": "db"}
WEB = {"host": "web1", "environment": "production", "role": "web"}
TEST = {"host": "t1", "environment": "test", "role": "db"}


@pytest.mark.parametrize(
    ("order", "concerned", "wanted"),
    [
        ("backups.restore", Concerned(), None),
        ("backups.retain", Concerned(), Demand(1, 3600)),
        ("backups.restore", Concerned((DB,)), Demand(2, 3600)),
        ("repositories.unlock", Concerned((TEST, DB)), Demand(2, 3600)),
        # a label of one host and a label of another make no host
        ("backups.restore", Concerned(({**WEB, "host": "web2"}, TEST)), None),
        ("backups.remove", Concerned((DB,)), None),
        ("backups.remove", Concerned((WEB,)), Demand(1, 600)),
        ("backups.retain", Concerned((WEB,)), Demand(1, 600)),
        ("backups.restore", Concerned((DB, WEB)), Demand(2, 600)),
        ("backups.restore", Concerned((TEST,), ("ledger",), ("vault",)), Demand(1, 3600)),
        ("backups.restore", Concerned((TEST,), ("ledger",), ("other",)), None),
        ("backups.restore", Concerned((TEST,), ("shop",), ("shelf", "vault")), None),
    ],
)
def test_the_strictest_of_the_rules_that_fit_holds(
    order: str, concerned: Concerned, wanted: Demand | None
) -> None:
    policy = Policy(parse_settings(TEXT).approvals)
    assert policy.demand(order, concerned) == wanted  # type: ignore[arg-type]  # one of its orders


def test_a_rule_without_a_selector_is_for_all() -> None:
    policy = Policy(ApprovalSettings(rules=(ApprovalRule(quorum=3),), expires_seconds=60.0))
    assert policy.demand("backups.edit", Concerned()) == Demand(3, 60)


@pytest.mark.parametrize(
    "wrong", ['orders = ["hosts.remove"]', 'scope = "a=b"', "quorum = 0", 'hosts = "web1"']
)
def test_a_rule_that_says_nothing_sensible_is_refused_with_its_place(wrong: str) -> None:
    with pytest.raises(InvalidRequest, match="line"):
        parse_settings(f"[[approvals.rules]]\n{wrong}\n")
