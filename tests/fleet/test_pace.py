"""A host that answers slowly is asked less often and says so; a quick one never."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guardian_tui.demo.figures import Figures
from guardian_tui.engine.fleet.host import judge, row_of
from guardian_tui.engine.fleet.pace import FINE_SECONDS, LONGEST_FACTOR, Pace
from tests.fleet.world import World


def fed(pace: Pace, seconds: float, times: int) -> Pace:
    for _ in range(times):
        pace.took(seconds)
    return pace


def test_one_slow_answer_changes_nothing() -> None:
    pace = fed(fed(Pace(5.0), 0.02, 10), 3.9, 1)
    assert not pace.slowed and pace.words == ""


def test_slow_answers_halve_the_pace_in_words_and_quick_ones_bring_it_back() -> None:
    pace = fed(Pace(5.0), 2.0, 10)
    assert pace.seconds == 10.0
    assert pace.words.startswith("answers slowly (") and "every 10 s, not 5 s" in pace.words
    assert fed(pace, 0.05, 20).seconds == 5.0 and pace.words == ""


@given(st.floats(1, 3600), st.lists(st.floats(0, 4), max_size=60))
def test_no_host_is_asked_more_often_than_wished_or_forgotten(interval: float, took: list[float]) -> None:
    pace = Pace(interval)
    for seconds in took:
        pace.took(seconds)
    assert interval <= pace.seconds <= interval * LONGEST_FACTOR
    if all(seconds <= FINE_SECONDS for seconds in took):
        assert not pace.slowed


async def test_a_host_that_slows_down_says_so_in_its_row_and_is_stale_later(world: World) -> None:
    sim = await world.sims.add("slow-1", Figures(1))
    host = await world.watch(sim)
    await world.until(lambda: host.state == "up")
    link = world.fleet.watch._links[host.id]
    assert host.row is not None and host.row.why == ""
    for _ in range(20):
        link._took(3.0)
    measured = host.measured_at
    await world.until(lambda: host.measured_at != measured)
    assert host.row.state == "up" and "answers slowly" in host.row.why
    assert host.row.interval_seconds > host.spec.interval_seconds
    assert any("answers slowly" in words for words in host.problems)
    for _ in range(40):
        link._took(0.01)
    assert judge(host, world.clock.now(), cut_off=False) == ("up", "")
    assert row_of(host).interval_seconds == host.spec.interval_seconds
