"""Commands on this machine: given up at any moment, they end, and so does what they started."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import psutil
import pytest
import uvloop

from guardian_tui.config import AlertsSettings, ChannelSettings, Settings, StoreSettings
from guardian_tui.engine import environment
from guardian_tui.engine.remote.commands import run_here
from guardian_tui.engine.remote.followed import Stop, follow_here
from guardian_tui.engine.remote.here import Given
from guardian_tui.engine.vault.references import resolve_outside


@pytest.mark.parametrize("turns", [*range(12), 16, 24, 40])
async def test_a_command_that_is_given_up_while_it_is_started_ends(turns: int) -> None:
    """Python itself waits for ever for a process whose start is cancelled while its pipes are connected."""
    task = asyncio.create_task(run_here(f"sleep 7{turns:03} & wait", timeout=60, limit_bytes=100))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(30):
        with pytest.raises(asyncio.CancelledError):
            await task
        while any(
            one.cmdline()[-1:] == [f"7{turns:03}"]
            for one in psutil.Process().children(recursive=True)
            if one.status() != "zombie"
        ):
            await asyncio.sleep(0.05)


async def test_a_command_on_this_machine_gets_the_engines_environment_but_not_its_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(environment, "_hidden", {"CREDENTIALS_DIRECTORY"})
    channel = ChannelSettings(kind="smtp", url="smtp://relay", to=("a@b",), password="env:MAIL_PASSWORD")
    environment.hide_secrets(
        Settings(store=StoreSettings(url="env:STORE_URL"), alerts=AlertsSettings(channels={"mail": channel}))
    )
    for name in ("MAIL_PASSWORD", "STORE_URL", "REPOSITORY_PASSWORD", "CREDENTIALS_DIRECTORY", "HARMLESS"):
        monkeypatch.setenv(name, "battery horse")
    # one that is named on screen, in no settings
    assert await resolve_outside("env:REPOSITORY_PASSWORD") == "battery horse"
    assert await resolve_outside("env:PATH")
    assert "PATH" in environment.for_commands()
    done = await run_here("env", timeout=60, limit_bytes=1 << 20)
    heard: list[bytes] = []

    def hear(stream: str, data: bytes) -> float:
        heard.append(data)
        return 0.0

    await follow_here("env", seconds=60, stdin=b"", hear=hear, stop=Stop())
    for out in (done.out, b"".join(heard)):
        assert [line.partition(b"=")[0] for line in out.splitlines() if b"horse" in line] == [b"HARMLESS"]


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, 6, 9, 16, 40])
def test_commands_are_given_up_in_the_same_way_under_the_engines_own_loop(turns: int) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_a_command_that_is_given_up_while_it_is_started_ends(turns))


async def test_more_complaints_than_are_kept_hinder_no_command() -> None:
    done = await run_here("head -c 1000000 /dev/zero >&2; echo through", timeout=60, limit_bytes=100)
    assert (done.exit_status, done.out, len(done.err)) == (0, b"through\n", 1 << 16)


def test_what_a_command_leaves_running_holds_nothing_of_it_under_the_engines_own_loop() -> None:
    """A run is started so: as long as its pipes were held its start was not answered, and nobody followed it."""

    async def leave() -> bytes:
        command = "setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $!"
        return (await run_here(command, timeout=60, limit_bytes=100)).out

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(test_more_complaints_than_are_kept_hinder_no_command())
        left = psutil.Process(int(runner.run(leave())))
    try:
        assert left.is_running()
    finally:
        left.kill()


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_an_end_of_a_pipe_that_a_loop_was_given_is_closed_once_and_by_the_loop(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """uvloop closes it twice, the second time by the object: a file that another thread opened in between would be closed."""

    async def hand_over() -> None:
        theirs, ours = os.pipe()
        with os.fdopen(ours, "wb", buffering=0), os.fdopen(theirs, "rb", buffering=0) as pipe:
            given = Given(pipe)
            assert pipe.closed
            number, reader = given.fileno(), asyncio.StreamReader()
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), given
            )
            os.fstat(number)
            transport.close()
            assert await reader.read() == b""
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(number)
            # another file has its number by now: whatever closes the object does not close that
            os.dup2(ours, number)
            given.close()
            os.fstat(number)
            os.close(number)

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(hand_over())
        given = runner.run(_given_and_kept())
        held = given.fileno()
        given.close()
        if loop is uvloop.new_event_loop:
            # it is closed by libuv alone
            os.close(held)
        else:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.close(held)


async def _given_and_kept() -> Given:
    theirs, ours = os.pipe()
    os.close(ours)
    return Given(os.fdopen(theirs, "rb", buffering=0))
