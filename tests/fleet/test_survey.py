"""A round asks as little as it can, and says of what did not change what it said before."""

from __future__ import annotations

import pytest

from guardian_tui.engine.bus import Bus
from guardian_tui.engine.clock import ManualClock
from guardian_tui.engine.facts import Sample
from guardian_tui.engine.fleet.changes import Changes
from guardian_tui.engine.fleet.drift import Drift
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.sections import ALL, Raw, due_every
from guardian_tui.engine.fleet.survey import Survey
from guardian_tui.engine.store.database import Store
from guardian_tui.protocol.fleet import HostSpec
from guardian_tui.protocol.section_kinds import MEDIUM_SECONDS, SLOW_SECONDS

LISTENING = [["tcp", "00000000:0016", "00000000:0000", "0A", "0", "1", "sshd"]]
MORE = [*LISTENING, ["tcp", "00000000:115C", "00000000:0000", "0A", "0", "2", "nc"]]
MIRROR = "md0 : active raid1 sdb1[1] sda1[0]"


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
        self.survey.surveyed(self.host, [], {name: (Raw([list(row) for row in rows]), 0.1)}, "medium")
        newest = self.samples[-1]
        return dict(zip(newest.layout.names, newest.values, strict=True))


@pytest.fixture
def one(store: Store) -> Round:
    return Round(store)


async def test_a_round_is_two_requests_and_one_that_hangs_costs_no_other(one: Round) -> None:
    due = due_every(MEDIUM_SECONDS)
    raws, problems = await one.survey._sections(due, one.ask)
    assert len(one.asked) == 2 and problems == [] and set(raws) == {section.name for section in due}
    one.asked, one.hangs = [], {"containers"}
    raws, problems = await one.survey._sections(due, one.ask)
    assert problems == ["containers: no answer in time"]
    assert set(raws) == {section.name for section in due} - {"containers"}


async def test_slow_sections_that_start_programs_are_asked_for_one_by_one(one: Round) -> None:
    one.hangs = {"suid_files"}
    raws, problems = await one.survey._sections(due_every(SLOW_SECONDS), one.ask)
    forking = [section.name for section in due_every(SLOW_SECONDS) if section.forks]
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
