"""States from evidence, rows from figures, and this machine."""

from __future__ import annotations

import math
from typing import Any

import pytest

from guardian_tui.engine.facts import AlertsOfHost
from guardian_tui.engine.fleet import local
from guardian_tui.engine.fleet.host import Host, judge, row_of
from guardian_tui.engine.fleet.series import sample_values
from guardian_tui.protocol.fleet import HostSpec

NOW = 1_800_000_000.0
PAGE = AlertsOfHost("a", 2, "page", "critical", "disk full")
SHOWN = AlertsOfHost("a", 1, "show", "warning", "busy")


def host(**evidence: Any) -> Host:
    """A host that has given figures."""
    one = Host("a", HostSpec(name="a"), None, NOW, measured_at=NOW)
    for name, value in evidence.items():
        setattr(one, name, value)
    return one


@pytest.mark.parametrize(
    ("evidence", "cut_off", "state"),
    [
        ({"reach": "up"}, False, "up"), ({"reach": "never"}, False, "unknown"), ({"reach": "up", "alerts": PAGE}, False, "degraded"),
        ({"reach": "up", "alerts": SHOWN}, False, "up"), ({"reach": "failing", "failures": 2}, False, "up"), ({"reach": "failing", "failures": 3}, False, "down"),
        ({"reach": "failing", "failures": 1, "was_down": True}, False, "down"), ({"reach": "failing", "failures": 9}, True, "unknown"),
        ({"reach": "failing", "failures": 0}, False, "unknown"), ({"reach": "up", "was_down": True, "successes": 1}, False, "down"),
        ({"reach": "unreachable"}, False, "unreachable"), ({"reach": "unreachable"}, True, "unknown"), ({"reach": "unknown"}, False, "unknown"),
        ({"reach": "key_changed"}, True, "down"), ({"reach": "failing", "failures": 9, "maintenance_until": NOW + 5}, False, "maintenance"),
        ({"reach": "failing", "failures": 9, "maintenance_until": NOW - 5}, False, "down"), ({"reach": "up", "measured_at": None}, False, "unknown"),
    ],
)  # fmt: skip
def test_the_state_is_what_the_evidence_allows(evidence: dict[str, Any], cut_off: bool, state: str) -> None:
    assert judge(host(**evidence), NOW, cut_off=cut_off)[0] == state


def test_every_state_but_up_has_a_reason_in_words() -> None:
    for evidence in (
        {"reach": "never"},
        {"reach": "up", "alerts": PAGE},
        {"reach": "up", "maintenance_until": NOW + 5},
    ):
        assert judge(host(**evidence), NOW, cut_off=False)[1]


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
