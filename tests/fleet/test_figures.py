"""Figures that the probe makes say what the engine would make of its lines; what is no such figures is no sample, and costs no host."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.demo.figures import Figures
from guardian_tui.demo.told import Teller
from guardian_tui.engine.facts import Sample, WaveDone
from guardian_tui.engine.fleet import figures, probe, shape
from guardian_tui.engine.fleet.reading import Reading, parse
from guardian_tui.engine.fleet.series import layout_of, sample_values
from tests.fleet.test_probe import AWKS
from tests.fleet.world import World

FIRST = {
    "uptime": "100.5 9.0\n",
    "stat": "cpu  100 20 30 4000 50 6 7 8 0 0\ncpu0 1\ncpu1 1\nintr 5\nprocs_running 3\nprocs_blocked 1\n",
    "meminfo": "MemTotal: 8000000 kB\nMemFree: 1000000 kB\nMemAvailable: 3000000 kB\nBuffers: 100 kB\nCached: 900000 kB\nSwapTotal: 4000 kB\nSwapFree: 1000 kB\n",
    "vmstat": "nr_free_pages 5\npgmajfault 70\noom_kill 2\n",
    "loadavg": "1.50 0.75 0.25 3/321 4711\n",
    "pressure/cpu": "some avg10=12.50 avg60=1.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n",
    "pressure/io": "some avg10=3.00 avg60=2.00 avg300=0.00 total=1\nfull avg10=1.00 avg60=0.50 avg300=0.00 total=1\n",
    "diskstats": (
        " 8 0 sda 1000 0 20000 300 500 0 9000 200 0 700 900 0\n 8 1 sdb 10 0 200 30 50 0 90 20 0 70 90 0\n"
        " 8 2 idle 10 0 200 30 50 0 90 20 0 70 90 0\n"
    ),
    "net/dev": "h\n eth0: 1000 10 1 2 0 0 0 0 5000 20 3 4 0 0 0 0\n eth1: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n",
    "sys/fs/file-nr": "1024\t0\t800000\n",
    "sys/kernel/pid_max": "32768\n",
}
SECOND = {
    "uptime": "105.5 12.0\n",
    "stat": "cpu  350 20 130 4400 49 6 7 58 0 0\ncpu0 1\ncpu1 1\nintr 5\nprocs_running 2\nprocs_blocked 0\n",
    "vmstat": "nr_free_pages 5\npgmajfault 95\noom_kill 5\n",
    # the second disk was reset, the second interface has wrapped
    "diskstats": (
        " 8 0 sda 1100 0 24000 350 700 0 9900 290 3 9700 1900 0\n 8 1 sdb 1 0 2 3 5 0 9 2 0 7 9 0\n"
        " 8 2 idle 10 0 200 30 50 0 90 20 0 70 90 0\n"
    ),
    "net/dev": "h\n eth0: 9000 30 3 2 0 0 0 0 6000 80 3 9 0 0 0 0\n eth1: 1 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n",
}  # fmt: skip


class Probe:
    """A probe under one awk, over a /proc of ours."""

    def __init__(self, folder: Path, awk: str) -> None:
        self.proc = folder / "proc"
        (folder / "bin").mkdir()
        (folder / "bin" / "awk").symlink_to(AWKS[awk])
        self.put(FIRST)
        command = probe.polling_command().replace("/proc/", f"{self.proc}/")
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "PATH": f"{folder / 'bin'}:/usr/bin:/bin"},
        )  # fmt: skip

    def put(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.proc / name).parent.mkdir(parents=True, exist_ok=True)
            (self.proc / name).write_text(text)

    def ask(self, seq: int, sections: str) -> bytes:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(b"%d %s\n" % (seq, sections.encode()))
        self._process.stdin.flush()
        lines = [self._process.stdout.readline()]
        while lines[-1] not in (b".%d\n" % seq, b""):
            lines.append(self._process.stdout.readline())
        return b"".join(lines[1:-1]).removesuffix(b"\n")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)


def told(answer: bytes) -> tuple[Reading, list[float], int]:
    """What an answer says by its lines, and by its figures."""
    found = figures.told_in(answer)
    assert found is not None
    reading, known = shape.read(found.beside, None)
    assert known is not None and reading.problems == []
    values = figures.values_of(found.line, known.layout)
    assert values is not None
    return reading, values, found.number


@pytest.mark.parametrize("awk", AWKS)
def test_the_probe_s_figures_are_what_its_lines_say(tmp_path: Path, awk: str) -> None:
    one = Probe(tmp_path, awk)
    try:
        first, values, number = told(one.ask(1, "fp0"))
        assert all(math.isnan(values[place]) for place in (0, 1, 20, 33, 38))
        one.put(SECOND)
        # as often as not what says little new is told again
        second, values, same = told(one.ask(2, "fp0"))
        assert same == number
        _, expected = sample_values(second, first.counts(), 5.0, round_trip=0.0, clock_offset=0.0)
        expected[figures.OOM_KILLS] = 5.0
        assert values == pytest.approx(expected, rel=1e-6, nan_ok=True)
        alone = one.ask(3, f"fp{number}")
        assert b"\n" not in alone and alone.startswith(b"V %d [" % number)
        with_more = figures.told_in(one.ask(4, f"tfop{number}"))
        assert with_more is not None and not figures.is_of_names(with_more.beside)
        assert parse(with_more.beside).clock
        one.put(
            {
                "uptime": "110.5 9.0\n",
                "diskstats": SECOND["diskstats"] + " 8 3 new 10 0 200 30 50 0 90 20 0 70 90 0\n",
            }
        )
        third, values, other = told(one.ask(5, f"fp{number}"))
        assert other != number and "new" in third.disks
        # its neighbours have their rates all the same
        assert values[33] == 0.0 and math.isnan(values[33 + 3 * 5])
        (one.proc / "meminfo").unlink()
        lost = figures.told_in(one.ask(6, f"fp{other}"))
        assert lost is not None and b"meminfo" in lost.beside
    finally:
        one.close()


def test_a_simulated_host_tells_what_its_lines_say() -> None:
    host, teller = Figures(3, disks=3, nics=2), Teller()
    first = told(host.answer("1", "fp0", teller).partition("\n")[2].rpartition("\n.")[0].encode())
    second = told(host.answer("2", "fp0", teller).partition("\n")[2].rpartition("\n.")[0].encode())
    seconds = (second[0].uptime or 0.0) - (first[0].uptime or 0.0)
    _, expected = sample_values(second[0], first[0].counts(), seconds, round_trip=0.0, clock_offset=0.0)
    expected[figures.OOM_KILLS] = 0.0
    assert second[1] == pytest.approx(expected, rel=1e-6, nan_ok=True)
    assert host.answer("3", f"fp{second[2]}", teller).count("\n") == 3


LAYOUT = layout_of(("sda",), ("eth0",))
GOOD = ["0.5"] * len(LAYOUT.names)
WORDS = st.sampled_from(
    ["null", "-1", "1.5", "1e300", "1e999", "NaN", "true", '"x"', "[1]", "", "18446744073709551616", "0.25"]
)


def test_numbers_that_are_no_figures_are_refused() -> None:
    good = figures.values_of(f"[{','.join(GOOD)}]".encode(), LAYOUT)
    assert good == [0.5] * len(LAYOUT.names)
    for place, word in (
        (0, "1.5"),
        (0, "-0.5"),
        (3, "1e300"),
        (LAYOUT.index["disk_busy_ratio{sda}"], "7"),
        (1, '"x"'),
        (2, "true"),
    ):
        wrong = [*GOOD]
        wrong[place] = word
        assert figures.values_of(f"[{','.join(wrong)}]".encode(), LAYOUT) is None
    for line in (b"", b"[", b"[]", b"{}", b"null", b"\xff", f"[{','.join([*GOOD, '1'])}]".encode()):
        assert figures.values_of(line, LAYOUT) is None


@given(st.dictionaries(st.integers(0, len(GOOD) - 1), WORDS, max_size=6))
def test_whatever_a_host_tells_its_figures_are_in_bounds(changes: dict[int, str]) -> None:
    line = ",".join(changes.get(place, word) for place, word in enumerate(GOOD))
    values = figures.values_of(f"[{line}]".encode(), LAYOUT)
    if values is not None:
        assert len(values) == len(GOOD) and all(math.isnan(value) or 0 <= value < 2.0**64 for value in values)
        assert not values[0] > 1.00001


@given(st.binary(max_size=80))
def test_whatever_stands_in_an_answer_it_is_parted(noise: bytes) -> None:
    for answer in (noise, b"V " + noise, b"u 5 5\nV 3 [1]\n" + noise, noise + b"\nV 7 [1,2]"):
        found = figures.told_in(answer)
        if found is not None:
            assert 0 <= found.number < 10**9
            figures.is_of_names(found.beside)
            figures.values_of(found.line, LAYOUT)
    assert figures.told_in(b"V x [1]") is None and figures.told_in(b"V 9999999999 [1]") is None


def samples(world: World, host_id: str) -> list[Sample]:
    waves = [fact for fact in world.facts if isinstance(fact, WaveDone) and fact.period == "fast"]
    return [sample for wave in waves for sample in wave.samples if sample.host_id == host_id]


async def test_figures_come_alone_and_no_kill_is_lost(world: World) -> None:
    sim = await world.sims.add("plain-1", Figures(2, disks=4))
    host = await world.watch(sim)
    await world.until(lambda: host.names_number and len(samples(world, host.id)) > 2)
    assert host.before is None and host.shape is not None and host.layout is host.shape.layout
    assert host.value("cpu_busy_ratio") is not None and host.value("disk_busy_ratio{vdd}") is not None
    sim.figures.oom_kills += 3
    await world.until(lambda: any(s.values[figures.OOM_KILLS] == 3 for s in samples(world, host.id)))
    polls = sim.polls
    await world.until(lambda: sim.polls > polls + 2)
    kills = [s.values[figures.OOM_KILLS] for s in samples(world, host.id)]
    assert sum(count for count in kills if count > 0) == 3
    # a disk more: told in lines once, and alone again
    number = host.names_number
    sim.figures.disks = 5
    await world.until(lambda: host.value("disk_busy_ratio{vde}") is not None)
    assert host.names_number != number and host.problems == ()


async def test_figures_of_names_that_were_not_told_are_no_sample_and_heal(world: World) -> None:
    sim = await world.sims.add("plain-1", Figures(2, disks=4))
    host = await world.watch(sim)
    await world.until_state(host, "up")
    await world.until(lambda: host.names_number)
    loop = asyncio.get_running_loop()
    began, watch = loop.time(), world.fleet.watch
    # as if an answer that told other names had got lost
    assert watch._sample(host, b"V 77 [1,2]", 0.1, world.fleet.watch._clock.now()) is None
    assert host.state == "unknown" and "not as the probe does" in host.shown_why and not host.names_number
    await world.until_state(host, "up")
    await world.until(lambda: host.names_number)
    assert loop.time() >= began
