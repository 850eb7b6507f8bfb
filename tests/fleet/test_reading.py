"""The probe's answers as values: recorded ones of real systems, and every hostile one that can be thought of."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.engine.fleet.mounts import chosen
from guardian_tui.engine.fleet.reading import (
    MOST_DEVICES,
    MOST_LINES,
    MOST_MOUNTS,
    MOST_PROBLEMS,
    Reading,
    parse,
)
from guardian_tui.engine.fleet.series import sample_values

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.txt"))
KEYS = ("c", "p", "m", "v", "l", "u", "P", "d", "N", "F", "T", "K", "t", "o", "!", "x", "")


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_what_a_real_system_said_is_read_whole(file: Path) -> None:
    reading = parse(file.read_bytes())
    assert reading.problems == [] and reading.missing == []
    assert reading.cpu is not None and len(reading.cpu) == 8 and reading.cpus == 2
    assert reading.uptime == pytest.approx(8009, abs=1)
    assert reading.memory["MemTotal"] == 24684092
    assert reading.load == pytest.approx([0.71, 0.66, 0.49])
    assert reading.tasks == 155
    assert set(reading.disks) == {"vda"} and set(reading.nics) == {"eth0"}
    assert reading.pressure["memory", "full", "avg60"] == 0.0
    assert reading.files is not None and reading.files[1] == 2466177
    assert reading.pid_max == 32768 and reading.conntrack == (0, 262144)
    assert reading.clock == pytest.approx(1795529945, abs=1)
    assert [point for _, point, _, _ in chosen(reading.mounts)[0]] == ["/"]


def test_busybox_has_no_nanoseconds_and_its_clock_is_read_all_the_same() -> None:
    assert parse(b"t 1795529945.%N").clock == 1795529945.0


def test_missing_files_are_named_and_the_rest_is_read() -> None:
    reading = parse(b"u 5.0 5.0\n!/proc/pressure/cpu\n!/proc/diskstats\nl 1 2 3 1/20 5")
    assert reading.missing == ["/proc/pressure/cpu", "/proc/diskstats"]
    assert reading.load == [1, 2, 3]
    _, values = sample_values(reading, None, 0.0, round_trip=0.1, clock_offset=math.nan)
    assert math.isnan(values[0])


@pytest.mark.parametrize(
    "line",
    [
        b"c -1 2 3 4 5 6 7 8", b"c nan 1 1 1", b"c 1 2", b"c 1e400 1 1 1", b"c 9999999999999999999999 1 1 1", b"u x", b"u", b"l 1 2",
        b"m 1 2 3", b"m 1 2 3 4 5 6 -7", b"P 1 2 3", b"P 0 0 0 0 0 0 0 0 0 0 0 x", b"p 1 2", b"d sda 1 2", b"N eth0 1",
        b"F 1", b"T", b"K 1", b"o /dev/sda /", b"v 1 -3", b"hello", "ü 1,5".encode(), b"\x00\xff\xfe",
    ],
)  # fmt: skip
def test_one_bad_line_is_a_problem_of_its_own_value_alone(line: bytes) -> None:
    reading = parse(line + b"\nu 77.0 1\np 1 0 4")
    assert len(reading.problems) == 1
    assert reading.cpus == 4
    assert reading.uptime == 77.0


def test_a_number_with_a_decimal_comma_of_another_locale_is_a_problem_not_a_value() -> None:
    reading = parse(b"l 0,71 0,66 0,49 1/155 19264\nu 5.0")
    assert reading.load is None and reading.uptime == 5.0 and len(reading.problems) == 1


def test_floods_of_lines_devices_and_problems_are_bounded() -> None:
    devices = b"\n".join(b"d sd%d 1 1 1 1 1 1 1 1 1" % n for n in range(500))
    assert len(parse(devices).disks) == MOST_DEVICES
    mounts = b"\n".join(b"o /dev/sda%d /m%d ext4 rw 0 0" % (n, n) for n in range(900))
    assert len(parse(mounts).mounts) == MOST_MOUNTS
    reading = parse(b"garbage\n" * 400_000)
    assert len(reading.problems) <= MOST_PROBLEMS
    late = parse(b"x\n" * MOST_LINES + b"u 5.0")
    assert late.uptime is None


def test_names_with_escapes_are_made_harmless() -> None:
    reading = parse(b"d \x1b]52;c;aGk=\x07 1 1 1 1 1 1 1 1 1\n!\x1b[31m\x9b2J")
    assert "\x1b" not in "".join(reading.disks) + "".join(reading.missing)


def sane(reading: Reading) -> None:
    """What holds of any reading: bounded, finite, and good for a sample."""
    for values in (
        reading.cpu or [],
        *reading.disks.values(),
        *reading.nics.values(),
        list(reading.memory.values()),
    ):
        assert all(math.isfinite(value) and value >= 0 for value in values)
    layout, values = sample_values(reading, parse(b""), 5.0, round_trip=0.1, clock_offset=math.nan)
    assert len(layout.names) == len(values)
    assert not any(math.isinf(value) for value in values)


@given(st.binary(max_size=4000))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    sane(parse(data))


words = st.one_of(
    st.integers(-(2**70), 2**70).map(str), st.floats().map(str), st.sampled_from(["some", "full", "cpu", "MemTotal:", "avg10=1", "1/2", "/"]), st.text(max_size=9)
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.lists(words, max_size=12)), max_size=40))
def test_lines_of_our_kinds_with_any_words_are_read_without_an_error(
    lines: list[tuple[str, list[str]]],
) -> None:
    text = "\n".join(f"{key} {' '.join(rest)}" for key, rest in lines)
    reading = parse(text.encode("utf-8", "surrogatepass"))
    sane(reading)
    before = parse(text.encode("utf-8", "surrogatepass"))
    _, values = sample_values(reading, before, 5.0, round_trip=0.1, clock_offset=0.0)
    assert not any(math.isinf(value) for value in values)
