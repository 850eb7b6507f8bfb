"""Several things at once: what is written in which order, who waits for whom, and that nobody's word is lost or overrun."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from guardian_tui.engine.runbooks import journal, records, runner, transcript
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.errors import Conflict, StoreUnavailable
from tests.runbooks.lab import Lab
from tests.runbooks.test_people import approve

HOSTS = ("web-1", "web-2", "web-3", "web-4")
ONE = "```step one\nrun: echo one\n```\n"
TWO = "```step two\ninstruct: x\n```\n"


async def turns() -> None:
    """Let whatever is ready go on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(lab: Lab, holds: Callable[[], Any], what: str) -> None:
    async def look() -> bool:
        return bool(holds())

    await lab.until(look, what)


def held_up(lab: Lab, *, fan: str = "[1]", more: str = "") -> str:
    """A step whose command says where it begins, and goes on when the file ``hold`` is gone."""
    (lab.folder / "hold").touch()
    command = f"echo x >> {lab.folder}/log; while test -e {lab.folder}/hold; do sleep 0.05; done"
    return f"```step roll\nrun: {command}\nfanout: {{serial: {fan}, gate: false}}\nrollback: echo back\n{more}```\n"


def begun(lab: Lab) -> int:
    log = lab.folder / "log"
    return len(log.read_text().split()) if log.exists() else 0


async def test_a_run_that_is_paused_takes_no_place_from_others(lab_: Lab) -> None:
    lab_.at_once = 2
    await lab_.restart()
    run = await lab_.run(held_up(lab_, fan="[100%]"), HOSTS)
    await lab_.go(run)
    await until(lab_, lambda: begun(lab_) == 2, "two are begun")
    await lab_.go(run, "pause")
    (lab_.folder / "hold").unlink()
    await until(lab_, lambda: not lab_.runbooks.runner.runs[run.id].busy, "those two have ended")
    await lab_.book(ONE, name="other")
    other = await lab_.start("other")
    assert (await lab_.answer(other)).verdict == "done"
    assert begun(lab_) == 2 and (await lab_.row(run)).state == "paused"
    assert (await lab_.answer(run, "resume")).verdict == "done"
    assert begun(lab_) == 4


async def test_what_is_about_to_begin_or_is_not_written_yet_is_not_taken_back_beside_it(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await lab_.run(held_up(lab_), HOSTS[:2])
    held, append, at = lab_.runbooks.runner.runs[run.id], lab_.runbooks.runner.append, asyncio.Event()
    kind: type = journal.HostsBegun
    free = asyncio.Event()

    async def slow(run: Any, entries: Any, *more: Any, **named: Any) -> bool:
        if any(isinstance(entry, kind) for entry in entries):
            at.set()
            await free.wait()
        return await append(run, entries, *more, **named)

    monkeypatch.setattr(lab_.runbooks.runner, "append", slow)
    await lab_.go(run)
    for kind in (journal.HostsBegun, journal.HostsDone):
        await asyncio.wait_for(at.wait(), 60)
        await lab_.go(run, "pause")
        with pytest.raises(Conflict, match="Commands still run on 1 host"):
            await lab_.go(run, "rollback")
        await lab_.go(run, "resume")
        kind = journal.HostsDone
        at.clear()
        free.set()
        await until(lab_, lambda: begun(lab_) == 1, "it is begun")
        free.clear()
        (lab_.folder / "hold").unlink(missing_ok=True)
    free.set()
    assert (await lab_.settled(run, "ended")).verdict == "done" and not held.busy


async def test_a_pause_holds_though_the_last_hosts_run_already(lab_: Lab) -> None:
    run = await lab_.run(held_up(lab_, fan="[100%]") + ONE, HOSTS[:2], auto=True)
    await until(lab_, lambda: begun(lab_) == 2, "both are begun")
    sue = await lab_.colleague("sue", "operator")
    row = await lab_.row(run)
    await lab_.gate.call(
        "runbooks.answer", wire.AnswerRunbook(run=run.id, version=row.version, act="pause"), token=sue
    )
    held = lab_.runbooks.runner.runs[run.id]
    assert held.principal is not None and held.principal.name == "ada", "who pauses it does not lead it"
    (lab_.folder / "hold").unlink()
    await until(lab_, lambda: not held.busy, "both have ended")
    await turns()
    row = await lab_.row(run)
    assert (row.state, row.step, row.marks[1].state) == ("paused", "roll", "todo")
    await lab_.go(run, "resume")
    assert (await lab_.settled(run, "ended")).verdict == "done"


async def test_nothing_goes_on_by_itself_in_the_moment_of_a_pause(lab_: Lab) -> None:
    run = await lab_.run(ONE + ONE.replace("one", "two"))
    held = lab_.runbooks.runner.runs[run.id]
    held.standing.auto = True
    held.go.clear()
    assert await lab_.runbooks.runner._free(held) is None
    held.go.set()
    assert await lab_.runbooks.runner._free(held) is not None


async def test_a_paused_run_is_paused_after_a_restart_and_resumed_once(lab_: Lab) -> None:
    run = await lab_.run(held_up(lab_), HOSTS[:3])
    await lab_.go(run)
    await until(lab_, lambda: begun(lab_) == 1, "the first is begun")
    await lab_.go(run, "pause")
    (lab_.folder / "hold").unlink()
    await until(lab_, lambda: not lab_.runbooks.runner.runs[run.id].busy, "it has ended")
    await lab_.restart()
    row = await lab_.row(run)
    assert (row.state, row.words) == ("paused", "Paused by ada.")
    assert (await lab_.answer(run, "resume")).verdict == "done"
    assert begun(lab_) == 3


async def test_a_detached_command_of_a_paused_run_is_followed_after_a_restart_and_not_taken_back_beside_it(
    lab_: Lab,
) -> None:
    run = await lab_.run(held_up(lab_, more="detach: true\n"), HOSTS[:2])
    await lab_.go(run)
    await until(lab_, lambda: begun(lab_) == 1, "the first is begun")
    await lab_.go(run, "pause")
    await lab_.restart()
    with pytest.raises(Conflict, match="Commands still run on 1 host"):
        await lab_.go(run, "rollback")
    assert (await lab_.row(run)).state == "paused"
    (lab_.folder / "hold").unlink()
    held = lab_.runbooks.runner.runs[run.id]
    await until(lab_, lambda: not held.busy, "it has ended")
    assert [one.state for one in held.standing.record.outcomes.values()] == ["ok"] and begun(lab_) == 1
    row = await lab_.answer(run, "rollback")
    assert (row.asked, row.step) == ("undo", "roll")
    assert (await lab_.answer(run, "undo", typed=row.phrase)).verdict == "rolled_back"


async def test_what_begins_after_a_restart_was_not_in_the_middle_of_anything(lab_: Lab) -> None:
    run = await lab_.run("```step rest\nwait: 1m\n```\n" + held_up(lab_), HOSTS[:2])
    (lab_.folder / "hold").unlink()
    await lab_.go(run)
    await lab_.runbooks.stop()
    lab_.gate.clock.advance(61)
    lab_.begin()
    await lab_.runbooks.start()
    row = await lab_.settled(run)
    assert row.step == "roll"
    assert (await lab_.answer(run)).verdict == "done"


async def test_a_detached_command_whose_secret_is_lost_is_followed_and_what_it_writes_is_not_shown(
    lab_: Lab,
) -> None:
    for name, more, state, words in (
        ("plain", "", "done", ""),
        ("judged", "expect: output contains 'hunter2'\n", "unknown", "It ended with exit status 0; what it wrote was not read"),
    ):  # fmt: skip
        command = f'echo x >> {lab_.folder}/log; while test -e {lab_.folder}/hold; do sleep 0.05; done; echo "$PASS"'
        steps = f"```step it\nrun: {command}\nenv: {{PASS: '{{{{password}}}}'}}\ndetach: true\n{more}```\n"
        (lab_.folder / "hold").touch()
        (lab_.folder / "log").unlink(missing_ok=True)
        await lab_.book(steps, name=name, front="vars:\n  password: {type: secret}\n")
        run = await lab_.start(name, values={"password": "hunter2"})
        await lab_.go(run)
        await until(lab_, lambda: begun(lab_) == 1, "it is begun")
        await lab_.restart()
        assert (await lab_.row(run)).state == "running"
        (lab_.folder / "hold").unlink()
        row = await lab_.settled(run)
        assert row.marks[0].state == state and words in row.words, row
        assert "hunter2" not in await lab_.output(run) and "is left out" in await lab_.output(run)


async def test_a_run_is_not_handed_over_once_it_has_ended(lab_: Lab) -> None:
    run = await lab_.run(ONE)
    held = lab_.runbooks.runner.runs[run.id]
    async with held.lock:
        orders = (
            ("runbooks.stop", wire.StopRunbook(run=run.id)),
            ("runbooks.hand_over", wire.HandOver(run=run.id)),
        )
        tasks = []
        for name, order in orders:
            tasks.append(asyncio.create_task(lab_.gate.call(name, order)))
            await until(lab_, lambda: len(held.lock._waiters or ()) == len(tasks), "it waits for its turn")
    stopped, handed = await asyncio.gather(*tasks, return_exceptions=True)
    assert stopped.state == "ended" and isinstance(handed, Conflict), handed
    row = await lab_.settled(run, "ended")
    entries = await records.entries_of(lab_.gate.store, run.id)
    assert row.transcript and isinstance(entries[-1], journal.Ended)
    await lab_.restart()
    assert lab_.runbooks.runner.runs == {} and len(lab_.gate.events("runbooks.ended")) == 1


async def test_a_stop_that_comes_as_the_last_of_it_ends_is_heard(lab_: Lab) -> None:
    run = await lab_.run(TWO)
    held = lab_.runbooks.runner.runs[run.id]
    last = asyncio.Event()
    held.task = asyncio.create_task(last.wait())  # type: ignore[arg-type]  # what was under way, and looks at nothing any more
    async with lab_.gate.store.write():
        stop = asyncio.create_task(lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id)))
        await until(lab_, lambda: held.stopped_by, "it is about to be written")
        last.set()
        await held.task
    await stop
    assert (await lab_.settled(run, "ended")).verdict == "stopped"


async def test_an_end_is_seen_to_once(lab_: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "RETRY_SECONDS", 0.02)
    markdown: Callable[..., Awaitable[Any]] = transcript.markdown
    left = [StoreUnavailable("away"), StoreUnavailable("away")]

    async def told(*given: Any) -> Any:
        if left:
            raise left.pop()
        return await markdown(*given)

    # also where the store can't be read just then
    monkeypatch.setattr(transcript, "markdown", told)
    run = await lab_.run(ONE)
    held = lab_.runbooks.runner.runs[run.id]
    await lab_.go(run)
    await until(lab_, lambda: held.standing.state == "ended", "it has ended")
    await lab_.runbooks.runner.finish(held)
    assert (await lab_.settled(run, "ended")).transcript
    assert len(lab_.gate.events("runbooks.ended")) == 1 and left == []


async def test_a_look_that_somebody_overtakes_changes_nothing(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await lab_.run(TWO + ONE)
    held, see, late = lab_.runbooks.runner.runs[run.id], runner.see, asyncio.Event()

    async def slow(house: Any, run: Any, standing: Any) -> Any:
        seen = await see(house, run, standing)
        await late.wait()
        return seen

    monkeypatch.setattr(runner, "see", slow)
    look = asyncio.create_task(lab_.runbooks.runner.look(held))
    await turns()
    monkeypatch.setattr(runner, "see", see)
    await lab_.answer(run)
    late.set()
    await look
    row = await lab_.row(run)
    assert row.step == "one" and row.current is not None and row.current.step.name == "one"


async def test_a_second_window_of_planned_work_lasts_as_long_as_it_says(lab_: Lab) -> None:
    orders: list[Any] = []

    async def act(principal: object, route: str, order: Any) -> None:
        orders.append(order.until)

    lab_.runbooks.house.act = act  # type: ignore[assignment]  # what is asked of the fleet
    hush = "```step hush\nsilence: work\nduration: 1h\nmaintenance: true\n```\n"
    run = await lab_.run(hush + hush.replace("hush", "more").replace("1h", "3h") + TWO)
    now = lab_.gate.clock.now()
    run = await lab_.answer(run)
    lab_.gate.clock.advance(60)
    run = await lab_.answer(run)
    assert (run.step, orders) == ("two", [now + 3600, now + 60 + 3 * 3600])
    run = await lab_.answer(run)
    assert orders[2:] == [None]


async def test_who_approved_one_step_approves_the_next_as_well(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await lab_.run(
        "```step ok\napprove: May it?\n```\n" + ONE + "```step sure\napprove: And now?\n```\n" + TWO
    )
    run = await lab_.answer(await approve(lab_, run, grace))
    assert run.step == "sure"
    assert (await approve(lab_, run, grace)).step == "two"


async def test_nobody_goes_round_an_approval_that_was_refused(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await lab_.answer(await lab_.run(TWO + "```step ok\napprove: May it?\n```\n" + ONE))
    run = await approve(lab_, run, grace, ok=False, note="not on a Friday")
    assert (run.state, run.acts) == ("deciding", ("retry", "back", "stop"))
    for act in ("accept", "skip"):
        with pytest.raises(Conflict, match="does not ask that"):
            await lab_.answer(run, act, reason="I know better")  # type: ignore[arg-type]  # one of its words
    run = await lab_.answer(run, "retry")
    assert (run.step, run.asked) == ("ok", "approve")
    assert (await approve(lab_, run, grace)).step == "one"
