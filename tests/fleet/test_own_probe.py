"""This machine's probe as a child of the engine, under the product's event loop and under Python's own."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import uvloop

from guardian_tui.engine.fleet.own_probe import OwnProbe
from tests.support.console import until

LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
Loop = Callable[[], asyncio.AbstractEventLoop]


def held_by(pid: int) -> dict[int, str]:
    """What a process has open, by number."""
    folder = Path(f"/proc/{pid}/fd")
    return {int(number.name): os.readlink(number) for number in folder.iterdir()}


@LOOPS
def test_a_kept_probe_answers_again_holds_nothing_of_the_engine_s_and_is_begun_anew_when_it_died(
    loop: Loop,
) -> None:
    async def talk() -> None:
        probe = OwnProbe(kept=True)
        assert (await probe.ask("fast", 60.0)).startswith(b"t ")
        first = probe._child
        assert first is not None
        held = held_by(first.process.pid)
        assert {number for number, what in held.items() if what != "/dev/null"} == {0, 1}, held
        await probe.ask("fast", 60.0)
        assert probe._child is first
        os.killpg(first.process.pid, signal.SIGKILL)
        await until(first.ended.is_set)
        assert (await probe.ask("fast", 60.0)).startswith(b"t ")
        second = probe._child
        assert second is not None and second is not first
        os.killpg(second.process.pid, signal.SIGSTOP)
        assert await probe.ask_patiently("fast", "fast", 0.2) is None
        # what does not answer is ended, and waited for
        assert second.ended.is_set()
        await probe.ask("fast", 60.0)
        third = probe._child
        assert third is not None
        probe.close()
        await until(third.ended.is_set)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(talk())


@LOOPS
def test_a_probe_that_says_nothing_of_sense_is_no_answer(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(command: str) -> None:
        monkeypatch.setattr("guardian_tui.engine.fleet.probe.command", lambda: command)
        with pytest.raises(OSError, match="no whole answer"):
            await OwnProbe().ask("fast", 60.0)

    async def ask_all() -> None:
        # a loop opens what it needs at its first child
        await ask("true")
        before = psutil.Process().num_fds()
        for command in ("true", "yes", "echo; exec sleep 0", "read x; echo =1 1", "exec >&-; exec sleep 60"):
            await ask(command)
        await until(lambda: psutil.Process().num_fds() <= before)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(ask_all())


@pytest.mark.parametrize("turns", [*range(12), 16, 24, 40])
async def test_a_probe_that_is_given_up_while_it_is_started_ends(turns: int) -> None:
    before = set(psutil.Process().children())
    task = asyncio.create_task(OwnProbe().ask("fast", 60.0))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: set(psutil.Process().children()) <= before)
