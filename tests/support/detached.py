"""Detached runs on this machine, in a folder of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from guardian_tui.engine.remote.commands import Commands, run_here
from guardian_tui.engine.remote.connections import Completed
from guardian_tui.engine.remote.detached import DetachedRun, DetachedRuns
from guardian_tui.engine.remote.detached_looks import Look
from guardian_tui.engine.remote.target import Target

SHELLS = [["dash"], ["busybox", "sh"]]
PATIENCE_SECONDS = 60.0


class Counting(Commands):
    """Commands on this machine, counted."""

    def __init__(self) -> None:
        self.count = 0

    async def run(self, target: Target | None, command: str, **how: Any) -> Completed:
        self.count += 1
        assert target is None
        return await run_here(command, **{"limit_bytes": 1 << 20, "stdin": b"", **how})


class Bench:
    """Runs in a folder of the test's own."""

    def __init__(self, folder: Path, shell: list[str]) -> None:
        self.folder = folder
        self.shell = shell
        self.commands = Counting()
        self.runs = self.anew()

    def anew(self, **how: Any) -> DetachedRuns:
        """As after a restart of the engine: nothing is remembered."""
        known: dict[str, Any] = {
            "folder": str(self.folder),
            "shell": self.shell,
            "grace_seconds": 1,
            "manager": "/nowhere",
        }
        return DetachedRuns(self.commands, **{**known, **how})

    async def start(self, id_: str, script: str, **how: Any) -> None:
        await self.runs.start(None, DetachedRun(id_, script, **{"most_seconds": 300.0, **how}))

    async def look(self, id_: str, out: int = 0, err: int = 0) -> Look:
        return (await self.runs.look(None, {id_: (out, err)}))[id_]

    async def until(self, id_: str, holds: Callable[[Look], object]) -> Look:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds(look := await self.look(id_)):
                await asyncio.sleep(0.05)
        return look

    async def over(self, id_: str) -> Look:
        return await self.until(id_, lambda look: look.state != "running")

    async def process(self, id_: str, name: str = "pid") -> psutil.Process:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (words := (self.folder / id_ / name).read_text().split()):
                await asyncio.sleep(0.01)
        return psutil.Process(int(words[0]))

    def of(self, *ids: str) -> list[psutil.Process]:
        """All processes that have anything to do with runs, by environment or command line."""
        folders = [f"{self.folder}/{id_}" for id_ in ids]
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                words = " ".join(process.cmdline())
                told = process.environ().get("GUARDIAN_RUN") in folders
                if told or any(f"{folder}/supervisor" in words for folder in folders):
                    found.append(process)
        return found

    async def gone(self, id_: str) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.of(id_):
                await asyncio.sleep(0.05)
