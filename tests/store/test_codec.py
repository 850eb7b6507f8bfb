"""Chunks come back as they were written, or say that they are damaged."""

from __future__ import annotations

import contextlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.store import codec
from guardian_tui.engine.store.codec import ChunkDamaged, Columns

floats = st.floats(width=32, allow_nan=True, allow_infinity=True)


@st.composite
def columns(draw: st.DrawFn, kinds: int = 1) -> Columns:
    times = draw(st.lists(st.integers(0, 1 << 41).map(lambda ms: ms / 1000), max_size=40))
    names = draw(st.lists(st.text(min_size=1, max_size=12), unique=True, max_size=4))
    rows = st.lists(floats, min_size=len(times), max_size=len(times))
    return Columns(times, {name: tuple(draw(rows) for _ in range(kinds)) for name in names})


def same(first: float, second: float) -> bool:
    # no number of a host is infinite: it is kept as a gap
    return (not math.isfinite(first) and math.isnan(second)) or first == second


def assert_same(wrote: Columns, read: Columns) -> None:
    assert read.times == wrote.times
    assert list(read.values) == list(wrote.values)
    for name, kinds in wrote.values.items():
        for one, other in zip(kinds, read.values[name], strict=True):
            assert all(same(a, b) for a, b in zip(one, other, strict=True))


@given(columns())
def test_raw_samples_come_back_bit_by_bit(wrote: Columns) -> None:
    assert_same(wrote, codec.decode(codec.encode(wrote)))


@given(columns(kinds=3))
def test_rollups_come_back_with_mean_low_and_high(wrote: Columns) -> None:
    assert_same(wrote, codec.decode(codec.encode(wrote)))


@given(columns(), st.data())
def test_a_flipped_byte_is_found_or_harmless(wrote: Columns, data: st.DataObject) -> None:
    chunk = bytearray(codec.encode(wrote))
    place = data.draw(st.integers(0, len(chunk) - 1))
    chunk[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ChunkDamaged):
        assert_same(wrote, codec.decode(bytes(chunk)))


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(ChunkDamaged):
        codec.decode(garbage)


def test_a_counter_is_exact_to_float32_and_a_huge_value_is_a_gap() -> None:
    counter = [float(n * 4096) for n in range(720)]
    read = codec.decode(
        codec.encode(Columns([float(n) for n in range(720)], {"c": (counter,), "h": ([1e300] * 720,)}))
    )
    assert read.values["c"][0] == counter
    assert all(math.isnan(value) for value in read.values["h"][0])


def test_damage_to_one_column_costs_that_column_alone() -> None:
    chunk = codec.encode(Columns([1.0, 2.0], {"a": ([1.0, 2.0],), "b": ([3.0, 4.0],)}))
    broken = chunk[:-1] + bytes([chunk[-1] ^ 0xFF])
    assert codec.decode(broken, ("a",)).values == {"a": ([1.0, 2.0],)}
    with pytest.raises(ChunkDamaged, match="checksum"):
        codec.decode(broken, ("b",))


def test_a_chunk_holds_at_most_512_series() -> None:
    wrote = Columns([1.0], {f"m{n}": ([1.0],) for n in range(600)})
    assert len(codec.decode(codec.encode(wrote)).values) == codec.MOST_SERIES


def test_a_header_that_promises_the_world_is_refused() -> None:
    with pytest.raises(ChunkDamaged):
        codec.decode(struct.pack("<4sI", codec.MAGIC, 1 << 31) + b"x")


def test_a_rollup_keeps_peaks_and_leaves_gaps_out_of_the_mean() -> None:
    raw = Columns([0.0, 5.0, 10.0, 65.0], {"m": ([1.0, math.nan, 9.0, 4.0],)})
    rolled = codec.roll_up(raw, 60)
    assert rolled.times == [0.0, 60.0]
    assert rolled.values["m"] == ([5.0, 4.0], [1.0, 4.0], [9.0, 4.0])
    assert codec.roll_up(rolled, 900).values["m"] == ([4.5], [1.0], [9.0])


def test_merging_puts_rows_in_the_order_of_time_with_gaps_where_a_series_was_not() -> None:
    merged = codec.merge(Columns([1.0, 3.0], {"a": ([1.0, 3.0],)}), Columns([2.0], {"b": ([2.0],)}))
    assert merged.times == [1.0, 2.0, 3.0]
    a, b = merged.values["a"][0], merged.values["b"][0]
    assert (a[0], a[2], b[1]) == (1.0, 3.0, 2.0)
    assert math.isnan(a[1]) and math.isnan(b[0]) and math.isnan(b[2])
