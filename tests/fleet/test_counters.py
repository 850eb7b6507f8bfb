"""Counters of devices: flat inside, by name outside; rates in one step are those that are made device by device."""

from __future__ import annotations

import math
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.fleet.counters import DISK_NUMBERS, NIC_NUMBERS, Counters, packed
from guardian_tui.engine.fleet.reading import Counts, Reading
from guardian_tui.engine.fleet.series import sample_values

NUMBERS = st.floats(0, 2**63, allow_nan=False)


def test_a_device_is_found_by_its_name_and_one_that_is_told_twice_has_its_newest_numbers() -> None:
    counters = Counters(2)
    counters.put("sda", [1.0, 2.0])
    counters.put("sdb", [3.0, 4.0])
    counters.put("sda", [5.0, 6.0])
    assert counters == {"sda": [5.0, 6.0], "sdb": [3.0, 4.0]} and len(counters) == 2
    assert counters.packed() == counters and counters.packed()["sdb"] == [3.0, 4.0]
    with pytest.raises(KeyError):
        counters["sdc"]


def test_growth_is_that_of_the_same_devices_in_the_same_order_or_none() -> None:
    now, before = Counters(1, ("a", "b"), [5.0, 6.0]), Counters(1, ("a", "b"), [1.0, 9.0])
    assert now.since(before.packed()) == [4.0, -3.0]
    assert now.since(Counters(1, ("b", "a"), [1.0, 1.0])) is None


def with_devices(disks: list[list[float]], nics: list[list[float]]) -> Reading:
    names = tuple(f"d{n}" for n in range(len(disks))), tuple(f"n{n}" for n in range(len(nics)))
    return Reading(
        disks=Counters(DISK_NUMBERS, names[0], chain(*disks)),
        nics=Counters(NIC_NUMBERS, names[1], chain(*nics)),
    )


def alone(reading: Counts, kind: str, name: str) -> Reading:
    """The same host with one device."""
    counters = getattr(reading, kind)
    return Reading(**{kind: Counters(len(counters[name]), (name,), counters[name])})


@settings(deadline=None)
@given(
    now=st.tuples(
        st.lists(st.lists(NUMBERS, min_size=9, max_size=9), min_size=2, max_size=3),
        st.lists(st.lists(NUMBERS, min_size=8, max_size=8), min_size=2, max_size=3),
    ),
    grown=st.lists(st.floats(-10, 1e6), min_size=51, max_size=51),
)
def test_all_devices_in_one_step_have_the_rates_of_each_alone(
    now: tuple[list[list[float]], list[list[float]]], grown: list[float]
) -> None:
    later = with_devices(*now)
    steps = iter(grown)
    earlier = with_devices(
        *[[[max(0.0, value - next(steps)) for value in one] for one in kind] for kind in now]
    )
    kept = earlier.counts()
    layout, values = sample_values(later, kept, 5.0, round_trip=0.0, clock_offset=math.nan)
    by_name = dict(zip(layout.names, values, strict=True))
    for kind in ("disks", "nics"):
        for name in getattr(later, kind):
            part, own = sample_values(
                alone(later, kind, name), alone(kept, kind, name), 5.0, round_trip=0.0, clock_offset=math.nan
            )
            for series, value in zip(part.names, own, strict=True):
                if name in series:
                    assert by_name[series] == value or (math.isnan(value) and math.isnan(by_name[series])), (
                        series
                    )


def test_packed_numbers_are_the_same_numbers() -> None:
    numbers = [0.1, -1.5, 1e300, math.inf]
    assert packed(numbers).tolist() == numbers
