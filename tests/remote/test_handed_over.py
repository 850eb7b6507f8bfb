"""What one command of this machine writes, as the input of another: under the engine's own loop and under Python's."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import uvloop

from guardian_tui.engine.remote import handed_over
from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.handed_over import HandedOver, Side

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
MIB = 1 << 20


def over(
    loop: Callable[[], asyncio.AbstractEventLoop], source: Side, sink: Side, told: Callable[[int], None] = lambda size: None,
    stop_after: float = 0.0,
) -> HandedOver:  # fmt: skip
    async def both() -> HandedOver:
        stop = asyncio.Event()
        if stop_after:
            asyncio.get_running_loop().call_later(stop_after, stop.set)
        commands = Commands(None)  # type: ignore[arg-type]  # this machine needs no connection
        return await commands.hand_over(source, sink, told=told, stop=stop)

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(both())


def descriptors() -> int:
    return psutil.Process().num_fds()


@pytest.mark.parametrize("loop", LOOPS)
def test_all_of_it_comes_over_and_no_descriptor_is_left(
    loop: Callable[[], asyncio.AbstractEventLoop], tmp_path: Path
) -> None:
    body = os.urandom(5 * MIB)
    (tmp_path / "body").write_bytes(body)
    sizes: list[int] = []
    over(loop, Side(None, "true"), Side(None, "cat"))
    before = descriptors()
    done = over(
        loop, Side(None, f"cat; cat {tmp_path}/body; echo said >&2", b"secret "), Side(None, "sha256sum", b"head ", b" tail"), sizes.append
    )  # fmt: skip
    wanted = hashlib.sha256(b"head secret " + body + b" tail").hexdigest()
    assert (done.source, done.sink, done.refused, done.words) == (0, 0, False, "")
    assert (done.out.split()[0].decode(), done.source_said) == (wanted, b"said\n")
    assert sum(sizes) == len(body) + len(b"secret ")
    assert descriptors() <= before


@pytest.mark.parametrize("loop", LOOPS)
def test_one_that_takes_no_more_ends_the_other(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    done = over(loop, Side(None, "exec cat /dev/zero"), Side(None, "head -c 100000 | wc -c; echo full >&2; exit 7"))  # fmt: skip
    assert (done.sink, done.refused, done.out, done.sink_said) == (7, True, b"100000\n", b"full\n")
    # it was told to end, or found nobody to write to
    assert done.source in (None, 141)


@pytest.mark.parametrize("loop", LOOPS)
def test_both_are_ended_when_that_is_asked_for_and_leave_nothing(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    done = over(loop, Side(None, "sleep 61.5; true"), Side(None, "cat"), stop_after=0.3)
    assert (done.source, done.sink) == (None, 0)
    left = [one.info["cmdline"] for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", "61.5"]]  # fmt: skip
    assert left == []


@pytest.mark.parametrize("loop", LOOPS)
def test_one_that_writes_nothing_is_not_waited_for_for_ever(
    loop: Callable[[], asyncio.AbstractEventLoop], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handed_over, "STALLED_SECONDS", 0.2)
    done = over(loop, Side(None, "sleep 62.5"), Side(None, "cat"))
    assert (done.source, done.sink, done.words) == (None, 0, "nothing was handed over for 0 s")


async def test_what_a_command_no_longer_takes_is_said_at_once() -> None:
    from guardian_tui.engine.remote.here import begin, ended_of, writing

    process = begin("true")
    ended = ended_of(process)
    async with writing(process.stdin) as stdin:
        await ended.wait()
        stdin.write_eof()
        with pytest.raises(BrokenPipeError):
            stdin.write(b"more")
    for pipe in (process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
