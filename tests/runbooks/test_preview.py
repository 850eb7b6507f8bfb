"""What would run now, told before it does: a dry run from where a run stands, what is wrong by its field, messages that reach nobody."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from guardian_tui.engine.runbooks.places import Places
from guardian_tui.engine.runbooks.planning import Planner
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.errors import NotFound
from tests.runbooks.lab import Lab

STEPS = """
```step look
check: "true"
```
```step change
run: touch "$HOME"/{{name}}; echo {{word}}
rollback: rm -f -- "$HOME"/{{name}}
dangerous: it is gone
```
```step tell
notify: It is done.
channels: [desk]
```
"""
FRONT = "vars:\n  name: {type: host, from: inventory.name}\n  word: {type: word, default: well}\n"


async def preview(lab: Lab, run: str) -> wire.RunbookPreview:
    found: wire.RunbookPreview = await lab.gate.call("runbooks.preview", wire.RunbookRunRef(run=run))
    return found


async def plan(lab: Lab, *hosts: str, **values: str) -> wire.RunbookPlan:
    order = wire.RunbookOrder(runbook="book", hosts=hosts, values=values)
    found: wire.RunbookPlan = await lab.gate.call("runbooks.plan", order)
    return found


async def test_a_dry_run_tells_what_is_to_come_and_runs_none_of_it(lab_: Lab) -> None:
    run = await lab_.run(STEPS, front=FRONT)
    before = await lab_.row(run)
    told = await preview(lab_, run.id)
    assert (told.step, told.version, told.changed, told.undo) == ("look", before.version, False, False)
    assert [one.step.name for one in told.steps] == ["look", "change", "tell"]
    assert told.steps[1].commands[0].command == 'touch "$HOME"/web-1; echo well'
    assert told.steps[1].phrase == "web-1"
    assert "1 step of 3 changes something on up to 1 host" in told.blast
    assert await lab_.row(run) == before
    assert lab_.gate.events("runbooks.preview") == []
    await lab_.answer(run)
    assert [one.step.name for one in (await preview(lab_, run.id)).steps] == ["change", "tell"]
    run = await lab_.answer(run, typed="web-1")
    run = await lab_.answer(run, "rollback")
    told = await preview(lab_, run.id)
    assert told.undo
    assert told.steps[0].commands[0].command == 'rm -f -- "$HOME"/web-1'
    await lab_.answer(run, "undo", typed="web-1")
    with pytest.raises(NotFound):
        await preview(lab_, run.id)


async def test_a_dry_run_notices_that_the_hosts_are_others_now(lab_: Lab) -> None:
    steps = "```step change\nrun: echo hi\nhosts: {filter: web}\n```\n"
    for name in lab_.hosts.all:
        lab_.well(name)
    run = await lab_.run(steps)
    assert not (await preview(lab_, run.id)).changed
    way = lab_.hosts.all.pop("web-4")
    lab_.gate.live.hosts.drop(way.host_id)
    told = await preview(lab_, run.id)
    assert told.changed
    assert told.steps[0].hosts == run.current.hosts - 1  # type: ignore[union-attr]  # it asks for a step
    for name, one in list(lab_.hosts.all.items()):
        lab_.gate.live.hosts.drop(one.host_id)
        del lab_.hosts.all[name]
    told = await preview(lab_, run.id)
    assert told.problems == ("change: No host matches 'web'.",)
    assert told.steps[0].words == "No host matches 'web'."


async def test_what_is_wrong_is_told_by_its_field(lab_: Lab) -> None:
    await lab_.book(STEPS, front=FRONT)
    assert (await plan(lab_)).fields == {"hosts": "Say on which hosts it is to run."}
    with pytest.raises(NotFound) as refused:
        await plan(lab_, "web-9")
    assert refused.value.field == "hosts"
    assert (await plan(lab_, "web-1")).fields == {}
    variable = "vars:\n  where: {type: host}\n"
    await lab_.book('```step look\ncheck: "true"\n```\n', hosts="'{{where}}'", front=variable)
    assert (await plan(lab_, where="web-9")).fields == {"where": "There is no host 'web-9'."}


async def test_messages_that_would_reach_nobody_are_told_before_they_are_sent(lab_: Lab) -> None:
    await lab_.book(STEPS + "```step all\nnotify: And all.\n```\n", front=FRONT)
    assert (await plan(lab_, "web-1")).warnings == (), "a lab that does not say which channels there are"
    steps = lab_.runbooks.library.get("book").steps
    places = Places(lab_.hosts, lab_.gate.live)
    assert Planner(places, ["desk"]).warnings(steps) == ()
    both = (replace(steps[-1], kind="notify", name="tell", channels=("desk", "pager")),)
    assert Planner(places, ["desk"]).warnings(both) == (
        "tell would not tell pager: there is no such channel.",
    )
    assert Planner(places, ["mail", "chat"]).warnings(steps) == (
        "tell would tell nobody, and fail: desk is no channel; there is mail, chat.",
    )
    assert [words.split(" would")[0] for words in Planner(places, []).warnings(steps)] == ["tell", "all"]
    lab_.runbooks.house.planner._channels = ()
    run = await lab_.start()
    assert "no channel is configured" in (await preview(lab_, run.id)).warnings[0]
    assert "no channel is configured" in (await plan(lab_, "web-1")).warnings[1]
