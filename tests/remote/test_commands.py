"""Commands on this machine: given up at any moment, they end, and so does what they started."""

from __future__ import annotations

import asyncio

import psutil
import pytest
import uvloop

from guardian_tui.config import AlertsSettings, ChannelSettings, Settings, StoreSettings
from guardian_tui.engine import environment
from guardian_tui.engine.remote.commands import run_here
from guardian_tui.engine.remote.followed import Stop, follow_here
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
