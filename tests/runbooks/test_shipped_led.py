"""Shipped runbooks as a person is led through them: by the engine, with real commands, there and back."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from guardian_tui.engine.runbooks.documents.library import SHIPPED
from guardian_tui.protocol import runbooks as wire
from tests.runbooks.lab import Lab


async def begin(lab: Lab, name: str, **values: str) -> wire.RunbookRun:
    """A run of a shipped runbook on web-1, which is this machine."""
    shutil.copy(SHIPPED / f"{name}.md", lab.books)
    await lab.runbooks.reload()
    return await lab.start(name, values=values)


async def go(lab: Lab, run: wire.RunbookRun, *steps: str, **answer: str) -> wire.RunbookRun:
    """Go on through these steps, each of which must be the one that is asked for; the answer is given to the last."""
    for step in steps:
        assert (run.step, run.state) == (step, "asking"), (
            step,
            run.step,
            run.state,
            run.current,
            await lab.output(run),
        )
        run = await lab.answer(run, **(answer if step == steps[-1] else {}))
    return run


async def test_a_file_comes_back_and_the_way_back_is_open_to_the_end(
    lab_: Lab, tmp_path: Path, restorable: Path
) -> None:
    place, restored = tmp_path / "it's; a file", restorable / "restored"
    place.write_text("bad")
    run = await begin(lab_, "file-restore", place=str(place), restored=str(restored))
    run = await go(lab_, run, "now", "room", "folder")
    assert run.current is not None and str(place) in run.current.words
    (restored / "x").write_text("good")
    run = await go(lab_, run, "restore", "landed", "copy", value=str(restored / "x"))
    run = await go(lab_, run, "compare", "put", choice="yes")
    assert run.step == "in_place" and run.current is not None and run.current.undo
    run = await lab_.answer(run, typed=run.current.phrase)
    run = await go(lab_, run, "same")
    assert place.read_text() == "good" and (tmp_path / "it's; a file.before-restore").read_text() == "bad"
    run = await lab_.answer(run, "rollback")
    while run.state != "ended":
        run = await lab_.answer(run, "undo", typed="web-1")
    assert place.read_text() == "bad" and not (tmp_path / "it's; a file.before-restore").exists()


async def test_a_process_is_ended_when_its_number_was_typed_and_the_processor_is_seen_to_be_free(
    lab_: Lab,
) -> None:
    process = subprocess.Popen(["sleep", "300"])
    try:
        run = await begin(lab_, "runaway-process")
        run = await go(lab_, run, "load", "top", "pid", value=str(process.pid))
        run = await go(lab_, run, "look", "way", choice="end it hard, it does not listen")
        assert run.step == "kill_it" and run.current is not None and run.current.phrase == str(process.pid)
        run = await lab_.answer(run, typed=str(process.pid))
        assert process.wait(10) == -9
    finally:
        process.kill()
    assert run.step == "settled"


async def test_a_disk_that_support_can_not_free_is_handed_on(lab_: Lab) -> None:
    run = await begin(lab_, "disk-almost-full", mount="/dev/shm")
    run = await go(lab_, run, "usage", "largest", "deleted", "cause", choice="something else")
    assert (
        run.step == "escalate" and run.current is not None and "/dev/shm is almost full" in run.current.words
    )
    run = await lab_.answer(run)
    assert run.state == "ended" and run.verdict != "done"
    told = (await lab_.transcript(run)).text
    assert "df -P -h -- /dev/shm" in told and "something else" in told
