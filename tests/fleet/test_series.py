"""Counters into rates: what wraps, resets, jumps or is missing is a gap, never a guess."""

from __future__ import annotations

import math

import pytest

from guardian_tui.engine.fleet.reading import Reading, parse
from guardian_tui.engine.fleet.series import layout_of, sample_values

BEFORE = (
    b"u 1000.0 1\nc 100 0 50 800 50 0 0 0\np -1 -1 2\nm 1000 -1 250 -1 -1 100 25\nv 10 1\n"
    b"l 3 2 1 4/200 9\nd sda 100 1000 100 100 1000 100 0 1000 1000\nN eth0 1000 10 0 0 1000 10 0 0\nF 100 0 1000\nT 400\nK 5 10\nP -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 25.0"
)
AFTER = (
    b"u 1010.0 1\nc 150 0 60 930 60 0 0 0\np -1 -1 2\nm 1000 -1 250 -1 -1 100 25\nv 30 3\n"
    b"l 3 2 1 4/200 9\nd sda 200 3000 200 150 2000 250 0 6000 4000\nN eth0 3000 110 1 2 2000 110 0 0\nF 100 0 1000\nT 400\nK 5 10\nP -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 25.0"
)


def values_of(now: Reading, before: Reading | None, seconds: float = 10.0) -> dict[str, float]:
    """A sample by name."""
    layout, values = sample_values(now, before, seconds, round_trip=0.25, clock_offset=1.5)
    return dict(zip(layout.names, values, strict=True))


def test_rates_are_what_proc_says_they_are() -> None:
    v = values_of(parse(AFTER), parse(BEFORE))
    assert v["cpu_busy_ratio"] == pytest.approx(60 / 200)
    assert v["cpu_iowait_ratio"] == pytest.approx(10 / 200)
    assert v["memory_available_ratio"] == 0.25 and v["memory_used_ratio"] == 0.75
    assert v["swap_used_ratio"] == 0.75
    assert v["major_faults_per_second"] == 2.0 and v["oom_kills"] == 2.0
    assert v["load1_per_core"] == 1.5
    assert v["disk_read_bytes_per_second{sda}"] == 2000 * 512 / 10
    assert v["disk_busy_ratio{sda}"] == 0.5
    assert v["disk_await_seconds{sda}"] == pytest.approx(250 / 150 / 1000)
    assert v["disk_queue{sda}"] == pytest.approx(0.3)
    assert v["network_receive_bytes_per_second{eth0}"] == 200
    assert v["network_error_ratio{eth0}"] == pytest.approx(1 / 200)
    assert v["network_drop_ratio{eth0}"] == pytest.approx(2 / 200)
    assert (
        v["file_descriptors_used_ratio"] == 0.1
        and v["pids_used_ratio"] == 0.5
        and v["conntrack_used_ratio"] == 0.5
    )
    assert v["pressure_io_full_ratio"] == 0.25
    assert v["round_trip_seconds"] == 0.25 and v["clock_offset_seconds"] == 1.5


RATES = (
    "cpu_busy_ratio",
    "major_faults_per_second",
    "oom_kills",
    "disk_busy_ratio{sda}",
    "network_receive_bytes_per_second{eth0}",
)


@pytest.mark.parametrize("seconds", [0.0, -5.0])
def test_a_clock_that_stood_or_went_back_makes_gaps(seconds: float) -> None:
    v = values_of(parse(AFTER), parse(BEFORE), seconds)
    assert all(math.isnan(v[name]) for name in RATES)
    assert v["memory_used_ratio"] == 0.75


def test_the_first_sample_has_gauges_and_no_rates() -> None:
    v = values_of(parse(AFTER), None, 0.0)
    assert all(math.isnan(v[name]) for name in RATES)
    assert v["load1"] == 3


def test_a_reboot_makes_gaps_even_if_counters_have_grown_past_their_old_values() -> None:
    v = values_of(parse(AFTER.replace(b"u 1010.0", b"u 4.0")), parse(BEFORE))
    assert all(math.isnan(v[name]) for name in RATES)


def test_a_counter_that_wraps_is_a_gap_of_its_own() -> None:
    v = values_of(parse(AFTER.replace(b"N eth0 3000", b"N eth0 7")), parse(BEFORE))
    assert math.isnan(v["network_receive_bytes_per_second{eth0}"])
    assert not math.isnan(v["disk_busy_ratio{sda}"])


@pytest.mark.parametrize(
    ("grown", "reset"), [(b"sda 200", b"sda 7"), (b"200 3000 200", b"200 7 200"), (b"2000 250", b"7 250")]
)
def test_a_disk_whose_counters_were_reset_is_a_gap_of_its_own(grown: bytes, reset: bytes) -> None:
    v = values_of(parse(AFTER.replace(grown, reset)), parse(BEFORE))
    assert all(math.isnan(value) for name, value in v.items() if "{sda}" in name)
    assert v["network_receive_bytes_per_second{eth0}"] == 200


def test_time_of_a_processor_that_steps_back_is_none_and_never_less() -> None:
    v = values_of(parse(AFTER.replace(b"930 60", b"930 49")), parse(BEFORE))
    assert v["cpu_iowait_ratio"] == 0 and v["cpu_busy_ratio"] == pytest.approx(60 / 190)


def test_processors_that_come_or_go_make_one_gap_in_cpu() -> None:
    v = values_of(parse(AFTER.replace(b"p -1 -1 2", b"p -1 -1 4")), parse(BEFORE))
    assert math.isnan(v["cpu_busy_ratio"]) and v["cpu_count"] == 4


def test_a_new_disk_is_a_gap_and_the_old_one_goes_on() -> None:
    more = AFTER + b"\nd sdb 5 5 5 5 5 5 0 5 5"
    v = values_of(parse(more), parse(BEFORE))
    assert math.isnan(v["disk_busy_ratio{sdb}"]) and v["disk_busy_ratio{sda}"] == 0.5


def test_old_kernels_without_available_memory_get_an_estimate() -> None:
    v = values_of(parse(b"m 1000 100 -1 50 150 -1 -1\nu 5 5"), None)
    assert v["memory_available_ratio"] == 0.3


def test_hosts_of_one_shape_share_a_layout() -> None:
    assert layout_of(("sda",), ("eth0",)) is layout_of(("sda",), ("eth0",))
