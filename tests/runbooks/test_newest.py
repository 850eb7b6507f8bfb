"""The library is everybody's to see; which run of a runbook is the newest only theirs who may see that run."""

from __future__ import annotations

from msgspec.structs import replace

from guardian_tui.engine.calls import Call
from guardian_tui.engine.facts import HostsRelabelled
from guardian_tui.engine.remote.ways import Way
from guardian_tui.engine.streams import visibility
from guardian_tui.protocol import runbooks as wire
from tests.runbooks.lab import Lab

STEPS = "```step one\nrun: echo one\n```\n```step two\nrun: echo two\nhosts: [web-1, web-2]\n```\n"


async def line(lab: Lab, token: str | None = None) -> wire.RunbookRow:
    """The runbook's line as somebody sees it; all ways to it say the same."""
    rows = (await lab.gate.call("runbooks.list", wire.RunbooksQuery(), token=token)).runbooks
    row: wire.RunbookRow = next(row for row in rows if row.id == "book")
    shown = (await lab.gate.call("runbooks.show", wire.RunbookRef(runbook="book"), token=token)).row
    assert shown == row
    return row


async def test_the_newest_run_is_told_to_those_alone_who_may_see_it(lab_: Lab) -> None:
    oscar = await lab_.colleague("oscar", "operator", "host=web-1")
    vera = await lab_.colleague("vera", "viewer", "host=web-3")
    run = await lab_.run(STEPS)
    table = lab_.gate.live.runbook_newest
    # its document names web-2 too
    for token in (oscar, vera):
        assert (await line(lab_, token)).last_run == ""
    order = wire.RunbookOrder(runbook="book", hosts=("web-3",))
    assert (await line(lab_)).last_run == run.id
    assert (await lab_.gate.call("runbooks.plan", order)).last_run == run.id
    assert all(not row.last_run for row in lab_.gate.live.runbooks.rows()), (
        "nothing of it in everybody's table"
    )

    lab_.gate.clock.advance(1)
    single = await lab_.run("```step one\nrun: echo one\n```\n")
    assert (await line(lab_, oscar)).last_run == single.id and (await line(lab_, vera)).last_run == ""
    await lab_.answer(single)
    assert (await line(lab_, oscar)).last_verdict == "done"
    # an older one that goes on is no newer for that
    await lab_.answer(run)
    assert (await line(lab_)).last_run == single.id

    async def sees(token: str) -> bool:
        seen: list[bool] = []

        async def handler(call: Call, request: object) -> wire.RunbookList:
            assert call.principal is not None
            seen.append(visibility(call.principal)("runbook_newest", table.labels("book") or {}))
            return wire.RunbookList(runbooks=())

        kept = lab_.gate.dispatch._handlers["runbooks.list"]
        lab_.gate.dispatch._handlers["runbooks.list"] = handler  # type: ignore[assignment]  # a handler of this test's
        await lab_.gate.call("runbooks.list", wire.RunbooksQuery(), token=token)
        lab_.gate.dispatch._handlers["runbooks.list"] = kept
        return seen[0]

    assert await sees(oscar) and not await sees(vera)
    await lab_.restart()
    assert await sees(oscar) and not await sees(vera)
    newest = table.get("book")
    assert newest is not None and (newest.run, newest.verdict) == (single.id, "done")

    # the host becomes another's
    way = lab_.hosts.all["web-1"]
    lab_.hosts.all["web-1"] = Way(way.host_id, "web-1", {**way.labels, "host": "web-3"}, None)
    lab_.gate.bus.publish(HostsRelabelled(("id-web-4",)))
    assert await sees(oscar)
    lab_.gate.bus.publish(HostsRelabelled(("id-web-1",)))
    assert await sees(vera) and not await sees(oscar)


async def test_a_client_puts_lines_and_their_newest_runs_together(lab_: Lab) -> None:
    from guardian_tui.protocol.events import Delta
    from guardian_tui.world import World

    run = await lab_.run(STEPS)
    live, world = lab_.gate.live, World()
    line = live.runbooks.get("book")
    newest = live.runbook_newest.get("book")
    assert line is not None and newest is not None
    nothing = Delta(seq=1)
    # in any order, each alone
    world.apply(replace(nothing, runbook_newest=(newest,)))
    world.apply(replace(nothing, runbooks=(line,)))
    assert world.runbooks["book"].last_run == run.id
    world.apply(replace(nothing, runbooks=(replace(line, title="Another"),)))
    told = world.runbooks["book"]
    assert (told.title, told.last_run, told.last_at) == ("Another", run.id, newest.at)
    assert world.apply(replace(nothing, gone={"runbook_newest": ("book", "other")})).runbooks
    assert world.runbooks["book"].last_run == ""
