"""The engine's own health, as a person sees it: what waits, what is slow, what it takes."""

from __future__ import annotations

import time

import pytest

from guardian_tui.demo.figures import Figures
from tests.fleet.world import World


async def test_a_late_wave_counts_all_its_polls_and_is_forgotten(world: World) -> None:
    watch = world.fleet.watch
    watch._report_lateness(250, 0.1)
    assert watch.late_polls == 0
    watch._report_lateness(250, 6.0)
    watch._report_lateness(0, 6.0)
    assert watch.late_polls == 250
    watch._late = [(time.monotonic() - 1000, 250)]
    assert watch.late_polls == 0


async def test_what_is_connected_received_and_slow_is_counted(world: World) -> None:
    host = await world.watch(await world.sims.add("counted-1", Figures(1)))
    await world.until(lambda: host.state == "up")
    watch = world.fleet.watch
    assert len(world.remote) == 1 and world.remote.connecting == 0
    assert watch.answered_bytes > 200 and watch.slowed == 0
    for _ in range(20):
        watch._links[host.id]._took(3.0)
    assert watch.slowed == 1


async def test_a_first_survey_waits_for_others_that_connect_but_not_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = await world.watch(await world.sims.add("early-1", Figures(1)))
    await world.until(lambda: host.state == "up")
    watch, link = world.fleet.watch, world.fleet.watch._links[host.id]
    monkeypatch.setattr(type(world.remote), "connecting", 500)
    assert watch._still_connecting(link, link.linked_at + 1)
    assert not watch._still_connecting(link, link.linked_at + 60)
    monkeypatch.undo()
    # all are up, the last of them a moment ago: what they say first is on its way
    watch._linked_at.extend([link.linked_at] * 20)
    assert watch._still_connecting(link, link.linked_at + 0.1)
    assert not watch._still_connecting(link, link.linked_at + 2)
