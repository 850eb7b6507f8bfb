"""Reading an answer by its shape says what reading it line by line says, whatever the answer is."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guardian_tui.demo.figures import Figures
from guardian_tui.engine.fleet.reading import Reading, parse
from guardian_tui.engine.fleet.shape import Shape, read
from tests.fleet.world import World

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.txt"))
FIGURES = Figures(5, disks=3, nics=2)
WORDS = st.sampled_from(
    ["-1", "-2", "0", "1", "101", "1,5", "nan", "inf", "1e400", "007", "+3", "1_0", ".5", "x", "]", "9223372036854775807", "1/20", "c", "N", "eth9"]
)  # fmt: skip
MISSING = "u 5.0 5.0\nc 1 2 3 4 5 6 7 8\np 1 0 4\nm 9 8 -1 6 5 4 3\nv 3 -1\nl 1 2 3 1/20 5\nP 0 0 -1 -1 0 0 0 0 0 0 0 0\n!/proc/diskstats\nN eth0 1 2 3 4 5 6 7 8\nF 1 0 9\nT 77"


def said(sections: str = "f") -> str:
    return FIGURES.answer("7", sections).partition("\n")[2].rpartition(".7")[0]


def bare(reading: Reading) -> Reading:
    return dataclasses.replace(reading, layout=None)


def shape_of(text: str) -> Shape:
    shape = read(text.encode(), None)[1]
    assert shape is not None
    return shape


@pytest.mark.parametrize(
    "text",
    [said(), MISSING, MISSING + "\nK 3 100", MISSING.replace(" 1/20 5", "")],
    ids=("simulated", "some missing", "with conntrack", "a short line"),
)
def test_the_next_answer_of_the_same_shape_is_read_alike(text: str) -> None:
    shape = shape_of(text)
    by_shape = shape.read(text)
    assert by_shape is not None and bare(by_shape) == parse(text.encode())


def test_a_host_without_a_limit_of_open_files_is_read_by_its_shape() -> None:
    # as systemd sets it
    lines = [line for line in said().split("\n") if not line.startswith("F ")]
    text = "\n".join([*lines, "F 4218\t0\t9223372036854775807"])
    reading, shape = read(text.encode(), None)
    assert shape is not None and reading.problems == [] and reading.files == (4218.0, float(1 << 63))
    by_shape = shape.read(text)
    assert by_shape is not None and bare(by_shape) == parse(text.encode())


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_a_real_answer_is_read_by_its_shape(file: Path) -> None:
    lines = [line for line in file.read_text().splitlines() if line[0] in "ucpmvlPdNFTK!"]
    text = "\n".join(lines)
    by_shape = shape_of(text).read(text)
    assert by_shape is not None and bare(by_shape) == parse(text.encode())


@given(
    changes=st.dictionaries(st.integers(0, 150), WORDS, max_size=4), base=st.sampled_from([said(), MISSING])
)
def test_whatever_word_changes_nothing_is_read_otherwise(changes: dict[int, str], base: str) -> None:
    shape = shape_of(base)
    lines, at = [], 0
    for line in base.split("\n"):
        words = line.split()
        lines.append(" ".join(changes.get(at + place, word) for place, word in enumerate(words)))
        at += len(words)
    answer = "\n".join(lines).encode()
    assert bare(read(answer, shape)[0]) == parse(answer)


@settings(deadline=None)
@example(cut=1, noise=b"\n")
@given(cut=st.integers(0, 600), noise=st.binary(max_size=60))
def test_a_torn_answer_is_read_as_it_would_be_without_a_shape(cut: int, noise: bytes) -> None:
    base = said().encode()
    answer = base[:cut] + noise + base[cut:]
    assert bare(read(answer, shape_of(base.decode()))[0]) == parse(answer)


def test_the_clock_that_is_asked_for_now_and_then_does_not_cost_the_shape() -> None:
    shape = shape_of(said())
    with_clock = said("tf")
    reading, kept = read(with_clock.encode(), shape)
    assert kept is shape and reading.clock is not None and reading.layout is shape.layout
    reading, kept = read(with_clock.replace("t 1", "t x", 1).encode(), shape)
    assert kept is shape and reading.clock is None and len(reading.problems) == 1


def test_mounts_do_not_cost_the_shape_and_a_new_disk_makes_another() -> None:
    shape = shape_of(said())
    with_mounts = said("tfo")
    reading, kept = read(with_mounts.encode(), shape)
    assert len(reading.mounts) == 3 and kept is shape and reading.layout is shape.layout
    assert bare(reading) == parse(with_mounts.encode())
    assert read(with_mounts.encode(), None)[1] is shape
    for torn in (with_mounts + "\nu 5.0", with_mounts.replace("\no ", "\no x\no ", 1), with_mounts + "\no"):
        assert bare(read(torn.encode(), shape)[0]) == parse(torn.encode())
    reading, other = read(said().encode() + b"d nvme9 1 2 3 4 5 6 7 8 9", shape)
    assert "nvme9" in reading.disks and other is not None and other is not shape


def test_hosts_of_one_shape_share_it() -> None:
    assert shape_of(said()) is shape_of(said())


async def test_a_watched_host_whose_probe_makes_no_figures_is_read_by_its_shape(world: World) -> None:
    sim = await world.sims.add("plain-1", Figures(2, disks=4))
    sim.makes_figures = False
    host = await world.watch(sim)
    await world.until(lambda: host.shape is not None and host.before is not None)
    first, polls = host.shape, sim.polls
    await world.until(lambda: sim.polls > polls + 2)
    assert host.shape is first and host.before is not None and host.layout is first.layout
    assert not host.names_number and host.problems == ()
