"""Commands on this machine: given up at any moment, they end, and so does what they started."""

from __future__ import annotations

import asyncio

import psutil
import pytest

from guardian_tui.engine.remote.commands import run_here


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
