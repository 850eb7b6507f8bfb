"""Detached commands whose host can't be asked for a while, or does not take them: never begun twice, never called well unseen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from guardian_tui.engine.remote.detached_looks import DetachedFailed
from guardian_tui.engine.remote.target import ConnectFailed
from guardian_tui.engine.runbooks import carrying
from guardian_tui.protocol import runbooks as wire
from tests.runbooks.lab import Lab

GONE = ConnectFailed("timeout", "The link is cut.")


def failing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, what: str, error: Exception, times: int, *, after: bool = False
) -> list[str]:
    """Let one of the calls to the host fail so many times, before it is made or once it was; answers what was called."""
    detached, calls = lab.runbooks.house.detached, []
    call: Callable[..., Any] = getattr(detached, what)

    async def fails(*given: Any) -> Any:
        calls.append(what)
        if len(calls) > times:
            return await call(*given)
        if after:
            await call(*given)
        raise error

    monkeypatch.setattr(detached, what, fails)
    monkeypatch.setattr(carrying, "UNHEARD_SECONDS", 0.02)
    return calls


async def run_of(lab: Lab, command: str) -> wire.RunbookRun:
    run = await lab.run(f"```step it\nrun: {command}\ndetach: true\ntimeout: 20s\n```\n")
    order = wire.AnswerRunbook(run=run.id, version=run.version)
    row: wire.RunbookRun = await lab.gate.call("runbooks.answer", order)
    return row


async def test_a_start_that_was_not_answered_is_looked_for_and_not_repeated(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = failing(lab_, monkeypatch, "start", GONE, 1, after=True)
    mark = lab_.folder / "mark"
    run = await lab_.settled(await run_of(lab_, f"echo once >>{mark}"))
    assert (run.verdict, mark.read_text(), len(calls)) == ("done", "once\n", 1)


async def test_what_a_host_does_not_take_was_not_run(lab_: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(lab_, monkeypatch, "start", DetachedFailed("folder", "There is no room."), 1)
    run = await lab_.settled(await run_of(lab_, "echo never"))
    assert (
        run.state == "deciding" and "There is no room. Nothing was run." in (await lab_.transcript(run)).text
    )


async def test_a_host_that_is_silent_for_a_while_is_asked_again(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = failing(lab_, monkeypatch, "look", GONE, 3)
    run = await lab_.settled(await run_of(lab_, "echo heard"))
    assert run.verdict == "done" and len(calls) > 3
    assert "heard" in await lab_.output(run)


async def test_a_host_that_stays_silent_leaves_it_unknown(lab_: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "LOST_SECONDS", 60.0)
    calls = failing(lab_, monkeypatch, "look", GONE, 10**9)
    run = await run_of(lab_, "true")

    async def asked() -> bool:
        return len(calls) > 2

    await lab_.until(asked, "it is asked again and again")
    assert "can't be asked" in lab_.runbooks.runner.runs[run.id].words
    lab_.gate.clock.advance(20 + carrying.LOST_SECONDS + 1)
    run = await lab_.settled(run)
    assert (run.state, run.words) == ("deciding", "It can't be asked any more: The link is cut.")
    assert [mark.state for mark in run.marks] == ["unknown"]


async def test_traces_that_stay_on_a_host_are_no_failure(lab_: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(lab_, monkeypatch, "forget", GONE, 1)
    assert (await lab_.settled(await run_of(lab_, "true"))).verdict == "done"


async def test_a_stop_that_did_not_reach_the_host_is_told_again(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = failing(lab_, monkeypatch, "cancel", GONE, 1)
    run = await run_of(lab_, "echo begun; exec sleep 300")

    async def begun() -> bool:
        return "begun" in await lab_.output(run)

    await lab_.until(begun, "it has begun")
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
    ended = await lab_.settled(run, "ended")
    assert (ended.verdict, len(calls)) == ("stopped", 2)
