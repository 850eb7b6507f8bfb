"""Who looks on at a run is shown to whoever may see it, and forgotten with whoever left without a word."""

from __future__ import annotations

from typing import Any

import pytest

from guardian_tui.engine.calls import Peer
from guardian_tui.engine.facts import SessionEnded
from guardian_tui.engine.runbooks.watching import MOST_OF_A_SESSION
from guardian_tui.engine.streams import visibility
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.errors import NotFound, TooManyRequests
from tests.runbooks.lab import Lab
from tests.support.gate import UID

STEPS = """
```step look
check: "true"
```
"""


async def watch(lab: Lab, run: str, token: str | None = None, **more: Any) -> list[tuple[str, int]]:
    order = wire.WatchRun(run=run, **more)
    found: wire.RunbookWatchers = await lab.gate.call("runbooks.watch", order, token=token)
    return [(one.name, one.consoles) for one in found.watchers]


def shown(lab: Lab, run: str) -> list[tuple[str, int]]:
    row = lab.gate.live.runbook_watchers.get(run)
    return [(one.name, one.consoles) for one in row.watchers] if row is not None else []


async def test_consoles_are_told_by_person_and_forgotten_when_they_leave_or_fall_silent(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await lab_.run(STEPS)
    assert await watch(lab_, run.id, console="one") == [("ada", 1)]
    assert await watch(lab_, run.id, console="two") == [("ada", 2)]
    assert await watch(lab_, run.id, token=grace, console="one", seconds=60) == [("ada", 2), ("grace", 1)]
    assert await watch(lab_, run.id, console="two", leave=True) == [("ada", 1), ("grace", 1)]
    assert shown(lab_, run.id) == [("ada", 1), ("grace", 1)]
    assert [one.name for one in (await lab_.detail(run.id)).watchers] == ["ada", "grace"]
    # who says so again stays, who does not is forgotten
    lab_.gate.clock.advance(31)
    lab_.runbooks.watching.clean()
    assert shown(lab_, run.id) == [("grace", 1)]
    lab_.gate.clock.advance(31)
    lab_.runbooks.watching.clean()
    assert lab_.gate.live.runbook_watchers.rows() == []
    assert lab_.gate.events("runbooks.watch") == [], "a look is no event"


async def test_a_session_that_ends_or_locks_takes_its_looks_with_it(lab_: Lab) -> None:
    run = await lab_.run(STEPS)
    await watch(lab_, run.id)
    session = await lab_.gate.call("session.touch")
    lab_.gate.bus.publish(SessionEnded("another", "locked"))
    assert shown(lab_, run.id) == [("ada", 1)]
    lab_.gate.bus.publish(SessionEnded(session.id, "locked"))
    assert shown(lab_, run.id) == []


async def test_looks_are_bounded_and_within_scope(lab_: Lab) -> None:
    # only web-2 is theirs
    hal = await lab_.colleague("hal", "operator", "host=web-2")
    run = await lab_.run(STEPS)
    with pytest.raises(NotFound):
        await watch(lab_, run.id, token=hal)
    for number in range(MOST_OF_A_SESSION):
        await watch(lab_, run.id, console=str(number))
    with pytest.raises(TooManyRequests, match="can be told of"):
        await watch(lab_, run.id, console="one more")
    assert shown(lab_, run.id) == [("ada", MOST_OF_A_SESSION)]
    # the row has the run's own labels: who may not see it is not sent it
    labels = lab_.gate.live.runbook_watchers.labels(run.id)
    assert labels is not None and labels["host"] == "web-1"
    seen = []
    for token in (lab_.gate.token, hal):
        call = await lab_.gate.dispatch.open("runbooks.watch", token=token, peer=Peer(UID), request_id="r")
        assert call.principal is not None
        seen.append(visibility(call.principal)("runbook_watchers", labels))
    assert seen == [True, False]


async def test_nobody_looks_on_at_a_run_that_has_ended(lab_: Lab) -> None:
    run = await lab_.run(STEPS)
    await watch(lab_, run.id)
    await lab_.answer(run)
    assert shown(lab_, run.id) == []
    with pytest.raises(NotFound, match="unless it has ended"):
        await watch(lab_, run.id)


async def test_it_is_told_who_handed_a_run_to_whom_and_who_took_it(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await lab_.run(STEPS)
    assert (run.leader, run.led_before, run.led_since) == ("ada", "", None)
    handed = await lab_.gate.call("runbooks.hand_over", wire.HandOver(run=run.id, to="grace"))
    assert (handed.leader, handed.led_before, handed.taken) == ("grace", "ada", False)
    lab_.gate.clock.advance(60)
    await lab_.gate.call("runbooks.hand_over", wire.HandOver(run=run.id))
    await lab_.restart()
    taken = await lab_.row(run)
    assert (taken.leader, taken.led_before, taken.taken) == ("ada", "grace", True)
    assert taken.led_since == lab_.gate.clock.now()
    assert grace
