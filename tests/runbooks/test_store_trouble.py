"""A store, a library or a gate that fails for a while holds runs up, loses nothing of them and runs nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete

from guardian_tui.engine.runbooks import journal, orders, runner, service
from guardian_tui.engine.store.tables import runbook_documents
from guardian_tui.protocol import runbooks as wire
from guardian_tui.protocol.errors import Conflict, InternalError, NotFound, StoreUnavailable
from tests.runbooks.lab import Lab

ONE = "```step one\nrun: echo one\n```\n"
HUSH = "```step hush\nsilence: work\nduration: 2h\n```\n"
Log = pytest.LogCaptureFixture
Call = Callable[..., Awaitable[Any]]


def failing(patch: pytest.MonkeyPatch, owner: object, name: str, *errors: Exception) -> list[Exception]:
    """Let calls of something fail with these errors, one after the other, before they are made as ever; answers those still to come."""
    left, call = list(errors), getattr(owner, name)

    async def work(*given: Any, **more: Any) -> Any:
        if left:
            raise left.pop(0)
        return await call(*given, **more)

    patch.setattr(owner, name, work)
    return left


async def said(lab: Lab, caplog: Log, words: str) -> None:
    async def there() -> bool:
        return words in caplog.text

    await lab.until(there, f"the log says {words!r}")


async def test_what_a_run_opened_is_closed_when_the_store_is_back(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "RETRY_SECONDS", 0.02)
    run = await lab_.answer(await lab_.run(HUSH + ONE))
    assert len(lab_.gate.live.silences.rows()) == 1
    left = failing(monkeypatch, lab_.runbooks.house, "act", *[StoreUnavailable("full")] * 3)
    done = await lab_.answer(run)
    assert (done.verdict, done.open, left, lab_.gate.live.silences.rows()) == ("done", (), [], [])


async def test_what_can_not_be_closed_is_told_and_keeps_nothing_else_open(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch, caplog: Log
) -> None:
    run = await lab_.answer(await lab_.run(HUSH + HUSH.replace("hush", "more") + ONE))
    run = await lab_.answer(run)
    assert len(lab_.gate.live.silences.rows()) == 2
    # the first is gone already, the second is refused
    gone, stays = run.open
    failing(monkeypatch, lab_.runbooks.house, "act", NotFound("gone"), InternalError("ours"))
    done = await lab_.answer(run)
    assert (done.verdict, done.open) == ("done", (stays,))
    assert gone and "could not be closed: ours" in caplog.text


async def test_output_that_can_not_be_written_waits(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch, caplog: Log
) -> None:
    monkeypatch.setattr(runner, "SHOW_SECONDS", 0.01)
    monkeypatch.setattr(runner, "RETRY_SECONDS", 0.02)
    hold = lab_.folder / "hold"
    hold.touch()
    run = await lab_.run(f"```step one\nrun: echo one; while test -e {hold}; do sleep 0.02; done\n```\n")
    left = failing(monkeypatch, lab_.runbooks.runner, "flush", StoreUnavailable("full"), RuntimeError("ours"))
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=run.version))
    await said(lab_, caplog, f"output of run {run.id} can't be written yet: full")
    await said(lab_, caplog, "RuntimeError: ours")
    left.append(StoreUnavailable("full again"))
    hold.unlink()
    done = await lab_.settled(run, "ended")
    assert (done.verdict, left, await lab_.output(done)) == ("done", [], "one\n")


async def test_no_host_is_begun_that_is_not_on_disk_as_begun(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = lab_.folder / "log"
    run = await lab_.run(f"```step one\nrun: echo ran >> {log}\n```\n")
    append = lab_.runbooks.runner.append

    async def fails(run: Any, entries: Any, *more: Any, **named: Any) -> bool:
        if any(isinstance(entry, journal.HostsBegun) for entry in entries):
            raise RuntimeError("ours")
        return await append(run, entries, *more, **named)

    monkeypatch.setattr(lab_.runbooks.runner, "append", fails)
    run = await lab_.answer(run)
    assert (run.state, run.marks[0].state) == ("deciding", "unknown")
    assert "The engine failed in the middle of it" in run.words
    assert not log.exists()


async def test_entries_for_a_run_that_has_gone_on_are_not_written(lab_: Lab) -> None:
    run = await lab_.run(ONE)
    held = lab_.runbooks.runner.runs[run.id]
    paused = journal.Paused(at=lab_.gate.clock.now(), words="late")
    assert not await lab_.runbooks.runner.append(held, [paused], expected=run.version - 1)
    assert (await lab_.row(run)).state == "asking"


async def test_somebody_who_is_faster_than_what_goes_on_by_itself_is_not_overrun(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = lab_.runbooks.runner.append
    faster = asyncio.Event()

    async def slow(run: Any, entries: Any, *more: Any, **named: Any) -> bool:
        if named.get("expected") is not None and not faster.is_set():
            faster.set()
            await lab_.gate.call("runbooks.hand_over", wire.HandOver(run=run.id, to="grace"))
        return await append(run, entries, *more, **named)

    monkeypatch.setattr(lab_.runbooks.runner, "append", slow)
    steps = "```step days\ninput: How many?\ntype: int\n```\n" + ONE
    run = await lab_.run(steps, values={"days": "3"}, auto=True)
    await faster.wait()

    async def handed() -> bool:
        row = await lab_.row(run)
        held = lab_.runbooks.runner.runs[run.id]
        return row.leader == "grace" and held.task is not None and held.task.done()

    await lab_.until(handed, "it is handed over")
    assert ((await lab_.row(run)).step, (await lab_.row(run)).asked) == ("days", "input")


async def test_a_fault_of_ours_after_a_step_is_in_the_log(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch, caplog: Log
) -> None:
    failing(monkeypatch, lab_.runbooks.runner, "_epilogue", RuntimeError("ours"))
    run = await lab_.run(ONE + ONE.replace("one", "two"))
    run = await lab_.answer(run)
    await said(lab_, caplog, "failed in a way that is not foreseen")
    assert (await lab_.answer(run)).verdict == "done"


async def test_a_run_whose_document_is_gone_is_told_and_keeps_no_other_from_going_on(
    lab_: Lab, caplog: Log
) -> None:
    lost = await lab_.run(ONE)
    await lab_.book(ONE.replace("one", "other"), name="other")
    kept = await lab_.start("other")
    ended = await lab_.answer(await lab_.start("other"))
    async with lab_.gate.store.write() as tx:
        await tx.execute(delete(runbook_documents).where(runbook_documents.c.hash == lost.hash))
    await lab_.restart()
    assert f"the document of the run {lost.id} is gone" in caplog.text
    assert set(lab_.runbooks.runner.runs) == {kept.id}
    async with lab_.gate.store.write() as tx:
        await tx.execute(delete(runbook_documents))
    with pytest.raises(NotFound, match=f"The document of the run {ended.id} is gone"):
        await lab_.detail(ended.id)


async def test_an_engine_that_ends_before_it_has_begun_leaves_runs_as_they_are(lab_: Lab) -> None:
    run = await lab_.run(ONE)
    await lab_.runbooks.stop()
    lab_.begin()
    await lab_.runbooks.stop()
    lab_.begin()
    await lab_.runbooks.start()
    assert (await lab_.answer(run)).verdict == "done"


async def test_a_library_or_a_store_that_fails_is_looked_at_again(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch, caplog: Log
) -> None:
    await lab_.book(ONE)
    await lab_.runbooks.stop()
    monkeypatch.setattr(service, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(service, "CLEAN_SECONDS", 0.02)
    lab_.begin()
    refresh, failures = lab_.runbooks.library.refresh, [OSError("no folder")]

    def fails() -> bool:
        if failures:
            raise failures.pop()
        return refresh()

    monkeypatch.setattr(lab_.runbooks.library, "refresh", fails)
    left = failing(monkeypatch, lab_.runbooks, "remove_old", StoreUnavailable("full"), RuntimeError("ours"))
    await lab_.runbooks.start()
    await said(lab_, caplog, "the library of runbooks could not be read")
    await said(lab_, caplog, "old runs of runbooks could not be removed: full")
    await said(lab_, caplog, "tried again in a day")

    async def read() -> bool:
        return bool(lab_.gate.live.runbooks.rows()) and not left

    await lab_.until(read, "it is read")


async def test_a_run_that_has_ended_is_neither_stopped_nor_handed_over_while_it_is_closed(
    lab_: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    closing, go = asyncio.Event(), asyncio.Event()

    async def close(run: object) -> None:
        closing.set()
        await go.wait()

    monkeypatch.setattr(lab_.runbooks.runner, "_close", close)
    run = await lab_.run(ONE)
    await lab_.gate.call("runbooks.answer", wire.AnswerRunbook(run=run.id, version=run.version))
    await closing.wait()
    for name, order in (
        ("runbooks.stop", wire.StopRunbook(run=run.id)),
        ("runbooks.hand_over", wire.HandOver(run=run.id)),
    ):
        with pytest.raises(Conflict, match="The run has ended"):
            await lab_.gate.call(name, order)
    go.set()
    assert (await lab_.settled(run, "ended")).verdict == "done"


async def test_no_more_runs_are_begun_than_are_held(lab_: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "MOST_RUNS", 1)
    run = await lab_.run(ONE)
    with pytest.raises(Conflict, match="have not ended; end some first"):
        await lab_.start()
    await lab_.answer(run)
    assert await lab_.start()


async def test_a_look_that_finds_all_approvals_good_changes_nothing(lab_: Lab) -> None:
    grace = await lab_.colleague("grace", "operator")
    run = await lab_.run("```step ok\napprove: May it?\n```\n" + ONE)
    order = wire.ApproveRunbook(run=run.id, version=run.version, digest=run.digest)
    await lab_.gate.call("runbooks.approve", order, token=grace)
    held = lab_.runbooks.runner.runs[run.id]
    before = held.sight
    await lab_.runbooks.runner.look_at_approvals()
    assert held.sight is before
