"""States from evidence, rows from figures, and this machine."""

from __future__ import annotations

import math
import typing
from typing import Any

import pytest

from guardian_tui.engine.facts import AlertsOfHost
from guardian_tui.engine.fleet import local
from guardian_tui.engine.fleet.host import DOWN_AFTER, Host, judge, row_of
from guardian_tui.engine.fleet.series import sample_values
from guardian_tui.engine.fleet.watch import beyond_doubt
from guardian_tui.engine.remote.target import UNKNOWN_KINDS, ConnectFailed, Kind, Target
from guardian_tui.protocol.fleet import HostSpec, HostState
from tests.fleet.world import World

NOW = 1_800_000_000.0
PAGE = AlertsOfHost("a", 2, "page", "critical", "disk full")
OVER = AlertsOfHost("a", 0, "", "", "")
SHOWN = AlertsOfHost("a", 1, "show", "warning", "busy")


def host(**evidence: Any) -> Host:
    """A host that has given figures."""
    one = Host("a", HostSpec(name="a"), None, NOW, measured_at=NOW)
    for name, value in evidence.items():
        setattr(one, name, value)
    return one


WORKS = {"maintenance_until": NOW + 5, "maintenance_reason": "new disk"}
FAILING = {"reach": "failing", "why": "It refuses connections."}
LATER = "the engine is cut off"
ODD = "It answers, but not as the probe does: not understood: hello."

# evidence, whether the engine is cut off → state and reason
JUDGED: list[tuple[dict[str, Any], bool, str, str]] = [
    # what a person ordered comes first, whatever the host does
    ({**WORKS, "reach": "up"}, False, "maintenance", "new disk"),
    ({**WORKS, **FAILING, "failures": 9}, False, "maintenance", "new disk"),
    ({**WORKS, "reach": "key_changed", "why": "another key"}, True, "maintenance", "new disk"),
    ({"maintenance_until": NOW + 5, "reach": "up"}, False, "maintenance", "planned work"),
    ({**FAILING, "failures": 9, "maintenance_until": NOW}, False, "down", "It refuses connections."),
    # then what we can't know
    ({"reach": "never"}, False, "unknown", "connecting"),
    ({"reach": "never", "why": "first reading"}, True, "unknown", "first reading"),
    ({"reach": "unknown", "why": "The vault is locked."}, False, "unknown", "The vault is locked."),
    ({"reach": "unknown", "why": ODD}, False, "unknown", ODD),
    ({"reach": "unknown", "why": ODD, "was_down": True, "failures": 3}, False, "unknown", ODD),
    ({"reach": "unknown", "why": ODD, "alerts": PAGE}, False, "unknown", ODD),
    ({"reach": "unknown", "why": ODD}, True, "unknown", ODD),
    ({**FAILING, "failures": 9}, True, "unknown", LATER),
    ({**FAILING, "failures": 1}, True, "unknown", LATER),
    ({"reach": "unreachable", "why": "bastion does not answer"}, True, "unknown", LATER),
    ({"reach": "failing", "failures": 0, "why": "not heard since"}, False, "unknown", "not heard since"),
    ({"reach": "up", "measured_at": None}, False, "unknown", "connecting"),
    # then what the host does
    ({"reach": "key_changed", "why": "another key"}, False, "down", "another key"),
    ({"reach": "key_changed", "why": "another key"}, True, "down", "another key"),
    (
        {"reach": "unreachable", "why": "bastion does not answer"},
        False,
        "unreachable",
        "bastion does not answer",
    ),
    ({"reach": "unreachable", "why": "w", "was_down": True}, False, "unreachable", "w"),
    ({**FAILING, "failures": 1}, False, "up", ""),
    ({**FAILING, "failures": 2}, False, "up", ""),
    ({**FAILING, "failures": 2, "alerts": PAGE}, False, "degraded", "disk full"),
    ({**FAILING, "failures": 2, "measured_at": None}, False, "unknown", "It refuses connections."),
    ({**FAILING, "failures": 3}, False, "down", "It refuses connections."),
    ({**FAILING, "failures": 1, "was_down": True}, False, "down", "It refuses connections."),
    (
        {"reach": "up", "was_down": True, "successes": 1},
        False,
        "down",
        "it answers again; one more poll to be sure",
    ),
    ({"reach": "up", "was_down": True, "successes": 2}, False, "up", ""),
    ({"reach": "up", "successes": 9, "alerts": PAGE}, False, "degraded", "disk full"),
    ({"reach": "up", "successes": 9, "alerts": PAGE}, True, "degraded", "disk full"),
    ({"reach": "up", "successes": 9, "alerts": SHOWN}, False, "up", ""),
    ({"reach": "up", "successes": 9, "alerts": OVER}, False, "up", ""),
    ({"reach": "up", "successes": 9}, False, "up", ""),
    ({"reach": "up", "successes": 9}, True, "up", ""),
]


@pytest.mark.parametrize(("evidence", "cut_off", "state", "why"), JUDGED)
def test_the_state_is_what_the_evidence_allows(
    evidence: dict[str, Any], cut_off: bool, state: str, why: str
) -> None:
    assert judge(host(**evidence), NOW, cut_off=cut_off) == (state, why)


def test_every_state_but_up_has_a_reason_and_every_state_is_judged() -> None:
    assert {state for _, _, state, _ in JUDGED} == set(typing.get_args(HostState))
    assert all(bool(why) is (state != "up") for _, _, state, why in JUDGED)


STATES_OF_KINDS: dict[Kind, HostState] = {
    # it does not answer, or not us
    "dns": "down", "refused": "down", "no_route": "down", "timeout": "down", "not_ssh": "down", "algorithms": "down", "auth": "down",
    "closed": "down", "auth_method": "down", "too_many_keys": "down", "banned": "down", "key_changed": "down", "key_revoked": "down",
    # what stands before it does not
    "jump": "unreachable",
    # we can't tell: what is missing is ours, or what answers is not the probe
    "key_unknown": "unknown", "no_credential": "unknown", "vault_locked": "unknown", "loop": "unknown", "no_probe": "unknown",
    "engine": "unknown", "certificate": "unknown", "key_file": "unknown", "agent": "unknown", "sessions": "unknown", "no_shell": "unknown",
}  # fmt: skip


async def test_each_kind_of_failure_leads_to_its_state_and_keeps_its_words(world: World) -> None:
    assert set(STATES_OF_KINDS) == set(typing.get_args(Kind))
    assert {kind for kind, state in STATES_OF_KINDS.items() if state == "unknown"} == UNKNOWN_KINDS
    for kind, state in STATES_OF_KINDS.items():
        one = host(reach="up", since=NOW)
        one.target = Target("a", "a", "127.0.0.9", 9, "x")
        for _ in range(DOWN_AFTER):
            world.fleet._unreached(one, ConnectFailed(kind, f"words of {kind}", parent_id="j"))
        assert one.state == state, kind
        assert kind == "jump" or one.shown_why == f"words of {kind}"


def test_a_filling_disk_has_a_forecast_and_one_that_empties_has_none() -> None:
    one = host()
    for step in range(10):
        one.grow("/", NOW + step * 600, 1e9 - step * 1e8)
        one.grow("/srv", NOW + step * 600, 1e9 + step * 1e8)
    assert one.hours_to_full("/") == pytest.approx(1e8 / 1e8 * 600 / 3600, rel=0.01)
    assert one.hours_to_full("/srv") is None and one.hours_to_full("/nowhere") is None


def test_a_host_without_figures_has_a_row_without_figures() -> None:
    row = row_of(host(measured_at=None))
    assert (
        row.cpu is None and row.memory is None and row.disk is None and row.receive_bytes_per_second is None
    )


def test_this_machine_gives_the_same_series_as_any_host() -> None:
    before, now = local.read_machine(), local.read_machine()
    assert now.problems == []
    layout, values = sample_values(now, before, 1.0, round_trip=0.0, clock_offset=0.0)
    known = {name for name, value in zip(layout.names, values, strict=True) if not math.isnan(value)}
    assert {
        "memory_used_ratio",
        "load1",
        "uptime_seconds",
        "cpu_count",
        "tasks_running",
        "pids_used_ratio",
    } <= known
    rooms = local.read_rooms(now.mounts)
    assert any(room.mount == "/" and 0 < room.used_ratio < 1 for room in rooms)
    assert local.machine_facts()["kernel"]


def test_a_clock_is_off_only_by_what_no_delay_of_ours_can_explain() -> None:
    assert beyond_doubt(0.088, 0.09) == 0.0 == beyond_doubt(-0.088, 0.09)
    assert beyond_doubt(-3600.0, 0.1) == -3599.9
    assert beyond_doubt(2.0, 0.001) == 1.999
