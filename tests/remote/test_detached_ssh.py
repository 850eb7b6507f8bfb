"""Detached runs on a real host: the link is cut, the engine forgets, the run does neither."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from guardian_tui.engine.remote.commands import Commands
from guardian_tui.engine.remote.detached import DetachedRun, DetachedRuns
from guardian_tui.engine.remote.detached_looks import Look
from guardian_tui.engine.remote.target import Target
from tests.fleet.world import World
from tests.support.sshd import Sshd

Start = Callable[..., Sshd]
PATIENCE_SECONDS = 60.0


async def at(world: World, server: Sshd) -> Target:
    """The way for commands to a server whose key is trusted."""
    await world.pin(server.address, server.port, server.host_key)
    return Target(
        "x", "web", server.address, server.port, server.user, credential=f"key:{server.client_key}", purpose="commands"
    )  # fmt: skip


async def until(
    runs: DetachedRuns, target: Target, id_: str, holds: Callable[[Look], object], place: tuple[int, int] = (0, 0)
) -> Look:  # fmt: skip
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds(look := (await runs.look(target, {id_: place}))[id_]):
            await asyncio.sleep(0.1)
    return look


async def leader_of(folder: Path) -> psutil.Process:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (words := (folder / "child").read_text().split()):
            await asyncio.sleep(0.01)
    return psutil.Process(int(words[0]))


def cut(server: Sshd) -> None:
    """Kill what serves the connections; the server goes on."""
    for child in psutil.Process(server.pid).children(recursive=True):
        if child.name().startswith("sshd"):
            child.kill()


@pytest.mark.parametrize("shell", ["/bin/sh", "busybox sh"])
async def test_a_run_outlives_its_link_and_is_found_by_who_knows_only_the_host(
    world: World, sshd: Start, shell: str
) -> None:
    server = sshd()
    target = await at(world, server)
    runs = DetachedRuns(Commands(world.remote), shell=shell.split())
    id_ = "cut"
    flag = f"$HOME/{id_}-go"
    script = f'echo "$WORD"; while [ ! -e {flag} ]; do sleep 0.1; done; echo after; exit 6'
    await runs.start(target, DetachedRun(id_, script, 300.0, {"WORD": "it's\nme"}, nice=5, idle_io=True))
    look = await until(runs, target, id_, lambda look: look.out)
    assert (look.state, look.out) == ("running", b"it's\nme\n")
    folder = server.home / ".local/state/guardian-runs" / id_
    leader = await leader_of(folder)
    assert (leader.nice(), leader.ionice().ioclass) == (os.nice(0) + 5, psutil.IOPRIO_CLASS_IDLE)
    assert (folder.owner(), folder.stat().st_mode & 0o777) == (server.user, 0o700)

    connection = await world.remote.connection(target)
    cut(server)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await connection.ssh.wait_closed()
    assert leader.is_running()
    again = DetachedRuns(Commands(world.remote))
    assert await again.known(target) == [id_]
    done = await Commands(world.remote).run(target, f"touch {flag}", timeout=30)
    assert done.exit_status == 0
    last = await until(again, target, id_, lambda look: look.state != "running", (look.out_offset, 0))
    assert (last.state, last.exit_code, last.out) == ("ended", 6, b"after\n")
    await again.forget(target, id_)
    await Commands(world.remote).run(target, f"rm {flag}", timeout=30)
    assert await again.known(target) == []


async def test_a_cancel_needs_no_link_to_be_carried_out(world: World, sshd: Start) -> None:
    server = sshd()
    target = await at(world, server)
    runs = DetachedRuns(Commands(world.remote), grace_seconds=2)
    await runs.start(
        target, DetachedRun("deaf", "trap '' TERM; echo up; sleep 300 & sleep 301; sleep 302", 300.0)
    )
    await until(runs, target, "deaf", lambda look: look.out)
    folder = server.home / ".local/state/guardian-runs/deaf"
    leader = await leader_of(folder)
    family = [leader, *leader.children(recursive=True)]
    await runs.cancel(target, "deaf")
    server.stop()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (folder / "exit.137").exists() or any(process.is_running() for process in family):
            await asyncio.sleep(0.05)
    server.start()
    look = (await DetachedRuns(Commands(world.remote)).look(target, {"deaf": (0, 0)}))["deaf"]
    assert (look.state, look.exit_code, look.cancelled) == ("ended", 137, True)
    await runs.forget(target, "deaf")
