"""Five hundred simulated hosts of which 30 % fail: bounded, told one by one, stopped when too many do."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.target import Target
from guardian_tui.engine.remote.ways import Way
from guardian_tui.protocol import runbooks as wire
from tests.fleet.conftest import *  # noqa: F403  # its fixtures: a fleet with a real store and real SSH
from tests.fleet.world import World
from tests.runbooks.lab import Hosts, Lab, lab
from tests.support.sims import Sims, sims

COUNT = 500
STEP = """
```step roll
run: echo hello from {{name}}; exit {{code}}
fanout: {serial: [1, 10%, 100%], max_failures: MOST, gate: false}
```
"""
FRONT = (
    "vars:\n  name: {type: host, from: inventory.name}\n  code: {type: int, from: inventory.labels.code}\n"
)


class Many(Hosts):
    """An inventory of simulated hosts, of which three of ten fail."""

    def __init__(self, told: Sims) -> None:
        self.all = {}
        for number, host in enumerate(told.about["hosts"]):
            name = host["name"]
            target = Target(
                name, name, host["address"], host["port"], "sim", f"key:{told.about['client_key']}"
            )
            labels = {"host": name, "environment": "lab", "code": str(int(number % 10 in (3, 6, 9)))}
            self.all[name] = Way(name, name, labels, target)


@pytest.fixture
async def many(world: World, tmp_path: Path) -> AsyncIterator[Lab]:
    folder = tmp_path / "lab"
    folder.mkdir()
    async with sims(COUNT) as told, lab(folder) as one:
        hosts = Many(told)
        for host in told.about["hosts"]:
            await world.pin(host["address"], host["port"], told.about["host_key"].strip())
        one.commands, one.hosts, one.at_once = Commands(world.remote), hosts, 50
        await one.runbooks.stop()
        one.begin()
        await one.runbooks.start()
        for way in hosts.ways():
            one.gate.live.hosts.put(way.host_id, one.host_row(way), way.labels)
        yield one


async def test_five_hundred_hosts_of_which_a_third_fails(many: Lab) -> None:
    await many.book(STEP.replace("MOST", "40%"), hosts="{filter: 'sim-'}", front=FRONT)
    run = await many.start(hosts=())
    assert run.current is not None
    assert run.current.batches == (1, 50, 449)
    assert (len(run.current.commands), run.current.more_commands) == (20, 480)
    row = await many.row(run)
    await many.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=row.version))
    most = 0
    deadline = time.monotonic() + 120
    while (row := await many.row(run)).state == "running":
        assert time.monotonic() < deadline
        held = many.runbooks.runner.runs[run.id]
        most = max(most, len(held.busy))
        assert len(held.tail.text()) <= 4096
        await many.pause()
    done = await many.settled(run, "ended")
    assert most <= 50
    assert done.verdict == "done"
    assert done.marks[0].words.startswith(
        "350 of 500 well, 150 failed (sim-003, sim-006, sim-009 and 147 more)"
    )
    text = (await many.transcript(run)).text
    assert text.count(": failed, exit status 1") == 150
    assert text.count(": ok, exit status 0") == 350
    assert "hello from sim-499" in text

    await many.book(STEP.replace("MOST", "2%"), hosts="{filter: 'sim-'}", front=FRONT)
    stopped = await many.start(hosts=())
    stopped = await many.answer(stopped)
    assert stopped.state == "deciding"
    assert "so it stopped" in stopped.words
    detail = await many.detail(stopped.id)
    assert sum(one.state == "waiting" for one in detail.results) == 449
