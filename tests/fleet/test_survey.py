"""A round asks as little as it can, and says of what did not change what it said before."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from guardian_tui.engine.bus import Bus
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import Sample
from guardian_tui.engine.fleet.changes import Changes
from guardian_tui.engine.fleet.drift import Drift
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.link import FIRST_SURVEY_SECONDS, first_survey_in
from guardian_tui.engine.fleet.mounts import Room
from guardian_tui.engine.fleet.sections import ALL, due_every
from guardian_tui.engine.fleet.survey import Survey
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.fleet import HostSpec
from guardian_tui.protocol.section_kinds import MEDIUM_SECONDS, RARE_SECONDS, SLOW_SECONDS

LISTENING = [["tcp", "00000000:0016", "00000000:0000", "0A", "0", "1", "sshd"]]
MORE = [*LISTENING, ["tcp", "00000000:115C", "00000000:0000", "0A", "0", "2", "nc"]]
MIRROR = "md0 : active raid1 sdb1[1] sda1[0]"


def lines(rows: list[list[str]]) -> bytes:
    """Rows as a host writes them."""
    return "\n".join("\t".join(["R", *row]) for row in rows).encode()


class Round:
    """A survey of one host, whose answers are made up."""

    def __init__(self, store: Store) -> None:
        self.clock = ManualClock(1_800_000_000.0)
        self.drift = Drift(store, self.clock)
        self.samples: list[Sample] = []
        changes = Changes(store, Bus(), self.clock)
        self.survey = Survey(
            None, self.clock, self.drift, changes, 60.0, lambda one, _: self.samples.append(one)
        )  # type: ignore[arg-type]  # nothing is asked
        self.host = Host("h1", HostSpec(name="h1", address="h1"), None, 0.0)
        self.asked: list[str] = []
        self.hangs: set[str] = set()

    async def ask(self, request: str, name: str, seconds: float) -> bytes | None:
        """An empty answer for each section, unless one of them hangs."""
        names = request.split()[1:]
        self.asked.append(" ".join(names))
        if self.hangs & set(names):
            return None
        return b"".join(f"S\t{one}\n".encode() for one in names)

    def read(self, name: str, rows: list[list[str]]) -> dict[str, float]:
        """What a round publishes after these rows."""
        self.survey.surveyed(self.host, [], {name: (lines(rows), 0.1)}, "medium", time.monotonic())
        return self._newest()

    def slowly(self, found: dict[str, list[list[str]]]) -> dict[str, float]:
        """What a slow round publishes that read these sections."""
        self.survey.surveyed(
            self.host,
            [],
            {name: (lines(rows), 0.1) for name, rows in found.items()},
            "slow",
            time.monotonic(),
        )
        return self._newest()

    def _newest(self) -> dict[str, float]:
        newest = self.samples[-1]
        return dict(zip(newest.layout.names, newest.values, strict=True))

    async def ask_on(self, _: object, request: str, name: str, seconds: float) -> bytes | None:
        """The same, over a connection."""
        return await self.ask(request, name, seconds)


@pytest.fixture
def one(store: Store) -> Round:
    return Round(store)


async def test_a_round_is_one_request_and_one_that_hangs_costs_no_other(one: Round) -> None:
    due = due_every(MEDIUM_SECONDS)
    raws, problems = await one.survey._sections(due, one.ask)
    assert len(one.asked) == 1 and problems == [] and set(raws) == {section.name for section in due}
    one.asked, one.hangs = [], {"containers"}
    raws, problems = await one.survey._sections(due, one.ask)
    assert problems == ["containers: no answer in time"]
    # what starts nothing can't hang, and stays together
    assert one.asked[1] == " ".join(section.name for section in due if not section.forks)
    assert set(raws) == {section.name for section in due} - {"containers"}


async def test_slow_sections_that_start_programs_are_asked_for_one_by_one(one: Round) -> None:
    one.hangs = {"suid_files"}
    slow = due_every(SLOW_SECONDS) + due_every(RARE_SECONDS)
    raws, problems = await one.survey._sections(slow, one.ask)
    forking = [section.name for section in slow if section.forks]
    assert set(forking) <= set(one.asked)
    # it is not asked a second time: it has hung for its whole time
    assert one.asked.count("suid_files") == 1 and problems == ["suid_files: no answer in time"]
    assert set(forking) - set(raws) == {"suid_files"}


async def test_rows_that_are_as_before_are_not_read_again_until_they_differ(
    one: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, times = type(ALL["raid"]).read, []

    def counted(self: object, *args: object) -> object:
        times.append(args)
        return read(self, *args)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(type(ALL["raid"]), "read", counted)
    rows = [[MIRROR], ["      1000 blocks [2/2] [UU]"]]
    first = one.read("raid", rows)
    one.clock.advance(60)
    assert one.read("raid", rows) == first and len(times) == 1
    assert one.host.sections["raid"].measured_at == one.clock.now()
    one.read("raid", [[MIRROR], ["      1000 blocks [2/1] [U_]"]])
    assert len(times) == 2 and one.host.section_values["raid"] != {}


async def test_a_difference_that_is_accepted_ends_though_the_host_says_the_same(
    one: Round, store: Store
) -> None:
    one.read("listening", LISTENING)
    assert one.read("listening", MORE)["listening_drift"] == 1.0
    assert one.read("listening", MORE)["listening_drift"] == 1.0
    async with store.write() as tx:
        await one.drift.accept(tx, "h1", "listening", "ada")
    assert one.read("listening", MORE)["listening_drift"] == 0.0


async def test_what_is_read_every_six_hours_stays_known_to_the_rules_between(
    one: Round, store: Store
) -> None:
    known, more = (["L", f"-rwsr-xr-x 1 root root 9 May 1 2026 {path}"] for path in ("/bin/su", "/tmp/sh"))
    one.slowly({"suid_files": [known]})
    assert one.slowly({"suid_files": [known, more]})["suid_files_drift"] == 1.0
    for _ in range(5):
        # hourly rounds without it
        assert one.slowly({"sudoers": []})["suid_files_drift"] == 1.0
    async with store.write() as tx:
        await one.drift.accept(tx, "h1", "suid_files", "ada")
    assert one.slowly({"sudoers": []})["suid_files_drift"] == 0.0


async def test_a_rare_section_is_asked_for_with_one_slow_round_of_six(
    one: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour, rounds = 0.0, []
    monkeypatch.setattr("guardian_tui.engine.fleet.survey.time.monotonic", lambda: 1000.0 + hour * 3600)
    for number in range(8):
        hour = number * 1.001
        await one.survey._read_slow(one.host, one.ask)
        rounds.append("suid_files" in one.asked)
        one.asked = []
    assert rounds == [True, False, False, False, False, False, True, False]
    # somebody waits for what it says now: once, and that host alone
    one.survey.read_rare("h1")
    one.survey.read_rare("h2")
    for wanted in (True, False):
        one.asked = []
        await one.survey._read_slow(one.host, one.ask)
        assert ("suid_files" in one.asked) is wanted


async def test_slow_sections_that_take_their_time_keep_no_file_system_waiting(one: Round) -> None:
    begun, end = asyncio.Event(), asyncio.Event()

    async def takes_long(*_: object) -> bytes:
        begun.set()
        await end.wait()
        return b""

    async def rooms(*_: object) -> tuple[list[Room], list[str], bytes | None]:
        return [Room("/", "ext4", "/dev/sda1", 10.0, 5.0, 0.5, 0.9, False)], [], None

    async def connection(_: object) -> None:
        return None

    one.survey._remote = SimpleNamespace(connection=connection)  # type: ignore[assignment]  # all that is asked of it
    one.host.target, one.host.facts_fresh = SimpleNamespace(), True  # type: ignore[assignment]  # only that there is one
    link: Any = SimpleNamespace(
        host=one.host, slow=SimpleNamespace(rooms=rooms, ask=one.ask_on), survey=SimpleNamespace(ask=takes_long), sections_due=0.0
    )  # fmt: skip
    slow = asyncio.create_task(one.survey.slow_round(link))
    await begun.wait()
    await one.survey.round(link)
    assert "filesystem_used_ratio{/}" in one.samples[-1].layout.names and not slow.done()
    end.set()
    await slow
    assert one.host.survey_problems == []


def test_a_large_fleet_s_slow_sections_are_first_read_over_an_hour_and_a_small_one_s_at_once() -> None:
    def spread(hosts: int) -> tuple[float, float]:
        found = sorted(first_survey_in(hosts) for _ in range(1000))
        return found[0], found[-1]

    assert spread(1)[1] <= 2 * FIRST_SURVEY_SECONDS
    first, last = spread(250)
    assert first > 2 * 60 and 10 * 60 < last <= FIRST_SURVEY_SECONDS + 250 * 4
    assert 45 * 60 < spread(5000)[1] <= FIRST_SURVEY_SECONDS + SLOW_SECONDS
