"""What goes on by itself goes on with somebody's rights, and no further than these reach."""

from __future__ import annotations

import pytest

from guardian_tui.engine.runbooks import doing, runner
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.access import AccountRef
from guardian_tui.protocol.errors import Conflict, InvalidRequest, NotFound, StoreUnavailable
from tests.runbooks.lab import Lab
from tests.runbooks.test_people import approve

HOSTS = ("web-1", "web-2", "web-3", "web-4")


async def at_step(lab: Lab, run: wire.RunbookRun, name: str) -> wire.RunbookRun:
    async def there() -> wire.RunbookRun | None:
        row = await lab.row(run)
        return row if row.step == name and row.state == "asking" else None

    return await lab.until(there, f"it asks at {name}")


async def test_a_host_that_a_value_names_later_must_be_the_persons_too(lab_: Lab) -> None:
    oscar = await lab_.colleague("oscar", "operator", "host=web-1")
    steps = "```step where\ninput: On which host?\ntype: host\n```\n```step there\nrun: echo there\nhosts: '{{where}}'\n```\n"
    await lab_.book(steps)
    order = wire.StartRunbook(runbook="book", hosts=("web-1",))
    run = await lab_.gate.call("runbooks.run", order, token=oscar)
    run = await lab_.answer(run, value="web-2", token=oscar)
    with pytest.raises(NotFound, match="web-2"):
        await lab_.answer(run, token=oscar)
    done = await lab_.answer(run)
    assert done.verdict == "done"
    with pytest.raises(NotFound):
        await lab_.gate.call("runbooks.follow", wire.RunbookRunRef(run=run.id), token=oscar)


async def test_by_itself_it_goes_no_further_than_roles_approvals_and_accounts_allow(lab_: Lab) -> None:
    helper = await lab_.colleague("hal", "support")
    steps = """
```step days
input: How many?
type: int
```
```step first
run: echo first {{days}}
```
```step ops
run: echo ops
roles: [operator]
```
```step ok
approve: May it go on?
expires: 10m
```
```step last
run: echo last
```
"""
    await lab_.book(steps)
    order = wire.StartRunbook(runbook="book", hosts=("web-1",), values={"days": "3"}, auto=True)
    run = await lab_.gate.call("runbooks.run", order, token=helper)
    row = await at_step(lab_, run, "ops")
    assert [mark.state for mark in row.marks][:2] == ["done", "done"]
    run = await lab_.answer(row)
    run = await at_step(lab_, run, "ok")
    grace = await lab_.colleague("grace", "operator")
    await approve(lab_, run, grace)
    done = await lab_.settled(run, "ended")
    assert done.verdict == "done"
    row = (await lab_.gate.call("runbooks.show", wire.RunbookRef(runbook="book"))).row
    assert (row.last_run, row.last_verdict) == (run.id, "done")

    two = "```step one\nrun: echo one\n```\n```step two\nrun: while test -e {{hold}}; do sleep 0.05; done\n```\n```step three\nrun: echo three\n```\n"
    hold = lab_.folder / "hold"
    hold.touch()
    await lab_.book(two, front="vars:\n  hold: {type: path}\n")
    order = wire.StartRunbook(runbook="book", hosts=("web-1",), values={"hold": str(hold)}, auto=True)
    run = await lab_.gate.call("runbooks.run", order, token=helper)

    async def second() -> bool:
        row = await lab_.row(run)
        return row.step == "two" and row.state == "running"

    await lab_.until(second, "the second step runs")
    await lab_.gate.call("accounts.disable", AccountRef(account="hal"))
    hold.unlink()
    row = await at_step(lab_, run, "three")
    assert row.marks[2].state == "asking"


async def test_an_approval_that_lapses_stops_what_goes_on_by_itself(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    hold = lab_.folder / "hold"
    hold.touch()
    steps = """
```step ok
approve: May it?
expires: 5m
```
```step wait
run: while test -e {{hold}}; do sleep 0.05; done
```
```step last
run: echo last
```
"""
    run = await lab_.run(steps, front="vars:\n  hold: {type: path}\n", values={"hold": str(hold)}, auto=True)
    await approve(lab_, run, grace)
    await lab_.settled(run, "running")
    lab_.gate.clock.advance(301)
    hold.unlink()
    row = await at_step(lab_, run, "ok")
    assert "It has expired." in row.words
    assert row.marks[2].state == "todo"


async def test_what_has_changed_since_it_was_shown_is_shown_again(lab_: Lab) -> None:
    await lab_.book("```step one\nrun: echo one\n```\n", hosts="{filter: 'web'}")
    run = await lab_.start(hosts=())
    lab_.gate.live.hosts.drop("id-web-4")
    with pytest.raises(Conflict, match="look again"):
        await lab_.answer(run)
    row = await lab_.row(run)
    assert row.current is not None
    assert row.current.hosts == 3
    assert (await lab_.answer(run)).verdict == "done"


async def test_a_store_that_fails_holds_a_run_up_and_loses_nothing(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "RETRY_SECONDS", 0.05)
    failures = 3
    real = lab_.gate.audit.append

    async def append(tx: object, entry: object) -> int:
        nonlocal failures
        if getattr(entry, "action", "") in ("runbooks.step", "runbooks.ended") and failures:
            failures -= 1
            raise StoreUnavailable("full")
        return await real(tx, entry)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(lab_.gate.audit, "append", append)
    run = await lab_.run("```step one\nrun: echo one\n```\n")
    done = await lab_.answer(run)
    assert (done.verdict, failures) == ("done", 0)
    assert await lab_.output(run) == "one\n"


async def test_a_fault_of_ours_in_a_step_is_decided_upon(lab_: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*args: object, **more: object) -> object:
        raise RuntimeError("ours")

    run = await lab_.run("```step one\nrun: echo one\n```\n")
    monkeypatch.setattr(lab_.runbooks.house.commands, "follow", broken)
    run = await lab_.answer(run)
    assert run.state == "deciding"
    assert run.words == "The engine failed in the middle of it: RuntimeError. See its log."
    assert run.marks[0].state == "unknown"
    # nobody waits for anything that is under way any more
    monkeypatch.undo()
    run = await lab_.answer(run, "retry")
    assert (await lab_.answer(run)).verdict == "done"


async def test_secrets_in_inputs_and_stops_between_steps(lab_: Lab) -> None:
    run = await lab_.run("```step one\ninstruct: Do it.\n```\n")
    with pytest.raises(InvalidRequest, match=r"stopped by runbooks\.stop"):
        await lab_.answer(run, "stop")
    held = lab_.runbooks.runner.runs[run.id]
    held.stop.ask()
    held.stopped_by = "ada"
    await lab_.runbooks.runner._epilogue(held)
    assert (await lab_.settled(run, "ended")).words == "It was stopped by ada."


async def test_steps_that_cannot_be_planned_say_so_in_the_plan(lab_: Lab) -> None:
    steps = "```step one\nrun: echo one\nhosts: [gone-1]\n```\n```step two\nrun: echo {{which}}\nhosts: {filter: 'nothing-such'}\n```\n"
    await lab_.book(steps, front="vars:\n  which: {type: word}\n")
    plan: wire.RunbookPlan = await lab_.gate.call(
        "runbooks.plan", wire.RunbookOrder(runbook="book", hosts=("web-1",))
    )
    assert [words.split(":")[0] for words in plan.problems] == ["one", "two"]
    assert plan.digest == ""
    await lab_.book("```step one\nrun: echo one\n```\n", hosts="engine")
    run = await lab_.start(hosts=())
    assert run.hosts == ("web-1",)
    await lab_.book("```step one\nrun: echo one\n```\n", hosts="{filter: web, most: 2}")
    with pytest.raises(InvalidRequest, match="4 hosts are meant"):
        await lab_.start(hosts=())


async def test_waits_on_the_state_of_a_host_and_on_the_alert(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doing, "POLL_SECONDS", 0.05)
    run = await lab_.run("```step up\nwait: state == 'up'\n```\n```step long\nwait: 1h\n```\n")
    run = await lab_.answer(run)
    assert run.step == "long"
    row = await lab_.row(run)
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=row.version))
    await lab_.settled(run, "running")
    await lab_.restart()
    assert (await lab_.row(run)).state == "running"
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
    assert (await lab_.settled(run, "ended")).verdict == "stopped"
    never = await lab_.run("```step down\nwait: state == 'down'\n```\n")
    row = await lab_.row(never)
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=never.id, version=row.version))
    await lab_.settled(never, "running")
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=never.id))
    assert (await lab_.settled(never, "ended")).verdict == "stopped"


async def test_a_step_is_tried_as_often_as_its_author_says(lab_: Lab) -> None:
    count = lab_.folder / "count"
    run = await lab_.run(
        f"```step one\nrun: echo x >> {count}; test $(wc -l < {count}) -ge 3\nretry: {{times: 5, wait: 0s}}\n```\n"
    )
    done = await lab_.answer(run)
    assert done.verdict == "done"
    assert count.read_text() == "x\n" * 3
    nothing = await lab_.run("```step one\nrun: echo nothing\ncapture: {pid: 'pid (\\d+)'}\n```\n")
    nothing = await lab_.answer(nothing)
    assert nothing.words == "its output has nothing for pid"
    option = await lab_.run("```step one\nrun: echo --all\ncapture: {what: '(.*)'}\n```\n")
    option = await lab_.answer(option)
    assert "what was captured is refused" in option.words
