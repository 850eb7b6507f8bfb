"""An engine that is killed in any state of a run goes on from what is on disk: nothing is lost, nothing is run twice by itself."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import delete, update

from guardian_tui.engine.runbooks import journal, records
from guardian_tui.engine.runbooks.state import replay
from guardian_tui.engine.store.tables import runbook_journal, runbook_runs
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.errors import InvalidRequest
from guardian_tui.protocol.fleet import HostList, HostsQuery
from tests.runbooks.lab import Lab
from tests.runbooks.test_joined import ROOMY, disk_alert, fix
from tests.runbooks.test_people import approve
from tests.support.engine import EngineProcess, engine_process

EVERY_KIND = """
```step look
instruct: Look.
```
```step days
input: How many?
type: int
```
```step which
choose: Which?
options: {this: ok, that: stop}
```
```step ok
approve: May it?
```
```step first
run: echo first >> {{log}}
rollback: echo undo-first >> {{log}}
```
```step long
run: echo long >> {{log}}; echo long-ended
detach: true
capture: {seen: '(long-ended)'}
```
```step wide
run: echo wide >> {{log}}
fanout: {serial: [1, 100%]}
rollback: echo undo-wide >> {{log}}
```
```step pause
wait: 1s
```
```step hush
silence: work
rules: [disk_low]
duration: 1h
```
```step tell
notify: Done.
```
```step last
check: test {{seen}} != {{days}}; false
```
"""


async def one_answer(lab: Lab, run: wire.RunbookRun, other: str) -> wire.RunbookRun:
    """What a person would answer next, or another one approve; a step of which nobody knows is looked at and accepted."""
    row = await lab.row(run)
    if row.asked == "approve":
        return await approve(lab, row, other)
    if row.asked == "input":
        return await lab.answer(run, value="7")
    if row.asked == "choose":
        return await lab.answer(run, choice="this")
    if row.state == "paused":
        return await lab.answer(run, "resume")
    if row.state == "deciding" and row.step == "last":
        return await lab.answer(run, "rollback")
    if row.state == "deciding":
        return await lab.answer(run, "accept" if "accept" in row.acts else "skip", reason="looked")
    if row.asked == "undo":
        return await lab.answer(run, "undo", typed=row.phrase)
    try:
        return await lab.answer(run)
    except InvalidRequest:
        # what a step of which nothing is known would have captured is missing
        return await lab.answer(run, "rollback")


async def to_the_end(lab: Lab, run: wire.RunbookRun, other: str) -> wire.RunbookRun:
    for _ in range(40):
        row = await lab.settled(run)
        if row.state == "ended":
            return row
        await one_answer(lab, run, other)
    raise AssertionError(f"it does not end: {await lab.row(run)}")


async def test_a_kill_after_every_entry_of_a_journal(lab_: Lab) -> None:
    log = lab_.folder / "log"
    await lab_.book(EVERY_KIND, front="vars:\n  log: {type: path}\n", hosts="person")
    grace = await lab_.colleague("grace", "operator")
    # the roll-out stops by itself after its first batch, and waits for a person
    lab_.well("web-1", state="down")
    run = await lab_.start(hosts=("web-1", "web-2"), values={"log": str(log)})
    done = await to_the_end(lab_, run, grace)
    assert done.verdict == "rolled_back"
    store = lab_.gate.store
    whole = await records.entries_of(store, run.id)
    document = await records.pinned(store, run.hash)
    assert document is not None
    assert {type(entry) for entry in whole} >= {
        journal.Begun, journal.Planned, journal.Started, journal.HostsBegun, journal.HostsDone, journal.Result, journal.Moved,
        journal.Opened, journal.RollingBack, journal.Closed, journal.Ended, journal.Judged, journal.Paused, journal.Resumed,
    }  # fmt: skip
    ways = set()
    for length in range(1, len(whole)):
        await lab_.runbooks.stop()
        async with store.write() as tx:
            await tx.execute(delete(runbook_journal).where(runbook_journal.c.seq >= length))
            await tx.execute(update(runbook_runs).values(settled=0))
        log.write_text("")
        before = replay(document, whole[:length])
        lab_.begin()
        await lab_.runbooks.start()
        after = await lab_.settled(run)
        ways.add((before.state, after.state))
        # what was confirmed but not begun, or begun and not known, has waited for a person; only detached commands were found again
        assert log.read_text() == "", (
            f"after entry {length}, {whole[length - 1]}, it ran by itself: {log.read_text()}"
        )
        if before.state == "running" and before.record.in_doubt and before.step != "long":
            assert after.state == "deciding", whole[length - 1]
        if length % 4 == 0:
            assert (await to_the_end(lab_, run, grace)).state == "ended"
            await lab_.runbooks.stop()
        # the rest of the loop is made of the journal that there was
        async with store.write() as tx:
            await tx.execute(delete(runbook_journal))
            await records.append(tx, run.id, 0, whole)
    assert {before for before, _ in ways} == set(get_args(wire.RunState))


async def test_a_kill_while_the_rule_is_judged_anew_has_it_judged_once_more(lab_: Lab) -> None:
    alert = await disk_alert(lab_)
    run = await fix(lab_, alert)
    await lab_.restart()
    assert (await lab_.row(run)).proof == "waiting"
    lab_.gate.clock.advance(1)
    await lab_.wave(**ROOMY)
    done = await lab_.settled(run, "ended")
    assert (done.verdict, done.proof) == ("done", "fixed")


BOOK = """---
id: kill
title: Kill
version: 1
hosts: person
---
```step detached
run: echo begun >> {{log}}; while ! test -e {{go}}; do sleep 0.1; done; echo ended-well
detach: true
timeout: 5m
```
```step foreground
run: echo fore >> {{log}}; while ! test -e {{go}}; do sleep 0.1; done; echo fore-ended
timeout: 5m
```
"""
FRONT = "vars:\n  log: {type: path}\n  go: {type: path}\n"


class Killed:
    """A run in a real engine that is killed."""

    def __init__(self, engine: EngineProcess, folder: Path) -> None:
        self.engine = engine
        self.log, self.go = folder / "log", folder / "go"
        self.run: wire.RunbookRun

    async def begin(self) -> None:
        hosts = await self.engine.client.call("hosts.list", HostList, HostsQuery())
        here = next(row.name for row in hosts.hosts if row.id == "local")

        async def read() -> bool:
            listed = await self.engine.client.call("runbooks.list", wire.RunbookList, wire.RunbooksQuery())
            return any(row.id == "kill" for row in listed.runbooks)

        await self.engine.until(read, "the library is read")
        order = wire.StartRunbook(
            runbook="kill", hosts=(here,), values={"log": str(self.log), "go": str(self.go)}
        )
        self.run = await self.engine.client.call("runbooks.run", wire.RunbookRun, order)

    async def row(self) -> wire.RunbookRun:
        ref = wire.RunbookRunRef(run=self.run.id)
        return (await self.engine.client.call("runbooks.follow", wire.RunbookRunDetail, ref)).run

    async def answer(self, act: wire.Act = "go", **more: str) -> None:
        row = await self.row()
        order = wire.AnswerRunbook(run=row.id, version=row.version, act=act, **more)
        await self.engine.client.call("runbooks.answer", wire.RunbookRun, order)

    async def until(self, holds: Callable[[wire.RunbookRun], object], what: str) -> wire.RunbookRun:
        async def look() -> bool:
            return bool(holds(await self.row()))

        await self.engine.until(look, what)
        return await self.row()

    async def lines(self, count: int) -> None:
        async def written() -> bool:
            return self.log.exists() and len(self.log.read_text().split()) >= count

        await self.engine.until(written, f"{count} lines in the log")

    async def kill(self, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        self.engine.kill()
        if meanwhile is not None:
            await meanwhile()
        await self.engine.start()


async def killed_in_mid_run(folder: Path, pauses: tuple[float, ...]) -> None:
    books = folder / "books"
    books.mkdir(mode=0o755)
    (books / "kill.md").write_text(BOOK.replace("hosts: person\n", f"hosts: person\n{FRONT}"))
    settings = f'[runbooks]\nfolder = "{books}"\n'
    async with engine_process(folder / "h", settings) as engine:
        one = Killed(engine, folder)
        await one.begin()
        await one.answer()
        await one.lines(1)
        for pause in pauses:
            time.sleep(pause)
            await one.kill()
            assert (await one.row()).state == "running", "a detached command goes on"

        async def end() -> None:
            one.go.touch()

        await one.kill(end)
        await one.until(
            lambda row: row.step == "foreground" and row.state == "asking", "the detached step ends"
        )
        assert one.log.read_text().split() == ["begun"]
        one.go.unlink()
        await one.answer()
        await one.lines(2)
        await one.kill()
        row = await one.until(lambda row: row.state == "deciding", "the foreground step is unknown")
        assert "nobody knows" in row.words
        assert [mark.state for mark in row.marks] == ["done", "unknown"]
        assert one.log.read_text().split() == ["begun", "fore"]
        one.go.touch()
        await one.answer("accept", reason="I looked")
        row = await one.until(lambda row: row.transcript, "it ends")
        assert row.verdict == "done"
        order = wire.TranscriptQuery(run=row.id)
        transcript = await engine.client.call("runbooks.transcript", wire.Transcript, order)
        assert transcript.hash == row.transcript
        assert "ended-well" in transcript.text


async def test_a_real_engine_is_killed_in_mid_run(tmp_path: Path) -> None:
    await killed_in_mid_run(tmp_path, (0.0,))


@pytest.mark.soak
async def test_a_real_engine_is_killed_again_and_again(tmp_path: Path) -> None:
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        await killed_in_mid_run(folder, tuple(random.uniform(0.0, 1.0) for _ in range(5)))
