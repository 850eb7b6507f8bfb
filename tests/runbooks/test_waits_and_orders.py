"""Steps that run no command: what they wait for, what they ask of other features, and what is left when they are stopped or the engine ends."""

from __future__ import annotations

from typing import Any

import pytest

from guardian_tui.engine.alerts import records as alert_records
from guardian_tui.engine.runbooks import doing, journal
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.backups import RunRow
from guardian_tui.protocol.base import Done
from guardian_tui.protocol.errors import Conflict
from tests.runbooks.lab import Lab

TWO = "```step two\ninstruct: x\n```\n"
SAVE = "```step save\nbackup: shop\ntimeout: 10m\n```\n"


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doing, "POLL_SECONDS", 0.02)


async def told(lab: Lab, run: wire.RunbookRun, word: str) -> None:
    async def there() -> bool:
        return word in lab.runbooks.runner.runs[run.id].words

    await lab.until(there, f"it says {word!r}")


async def test_two_runs_that_wait_for_one_host_do_not_take_its_values_from_each_other(lab_: Lab) -> None:
    low = await lab_.run("```step low\nwait: load1 < 2\ntimeout: 1h\n```\n")
    await lab_.book("```step high\nwait: load1 > 90\ntimeout: 1h\n```\n", name="other")
    high = await lab_.start("other")
    await lab_.go(low)
    await lab_.go(high)
    for run in (low, high):
        await told(lab_, run, "load1 is not known")
    await lab_.wave(load1=1.0)
    assert (await lab_.settled(low, "ended")).verdict == "done"
    await told(lab_, high, "load1 is 1")
    await lab_.wave(load1=95.0)
    assert (await lab_.settled(high, "ended")).verdict == "done"


async def test_a_wait_that_was_over_while_no_engine_ran_is_over(lab_: Lab) -> None:
    run = await lab_.run("```step rest\nwait: 5m\n```\n" + TWO)
    await lab_.go(run)
    await lab_.settled(run, "running")
    await lab_.runbooks.stop()
    lab_.gate.clock.advance(301)
    lab_.begin()
    await lab_.runbooks.start()
    row = await lab_.settled(run)
    assert (row.step, row.marks[0].state) == ("two", "done")


class Others:
    """Stands in for the features that steps ask: what was ordered, and a backup that stays under way."""

    def __init__(self, lab: Lab, patch: pytest.MonkeyPatch) -> None:
        self.orders: list[tuple[str, object]] = []
        self.lab = lab
        self.patch = patch

    def take(self) -> None:
        """From now on, of the engine as it is now."""
        self.patch.setattr(self.lab.runbooks.house, "act", self.act)

    async def act(self, principal: object, route: str, order: object) -> Any:
        self.orders.append((route, order))
        if route != "backups.run":
            return Done()
        now = self.lab.gate.clock.now()
        row = RunRow(
            id="b1",
            job="shop",
            host="web-1",
            repository="r",
            operation="backup",
            state="running",
            queued_at=now,
            by="ada",
        )
        self.lab.gate.live.runs.put(row.id, row, {"host": "web-1"})
        return row


@pytest.fixture
def others(lab_: Lab, monkeypatch: pytest.MonkeyPatch) -> Others:
    made = Others(lab_, monkeypatch)
    made.take()
    return made


async def test_a_backup_that_takes_too_long_goes_on_and_the_step_says_so(lab_: Lab, others: Others) -> None:
    run = await lab_.run(SAVE)
    await lab_.go(run)
    await told(lab_, run, "The backup run b1 is running.")
    lab_.gate.clock.advance(601)
    row = await lab_.settled(run)
    assert (row.state, row.words) == ("deciding", "It did not end in 10 min; the backup goes on.")


async def test_a_backup_that_is_under_way_is_found_again_and_outlives_a_stop(
    lab_: Lab, others: Others
) -> None:
    run = await lab_.run(SAVE)
    await lab_.go(run)
    await told(lab_, run, "b1")
    await lab_.restart()
    others.take()
    await told(lab_, run, "The backup run b1 is running.")
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
    row = await lab_.settled(run, "ended")
    assert (row.verdict, row.marks[0].words) == ("stopped", "It was stopped; the backup run b1 goes on.")
    assert [route for route, _ in others.orders] == ["backups.run"]


async def test_a_check_of_a_job_that_is_not_there_asks_nobody(lab_: Lab, others: Others) -> None:
    run = await lab_.answer(await lab_.run(SAVE.replace("timeout: 10m", "operation: check")))
    assert (run.state, run.words, others.orders) == ("deciding", "There is no backup job 'shop'.", [])


async def test_a_window_that_was_opened_before_a_restart_is_not_opened_twice(
    lab_: Lab, others: Others
) -> None:
    run = await lab_.run("```step hush\nsilence: work\nduration: 1h\nmaintenance: true\n```\n" + TWO)
    held, now = lab_.runbooks.runner.runs[run.id], lab_.gate.clock.now()
    begun = [
        journal.Started(at=now, by="ada", step="hush", hosts=("id-web-1",), names={"id-web-1": "web-1"}),
        journal.Opened(at=now, what="maintenance", reference="id-web-1", words="maintenance of web-1"),
    ]
    await lab_.runbooks.runner.append(held, begun)
    await lab_.restart()
    others.take()
    row = await lab_.settled(run)
    assert (row.step, others.orders) == ("two", [])
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
    await lab_.settled(run, "ended")
    ((route, order),) = others.orders
    assert (route, order.host, order.until) == ("hosts.maintenance", "id-web-1", None)  # type: ignore[attr-defined]  # by the route table


async def test_what_a_person_does_is_never_carried_by_itself(lab_: Lab) -> None:
    run = await lab_.run(TWO)
    held = lab_.runbooks.runner.runs[run.id]
    with pytest.raises(Conflict, match="two is nothing that runs by itself"):
        await lab_.runbooks.runner._carry(held, held.standing.document.steps[0])


async def test_a_message_that_was_handed_over_when_the_engine_ended_is_sent_once(lab_: Lab) -> None:
    run = await lab_.run("```step tell\nnotify: Look.\nchannels: [desk]\n```\n" + TWO)
    held = lab_.runbooks.runner.runs[run.id]
    started = journal.Started(at=lab_.gate.clock.now(), by="ada", step="tell")
    await lab_.runbooks.runner.append(held, [started])

    async def queued() -> int:
        async with lab_.gate.store.read() as conn:
            return (await alert_records.count_waiting(conn)).get("desk", 0)

    # handed over, and then killed before what came of it was written
    told = await lab_.runbooks.runner._carry(held, held.standing.document.steps[0])
    assert told.state == "done"
    assert await lab_.until(queued, "it waits to be sent") == 1
    await lab_.restart()
    row = await lab_.settled(run)
    assert (row.step, row.marks[0].words) == ("two", "Handed over to desk.")
    await lab_.gate.call("runbooks.stop", wire.StopRunbook(run=run.id))
    await lab_.settled(run, "ended")
    assert await queued() == 1
