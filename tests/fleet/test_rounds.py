"""A round of a host: the room of its file systems and its sections by one request, and by two where the probe is an older one."""

from __future__ import annotations

import pytest

from guardian_tui.demo.figures import Figures
from guardian_tui.demo.told import Teller
from guardian_tui.engine.fleet.host import Host
from guardian_tui.engine.fleet.sections import due_every
from guardian_tui.protocol.section_kinds import MEDIUM_SECONDS
from tests.fleet.world import World

NAMES = " ".join(section.name for section in due_every(MEDIUM_SECONDS))


class Asked(Figures):
    """A host that remembers what it was asked beside its figures, and may have an older probe."""

    def __init__(self, *, older: bool = False) -> None:
        super().__init__(1)
        self.requests: list[str] = []
        self.older = older
        self.hanging: tuple[str, ...] = ()

    def answer(self, seq: str, sections: str, teller: Teller | None = None) -> str:
        """As ever; an older probe takes what follows the mounts for more of them."""
        kind = sections.partition(" ")[0]
        if "f" not in kind:
            self.requests.append(sections)
        if kind in self.hanging:
            return ""
        return super().answer(
            seq, sections.replace("rq", "r", 1) if self.older and kind == "rq" else sections, teller
        )

    def of_kind(self, kind: str) -> list[str]:
        """The requests of a kind."""
        return [request for request in self.requests if request.partition(" ")[0] == kind]


async def rounds(world: World, figures: Asked, count: int) -> Host:
    """A host that was surveyed so often."""
    host = await world.watch(await world.sims.add("asked-1", figures))
    link = world.fleet.watch._links[host.id]
    for number in range(count):
        link.slow_due = link.sections_due = host.rooms_at = 0.0
        await world.until(lambda: host.rooms_at and host.sections, f"round {number + 1}")
    return host


async def test_a_round_is_one_request(world: World) -> None:
    figures = Asked()
    host = await rounds(world, figures, 3)
    assert {room.mount for room in host.rooms} and set(NAMES.split()) <= set(host.sections)
    # what is mounted may not be known yet when the first round begins
    assert len(figures.of_kind("rq")) >= 2
    assert all(request.endswith(f" -- {NAMES}") for request in figures.of_kind("rq"))
    assert len(figures.of_kind("q")) <= 1
    assert host.rooms_problem == ""


async def test_an_older_probe_is_asked_twice_from_its_first_answer_on(world: World) -> None:
    figures = Asked(older=True)
    host = await rounds(world, figures, 3)
    assert host.rooms and set(NAMES.split()) <= set(host.sections)
    assert len(figures.of_kind("rq")) == 1 and len(figures.of_kind("q")) >= 2
    assert host.rooms_problem == ""


@pytest.mark.parametrize("hangs", ["rq", "r"])
async def test_what_hangs_costs_the_other_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, hangs: str
) -> None:
    monkeypatch.setattr("guardian_tui.engine.fleet.slow.SLOW_TIMEOUT_SECONDS", 1.0)
    figures = Asked()
    host = await rounds(world, figures, 2)
    figures.hanging = ("rq", "r") if hangs == "r" else ("rq",)
    host.rooms_at, host.sections = 0.0, {}
    link = world.fleet.watch._links[host.id]
    link.slow_due = link.sections_due = 0.0
    if hangs == "r":
        await world.until(lambda: "df did not answer" in host.rooms_problem and host.sections)
    else:
        await world.until(lambda: host.rooms_at and host.sections)
        assert host.rooms_problem == ""
