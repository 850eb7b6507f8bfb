"""Sections: the probe's tables under every awk, read row by row, and served for this machine and over SSH."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardian_tui.engine.fleet.sections import ALL, Raw, split
from guardian_tui.engine.fleet.sections.kept import Kept
from guardian_tui.engine.fleet.sections.raw import MOST_ROWS, raw_of
from guardian_tui.protocol.changes import Change, ChangeList, ChangesQuery, SetMark
from guardian_tui.protocol.errors import InvalidRequest, NotFound
from guardian_tui.protocol.fleet import HostList, HostsQuery
from guardian_tui.protocol.metrics import METRICS
from guardian_tui.protocol.sections import SECTIONS, SectionQuery, SectionTable
from tests.fleet.test_probe import AWKS, run
from tests.support.console import house


def ask(folder: Path, awk: str, *names: str) -> dict[str, Raw]:
    """Sections of this machine by one awk."""
    status, out = run(folder / "bin", awk, f"1 q {' '.join(names)}\n".encode())
    assert status == 0 and out.startswith(b"=1 1\n") and out.endswith(b"\n.1\n")
    return split(out.removeprefix(b"=1 1\n").removesuffix(b".1\n"), names)


@given(
    st.lists(
        st.sampled_from(["R\ta\tb", "R\t", "R", "R\t\xff", "X\tw\twhy\trule", "x", "", "R\t" + "c\t" * 40])
    )
)
def test_rows_alone_are_read_as_they_are_among_other_lines(lines: list[str]) -> None:
    body = "\n".join(lines).encode("latin-1")
    # an empty line says nothing, but is no row
    assert raw_of(body) == raw_of(body + b"\n")


def test_more_rows_than_are_read_are_said() -> None:
    assert len(raw_of(b"\n".join([b"R\ta"] * MOST_ROWS)).rows) == MOST_ROWS
    many = raw_of(b"\n".join([b"R\ta"] * (MOST_ROWS + 1)))
    assert len(many.rows) == MOST_ROWS and "more than" in many.problems[0]


def test_every_section_is_in_the_catalogue_and_has_a_period_that_is_kept() -> None:
    assert set(ALL) == set(SECTIONS)
    for kind in SECTIONS.values():
        names = [column.name for column in kind.columns]
        assert len(set(names)) == len(names)
        assert kind.period_seconds in (0.0, 60.0, 3600.0, 21600.0)
        assert kind.sort.lstrip("-") in ("", *names) and kind.parent in ("", *names)


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_lists_a_process_with_its_parent_user_memory_and_command(tmp_path: Path, awk: str) -> None:
    child = subprocess.Popen(["sleep", "60"])
    try:
        raw = ask(tmp_path, awk, "processes")["processes"]
    finally:
        child.kill()
        child.wait()
    rows = {row[0]: row for row in ALL["processes"].read(raw, None, 0.0).rows}
    assert raw.problems == []
    pid, parent, user, state, cpu, memory, threads, age, command = rows[float(child.pid)]
    assert (pid, parent, state, threads, command) == (child.pid, os.getpid(), "S", 1, "sleep 60")
    assert user == subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    assert cpu is None and isinstance(memory, float) and memory > 0 and isinstance(age, float) and age < 60


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_counts_a_zombie(tmp_path: Path, awk: str) -> None:
    child = subprocess.Popen(["true"])
    try:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        raw = ask(tmp_path, awk, "tasks")["tasks"]
    finally:
        child.wait()
    findings = ALL["tasks"].read(raw, None, 0.0)
    assert findings.values["processes_zombie"] >= 1
    assert findings.values["processes"] >= findings.values["processes_zombie"] + 1
    assert ("zombie", findings.values["processes_zombie"]) in findings.rows


@pytest.mark.parametrize("awk", AWKS)
def test_a_section_that_this_probe_has_not_is_said_and_the_others_come(tmp_path: Path, awk: str) -> None:
    raws = ask(tmp_path, awk, "nosuch", "tasks")
    assert raws["nosuch"].withheld == [("nosuch", "this probe has no such section", "")]
    assert raws["tasks"].rows


def test_cpu_is_the_share_of_one_processor_since_the_reading_before() -> None:
    def reading(ticks: int, started: int = 500) -> Raw:
        return Raw(
            [
                ["H", "100", "4096", "1000.0"],
                ["P", "7", "1", "R", str(ticks), str(started), "10", "2", "work"],
            ]
        )

    (row,) = ALL["processes"].read(reading(1300), reading(1200), 2.0).rows
    assert row[4] == 0.5 and row[5] == 40960 and row[7] == 995.0 and row[8] == "[work]"
    # the same pid, another process
    (row,) = ALL["processes"].read(reading(1300, 900), reading(1200), 2.0).rows
    assert row[4] is None


KINDS = ["", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
CELLS = st.text(st.characters(blacklist_characters="\t\n"), max_size=12) | st.sampled_from(
    [
        "0",
        "-1",
        "7",
        "1e400",
        "nan",
        "a=b",
        "x: y",
        "a b c d e f g h i j",
        "{",
        "[",
        "9" * 40,
        "yes",
        "failed",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(KINDS), st.lists(CELLS, min_size=1, max_size=12)).map(
            lambda row: [row[0], *row[1]] if row[0] else row[1]
        ),
        max_size=20,
    )
)
def test_no_rows_however_odd_break_a_section_and_its_text_is_safe(rows: list[list[str]]) -> None:
    for name, section in ALL.items():
        raw = Raw([list(row) for row in rows])
        findings = section.read(raw, raw, 1.0)
        for row in findings.rows:
            assert len(row) == len(SECTIONS[name].columns), name
            for cell in row:
                assert cell is None or isinstance(cell, float) or cell.isprintable(), name
        for series, value in findings.values.items():
            assert isinstance(value, float) and value == value, series
            assert series.partition("{")[0] in METRICS and series.isprintable(), series


def test_a_command_line_full_of_escapes_is_shown_and_harmless() -> None:
    rows = [
        ["P", "7", "1", "R", "1", "1", "1", "1", "x"],
        ["A", "7", "ro\x1bot", "\x1b]52;c;aGk=\x07[@click=app.quit]\u202e"],
    ]
    (row,) = ALL["processes"].read(Raw(rows), None, 0.0).rows
    assert row[2].isprintable() and row[8].isprintable() and "]52;" in row[8]


@pytest.mark.parametrize("count", [0, 100])
def test_what_is_kept_of_a_section_is_what_was_read(count: int) -> None:
    rows = [["a", "b\u00e9"], *(["c", str(number)] for number in range(count))]
    raw = Raw(rows, [("what", "why", "rule")], ["not understood: odd"])
    lines = "\n".join(["\t".join(["R", *row]) for row in rows] + ["X\twhat\twhy\trule", "odd"]).encode()
    kept = Kept.of(lines, 1.0, 2.0, 3.0)
    assert kept.raw == raw and kept.before == (None, 0.0)
    # with the one before, for rates, and no further
    later = Kept.of(b"R\tc", 61.0, 62.0, 3.0).after(kept.after(kept))
    assert later.before == (raw, 60.0) and later.earlier is not None and later.earlier.earlier is None


async def test_this_machines_processes_are_served_filtered_and_an_unknown_section_names_those_there_are(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as one:
        rows = await one.client.call("hosts.list", HostList, HostsQuery())
        name = rows.hosts[0].name
        query = SectionQuery(
            host=name, section="processes", filter=f"pid>{os.getpid() - 1} pid<{os.getpid() + 1}"
        )
        table = await one.client.call("hosts.section", SectionTable, query)
        (row,) = table.rows
        found = dict(zip(table.columns, row, strict=True))
        assert found["pid"] == os.getpid() and "python" in str(found["command"])
        # read twice, so that the first picture has its shares
        assert isinstance(found["cpu"], float)
        top = SectionQuery(host=name, section="processes", sort="-memory", most=2)
        first, second = (await one.client.call("hosts.section", SectionTable, top)).rows
        place = table.columns.index("memory")
        assert float(first[place]) >= float(second[place]) > 0
        with pytest.raises(InvalidRequest, match="memory"):
            await one.client.call(
                "hosts.section", SectionTable, SectionQuery(host=name, section="processes", sort="size")
            )
        await one.client.call("hosts.mark", Change, SetMark(host=name, words="shop 4.19.0"))
        (change, *_) = (await one.client.call("hosts.changes", ChangeList, ChangesQuery(host=name))).changes
        assert (change.kind, change.words, change.actor) == ("mark", "shop 4.19.0", "ada")
        with pytest.raises(NotFound, match="processes"):
            await one.client.call("hosts.section", SectionTable, SectionQuery(host=name, section="nosuch"))
